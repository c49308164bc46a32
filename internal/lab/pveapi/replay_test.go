package pveapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
)

var (
	update  = flag.Bool("update", false, "rewrite testdata/unmatched.txt")
	verbose = flag.String("replay", "", "print the mismatches of this scenario")
)

// minimum is how many recorded exchanges must match, by release. Which of those match that
// look at a task on its way depends on the machine: 1903 to 1912 do. What does not match and
// has no reason fails by itself.
var minimum = map[string]int{recorded: 1890, "9.1": 1885}

// recorded is the release that the exchanges come from.
const recorded = "9.2"

func TestReplay(t *testing.T) {
	for _, release := range []string{recorded, "9.1"} {
		t.Run(release, func(t *testing.T) {
			if testing.Short() && release != recorded {
				t.Skip("one release is enough with -short")
			}
			replayAll(t, release)
		})
	}
}

func replayAll(t *testing.T, release string) {
	var matched, total int
	var report []string
	for _, sc := range scenarios(t, release) {
		ok, n, misses := replayOne(t, release, sc)
		matched, total = matched+ok, total+n
		report = append(report, misses...)
	}
	fmt.Printf("replay: matched %d of %d (%.1f %%) of Proxmox VE %s\n", matched, total, 100*float64(matched)/float64(total), release)
	if matched < minimum[release] {
		t.Errorf("replay matched %d of %d exchanges; it used to be %d", matched, total, minimum[release])
	}
	if release == recorded {
		checkUnmatched(t, report)
	}
}

// replayOne replays a scenario. Some of them look at tasks that go on meanwhile, which a
// busy machine lets go on for longer: one that misses what is not explained gets two more
// tries on a new server.
func replayOne(t *testing.T, release string, sc scenario) (matched, total int, misses []string) {
	for try := 1; ; try++ {
		r := newReplay(t, release)
		start := time.Now()
		var missed []string
		matched, total, missed = r.run(t, sc)
		if *verbose == sc.name || *verbose == "all" {
			fmt.Printf("== %s: %d of %d in %v\n%s\n", sc.name, matched, total, time.Since(start).Round(time.Millisecond), strings.Join(missed, "\n"))
		}
		misses = nil
		unexplained := 0
		for _, m := range missed {
			m = sc.name + m
			misses = append(misses, m)
			if where, _, _ := strings.Cut(m, " !! "); reasonFor(where) == "" {
				unexplained++
				if try == 3 && release == recorded {
					t.Errorf("not as recorded, and no reason is given: %s", m)
				}
			}
		}
		if unexplained == 0 || try == 3 || release != recorded {
			return matched, total, misses
		}
	}
}

