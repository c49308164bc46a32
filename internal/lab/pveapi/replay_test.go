package pveapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// minimum is how many recorded exchanges must match, by release. It may only rise.
var minimum = map[string]int{"9.2": 1900, "9.1": 1900}

type step struct {
	Note    string
	As      string
	Request *struct {
		Method       string
		Path         string
		AbsolutePath string `json:"absolute_path"`
		Form         map[string]string
		FormPairs    [][2]string `json:"form_pairs"`
		RawBody      *string     `json:"raw_body"`
		RawType      *string     `json:"raw_content_type"`
		Headers      map[string]string
	}
	Response struct {
		Status      int
		Reason      string
		ContentType *string `json:"content_type"`
		Body        any
		BodyNote    string `json:"body_note"`
		Headers     map[string]string
	}
	Task *struct {
		Status map[string]any
		Log    []string
		Note   string
	}
	Shell string
}

type scenario struct {
	name  string
	Steps []step
}

// shared is the directory of test data that does not belong to the repository.
func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("APPSTACK_SHARED")
	if dir == "" {
		dir = "../../../../shared"
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "pve-transcripts")); err != nil {
		t.Skipf("recorded exchanges are not here: set APPSTACK_SHARED (%v)", err)
	}
	return dir
}

func scenarios(t *testing.T, release string) []scenario {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared(t), "data", "pve-transcripts", release, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded scenarios of %s (%v)", release, err)
	}
	var out []scenario
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(f), ".json")}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&s); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, s)
	}
	return out
}

func TestReplay(t *testing.T) {
	for _, release := range []string{"9.2", "9.1"} {
		t.Run(release, func(t *testing.T) { replayAll(t, release) })
	}
}

