package pveapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// answer writes one response and keeps what the request log wants to know.
type answer struct {
	w      http.ResponseWriter
	r      *http.Request
	s      *Server
	start  time.Time
	who    identity
	path   string
	format string
	status int
	reason string
}

// Request is one line of the server's log of requests, for tests that count calls.
type Request struct {
	Method   string
	Path     string // below /api2/json
	Identity string // user@realm or user@realm!token; "" before a login
	Status   int
	Reason   string
	Took     time.Duration
}

// Requests returns what was asked since the start, or the last ResetRequests.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// ResetRequests empties the log of requests.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// maxRequests bounds the log in a lab that runs for days.
const maxRequests = 100_000

func (a *answer) record() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if len(a.s.requests) < maxRequests {
		path := a.path
		if path == "" {
			path = a.r.URL.Path
		}
		a.s.requests = append(a.s.requests, Request{a.r.Method, path, a.who.authuser, a.status, a.reason, time.Since(a.start)})
	}
	a.s.opt.Log.Debug("request", "method", a.r.Method, "path", a.path, "as", a.who.authuser, "status", a.status, "reason", a.reason)
}

func (a *answer) closing() *answer {
	a.w.Header().Set("Connection", "close")
	return a
}

// header writes the status line with Proxmox's own reason, where the connection can do that.
func (a *answer) header(status int, reason string) {
	a.status, a.reason = status, firstLine(reason)
	setReason(a.r, a.reason)
	a.w.WriteHeader(status)
}

// text answers without JSON and without a content type.
func (a *answer) text(status int, reason, body string) {
	a.w.Header()["Content-Type"] = nil
	a.header(status, reason)
	_, _ = a.w.Write([]byte(body))
}

// download is a method's result that is a file.
type download struct{ contentType, text string }

func (a *answer) ok(data any, total *int) {
	if d, ok := data.(download); ok {
		a.w.Header().Set("Content-Type", d.contentType)
		a.header(http.StatusOK, "OK")
		_, _ = a.w.Write([]byte(d.text))
		return
	}
	if u, ok := data.(upgrade); ok {
		a.status, a.reason = http.StatusSwitchingProtocols, "Switching Protocols"
		u.serve(a.w, a.r)
		return
	}
	switch a.format {
	case "html":
		a.page(data)
		return
	case "png":
		a.w.Header().Set("Content-Type", "image/png")
		a.header(http.StatusOK, "OK")
		return
	}
	body := map[string]any{"data": data}
	if total != nil {
		body["total"] = *total
	}
	if a.format == "extjs" {
		body["success"] = 1
	}
	a.json(http.StatusOK, "OK", body)
}

func (a *answer) fail(err error) {
	e, ok := err.(*apiError)
	if !ok {
		e = &apiError{status: http.StatusInternalServerError, msg: err.Error()}
	}
	if e.status == 595 {
		a.text(e.status, e.msg, "")
		return
	}
	body := map[string]any{"data": nil, "message": e.msg + e.tail()}
	if len(e.errs) > 0 {
		body["errors"] = e.errs
	}
	status := e.status
	if a.format == "extjs" {
		body["success"], body["status"] = 0, e.status
		status = http.StatusOK
	}
	a.json(status, e.msg, body)
}

func (a *answer) json(status int, reason string, body any) {
	a.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		a.s.opt.Log.Error("cannot encode an answer", "path", a.path, "err", err)
	}
	raw := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	a.w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
	a.header(status, reason)
	_, _ = a.w.Write(raw)
}

// page is the format html: the data as a person reads it.
func (a *answer) page(data any) {
	raw, _ := json.MarshalIndent(data, "", " ")
	a.w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	a.header(http.StatusOK, "OK")
	fmt.Fprintf(a.w, "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Proxmox VE API</title></head><body><pre>%s</pre></body></html>\n", raw)
}
