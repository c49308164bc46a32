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
	return addRules(ctx, guestPriority, c.rules())
}

func (c Config) rulesDown(ctx context.Context) error {
	return deleteRules(ctx, func(_ int, words []string) bool {
		i := slices.Index(words, "iif")
		return i >= 0 && i+1 < len(words) && words[i+1] == c.Bridge
	})
}

// GuardHost refuses private destinations to this machine's own processes, too: what
// is attached to the machine and its name servers stay reachable, only what would
// follow the default route is refused. It holds for all labs together.
func GuardHost(ctx context.Context, resolvers []netip.Addr) error {
	if err := UnguardHost(ctx); err != nil {
		return err
	}
	var rules [][]string
	for _, r := range resolvers {
		rules = append(rules, []string{"iif", "lo", "to", r.String(), "lookup", "main"})
	}
	rules = append(rules, []string{"iif", "lo", "lookup", "main", "suppress_prefixlength", "0"})
	for _, dst := range private[:5] {
		rules = append(rules, []string{"iif", "lo", "to", dst, "unreachable"})
	}
	return addRules(ctx, hostPriority, rules)
}

// UnguardHost takes GuardHost's rules away; none is no error.
func UnguardHost(ctx context.Context) error {
	return deleteRules(ctx, func(pref int, words []string) bool {
		return pref >= hostPriority && pref < guestPriority && slices.Contains(words, "lo")
	})
}

func addRules(ctx context.Context, first int, rules [][]string) error {
	for i, rule := range rules {
		args := append([]string{"rule", "add", "pref", strconv.Itoa(first + i)}, rule...)
		if err := run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// deleteRules deletes the IPv4 routing rules that match by priority and words.
func deleteRules(ctx context.Context, match func(pref int, words []string) bool) error {
	out, err := exec.CommandContext(ctx, "ip", "-4", "rule", "show").Output()
	if err != nil {
		return fmt.Errorf("cannot list routing rules: %w", err)
	}
	var errs []error
	for line := range strings.Lines(string(out)) {
		pref, rest, _ := strings.Cut(line, ":")
		n, err := strconv.Atoi(pref)
		// A rule whose bridge is gone is listed as detached.
		words := strings.Fields(strings.ReplaceAll(rest, "[detached]", ""))
		if err != nil || !match(n, words) {
			continue
		}
		errs = append(errs, run(ctx, "ip", append([]string{"-4", "rule", "del", "pref", pref}, words...)...))
	}
	return errors.Join(errs...)
}
