package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/vault"
)

// runFlags are what the commands that reach a guest have in common.
type runFlags struct {
	ref              string
	dump             string
	allowIPConflicts bool
	allowDestroy     bool
	adopt            bool
	trust            bool
	yes              bool
	parallel         int
	timeout          time.Duration
}

// verb is a command that works on environments.
type verb struct {
	name, short, long, example string

	flags func(*cobra.Command, *runFlags)
}

var verbs = []verb{
	{
		"plan", "Show what apply would do", `plan compares the stack file with what is there, on Proxmox and in the guests, and
prints the steps between. It changes nothing.`, "  appstack plan --env qa", allowFlags,
	},
	{
		"apply", "Make the environments what the stack file says", `apply provisions or reconciles the guests on Proxmox, configures them over SSH and
deploys the app. It may be stopped and run again at any moment.`, "  appstack apply --project shop --env dev\n  appstack apply --env dev --ref 4f2c9e1", deployFlags,
	},
	{
		"provision", "Create or reconcile the guests on Proxmox only", `provision does the hypervisor's half of apply: create, reconcile and start the
guest, and wait for its SSH server.`, "  appstack provision --env dev", allowFlags,
	},
	{
		"configure", "Configure running guests and deploy, without Proxmox changes", `configure does the inner half of apply: packages, users, firewall, files, services and
the release. The guest must run.`, "  appstack configure --env dev", deployFlags,
	},
	{
		"status", "Show what is there", `status shows for each environment whether its guest runs, which release serves, served
before and failed, how its services and the last runs of its cron jobs are, and what
differs from the stack file.`, "  appstack status\n  appstack status --env prod --json", nil,
	},
	{
		"rollback", "Go back to the release before", "rollback makes the release before serve again, or the one that --to names.", "  appstack rollback --env prod\n  appstack rollback --env prod --to 4f2c9e1", rollbackFlags,
	},
	{
		"restore", "Put a dump of the database back", `restore puts a dump in the place of the app's database: a file here, which is sent, or
else a dump on the guest, by its path or by its name among the stack's backups. The
database as it was stays beside it, as NAME_before_restore, until the next restore.
While it is switched the services stand still and cron jobs wait. It asks for the
environment's name, and is a command for people alone: the action has none.`, "  appstack restore --env dev --from pote-20261122T030000Z-scheduled.dump\n  appstack restore --env dev --from ./production.dump", restoreFlags,
	},
	{
		"destroy", "Remove guests with everything in them", `destroy removes the guests of the named environment from Proxmox. It touches only
appstack's own, never a protected one, and asks for the name.`, "  appstack destroy --project shop --env dev", destroyFlags,
	},
	{
		"unlock", "Take the lease of a run that is no more", "unlock takes an environment's lease away from whoever holds it. A run that still\nworks under it stops at its next step.", "  appstack unlock --env dev", nil,
	},
}

func allowFlags(c *cobra.Command, f *runFlags) {
	c.Flags().BoolVar(&f.allowIPConflicts, "allow-ip-conflicts", false, "go on although an address or name is in use")
	c.Flags().BoolVar(&f.allowDestroy, "allow-destroy", false, "allow steps that destroy data")
	c.Flags().BoolVar(&f.adopt, "adopt", false, "take over a guest that is not appstack's yet")
	c.Flags().BoolVar(&f.trust, "trust-on-first-use", false, "accept an adopted guest's SSH host key as it comes")
	f.parallel, f.timeout = 4, 30*time.Minute
	c.Flags().Var((*parallelFlag)(&f.parallel), "parallel", "environments at a time")
	c.Flags().Var((*timeoutFlag)(&f.timeout), "timeout", "how long the run may take, as 30m or a number of minutes")
}

func deployFlags(c *cobra.Command, f *runFlags) {
	allowFlags(c, f)
	c.Flags().StringVar(&f.ref, "ref", "", "`commit`, branch or tag to deploy")
}

func rollbackFlags(c *cobra.Command, f *runFlags) {
	c.Flags().StringVar(&f.ref, "to", "", "`commit` of the release to go back to")
}

func restoreFlags(c *cobra.Command, f *runFlags) {
	c.Flags().StringVar(&f.dump, "from", "", "`dump` to put back")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
}

func destroyFlags(c *cobra.Command, f *runFlags) {
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
}

// runCommands returns a command for each verb.
func runCommands(g *globals) []*cobra.Command {
	var all []*cobra.Command
	for _, v := range verbs {
		f := &runFlags{}
		c := &cobra.Command{
			Use: v.name, Short: v.short, Long: v.long, Example: v.example, Args: namedByFlag,
			RunE: func(c *cobra.Command, _ []string) error { return g.run(c.Context(), v.name, f) },
		}
		if v.flags != nil {
			v.flags(c, f)
		}
		all = append(all, c)
	}
	return all
}

