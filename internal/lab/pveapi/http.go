package pveapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// maxBody is what Proxmox's server takes as a request's body.
const maxBody = 512 * 1024

// call is one request on its way through a handler.
type call struct {
	*Server
	ctx   context.Context
	req   *http.Request
	route *route
	who   identity
	p     params
	total *int // result attribute "total"
}

// params are a request's parameters, already checked.
type params struct {
	schema.Values
	undef map[string]bool // given without a value
}

func (p params) str(name string) string {
	s, _ := p.Values[name].(string)
	return s
}

func (p params) has(name string) bool {
	_, ok := p.Values[name]
	return ok
}

func (p params) bool(name string) bool { return p.str(name) == "1" }

func (p params) int(name string, def int) int {
	if n, err := strconv.Atoi(p.str(name)); err == nil {
		return n
	}
	return def
}

func (p params) list(name string) []string { return schema.SplitList(p.str(name)) }

func (c *call) vmid() int    { return c.p.int("vmid", 0) }
func (c *call) node() string { return c.localNode(c.p.str("node")) }

// localNode resolves the name localhost as each node does.
func (s *Server) localNode(name string) string {
	if name == "localhost" {
		return s.opt.Nodes[0]
	}
	return name
}

// ServeHTTP answers one request as pveproxy and pvedaemon do together.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{w: w, r: r, s: s, start: time.Now()}
	defer a.record()
	if s.inject(a, "before") {
		return
	}
	h := w.Header()
	h.Set("Connection", "Keep-Alive")
	h.Set("Cache-Control", "max-age=0")
	h.Set("Pragma", "no-cache")
	h.Set("Server", "pve-api-daemon/3.0")
	h.Set("Expires", time.Now().UTC().Format(http.TimeFormat))
	if headerSize(r) > maxHeader {
		s.abort(a)
	}
	s.serve(a)
}

// maxHeader is where Proxmox's server hangs up without an answer.
const maxHeader = 8 << 10

func headerSize(r *http.Request) int {
	n := 0
	for k, vs := range r.Header {
		for _, v := range vs {
			n += len(k) + len(v) + 4
		}
	}
	return n
}

func (s *Server) serve(a *answer) {
	r := a.r
	switch r.Method {
	case "GET", "POST", "PUT", "DELETE":
	default:
		a.closing().text(http.StatusNotImplemented, fmt.Sprintf("method '%s' not available", r.Method), "")
		return
	}
	format, path, ok := splitFormat(r.URL.EscapedPath())
	if !ok {
		s.outside(a)
		return
	}
	if (r.Method == "GET" || r.Method == "DELETE") && r.ContentLength != 0 {
		msg := fmt.Sprintf("Unexpected content for method '%s'", r.Method)
		a.closing().text(http.StatusNotImplemented, msg, msg)
		return
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		a.text(http.StatusBadRequest, "bad request", "")
		return
	}
	path = cleanPath(path)
	a.path = path
	rt, vars := s.router.find(r.Method, path)
	who, err := s.authenticate(r, rt)
	a.who = who
	if err != nil {
		s.refuse(a, err)
		return
	}
	vals, err := readParams(r)
	if err != nil {
		var e *apiError
		errors.As(err, &e)
		a.text(e.status, e.msg, e.msg+e.tail())
		return
	}
	s.dispatch(a, format, path, rt, vars, vals)
}

// tail is the newline that a Perl exception ends in.
func (e *apiError) tail() string {
	if e.raw {
		return ""
	}
	return "\n"
}

func (s *Server) dispatch(a *answer, format, path string, rt *route, vars map[string]string, vals params) {
	if format != "json" && format != "extjs" && format != "html" && format != "png" {
		msg := fmt.Sprintf("no formatter for uri %s, %s", path, format)
		a.text(http.StatusNotImplemented, msg, msg)
		return
	}
	a.format = format
	if rt == nil {
		s.opt.Log.Warn("path not served", "method", a.r.Method, "path", path)
		a.fail(notImplemented(a.r.Method, path))
		return
	}
	data, total, err := s.run(a, rt, vars, vals)
	if s.inject(a, "after") {
		return
	}
	if err != nil {
		a.fail(err)
		return
	}
	a.ok(data, total)
}

// run does what Proxmox does between the wire and a method's code, in its order: conflicts
// with the path, privileges, the node, the schema.
func (s *Server) run(a *answer, rt *route, vars map[string]string, vals params) (any, *int, error) {
	for k, v := range vars {
		if old, ok := vals.Values[k]; ok && old != v {
			return nil, nil, paramError(k, "duplicate parameter (already defined in URI) with conflicting values!")
		}
		vals.Values[k] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Server: s, ctx: context.WithoutCancel(a.r.Context()), req: a.r, route: rt, who: a.who, p: vals}
	if err := c.checkPerm(rt.Perm); err != nil {
		return nil, nil, err
	}
	if node, ok := vars["node"]; ok {
		if err := s.checkNode(node); err != nil {
			return nil, nil, err
		}
	}
	rt.Params.JoinLists(vals.Values)
	if errs := rt.Verify(vals.Values); len(errs) > 0 {
		return nil, nil, paramErrors(errs)
	}
	data, err := rt.handle(c)
	if a.r.Method != "GET" {
		if serr := s.save(); serr != nil {
			s.opt.Log.Error("state not saved", "err", serr)
		}
	}
	return data, c.total, err
}

