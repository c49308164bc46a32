package pve

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
)

// go-proxmox v0.8.1 loses or misreads some of what Proxmox says, so its typed calls
// are not used. Each trap of its is a case here or in the test that is named, by the
// numbers of ../shared/reference/proxmox.md § c:
//
//	1, 2    cpulimit and cpus as strings: TestRecordedConfigurations, TestFillPending, TestParametersArrive
//	3, 4    tasks: WARNINGS, failures, contexts: TestWait, TestWaitEnds, TestWaitThroughTrouble
//	5, 6    401, 403 and 500 without their text: TestErrorsKeepProxmoxWords
//	7, 8    websockets that refuse tokens and panic: TestOnlyTheRawClient (no console is used)
//	9, 12   parameters lost: TestParametersArrive
//	10      options of a DELETE lost: TestParametersArrive, TestOnlyTheRawClient
//	11      a PUT that returns no task: TestSmallestWrite, TestReconcileEachKey
//	13      keys that its types lack: TestRecordedConfigurations (every key is kept)
//	14      retries of a POST: TestRetries, TestRunHappensOnce
//	15      no pinning: TestTrust
//	16      extra requests of Node and Cluster: TestCallBudget
//	17      booleans of the wrong type: TestParametersArrive, TestOnlyTheRawClient (all parameters are text)
//	18      logging of bodies: TestTokenAndLogs

// Of go-proxmox nothing is used but the client that sends requests: what is typed or
// opens a websocket has the traps 1–3, 7–13, 16 and 17.
func TestOnlyTheRawClient(t *testing.T) {
	raw := []string{"Client", "NewClient", "WithHTTPClient", "WithAPIToken", "WithUserAgent", "WithLogger"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(tree.Imports, func(i *ast.ImportSpec) bool { return strings.Contains(i.Path.Value, "go-proxmox") }) {
			continue
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "proxmox" {
				if used++; !slices.Contains(raw, s.Sel.Name) {
					t.Errorf("%s uses proxmox.%s", file, s.Sel.Name)
				}
			}
			if x, ok := s.X.(*ast.SelectorExpr); ok && x.Sel.Name == "api" && s.Sel.Name != "Req" {
				t.Errorf("%s uses the client's %s", file, s.Sel.Name)
			}
			return true
		})
	}
	if used == 0 {
		t.Error("go-proxmox is not used at all")
	}
}

