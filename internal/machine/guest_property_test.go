package machine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	const found = "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:01,ip=10.0.10.101/24,link_down=1,type=veth"
	tests := []struct{ name, key, have, want, merged string }{
		{"a new interface", "net0", "", "name=eth0,bridge=vmbr0", "name=eth0,bridge=vmbr0"},
		{"no difference", "net0", found, "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24", found},
		{"the MAC address and what is not managed stay", "net0", found, "name=eth0,bridge=vmbr1,gw=10.0.10.1,ip=10.0.10.111/24,tag=7",
			"name=eth0,bridge=vmbr1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:01,ip=10.0.10.111/24,link_down=1,type=veth,tag=7"},
		{"a MAC address that is wanted", "net0", found, "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:02,ip=10.0.10.101/24",
			"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:02,ip=10.0.10.101/24,link_down=1,type=veth"},
		{"firewall=0 is as good as none", "net0", "name=eth0,bridge=vmbr0,firewall=0", "name=eth0,bridge=vmbr0", "name=eth0,bridge=vmbr0,firewall=0"},
		{"a VM's", "net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,queues=4", "virtio,bridge=vmbr1,tag=7", "virtio=BC:24:11:00:00:01,queues=4,bridge=vmbr1,tag=7"},
		{"a VM's of another model", "net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0", "e1000,bridge=vmbr0", "e1000=BC:24:11:00:00:01,bridge=vmbr0"},
		{"other features stay", "features", "mount=nfs,nesting=1", "nesting=0,keyctl=1", "mount=nfs,nesting=0,keyctl=1"},
		{"features that left the stack go", "features", "fuse=1,nesting=1", "nesting=1", "nesting=1"},
		{"a mount point keeps its volume", "mp0", "local-lvm:vm-101-disk-1,mp=/data,size=8G", "local-lvm:8,mp=/srv,ro=1", "local-lvm:vm-101-disk-1,mp=/srv,ro=1,size=8G"},
		{"other keys", "tags", "a;b", "c", "c"},
		{"a deletion", "features", "nesting=1", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Merge(tt.key, tt.have, tt.want); got != tt.merged {
				t.Errorf("\n%s, want\n%s", got, tt.merged)
			}
		})
	}
}

func TestOwns(t *testing.T) {
	ours := &Block{Project: "shop", Env: "dev", Repository: "org/shop"}
	for name, tt := range map[string]struct {
		other *Block
		want  bool
	}{
		"the same":                      {&Block{Project: "shop", Env: "dev", Repository: "org/shop"}, true},
		"GitHub ignores case":           {&Block{Project: "shop", Env: "dev", Repository: "Org/Shop"}, true},
		"a person without a repository": {&Block{Project: "shop", Env: "dev"}, true},
		"another repository":            {&Block{Project: "shop", Env: "dev", Repository: "org/fork"}, false},
		"another environment":           {&Block{Project: "shop", Env: "qa", Repository: "org/shop"}, false},
		"another project":               {&Block{Project: "blog", Env: "dev", Repository: "org/shop"}, false},
		"nobody":                        {nil, false},
	} {
		if got := ours.Owns(tt.other); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := tt.other.Owns(ours); got != tt.want {
			t.Errorf("%s, the other way round: %v", name, got)
		}
	}
}

func TestSizeMiB(t *testing.T) {
	for s, want := range map[string]int{"16G": 16384, "512M": 512, "1.5T": 1572864, "2097152K": 2048, "8589934592": 8192, "": 0, "big": 0, "-1G": 0, "G": 0} {
		if got := SizeMiB(s); got != want {
			t.Errorf("SizeMiB(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestNext(t *testing.T) {
	g := Guest{Config: Config{"a": "1", "b": "2"}, Pending: Config{"b": "", "c": "3"}}
	if diff := cmp.Diff(Config{"a": "1", "c": "3"}, g.Next()); diff != "" {
		t.Error(diff)
	}
	if got := (&Guest{}).Next(); got == nil || len(got) != 0 {
		t.Errorf("the zero guest's: %v", got)
	}
}

// A merged interface is as wanted, and has the MAC address that it had.
func FuzzMergeNet(f *testing.F) {
	f.Add("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01", "name=eth0,bridge=vmbr1,ip=dhcp")
	f.Add("virtio=BC:24:11:00:00:01,bridge=vmbr0", "virtio,bridge=vmbr1,tag=2")
	f.Add("a,b=,=c", ",,=")
	f.Fuzz(func(t *testing.T, have, want string) {
		merged := MergeNet(have, want)
		mac := ParseProperties(have).MAC()
		if mac != "" && ParseProperties(want).MAC() == "" && ParseProperties(merged).MAC() == "" {
			t.Errorf("%q and %q make %q, which has no MAC address", have, want, merged)
		}
		for _, part := range []string{"name", "bridge", "ip", "tag"} {
			if h, w, m := ParseProperties(have).Get(part), ParseProperties(want).Get(part), ParseProperties(merged).Get(part); h == "" && m != w {
				t.Errorf("%s of %q and %q is %q", part, have, want, m)
			}
		}
	})
}
