package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Cache is the guests' way to plain HTTP: a transparent proxy that keeps what can
// never change under its URL (Debian packages and indexes by hash), so that the
// guests of every lab of this machine download it once.
type Cache struct {
	Dir string // shared by all labs; made if absent

	flights sync.Map // URL → *sync.Mutex: one download of a file at a time
}

// Serve proxies on addr until ctx ends.
func (c *Cache) Serve(ctx context.Context, addr netip.AddrPort) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("cannot cache downloads: %w", err)
	}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return fmt.Errorf("cannot serve the download cache: %w", err)
	}
	srv := &http.Server{Handler: c.handler(), ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

func (c *Cache) handler() http.Handler {
	origin := c.transport()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host
		},
		Transport: origin,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !immutable(r.URL.Path) {
			proxy.ServeHTTP(w, r)
			return
		}
		c.serveCached(w, r, origin)
	})
}

// transport dials public addresses only: the proxy runs on the machine itself,
// where the guests' guard does not hold.
func (c *Cache) transport() http.RoundTripper {
	d := &net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !public(to.Addr().Unmap()) || to.Port() != 80 {
			return fmt.Errorf("the lab lets no guest reach %s", address)
		}
		return nil
	}}
	return &http.Transport{DialContext: d.DialContext, DisableCompression: true, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute}
}

func public(a netip.Addr) bool {
	for _, p := range private {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

// immutable tells whether a URL's content is fixed by its name: a package's by its
// version, an index's by its hash.
func immutable(p string) bool {
	return path.Clean(p) == p && (strings.Contains(p, "/by-hash/") || strings.HasSuffix(p, ".deb"))
}

func (c *Cache) serveCached(w http.ResponseWriter, r *http.Request, origin http.RoundTripper) {
	file, err := c.file(r, origin)
	var refused statusError
	if errors.As(err, &refused) {
		http.Error(w, http.StatusText(int(refused)), int(refused))
		return
	}
	if err != nil {
		http.Error(w, "cannot fetch this file: "+err.Error(), http.StatusBadGateway)
		return
	}
	f, err := os.Open(file)
	if err != nil {
		http.Error(w, "cannot keep this file: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
}

// statusError is an origin's answer other than 200.
type statusError int

func (e statusError) Error() string { return http.StatusText(int(e)) }

// file is the cached copy of what r asks for; the first to ask downloads it while
// the others wait.
func (c *Cache) file(r *http.Request, origin http.RoundTripper) (string, error) {
	sum := sha256.Sum256([]byte(r.Host + r.URL.Path))
	file := filepath.Join(c.Dir, hex.EncodeToString(sum[:]))
	flight, _ := c.flights.LoadOrStore(file, new(sync.Mutex))
	flight.(*sync.Mutex).Lock()
	defer flight.(*sync.Mutex).Unlock()
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, c.download(r, origin, file)
}

// download fetches the whole file, whatever range or condition this guest asked
// for, and puts it in place only when complete.
func (c *Cache) download(r *http.Request, origin http.RoundTripper, file string) error {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+r.Host+r.URL.EscapedPath(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", r.UserAgent())
	resp, err := origin.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	tmp, err := os.CreateTemp(c.Dir, ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, resp.Body)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
