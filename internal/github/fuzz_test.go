package github_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/secret"
)

// echo answers every request alike.
type echo struct {
	status       int
	body, header string
}

func (e echo) RoundTrip(r *http.Request) (*http.Response, error) {
	res := &http.Response{StatusCode: e.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(e.body)), Request: r}
	for _, name := range []string{"Link", "Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		res.Header.Set(name, e.header)
	}
	return res, nil
}

// Whatever GitHub answers, or a proxy in front of it, each call ends.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `[{"id":1,"body":"<!-- m -->\nx","user":{"login":"github-actions[bot]"}}]`, `<https://api.github.test/x?page=2>; rel="next"`)
	f.Add(200, `{"type":"file","encoding":"base64","content":"YQ==","sha":"x","status":"completed","login":"bob"}`, "")
	f.Add(201, `{"id":9223372036854775807}`, "1")
	f.Add(403, `{"message":"You have exceeded a secondary rate limit"}`, "-1")
	f.Add(429, `<html>`, "99999999999999999999")
	f.Add(202, `{"message":"Auto-merged"}`, "")
	f.Add(304, ``, "")
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		if status < 100 || status > 999 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			c, err := github.New(github.Options{APIURL: "https://api.github.test", Token: secret.New("t"), Repository: repo, Transport: echo{status, body, header}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			d := github.Deployment{SHA: strings.Repeat("a", 40), Environment: "shop/dev", Job: github.Job{Run: "7", ID: "8"}, Alone: true}
			_, _ = c.PullRequest(ctx, d.SHA, "dev")
			_ = c.Comment(ctx, 1, "<!-- m -->", "<!-- m -->\ntext")
			_, _ = c.OpenDeployment(ctx, d)
			_ = c.AbandonDeployment(ctx, github.Deployment{ID: 1, Environment: "shop/dev"}, "killed")
			_ = c.RetireDeployments(ctx, d.Environment, 1)
			_, _ = c.File(ctx, "appstack.yaml", d.SHA)
			_, _ = c.Commit(ctx, "dev")
			_, _ = c.RunOver(ctx, "7")
		})
	})
}
