package pveapi

import (
	"context"
	"errors"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// Machines is a [Backend] whose guests can play virtual machines: those that were made
// with [Spec].VM.
type Machines interface {
	// Insert puts a cloud-init drive, its files by name, into a VM that runs or not. What
	// is in the VM looks at it when it boots.
	Insert(ctx context.Context, vmid int, drive map[string]string) error
	// Run feeds script to sh in a running VM, as its guest agent would, and returns what it
	// prints; an error if it fails, [ErrNoAgent] until the agent runs.
	Run(ctx context.Context, vmid int, script string) ([]byte, error)
}

// ErrNoAgent is returned by a VM in which no guest agent runs (yet).
var ErrNoAgent = errors.New("no guest agent runs")

var agentDirs = subdirs("name", "exec", "exec-status", "file-read", "file-write", "fsfreeze-freeze", "fsfreeze-status", "fsfreeze-thaw", "fstrim", "get-fsinfo", "get-host-name", "get-memory-block-info", "get-memory-blocks", "get-osinfo", "get-time", "get-timezone", "get-users", "get-vcpus", "info", "network-get-interfaces", "ping", "set-user-password", "shutdown", "suspend-disk", "suspend-hybrid", "suspend-ram")

func (s *Server) agentEnabled(g *guest) bool {
	a, err := s.parseOption("qemu", "agent", g.Conf.Current["agent"])
	return err == nil && a["enabled"] == "1"
}

// agent wraps a call to the guest agent, which runs once the machine has come up.
func agent(do func(*call, *guest) (any, error)) handler {
	return func(c *call) (any, error) {
		g, err := c.guest()
		if err != nil {
			return nil, err
		}
		if !c.isRunning(g.VMID) {
			return nil, fail("VM %d is not running", g.VMID)
		}
		if !c.agentEnabled(g) {
			return nil, fail("No QEMU guest agent configured")
		}
		res, err := do(c, g)
		if err != nil {
			return nil, err
		}
		return map[string]any{"result": res}, nil
	}
}

// inGuest runs a script in the machine.
func (c *call) inGuest(g *guest, script string) (string, error) {
	r, ok := c.opt.Backend.(Machines)
	if !ok {
		return "", fail("QEMU guest agent is not running")
	}
	var out []byte
	var err error
	c.unlocked(func() { out, err = r.Run(c.ctx, g.VMID, script) })
	return string(out), err
}

// agentSays is an error of the agent's, in Proxmox's words.
func agentSays(err error, format string, args ...any) error {
	if errors.Is(err, ErrNoAgent) {
		return fail("QEMU guest agent is not running")
	}
	return fail("Agent error: "+format, args...)
}

var agentPing = agent(func(c *call, g *guest) (any, error) {
	if _, err := c.inGuest(g, "true"); err != nil {
		return nil, fail("QEMU guest agent is not running")
	}
	return map[string]any{}, nil
})

var agentInfo = agent(func(*call, *guest) (any, error) {
	return map[string]any{"version": "9.2.0", "supported_commands": []map[string]any{{"name": "guest-ping", "enabled": true, "success-response": true}}}, nil
})

var agentOSInfo = agent(func(c *call, g *guest) (any, error) {
	text, err := c.inGuest(g, "cat /etc/os-release")
	if err != nil {
		return nil, agentSays(err, "%v", err)
	}
	m := map[string]any{}
	names := map[string]string{"ID": "id", "NAME": "name", "PRETTY_NAME": "pretty-name", "VERSION": "version", "VERSION_ID": "version-id"}
	for _, l := range strings.Split(text, "\n") {
		k, v, _ := strings.Cut(l, "=")
		if n := names[k]; n != "" {
			m[n] = strings.Trim(v, `"`)
		}
	}
	return m, nil
})

var agentHostName = agent(func(c *call, g *guest) (any, error) {
	name, err := c.inGuest(g, "cat /etc/hostname")
	if err != nil {
		return nil, agentSays(err, "%v", err)
	}
	return map[string]any{"host-name": strings.TrimSpace(name)}, nil
})

var agentInterfaces = agent(func(c *call, g *guest) (any, error) {
	if _, err := c.inGuest(g, "true"); err != nil {
		return nil, agentSays(err, "%v", err)
	}
	var ifs []Interface
	var err error
	c.unlocked(func() { ifs, err = c.opt.Backend.Interfaces(c.ctx, g.VMID) })
	if err != nil {
		return nil, fail("Agent error: %s", err.Error())
	}
	rows := []map[string]any{}
	for _, i := range ifs {
		addrs := []map[string]any{}
		for _, p := range i.Addrs {
			kind := "ipv6"
			if p.Addr().Is4() {
				kind = "ipv4"
			}
			addrs = append(addrs, map[string]any{"ip-address": p.Addr().String(), "ip-address-type": kind, "prefix": p.Bits()})
		}
		rows = append(rows, map[string]any{"name": i.Name, "hardware-address": strings.ToLower(i.MAC), "ip-addresses": addrs})
	}
	return rows, nil
})

// agentFileRead is GET …/agent/file-read; its answer has no "result".
func agentFileRead(c *call) (any, error) {
	file := c.p.str("file")
	res, err := agent(func(c *call, g *guest) (any, error) {
		text, err := c.inGuest(g, "cat -- '"+strings.ReplaceAll(file, "'", `'\''`)+"'")
		if err != nil {
			return nil, agentSays(err, "failed to open file '%s' (mode: 'rb'): No such file or directory", file)
		}
		return text, nil
	})(c)
	if err != nil {
		return nil, err
	}
	text := res.(map[string]any)["result"].(string)
	return map[string]any{"content": text, "bytes-read": len(text)}, nil
}

// agentExec starts a command; the lab runs it at once and keeps its end for exec-status.
func agentExec(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if !c.isRunning(g.VMID) {
		return nil, fail("VM %d is not running", g.VMID)
	}
	words, _ := c.p.Values["command"].(schema.List)
	var script strings.Builder
	for _, w := range words {
		script.WriteString(" '" + strings.ReplaceAll(w, "'", `'\''`) + "'")
	}
	out, err := c.inGuest(g, script.String())
	if errors.Is(err, ErrNoAgent) {
		return nil, agentSays(err, "")
	}
	c.pids++
	res := map[string]any{"exited": 1, "exitcode": btoi(err != nil), "out-data": out}
	if err != nil {
		res["err-data"] = err.Error()
	}
	c.execs[int(c.pids)] = res
	return map[string]any{"pid": c.pids}, nil
}

func agentExecStatus(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if !c.isRunning(g.VMID) {
		return nil, fail("VM %d is not running", g.VMID)
	}
	res := c.execs[c.p.int("pid", 0)]
	if res == nil {
		return nil, fail("Agent error: PID %s does not exist", c.p.str("pid"))
	}
	return res, nil
}
