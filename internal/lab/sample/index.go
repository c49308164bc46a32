package sample

import (
	"crypto/sha256"
	"fmt"
	"html"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// separators of a package's name are all the same (PEP 503, "Normalized Names").
var separators = regexp.MustCompile(`[-_.]+`)

// Index serves wheels as a Python package index does, with its pages below /simple/
// (PEP 503). As from a real one, what it sends may be cached.
func Index(wheels gitrepo.Files) http.Handler {
	pages, files := map[string]string{}, map[string][]byte{}
	for name, content := range wheels {
		file := path.Base(name)
		distribution, _, _ := strings.Cut(file, "-")
		project := strings.ToLower(separators.ReplaceAllString(distribution, "-"))
		pages[project] += fmt.Sprintf("<a href=\"/files/%s#sha256=%x\">%[1]s</a>\n", html.EscapeString(file), sha256.Sum256(content))
		files[file] = content
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/{project}/", func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.PathValue("project")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE html><html><body>\n%s</body></html>\n", page)
	})
	mux.HandleFunc("GET /files/{file}", func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.PathValue("file")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000")
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(content) //nolint:errcheck // the client is gone then
	})
	return mux
}
