package pve

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
)

const labTemplate = "debian-12-standard_12.12-1_amd64.tar.zst"

// lab is the lab's Proxmox with guests in memory.
type lab struct {
	*pveapi.Server
	t       *testing.T
	url     string
	backend *membackend.Backend
	token   string         // root@pam's, which may do what a token may
	as      func(*Options) // whose clients are made; nil: root@pam's token's
}

// leastLab is a lab whose clients have the token of docs/proxmox.md and nothing more.
func leastLab(t *testing.T, edit ...func(*pveapi.Options)) *lab {
	t.Helper()
	l := newLab(t, edit...)
	l.as = l.tokenWith(documented(t))
	return l
}

func newLab(t *testing.T, edit ...func(*pveapi.Options)) *lab {
	t.Helper()
	l := newBubbledLab(t, edit...)
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if l.url, err = l.Listen(ctx, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return l
}

// newBubbledLab is a lab without a network in between, for bubbles of testing/synctest.
func newBubbledLab(t *testing.T, edit ...func(*pveapi.Options)) *lab {
	t.Helper()
	l := &lab{t: t, backend: membackend.New()}
	o := pveapi.Options{Dir: t.TempDir(), Backend: l.backend, Nodes: []string{"pve1"}}
	for _, e := range edit {
		e(&o)
	}
	var err error
	if l.Server, err = pveapi.New(o); err != nil {
		t.Fatal(err)
	}
	key, err := l.AddToken("root@pam", "ci", false, "")
	if err != nil {
		t.Fatal(err)
	}
	l.token = "root@pam!ci=" + key
	for _, node := range o.Nodes {
		l.putTemplate(node, labTemplate)
	}
	l.ask("POST", "/pools", "poolid=appstack")
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		l.backend.Close()
	})
	return l
}

// ask is a request of root's, past any client.
func (l *lab) ask(method, path, form string) {
	l.t.Helper()
	r := httptest.NewRequest(method, "https://pve1/api2/json"+path, strings.NewReader(form))
	r.Header.Set("Authorization", "PVEAPIToken="+l.token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if l.ServeHTTP(w, r); w.Code != http.StatusOK {
		l.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

func (l *lab) putTemplate(node, file string) {
	l.t.Helper()
	dir, err := l.TemplateDir(node, "local")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, file), make([]byte, 4096), 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// client dials the lab, is quick to look again, and finds nobody at any address.
func (l *lab) client(edit ...func(*Options)) *Client {
	l.t.Helper()
	if l.as != nil {
		edit = append([]func(*Options){l.as}, edit...)
	}
	return l.root(edit...)
}

// root is a client that may do what a token may.
func (l *lab) root(edit ...func(*Options)) *Client {
	l.t.Helper()
	o := Options{URL: "https://pve1.lan", Token: secret.New(l.token)}
	if l.url != "" {
		fingerprint, err := l.Fingerprint()
		if err != nil {
			l.t.Fatal(err)
		}
		o.URL, o.Fingerprint = l.url, fingerprint
	}
	for _, e := range edit {
		e(&o)
	}
	c, err := Dial(o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	if l.url == "" {
		c.http.Transport.(*transport).base = inProcess{l.Server}
	}
	c.times = testTiming()
	c.ping = func(context.Context, netip.Addr) string { return "" }
	return c
}

// cycle is a run: observe, place, plan, check, apply.
func cycle(ctx context.Context, c *Client, want *machine.Guest, policy plan.Policy) (plan.Plan, *machine.Guest, error) {
	want = clone(want)
	have, err := c.Observe(ctx, want)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	if have == nil {
		if err := c.Place(ctx, want); err != nil {
			return plan.Plan{}, nil, err
		}
	}
	p := plan.Diff("shop/dev", machine.State{Guest: have}, machine.State{Guest: want}, policy)
	if refused := p.Refused(); len(refused) > 0 {
		return p, have, errors.New("refused: " + refused[0].String())
	}
	findings, err := c.Check(ctx, p.Steps, have, want, nil)
	if err = errors.Join(err, Veto(findings)); err != nil {
		return p, have, err
	}
	now, err := c.Apply(ctx, p.Steps, have, want, nil)
	return p, now, err
}

func clone(g *machine.Guest) *machine.Guest {
	out, origin, block := *g, *g.Origin, *g.Block
	out.Config, out.Origin, out.Block = maps.Clone(g.Config), &origin, &block
	return &out
}

// must runs a cycle and compares its plan.
func must(t *testing.T, c *Client, want *machine.Guest, text string) *machine.Guest {
	t.Helper()
	c.Refresh() // each cycle is another run
	p, now, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil {
		hint := ""
		if h, ok := errors.AsType[*TaskError](err); ok {
			hint = h.Hint()
		}
		t.Fatalf("%v\n%s\n%s", err, hint, p)
	}
	if diff := cmp.Diff(text, p.String()); diff != "" {
		t.Fatalf("plan (-want +got):\n%s", diff)
	}
	return now
}

const noChanges = "shop/dev: no changes\n"

// wantedInLab is a container that the lab can make.
func wantedInLab() *machine.Guest {
	return newCT(func(g *machine.Guest) {
		g.Origin.Template, g.MayRestart, g.Pool = "debian-12-standard", true, "appstack"
		g.Origin.SSHKeys = []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICs2eE7Xo2u+d/sQbmwQK+jterZqRupHkGnOkc0FH99b ops@example.org"}
		g.Config["tags"] = "dev;shop"
	})
}
