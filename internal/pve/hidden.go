package pve

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// hundreds bounds how many hundreds of vmids a run asks for to find guests that its
// token cannot see: 2,000 requests of a few milliseconds, several at a time.
const hundreds = 20

// invisible counts the guests that the token cannot see: those may have the wanted
// address, too.
//
// With VM.Audit on /vms and below there are none. For any other token, Proxmox VE has
// no list of them and no number: every list is of what the token may audit, be it of
// guests, volumes, tasks or HA resources. Only /cluster/nextid?vmid= tells everybody
// whether one vmid is taken (PVE::API2::Cluster), and there are a billion vmids. So those
// are asked for where guests are: Proxmox hands out the first vmid that is free from 100
// on, and people number by hundreds. That is the first hundred, the wanted guest's own,
// those of the guests that can be seen, and the next of each that is full or hides a
// guest, [hundreds] at most. The finding says which: a guest elsewhere is not in its number.
func (c *Client) invisible(ctx context.Context, own int) ([]Finding, error) {
	p, err := c.own(ctx)
	if err != nil || p.has("/vms/", "VM.Audit") { // which holds below /vms, too
		return nil, err
	}
	inv, err := c.resources(ctx)
	if err != nil {
		return nil, err
	}
	visible := make(map[int]bool)
	for _, r := range inv.guests() {
		visible[r.VMID] = true
	}
	c.hiddenOnce.Lock()
	defer c.hiddenOnce.Unlock()
	asked, err := c.census(ctx, own, visible)
	if err != nil {
		return nil, err
	}
	var hidden []int
	for _, h := range asked {
		hidden = append(hidden, c.hidden[h]...)
	}
	return []Finding{c.unseen(hidden, own, spans(asked))}, nil
}

// unseen says how many there are among the vmids that were asked for.
func (c *Client) unseen(hidden []int, own int, asked string) Finding {
	hidden = slices.DeleteFunc(hidden, func(id int) bool { return id == own })
	text := fmt.Sprintf("no guest is invisible to the token among the vmids %s", asked)
	switch n := len(hidden); {
	case n == 1:
		text = fmt.Sprintf("1 guest is invisible to the token (vmid %d) among the vmids %s: whether it has the address is not known", hidden[0], asked)
	case n > 1:
		text = fmt.Sprintf("%d guests are invisible to the token (vmid %s%s) among the vmids %s: whether they have the address is not known",
			n, joinInts(hidden[:min(10, n)]), ellipsis(n > 10), asked)
	}
	return warns(GuardInvisible, grantHint(c.tokenID, "/vms", "VM.Audit"), "%s; the token is not told of others", text)
}

// census asks for the vmids where guests are, unless the run has asked for them, and
// returns the hundreds that tell of the wanted guest's surroundings.
func (c *Client) census(ctx context.Context, own int, visible map[int]bool) ([]int, error) {
	queue := []int{own / 100, 1}
	for vmid := range visible {
		queue = append(queue, vmid/100)
	}
	slices.Sort(queue[2:])
	asked := make(map[int]bool)
	for ; len(queue) > 0 && len(asked) < hundreds; queue = queue[1:] {
		h := queue[0]
		if asked[h] {
			continue
		}
		if err := c.probeHundred(ctx, h, visible); err != nil {
			return nil, err
		}
		asked[h] = true
		seen := 0
		for vmid := range visible {
			if vmid/100 == h {
				seen++
			}
		}
		if len(c.hidden[h]) > 0 || seen == 100 {
			queue = append(queue, h+1)
		}
	}
	return slices.Sorted(maps.Keys(asked)), nil
}

// probeHundred asks for the vmids of a hundred that no visible guest has, once a run.
func (c *Client) probeHundred(ctx context.Context, h int, visible map[int]bool) error {
	if _, done := c.hidden[h]; done {
		return nil
	}
	var taken [100]bool
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range taken {
		if visible[100*h+i] {
			continue
		}
		group.Go(func() error {
			free, err := c.free(gctx, 100*h+i)
			taken[i] = err == nil && !free
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if c.hidden == nil {
		c.hidden = make(map[int][]int)
	}
	c.hidden[h] = nil
	for i, t := range taken {
		if t {
			c.hidden[h] = append(c.hidden[h], 100*h+i)
		}
	}
	return nil
}

// spans writes hundreds as ranges of vmids: "100–299, 900–999".
func spans(hundreds []int) string {
	var all []string
	for i := 0; i < len(hundreds); {
		first := i
		for i++; i < len(hundreds) && hundreds[i] == hundreds[i-1]+1; i++ {
		}
		all = append(all, fmt.Sprintf("%d–%d", 100*hundreds[first], 100*hundreds[i-1]+99))
	}
	return strings.Join(all, ", ")
}

func joinInts(ns []int) string {
	var s []string
	for _, n := range ns {
		s = append(s, itoa(n))
	}
	return strings.Join(s, ", ")
}

func ellipsis(more bool) string {
	if more {
		return ", …"
	}
	return ""
}