// The answers of real servers, every form in which a key comes.
func TestRecordedConfigurations(t *testing.T) {
	dir := os.Getenv("APPSTACK_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	files, err := filepath.Glob(filepath.Join(dir, "data/pve-transcripts/*/*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("the recorded exchanges are absent: ", dir)
	}
	seen := 0
	for _, file := range files {
		for _, rows := range recordedPending(t, file) {
			seen++
			g := &machine.Guest{Kind: machine.LXC, VMID: 101}
			if _, err := fill(g, rows); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if g.Digest == "" {
				t.Errorf("%s: no digest in %v", file, rows)
			}
			for key, value := range g.Next() {
				if strings.ContainsAny(value, "\"") && !strings.Contains(value, " ") {
					t.Errorf("%s: %s is %q", file, key, value)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d configurations in the records, there are more", seen)
	}
}

// recordedPending returns the pending lists of a record.
func recordedPending(t *testing.T, file string) [][]pendingRow {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Steps []struct {
			Request  struct{ Method, Path string }
			Response struct {
				Status int
				Body   json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var lists [][]pendingRow
	for _, s := range record.Steps {
		if s.Request.Method != "GET" || !strings.HasSuffix(s.Request.Path, "/pending") || s.Response.Status != 200 {
			continue
		}
		var body struct{ Data []pendingRow }
		if err := json.Unmarshal(s.Response.Body, &body); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		lists = append(lists, body.Data)
	}
	return lists
}

func TestFillPending(t *testing.T) {
	var rows []pendingRow
	err := json.Unmarshal([]byte(`[{"key":"cores","value":2},{"key":"cpulimit","value":"1.5"},{"key":"memory","value":"1024"},
		{"key":"nameserver","pending":"10.99.0.1"},{"key":"features","value":"nesting=1","pending":"nesting=0"},
		{"key":"tty","pending":1},{"key":"searchdomain","value":"lan","delete":1},{"key":"cmode","value":"tty","delete":2},
		{"key":"digest","value":"aa"},{"key":"lock","value":"backup"},{"key":"description","value":"notes\n"}]`), &rows)
	if err != nil {
		t.Fatal(err)
	}
	g := &machine.Guest{Kind: machine.LXC, VMID: 101}
	if _, err := fill(g, rows); err != nil {
		t.Fatal(err)
	}
	want := &machine.Guest{Kind: machine.LXC, VMID: 101, Digest: "aa", Lock: "backup", Notes: "notes",
		Config:  machine.Config{"cores": "2", "cpulimit": "1.5", "memory": "1024", "features": "nesting=1", "searchdomain": "lan", "cmode": "tty"},
		Pending: machine.Config{"nameserver": "10.99.0.1", "features": "nesting=0", "tty": "1", "searchdomain": "", "cmode": ""}}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Error(diff)
	}
	next := machine.Config{"cores": "2", "cpulimit": "1.5", "memory": "1024", "features": "nesting=0", "nameserver": "10.99.0.1", "tty": "1"}
	if diff := cmp.Diff(next, g.Next()); diff != "" {
		t.Error(diff)
	}
}

// Every parameter arrives, in a form that Proxmox takes.
func TestParametersArrive(t *testing.T) {
	const upid = "UPID:pve:0000A1B2:00C3D4E5:68F00000:resize:101:ci@pve!app:"
	task := answer{data: `"` + upid + `"`}
	status := "GET " + taskPath(upid) + "/status"
	removal := "DELETE /nodes/pve/lxc/101?destroy-unreferenced-disks=1&purge=1"
	f := newFake(t, map[string][]answer{
		tasksCall: {{data: `[]`}}, status: {stopped("OK")},
		"PUT /nodes/pve/lxc/101/resize": {task}, removal: {task},
		"GET " + taskPath(upid) + "/log?start=0&limit=5000": {{data: `[]`}},
		"POST /nodes/pve/lxc/101/status/reboot":             {task},
		"GET /nodes/pve/lxc/101/pending":                    {{data: `[{"key":"digest","value":"aa"}]`}},
		"GET /nodes/pve/lxc/101/status/current":             {{data: `{"status":"running","cpus":"1.5"}`}},
	})
	c := f.client()
	steps := map[string]struct {
		do   func() error
		want map[string]string
	}{
		"PUT /nodes/pve/lxc/101/resize": {func() error { _, err := c.resize(t.Context(), testCT, "rootfs", 16); return err },
			map[string]string{"disk": "rootfs", "size": "16G"}},
		"POST /nodes/pve/lxc/101/status/reboot": {func() error { return c.restart(t.Context(), testCT) }, map[string]string{"timeout": "120"}},
		removal:                                 {func() error { return c.remove(t.Context(), testCT) }, map[string]string{}},
	}
	for call, s := range steps {
		if err := s.do(); err != nil {
			t.Errorf("%s: %v", call, err)
		}
		if diff := cmp.Diff(s.want, f.last(call)); diff != "" {
			t.Errorf("%s: %s", call, diff)
		}
	}
}

// A reboot of a locked container would leave it stopped.
func TestRestartOfLockedGuest(t *testing.T) {
	f := newFake(t, map[string][]answer{
		"GET /nodes/pve/lxc/101/pending":        {{data: `[{"key":"digest","value":"aa"},{"key":"lock","value":"backup"}]`}},
		"GET /nodes/pve/lxc/101/status/current": {{data: `{"status":"running"}`}},
	})
	err := f.client().restart(t.Context(), testCT)
	if err == nil || !strings.Contains(err.Error(), "locked (backup)") {
		t.Errorf("%v", err)
	}
}

// What a cluster answers is data from outside.
func FuzzFill(f *testing.F) {
	f.Add([]byte(`[{"key":"cores","value":2},{"key":"x","delete":1,"pending":null}]`))
	f.Add([]byte(`[{"key":"description","value":"` + blockBegin + `\n{}\n` + blockEnd + `"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var rows []pendingRow
		if json.Unmarshal(data, &rows) != nil {
			return
		}
		g := new(machine.Guest)
		if _, err := fill(g, rows); err == nil {
			_ = g.Next()
		}
	})
}
