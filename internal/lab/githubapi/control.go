package githubapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Control serves what a test or a person outside the process may do to the look-alike:
//
//	GET    /requests             the journal
//	GET    /violations           what did not fit GitHub's API description
//	DELETE /journal              forget both
//	POST   /faults               inject a fault; durations are strings such as "1.5s"
//	DELETE /faults               end all faults
//	POST   /tokens               make a token valid
//	POST   /pulls                open a pull request; answers its number
//	POST   /pulls/{number}/merge and /pulls/{number}/close
//	POST   /runs                 file a workflow run; answers its ID
//
// The last three take the repository from the query: ?repo=owner/name. Control asks for
// no credentials: serve it on loopback only.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.Requests(), nil) })
	mux.HandleFunc("GET /violations", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.Violations(), nil) })
	mux.HandleFunc("DELETE /journal", func(w http.ResponseWriter, _ *http.Request) { s.ResetJournal(); answerJSON(w, obj{}, nil) })
	mux.HandleFunc("POST /faults", s.controlFault)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, obj{"ended": s.ClearFaults()}, nil) })
	mux.HandleFunc("POST /tokens", s.controlToken)
	mux.HandleFunc("POST /pulls", s.controlPull)
	mux.HandleFunc("POST /pulls/{number}/{verb}", s.controlEnd)
	mux.HandleFunc("POST /runs", s.controlRun)
	return mux
}

func answerJSON(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		v = obj{"error": err.Error()}
	}
	json.NewEncoder(w).Encode(v)
}

// read takes a JSON body strictly: a misspelt field would be a fault that never comes.
func read(r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// span is a duration that JSON writes as a string.
type span time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *span) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = span(v)
	return err
}

func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Method, PathGlob, Limit          string
		Count, Status                    int
		DropBefore, DropAfter, AfterFact bool
		Delay, RetryAfter                span
	}
	err := read(r, &in)
	if err == nil {
		s.Inject(Fault{
			Method: in.Method, PathGlob: in.PathGlob, Count: in.Count, Status: in.Status, Limit: in.Limit, AfterFact: in.AfterFact,
			DropBefore: in.DropBefore, DropAfter: in.DropAfter, Delay: time.Duration(in.Delay), RetryAfter: time.Duration(in.RetryAfter),
		})
	}
	answerJSON(w, obj{}, err)
}

func (s *Server) controlToken(w http.ResponseWriter, r *http.Request) {
	var t Token
	err := read(r, &t)
	if err == nil {
		s.AddToken(t)
	}
	answerJSON(w, obj{}, err)
}

func (s *Server) controlPull(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title, Body, Author, Head, Base, HeadRepo string
		Draft                                     bool
	}
	if err := read(r, &in); err != nil {
		answerJSON(w, nil, err)
		return
	}
	n, err := s.OpenPull(r.URL.Query().Get("repo"), Pull{
		Title: in.Title, Body: in.Body, Author: in.Author, Head: in.Head, Base: in.Base, HeadRepo: in.HeadRepo, Draft: in.Draft,
	})
	answerJSON(w, obj{"number": n}, err)
}

func (s *Server) controlEnd(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("number"))
	repo := r.URL.Query().Get("repo")
	switch verb := r.PathValue("verb"); {
	case err != nil:
	case verb == "merge":
		err = s.MergePull(repo, n, "octocat")
	case verb == "close":
		err = s.ClosePull(repo, n)
	default:
		http.NotFound(w, r)
		return
	}
	answerJSON(w, obj{}, err)
}

func (s *Server) controlRun(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name, Event, Branch, SHA string
		Jobs, Pending            []string
	}
	if err := read(r, &in); err != nil {
		answerJSON(w, nil, err)
		return
	}
	run := Run{Name: in.Name, Event: in.Event, Branch: in.Branch, SHA: in.SHA, Pending: in.Pending}
	for _, name := range in.Jobs {
		run.Jobs = append(run.Jobs, Job{Name: name})
	}
	id, err := s.AddRun(r.URL.Query().Get("repo"), run)
	answerJSON(w, obj{"id": id}, err)
}
