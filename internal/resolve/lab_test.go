package resolve

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/guest"
	labs "github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/template"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
)

// lab's guests have the sample apps' packages: package guest's tests install some,
// and package app's all of them.
var lab = labtest.Lab{Options: labs.Options{Templates: []template.Template{template.Warm()}}}

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// place is a guest with a sample app's repository.
type place struct {
	t       testing.TB
	guest   *labtest.Guest
	repo    string
	stack   string            // the stack file, with the words that vary
	secrets map[string]string // by name
}

// newPlace boots a guest, and a repository that a deploy key may read.
func newPlace(t testing.TB, repo, stackFile string, setup ...labtest.Setup) *place {
	t.Helper()
	l := lab.Up(t)
	p := &place{t: t, guest: lab.Guest(t, setup...), repo: repo, secrets: maps.Clone(testSecrets)}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := xssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Git.Create(repo); err != nil {
		t.Fatal(err)
	}
	if err := l.Git.AddDeployKey(repo, key, false); err != nil {
		t.Fatal(err)
	}
	p.secrets["git_key"] = string(pem.EncodeToMemory(block))
	p.stack = strings.NewReplacer(
		"GIT_URL", "ssh://git@"+l.Info.GitSSH+"/"+repo+".git", "GIT_HOST_KEY", l.Info.GitHostKey,
		"ADDRESS", p.guest.Prefix.String(), "GATEWAY", p.guest.Gateway.String(),
	).Replace(stackFile)
	return p
}

// commit adds a commit to the app's repository.
func (p *place) commit(files gitrepo.Files, message string) string {
	p.t.Helper()
	sha, err := lab.Up(p.t).Git.Commit(p.repo, "main", files, message)
	if err != nil {
		p.t.Fatal(err)
	}
	return sha
}

// want is the desired OS of the stack's only environment.
func (p *place) want(sha string) *machine.OS {
	p.t.Helper()
	maps.Copy(testSecrets, p.secrets)
	in := testInputs(nil)
	in.SHA = sha
	in.DeployPublicKey = strings.TrimSpace(string(xssh.MarshalAuthorizedKey(p.guest.Key.PublicKey())))
	in.Problems = new(diag.List)
	e := loadEnv(p.t, p.stack, strings.TrimPrefix(p.repo, "org/")+"/dev")
	o := osState(e, in)
	if in.Problems.HasErrors() {
		p.t.Fatal(in.Problems)
	}
	return o
}

// apply leads the guest to what is wanted, and returns the plan and what was heard.
func (p *place) apply(want *machine.OS) (plan.Plan, string, error) {
	p.t.Helper()
	c, err := guest.Dial(p.t.Context(), guest.Options{Options: ssh.Options{
		Address: p.guest.Addr.String(), Users: []string{"appuser", "root"},
		Key: secret.New(string(p.guest.KeyPEM)), HostKeys: p.guest.HostKeys,
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	have, err := c.Observe(p.t.Context(), want)
	if err != nil {
		p.t.Fatal(err)
	}
	todo := plan.Diff("lab", machine.State{OS: have}, machine.State{OS: want}, plan.Policy{})
	heard := &listener{t: p.t}
	err = c.Apply(p.t.Context(), todo.Steps, have, want, heard)
	return todo, heard.text.String(), err
}

func (p *place) mustApply(want *machine.OS) (plan.Plan, string) {
	p.t.Helper()
	todo, heard, err := p.apply(want)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, heard)
	}
	return todo, heard
}

// get asks the guest for a page, again for some seconds while nobody answers.
func (p *place) get(url string) string {
	p.t.Helper()
	client := http.Client{Timeout: time.Minute}
	deadline := time.Now().Add(time.Minute)
	for {
		resp, err := client.Get(fmt.Sprintf("http://%s%s", p.guest.Addr, url))
		if err != nil {
			if time.Now().After(deadline) {
				p.t.Fatal(err)
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", resp.StatusCode, body)
	}
}

// listener keeps what steps print.
type listener struct {
	t    testing.TB
	text bytes.Buffer
}

func (l *listener) Begin(s plan.Step)             {}
func (l *listener) Line(_ plan.Step, line string) { l.text.WriteString(line + "\n") }
func (l *listener) End(s plan.Step, o plan.Outcome) {
	if o.Took > time.Second {
		l.t.Log(s, o.Took.Round(time.Millisecond))
	}
}
func (l *listener) Wait(s string, d time.Duration) { l.t.Log("waiting for", s, d) }
