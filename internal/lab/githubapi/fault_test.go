package githubapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"
)

func TestFaults(t *testing.T) {
	comments := fmt.Sprintf("/repos/%s/issues/1/comments", full)
	for _, tt := range []struct {
		name   string
		fault  Fault
		made   int // comments that exist after the first try
		status int // 0: the connection breaks
		header string
	}{
		{"502", Fault{Method: "POST", Status: 502}, 0, 502, ""},
		{"502 after the fact", Fault{Method: "POST", Status: 502, AfterFact: true}, 1, 502, ""},
		{"dropped before", Fault{PathGlob: comments, DropBefore: true}, 0, 0, ""},
		{"dropped after", Fault{PathGlob: "/repos/*/*/issues/**", DropAfter: true}, 1, 0, ""},
		{"429", Fault{Status: 429}, 0, 429, ""},
		{"429 with Retry-After", Fault{Status: 429, RetryAfter: 1500 * time.Millisecond, Limit: "secondary"}, 0, 429, "2"},
		{"403 secondary", Fault{Status: 403, Limit: "secondary", RetryAfter: time.Minute}, 0, 403, "60"},
		{"another path", Fault{PathGlob: "/repos/*/deployments", Status: 500}, 1, 201, ""},
		{"another method", Fault{Method: "GET", Status: 500}, 1, 201, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.pull()
			w.Inject(tt.fault)
			send := func() *http.Response {
				req, err := http.NewRequest("POST", w.url+comments, strings.NewReader(`{"body":"x"}`))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "token ghs_job")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return nil
				}
				resp.Body.Close()
				return resp
			}
			resp := send()
			switch {
			case tt.status == 0 && resp != nil:
				t.Errorf("an answer %d, want a broken connection", resp.StatusCode)
			case tt.status != 0 && (resp == nil || resp.StatusCode != tt.status || resp.Header.Get("Retry-After") != tt.header):
				t.Errorf("got %+v, want %d and Retry-After %q", resp, tt.status, tt.header)
			}
			if n := len(w.Comments(full, 1)); n != tt.made {
				t.Errorf("%d comments, want %d", n, tt.made)
			}
			w.ClearFaults()
			if resp := send(); resp == nil || resp.StatusCode != http.StatusCreated {
				t.Errorf("after the fault: %+v", resp)
			}
			w.clean()
		})
	}
}

