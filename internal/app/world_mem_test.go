package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// memWorld is a world whose Proxmox and network are in memory, for use inside a
// synctest bubble: there, all waiting takes no time.
type memWorld struct {
	*world
	kind    guestKind
	proxmox *pveapi.Server
	backend *membackend.Backend
	gate    *gate
	net     *memNet
	auth    string
	runs    int
}

const (
	memVMID = 101
	memAddr = "10.99.0.101"

	// Those of a second environment, which most tests leave alone.
	otherVMID = 102
	otherAddr = "10.99.0.102"
)

// newMemWorld is to be called inside the bubble; end before it ends.
func newMemWorld(t testing.TB, kind guestKind) *memWorld {
	t.Helper()
	w := &memWorld{world: &world{t: t, dir: t.TempDir(), log: &logView{t: silentTB{t}}}, kind: kind, backend: membackend.New()}
	var err error
	w.proxmox, err = pveapi.New(pveapi.Options{Dir: t.TempDir(), Backend: w.backend, Nodes: []string{"pve1"}})
	w.must(err)
	token, err := w.proxmox.AddToken("root@pam", "ci", false, "")
	w.must(err)
	w.auth = "PVEAPIToken=root@pam!ci=" + token
	fingerprint, err := w.proxmox.Fingerprint()
	w.must(err)
	w.gate = &gate{next: w.proxmox}
	w.net = newMemNet(t, w)
	id, err := age.GenerateX25519Identity()
	w.must(err)
	w.identity = id.String()
	w.write(".appstack/recipients", id.Recipient().String()+"\n")
	w.secret("proxmox_token", "root@pam!ci="+token)
	w.secret("ssh_key", memKey)
	w.write("head.yaml", fmt.Sprintf("proxmox: {url: \"https://10.99.0.1:8006\", token: \"${secret.proxmox_token}\", fingerprint: \"%s\", node: pve1}\n", fingerprint))
	w.guest(kind.first)
	w.seedTemplate()
	w.backend.Slow(300 * time.Millisecond)
	return w
}

// memKey is made once: it takes no part in what is tested.
var memKey = func() string {
	key, _ := newKey(&testing.T{})
	return key
}()

// guest writes the stack file with these properties of the guest.
func (w *memWorld) guest(properties string) {
	w.t.Helper()
	head, err := os.ReadFile(filepath.Join(w.dir, "head.yaml"))
	w.must(err)
	w.write("appstack.yaml", string(head)+`secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
  shop:
    guest: `+properties+`
    envs:
      dev: {name: shop-dev, vmid: 101, ip: `+memAddr+`/24, gateway: 10.99.0.1, branch: dev}
`)
}

// end lets every goroutine of the world end.
func (w *memWorld) end() {
	w.net.close()
	w.gate.active.Wait()
	if err := w.proxmox.Close(); err != nil {
		w.t.Error(err)
	}
	w.backend.Close()
}

// do runs a command as a workflow run of its own, all former ones being over for GitHub.
func (w *memWorld) do(ctx context.Context, command string, change ...func(*app.Run)) (report.Report, error) {
	w.t.Helper()
	w.runs++
	me := fmt.Sprintf("org/shop/%d/1", w.runs)
	reports, err := w.run(ctx, command, func(r *app.Run) {
		r.Dialer, r.Holder, r.Repository = w.net, me, "org/shop"
		r.RunOver = func(_ context.Context, run string) (bool, error) { return "org/shop/"+run+"/1" != me, nil }
		for _, c := range change {
			c(r)
		}
	})
	if len(reports) == 0 {
		return report.Report{}, err
	}
	return reports[0], err
}

// finish runs a command that must succeed.
func (w *memWorld) finish(command string) {
	w.t.Helper()
	r, err := w.do(w.t.Context(), command)
	w.must(err)
	if r.Failed() {
		w.t.Fatalf("%s failed (%s): %s\nhint: %s", command, r.Reason, r.Error, r.Hint)
	}
}

// ask is a request of root's, past the gate.
func (w *memWorld) ask(method, path, body string) json.RawMessage {
	w.t.Helper()
	return ask(w.t, w.proxmox, w.auth, method, path, body)
}

