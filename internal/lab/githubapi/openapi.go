//go:build !small

package githubapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Description is GitHub's own API description, against which requests and answers are
// held. Servers may share one. The nil description checks nothing.
type Description struct{ doc *openapi3.T }

// LoadDescription reads a description from a file in GitHub's published form
// (github.com/github/rest-api-description), whole or a part of it.
func LoadDescription(file string) (*Description, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot load GitHub's API description: %w", err)
	}
	// Some of GitHub's examples do not satisfy their own schema.
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("cannot use GitHub's API description %s: %w", file, err)
	}
	doc.Servers = openapi3.Servers{{URL: "/"}}
	return &Description{doc: doc}, nil
}

// undocumented are fields that GitHub takes and its description leaves out: go-github
// sends can_admins_bypass with every environment.
var undocumented = []string{"can_admins_bypass"}

// documented is a request's body without the undocumented fields.
func documented(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body
	}
	before := len(fields)
	for _, name := range undocumented {
		delete(fields, name)
	}
	if len(fields) == before {
		return body
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return out
}

// brief is the gist of kin-openapi's error, which else prints schema and value whole.
func brief(err error) string {
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		return "/" + strings.Join(schema.JSONPointer(), "/") + ": " + schema.Reason
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// ambiguous tells an answer that fits two alternatives of which the description wants
// exactly one, as its two forms of 409 for contents: the description's mistake.
func ambiguous(err error) bool {
	var schema *openapi3.SchemaError
	return errors.As(err, &schema) && strings.Contains(schema.Reason, "more than one schema")
}

// operation is the description of a route; nil when the description lacks it.
func (k *Description) operation(rt route) (*openapi3.PathItem, *openapi3.Operation) {
	item := k.doc.Paths.Value(rt.path)
	if item == nil {
		return nil, nil
	}
	return item, item.GetOperation(rt.method)
}

func (k *Description) input(c *call, rt route) *openapi3filter.RequestValidationInput {
	item, op := k.operation(rt)
	if op == nil {
		return nil
	}
	r := c.r.Clone(context.Background())
	r.Body = io.NopCloser(bytes.NewReader(documented(c.body)))
	r.Header.Set("Content-Type", "application/json") // GitHub reads any body as JSON
	params := map[string]string{}
	for _, name := range rt.params() {
		params[name] = cmp.Or(c.r.PathValue(name), ".") // contents/ is the root directory
	}
	return &openapi3filter.RequestValidationInput{
		Request:    r,
		PathParams: params,
		Route:      &routers.Route{Spec: k.doc, Server: k.doc.Servers[0], Path: rt.path, PathItem: item, Method: rt.method, Operation: op},
		Options: &openapi3filter.Options{
			SkipSettingDefaults:   true,
			IncludeResponseStatus: true,
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		},
	}
}

// request refuses what the description forbids, and notes parameters and fields that
// it does not know: GitHub ignores those silently, so they are always a mistake.
func (k *Description) request(c *call, rt route) error {
	if k == nil {
		return nil
	}
	in := k.input(c, rt)
	if in == nil {
		c.violate("request", "the description has no %s %s", rt.method, rt.path)
		return nil
	}
	if len(bytes.TrimSpace(c.body)) > 0 && !json.Valid(c.body) {
		c.violate("request", "the body is not JSON")
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	k.unknown(c, in.Route.Operation, in.Route.PathItem)
	err := openapi3filter.ValidateRequest(context.Background(), in)
	if err == nil {
		return nil
	}
	c.violate("request", "%s", brief(err))
	return problem(http.StatusUnprocessableEntity, "Invalid request.\n\n%s", explain(err))
}

// explain says what is wrong in the way that GitHub's validator does.
func explain(err error) string {
	var param *openapi3filter.RequestError
	if errors.As(err, &param) && param.Parameter != nil {
		return fmt.Sprintf("%q is not valid: %s", param.Parameter.Name, param.Reason)
	}
	var schema *openapi3.SchemaError
	if !errors.As(err, &schema) {
		return err.Error()
	}
	field := strings.Join(schema.JSONPointer(), "/")
	switch schema.SchemaField {
	case "required":
		return fmt.Sprintf("%q wasn't supplied.", field)
	case "type", "nullable":
		raw, _ := json.Marshal(schema.Value)
		return fmt.Sprintf("For 'properties/%s', %s is not %s.", field, strings.Replace(string(raw), "null", "nil", 1), typeName(schema.Schema))
	case "enum":
		return fmt.Sprintf("For 'properties/%s', %v is not a possible value.", field, schema.Value)
	}
	return fmt.Sprintf("For 'properties/%s', %s.", field, schema.Reason)
}

func typeName(s *openapi3.Schema) string {
	if s.Type == nil || len(*s.Type) == 0 {
		return "of the right type"
	}
	name := (*s.Type)[0]
	if strings.ContainsRune("aeio", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

func (k *Description) unknown(c *call, op *openapi3.Operation, item *openapi3.PathItem) {
	for name := range c.r.URL.Query() {
		if op.Parameters.GetByInAndName("query", name) == nil && item.Parameters.GetByInAndName("query", name) == nil {
			c.violate("unknown", "query parameter %q", name)
		}
	}
	if op.RequestBody == nil {
		return
	}
	media := op.RequestBody.Value.Content.Get("application/json")
	var body map[string]json.RawMessage
	if media == nil || json.Unmarshal(c.body, &body) != nil {
		return
	}
	known := fields(media.Schema.Value)
	for name, value := range body {
		if string(value) != "null" && !slices.Contains(known, name) && !slices.Contains(undocumented, name) {
			c.violate("unknown", "body field %q", name)
		}
	}
}

// fields lists the top-level properties of a schema and of its alternatives.
func fields(s *openapi3.Schema) []string {
	var out []string
	for name := range s.Properties {
		out = append(out, name)
	}
	for _, refs := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, ref := range refs {
			out = append(out, fields(ref.Value)...)
		}
	}
	return out
}

// response notes an answer that GitHub would not give. Refusals by credentials, limits
// and servers are left out of GitHub's description of most operations.
func (k *Description) response(c *call, rt route, rep *reply) {
	if k == nil || rep.raw != nil {
		return
	}
	in := k.input(c, rt)
	if in == nil {
		return
	}
	documented := in.Route.Operation.Responses.Status(rep.status) != nil
	if !documented && (rep.status == 400 || rep.status == 401 || rep.status == 403 || rep.status == 404 || rep.status == 422 || rep.status == 429 || rep.status >= 500) {
		return
	}
	raw, err := rep.bytes()
	if err == nil {
		err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in,
			Status:                 rep.status,
			Header:                 http.Header{"Content-Type": {"application/json; charset=utf-8"}},
			Body:                   io.NopCloser(bytes.NewReader(raw)),
			Options:                in.Options,
		})
	}
	if err != nil && !ambiguous(err) {
		c.violate("response", "%d: %s", rep.status, brief(err))
	}
}
