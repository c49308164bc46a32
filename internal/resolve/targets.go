package resolve

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
)

// Context is what the stack file cannot know.
type Context struct {
	Repository string       // the workflow's repository, owner/name; empty for a person
	CloneURL   string       // where that repository is cloned from
	Token      secret.Value // may read that repository
	SHA        string       // the event's commit, of that repository
	Branch     string       // whose commit SHA is, if it is not for environments of other branches
	Ref        string       // commit that was asked for; empty: SHA, or the newest of another repository's branch
	// Commit asks a git server for the commit of a branch or tag.
	Commit func(source stack.Source, ref string) (string, error)
	// Pushed returns the commit that a branch of the workflow's repository is at, for a
	// run without an event; "": not known. Nil: nobody asks.
	Pushed func(branch string) string
	Policy plan.Policy
	// Secret returns the value of ${secret.NAME}.
	Secret func(name string) (secret.Value, bool)
	// Names are those that Secret knows, for near misses.
	Names []string
	// IsSecret tells whether a text holds a secret.
	IsSecret func(text string) bool
	// ReadFile reads a file of the repository.
	ReadFile func(path string) ([]byte, error)
}

// Targets returns what is wanted of each of these environments, in their order. The
// list tells what is wrong with the stack file now that its secrets are known.
func Targets(st *stack.Stack, envs []*stack.Env, c Context) ([]Target, diag.List) {
	var problems diag.List
	top, found := st.Expand(c.lookup(), c.known()...)
	problems = append(problems, found...)
	problems.AddAll(c.duplicates(st))
	var targets []Target
	for _, e := range envs {
		expanded, found := e.Expand(c.lookup(), c.known()...)
		problems = append(problems, found...)
		if problems.HasErrors() {
			continue // the others may have mistakes, too
		}
		t, err := c.deploying(top, e, expanded, &problems)
		if err != nil {
			problems.Errorf(err.at, "%s", err.text)
			continue
		}
		targets = append(targets, t)
	}
	problems.Sort()
	return targets, problems
}

// duplicates finds what two environments of the stack want both, whichever are the
// run's, now that secrets are known. What is in a secret that this run does not open
// cannot be compared; what needs none was compared when the file was read.
func (c Context) duplicates(st *stack.Stack) diag.List {
	if !slices.ContainsFunc(st.Envs, namedLater) {
		return nil
	}
	known := make([]*stack.Env, len(st.Envs))
	for i, e := range st.Envs {
		known[i], _ = e.Expand(c.lookup(), c.known()...) // those of the run tell their problems elsewhere
	}
	return stack.Duplicates(known)
}

// namedLater tells whether a secret has what an environment must have alone.
func namedLater(e *stack.Env) bool {
	return strings.Contains(strings.Join([]string{e.Hostname, e.IP, e.IP6, e.Guest.MAC, e.Branch, e.Gateway, e.Gateway6}, " "), "${")
}

// problem is a mistake that shows only when a value is used.
type problem struct {
	at   diag.Pos
	text string
}

func (c Context) lookup() stack.Lookup {
	return func(name string) (string, bool) {
		if name == "sha" {
			return c.SHA, true
		}
		key, ok := strings.CutPrefix(name, "secret.")
		if !ok {
			return "", false
		}
		v, ok := c.Secret(key)
		return v.Reveal(), ok
	}
}

// known are the names that lookup answers to.
func (c Context) known() []string {
	names := []string{"sha"}
	for _, n := range c.Names {
		names = append(names, "secret."+n)
	}
	return names
}

// deploying is target with the commit that the environment is to have: an app from
// another repository than the workflow's has its own.
func (c Context) deploying(st *stack.Stack, e, expanded *stack.Env, problems *diag.List) (Target, *problem) {
	source := expanded.App.Source
	switch {
	case c.Ref != "" && c.Commit != nil && source.Git == "" && source.Upload == "" && c.CloneURL == "":
		return Target{}, &problem{e.Pos("app.source"), "cannot tell a guest where to get " + c.Ref + ": the code is in the workflow's repository, and this directory has no clone of it; " +
			"run this in one, or write `source: {git: …}`"}
	case c.Ref != "":
		c.SHA = c.Ref
	case c.elsewhere(expanded):
		c.SHA = c.newest(e, expanded, problems)
	case source.Ref == "" && c.SHA == "" && c.Pushed != nil && source.Upload == "" && c.own(source):
		c.SHA = c.Pushed(expanded.Branch)
	case source.Ref == "" && c.own(source):
		return c.target(st, expanded, problems)
	case c.Commit != nil:
		sha, err := c.Commit(source, cmp.Or(source.Ref, expanded.Branch))
		if err != nil {
			return Target{}, &problem{e.Pos("app.source"), err.Error()}
		}
		c.SHA = sha
	}
	again, found := e.Expand(c.lookup(), c.known()...) // ${sha} is known now
	problems.AddAll(found)
	return c.target(st, again, problems)
}

// elsewhere tells whether the app's commit is one of the workflow's repository, and the
// event's is of another branch than the environment's.
func (c Context) elsewhere(e *stack.Env) bool {
	source := e.App.Source
	return c.Branch != "" && c.Branch != e.Branch && source.Ref == "" && source.Upload == "" && c.own(source)
}