func TestFaultCounts(t *testing.T) {
	w := newWorld(t, Options{})
	status := func() int { resp, _ := w.raw("ghs_job", "GET", "/repos/org/shop/pulls", ""); return resp.StatusCode }
	w.Inject(Fault{Status: 500, Count: 2})
	w.Inject(Fault{Status: 503})
	for i, want := range []int{500, 500, 503, 200} {
		if got := status(); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	w.Inject(Fault{Status: 500, Count: -1})
	for range 3 {
		if got := status(); got != 500 {
			t.Errorf("a lasting fault: %d", got)
		}
	}
	if n := w.ClearFaults(); n != 1 {
		t.Errorf("%d faults ended", n)
	}
	if reqs := w.Requests(); reqs[0].Fault != "status 500" || reqs[3].Fault != "" || reqs[3].Token != JobToken || reqs[3].Status != 200 {
		t.Errorf("journal %+v", reqs[:4])
	}
}

func TestFaultDelayEndsWithTheRequest(t *testing.T) {
	w := newWorld(t, Options{})
	w.Inject(Fault{Delay: time.Hour})
	client := &http.Client{Timeout: 50 * time.Millisecond}
	req, err := http.NewRequest("GET", w.url+"/repos/org/shop/pulls", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(req); err == nil {
		t.Error("an answer in spite of the delay")
	}
}

func TestPrimaryLimit(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	w := newWorld(t, Options{Now: func() time.Time { return now }})
	w.AddToken(Token{Value: "small", Kind: JobToken, Permissions: DefaultPermissions(), Limit: 2})
	for i, want := range []int{200, 200, 403} {
		resp, body := w.raw("small", "GET", "/repos/org/shop/pulls", "")
		if resp.StatusCode != want || resp.Header.Get("X-RateLimit-Remaining") != itoa(max(1-i, 0)) {
			t.Errorf("request %d: %d %v %s", i, resp.StatusCode, resp.Header, body)
		}
	}
	// A client of its own clock would think that this limit is long over.
	now = time.Now()
	w.AddToken(Token{Value: "smaller", Kind: JobToken, Permissions: DefaultPermissions(), Limit: 1})
	c := w.client("smaller", "")
	check(c.PullRequests.List(w.ctx, owner, shop, nil)).or(t)
	_, _, err := c.PullRequests.List(w.ctx, owner, shop, nil)
	var limited *github.RateLimitError
	if !errors.As(err, &limited) {
		t.Errorf("got %v, want a RateLimitError", err)
	}
	now = now.Add(time.Hour)
	if resp, _ := w.raw("small", "GET", "/repos/org/shop/pulls", ""); resp.StatusCode != 200 {
		t.Errorf("an hour later: %d", resp.StatusCode)
	}
	w.clean()
}

func TestSecondaryLimit(t *testing.T) {
	w := newWorld(t, Options{SecondaryPerMinute: 3})
	n := w.pull()
	c := w.client("ghs_job", "")
	var err error
	for range 4 {
		_, _, err = c.Issues.CreateComment(w.ctx, owner, shop, n, &github.IssueComment{Body: github.String("x")})
	}
	var abuse *github.AbuseRateLimitError
	if !errors.As(err, &abuse) || abuse.RetryAfter == nil || *abuse.RetryAfter > time.Minute {
		t.Errorf("got %v, want an AbuseRateLimitError with a wait of at most a minute", err)
	}
	if resp, _ := w.raw("ghs_job", "GET", "/repos/org/shop/pulls", ""); resp.StatusCode != 200 {
		t.Errorf("reading: %d", resp.StatusCode)
	}
	w.clean()
}

func TestStateSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, Options{Dir: dir})
	n := w.pull()
	if _, err := w.AddComment(full, n, "octocat", "kept"); err != nil {
		t.Fatal(err)
	}
	w.deploy(&github.DeploymentRequest{Ref: &w.head, Environment: github.String("dev")}, "success")
	again, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Comments(full, n); len(got) != 1 || got[0].Body != "kept" {
		t.Errorf("comments %+v", got)
	}
	if got := again.Deployments(full); len(got) != 1 || got[0].State() != "success" {
		t.Errorf("deployments %+v", got)
	}
	if got := again.Pulls(full); len(got) != 1 || got[0].HeadSHA != w.head {
		t.Errorf("pulls %+v", got)
	}
	second, err := again.AddComment(full, n, "octocat", "new")
	if err != nil || second <= w.Comments(full, n)[0].ID {
		t.Errorf("the next id is %d, %v", second, err)
	}
}

func TestControl(t *testing.T) {
	w := newWorld(t, Options{})
	control := httptest.NewServer(w.Control())
	defer control.Close()
	do := func(method, path, body string, want int) map[string]any {
		t.Helper()
		req, err := http.NewRequest(method, control.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		if resp.StatusCode != want {
			t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, b.String())
		}
		out := map[string]any{}
		json.Unmarshal(b.Bytes(), &out)
		return out
	}
	do("POST", "/tokens", `{"Value":"new","Kind":"job","Permissions":{"pull-requests":"read"}}`, 200)
	if n := do("POST", "/pulls?repo="+full, `{"Title":"T","Head":"dev","Base":"main"}`, 200)["number"]; n != 1.0 {
		t.Errorf("number %v", n)
	}
	do("POST", "/faults", `{"PathGlob":"/repos/**","Status":500,"Delay":"1ms"}`, 200)
	for _, want := range []int{500, 200} {
		if resp, _ := w.raw("new", "GET", "/repos/org/shop/pulls", ""); resp.StatusCode != want {
			t.Errorf("got %d, want %d", resp.StatusCode, want)
		}
	}
	do("POST", "/faults", `{"PathGlb":"/x"}`, 400)
	do("POST", "/runs?repo="+full, `{"Name":"Deploy","SHA":"`+w.head+`","Jobs":["deploy"]}`, 200)
	do("POST", "/pulls/1/merge?repo="+full, "", 200)
	do("POST", "/pulls/1/close?repo="+full, "", 200)
	do("POST", "/pulls/9/close?repo="+full, "", 400)
	do("GET", "/requests", "", 200)
	do("GET", "/violations", "", 200)
	do("DELETE", "/journal", "", 200)
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d requests after the reset", n)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("/repos/*/x", "/repos/a/x")
	f.Add("**", "")
	f.Add("[", "\\E")
	f.Add("\xff", "0")
	f.Fuzz(func(t *testing.T, glob, path string) {
		if strings.ContainsRune(glob, '\n') || strings.ContainsRune(path, '\n') || !utf8.ValidString(glob) && glob == path {
			return
		}
		matched := globPattern(glob).MatchString(path)
		if glob == path && glob != "" && !strings.Contains(glob, "*") && !matched {
			t.Errorf("%q does not match itself", glob)
		}
	})
}
