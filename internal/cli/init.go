package cli

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/templates"
)

const (
	firstSecrets  = "secrets/common.yaml.age"
	firstWorkflow = ".github/workflows/appstack.yml"
)

// answer is what init wants to know: a flag, and a question where there is no good
// proposal to go on with. A word in backquotes is the flag's placeholder.
type answer struct {
	flag, question, value string
	asked, required       bool
}

func initCommand(g *globals) *cobra.Command {
	answers := []*answer{
		{flag: "runtime", question: "`runtime` of the app, node or python", value: "node", asked: true},
		{flag: "branch", question: "`branch` whose pushes deploy it", value: "dev", asked: true},
		{flag: "vmid", question: "`vmid` of the guest in Proxmox", asked: true, required: true},
		{flag: "ip", question: "its `address` with prefix length, such as 10.0.10.101/24", asked: true, required: true},
		{flag: "gateway", question: "`address` of the network's gateway", asked: true, required: true},
		{flag: "node", question: "Proxmox `node`, or auto", value: "auto"},
		{flag: "pool", question: "Proxmox `pool` of the guest, where the token's rights are given on one"},
		{flag: "storage", question: "`storage` of its disk", value: "local-lvm"},
		{flag: "bridge", question: "`bridge` of its network", value: "vmbr0"},
		{flag: "runner", question: "`label` of the workflow's runner", value: "self-hosted"},
	}
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a first stack file, secrets and workflow",
		Long: `init writes appstack.yaml, a workflow, an age identity with its recipients, and the
first secrets file with a new SSH key in it. At a terminal it asks for what no flag says
and cannot be guessed. It never changes a file that is there. --project and --env name
the first environment.`,
		Example: "  appstack init\n  appstack init --project shop --env dev --vmid 101 --ip 10.0.10.101/24 --gateway 10.0.10.1",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, a := range answers {
				a.asked = a.asked && !c.Flags().Changed(a.flag)
			}
			return g.init(answers)
		},
	}
	for _, a := range answers {
		c.Flags().StringVar(&a.value, a.flag, a.value, a.question)
	}
	completeWords(c, "runtime", "node", "python")
	return c
}

func (g *globals) init(answers []*answer) error {
	for _, file := range []string{g.StackFile, firstWorkflow, firstSecrets} {
		if _, err := os.Stat(g.path(file)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already; init only writes a first one", file)
		}
	}
	s, err := g.ask(answers)
	if err != nil {
		return err
	}
	if _, problems := stack.Load(g.StackFile, []byte(s.Stack())); problems.HasErrors() {
		return g.tell(problems)
	}
	if err := g.writeNew(g.StackFile, s.Stack()); err != nil {
		return err
	}
	if err := g.writeNew(firstWorkflow, s.Workflow()); err != nil {
		return err
	}
	if _, err := g.secretsInit(false); err != nil {
		return err
	}
	if err := g.firstSecret(); err != nil {
		return err
	}
	g.say("next, give it the other secrets:")
	for _, name := range []string{"proxmox_url", "proxmox_token", "proxmox_fingerprint"} {
		g.say("  appstack secrets set %s", name)
	}
	g.say("then try `appstack plan`, commit, and push to %s", s.Branch)
	return nil
}

// ask fills the scaffold from flags and, at a terminal, from questions.
func (g *globals) ask(answers []*answer) (templates.Scaffold, error) {
	in := bufio.NewScanner(g.Stdin)
	if g.terminal() != nil {
		for _, name := range []struct {
			of       string
			value    *string
			proposal string
		}{{"project", &g.Project, "app"}, {"environment", &g.Env, "dev"}} {
			if *name.value == "" {
				g.question(in, "name of the "+name.of, name.value, name.proposal)
			}
		}
		address := ""
		for _, a := range answers {
			if a.flag == "gateway" {
				a.value = nonEmpty(a.value, firstAddress(address))
			}
			if a.asked {
				g.question(in, strings.ReplaceAll(a.question, "`", ""), &a.value, a.value)
			}
			if a.flag == "ip" {
				address = a.value
			}
		}
	}
	values, missing := map[string]string{}, []string{}
	for _, a := range answers {
		if a.required && a.value == "" {
			missing = append(missing, "--"+a.flag)
		}
		values[a.flag] = a.value
	}
	if len(missing) > 0 {
		return templates.Scaffold{}, usageError{fmt.Errorf("init needs %s here, where nobody can be asked", strings.Join(missing, ", "))}
	}
	vmid, err := strconv.Atoi(values["vmid"])
	if err != nil {
		return templates.Scaffold{}, usageError{fmt.Errorf("--vmid is %q, but must be a number", values["vmid"])}
	}
	if r := values["runtime"]; r != "node" && r != "python" {
		return templates.Scaffold{}, usageError{fmt.Errorf("--runtime is %q, but must be node or python", r)}
	}
	project, env := nonEmpty(g.Project, "app"), nonEmpty(g.Env, "dev")
	return templates.Scaffold{
		Project: project, Env: env, Hostname: project + "-" + env, Branch: values["branch"], Runtime: values["runtime"],
		Node: values["node"], Pool: values["pool"], Storage: values["storage"], Bridge: values["bridge"], VMID: vmid,
		IP: values["ip"], Gateway: values["gateway"], Runner: values["runner"],
	}, nil
}

// firstAddress is the first address of a network, which mostly is its gateway's; empty
// where it is not known.
func firstAddress(within string) string {
	p, err := netip.ParsePrefix(within)
	if err != nil {
		return ""
	}
	return p.Masked().Addr().Next().String()
}

// question asks for one value; an empty line takes the proposal.
func (g *globals) question(in *bufio.Scanner, text string, value *string, proposal string) {
	if proposal != "" {
		text += " [" + proposal + "]"
	}
	g.prompt(text + ": ")
	if in.Scan() && strings.TrimSpace(in.Text()) != "" {
		*value = strings.TrimSpace(in.Text())
	} else if *value == "" {
		*value = proposal
	}
}

func nonEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// writeNew writes a file that is not there.
func (g *globals) writeNew(name, text string) error {
	path := g.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	g.say("%s: written", name)
	return nil
}

// firstSecret makes the secrets file, with a new SSH key that logs in to the guests.
func (g *globals) firstSecret() error {
	v, err := g.openVault()
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(key, "appstack")
	if err != nil {
		return err
	}
	if err := v.Set(firstSecrets, "ssh_key", secret.New(string(pem.EncodeToMemory(block)))); err != nil {
		return err
	}
	g.say("%s: a new SSH key (ssh_key) that logs in to the guests", firstSecrets)
	return nil
}
