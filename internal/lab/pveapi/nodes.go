package pveapi

import (
	"net/netip"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// releases are the full version strings of what the lab plays.
var releases = map[string]struct{ version, repoid, kernel string }{
	"9.2": {"9.2.11", "14a22df35955d97d", "6.17.4-2-pve"},
	"9.1": {"9.1.9", "d1f7d5d5ffc5d0ae", "6.17.2-1-pve"},
}

func (s *Server) version() map[string]any {
	r := releases[s.opt.Release]
	return map[string]any{"version": r.version, "release": s.opt.Release, "repoid": r.repoid}
}

func getVersion(c *call) (any, error) { return c.version(), nil }

// nodeMemory is the host's memory in bytes: total and available.
func nodeMemory() (total, avail int64) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 8 * gib, 4 * gib
	}
	for _, line := range strings.Split(string(raw), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "MemTotal:":
			total = n * 1024
		case "MemAvailable:":
			avail = n * 1024
		}
	}
	return total, avail
}

const rootSize = 100 * gib // what each node shows as its own root file system

func (s *Server) uptime() int64 { return int64(s.now().Sub(s.started)/time.Second) + 3600 }

// nodeRow is a node in lists; figures only for who may audit it.
func (c *call) nodeRow(name string) map[string]any {
	m := map[string]any{"node": name, "type": "node", "id": "node/" + name, "status": "online", "level": ""}
	if c.offline[name] {
		m["status"] = "offline"
		return m
	}
	if c.can("/nodes/"+name, "Sys.Audit") {
		total, avail := nodeMemory()
		for k, v := range map[string]any{"cpu": 0.05, "maxcpu": runtime.NumCPU(), "mem": total - avail, "maxmem": total, "disk": rootSize / 10, "maxdisk": int64(rootSize), "uptime": c.uptime()} {
			m[k] = v
		}
	}
	return m
}

func listNodes(c *call) (any, error) {
	rows := []map[string]any{}
	fp, err := c.Fingerprint()
	if err != nil {
		return nil, err
	}
	for _, n := range c.opt.Nodes {
		row := c.nodeRow(n)
		row["ssl_fingerprint"] = fp
		rows = append(rows, row)
	}
	return rows, nil
}

func nodeStatus(c *call) (any, error) {
	total, avail := nodeMemory()
	r := releases[c.opt.Release]
	kernel := "Linux " + r.kernel + " #1 SMP PREEMPT_DYNAMIC PMX " + r.kernel
	return map[string]any{
		"uptime": c.uptime(), "loadavg": []string{"0.10", "0.20", "0.15"}, "cpu": 0.05, "wait": 0, "idle": 0,
		"kversion":       kernel,
		"current-kernel": map[string]any{"sysname": "Linux", "release": r.kernel, "version": "#1 SMP PREEMPT_DYNAMIC PMX " + r.kernel, "machine": "x86_64"},
		"boot-info":      map[string]any{"mode": "legacy-bios"},
		"pveversion":     "pve-manager/" + r.version + "/" + r.repoid,
		"ksm":            map[string]any{"shared": 0},
		"memory":         map[string]any{"total": total, "used": total - avail, "free": avail, "available": avail},
		"swap":           map[string]any{"total": 0, "used": 0, "free": 0},
		"rootfs":         map[string]any{"total": int64(rootSize), "used": int64(rootSize) / 10, "free": int64(rootSize) * 9 / 10, "avail": int64(rootSize) * 9 / 10},
		"cpuinfo": map[string]any{
			"cpus": runtime.NumCPU(), "cores": runtime.NumCPU(), "sockets": 1, "user_hz": 100, "hvm": "", "mhz": "2400.000",
			"model": "lab CPU", "flags": "fpu sse sse2", "vendor": "GenuineIntel", "family": "6",
		},
	}, nil
}

func nodeVersion(c *call) (any, error) { return c.version(), nil }

func nodeTime(c *call) (any, error) {
	now := c.now().UTC()
	return map[string]any{"timezone": "Etc/UTC", "time": now.Unix(), "localtime": now.Unix()}, nil
}

func nodeDNS(*call) (any, error) { return map[string]any{"dns1": "127.0.0.53"}, nil }

func (b Bridge) row() map[string]any {
	m := map[string]any{
		"type": "bridge", "active": 1, "autostart": 1, "method": "manual", "method6": "manual", "priority": 3,
		"bridge_ports": "", "bridge_stp": "off", "bridge_fd": "0", "families": []string{"inet"},
	}
	if p, err := netip.ParsePrefix(b.CIDR); err == nil {
		m["method"], m["cidr"], m["address"], m["netmask"] = "static", b.CIDR, p.Addr().String(), itoa(p.Bits())
	}
	return m
}

func listNetwork(c *call) (any, error) {
	kind := c.p.str("type")
	rows := []map[string]any{}
	if kind == "" || kind == "eth" || kind == "include_sdn" {
		rows = append(rows, map[string]any{"iface": "eth0", "type": "eth", "active": 1, "exists": 1, "method": "manual", "method6": "manual", "families": []string{"inet"}})
	}
	switch kind {
	case "", "bridge", "any_bridge", "any_local_bridge", "include_sdn":
		for _, b := range c.opt.Bridges {
			row := b.row()
			row["iface"] = b.Name
			if c.mayUse(b.Name) {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// mayUse hides bridges from those who may neither see nor use them.
func (c *call) mayUse(bridge string) bool {
	return c.needAny("/sdn/zones/localnetwork/"+bridge, "SDN.Audit", "SDN.Use") == nil
}

func getNetwork(c *call) (any, error) {
	for _, b := range c.opt.Bridges {
		if b.Name == c.p.str("iface") {
			return b.row(), nil
		}
	}
	return nil, paramError("iface", "interface does not exist")
}

func emptyList(*call) (any, error) { return []any{}, nil }

// zoneContent is GET /nodes/{node}/sdn/zones/{zone}/content: the lab has no SDN zones but
// the node's own bridges.
func zoneContent(c *call) (any, error) {
	rows := []map[string]any{}
	if c.p.str("zone") != "localnetwork" {
		return rows, nil
	}
	for _, b := range c.opt.Bridges {
		rows = append(rows, map[string]any{"vnet": b.Name, "status": "available"})
	}
	return rows, nil
}

// queryURL is GET /nodes/{node}/query-url-metadata: the lab knows its appliances and
// file:// addresses only, it reaches no network.
func queryURL(c *call) (any, error) {
	url := c.p.str("url")
	st, err := os.Stat(c.sourceOf(url))
	if err != nil {
		return nil, fail("invalid server response: '404 Not Found'")
	}
	return map[string]any{"filename": path.Base(url), "mimetype": mimeType(url), "size": st.Size()}, nil
}

func mimeType(url string) string {
	switch path.Ext(url) {
	case ".zst":
		return "application/zstd"
	case ".gz":
		return "application/gzip"
	case ".xz":
		return "application/x-xz"
	}
	return "application/octet-stream"
}
