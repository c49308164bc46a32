package cli

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
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

// answer is a question of init, which a flag answers as well.
type answer struct {
	flag, question, value string
	required              bool
}

func initCommand(g *globals) *cobra.Command {
	answers := []*answer{
		{flag: "runtime", question: "Runtime of the app, node or python", value: "node"},
		{flag: "branch", question: "Branch whose pushes deploy it", value: "dev"},
		{flag: "vmid", question: "vmid of the guest in Proxmox", required: true},
		{flag: "ip", question: "Its address with prefix length, such as 10.0.10.101/24", required: true},
		{flag: "gateway", question: "The network's gateway", required: true},
		{flag: "node", question: "Proxmox node, or auto", value: "auto"},
		{flag: "storage", question: "Storage of its disk", value: "local-lvm"},
		{flag: "bridge", question: "Bridge of its network", value: "vmbr0"},
		{flag: "runner", question: "Label of the workflow's runner", value: "self-hosted"},
	}
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a first stack file, secrets and workflow",
		Long: `init writes appstack.yaml, a workflow, an age identity with its recipients, and the
first secrets file with a new SSH key in it. It asks for what no flag says, and never
changes a file that is there. --project and --env name the first environment.`,
		Example: "  appstack init\n  appstack init --project shop --env dev --vmid 101 --ip 10.0.10.101/24 --gateway 10.0.10.1",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return g.init(answers) },
	}
	for _, a := range answers {
		c.Flags().StringVar(&a.value, a.flag, a.value, a.question)
	}
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
	if err := g.secretsInit(false); err != nil {
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
		g.question(in, "Name of the project", &g.Project, "app")
		g.question(in, "Name of the environment", &g.Env, "dev")
		for _, a := range answers {
			g.question(in, a.question, &a.value, a.value)
		}
	}
	values := map[string]string{}
	for _, a := range answers {
		if a.required && a.value == "" {
			return templates.Scaffold{}, usageError{fmt.Errorf("init needs --%s here, where nobody can be asked", a.flag)}
		}
		values[a.flag] = a.value
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
		Node: values["node"], Storage: values["storage"], Bridge: values["bridge"], VMID: vmid,
		IP: values["ip"], Gateway: values["gateway"], Runner: values["runner"],
	}, nil
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
