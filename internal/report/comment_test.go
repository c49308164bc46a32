package report

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/org/appstack-action/internal/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func step(v plan.Verb, kind, name, cause string, e plan.Effect) plan.Step {
	return plan.Step{Verb: v, Resource: plan.Resource{Kind: kind, Name: name}, Cause: cause, Effect: e}
}

func done(s plan.Step, took time.Duration, err error, tail string) Done {
	return Done{s, plan.Outcome{Took: took, Err: err, Tail: tail}}
}

// spans are stages that follow each other: names, and milliseconds.
func spans(parts ...any) []Stage { return spansFrom(0, parts...) }

func spansFrom(at time.Duration, parts ...any) (all []Stage) {
	for i := 0; i < len(parts); i += 2 {
		took := time.Duration(parts[i+1].(int)) * time.Millisecond
		all = append(all, Stage{Name: parts[i].(string), Start: at, Took: took})
		at += took
	}
	return all
}

// situations are the things that can be told about an environment.
func situations() map[string]Report {
	base := Report{
		Stack: "appstack.yaml", Project: "shop", Env: "dev", Command: "apply", VMID: 101, Kind: "CT", Node: "pve1",
		IP: "10.86.0.101", URL: "http://10.86.0.101:3000", Branch: "dev", SHA: "4f2c9e1aa0b7d3c55e0f9a4c1d2b3e4f5a6b7c8d",
		CommitURL: "https://github.com/org/shop/commit/4f2c9e1aa0b7d3c55e0f9a4c1d2b3e4f5a6b7c8d",
		RunURL:    "https://github.com/org/shop/actions/runs/77/attempts/1",
	}
	create := []plan.Step{
		step(plan.Create, "guest", "101", "there is none", plan.Hot),
		step(plan.Install, "package", "nodejs", "not installed", plan.Hot),
		step(plan.Write, "file", "/srv/app/.env.dev", "missing", plan.Hot),
		step(plan.Deploy, "release", "4f2c9e1", "first release", plan.Hot),
	}
	change := []plan.Step{
		step(plan.Set, "config", "memory", "2048 → 4096", plan.Hot),
		step(plan.Set, "config", "features", "nesting=1 → nesting=1,keyctl=1", plan.Restarts),
		{Verb: plan.Write, Resource: plan.Resource{Kind: "file", Name: "/srv/app/.env.dev"}, Cause: "content", Effect: plan.Restarts, Diff: "--- /srv/app/.env.dev\n+++ /srv/app/.env.dev\n@@ -1 +1 @@\n-LOG_LEVEL=debug\n+LOG_LEVEL=info\n DB_PASSWORD=(sensitive 3f2a)\n"},
	}
	much := append([]plan.Step(nil), create...)
	for _, name := range []string{"app.conf", "known_hosts", "90-appstack.conf", "50-appstack.conf", "shop-backend.service", "shop-frontend.service", "deploy_app.sh", "sudoers", "sshd_config"} {
		much = append(much, step(plan.Create, "file", "/etc/appstack/"+name, "missing", plan.Hot))
	}
	much = append(much, step(plan.Start, "unit", "apt-daily-upgrade.timer", "not running", plan.Hot), step(plan.Restart, "unit", "systemd-journald.service", "/etc/systemd/journald.conf.d/50-appstack.conf changes", plan.Restarts))
	stages := spans("read", 300, "observe", 400, "report", 900, "provision", 6000, "observe", 100, "configure", 41000)
	broken := func(parts ...any) []Stage {
		failed := append(append([]Stage(nil), stages...), spansFrom(stages[5].Start+stages[5].Took, parts...)...)
		failed[len(failed)-1].Failed = true
		return append(failed, Stage{Name: "report", Open: true})
	}
	as := func(s Status, steps []plan.Step, f func(*Report)) Report {
		r := base
		r.Status, r.Plan, r.Stages = s, plan.Plan{Target: "shop/dev", Steps: steps}, stages
		if f != nil {
			f(&r)
		}
		return r
	}
	all := func(steps []plan.Step, took time.Duration) (ds []Done) {
		for _, s := range steps {
			ds = append(ds, done(s, took, nil, ""))
		}
		return ds
	}
	fail := errors.New("exit status 1")
	return map[string]Report{
		"01-planned-create":   as(Planned, create, nil),
		"02-planned-change":   as(Planned, change, nil),
		"03-planned-nothing":  as(Planned, nil, nil),
		"04-planned-destroys": as(Planned, []plan.Step{{Verb: plan.Recreate, Resource: plan.Resource{Kind: "guest", Name: "101"}, Cause: "unprivileged 0 → 1", Effect: plan.Destroys, Refused: "what the guest holds would be lost; allow it with allow-destroy: true"}}, nil),
		"05-planned-notes": as(Planned, change, func(r *Report) {
			r.Plan.Notes = []string{"3 guests are invisible to the token: grant VM.Audit on /vms"}
		}),
		"06-deploying":   as(Deploying, create, func(r *Report) { r.Done = all(create[:2], 1300*time.Millisecond) }),
		"07-live-first":  as(Live, create, func(r *Report) { r.Done, r.Took, r.Release = all(create, 2*time.Second), 72*time.Second, r.SHA }),
		"08-live-change": as(Live, change, func(r *Report) { r.Done, r.Took = all(change, 200*time.Millisecond), 4*time.Second }),
		"09-unchanged":   as(Unchanged, nil, func(r *Report) { r.Took = 700 * time.Millisecond }),
		"10-live-overridden": as(Live, change, func(r *Report) {
			r.Overrides = []string{"allow-ip-conflicts: 10.86.0.101 is also net0 of CT 205 (old-shop)"}
			r.Took = 9 * time.Second
		}),
		"11-failed-guard": as(Failed, create, func(r *Report) {
			r.Stages = stages[:2]
			r.Reason, r.Error, r.Hint = Guarded, "10.86.0.101 belongs to CT 205 (old-shop) on pve2", "choose another `ip:`, or allow it with allow-ip-conflicts: true"
		}),
		"12-failed-locked": as(Failed, nil, func(r *Report) {
			r.Stages = stages[:2]
			r.Reason, r.Error, r.Hint = Locked, "org/shop run 76 holds shop/dev since 4 minutes", "wait for it, or run `appstack unlock`"
		}),
		"13-failed-configure": as(Failed, create, func(r *Report) {
			r.Reason, r.Error = ConfigureError, "apt-get failed: exit status 100"
			r.Done = append(all(create[:1], time.Second), done(create[1], 3*time.Second, fail, "E: Unable to locate package nodejss\n"))
			r.Stages = broken()
		}),
		"14-failed-build": as(Failed, create, func(r *Report) {
			r.Reason, r.Error, r.Release = BuildFailed, "npm run build: exit status 1", "aaaaaaaaaaaaaaaa"
			r.Done = append(all(create[:3], time.Second), done(create[3], 9*time.Second, fail, strings.Repeat("npm ERR! line\n", 30)))
			r.Stages = broken("deploy: fetch", 800, "deploy: check out", 100, "deploy: build", 8100)
		}),
		"15-rolled-back": as(RolledBack, create[3:], func(r *Report) {
			r.Reason, r.Error, r.Release = Unhealthy, "backend did not answer on /healthz within 30 s", "bbbbbbbbbbbbbbbb"
			r.Done = []Done{done(create[3], 40*time.Second, fail, "Error: Cannot find module 'express'\n")}
			r.Stages = broken("deploy: fetch", 700, "deploy: check out", 100, "deploy: build", 4200, "deploy: switch", 34900)
		}),
		"21-failed-unhealthy": as(Failed, change[2:], func(r *Report) {
			r.Reason, r.Release = Unhealthy, "aaaaaaaaaaaaaaaa"
			r.Error = "cannot deploy release 4f2c9e1aa0b7d3c55e0f9a4c1d2b3e4f5a6b7c8d: health of the new release failed: shop-backend ended right after its start; aaaaaaaaaaaa serves"
			r.Plan.Steps = append(r.Plan.Steps, step(plan.Deploy, "release", r.SHA, "aaaaaaaaaaaa serves", plan.Restarts))
			r.Done = []Done{done(r.Plan.Steps[0], 10*time.Millisecond, nil, ""), done(r.Plan.Steps[1], 11*time.Second, fail, "    Error: the till is jammed\n        at Object.<anonymous> (/srv/app/backend/server.js:3:7)\n")}
			r.Stages = broken("deploy: fetch", 700, "deploy: build", 2100, "deploy: health of the new release", 8200)
		}),
		"22-failed-migration": as(Failed, create[3:], func(r *Report) {
			r.Reason, r.Error, r.Release = MigrateFailed, "cannot deploy release 4f2c9e1: migrate failed: backend: exit status 1; bbbbbbb serves", "bbbbbbbbbbbbbbbb"
			r.Done = []Done{done(create[3], 4*time.Second, fail, "error: column \"price\" does not exist\n")}
			r.Stages = broken("deploy: fetch", 700, "deploy: build", 2100, "deploy: migrate", 1200)
		}),
		"23-live-restart": as(Live, []plan.Step{step(plan.Restart, "unit", "shop-backend.service", "/etc/systemd/system/shop-backend.service changes", plan.Restarts)}, func(r *Report) {
			r.Done, r.Took = all(r.Plan.Steps, time.Second), 3*time.Second
		}),
		"24-live-much": as(Live, much, func(r *Report) { r.Done, r.Took, r.Release = all(much, 300*time.Millisecond), 80*time.Second, r.SHA }),
		"16-cancelled": as(Cancelled, create, func(r *Report) {
			r.Reason, r.Error, r.Done = WasCancelled, "the run was cancelled; 2 of 4 steps were done, nothing is left half-way", all(create[:2], time.Second)
		}),
		"17-destroyed": as(Destroyed, []plan.Step{step(plan.Destroy, "guest", "101", "asked for", plan.Destroys)}, func(r *Report) { r.URL = ""; r.Took = 5 * time.Second }),
		"18-valid": as(Valid, nil, func(r *Report) {
			r.VMID, r.Stages = 0, nil
			r.Warnings = []string{"the pull request comes from a fork, which gets no secrets: the stack file is only checked"}
		}),
		"19-failed-unreachable": as(Failed, nil, func(r *Report) {
			r.Stages = stages[:2]
			r.Reason, r.Error, r.Hint = Unreachable, "cannot reach 10.0.10.101:22: no route to host", "10.0.10.101 is private and this runner is not in it: self-hosted runner, jump host or VPN"
		}),
		"20-hostile": as(Failed, []plan.Step{step(plan.Set, "config", "a|b`</details>", "x | y <!-- --> @org/team", plan.Hot)}, func(r *Report) {
			r.Branch = "x`$(id)`|</details><script>alert(1)</script> @everyone"
			r.Env, r.Error = "d--><img src=x>", "</details>\n\n# Owned\n::error::x @octocat"
			r.Done = []Done{done(r.Plan.Steps[0], time.Second, fail, "```\n</details>\n<!-- appstack:appstack.yaml:shop/prod -->\n@octocat \x1b[31mred\u202e")}
			r.Stages = []Stage{{Name: "a:b;c\n    x :crit, 1", Took: time.Second, Failed: true}}
		}),
	}
}

