package githubapi

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// newPages serves what a person sees: the list of repositories, a pull request, the
// deployments, a run.
func (s *Server) newPages() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.view("index.html", s.indexView))
	mux.HandleFunc("GET /{owner}/{repo}", s.view("repo.html", s.repoView))
	mux.HandleFunc("GET /{owner}/{repo}/pulls", s.view("repo.html", s.repoView))
	mux.HandleFunc("GET /{owner}/{repo}/pull/{number}", s.view("pull.html", s.pullView))
	mux.HandleFunc("GET /{owner}/{repo}/deployments", s.view("deployments.html", s.deploymentsView))
	mux.HandleFunc("GET /{owner}/{repo}/actions/runs/{run}", s.view("run.html", s.runView))
	mux.HandleFunc("GET /{owner}/{repo}/actions/runs/{run}/attempts/{attempt}", s.view("run.html", s.runView))
	mux.HandleFunc("GET /{owner}/{repo}/actions/runs/{run}/job/{job}", s.view("run.html", s.runView))
	mux.HandleFunc("GET /{owner}/{repo}/pull/{number}/files", s.view("files.html", s.pullFilesView))
	mux.HandleFunc("GET /{owner}/{repo}/commit/{sha}", s.view("files.html", s.commitView))
	mux.HandleFunc("GET /avatar/{login}", avatar)
	mux.HandleFunc("GET /_lab/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, web, "web/style.css")
	})
	return mux
}

// view renders a template with what build makes of the state; nil is a 404.
func (s *Server) view(name string, build func(*call) any) http.HandlerFunc {
	tmpl := template.Must(template.New("layout.html").Funcs(s.functions()).ParseFS(web, "web/layout.html", "web/parts.html", "web/"+name))
	return func(w http.ResponseWriter, r *http.Request) {
		data := s.viewData(r, build)
		if data == nil {
			http.Error(w, "404: this is not the page you are looking for", http.StatusNotFound)
			return
		}
		var b bytes.Buffer
		if err := tmpl.Execute(&b, data); err != nil {
			s.opt.Log.Error("cannot render a page", "page", name, "err", err)
			http.Error(w, "the page failed: "+err.Error(), http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		// No picture of a comment makes the browser call a foreign address; GitHub has a proxy for that.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:")
		w.Write(b.Bytes())
	}
}

func (s *Server) viewData(r *http.Request, build func(*call) any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Server: s, r: r, links: linksOf(r, false)}
	if name := r.PathValue("repo"); name != "" {
		if c.repo = s.state.Repos[r.PathValue("owner")+"/"+name]; c.repo == nil {
			return nil
		}
	}
	return build(c)
}

func (s *Server) functions() template.FuncMap {
	return template.FuncMap{
		"markdown": s.markup.html,
		"patch":    patchHTML,
		"ago":      func(t time.Time) string { return ago(s.now().Sub(t)) },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"short":    func(sha string) string { return sha[:min(7, len(sha))] },
		"plain":    func(login string) string { return strings.TrimSuffix(login, "[bot]") },
		"isBot":    func(login string) bool { return strings.HasSuffix(login, "[bot]") },
		"query":    url.QueryEscape,
		"host":     hostOf,
		"words":    func(state string) string { return strings.ReplaceAll(state, "_", " ") },
		"plural":   plural,
	}
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}

func plural(n int, one string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// ago says how long something is past, in GitHub's words.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute") + " ago"
	case d < 24*time.Hour:
		return plural(int(d.Hours()), "hour") + " ago"
	}
	return plural(int(d.Hours()/24), "day") + " ago"
}

// avatar draws a picture for a login: its first letter on a colour of its own.
func avatar(w http.ResponseWriter, r *http.Request) {
	login := strings.TrimSuffix(r.PathValue("login"), "[bot]")
	h := fnv.New32a()
	h.Write([]byte(login))
	letter := "?"
	for _, l := range login {
		letter = template.HTMLEscapeString(strings.ToUpper(string(l)))
		break
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" fill="hsl(%d 45%% 42%%)"/>`+
		`<text x="20" y="27" text-anchor="middle" font-family="sans-serif" font-size="20" font-weight="600" fill="#fff">%s</text></svg>`, h.Sum32()%360, letter)
}
