package pve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
)

// grant is a privilege of docs/proxmox.md: a role's, on the path of its ACL.
type grant struct{ path, privilege string }

var (
	roleLine = regexp.MustCompile(`(?m)^pveum role add (\S+) --privs (\S+)$`)
	aclLine  = regexp.MustCompile(`(?m)^pveum acl modify (\S+) --roles (\S+) --users appstack@pve --tokens 'appstack@pve!ci'$`)
	tableRow = regexp.MustCompile("(?m)^\\| `(/[^`]*)` \\| `([A-Za-z.]+)` \\|")
)

// documented reads the commands of docs/proxmox.md.
func documented(t *testing.T) []grant {
	t.Helper()
	text, _ := docs(t)
	return commands(t, text)
}

// documentedVM reads those for virtual machines, too.
func documentedVM(t *testing.T) []grant {
	t.Helper()
	text, vms := docs(t)
	return slices.Concat(commands(t, text), commands(t, vms))
}

// docs are docs/proxmox.md before the privileges for virtual machines, and from there on.
func docs(t *testing.T) (text, vms string) {
	t.Helper()
	all, err := os.ReadFile("../../docs/proxmox.md")
	if err != nil {
		t.Fatal(err)
	}
	text, vms, found := strings.Cut(string(all), "### For virtual machines")
	if !found {
		t.Fatal("docs/proxmox.md has no part for virtual machines")
	}
	return text, vms
}

func commands(t *testing.T, text string) []grant {
	t.Helper()
	roles := make(map[string]string)
	for _, m := range roleLine.FindAllStringSubmatch(text, -1) {
		roles[m[1]] = m[2]
	}
	var grants []grant
	for _, m := range aclLine.FindAllStringSubmatch(text, -1) {
		for privilege := range strings.SplitSeq(roles[m[2]], ",") {
			grants = append(grants, grant{m[1], privilege})
		}
	}
	if len(grants) == 0 {
		t.Fatal("docs/proxmox.md has no commands that this test understands")
	}
	table, _, _ := strings.Cut(text, "Further ones")
	for _, m := range tableRow.FindAllStringSubmatch(table, -1) {
		if !slices.Contains(grants, grant{m[1], m[2]}) {
			t.Errorf("the table has %s on %s, the commands have not", m[2], m[1])
		}
	}
	if rows := len(tableRow.FindAllString(table, -1)); rows != len(grants) {
		t.Errorf("the table has %d rows, the commands grant %d privileges", rows, len(grants))
	}
	return grants
}

// tokenWith makes a user and its token that have these privileges.
func (l *lab) tokenWith(grants []grant) func(*Options) {
	l.t.Helper()
	l.AddUser("appstack@pve", "")
	key, err := l.AddToken("appstack@pve", "ci", true, "")
	if err != nil {
		l.t.Fatal(err)
	}
	byPath := make(map[string][]string)
	for _, g := range grants {
		byPath[g.path] = append(byPath[g.path], g.privilege)
	}
	for path, privileges := range byPath {
		role := "Test" + strings.ReplaceAll(path, "/", "-")
		l.AddRole(role, privileges...)
		l.Grant(path, "appstack@pve", role)
		l.Grant(path, "appstack@pve!ci", role)
	}
	return func(o *Options) { o.Token, o.Pool = secret.New("appstack@pve!ci="+key), "appstack" }
}

