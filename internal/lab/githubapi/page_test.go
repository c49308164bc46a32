package githubapi

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

const sampleComment = "<!-- appstack:shop:dev -->\n## :rocket: shop · dev is live\n\n> [!NOTE]\n> The plan has **3 changes**.\n\n" +
	"| | resource | change |\n|:-:|---|---|\n| + | `ct/101` | create |\n| ~ | `memory` | 1024 → 2048 MiB |\n\n" +
	"- [x] provisioned\n- [ ] configured\n\n<details><summary>Plan</summary>\n\n```diff\n@@ ct/101 @@\n- memory: 1024\n+ memory: 2048\n```\n\n</details>\n\n" +
	"```mermaid\ngraph LR; a-->b\n```\n\n> [!CAUTION]\n> It destroys data.\n\n<script>alert(1)</script><img src=x onerror=alert(2)><a href=\"javascript:alert(3)\">x</a>\n\nSee https://shop.lan"

func TestMarkup(t *testing.T) {
	got := string(newMarkup().html(sampleComment))
	for _, want := range []string{
		`<blockquote class="markdown-alert markdown-alert-note">`, `<p class="markdown-alert-title">Note</p>`, `<p>The plan has <strong>3 changes</strong>.</p>`,
		`<td style="text-align: center">+</td>`, `<details><summary>Plan</summary>`, `<span class="d-add">`, `<span class="d-del">- memory: 1024`, `<pre class="code-mermaid">`,
		`type="checkbox"`, `markdown-alert-caution`, `<a href="https://shop.lan" rel="nofollow">https://shop.lan</a>`, "🚀",
	} {
		if !strings.Contains(got, want) && !strings.Contains(got, strings.Replace(want, "🚀", "&#x1f680;", 1)) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, bad := range []string{"<script", "onerror", "javascript:", "appstack:shop:dev", "[!NOTE]"} {
		if strings.Contains(got, bad) {
			t.Errorf("%s in\n%s", bad, got)
		}
	}
}

func FuzzMarkup(f *testing.F) {
	f.Add(sampleComment)
	f.Add("> [!NOTE]\n")
	f.Add("> [!tip] x\n> *y* `[!TIP]`")
	m := newMarkup()
	f.Fuzz(func(t *testing.T, source string) {
		if out := strings.ToLower(string(m.html(source))); strings.Contains(out, "<script") {
			t.Errorf("a script came through: %q", out)
		}
	})
}

// story fills a world with what a deployment of a pull request leaves behind.
func story(t *testing.T) *world {
	w := newWorld(t, Options{})
	n := w.pull()
	job := w.client("ghs_job", "")
	run, err := w.AddRun(full, Run{Name: "Deploy", Event: "pull_request", Branch: "dev", SHA: w.head, Jobs: []Job{{Name: "deploy"}}})
	if err != nil {
		t.Fatal(err)
	}
	check(job.Issues.CreateComment(w.ctx, owner, shop, n, &github.IssueComment{Body: github.String(sampleComment)})).or(t)
	for _, env := range []string{"pr-1", "dev"} {
		d := check(job.Repositories.CreateDeployment(w.ctx, owner, shop, &github.DeploymentRequest{
			Ref: &w.head, AutoMerge: github.Bool(false), RequiredContexts: &[]string{}, Environment: &env, TransientEnvironment: github.Bool(env == "pr-1"),
		})).or(t)
		for _, state := range []string{"in_progress", "success"} {
			check(job.Repositories.CreateDeploymentStatus(w.ctx, owner, shop, d.GetID(), &github.DeploymentStatusRequest{
				State: &state, Description: github.String("shop is " + state), EnvironmentURL: github.String("http://10.0.10.101:3000"), LogURL: github.String("http://ci.lan/" + itoa(int(run))),
			})).or(t)
		}
	}
	if _, err := w.AddComment(full, n, "octocat", "Looks good, thank you!"); err != nil {
		t.Fatal(err)
	}
	if err := w.CompleteRun(full, run, "success"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) read(path string) (int, string) {
	w.t.Helper()
	resp, err := http.Get(w.url + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestPages(t *testing.T) {
	w := story(t)
	for path, wants := range map[string][]string{
		"/":                                     {full, "Second"},
		"/org/shop":                             {"Second", "pr-1"},
		"/org/shop/pull/1":                      {"Second", "Open", "github-actions", "shop · dev is live", "deployed", "pr-1", "http://10.0.10.101:3000", "Looks good", `<code class="branch">dev</code>`, w.head[:7]},
		"/org/shop/deployments":                 {"pr-1", "transient", "active", "shop is success", "in progress"},
		"/org/shop/deployments?environment=dev": {"shop is in_progress"},
		"/org/shop/pull/1/files":                {"src/app.js", `<span class="d-add">+2`},
		"/org/shop/commit/dev":                  {"second", "src/app.js"},
		"/org/shop/commit/main":                 {"first", "Nothing changed"},
		"/_lab/style.css":                       {".markdown"},
		"/avatar/octocat":                       {"<svg"},
	} {
		status, body := w.read(path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %q", path, want)
			}
		}
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("%s: a template met an unsafe value", path)
		}
	}
	for _, path := range []string{"/org/none", "/org/shop/pull/9", "/org/shop/pull/x", "/org/shop/actions/runs/1", "/x"} {
		if status, _ := w.read(path); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

// TestScreenshot takes pictures of the pages for a person to look at, when
// APPSTACK_SCREENSHOTS names a directory.
func TestScreenshot(t *testing.T) {
	dir := os.Getenv("APPSTACK_SCREENSHOTS")
	if dir == "" {
		t.Skip("APPSTACK_SCREENSHOTS names no directory to put pictures into")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	w := story(t)
	for name, path := range map[string]string{"pull": "/org/shop/pull/1", "deployments": "/org/shop/deployments", "files": "/org/shop/pull/1/files"} {
		for mode, flags := range map[string][]string{"light": nil, "dark": {"--force-dark-mode", "--blink-settings=preferredColorScheme=0"}} {
			file := filepath.Join(dir, name+"-"+mode+".png")
			args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1700", "--screenshot=" + file}, flags...)
			if out, err := exec.Command(browser, append(args, w.url+path)...).CombinedOutput(); err != nil {
				t.Fatalf("chromium: %v\n%s", err, out)
			}
			if info, err := os.Stat(file); err != nil || info.Size() < 10_000 {
				t.Errorf("picture %s: %v", file, err)
			}
		}
	}
}
