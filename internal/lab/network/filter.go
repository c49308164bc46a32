package network

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// link is one rule in a built-in chain that leads into a chain of ours.
type link struct{ table, from, match, chain string }

func (c Config) chain() string { return "LAB-" + c.Bridge }

// links hook the lab's chains into the built-in ones, each first in its chain, for
// other software's rules (Docker's, a firewall's) may refuse what comes later.
func (c Config) links() []link {
	return []link{
		{"filter", "INPUT", "-i " + c.Bridge, c.chain() + "-in"},
		{"filter", "FORWARD", "-i " + c.Bridge, c.chain()},
		{"filter", "FORWARD", "-o " + c.Bridge, c.chain()},
		{"nat", "PREROUTING", "-i " + c.Bridge, c.chain()},
		{"nat", "POSTROUTING", "-s " + c.Subnet.Masked().String() + " ! -o " + c.Bridge, c.chain() + "-out"},
	}
}

// chains are the lab's own chains with their rules.
func (c Config) chains() map[[2]string][]string {
	br, subnet := c.Bridge, c.Subnet.Masked().String()
	forward := []string{
		"-i " + br + " -o " + br + " -j ACCEPT",
		"-o " + br + " -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
		"-o " + br + " -j REJECT --reject-with icmp-net-unreachable",
	}
	for _, dst := range private {
		forward = append(forward, "-d "+dst+" -j REJECT --reject-with icmp-net-unreachable")
	}
	forward = append(forward,
		"-s "+subnet+" -p tcp --dport 443 -j ACCEPT",
		"-j REJECT --reject-with icmp-admin-prohibited")
	return map[[2]string][]string{
		{"filter", c.chain()}:         forward,
		{"filter", c.chain() + "-in"}: {"-s " + subnet + " -j ACCEPT"},
		{"nat", c.chain()}: {
			"-p tcp --dport 80 ! -d " + subnet + " -j REDIRECT --to-ports " + strconv.Itoa(c.ProxyPort),
		},
		{"nat", c.chain() + "-out"}: {"-j MASQUERADE"},
	}
}

func (c Config) filterUp(ctx context.Context) error {
	if err := c.filterDown(ctx); err != nil {
		return err
	}
	for key, rules := range c.chains() {
		if err := iptables(ctx, key[0], "-N", key[1]); err != nil {
			return err
		}
		for _, r := range rules {
			if err := iptables(ctx, key[0], "-A", key[1], r); err != nil {
				return err
			}
		}
	}
	for _, l := range c.links() {
		if err := iptables(ctx, l.table, "-I", l.from, l.match, "-j", l.chain); err != nil {
			return err
		}
	}
	return nil
}

// filterDown deletes by what exists, not by what Config says: the subnet of a
// crashed lab may not be known any more.
func (c Config) filterDown(ctx context.Context) error {
	var errs []error
	for _, table := range []string{"filter", "nat"} {
		out, err := exec.CommandContext(ctx, "iptables", "-w", "-t", table, "-S").Output()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, del := range deletions(string(out), c.chain()) {
			errs = append(errs, iptables(ctx, table, del...))
		}
	}
	return errors.Join(errs...)
}

// deletions are the commands that take a lab's chains out of a listing in the
// format of iptables -S: first the links to them, then their rules, then they.
func deletions(listing, chain string) [][]string {
	ours := func(name string) bool {
		return name == chain || name == chain+"-in" || name == chain+"-out"
	}
	var links, chains [][]string
	for line := range strings.Lines(listing) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "-N" && ours(f[1]):
			chains = append(chains, []string{"-F", f[1]}, []string{"-X", f[1]})
		case len(f) > 3 && f[0] == "-A" && !ours(f[1]) && ours(f[len(f)-1]):
			links = append(links, append([]string{"-D"}, f[1:]...))
		}
	}
	return append(links, chains...)
}

// iptables splits its arguments at spaces: no rule of ours has one inside a word.
func iptables(ctx context.Context, table string, args ...string) error {
	words := strings.Fields(strings.Join(args, " "))
	return run(ctx, "iptables", append([]string{"-w", "-t", table}, words...)...)
}
