package main

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/bench/results"
	"github.com/org/appstack-action/bench/wire"
)

// slow measures the works over a longer way to the guests, and what a no-op sends.
// Proxmox stays near: what is compared is the way to the guests.
func slow(ctx context.Context, b *bench) error {
	t, err := b.trio(ctx)
	if err != nil {
		return err
	}
	if err := t.count(ctx); err != nil {
		return err
	}
	ways, err := t.lead(ctx, results.RTT*time.Millisecond)
	if err == nil {
		err = t.measure(ctx, "slow-")
	}
	for _, w := range ways {
		err = errors.Join(err, w.Close())
	}
	return err
}

// lead puts a way of this length before each guest.
func (t *trio) lead(ctx context.Context, rtt time.Duration) (ways []*wire.Detour, err error) {
	for _, e := range []env{t.ours, t.floor, t.ansible} {
		w, err := wire.Lead(ctx, netip.AddrPortFrom(e.addr.Addr(), 22), rtt)
		if err != nil {
			return ways, err
		}
		ways = append(ways, w)
	}
	return ways, nil
}

// count counts what a no-op of each sends, and what it asks of the guest's sshd.
func (t *trio) count(ctx context.Context) error {
	for _, name := range []string{"memory", "bytes", "turns", "connections", "execs"} {
		t.clear(name)
	}
	err := t.counted(ctx, "appstack", t.ours, func() (sample, error) {
		return t.converge(ctx, "unchanged")
	})
	if err != nil {
		return err
	}
	if err := t.counted(ctx, "floor", t.floor, func() (sample, error) {
		return t.look(ctx)
	}); err != nil {
		return err
	}
	for _, v := range t.rivals() {
		if err := t.counted(ctx, v.name, t.ansible, func() (sample, error) { return unchanged(t.play(ctx, v)) }); err != nil {
			return err
		}
	}
	return nil
}

// verbose makes a guest's sshd note each command that it starts. One that reloads takes
// no connection for a moment.
const verbose = "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/00-bench.conf; systemctl reload ssh; sleep 2"

// counted runs a work once with everything that counts in its way.
func (t *trio) counted(ctx context.Context, who string, e env, work func() (sample, error)) error {
	if _, err := t.shell(ctx, e, verbose); err != nil {
		return err
	}
	since, err := t.shell(ctx, e, "date '+%F %T.%N'; sleep 0.1")
	if err != nil {
		return err
	}
	way, err := wire.Lead(ctx, netip.AddrPortFrom(e.addr.Addr(), 22), 0)
	if err != nil {
		return err
	}
	s, err := work()
	if err := errors.Join(err, way.Close()); err != nil {
		return err
	}
	up, down := way.Bytes()
	t.add("bytes/"+who, "kB", float64(up+down)/1000)
	t.add("turns/"+who, "1", float64(way.Turns()))
	t.add("memory/"+who, "MB", s.peak)
	const sum = `rm /etc/ssh/sshd_config.d/00-bench.conf; systemctl reload ssh; sleep 2
journalctl -q -o cat -t sshd --since "$since" | awk '/^Accepted publickey/ { c++ } /^Starting session/ { e++ } END { print c - 1, e - 1 }'`
	counts, err := t.shell(ctx, e, "since='"+strings.TrimSpace(since)+"'\n"+sum)
	if err != nil {
		return err
	}
	for i, text := range strings.Fields(counts) {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		t.add([]string{"connections/", "execs/"}[i]+who, "1", n)
	}
	return nil
}

// shell runs commands on a guest and returns what they print.
func (r *rig) shell(ctx context.Context, e env, commands string) (string, error) {
	s, err := call{args: append(r.ssh(e), "sh", "-s"), stdin: commands}.do(ctx)
	return s.stdout, err
}
