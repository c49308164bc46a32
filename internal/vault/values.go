package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/org/appstack-action/internal/secret"
)

// entry is one value of a decrypted file.
type entry struct {
	name string // shop.deploy_key
	text string
	line int
}

// validName is how a secret may be called, so that ${secret.NAME} can refer to it.
var validName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// maxNesting bounds how deep the maps of a secrets file go.
const maxNesting = 20

// parseValues reads the YAML inside a secrets file. Its errors name lines and
// keys, and never a value.
func parseValues(plain []byte) ([]entry, error) {
	doc, err := parseYAML(plain)
	if err != nil || doc == nil {
		return nil, err
	}
	f := flattener{seen: map[string]int{}}
	f.mapping("", doc.Content[0])
	const shown = 10
	if n := len(f.errs); n > shown {
		f.errs = append(f.errs[:shown], fmt.Errorf("and %d more", n-shown))
	}
	if len(f.errs) > 0 {
		return nil, errors.Join(f.errs...)
	}
	return f.entries, nil
}

// parseYAML returns the document, or nil where there is nothing but comments.
func parseYAML(plain []byte) (*yaml.Node, error) {
	if !utf8.Valid(plain) {
		return nil, errors.New("it is not UTF-8 text")
	}
	limits := loaderlimits.New(loaderlimits.DepthValue(maxNesting), loaderlimits.AliasNone())
	loader, err := yaml.NewLoader(bytes.NewReader(plain), yaml.WithPlugin(limits))
	if err != nil {
		return nil, err
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF) || onlyComments(plain):
		return nil, nil
	case err != nil:
		return nil, discreet(err)
	}
	if err := loader.Load(&second); err == nil {
		return nil, fmt.Errorf("line %d: a second YAML document begins; only one is allowed", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, discreet(err)
	}
	return &doc, nil
}

func onlyComments(plain []byte) bool {
	for line := range bytes.Lines(plain) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}

// quoted matches what the YAML library repeats of the text in its messages, and its
// own marks, such as ',' and ']'.
var quoted = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`")

// unquoted leaves of a quotation no more than a mark.
func unquoted(quotation string) string {
	if len(quotation) <= len("'::'") {
		return quotation
	}
	return "…"
}

// discreet takes out of a YAML error what may be a secret.
func discreet(err error) error {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return errors.New("it is not valid YAML")
	}
	message := quoted.ReplaceAllStringFunc(load.Message, unquoted)
	if strings.Contains(load.Message, "anchor") || strings.Contains(load.Message, "alias") || strings.Contains(load.Message, "tag") {
		message = "a value that begins with *, & or ! has to be quoted"
	}
	if load.Mark.Line == 0 {
		return fmt.Errorf("it is not valid YAML: %s", message)
	}
	return fmt.Errorf("line %d: it is not valid YAML: %s", load.Mark.Line, message)
}

// flattener walks the nested maps of a document.
type flattener struct {
	entries []entry
	seen    map[string]int // the line of each name
	errs    []error
}

func (f *flattener) fail(n *yaml.Node, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...))
}

func (f *flattener) mapping(prefix string, m *yaml.Node) {
	if m.Kind != yaml.MappingNode {
		f.fail(m, "the file is no map of names to values, as in `name: value`")
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if key.Kind != yaml.ScalarNode || !validName.MatchString(prefix+key.Value) {
			f.fail(key, "a name may have letters, digits, _ and -")
			continue
		}
		f.value(prefix+key.Value, key, value)
	}
}

func (f *flattener) value(name string, key, value *yaml.Node) {
	if first, twice := f.seen[name]; twice {
		f.fail(key, "%s is there twice; the first is in line %d", name, first)
		return
	}
	f.seen[name] = key.Line
	switch value.Kind {
	case yaml.MappingNode:
		f.mapping(name+".", value)
	case yaml.ScalarNode:
		f.scalar(name, value)
	case yaml.SequenceNode:
		f.fail(value, "%s is a list; a secret is one text", name)
	default:
		f.fail(value, "the value of %s begins with *; quote it", name)
	}
}

func (f *flattener) scalar(name string, value *yaml.Node) {
	tag := value.ShortTag()
	if tag == "!!str" {
		f.entries = append(f.entries, entry{name, value.Value, value.Line})
		return
	}
	if tag == "!!null" {
		f.fail(value, "%s has no value; give it one, or take the line out", name)
		return
	}
	what, known := map[string]string{"!!int": "a number", "!!float": "a number", "!!bool": "a truth value", "!!timestamp": "a date"}[tag]
	if !known {
		what = "not text"
	}
	f.fail(value, "%s is %s for YAML; put the value in quotes", name, what)
}

// setValue returns the YAML with the named value set. Comments and order stay; a
// new name joins at the end of the deepest map that is there for it.
func setValue(plain []byte, name, text string) ([]byte, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for a secret: it may have letters, digits, _ and -, with dots between", name)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("the value of %s is not text; encode it, for example with base64", name)
	}
	if _, err := parseValues(plain); err != nil {
		return nil, err
	}
	doc, err := parseYAML(plain)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		doc = &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}, HeadComment: strings.TrimSpace(string(plain))}
	}
	if err := setIn(doc.Content[0], name, text); err != nil {
		return nil, err
	}
	return dump(doc, name, text)
}

// dump writes the document and makes sure that it says what it should.
func dump(doc *yaml.Node, name, text string) ([]byte, error) {
	out, err := yaml.Dump(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot write the value of %s as YAML", name)
	}
	entries, err := parseValues(out)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(entries, func(e entry) bool { return e.name == name && e.text == text }) {
		return nil, fmt.Errorf("the value of %s cannot be kept in YAML as it is; encode it, for example with base64", name)
	}
	return out, nil
}

func setIn(m *yaml.Node, name, text string) error {
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i].Value, m.Content[i+1]
		if key == name {
			if value.Kind != yaml.ScalarNode {
				return fmt.Errorf("%s is the name of a group of secrets, so it can have no value itself", name)
			}
			comments := [3]string{value.HeadComment, value.LineComment, value.FootComment}
			*value = *textNode(text)
			value.HeadComment, value.LineComment, value.FootComment = comments[0], comments[1], comments[2]
			return nil
		}
		if rest, below := strings.CutPrefix(name, key+"."); below {
			if value.Kind != yaml.MappingNode {
				return fmt.Errorf("%s is a secret itself, so %s can not be set", key, name)
			}
			return setIn(value, rest, text)
		}
	}
	key, rest, nested := strings.Cut(name, ".")
	value := textNode(text)
	if nested {
		value = &yaml.Node{Kind: yaml.MappingNode}
		if err := setIn(value, rest, text); err != nil {
			return err
		}
	}
	m.Content = append(m.Content, textNode(key), value)
	return nil
}

func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.Contains(text, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

// Secrets are the values of one or more files by their names. The zero Secrets
// are none.
type Secrets struct {
	values map[string]secret.Value
	files  map[string]string
}

// Get returns the value of a name such as shop.deploy_key.
func (s *Secrets) Get(name string) (secret.Value, bool) {
	v, ok := s.values[name]
	return v, ok
}

// File returns the file that the value of a name comes from.
func (s *Secrets) File(name string) string { return s.files[name] }

// Names returns all names in alphabetical order.
func (s *Secrets) Names() []string {
	names := make([]string, 0, len(s.values))
	for name := range s.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *Secrets) set(file string, e entry) {
	if s.values == nil {
		s.values, s.files = map[string]secret.Value{}, map[string]string{}
	}
	s.values[e.name], s.files[e.name] = secret.New(e.text), file
}
