package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Priorities of routing rules, all before the main table's 32766. The guests' rules
// of every lab have the same ones and are told apart by their bridge.
const (
	hostPriority  = 900 // and the following
	guestPriority = 1000
)

// rules are the routing rules that keep the guests' packets on this machine.
func (c Config) rules() [][]string {
	refused := slices.Clone(private)
	if up, err := uplinkNetworks(); err == nil {
		refused = append(refused, up...)
	}
	var rules [][]string
	for _, dst := range refused {
		rules = append(rules, []string{"iif", c.Bridge, "to", dst, "unreachable"})
	}
	return rules
}

func (c Config) rulesUp(ctx context.Context) error {
	if err := c.rulesDown(ctx); err != nil {
		return err
	}
	return addRules(ctx, numbered(guestPriority, c.rules()))
}

func (c Config) rulesDown(ctx context.Context) error {
	return deleteRules(ctx, func(r rule) bool {
		i := slices.Index(r.words, "iif")
		return i >= 0 && i+1 < len(r.words) && r.words[i+1] == c.Bridge
	})
}

// GuardHost refuses private destinations to this machine's own processes, too: what
// is attached to the machine and its name servers stay reachable, only what would
// follow the default route is refused. It holds for all labs together, which may be at
// work: where the rules are there already, none is touched.
func GuardHost(ctx context.Context, resolvers []netip.Addr) error {
	want := hostRules(resolvers)
	have, err := listRules(ctx)
	if err != nil {
		return err
	}
	have = slices.DeleteFunc(have, func(r rule) bool { return !r.ofHost() })
	if slices.EqualFunc(have, want, rule.equal) {
		return nil
	}
	if err := UnguardHost(ctx); err != nil {
		return err
	}
	return addRules(ctx, want)
}

// hostRules let what this machine has a route of its own to pass, and refuse the rest.
func hostRules(resolvers []netip.Addr) []rule {
	var rules [][]string
	for _, r := range resolvers {
		rules = append(rules, []string{"iif", "lo", "to", r.String(), "lookup", "main"})
	}
	rules = append(rules, []string{"iif", "lo", "lookup", "main", "suppress_prefixlength", "0"})
	for _, dst := range private[:5] {
		rules = append(rules, []string{"iif", "lo", "to", dst, "unreachable"})
	}
	return numbered(hostPriority, rules)
}

// UnguardHost takes GuardHost's rules away; none is no error.
func UnguardHost(ctx context.Context) error {
	return deleteRules(ctx, rule.ofHost)
}

// rule is a routing rule: its priority, and the words that ip(8) takes and lists.
type rule struct {
	pref  int
	words []string
}

func numbered(first int, rules [][]string) []rule {
	var all []rule
	for i, words := range rules {
		all = append(all, rule{first + i, words})
	}
	return all
}

// ofHost tells whether it is one of GuardHost's.
func (r rule) ofHost() bool {
	return r.pref >= hostPriority && r.pref < guestPriority && slices.Contains(r.words, "lo")
}

// equal compares without the order of words, which ip lists in its own.
func (r rule) equal(other rule) bool {
	return r.pref == other.pref && slices.Equal(slices.Sorted(slices.Values(r.words)), slices.Sorted(slices.Values(other.words)))
}

func addRules(ctx context.Context, rules []rule) error {
	for _, r := range rules {
		if err := run(ctx, "ip", append([]string{"rule", "add", "pref", strconv.Itoa(r.pref)}, r.words...)...); err != nil {
			return err
		}
	}
	return nil
}

// deleteRules deletes the IPv4 routing rules that match, the last first: what refuses
// goes before what lets pass.
func deleteRules(ctx context.Context, match func(rule) bool) error {
	rules, err := listRules(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range slices.Backward(rules) {
		if match(r) {
			errs = append(errs, run(ctx, "ip", append([]string{"-4", "rule", "del", "pref", strconv.Itoa(r.pref)}, r.words...)...))
		}
	}
	return errors.Join(errs...)
}

// listRules are the machine's IPv4 routing rules.
func listRules(ctx context.Context) ([]rule, error) {
	out, err := exec.CommandContext(ctx, "ip", "-4", "rule", "show").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list routing rules: %w", err)
	}
	return parseRules(string(out)), nil
}

func parseRules(listing string) []rule {
	var rules []rule
	for line := range strings.Lines(listing) {
		pref, rest, _ := strings.Cut(line, ":")
		n, err := strconv.Atoi(pref)
		if err != nil {
			continue
		}
		// A rule whose bridge is gone is listed as detached.
		rest = strings.TrimPrefix(strings.TrimSpace(strings.ReplaceAll(rest, "[detached]", "")), "from all ")
		rules = append(rules, rule{n, strings.Fields(rest)})
	}
	return rules
}