// checkUnmatched keeps the list of exchanges that do not match, for docs/lab.md.
func checkUnmatched(t *testing.T, report []string) {
	file := filepath.Join("testdata", "unmatched.txt")
	sort.Strings(report)
	var b strings.Builder
	for _, r := range report {
		where, what, _ := strings.Cut(r, " !! ")
		reason := reasonFor(where)
		if reason == "" && *update {
			t.Errorf("no reason is given for %s: %s", where, what)
		}
		fmt.Fprintf(&b, "%s | %s\n", where, reason)
	}
	if !*update {
		return
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replay is one server and what the scenario has learnt about it.
type replay struct {
	*lab
	m       *matcher
	tokens  map[string]string // identity → Authorization
	ticket  string
	csrf    string
	pending []string // tasks not waited for
}

const (
	adminSecret   = "11111111-2222-3333-4444-555555555555"
	limitedSecret = "22222222-3333-4444-5555-66666666666a"
)

// newReplay makes a server like the one that was recorded.
func newReplay(t *testing.T, release string) *replay {
	t.Helper()
	l := newLab(t, pveapi.Options{
		Dir: t.TempDir(), Release: release, Nodes: []string{"pve"}, RootPassword: "pvepvepve", LockTimeout: 400 * time.Millisecond, CGroup: 1,
		Storages: []pveapi.Storage{
			{ID: "local", Type: "dir", Path: "/var/lib/vz", Content: []string{"backup", "images", "iso", "rootdir", "snippets", "vztmpl"}},
			{ID: "local-btrfs", Type: "btrfs", Path: "/var/lib/pve/local-btrfs", Content: []string{"images", "rootdir"}},
		},
	})
	if _, err := l.AddToken("root@pam", "ci", false, adminSecret); err != nil {
		t.Fatal(err)
	}
	l.AddUser("ci@pve", "")
	if _, err := l.AddToken("ci@pve", "limited", true, limitedSecret); err != nil {
		t.Fatal(err)
	}
	l.Grant("/", "ci@pve", "PVEAdmin")
	l.Grant("/", "ci@pve!limited", "PVEAuditor")
	l.secret = adminSecret
	source := filepath.Join(t.TempDir(), template)
	if err := os.WriteFile(source, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(source, 57359872); err != nil {
		t.Fatal(err)
	}
	l.SetAppliances([]pveapi.Appliance{{Template: template, Source: source}})
	size, err := l.TemplateDir("pve", "local")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(size, template), 57359872); err != nil { // as large as the recorded one
		t.Fatal(err)
	}
	l.backend.Refuse("mount", errors.New("failed to change apparmor profile: Invalid argument")) // the recorded node has no AppArmor
	return &replay{lab: l, m: newMatcher(strconv.FormatInt(time.Now().Unix(), 10)), tokens: map[string]string{
		"admin": "root@pam!ci=" + adminSecret, "limited": "ci@pve!limited=" + limitedSecret, "wrong-secret": "root@pam!ci=99999999-2222-3333-4444-555555555555",
	}}
}

func (r *replay) run(t *testing.T, sc scenario) (matched, total int, misses []string) {
	for i, st := range sc.Steps {
		if st.Request == nil {
			r.shell(st.Shell)
			continue
		}
		total++
		r.pace(sc, i)
		if err := r.exchange(t, st); err != nil {
			misses = append(misses, fmt.Sprintf(" #%03d %s %s%s !! %v", i, st.Request.Method, st.Request.Path, st.Request.AbsolutePath, err))
			continue
		}
		matched++
	}
	return matched, total, misses
}

// pace makes a creation slow that the next steps look at, and lets tasks that nobody
// waited for end before the step that needs it.
func (r *replay) pace(sc scenario, i int) {
	r.backend.Slow(0)
	st := sc.Steps[i]
	if sc.name == "lxc-create-start" && st.Request.Form["start"] == "1" {
		r.backend.Slow(60 * time.Millisecond)
	}
	if strings.HasPrefix(st.Note, "after") {
		for _, upid := range r.pending {
			r.await(upid)
		}
	}
	if st.Task != nil && st.Task.Note != "" && st.Request.Method == "POST" {
		r.backend.Slow(250 * time.Millisecond)
	}
	if st.Note == "cleanup" {
		r.backend.Expire()
		for _, upid := range r.pending {
			r.await(upid)
		}
		r.pending = nil
	}
	if _, upid, ok := strings.Cut(st.Request.Path, "/tasks/"); ok && ended(st.Response.Body) {
		upid, _, _ = strings.Cut(r.m.fill(upid), "/")
		r.await(upid)
	}
}

// await gives a task three seconds; one that does not end in them is what the step is about.
func (r *replay) await(upid string) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_, _ = r.WaitTask(ctx, upid)
}

// ended tells whether a recorded status or log is that of a task that is over.
func ended(body any) bool {
	obj, _ := body.(map[string]any)
	switch data := obj["data"].(type) {
	case map[string]any:
		return data["exitstatus"] != nil
	case []any:
		if len(data) > 0 {
			last, _ := data[len(data)-1].(map[string]any)
			text, _ := last["t"].(string)
			return strings.HasPrefix(text, "TASK ")
		}
	}
	return false
}

// shell plays the commands that the recorder ran on the node.
func (r *replay) shell(cmd string) {
	f := strings.Fields(cmd)
	id := 0
	if len(f) > 2 {
		id, _ = strconv.Atoi(f[2])
	}
	switch {
	case strings.HasPrefix(cmd, "pct unlock"):
		_ = r.SetLock(id, "") // the guest may be gone
	case strings.HasPrefix(cmd, "pct set") && strings.Contains(cmd, "--lock"):
		_ = r.SetLock(id, f[4])
	case strings.HasPrefix(cmd, "pct set") && strings.Contains(cmd, "--protection"):
		_ = r.SetOption(id, "protection", "0")
	case strings.HasPrefix(cmd, "for i in $(pct list"):
		for vmid := 100; vmid < 120; vmid++ {
			_ = r.SetOption(vmid, "protection", "0")
		}
	case strings.HasPrefix(cmd, "kill -STOP"):
		for vmid := 100; vmid < 120; vmid++ {
			r.backend.Hang(vmid, true)
		}
	}
	if strings.Contains(cmd, "pct stop") {
		_ = r.backend.Stop(context.Background(), id)
	}
}

// exchange sends a step and compares what comes.
func (r *replay) exchange(t *testing.T, st step) error {
	status, reason, header, body, err := r.send(t, st)
	if err != nil {
		if st.Response.Status == 0 {
			return nil
		}
		return err
	}
	want := st.Response
	if want.Status == 0 {
		return fmt.Errorf("got %d, want no answer", status)
	}
	var got any = string(body)
	if strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&got); err != nil {
			return err
		}
	}
	r.learn(st, got)
	if status != want.Status {
		return fmt.Errorf("status %d %s, want %d %s; %.200s", status, reason, want.Status, want.Reason, body)
	}
	if err := r.m.text(firstLineOf(want.Reason), reason); err != nil {
		return fmt.Errorf("reason: %w", err)
	}
	if err := r.compareType(want.ContentType, header); err != nil {
		return err
	}
	if err := r.compareBody(want.BodyNote, want.Body, got); err != nil {
		return err
	}
	for k, v := range want.Headers {
		if err := r.m.text(v, header.Get(k)); err != nil {
			return fmt.Errorf("header %s: %w", k, err)
		}
	}
	return r.compareTask(st, got)
}

// waitImpatiently waits for a task; a shutdown's timeout need not be sat out.
func (r *replay) waitImpatiently(ctx context.Context, upid string, timeout bool) (string, error) {
	if timeout {
		done := make(chan struct{})
		defer close(done)
		go func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					r.backend.Expire()
				case <-done:
					return
				}
			}
		}()
	}
	return r.WaitTask(ctx, upid)
}

// learn keeps tickets and the secrets of tokens that the scenario makes.
func (r *replay) learn(st step, got any) {
	obj, _ := got.(map[string]any)
	data, _ := obj["data"].(map[string]any)
	if id, ok := data["full-tokenid"].(string); ok {
		secret, _ := data["value"].(string)
		_, name, _ := strings.Cut(id, "!")
		if name == "app" {
			name = "scoped"
		}
		r.tokens[name] = id + "=" + secret
	}
	if ticket, ok := data["ticket"].(string); ok && strings.HasPrefix(ticket, "PVE:") {
		r.ticket, _ = data["ticket"].(string)
		r.csrf, _ = data["CSRFPreventionToken"].(string)
		r.m.bound["<ticket:root@pam>"] = ticket
	}
	delete(r.m.bound, "<csrf>")
}

var connection = regexp.MustCompile(`\r\nConnection: (\S+)\r\n`)

var _ pveapi.Backend = (*membackend.Backend)(nil)