func replayAll(t *testing.T, release string) {
	var matched, total int
	var report []string
	for _, sc := range scenarios(t, release) {
		r := newReplay(t, release)
		start := time.Now()
		ok, n, misses := r.run(t, sc)
		matched, total = matched+ok, total+n
		for _, m := range misses {
			report = append(report, sc.name+m)
		}
		if *verbose == sc.name || *verbose == "all" {
			fmt.Printf("== %s: %d of %d in %v\n%s\n", sc.name, ok, n, time.Since(start).Round(time.Millisecond), strings.Join(misses, "\n"))
		}
	}
	fmt.Printf("replay: matched %d of %d (%.1f %%) of Proxmox VE %s\n", matched, total, 100*float64(matched)/float64(total), release)
	if matched < minimum[release] {
		t.Errorf("replay matched %d of %d exchanges; it used to be %d", matched, total, minimum[release])
	}
	if release == "9.2" {
		checkUnmatched(t, report)
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
		if reason == "" {
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

func firstLineOf(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func (r *replay) compareType(want *string, h http.Header) error {
	got := h.Get("Content-Type")
	if want == nil {
		if _, there := h["Content-Type"]; there {
			return fmt.Errorf("content type %q, want none", got)
		}
		return nil
	}
	if *want != got {
		return fmt.Errorf("content type %q, want %q", got, *want)
	}
	return nil
}

func (r *replay) compareBody(note string, want, got any) error {
	if strings.HasPrefix(note, "trimmed") {
		return r.compareTrimmed(want, got)
	}
	if w, ok := want.(string); ok && strings.HasPrefix(w, "<!DOCTYPE html>") {
		if g, ok := got.(string); !ok || !strings.HasPrefix(g, "<!DOCTYPE html>") {
			return fmt.Errorf("want a page, got %v", got)
		}
		return nil
	}
	if w, ok := want.(string); ok && strings.Contains(w, "Creating SSH host key") {
		g, _ := got.(string)
		return r.m.log(strings.Split(w, "\n"), strings.Split(g, "\n"))
	}
	if w, g := logOf(want), logOf(got); len(w) > 0 && len(w) == len(g) {
		return r.m.log(w, g)
	}
	return r.m.value("", want, got)
}

// logOf is the text of a task's log as the API pages it.
func logOf(body any) []string {
	obj, _ := body.(map[string]any)
	rows, _ := obj["data"].([]any)
	var lines []string
	for _, r := range rows {
		row, _ := r.(map[string]any)
		text, ok := row["t"].(string)
		if !ok || len(row) != 2 {
			return nil
		}
		lines = append(lines, text)
	}
	return lines
}

// compareTrimmed compares the rows that the record kept of a long list.
func (r *replay) compareTrimmed(want, got any) error {
	w, _ := want.(map[string]any)
	g, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, got %v", got)
	}
	rows, _ := w["data"].([]any)
	have, _ := g["data"].([]any)
	for i, row := range rows {
		if i >= len(have) {
			return fmt.Errorf("want at least %d rows, got %d", len(rows), len(have))
		}
		if err := r.m.value(fmt.Sprintf("data[%d]", i), row, have[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) compareTask(st step, got any) error {
	if st.Task == nil {
		return nil
	}
	obj, _ := got.(map[string]any)
	upid, _ := obj["data"].(string)
	if upid == "" {
		return fmt.Errorf("no task")
	}
	if st.Task.Note != "" {
		r.pending = append(r.pending, upid)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	status, err := r.waitImpatiently(ctx, upid, st.Request.Form["timeout"] != "")
	if err != nil {
		return err
	}
	want, _ := st.Task.Status["exitstatus"].(string)
	if err := r.m.text(want, status); err != nil {
		return fmt.Errorf("exit status: %w", err)
	}
	return r.m.log(st.Task.Log, r.TaskLog(upid))
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

func (r *replay) login(t *testing.T) {
	if r.ticket == "" {
		res := r.call(t, "POST", "/access/ticket", url.Values{"username": {"root@pam"}, "password": {"pvepvepve"}})
		data, _ := res.Data.(map[string]any)
		r.ticket, _ = data["ticket"].(string)
		r.csrf, _ = data["CSRFPreventionToken"].(string)
	}
}

// body is a request's content and its type.
func (r *replay) body(st step) (string, string, bool) {
	q := st.Request
	const form = "application/x-www-form-urlencoded"
	switch {
	case q.RawBody != nil:
		ct := ""
		if q.RawType != nil {
			ct = *q.RawType
		}
		return r.m.fill(*q.RawBody), ct, true
	case q.FormPairs != nil:
		var parts []string
		for _, p := range q.FormPairs {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(r.m.fill(p[1])))
		}
		return strings.Join(parts, "&"), form, true
	case q.Form != nil:
		v := url.Values{}
		for k, text := range q.Form {
			v.Set(k, longText(r.m.fill(text)))
		}
		return v.Encode(), form, true
	}
	return "", "", false
}

// longText writes out a value that the record shortened: "xxx... (9000 characters)".
func longText(s string) string {
	i := strings.Index(s, "... (")
	if i < 0 || !strings.HasSuffix(s, " characters)") {
		return s
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s[i+5:], " characters)"))
	if err != nil {
		return s
	}
	return strings.Repeat(s[:1], n)
}

// send writes the request as it was recorded, byte by byte where that matters.
func (r *replay) send(t *testing.T, st step) (int, string, http.Header, []byte, error) {
	q := st.Request
	path := r.m.fill(q.Path)
	if q.AbsolutePath != "" {
		path = r.m.fill(q.AbsolutePath)
	} else {
		path = "/api2/json" + path
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: lab\r\n", q.Method, strings.ReplaceAll(path, " ", "%20"))
	for k, v := range q.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", k, longText(r.m.fill(v)))
	}
	switch {
	case strings.HasPrefix(st.As, "ticket"):
		r.login(t)
		fmt.Fprintf(&b, "Cookie: PVEAuthCookie=%s\r\n", url.QueryEscape(r.ticket))
		if st.As == "ticket" && q.Method != "GET" {
			fmt.Fprintf(&b, "CSRFPreventionToken: %s\r\n", r.csrf)
		}
		if st.As == "ticket-bad-csrf" {
			fmt.Fprintf(&b, "CSRFPreventionToken: 00000000:AAAA\r\n")
		}
	case st.As != "none" && r.tokens[st.As] != "":
		fmt.Fprintf(&b, "Authorization: PVEAPIToken=%s\r\n", r.tokens[st.As])
	}
	if body, ct, ok := r.body(st); ok {
		if ct != "" {
			fmt.Fprintf(&b, "Content-Type: %s\r\n", ct)
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	} else {
		if q.Method != "GET" && q.Method != "DELETE" {
			b.WriteString("Content-Length: 0\r\n")
		}
		b.WriteString("\r\n")
	}
	return r.roundTrip(b.Bytes(), q.Method)
}

func (r *replay) roundTrip(request []byte, method string) (int, string, http.Header, []byte, error) {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return 0, "", nil, nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = conn.Write(request) }() // the server may answer and close before it has read all
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), &http.Request{Method: method})
	if err != nil {
		return 0, "", nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", nil, nil, err
	}
	if m := connection.FindStringSubmatch(raw.String()); m != nil {
		res.Header.Set("Connection", m[1]) // net/http takes it away
	}
	_, reason, _ := strings.Cut(res.Status, " ")
	return res.StatusCode, reason, res.Header, body, nil
}

var connection = regexp.MustCompile(`\r\nConnection: (\S+)\r\n`)

var _ pveapi.Backend = (*membackend.Backend)(nil)
