package pveapi_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
)

const template = "debian-12-standard_12.12-1_amd64.tar.zst"

// lab is a server on a loopback port with guests in memory and an admin token.
type lab struct {
	*pveapi.Server
	url     string
	backend *membackend.Backend
	client  *http.Client
	secret  string
	dir     string
}

func newLab(t *testing.T, o pveapi.Options) *lab {
	t.Helper()
	l := &lab{backend: membackend.New(), dir: o.Dir}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	l.dir = o.Dir
	if o.Backend == nil {
		o.Backend = l.backend
	}
	s, err := pveapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l.Server = s
	if l.secret, err = s.AddToken("root@pam", "ci", false, ""); err != nil {
		t.Fatal(err)
	}
	node := "pve1"
	if len(o.Nodes) > 0 {
		node = o.Nodes[0]
	}
	dir, err := s.TemplateDir(node, "local")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, template), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if l.url, err = s.Listen(ctx, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.client = &http.Client{Transport: &http.Transport{TLSClientConfig: l.pinned(t)}}
	t.Cleanup(func() {
		l.client.CloseIdleConnections()
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		l.backend.Close()
	})
	return l
}

// pinned trusts the lab's certificate by its fingerprint alone.
func (l *lab) pinned(t *testing.T) *tls.Config {
	want, err := l.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
		sum := sha256.Sum256(cs.PeerCertificates[0].Raw)
		if got := strings.ToUpper(hex.EncodeToString(sum[:])); got != strings.ReplaceAll(want, ":", "") {
			t.Errorf("fingerprint %s, want %s", got, want)
		}
		return nil
	}}
}

type reply struct {
	Status  int
	Reason  string
	Data    any               `json:"data"`
	Errors  map[string]string `json:"errors"`
	Message string            `json:"message"`
}

// call sends a request as the admin token; form nil: no body.
func (l *lab) call(t *testing.T, method, path string, form url.Values) reply {
	t.Helper()
	return l.send(t, "root@pam!ci="+l.secret, method, path, form)
}

// as sends a request without a body as another token (ID=SECRET).
func (l *lab) as(t *testing.T, token, method, path string) reply {
	t.Helper()
	return l.send(t, token, method, path, nil)
}

func (l *lab) send(t *testing.T, token, method, path string, form url.Values) reply {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, l.url+"/api2/json"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "PVEAPIToken="+token)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := l.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var r reply
	if err := json.NewDecoder(res.Body).Decode(&r); err != nil && err != io.EOF {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	r.Status, r.Reason = res.StatusCode, strings.TrimPrefix(res.Status, strings.Fields(res.Status)[0]+" ")
	return r
}

// task runs a call that forks and waits for it to end with want.
func (l *lab) task(t *testing.T, want, method, path string, form url.Values) string {
	t.Helper()
	r := l.call(t, method, path, form)
	upid, _ := r.Data.(string)
	if r.Status != 200 || upid == "" {
		t.Fatalf("%s %s: %d %s %v", method, path, r.Status, r.Reason, r.Errors)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := l.WaitTask(ctx, upid)
	if err != nil || got != want {
		t.Fatalf("%s %s ended in %q (%v), want %q\n%s", method, path, got, err, want, strings.Join(l.TaskLog(upid), "\n"))
	}
	return upid
}

func createForm(vmid string) url.Values {
	return url.Values{
		"vmid": {vmid}, "ostemplate": {"local:vztmpl/" + template}, "rootfs": {"local-lvm:2"}, "hostname": {"shop-dev"},
		"memory": {"256"}, "net0": {"name=eth0,bridge=vmbr0,ip=10.99.0.101/24,gw=10.99.0.1"}, "features": {"nesting=1"}, "unprivileged": {"1"},
	}
}

func TestContainerLife(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	upid := l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	log := strings.Join(l.TaskLog(upid), "\n")
	for _, want := range []string{"Creating SSH host key 'ssh_host_ed25519_key'", "done: SHA256:", "root@shop-dev", "TASK OK"} {
		if !strings.Contains(log, want) {
			t.Errorf("log lacks %q:\n%s", want, log)
		}
	}
	l.task(t, "OK", "POST", "/nodes/pve1/lxc/101/status/start", url.Values{})
	if r := l.call(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"512"}, "nameserver": {"10.99.0.1"}}); r.Status != 200 {
		t.Fatalf("put: %+v", r)
	}
	l.task(t, "OK", "PUT", "/nodes/pve1/lxc/101/resize", url.Values{"disk": {"rootfs"}, "size": {"+1G"}})
	conf := l.call(t, "GET", "/nodes/pve1/lxc/101/config?current=1", nil).Data.(map[string]any)
	if conf["memory"] != 512.0 || conf["nameserver"] != nil || conf["rootfs"] != "local-lvm:vm-101-disk-0,size=3G" {
		t.Errorf("running config %v", conf)
	}
	if r := l.call(t, "DELETE", "/nodes/pve1/lxc/101", nil); r.Reason != "unable to destroy CT 101 - container is running" {
		t.Errorf("destroy while running: %d %s", r.Status, r.Reason)
	}
	l.task(t, "OK", "DELETE", "/nodes/pve1/lxc/101?force=1", nil)
	if r := l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil); r.Status != 500 || r.Reason != "Configuration file 'nodes/pve1/lxc/101.conf' does not exist" {
		t.Errorf("after destroy: %d %s", r.Status, r.Reason)
	}
}