// changing is what Proxmox makes anew for each guest.
var changing = regexp.MustCompile(`(hwaddr|virtio|uuid|ctime)=[0-9A-Fa-f:-]+`)

// state is all that is in Proxmox, but for what differs from one creation to the next:
// guests with their configurations and blocks, volumes, tasks that run.
func (w *memWorld) state() string {
	w.t.Helper()
	var b strings.Builder
	for _, vmid := range w.guests() {
		var config map[string]any
		w.must(json.Unmarshal(w.ask("GET", w.path(vmid)+"/config", ""), &config))
		fmt.Fprintf(&b, "%s %d, running %v\n", w.kind.name, vmid, w.backend.Running(vmid))
		for _, key := range slices.Sorted(maps.Keys(config)) {
			switch key {
			case "digest", "vmgenid":
			case "description":
				fmt.Fprintf(&b, "  block: %s\n", w.block(vmid, config[key].(string)))
			default:
				fmt.Fprintf(&b, "  %s: %s\n", key, changing.ReplaceAllString(fmt.Sprint(config[key]), "$1=…"))
			}
		}
		fmt.Fprintf(&b, "  pending: %s\n", w.pending(vmid))
	}
	var volumes []struct {
		VolID string `json:"volid"`
		Size  int64  `json:"size"`
	}
	w.must(json.Unmarshal(w.ask("GET", "/nodes/pve1/storage/local-lvm/content", ""), &volumes))
	fmt.Fprintf(&b, "volumes: %v\n", volumes)
	fmt.Fprintf(&b, "tasks that run: %d\n", len(w.running()))
	return b.String()
}

// pending are the settings that wait for a restart.
func (w *memWorld) pending(vmid int) string {
	var rows []struct {
		Key             string
		Pending, Delete any
	}
	w.must(json.Unmarshal(w.ask("GET", w.path(vmid)+"/pending", ""), &rows))
	var waits []string
	for _, r := range rows {
		if r.Pending != nil || r.Delete != nil {
			waits = append(waits, r.Key)
		}
	}
	return strings.Join(waits, " ")
}

var blockText = regexp.MustCompile(`\{.*\}`)

// readBlock is appstack's part of a description.
func (w *memWorld) readBlock(description string) machine.Block {
	w.t.Helper()
	var block machine.Block
	if err := json.Unmarshal([]byte(blockText.FindString(description)), &block); err != nil {
		w.t.Fatalf("no block in %q: %v", description, err)
	}
	return block
}

// block says what a guest's block says, without keys and fences; that its keys are the
// guest's is checked here.
func (w *memWorld) block(vmid int, description string) string {
	w.t.Helper()
	block := w.readBlock(description)
	g, _ := w.backend.Guest(vmid)
	var keys []string
	for _, k := range g.HostKeys {
		keys = append(keys, ssh.FingerprintSHA256(k.PublicKey()))
	}
	slices.Sort(keys)
	pinned := slices.Sorted(slices.Values(block.HostKeys))
	holder := "nobody"
	if block.Lease != nil {
		holder = block.Lease.Holder
	}
	return fmt.Sprintf("%s, creating %v, held by %s, fence grown %v, waits for %v, its keys are pinned %v",
		block.Owner(), block.Creating, holder, block.Fence > 0, block.Waits, slices.Equal(keys, pinned))
}

// silentTB is for the log of runs that are many: only a failed test is worth its lines.
type silentTB struct{ testing.TB }

func (silentTB) Logf(string, ...any) {}

// running are the tasks that run.
func (w *memWorld) running() []string {
	w.t.Helper()
	var tasks []struct{ UPID string }
	w.must(json.Unmarshal(w.ask("GET", "/nodes/pve1/tasks?source=active", ""), &tasks))
	var upids []string
	for _, t := range tasks {
		upids = append(upids, t.UPID)
	}
	return upids
}

// settle waits until no task runs.
func (w *memWorld) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
	defer cancel()
	for _, upid := range w.running() {
		if _, err := w.proxmox.WaitTask(ctx, upid); err != nil {
			w.t.Fatalf("%s never ends: %v", upid, err)
		}
	}
}
