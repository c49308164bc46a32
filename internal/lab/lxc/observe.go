package lxc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage implements the API's Backend.
func (b *Backend) Usage(ctx context.Context, vmid int) (Usage, error) {
	b.mu.Lock()
	g := b.guests[vmid]
	b.mu.Unlock()
	if g == nil {
		g = &guest{vmid: vmid, dir: filepath.Join(b.opt.Dir, "ct", strconv.Itoa(vmid))}
	}
	var u Usage
	var err error
	if u.Disk, u.MaxDisk, err = b.diskUsage(ctx, g); err != nil {
		return u, err
	}
	r := g.running()
	if r == nil {
		return u, nil
	}
	u.PID, u.Uptime = r.pid, time.Since(r.started)
	memFile, cpuFile := b.limits.usage()
	u.Mem = b.gauge(vmid, memFile)
	u.CPU = float64(b.cpuTime(vmid, cpuFile)) / float64(max(u.Uptime, time.Second))
	u.NetIn, u.NetOut = traffic(r.pid)
	return u, nil
}

// gauge reads a number from a container's cgroup; 0 if it cannot be read.
func (b *Backend) gauge(vmid int, file string) int64 {
	controller, name, _ := strings.Cut(file, "/")
	text, err := os.ReadFile(filepath.Join(b.limits.dir(controller, b.opt.Name+"/"+strconv.Itoa(vmid)), name))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// cpuTime is the CPU time a container has used in ns.
func (b *Backend) cpuTime(vmid int, file string) int64 {
	if _, v2 := b.limits.(unified); !v2 {
		return b.gauge(vmid, file)
	}
	text, _ := os.ReadFile(filepath.Join(b.limits.dir("", b.opt.Name+"/"+strconv.Itoa(vmid)), "cpu.stat"))
	var usec int64
	fmt.Sscanf(string(text), "usage_usec %d", &usec)
	return usec * 1000
}

// traffic sums what the container's interfaces but lo received and sent.
func traffic(pid int) (in, out int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, counters, ok := strings.Cut(line, ":")
		f := strings.Fields(counters)
		if !ok || strings.TrimSpace(name) == "lo" || len(f) < 9 {
			continue
		}
		rx, _ := strconv.ParseInt(f[0], 10, 64)
		tx, _ := strconv.ParseInt(f[8], 10, 64)
		in, out = in+rx, out+tx
	}
	return in, out
}

// Interfaces implements the API's Backend.
func (b *Backend) Interfaces(ctx context.Context, vmid int) ([]Interface, error) {
	b.mu.Lock()
	g := b.guests[vmid]
	b.mu.Unlock()
	if g == nil || g.running() == nil {
		return nil, nil
	}
	out, err := command(ctx, "nsenter", "--net=/proc/"+strconv.Itoa(g.running().pid)+"/ns/net", "ip", "-json", "addr")
	if err != nil {
		return nil, err
	}
	return parseInterfaces([]byte(out))
}

// parseInterfaces reads the output of ip -json addr.
func parseInterfaces(out []byte) ([]Interface, error) {
	var links []struct {
		Name  string `json:"ifname"`
		MAC   string `json:"address"`
		Addrs []struct {
			Local string `json:"local"`
			Bits  int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(out, &links); err != nil {
		return nil, fmt.Errorf("cannot read the container's interfaces: %w", err)
	}
	var all []Interface
	for _, l := range links {
		i := Interface{Name: l.Name, MAC: l.MAC}
		for _, a := range l.Addrs {
			if addr, err := netip.ParseAddr(a.Local); err == nil {
				i.Addrs = append(i.Addrs, netip.PrefixFrom(addr, a.Bits))
			}
		}
		all = append(all, i)
	}
	return all, nil
}
