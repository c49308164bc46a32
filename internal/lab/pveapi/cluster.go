package pveapi

import (
	"strings"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// clusterResources is GET /cluster/resources, filtered by what the caller may see.
func clusterResources(c *call) (any, error) {
	kind := c.p.str("type")
	rows := []map[string]any{}
	if kind == "" || kind == "vm" {
		rows = append(rows, c.guestResources(nil)...)
	}
	if kind == "" {
		rows = append(rows, c.poolResources()...)
	}
	if kind == "" || kind == "node" {
		for _, n := range c.opt.Nodes {
			row := c.nodeRow(n)
			row["cgroup-mode"] = c.opt.CGroup
			rows = append(rows, row)
		}
	}
	if kind == "" || kind == "storage" {
		rows = append(rows, c.storageResources(nil)...)
	}
	if kind == "" || kind == "sdn" {
		for _, n := range c.opt.Nodes {
			if c.can("/sdn/zones/localnetwork", "SDN.Audit") {
				rows = append(rows, map[string]any{"id": "network/" + n + "/zone/localnetwork", "network": "localnetwork", "network-type": "zone", "node": n, "status": "ok", "type": "network"})
			}
		}
	}
	return rows, nil
}

// poolResources are the pools, with the sums of what runs in them.
func (c *call) poolResources() []map[string]any {
	rows := []map[string]any{}
	for _, id := range sorted(c.st.Pools) {
		if !c.can("/pool/"+id, "Pool.Audit") {
			continue
		}
		row := map[string]any{"id": "/pool/" + id, "pool": id, "type": "pool"}
		for _, vmid := range sorted(c.st.Pools[id].VMs) {
			if g := c.st.Guests[vmid]; g != nil && c.isRunning(vmid) {
				addUsage(row, c.vmStatus(g))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func addUsage(row, st map[string]any) {
	for to, from := range map[string]string{"maxcpu": "cpus", "mem": "mem", "maxmem": "maxmem", "uptime": "uptime", "cpu": "cpu"} {
		row[to] = number(row[to]) + number(st[from])
	}
}

func number(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// guestResources are the guests, or those in a pool.
func (c *call) guestResources(only *pool) []map[string]any {
	rows := []map[string]any{}
	for _, vmid := range sorted(c.st.Guests) {
		g := c.st.Guests[vmid]
		if g == nil || only != nil && !only.VMs[vmid] {
			continue
		}
		if only == nil && !c.can(vmPath(vmid), "VM.Audit") {
			continue
		}
		rows = append(rows, c.guestResource(g))
	}
	return rows
}

// guestResource is a guest as the cluster's status daemon shows it.
func (c *call) guestResource(g *guest) map[string]any {
	if age := c.now().Sub(time.Unix(g.NewAt, 0)); c.opt.StatusLag > 0 && age < c.opt.StatusLag {
		return map[string]any{"id": g.Type + "/" + itoa(g.VMID), "type": g.Type, "vmid": g.VMID, "node": g.Node, "status": "unknown"}
	}
	if c.offline[g.Node] {
		return map[string]any{"id": g.Type + "/" + itoa(g.VMID), "type": g.Type, "vmid": g.VMID, "node": g.Node, "status": "unknown", "name": guestName(g)}
	}
	st := c.vmStatus(g)
	m := map[string]any{"id": g.Type + "/" + itoa(g.VMID), "type": g.Type, "node": g.Node, "template": btoi(g.Conf.Current["template"] == "1"), "maxcpu": st["cpus"], "memhost": 0}
	for _, k := range []string{"vmid", "name", "status", "cpu", "maxmem", "mem", "disk", "maxdisk", "uptime", "netin", "netout", "diskread", "diskwrite", "lock"} {
		if v, ok := st[k]; ok {
			m[k] = v
		}
	}
	if c.route.Path != "/cluster/resources" { // a pool's members are shown without these
		return m
	}
	if tags, ok := g.Conf.Current["tags"]; ok {
		m["tags"] = tags
	}
	if g.Type == "qemu" {
		m["disk"] = 0
	}
	for name, p := range c.st.Pools {
		if p.VMs[g.VMID] && c.can("/pool/"+name, "Pool.Audit") {
			m["pool"] = name
		}
	}
	return m
}

// storageResources are the storages of every node, or those in a pool.
func (c *call) storageResources(only *pool) []map[string]any {
	rows := []map[string]any{}
	for _, id := range sorted(c.st.Storages) {
		st := c.st.Storages[id]
		if st.Disabled || only != nil && !only.Storage[id] || only == nil && !c.can("/storage/"+id, "Datastore.Audit") {
			continue
		}
		for _, n := range c.opt.Nodes {
			if st.on(n) {
				rows = append(rows, c.storageResource(st, n))
			}
		}
	}
	return rows
}

func (c *call) storageResource(st *Storage, node string) map[string]any {
	total, used := c.space(st, node)
	m := map[string]any{
		"id": "storage/" + node + "/" + st.ID, "type": "storage", "storage": st.ID, "node": node, "plugintype": st.Type,
		"shared": btoi(st.Shared), "status": "available", "content": st.contentText(), "disk": used, "maxdisk": total,
	}
	if c.offline[node] {
		m["status"] = "unknown"
		delete(m, "disk")
		delete(m, "maxdisk")
	}
	return m
}

// nextID is GET /cluster/nextid; the answer is text.
func nextID(c *call) (any, error) {
	if v := c.p.str("vmid"); v != "" {
		if c.st.Guests[atoi(v)] != nil {
			return nil, paramError("vmid", "VM %s already exists", v)
		}
		return v, nil
	}
	for id := 100; ; id++ {
		if c.st.Guests[id] == nil {
			return itoa(id), nil
		}
	}
}

func clusterStatus(c *call) (any, error) {
	rows := []map[string]any{}
	if len(c.opt.Nodes) > 1 {
		rows = append(rows, map[string]any{"id": "cluster", "type": "cluster", "name": "lab", "version": len(c.opt.Nodes), "nodes": len(c.opt.Nodes), "quorate": 1})
	}
	ip, _, _ := strings.Cut(c.opt.Bridges[0].CIDR, "/")
	for i, n := range c.opt.Nodes {
		id := i + 1
		if len(c.opt.Nodes) == 1 {
			id = 0
		}
		rows = append(rows, map[string]any{"id": "node/" + n, "type": "node", "name": n, "nodeid": id, "ip": ip, "local": btoi(i == 0), "online": btoi(!c.offline[n]), "level": ""})
	}
	return rows, nil
}

func clusterOptions(*call) (any, error) {
	return map[string]any{"allowed-tags": []string{}, "description": "", "mac_prefix": "BC:24:11"}, nil
}

var clusterDirs = subdirs("name", "acme", "backup", "backup-info", "bulk-action", "ceph", "config", "firewall", "ha", "jobs", "log", "mapping", "metrics", "nextid", "notifications", "options", "qemu", "replication", "resources", "sdn", "status", "tasks")

var nodeDirs = subdirs("name", "aplinfo", "apt", "capabilities", "ceph", "certificates", "config", "disks", "dns", "firewall", "hardware", "hosts", "journal", "lxc", "migrateall", "netstat", "network", "qemu", "query-oci-repo-tags", "query-url-metadata", "replication", "report", "rrd", "rrddata", "scan", "sdn", "services", "spiceshell", "startall", "status", "stopall", "storage", "subscription", "suspendall", "syslog", "tasks", "termproxy", "time", "version", "vncshell", "vzdump", "wakeonlan")

// ---- HA resources

// haSID completes a guest's number to ct:101 or vm:101.
func (c *call) haSID(sid string) (string, *guest, error) {
	kind, num, ok := strings.Cut(sid, ":")
	if !ok {
		num = sid
	}
	g := c.st.Guests[atoi(num)]
	if g == nil || ok && haID(g) != kind+":"+num {
		return sid, nil, fail("unable to find resource '%s'", sid)
	}
	return haID(g), g, nil
}

func listHA(c *call) (any, error) {
	rows := []map[string]any{}
	for _, sid := range sorted(c.st.HA) {
		if t := c.p.str("type"); t == "" || strings.HasPrefix(sid, t+":") {
			rows = append(rows, c.haRow(sid))
		}
	}
	return rows, nil
}

func (c *call) haRow(sid string) map[string]any {
	m := map[string]any{"sid": sid}
	for k, v := range c.st.HA[sid] {
		m[k] = v
		if plainInt.MatchString(v) {
			m[k] = atoi(v)
		}
	}
	return m
}

func createHA(c *call) (any, error) {
	sid, g, err := c.haSID(c.p.str("sid"))
	if err != nil {
		return nil, err
	}
	if c.st.HA[sid] != nil {
		return nil, fail("resource ID '%s' already defined", sid)
	}
	ha := map[string]string{"type": strings.Split(sid, ":")[0], "state": "started"}
	c.setHA(ha)
	c.st.HA[haID(g)] = ha
	return nil, nil
}

func (c *call) setHA(ha map[string]string) {
	for _, k := range []string{"state", "comment", "group", "max_relocate", "max_restart", "failback"} {
		if c.p.has(k) {
			ha[k] = c.p.str(k)
		}
	}
	for _, k := range schema.SplitList(c.p.str("delete")) {
		delete(ha, k)
	}
}

func (c *call) theHA() (string, map[string]string, error) {
	sid := c.p.str("sid")
	if full, _, err := c.haSID(sid); err == nil {
		sid = full
	}
	if ha := c.st.HA[sid]; ha != nil {
		return sid, ha, nil
	}
	return sid, nil, fail("no such resource '%s'", sid)
}

func getHA(c *call) (any, error) {
	sid, _, err := c.theHA()
	if err != nil {
		return nil, err
	}
	return c.haRow(sid), nil
}

func putHA(c *call) (any, error) {
	_, ha, err := c.theHA()
	if err == nil {
		c.setHA(ha)
	}
	return nil, err
}

func deleteHA(c *call) (any, error) {
	sid, _, err := c.theHA()
	if err == nil {
		delete(c.st.HA, sid)
	}
	return nil, err
}
