// Package gitserver serves the lab's repositories over SSH with deploy keys and over
// HTTP with tokens, as GitHub does: real bare repositories, the git program's own
// upload-pack and receive-pack, and GitHub's words when it says no.
//
// The caller gives the listeners, so a lab can serve its bridge and loopback at once.
package gitserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// Access is what a key or token may do with one repository.
type Access int

// The zero value refuses.
const (
	Unknown Access = iota // the credential itself is not known
	None                  // known, but not for this repository
	Read
	Write
)

// Options configure a [Server].
type Options struct {
	// Dir holds the host key and, below repos/, the repositories as owner/name.git.
	Dir string
	// TokenAccess answers for HTTP tokens that [Server.AddToken] does not know,
	// for example the tokens of the lab's GitHub API. Optional.
	TokenAccess func(token, repo string) Access
	Log         *slog.Logger // default: silent
}

// Server is the lab's git server. Make one with [New].
type Server struct {
	opt  Options
	host ssh.Signer
	http gitHTTP

	mu     sync.Mutex
	keys   map[string]map[string]Access // marshalled public key → repository → access
	tokens map[string]map[string]Access
	fault  Fault
	conns  map[net.Conn]struct{}
	closed bool
	lns    []net.Listener
	wg     sync.WaitGroup
}

// New prepares the directory and the persistent ed25519 host key, and knows the deploy
// keys of an earlier server in the same directory.
func New(opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Dir == "" {
		return nil, errors.New("cannot start the git server without a directory")
	}
	dir, err := filepath.Abs(opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot start the git server: %w", err)
	}
	opt.Dir = dir
	if err := os.MkdirAll(filepath.Join(dir, "repos"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the git server's directory: %w", err)
	}
	host, err := loadHostKey(filepath.Join(dir, "ssh_host_ed25519_key"))
	if err != nil {
		return nil, err
	}
	backend, err := newGitHTTP()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opt: opt, host: host, http: backend,
		keys: map[string]map[string]Access{}, tokens: map[string]map[string]Access{},
		conns: map[net.Conn]struct{}{},
	}
	return s, s.loadKeys()
}

var repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// Create makes the repository owner/name, empty with the branch main, and returns it.
// An existing repository stays as it is.
func (s *Server) Create(repo string) (gitrepo.Repo, error) {
	if !repoName.MatchString(repo) {
		return gitrepo.Repo{}, fmt.Errorf("cannot create repository %q: want owner/name", repo)
	}
	return gitrepo.Init(s.dir(repo))
}

// Repo returns the repository owner/name, which need not exist.
func (s *Server) Repo(repo string) gitrepo.Repo { return gitrepo.Repo{Dir: s.dir(repo)} }

func (s *Server) dir(repo string) string {
	return filepath.Join(s.opt.Dir, "repos", filepath.FromSlash(repo)+".git")
}

func (s *Server) exists(repo string) bool {
	if !repoName.MatchString(repo) {
		return false
	}
	_, err := os.Stat(filepath.Join(s.dir(repo), "HEAD"))
	return err == nil
}

// Commit writes files on top of a branch of a repository, which it creates when it is
// not there yet, and returns the commit's SHA. See [gitrepo.Repo.Write].
func (s *Server) Commit(repo, branch string, files gitrepo.Files, message string) (string, error) {
	r, err := s.Create(repo)
	if err != nil {
		return "", err
	}
	return r.Write(branch, files, message, gitrepo.CommitOptions{})
}

// AddToken lets an HTTP token read one more repository, or also write to it.
func (s *Server) AddToken(token, repo string, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[token] == nil {
		s.tokens[token] = map[string]Access{}
	}
	s.tokens[token][repo] = accessOf(write)
}

func accessOf(write bool) Access {
	if write {
		return Write
	}
	return Read
}

// lookup finds a credential's access to a repository in one of the two tables.
func (s *Server) lookup(table map[string]map[string]Access, id, repo string) Access {
	s.mu.Lock()
	defer s.mu.Unlock()
	repos, known := table[id]
	if !known {
		return Unknown
	}
	return max(repos[repo], None)
}

// Close ends the SSH listeners and every open SSH connection, and waits for them.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	var errs []error
	for _, ln := range s.lns {
		errs = append(errs, ln.Close())
	}
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return errors.Join(errs...)
}