// run does a command for a person at a terminal.
func (g *globals) run(ctx context.Context, name string, f *runFlags) error {
	if name == "destroy" && g.Env == "" {
		return usageError{errors.New("destroy needs --env: it never removes all environments at once")}
	}
	if name == "restore" && (g.Env == "" || f.dump == "") {
		return usageError{errors.New("restore needs --env and --from: which database, and what to put there")}
	}
	if err := g.elsewhere(); err != nil {
		return err
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	keys, err := g.keys("")
	if err != nil {
		return err
	}
	tty := isTerminal(os.Stderr) && !g.JSON
	screen := newScreen(g.Stderr, tty, g.color(tty))
	screen.width = terminalWidth
	times := &timing{}
	from := g.origin(ctx)
	if !from.token.IsZero() {
		if err := g.hide.Add(from.token); err != nil {
			return err
		}
	}
	r := &app.Run{
		Repository: from.repository, CloneURL: from.cloneURL(), Token: from.token, Pushed: g.pushed,
		Source: app.Source{Dir: g.Dir}, Stack: g.relative(g.StackFile), Keys: keys,
		Request:   resolve.Request{Command: name, Project: g.Project, Env: g.Env, Ref: f.ref, Credentials: len(keys) > 0},
		Policy:    plan.Policy{AllowDestroy: f.allowDestroy, Adopt: f.adopt},
		Overrides: overrides(f.allowIPConflicts), TrustOnFirstUse: f.trust, Parallel: f.parallel, Dump: f.dump,
		Commit: g.localCommit, Holder: holder(g.Getenv), Hide: g.hide, View: screen, Tell: g.tellAll, Trace: times.add,
	}
	if question := questions[name]; question != "" && !f.yes {
		r.Confirm = func(target string) (err error) {
			screen.still(func() { err = g.confirm(question, target) })
			return err
		}
	}
	reports, err := r.Do(ctx)
	screen.close()
	if g.Timing {
		times.write(g.Stderr, reports)
	}
	return g.results(reports, err)
}

// overrides are the guards that allow-ip-conflicts takes out of the way.
func overrides(ipConflicts bool) pve.Overrides {
	if !ipConflicts {
		return nil
	}
	return pve.Overrides{pve.GuardIP, pve.GuardMAC, pve.GuardName}
}

// keys finds the age identity; none is no error before a secret is needed.
func (g *globals) keys(input string) ([]vault.Source, error) {
	source, err := vault.FindIdentity(input, g.Identity, g.Getenv)
	switch {
	case errors.Is(err, vault.ErrNoIdentity):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []vault.Source{source}, nil
}

// results writes what became of the environments.
func (g *globals) results(reports []report.Report, err error) error {
	if err != nil {
		return g.reported(err)
	}
	if g.JSON {
		if err := g.writeJSON(reports); err != nil {
			return err
		}
	} else if err := writeTable(g.Stdout, reports); err != nil {
		return err
	}
	for _, r := range reports {
		for _, w := range append(slices.Clone(r.Overrides), r.Warnings...) {
			fmt.Fprintf(g.Stderr, "warning: %s: %s\n", r.Target(), w)
		}
	}
	for _, r := range reports {
		if r.Failed() {
			return errReported
		}
	}
	return nil
}

// reported turns mistakes of the stack file, which were told with their lines, into
// a plain failure.
func (g *globals) reported(err error) error {
	var told *app.StackError
	if errors.As(err, &told) {
		return errReported
	}
	return err
}

// questions are what a command that cannot be undone says before it asks for a name.
var questions = map[string]string{
	"destroy": "This removes the guest of %s with everything in it.",
	"restore": "This puts the dump in the place of the database of %s, whose services stand still meanwhile.",
}

// confirm asks for the name of what is to be changed beyond recall.
func (g *globals) confirm(question, target string) error {
	g.prompt(fmt.Sprintf(question+" Type %s to go on: ", target, target))
	line, _ := bufio.NewReader(g.Stdin).ReadString('\n')
	if strings.TrimSpace(line) != target {
		return errors.New("not confirmed; nothing was changed")
	}
	return nil
}

// localCommit asks the git of the working directory for the commit of a ref.
func (g *globals) localCommit(ctx context.Context, ref string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "-C", g.Dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}").Output()
	if err != nil {
		return "", usageError{fmt.Errorf("--ref %q is no commit, branch or tag of the repository here", ref)}
	}
	return strings.TrimSpace(string(out)), nil
}

// holder names a person as the holder of a lease.
func holder(getenv func(string) string) string {
	name := getenv("USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return name + "@" + host
}