// appliance is the lab with the template only in Proxmox's list.
func applianceLab(t *testing.T) *lab {
	l := newLab(t, func(o *pveapi.Options) {
		source := t.TempDir() + "/" + labTemplate
		if err := os.WriteFile(source, make([]byte, 4096), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Appliances = []pveapi.Appliance{{Template: labTemplate, Source: source, Info: map[string]string{
			"package": "debian-12-standard", "version": "12.12-1", "type": "lxc", "section": "system", "os": "debian-12", "architecture": "amd64"}}}
	})
	dir, err := l.TemplateDir("pve1", "local")
	if err == nil {
		err = os.Remove(dir + "/" + labTemplate)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// life is all that a stack asks of Proxmox: download, create, start, change every
// kind of key, grow, restart, stop, start again, destroy.
func life(ctx context.Context, c *Client) error {
	want := wantedInLab()
	if _, _, err := cycle(ctx, c, want, plan.Policy{}); err != nil {
		return err
	}
	want.Config["cores"], want.Config["memory"], want.Config["hostname"] = "4", "4096", "shop-devel"
	want.Config["tags"], want.Config["nameserver"], want.Config["timezone"] = "prod", "10.99.0.2", "host"
	want.Config["net0"] = "name=eth0,bridge=vmbr0,gw=10.99.0.1,ip=10.99.0.111/24"
	want.Config["mp0"] = "local-lvm:1,mp=/data"
	want.Origin.DiskGiB = 10
	c.Refresh()
	_, now, err := cycle(ctx, c, want, plan.Policy{})
	if err != nil {
		return err
	}
	c.Refresh()
	if p, _, err := cycle(ctx, c, want, plan.Policy{}); err != nil || !p.Empty() {
		return errors.Join(err, fmt.Errorf("not converged:\n%s", p))
	}
	if err := c.stop(ctx, now); err != nil {
		return err
	}
	return c.Destroy(ctx, now, want.Block, nil)
}

// The token of docs/proxmox.md is enough for everything.
func TestLeastPrivileges(t *testing.T) {
	l := applianceLab(t)
	c := l.client(l.tokenWith(documented(t)))
	if err := life(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// Without any one of its privileges there is an error before anything is made, that
// names it and the path, and what grants it.
func TestEachPrivilegeIsNeeded(t *testing.T) {
	grants := documented(t)
	for i, missing := range grants {
		t.Run(missing.privilege+" on "+missing.path, func(t *testing.T) {
			l := applianceLab(t)
			c := l.client(l.tokenWith(slices.Delete(slices.Clone(grants), i, i+1)))
			err := life(t.Context(), c)
			if err == nil {
				t.Fatal("it works without")
			}
			hint := ""
			if h, ok := errors.AsType[interface {
				error
				Hint() string
			}](err); ok {
				hint = h.Hint()
			}
			told := err.Error() + "\n" + hint
			if !strings.Contains(told, missing.privilege) || !strings.Contains(told, missing.path) {
				t.Errorf("it does not say what is missing: %s", told)
			}
			if _, ok := l.backend.Guest(101); ok {
				t.Error("a guest was made all the same")
			}
		})
	}
}

// A virtual machine takes some more.
func TestLeastPrivilegesOfVM(t *testing.T) {
	further := []grant{{"/pool/appstack", "VM.Config.Cloudinit"}, {"/pool/appstack", "VM.Config.CDROM"}, {"/pool/appstack", "VM.Config.HWType"},
		{"/pool/appstack", "VM.GuestAgent.FileRead"}, {"/vms/9000", "VM.Audit"}, {"/vms/9000", "VM.Clone"}}
	run := func(t *testing.T, grants []grant) error {
		l := newVMLab(t)
		c, want := l.client(l.tokenWith(slices.Concat(documented(t), grants))), wantedVM()
		want.Pool = "appstack"
		_, _, err := cycle(t.Context(), c, want, plan.Policy{})
		if _, made := l.backend.Guest(101); made && err != nil {
			t.Errorf("a guest was made all the same: %v", err)
		}
		return err
	}
	if err := run(t, further); err != nil {
		t.Error(err)
	}
	for i, missing := range further {
		err := run(t, slices.Delete(slices.Clone(further), i, i+1))
		veto, ok := errors.AsType[*FindingsError](err)
		if !ok || !strings.Contains(veto.Hint(), missing.privilege) {
			t.Errorf("without %s on %s: %v", missing.privilege, missing.path, err)
		}
	}
}

// What a change takes is looked for before the first of its steps, and nothing else.
func TestEachPrivilegeOfChange(t *testing.T) {
	grants := documented(t)
	set := func(key, value string) func(*machine.Guest) { return func(g *machine.Guest) { g.Config[key] = value } }
	changes := map[string]struct {
		edit  func(*machine.Guest)
		needs []grant
	}{
		"cores":   {set("cores", "4"), []grant{{"/pool/appstack", "VM.Config.CPU"}}},
		"memory":  {set("memory", "4096"), []grant{{"/pool/appstack", "VM.Config.Memory"}}},
		"name":    {set("hostname", "shop-devel"), []grant{{"/pool/appstack", "VM.Config.Network"}}},
		"tags":    {set("tags", "prod"), []grant{{"/pool/appstack", "VM.Config.Options"}}},
		"nesting": {set("features", "nesting=0"), []grant{{"/pool/appstack", "VM.Allocate"}, {"/pool/appstack", "VM.PowerMgmt"}}},
		"servers": {set("nameserver", "10.99.0.2"), []grant{{"/pool/appstack", "VM.Config.Network"}, {"/pool/appstack", "VM.PowerMgmt"}}},
		"disk":    {func(g *machine.Guest) { g.Origin.DiskGiB = 10 }, []grant{{"/pool/appstack", "VM.Config.Disk"}}},
		"volume":  {set("mp0", "local-lvm:1,mp=/data"), []grant{{"/pool/appstack", "VM.Config.Disk"}, {"/storage/local-lvm", "Datastore.AllocateSpace"}}},
		"VLAN": {set("net0", "name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,ip=10.99.0.101/24,tag=7"),
			[]grant{{"/pool/appstack", "VM.Config.Network"}, {"/sdn/zones/localnetwork/vmbr0", "SDN.Use"}}},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			for i, missing := range grants {
				if missing.privilege == "VM.Audit" || missing.privilege == "Datastore.AllocateTemplate" || !slices.Contains(change.needs, missing) && i%3 > 0 {
					continue // what it does not need: some of it
				}
				l := newLab(t)
				root, want := l.root(), wantedInLab()
				before := must(t, root, want, made)
				c := l.client(l.tokenWith(slices.Delete(slices.Clone(grants), i, i+1)))
				change.edit(want)
				_, _, err := cycle(t.Context(), c, want, plan.Policy{})
				needed := slices.Contains(change.needs, missing) || missing.privilege == "VM.Config.Options"
				veto, ok := errors.AsType[*FindingsError](err)
				if needed != ok && missing.path != "/storage/local" {
					t.Errorf("without %s on %s: %v", missing.privilege, missing.path, err)
				}
				if !ok {
					continue
				}
				if hint := veto.Error() + veto.Hint(); !strings.Contains(hint, missing.privilege) && !strings.Contains(hint, missing.path) {
					t.Errorf("without %s on %s: %s", missing.privilege, missing.path, hint)
				}
				after, err := root.Observe(t.Context(), want)
				if err != nil || after.Digest != before.Digest {
					t.Errorf("without %s on %s something was changed: %v", missing.privilege, missing.path, err)
				}
			}
		})
	}
}

// The start order of a VM takes more than the others of its options.
func TestStartupOfVM(t *testing.T) {
	l := newVMLab(t)
	grants := slices.Concat(documented(t), []grant{{"/pool/appstack", "VM.Config.Cloudinit"}, {"/pool/appstack", "VM.Config.CDROM"}, {"/pool/appstack", "VM.Config.HWType"},
		{"/pool/appstack", "VM.GuestAgent.FileRead"}, {"/vms/9000", "VM.Audit"}, {"/vms/9000", "VM.Clone"}})
	c, want := l.client(l.tokenWith(grants)), wantedVM()
	want.Pool, want.Config["startup"] = "appstack", "order=2"
	lacks := func(when string) {
		t.Helper()
		c.Refresh()
		_, _, err := cycle(t.Context(), c, want, plan.Policy{})
		if veto, ok := errors.AsType[*FindingsError](err); !ok || !strings.Contains(veto.Error(), "lacks Sys.Modify on /") {
			t.Errorf("%s: %v", when, err)
		}
	}
	lacks("a creation")
	delete(want.Config, "startup")
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	want.Config["startup"] = "order=2"
	lacks("a change")
}

// Rights that are taken away later are missed before the next change; where they go in
// between, Proxmox's own words say so.
func TestPrivilegeLostLater(t *testing.T) {
	l := applianceLab(t)
	grants := documented(t)
	c := l.client(l.tokenWith(grants))
	want := wantedInLab()
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	l.AddRole("Test-pool-appstack", "VM.Audit", "VM.Config.Memory")
	want.Config["cores"] = "4"
	_, _, err := cycle(t.Context(), c, want, plan.Policy{})
	if veto, ok := errors.AsType[*FindingsError](err); !ok || !strings.Contains(veto.Error(), "lacks VM.Config.CPU, VM.Config.Options on /pool/appstack") {
		t.Errorf("%v", err)
	}
	_, err = c.update(t.Context(), want, change{set: machine.Config{"cores": "4"}})
	e := asError(err)
	if e == nil || !strings.Contains(e.Message, "(/vms/101, VM.Config.CPU)") || !strings.Contains(e.Hint(), "pveum acl modify /pool/appstack") {
		t.Errorf("%v", err)
	}
	l.AddRole("Test-pool-appstack", "VM.Allocate")
	c.Refresh()
	_, err = c.Observe(t.Context(), want)
	hidden, ok := errors.AsType[*HiddenError](err)
	if !ok || !strings.Contains(hidden.Hint(), "VM.Audit") {
		t.Errorf("a guest that cannot be seen: %v", err)
	}
}
