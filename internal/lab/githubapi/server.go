// Package githubapi is a stateful look-alike of GitHub: the part of its REST API that a
// deployment needs, and pages that show a pull request as a person would see it there.
//
// It is made for tests and for pvelab, so it is strict where GitHub is strict: tokens
// have a kind and permissions, comments end at 65,536 characters, limits answer 403 or
// 429, deployments conflict with pending checks. Branches, commits and files are not
// invented: they are read from the bare repositories that the lab's git server serves.
//
// When the description file of GitHub's API is there ([Options.OpenAPI]), every request
// and every response is checked against it. What does not fit is answered as GitHub
// would answer it and kept in [Server.Violations], which a test expects to be empty.
// A path that the look-alike does not serve answers 501 and is a violation too.
package githubapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options configure a [Server]; the zero value works.
type Options struct {
	// OpenAPI and OpenAPIEnterprise are files with GitHub's API description, for
	// github.com and for GitHub Enterprise Server. Empty: not checked.
	OpenAPI, OpenAPIEnterprise string
	// Description and DescriptionEnterprise are the same, loaded already by
	// [LoadDescription]: for tests, which make many servers. They win over the files.
	Description, DescriptionEnterprise *Description
	// Dir keeps the state over a restart, in the file github.json. Empty: memory only.
	Dir string
	// SecondaryPerMinute is how many content-creating requests a token may make in a
	// minute; default 80 (docs.github.com, rate limits for the REST API).
	SecondaryPerMinute int
	Now                func() time.Time // default: time.Now
	Log                *slog.Logger     // default: silent
}

// Server is the look-alike. It serves the API at / as api.github.com does and at
// /api/v3/ as GitHub Enterprise Server does, and its pages beside it.
type Server struct {
	opt     Options
	api     table
	pages   *http.ServeMux
	markup  *markup
	mu      sync.Mutex // guards everything below
	state   state
	limits  limits
	journal journal
	faults  []*Fault
}

// New makes a server and loads the state that an earlier one left in Options.Dir.
func New(opt Options) (*Server, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.SecondaryPerMinute == 0 {
		opt.SecondaryPerMinute = 80
	}
	err := opt.load()
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, markup: newMarkup(), limits: newLimits()}
	if s.state, err = loadState(opt.Dir); err != nil {
		return nil, err
	}
	s.api = newTable()
	s.pages = s.newPages()
	return s, nil
}

// load reads the description files that are named and not loaded yet.
func (o *Options) load() (err error) {
	if o.Description == nil && o.OpenAPI != "" {
		if o.Description, err = LoadDescription(o.OpenAPI); err != nil {
			return err
		}
	}
	if o.DescriptionEnterprise == nil && o.OpenAPIEnterprise != "" {
		o.DescriptionEnterprise, err = LoadDescription(o.OpenAPIEnterprise)
	}
	return err
}

func (s *Server) description(enterprise bool) *Description {
	if enterprise {
		return s.opt.DescriptionEnterprise
	}
	return s.opt.Description
}

// enterprisePrefix is where GitHub Enterprise Server serves its API.
const enterprisePrefix = "/api/v3"

// ServeHTTP serves the API and the pages.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, enterprise := strings.CutPrefix(r.URL.Path, enterprisePrefix)
	switch {
	case enterprise && (path == "" || path[0] == '/'):
		http.StripPrefix(enterprisePrefix, s.exchange(true)).ServeHTTP(w, r)
	case isAPI(r.URL.Path):
		s.exchange(false).ServeHTTP(w, r)
	default:
		s.pages.ServeHTTP(w, r)
	}
}

func isAPI(path string) bool {
	switch root, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); root {
	case "repos", "user", "users", "rate_limit", "meta", "orgs", "app", "installation", "graphql", "search":
		return true
	}
	return false
}

// links makes the URLs of one request's answers: they lead where the client came from.
type links struct {
	web string // https://github.com
	api string // https://api.github.com, or web + /api/v3
}

func linksOf(r *http.Request, enterprise bool) links {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	l := links{web: scheme + "://" + r.Host}
	l.api = l.web
	if enterprise {
		l.api += enterprisePrefix
	}
	return l
}

func (l links) repo(name, format string, args ...any) string {
	return l.api + "/repos/" + name + fmt.Sprintf(format, args...)
}

func (s *Server) now() time.Time { return s.opt.Now().UTC().Truncate(time.Second) }

// lock guards the state; the function that it returns saves it and unlocks.
func (s *Server) lock() func() {
	s.mu.Lock()
	return func() {
		if err := s.state.save(s.opt.Dir); err != nil {
			s.opt.Log.Error("cannot keep the state of the GitHub look-alike", "err", err)
		}
		s.mu.Unlock()
	}
}
