package lxc_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/labtest"
)

var lab labtest.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

func TestGuestIsARealMachine(t *testing.T) {
	g := lab.Guest(t)
	for command, want := range map[string]string{
		"systemctl is-system-running --wait":     "running",
		"cat /proc/1/comm":                       "systemd",
		"hostname":                               g.Name,
		"ip -4 -o addr show eth0":                g.Prefix.String(),
		"awk '{print $2}' /proc/self/uid_map":    "100000",
		"systemctl is-active cron ssh | uniq":    "active",
		"df --block-size=1G --output=size /":     "4",
		"getent hosts $(hostname)":               g.Addr.String(),
		"cat /etc/machine-id | wc -c":            "33",
		"stat -c %U:%G /root /etc/shadow | uniq": "root:root",
	} {
		if got := g.Run(t, command); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", command, got, want)
		}
	}
}

func TestNoPacketLeavesTheMachine(t *testing.T) {
	g := lab.Guest(t)
	bridge := lab.Up(t).Bridge()
	for _, addr := range []string{"10.1.2.3", "10.86.200.1", "172.16.1.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"} {
		// Ask the kernel first what it would do: if the guard has a hole, this test
		// must not be what sends a packet through it.
		out, err := exec.Command("ip", "route", "get", addr, "from", g.Addr.String(), "iif", bridge).CombinedOutput()
		if err == nil {
			t.Fatalf("a guest's packet to %s would go %s", addr, out)
		}
	}
	out, err := g.Try(t.Context(), "ping -c1 -W2 10.1.2.3")
	if err == nil || !strings.Contains(out, "From "+g.Gateway.String()+" icmp_seq=1 Destination Net Unreachable") {
		t.Errorf("10.1.2.3 was not refused on the bridge: %v\n%s", err, out)
	}
	// Plain HTTP goes through the lab's proxy, which has to refuse by itself.
	out = g.Run(t, `exec 3<>/dev/tcp/10.1.2.3/80; printf 'GET / HTTP/1.0\r\nHost: 10.1.2.3\r\n\r\n' >&3; head -1 <&3`)
	if !strings.Contains(out, "502") {
		t.Errorf("the proxy answered %q for a private address", out)
	}
}

func TestPackagesAndFirewall(t *testing.T) {
	g := lab.Guest(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := g.Try(ctx, "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qqy --no-install-recommends ufw")
	if err != nil {
		t.Fatalf("apt: %v\n%s", err, out)
	}
	g.Run(t, "ufw allow 22/tcp && ufw --force enable")
	if out := g.Run(t, "ufw status"); !strings.Contains(out, "Status: active") {
		t.Errorf("ufw is not active:\n%s", out)
	}
}
