package githubapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// call is one request on its way through the API.
type call struct {
	*Server
	r          *http.Request
	links      links
	enterprise bool
	token      *Token
	repo       *repository
	body       []byte
	record     *Request
}

// maxBody is the largest request that is read, in bytes; GitHub's own limit is lower.
const maxBody = 32 << 20

// exchange answers one API request: faults, then the API, then the journal.
func (s *Server) exchange(enterprise bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rec := s.newRecord(r, enterprise, body)
		fault := s.takeFault(r)
		defer s.finish(rec)
		if rep := fault.before(r.Context(), rec); rep != nil {
			s.write(w, rec, rep)
			return
		}
		c := &call{Server: s, r: r, enterprise: enterprise, links: linksOf(r, enterprise), body: body, record: rec}
		rep := s.serve(c)
		if failed := fault.after(rec); failed != nil {
			rep = failed
		}
		s.write(w, rec, rep)
	})
}

// finish runs for dropped connections too.
func (s *Server) finish(rec *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.add(rec)
}

func (s *Server) write(w http.ResponseWriter, rec *Request, rep *reply) {
	raw, err := rep.bytes()
	if err != nil {
		s.opt.Log.Error("cannot encode an answer", "path", rec.Path, "err", err)
		rep, raw = &reply{status: http.StatusInternalServerError}, nil
	}
	rec.Status, rec.Response = rep.status, string(raw)
	h := w.Header()
	maps.Copy(h, rep.header)
	if h.Get("Content-Type") == "" && rep.status != http.StatusNoContent {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Request-Id", fmt.Sprintf("LAB:%d", rec.N))
	w.WriteHeader(rep.status)
	w.Write(raw)
	s.opt.Log.Debug("github", "method", rec.Method, "path", rec.Path, "status", rec.Status)
}

// serve finds the route and answers; whatever goes wrong becomes an answer too.
func (s *Server) serve(c *call) *reply {
	if c.r.UserAgent() == "" {
		return problem(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header").reply()
	}
	if v := c.r.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" && v != "2026-03-10" {
		return problem(http.StatusBadRequest, "%q is not a supported version.", v).reply()
	}
	defer s.lock()()
	rt, found := s.api.find(c.r)
	if !found {
		c.violate("unserved", "the look-alike does not serve %s %s", c.r.Method, c.r.URL.Path)
		return problem(http.StatusNotImplemented, "pvelab does not serve %s %s", c.r.Method, c.r.URL.Path).reply()
	}
	return s.answer(c, rt)
}

// answer is the life of a request on a known route.
func (s *Server) answer(c *call, rt route) *reply {
	rep, err := s.admit(c, rt)
	if rep == nil && err == nil {
		rep, err = rt.handle(c)
	}
	if err != nil {
		rep = c.failure(err)
	}
	s.decorate(c, rt, rep)
	s.description(c.enterprise).response(c, rt, rep)
	return rep
}

// admit checks in GitHub's order: credentials, limits, the repository, permissions, form.
func (s *Server) admit(c *call, rt route) (*reply, error) {
	if err := s.authenticate(c, rt); err != nil {
		return nil, err
	}
	if err := s.limits.admit(c, rt); err != nil {
		return nil, err
	}
	if strings.HasPrefix(rt.path, "/repos/") {
		if err := s.enter(c, rt); err != nil {
			return nil, err
		}
	}
	return nil, s.description(c.enterprise).request(c, rt)
}

func (s *Server) authenticate(c *call, rt route) error {
	value := bearer(c.r)
	if value == "" {
		if rt.public {
			return nil
		}
		if strings.HasPrefix(rt.path, "/repos/") {
			return notFound()
		}
		return problem(http.StatusUnauthorized, "Requires authentication")
	}
	c.token = s.state.Tokens[value]
	if c.token == nil {
		return problem(http.StatusUnauthorized, "Bad credentials")
	}
	c.record.Token = c.token.Kind
	return nil
}

// enter finds the repository and asks whether the token may do this there. What a
// token can't see does not exist for it.
func (s *Server) enter(c *call, rt route) error {
	name := c.r.PathValue("owner") + "/" + c.r.PathValue("repo")
	repo := s.state.Repos[name]
	if repo == nil {
		for other, r := range s.state.Repos { // GitHub's names ignore case
			if strings.EqualFold(other, name) {
				repo = r
			}
		}
	}
	if repo == nil || !c.token.sees(repo.Name) && !repo.Public {
		return notFound()
	}
	c.repo = repo
	if rt.demand.metBy(c.token) || repo.Public && rt.demand.level == "read" {
		return nil
	}
	refusal := c.token.refusal()
	refusal.header = http.Header{"X-Accepted-Github-Permissions": {rt.demand.String()}}
	return refusal
}

// failure turns an error into an answer: git's "not found" is a 404, the rest our bug.
func (c *call) failure(err error) *reply {
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		return refused.reply()
	case errors.Is(err, gitrepo.ErrNotFound):
		return notFound().reply()
	}
	c.opt.Log.Error("the GitHub look-alike failed", "path", c.r.URL.Path, "err", err)
	c.violate("internal", "%v", err)
	return problem(http.StatusInternalServerError, "Server Error").reply()
}

// decorate sets the headers that every answer of a token carries.
func (s *Server) decorate(c *call, rt route, rep *reply) {
	if rep.header == nil {
		rep.header = http.Header{}
	}
	if c.token == nil {
		return
	}
	s.limits.headers(c.token, c.Server.now(), rep.header)
	if c.token.Kind == ClassicPAT {
		rep.header.Set("X-OAuth-Scopes", strings.Join(slices.Sorted(maps.Keys(c.token.Permissions)), ", "))
	} else if rt.demand.level != "" {
		rep.header.Set("X-Accepted-GitHub-Permissions", rt.demand.String())
	}
}

// decode reads the request's JSON body; an empty body is an empty object.
func (c *call) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	err := json.Unmarshal(c.body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return problem(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'properties/%s', %s is not of the right type.", wrong.Field, wrong.Value)
	case err != nil:
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

// id reads a numeric parameter of the path; what is no number is not found.
func (c *call) id(name string) (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return n, nil
}

// url is an address below the call's repository.
func (c *call) url(format string, args ...any) string {
	return c.links.repo(c.repo.Name, format, args...)
}
