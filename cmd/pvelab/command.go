package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/template"
)

// cleanupTime bounds what happens after an interrupt.
const cleanupTime = 2 * time.Minute

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "pvelab",
		Short:         "A Proxmox VE to deploy to on any Linux machine, and a GitHub to report to",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), cleanCommand(), statusCommand(), envCommand(), demoCommand())
	return root
}

// upFlags are the flags of pvelab up that are not options of the lab as they stand.
type upFlags struct {
	subnet    string
	templates []string
	faults    []string
	vms       bool
	keep      bool
	verbose   bool
}

func upCommand() *cobra.Command {
	var o lab.Options
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring a lab up and serve it until Ctrl-C, which takes it down",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.complete(&o, cmd.ErrOrStderr()); err != nil {
				return err
			}
			return up(cmd.Context(), cmd.OutOrStdout(), o, f)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Nodes, "nodes", 1, "number of Proxmox nodes")
	flags.StringVar(&f.subnet, "subnet", "10.86.0.0/24", "network of the guests; the lab has its first address")
	flags.StringVar(&o.Bridge, "bridge", "pvelab0", "bridge on this machine, and the lab's name")
	flags.StringVar(&o.Dir, "dir", "", "directory of the lab's state (default /var/lib/pvelab/BRIDGE)")
	flags.IntVar(&o.Port, "port", 8006, "port of the Proxmox API on the bridge's address")
	flags.StringVar(&o.Release, "release", "", "release of Proxmox VE to play (default the newest known)")
	flags.DurationVar(&o.AuthDelay, "auth-delay", 3*time.Second, "how long a refused login waits, as on Proxmox")
	flags.StringSliceVar(&f.templates, "template", []string{"bookworm"}, "Debian releases to offer as templates: bookworm, trixie")
	flags.BoolVar(&f.vms, "vms", false, "offer a cloud image, and template VM 9000 made from it, for guests of type kvm")
	flags.StringSliceVar(&o.Repos, "repo", nil, "owner/name of repositories to make on the lab's GitHub")
	flags.StringArrayVar(&f.faults, "faults", nil, `a fault as JSON, such as '{"path": "/nodes/*/lxc", "status": 596}' or '{"guest": 101, "late_ssh": "20s"}'; docs/lab.md lists them`)
	flags.BoolVar(&o.GuardHost, "guard-host", false, "refuse private addresses behind the default route to this machine, too")
	flags.BoolVar(&f.keep, "keep", false, "leave guests and state on Ctrl-C; the next up goes on with them")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log what the lab does")
	return cmd
}

func (f upFlags) complete(o *lab.Options, log io.Writer) (err error) {
	if o.Subnet, err = netip.ParsePrefix(f.subnet); err != nil {
		return fmt.Errorf("cannot use --subnet: %w", err)
	}
	for _, name := range f.templates {
		i := slices.IndexFunc(template.Known, func(t template.Template) bool { return t.Codename == name })
		if i < 0 {
			return fmt.Errorf("cannot use --template %s: the lab builds bookworm and trixie", name)
		}
		o.Templates = append(o.Templates, template.Known[i])
	}
	if f.vms {
		image := template.CloudImage(template.Default())
		o.Image = &image
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
	o.Progress = func(line string) { fmt.Fprintln(log, line) }
	return nil
}

func up(ctx context.Context, out io.Writer, o lab.Options, f upFlags) error {
	var faults []pveapi.Fault
	for _, text := range f.faults {
		fault, err := pveapi.ParseFault(text)
		if err != nil {
			return err
		}
		faults = append(faults, fault)
	}
	l, err := lab.Up(ctx, o)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		err = errors.Join(err, l.PVE.Inject(fault))
	}
	if err == nil {
		err = printUp(out, l.Info)
	}
	if err == nil {
		<-ctx.Done()
	}
	if f.keep {
		fmt.Fprintln(out, "\nThe guests go on running: pvelab up to serve them again, pvelab down to remove them.")
		return errors.Join(err, l.Close())
	}
	fmt.Fprintln(out, "\nTaking the lab down …")
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	return errors.Join(err, l.Down(ctx))
}

func downCommand() *cobra.Command {
	var bridge, dir string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove a lab: guests, disks, bridge, rules and state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), cleanupTime)
			defer cancel()
			return lab.Down(ctx, bridge, dir)
		},
	}
	cmd.Flags().StringVar(&bridge, "bridge", "pvelab0", "the lab's bridge")
	cmd.Flags().StringVar(&dir, "dir", "", "the lab's directory, for a lab that this machine forgot in a restart")
	return cmd
}

func cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove what crashed labs left on this machine; labs that are served stay",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), cleanupTime)
			defer cancel()
			cleaned, err := lab.Clean(ctx)
			for _, name := range cleaned {
				fmt.Fprintln(cmd.OutOrStdout(), "removed", name)
			}
			return err
		},
	}
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List the labs of this machine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := lab.List()
			if err != nil {
				return err
			}
			return printStatus(cmd.OutOrStdout(), labs)
		},
	}
}

func envCommand() *cobra.Command {
	var bridge string
	cmd := &cobra.Command{
		Use:   "env",
		Short: `Print a lab as shell variables: eval "$(pvelab env)"`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := lab.List()
			if err != nil {
				return err
			}
			i := slices.IndexFunc(labs, func(s lab.Status) bool { return s.Bridge == bridge })
			if i < 0 {
				return fmt.Errorf("no lab %s on this machine: bring it up with pvelab up", bridge)
			}
			return printEnv(cmd.OutOrStdout(), labs[i].Info)
		},
	}
	cmd.Flags().StringVar(&bridge, "bridge", "pvelab0", "the lab's bridge")
	return cmd
}