func TestCommentGoldens(t *testing.T) {
	all := situations()
	if len(all) < 20 {
		t.Fatalf("there are %d situations", len(all))
	}
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			golden(t, name, Comment(r))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".md")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestSummaryGolden holds the job's summary of two environments to its golden file.
func TestSummaryGolden(t *testing.T) {
	all := situations()
	live := all["07-live-first"]
	live.Stages = append(live.Stages, spansFrom(48700*time.Millisecond, "deploy: fetch", 900, "deploy: build", 15200, "deploy: switch", 2300, "report", 1100)...)
	golden(t, "summary", Summary([]Report{live, all["22-failed-migration"]}))
}

// TestNothingBreaksOut renders the hostile comment as GitHub would.
func TestNothingBreaksOut(t *testing.T) {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM))
	var html strings.Builder
	body := Comment(situations()["20-hostile"])
	if err := md.Convert([]byte(body), &html); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "href=\"https://evil", "<img", "<h1", "<!-- appstack:appstack.yaml:shop/prod"} {
		if strings.Contains(html.String(), bad) {
			t.Errorf("%s got out:\n%s\nof\n%s", bad, html.String(), body)
		}
	}
	if n := strings.Count(body, "\n</details>"); n != 2+1 { // the log's own stays within its fence
		t.Errorf("%d lines begin with </details>:\n%s", n, body)
	}
	if !strings.HasPrefix(body, situations()["20-hostile"].Marker()+"\n") {
		t.Error("the marker is not the first line")
	}
}