// newest is the commit that the environment's branch is at. Of a branch that is gone none
// is deployed: what serves goes on.
func (c Context) newest(e, expanded *stack.Env, problems *diag.List) string {
	if c.Commit == nil {
		return ""
	}
	sha, err := c.Commit(expanded.App.Source, expanded.Branch)
	if err != nil {
		problems.Add(diag.Diagnostic{Severity: diag.Warning, Pos: e.Pos("branch"), Summary: "no commit of the branch " + expanded.Branch + " is looked at: " + err.Error()})
	}
	return sha
}

// own tells whether the app's source is the workflow's repository.
func (c Context) own(s stack.Source) bool {
	return s.Git == "" || c.CloneURL != "" && repositoryOf(s.Git) == repositoryOf(c.CloneURL)
}

// repositoryOf reduces a git address to host and path, however it is reached.
func repositoryOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	} else {
		address = strings.Replace(address, ":", "/", 1)
	}
	if _, rest, ok := strings.Cut(address, "@"); ok {
		address = rest
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(address, "/"), ".git"))
}

func (c Context) target(st *stack.Stack, e *stack.Env, problems *diag.List) (Target, *problem) {
	key := secret.New(st.SSH.Key)
	public, err := publicKey(key)
	if err != nil {
		return Target{}, &problem{st.Pos("ssh.key"), "cannot use the SSH key: " + err.Error()}
	}
	px, err := c.proxmox(st)
	if err != nil {
		return Target{}, &problem{st.Pos("proxmox.ca"), err.Error()}
	}
	t := Target{
		Name: e.String(), Project: e.Project, Env: e.Name, Branch: e.Branch, SHA: c.SHA, Protected: e.Protected,
		Policy: c.Policy, Proxmox: px, SSH: access(st, e, key), Spec: e, URL: appURL(e),
	}
	t.Policy.Adopt = t.Policy.Adopt || e.Adopt
	t.Policy.AllowDestroy = t.Policy.AllowDestroy && !e.Protected
	keys := append([]string{public}, e.Base.AuthorizedKeys...)
	t.Want = machine.State{
		Guest: guestState(e, px, c.Repository, keys),
		OS:    osState(e, c.inputs(st, public, problems)),
	}
	return t, nil
}

func (c Context) inputs(st *stack.Stack, public string, problems *diag.List) inputs {
	return inputs{
		SHA: c.SHA, Repository: c.CloneURL, Token: c.Token, DeployPublicKey: public, SSHPort: st.SSH.Port, IsSecret: c.IsSecret, ReadFile: c.ReadFile, Problems: problems,
	}
}

func (c Context) proxmox(st *stack.Stack) (Proxmox, error) {
	px := Proxmox{
		URL: st.Proxmox.URL, Token: secret.New(st.Proxmox.Token), Fingerprint: st.Proxmox.Fingerprint,
		Node: st.Proxmox.Node, Pool: st.Proxmox.Pool, ViaJump: st.Proxmox.Via == "jump",
	}
	switch ca := st.Proxmox.CA; {
	case ca == "":
	case strings.Contains(ca, "-----BEGIN"):
		px.CA = []byte(ca)
	default:
		pem, err := c.ReadFile(ca)
		if err != nil {
			return Proxmox{}, fmt.Errorf("cannot read the certificate authority: %w", err)
		}
		px.CA = pem
	}
	return px, nil
}

// access is how the guest is reached: as the app's user, who is there after the
// first run, or else as the bootstrap user.
func access(st *stack.Stack, e *stack.Env, key secret.Value) SSH {
	users := []string{st.SSH.User}
	if e.Base.User != "" && e.Base.User != st.SSH.User {
		users = []string{e.Base.User, st.SSH.User}
	}
	s := SSH{Address: address(e.IP), Port: st.SSH.Port, Users: users, Key: key, HostKeys: e.SSHFingerprint}
	if j := st.SSH.Jump; j != nil {
		user, host, _ := strings.Cut(j.To, "@")
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, "22")
		}
		s.Jump = &Jump{User: user, Address: host, HostKey: j.HostKey, Key: key}
		if j.Key != "" {
			s.Jump.Key = secret.New(j.Key)
		}
	}
	return s
}

// Address is the address of an environment's guest, without its prefix length.
func Address(e *stack.Env) string { return address(e.IP) }

// address is the host part of an address with prefix length.
func address(ip string) string {
	if p, err := netip.ParsePrefix(ip); err == nil {
		return p.Addr().String()
	}
	return ip
}

// appURL is where people reach the app.
func appURL(e *stack.Env) string {
	if e.URL != "" {
		return e.URL
	}
	port := 0
	for _, name := range []string{"frontend", "web"} {
		if s, ok := e.App.Services[name]; ok && s.Public {
			port = s.Port
			break
		}
	}
	if port == 0 {
		for _, s := range e.App.Services {
			if s.Public && (port == 0 || s.Port < port) {
				port = s.Port
			}
		}
	}
	if port == 0 || e.IP == "" {
		return ""
	}
	return "http://" + net.JoinHostPort(address(e.IP), strconv.Itoa(port))
}

// publicKey returns the public half of a private key as authorized_keys has it.
func publicKey(private secret.Value) (string, error) {
	signer, err := ssh.ParsePrivateKey([]byte(strings.TrimSpace(private.Reveal()) + "\n"))
	if err != nil {
		return "", err
	}
	key := signer.PublicKey()
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()) + " appstack", nil
}
