package gitserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// gitHTTP is git's own CGI program for the smart HTTP protocol.
type gitHTTP struct{ backend string }

func newGitHTTP() (gitHTTP, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return gitHTTP{}, fmt.Errorf("cannot find git, which the lab's git server runs (apt-get install git): %w", err)
	}
	return gitHTTP{backend: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")}, nil
}

var gitPath = regexp.MustCompile(`^/([^/]+/[^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)$`)

// ServeHTTP speaks git's smart HTTP protocol at /owner/name.git. The token is the
// password of basic authentication, with any user name, or a bearer token.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := s.currentFault()
	if fault.Down {
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	}
	time.Sleep(fault.Delay)
	m := gitPath.FindStringSubmatch(r.URL.Path)
	if m == nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	repo, action := m[1], m[2]
	write := action == "git-receive-pack" || r.URL.Query().Get("service") == "git-receive-pack"
	if !s.authorize(w, r, repo, write) {
		return
	}
	if fault.DropAfter > 0 {
		w = &cutResponse{ResponseWriter: w, cut: cutWriter{w, fault.DropAfter, func() {}}}
	}
	s.serveBackend(w, r, repo, action)
}

// IsGit reports whether a request belongs to the smart HTTP protocol, for a mux that
// shares one address with the GitHub look-alike, as github.com does.
func IsGit(r *http.Request) bool { return gitPath.MatchString(r.URL.Path) }

// authorize answers the request itself, in GitHub's words, when it returns false.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, repo string, write bool) bool {
	token := tokenOf(r)
	access := s.tokenAccess(token, repo)
	switch {
	case access == Unknown:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		msg := "Repository not found."
		if token != "" {
			msg = "Invalid username or token. Password authentication is not supported for Git operations."
		}
		http.Error(w, msg, http.StatusUnauthorized)
	case access == None || !s.exists(repo):
		http.Error(w, "Repository not found.", http.StatusNotFound)
	case write && access < Write:
		http.Error(w, "Write access to repository not granted.", http.StatusForbidden)
	default:
		return true
	}
	return false
}

func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	return ""
}

func (s *Server) tokenAccess(token, repo string) Access {
	if token == "" {
		return Unknown
	}
	if a := s.lookup(s.tokens, token, repo); a != Unknown || s.opt.TokenAccess == nil {
		return a
	}
	return s.opt.TokenAccess(token, repo)
}

func (s *Server) serveBackend(w http.ResponseWriter, r *http.Request, repo, action string) {
	body, err := spool(r)
	if err != nil {
		http.Error(w, "cannot read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	if body != nil {
		defer body.Close()
	}
	// CGI cuts the path into script and path info by Root, and git wants the .git.
	r.URL.Path = "/" + repo + ".git/" + action
	h := cgi.Handler{
		Path: s.http.backend,
		Root: "/",
		Dir:  s.opt.Dir,
		Env: append(gitrepo.Env(),
			"GIT_PROJECT_ROOT="+filepath.Join(s.opt.Dir, "repos"),
			"GIT_HTTP_EXPORT_ALL=1",
			"REMOTE_USER=git", // without it git refuses receive-pack
		),
	}
	h.ServeHTTP(w, r)
}

// spool puts a chunked body into a file, because CGI needs to know its length; git
// sends every push above 1 MiB in chunks.
func spool(r *http.Request) (io.Closer, error) {
	if r.ContentLength >= 0 {
		return nil, nil
	}
	f, err := os.CreateTemp("", "pvelab-git-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // the open file stays readable
	n, err := io.Copy(f, r.Body)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	r.Body, r.ContentLength, r.TransferEncoding = f, n, nil
	return f, nil
}

// cutResponse drops the connection after a number of bytes.
type cutResponse struct {
	http.ResponseWriter
	cut cutWriter
}

func (w *cutResponse) Write(p []byte) (int, error) {
	n, err := w.cut.Write(p)
	if err != nil {
		http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}