func TestCommentAlwaysFits(t *testing.T) {
	r := situations()["15-rolled-back"]
	for range 300 {
		s := step(plan.Write, "file", "/srv/app/"+strings.Repeat("😀", 40), strings.Repeat("|", 60), plan.Restarts)
		s.Diff = strings.Repeat("+line `````\n", 40)
		r.Plan.Steps = append(r.Plan.Steps, s)
	}
	r.Done[0].Outcome.Tail = strings.Repeat(strings.Repeat("x", 9000)+"\n", 30)
	check := func(r Report) string {
		t.Helper()
		body := Comment(r)
		if n := len(utf16.Encode([]rune(body))); n > 60_000 {
			t.Errorf("the comment has %d characters", n)
		}
		return body
	}
	if body := check(r); !strings.Contains(body, "more; the log has all of them") {
		t.Error("nothing says that rows were left out")
	}
	r.Error, r.Branch = strings.Repeat("e", 90_000), strings.Repeat("b", 90_000)
	check(r)
	if s := Summary([]Report{r, r, r}); len(s) > 1_000_000 {
		t.Errorf("the summary has %d bytes", len(s))
	}
}

func FuzzComment(f *testing.F) {
	f.Add("dev", "error", "```\n</details>")
	f.Add("`|`", "> [!NOTE]\n# x", "\x00\xff")
	f.Fuzz(func(t *testing.T, env, message, tail string) {
		r := situations()["14-failed-build"]
		r.Env, r.Error, r.Done[len(r.Done)-1].Outcome.Tail = env, message, tail
		body := Comment(r)
		if n := len(utf16.Encode([]rune(body))); n > 60_000 {
			t.Errorf("the comment has %d characters", n)
		}
		if !strings.HasPrefix(body, r.Marker()+"\n") || strings.Contains(r.Marker(), "\n") {
			t.Errorf("the marker is %q", r.Marker())
		}
	})
}

// TestProse lets what a sentence has in backquotes be code, and nothing be more than that.
func TestProse(t *testing.T) {
	for in, want := range map[string]string{
		"choose another `ip:`, or wait":     "choose another `ip:`, or wait",
		"`a|b` and @org":                    "`a\\|b` and @\u2060org",
		"<b> `</details> <img src=x>` *x*":  "&lt;b\\> `</details> <img src=x>` \\*x\\*",
		"one ` is not closed":               "one \\` is not closed",
		"``":                                "",
		"line `one\n# two` three\n\n# four": "line `one # two` three \\# four",
	} {
		if got := prose(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
}
