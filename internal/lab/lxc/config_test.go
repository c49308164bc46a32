package lxc

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInterfacesFile(t *testing.T) {
	got := interfaces(map[string]string{
		"net0":  "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=10.0.0.5/24,gw=10.0.0.1,ip6=auto",
		"net10": "name=eth10,bridge=vmbr0",
		"net2":  "name=eth2,bridge=vmbr0,ip=dhcp",
	})
	want := `auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
	address 10.0.0.5/24
	gateway 10.0.0.1
iface eth0 inet6 auto

auto eth2
iface eth2 inet dhcp

auto eth10
iface eth10 inet manual

`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSectionKeepsWhatOthersWrote(t *testing.T) {
	first := section("127.0.0.1 localhost\n", "10.0.0.5 a\n")
	if want := beginPVE + "10.0.0.5 a\n" + endPVE + "127.0.0.1 localhost\n"; first != want {
		t.Errorf("got %q, want %q", first, want)
	}
	second := section(first+"10.9.9.9 mine\n", "10.0.0.6 b\n")
	if want := beginPVE + "10.0.0.6 b\n" + endPVE + "127.0.0.1 localhost\n10.9.9.9 mine\n"; second != want {
		t.Errorf("got %q, want %q", second, want)
	}
}

func TestLimits(t *testing.T) {
	config := map[string]string{"memory": "1024", "swap": "0", "cpulimit": "0.5", "cpuunits": "200"}
	files := func(l limiter) map[string]string {
		m := map[string]string{}
		for _, x := range l.of(config, 0) {
			m[x.file] = x.value
		}
		delete(m, "cpuset.cpus") // the machine's
		return m
	}
	want := map[string]string{
		"memory.limit_in_bytes": "1073741824", "memory.memsw.limit_in_bytes": "1073741824",
		"cpu.cfs_quota_us": "50000", "cpu.shares": "200",
	}
	if diff := cmp.Diff(want, files(legacy{})); diff != "" {
		t.Error(diff)
	}
	want = map[string]string{"memory.max": "1073741824", "memory.swap.max": "0", "cpu.max": "50000 100000", "cpu.weight": "200"}
	if diff := cmp.Diff(want, files(unified{})); diff != "" {
		t.Error(diff)
	}
}

func TestCores(t *testing.T) {
	for _, test := range []struct {
		cores      string
		first, all int
		want       string
	}{
		{"1", 0, 2, "0"}, {"1", 101, 2, "1"}, {"2", 101, 2, "0-1"}, {"", 7, 4, "0-3"}, {"9", 7, 4, "0-3"}, {"3", 102, 4, "2,3,0"},
	} {
		if got := cores(map[string]string{"cores": test.cores}, test.first, test.all); got != test.want {
			t.Errorf("%s cores of %d from %d on are %q, want %q", test.cores, test.all, test.first, got, test.want)
		}
	}
}

func TestDisks(t *testing.T) {
	got := disks(map[string]string{
		"rootfs": "local-lvm:vm-1-disk-0,size=8G",
		"mp0":    "local-lvm:vm-1-disk-1,mp=/data,size=512M",
		"mp1":    "local:4,mp=/more",
		"mp2":    "/srv/host,mp=/bind",
	})
	want := []disk{{"mp0", "/data", 512 << 20}, {"mp1", "/more", 4 << 30}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(disk{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add("net0", "name=eth0,ip=10.0.0.5/24")
	f.Add("mp0", "local:4,mp=/data,size=4G")
	f.Add("features", "nesting=1,keyctl=1")
	f.Fuzz(func(t *testing.T, key, value string) {
		config := map[string]string{key: value}
		interfaces(config)
		disks(config)
		nesting(config)
		if a := firstAddress(config); a.IsValid() {
			if _, err := netip.ParseAddr(a.String()); err != nil {
				t.Errorf("%s=%q has address %s", key, value, a)
			}
		}
	})
}
