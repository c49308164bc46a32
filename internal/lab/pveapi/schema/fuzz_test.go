package schema

import (
	"maps"
	"testing"
)

const sample = `
#net
  name string re=[-_.\w\d]+ default-key
  bridge? string re=[-_.\w\d]+
  mtu? integer min=64 max=65535
  firewall? boolean
  ip? string fmt=pve-ipv4-config
GET /things/{id}
  (or (perm /vms/{id} VM.Audit) (any /nodes/{id} Sys.Audit Sys.Modify))
  id integer min=100
  net[0..3]? string props=net
`

func sampleNet(t testing.TB) Object {
	methods, err := Parse("9.2", sample)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := methods[0].Params.Lookup("net0")
	if !ok || p.Props == nil {
		t.Fatal("no property string in the sample")
	}
	return p.Props
}

// FuzzPropertyString proves that what was accepted is the same after printing it.
func FuzzPropertyString(f *testing.F) {
	for _, s := range []string{"eth0", "name=eth0,bridge=vmbr0,ip=dhcp", "name=a,mtu=1500,firewall=on", ",,name=x", "name=", "=x", "name=eth0,name=eth1"} {
		f.Add(s)
	}
	net := sampleNet(f)
	f.Fuzz(func(t *testing.T, s string) {
		vals, err := net.ParseString("net0", s)
		if err != nil {
			return
		}
		again, err := net.ParseString("net0", net.PrintString(vals))
		if err != nil || !maps.Equal(vals, again) {
			t.Errorf("%q gives %v, printed %q gives %v (%v)", s, vals, net.PrintString(vals), again, err)
		}
	})
}

// FuzzPerm proves that a permission's text is read as it was written.
func FuzzPerm(f *testing.F) {
	for _, s := range []string{"world", "(perm /vms/{vmid} VM.Audit)", "(or (any / A B) (and all world))", "(", ")", "(and"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePerm(s)
		if err != nil {
			return
		}
		if again, err := ParsePerm(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%q prints as %q, which reads as %v (%v)", s, p, again, err)
		}
	})
}

// FuzzTable proves that no text makes the reader of tables panic.
func FuzzTable(f *testing.F) {
	f.Add(sample)
	f.Add("GET /x\n  @nothing\n")
	f.Add("  lost integer\n#o\n  a b c=d\n")
	f.Fuzz(func(_ *testing.T, s string) {
		_, _ = Parse("9.2", s)
	})
}

// FuzzFormats proves that no text makes a format's check panic.
func FuzzFormats(f *testing.F) {
	f.Add("10.0.0.1/24")
	f.Add("fe80::1%eth0")
	f.Add("order=1,up=2")
	f.Add("local:vztmpl/x.tar.zst")
	f.Fuzz(func(_ *testing.T, s string) {
		for name := range formats {
			_ = CheckFormat(name, s)
			_ = CheckFormat(name+"-list", s)
		}
	})
}

func TestSplitList(t *testing.T) {
	for in, want := range map[string]int{"": 0, "a": 1, "a,b": 2, "a;b c": 3, " a ,, b ": 2} {
		if got := SplitList(in); len(got) != want {
			t.Errorf("SplitList(%q) = %q, want %d parts", in, got, want)
		}
	}
}