// checkNode fails as the proxying node does for another that is not there.
func (s *Server) checkNode(name string) error {
	if name == "localhost" {
		return nil
	}
	for _, n := range s.opt.Nodes {
		if n == name && !s.offline[n] {
			return nil
		}
		if n == name {
			return &apiError{status: 595, msg: "No route to host", raw: true}
		}
		if strings.EqualFold(n, name) {
			return &apiError{status: 595, msg: "Connection refused", raw: true}
		}
	}
	return fail("hostname lookup '%s' failed - failed to get address info for: %s: Name or service not known", name, name)
}

// splitFormat cuts /api2/FORMAT off a path.
func splitFormat(path string) (format, rest string, ok bool) {
	p, ok := strings.CutPrefix(path, "/api2/")
	if !ok {
		return "", "", false
	}
	format, rest, _ = strings.Cut(p, "/")
	if format == "" || strings.ToLower(format) != format {
		return "", "", false
	}
	return format, "/" + rest, true
}

func cleanPath(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if len(p) > 1 {
		p = strings.TrimSuffix(p, "/")
	}
	return p
}

// outside answers paths that are not the API's.
func (s *Server) outside(a *answer) {
	path := a.r.URL.Path
	switch {
	case strings.HasPrefix(path, "/api2"):
		a.text(http.StatusNotImplemented, "no such uri", "no such uri")
	case path == "/":
		msg := "file error - /usr/share/pve-manager/index.html.tpl: not found"
		a.text(http.StatusInternalServerError, msg, msg+"\n")
	default:
		msg := fmt.Sprintf("no such file '%s'", path)
		a.text(http.StatusInternalServerError, msg, msg+"\n")
	}
}

// readParams takes the query and the body.
func readParams(r *http.Request) (params, error) {
	p := params{Values: schema.Values{}, undef: map[string]bool{}}
	p.form(r.URL.RawQuery)
	if r.Method == "GET" || r.Method == "DELETE" {
		return p, nil
	}
	if r.ContentLength > maxBody {
		return p, &apiError{status: http.StatusNotImplemented, msg: "for data too large", raw: true}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return p, &apiError{status: http.StatusNotImplemented, msg: "for data too large", raw: true}
	}
	ct := r.Header.Get("Content-Type")
	switch kind, _, _ := strings.Cut(ct, ";"); {
	case ct == "" || kind == "application/x-www-form-urlencoded" || len(body) == 0:
		p.form(string(body))
		return p, nil
	case kind == "application/json":
		return p, p.json(body)
	}
	return p, &apiError{status: 506, msg: fmt.Sprintf("upload 'Content-Type '%s' not implemented", ct), raw: true}
}

// form reads a=1&b=2 as Proxmox does: ';' separates, too, bad escapes stay as they are, a
// name without '=' is given but undefined, a name given twice makes a list.
func (p params) form(s string) {
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == '&' || r == ';' }) {
		k, v, hasValue := strings.Cut(part, "=")
		k, v = unescape(k), unescape(v)
		if !hasValue {
			p.undef[k] = true
			continue
		}
		switch old := p.Values[k].(type) {
		case string:
			p.Values[k] = schema.List{old, v}
			continue
		case schema.List:
			p.Values[k] = append(old, v)
			continue
		}
		p.Values[k] = v
	}
	if v, ok := p.Values[""]; ok {
		delete(p.Values, "")
		p.Values["_root"] = v
	}
}

func unescape(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return validUTF8(b.String())
}

// validUTF8 replaces each byte that is no UTF-8.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // yields U+FFFD for each bad byte
		b.WriteRune(r)
	}
	return b.String()
}

func (p params) json(body []byte) error {
	var raw any
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	if err := dec.Decode(&raw); err != nil {
		at := len(body)
		return &apiError{status: http.StatusInternalServerError, msg: fmt.Sprintf(`malformed JSON string, neither tag, array, object, number, string or atom, at character offset %d (before "(end of string)") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934.`, at)}
	}
	obj, ok := raw.(map[string]any)
	if !ok {
		return &apiError{status: http.StatusInternalServerError, msg: "Not a HASH reference at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 978."}
	}
	for k, v := range obj {
		p.setJSON(k, v)
	}
	return nil
}

func (p params) setJSON(k string, v any) {
	switch v := v.(type) {
	case nil:
		p.undef[k] = true
	case bool:
		p.Values[k] = "0"
		if v {
			p.Values[k] = "1"
		}
	case json.Number:
		p.Values[k] = v.String()
	case string:
		p.Values[k] = v
	case []any:
		list := schema.List{}
		for _, e := range v {
			list = append(list, fmt.Sprint(e))
		}
		p.Values[k] = list
	default:
		p.Values[k] = schema.Composite("HASH")
	}
}
