package pveapi

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// listAppliances is GET /nodes/{node}/aplinfo: nothing to those who may not download.
func listAppliances(c *call) (any, error) {
	rows := []map[string]any{}
	if !c.can("/nodes/"+c.node(), "Sys.Audit") && !c.mayDownloadSomewhere() {
		return rows, nil
	}
	for _, a := range c.opt.Appliances {
		row := map[string]any{"template": a.Template, "type": "lxc", "architecture": "amd64", "section": "system"}
		for k, v := range a.Info {
			row[k] = v
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (c *call) mayDownloadSomewhere() bool {
	for id := range c.st.Storages {
		if c.can("/storage/"+id, "Datastore.AllocateTemplate") {
			return true
		}
	}
	return false
}

// downloadAppliance is POST /nodes/{node}/aplinfo.
func downloadAppliance(c *call) (any, error) {
	var app *Appliance
	for i, a := range c.opt.Appliances {
		if a.Template == c.p.str("template") {
			app = &c.opt.Appliances[i]
		}
	}
	if app == nil {
		return nil, paramError("template", "no such template")
	}
	st, err := c.enabledStorage(c.p.str("storage"), c.node())
	if err != nil {
		return nil, err
	}
	if !st.has("vztmpl") {
		return nil, fail("storage '%s' does not support templates", st.ID)
	}
	location := app.Info["location"]
	if location == "" {
		location = "http://download.proxmox.com/images/system/" + app.Template
	}
	get := fetch{url: location, source: app.Source, make: app.Make, storage: st, node: c.node(), kind: "vztmpl", name: app.Template, keep: true}
	return c.fork("download", app.Template, func(t *task) error { return c.fetch(t, get) })
}

// fetch is a download as the lab plays it: a copy from a file of the host's.
type fetch struct {
	url, source, node string
	storage           *Storage
	kind, name        string
	sum, algorithm    string
	keep              bool // an existing file is fine
	make              func(context.Context) (string, error)
}

func (s *Server) fetch(t *task, f fetch) error {
	dest := filepath.Join(s.hostDir(f.storage, f.node), volumeDirs[f.kind], f.name)
	shown := path.Join(f.storage.Path, volumeDirs[f.kind], f.name)
	t.log("downloading %s to %s", f.url, shown)
	if _, err := os.Stat(dest); err == nil {
		if !f.keep {
			return fail("refusing to override existing file '%s'", shown)
		}
		t.log("calculating checksum of existing file...OK, got correct file already, no need to download")
		return nil
	}
	var err error
	if f.source == "" && f.make != nil {
		s.unlocked(func() { f.source, err = f.make(t.ctx) })
	}
	if err != nil {
		return fail("download failed: %s", err.Error())
	}
	if err := s.wgetLog(t, f, shown); err != nil {
		return err
	}
	var sum string
	s.unlocked(func() { sum, err = copyFile(f.source, dest, f.algorithm) })
	if err != nil {
		return fail("download failed: %s", err.Error())
	}
	if f.sum != "" && !strings.EqualFold(sum, f.sum) {
		_ = os.Remove(dest) // it was only just made
		return fail("checksum mismatch: got '%s' != expect '%s'", sum, f.sum)
	}
	t.log("download of '%s' to '%s' finished", f.url, shown)
	return nil
}

// wgetLog prints what wget does while it downloads.
func (s *Server) wgetLog(t *task, f fetch, shown string) error {
	stamp := s.now().Format("2006-01-02 15:04:05")
	t.log("--%s--  %s", stamp, f.url)
	host, port := "localhost", "80"
	if u, err := url.Parse(f.url); err == nil && u.Hostname() != "" {
		host = u.Hostname()
		if u.Scheme == "https" {
			port = "443"
		}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		t.log("Connecting to %s:%s... connected.", host, port)
	} else {
		t.log("Resolving %[1]s (%[1]s)... 127.0.0.1", host)
		t.log("Connecting to %[1]s (%[1]s)|127.0.0.1|:%[2]s... connected.", host, port)
	}
	info, err := os.Stat(f.source)
	if err != nil {
		t.log("HTTP request sent, awaiting response... 404 File not found")
		t.log("%s ERROR 404: File not found.", stamp)
		return fail("download failed: exit code 8")
	}
	t.log("HTTP request sent, awaiting response... 200 OK")
	t.log("Length: %d (%s) [%s]", info.Size(), strings.TrimSuffix(humanSize(info.Size()), "iB"), mimeType(f.url))
	temp := fmt.Sprintf("%s.tmp_dwnl.%d", shown, t.PID)
	t.log("Saving to: '%s'", temp)
	const line = 32 << 20 // what a line of wget's giga dots stands for
	for at := int64(0); at < info.Size(); at += line {
		dots := min((info.Size()-at+1<<20-1)>>20, 32)
		t.log("%6dK %-35s%3d%% 1.00G 0s", at>>10, dotted(int(dots)), min(100, (at+line)*100/info.Size()))
	}
	t.log("%s (1.00 GB/s) - '%s' saved [%d/%d]", stamp, temp, info.Size(), info.Size())
	return nil
}

// dotted is n dots, eight in a group.
func dotted(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 && i%8 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('.')
	}
	return b.String()
}

// copyFile copies and returns the checksum; the file appears when it is complete.
func copyFile(from, to, algorithm string) (string, error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".tmp_dwnl-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	h := newHash(algorithm)
	if _, err := io.Copy(io.MultiWriter(out, h), in); err != nil {
		out.Close()
		return "", err
	}
	if err := out.Close(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), os.Rename(out.Name(), to)
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha224":
		return sha256.New224()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return sha256.New()
}

// downloadURL is POST …/download-url. The lab knows only the addresses of its appliances
// and file:// ones.
func downloadURL(c *call) (any, error) {
	st, err := c.enabledStorage(c.p.str("storage"), c.node())
	if err != nil {
		return nil, err
	}
	kind, name, from := c.p.str("content"), c.p.str("filename"), c.p.str("url")
	if !st.has(kind) {
		return nil, fail("storage '%s' is not configured for content-type '%s'", st.ID, kind)
	}
	if name != path.Base(name) || strings.HasPrefix(name, ".") {
		return nil, paramError("filename", "wrong file extension")
	}
	get := fetch{url: from, source: c.sourceOf(from), storage: st, node: c.node(), kind: kind, name: name, sum: c.p.str("checksum"), algorithm: c.p.str("checksum-algorithm")}
	return c.fork("download", name, func(t *task) error { return c.fetch(t, get) })
}

// sourceOf is the host's file behind a URL, "" for none.
func (s *Server) sourceOf(address string) string {
	if f, ok := strings.CutPrefix(address, "file://"); ok {
		return f
	}
	for _, a := range s.opt.Appliances {
		if a.Info["location"] == address || path.Base(address) == a.Template {
			return a.Source
		}
	}
	return ""
}

// SetAppliances replaces the list of templates to download.
func (s *Server) SetAppliances(list []Appliance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Appliances = list
}
