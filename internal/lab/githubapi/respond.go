package githubapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// obj is a JSON object on its way to a client.
type obj = map[string]any

// reply is an answer before it is written.
type reply struct {
	status int
	header http.Header
	body   any
	raw    []byte // instead of body
}

func ok(body any) (*reply, error)      { return &reply{status: http.StatusOK, body: body}, nil }
func created(body any) (*reply, error) { return &reply{status: http.StatusCreated, body: body}, nil }
func noContent() (*reply, error)       { return &reply{status: http.StatusNoContent}, nil }

// apiError is an answer that refuses, in GitHub's form.
type apiError struct {
	status  int
	message string
	errors  []obj
	header  http.Header
	docs    string // page that explains it; default docs
}

func (e *apiError) Error() string { return e.message }

// docs is the page that GitHub's errors point to.
const docs = "https://docs.github.com/rest"

func (e *apiError) reply() *reply {
	body := obj{"message": e.message, "documentation_url": cmp.Or(e.docs, docs), "status": strconv.Itoa(e.status)}
	if e.errors != nil {
		body["errors"] = e.errors
	}
	return &reply{status: e.status, header: e.header, body: body}
}

func problem(status int, format string, args ...any) *apiError {
	return &apiError{status: status, message: fmt.Sprintf(format, args...)}
}

func notFound() *apiError { return problem(http.StatusNotFound, "Not Found") }

// invalid is a 422 about one field. GitHub's codes: missing, missing_field, invalid,
// already_exists, unprocessable, custom (docs.github.com, troubleshooting the REST API).
func invalid(resource, field, code, message string) *apiError {
	detail := obj{"resource": resource, "field": field, "code": code}
	if message != "" {
		detail["message"] = message
	}
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: []obj{detail}}
}

func (rep *reply) bytes() ([]byte, error) {
	if rep.raw != nil || rep.body == nil {
		return rep.raw, nil
	}
	return json.Marshal(rep.body)
}

// page cuts a list to the page that the request asks for, and sets the Link header.
// Pages start at 1; 30 entries are the default and 100 the most, more is cut silently.
func page[T any](c *call, list []T) ([]T, http.Header) {
	query := c.r.URL.Query()
	size := min(max(number(query, "per_page", 30), 1), 100)
	at := max(number(query, "page", 1), 1)
	last := max((len(list)+size-1)/size, 1)
	header := http.Header{}
	var rels []string
	add := func(rel string, n int) {
		query.Set("page", strconv.Itoa(n))
		query.Set("per_page", strconv.Itoa(size))
		rels = append(rels, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.links.api, c.r.URL.EscapedPath(), query.Encode(), rel))
	}
	if at > 1 {
		add("prev", at-1)
	}
	if at < last {
		add("next", at+1)
		add("last", last)
	}
	if at > 1 {
		add("first", 1)
	}
	if rels != nil {
		header.Set("Link", strings.Join(rels, ", "))
	}
	from := min((at-1)*size, len(list))
	return list[from:min(from+size, len(list))], header
}

func number(query url.Values, name string, fallback int) int {
	n, err := strconv.Atoi(query.Get(name))
	if err != nil {
		return fallback
	}
	return n
}

// paged answers one page of a list, each entry rendered.
func paged[T any](c *call, list []T, render func(T) obj) (*reply, error) {
	cut, header := page(c, list)
	return &reply{status: http.StatusOK, header: header, body: mapped(cut, render)}, nil
}

func mapped[T any](list []T, render func(T) obj) []obj {
	out := make([]obj, 0, len(list))
	for _, v := range list {
		out = append(out, render(v))
	}
	return out
}

// counted answers one page of a list inside an object that counts all of it.
func counted[T any](c *call, key string, list []T, render func(T) obj) (*reply, error) {
	cut, header := page(c, list)
	body := obj{"total_count": len(list), key: mapped(cut, render)}
	return &reply{status: http.StatusOK, header: header, body: body}, nil
}

// stamp renders a time as GitHub does; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// orNull renders an empty string as null.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
