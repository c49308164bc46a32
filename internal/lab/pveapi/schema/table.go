// Package schema holds what Proxmox VE says about its API methods: path, privileges and
// parameters, and checks a request's parameters with Proxmox's error texts.
//
// Methods are written in a small notation, parsed by [Parse]:
//
//	PUT /nodes/{node}/lxc/{vmid}/resize       a method and its path
//	  (perm /vms/{vmid} VM.Config.Disk)       what its caller must be allowed, see [ParsePerm]
//	  @guest                                  a fragment of parameters, defined elsewhere
//	  disk string enum=rootfs,mp0..mp255      a parameter, its type and limits
//	  digest? string maxlen=40                ? means optional
//	@guest                                    defines a fragment
//	  vmid integer min=100 fmt=pve-vmid
//	#lxc-unused                               defines a property string
//	  volume string fmt=pve-volume-id default-key
//
// A name such as net[0..31] stands for 32 parameters. since=9.2 and until=9.1 limit a
// parameter to releases of Proxmox VE. re= takes the rest of the line.
package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Param is one parameter of a method, or one key of a property string.
type Param struct {
	Name       string // as declared; net[n] for an indexed one
	Base       string // name without the index, "" if it has none
	Last       int    // highest index of an indexed parameter
	Type       string // string, integer, number, boolean, array or "" for an alias
	Optional   bool
	Min, Max   *float64
	MinLen     *int
	MaxLen     *int
	Format     string // named format, as Proxmox calls it
	Props      Object // keys of a property string
	Enum       []string
	Requires   string // another parameter that must then be given
	DefaultKey bool   // the key of a value without one
	Alias      string // another name of that key
	KeyAlias   string // the key that takes this name as its value (net0's model)
	Pattern    string // Proxmox's regular expression, for the value as a whole
	re         *regexp.Regexp
	since      string
	until      string
}

// Object is a set of parameters by name. Indexed ones are stored once, under "net[n]".
type Object map[string]*Param

// Method is one method of the API.
type Method struct {
	Verb   string
	Path   string // with {placeholders}
	Perm   *Perm
	Params Object
	Open   bool // takes parameters that are not declared
}

// Parse reads tables of methods for one release of Proxmox VE ("9.2").
func Parse(release string, tables ...string) ([]*Method, error) {
	p := parser{release: release, fragments: map[string]Object{}, objects: map[string]Object{}}
	lines := strings.Split(strings.Join(tables, "\n"), "\n")
	if err := p.shared(lines); err != nil {
		return nil, err
	}
	if err := p.methodsOf(lines); err != nil {
		return nil, err
	}
	return p.methods, nil
}

type parser struct {
	release   string
	fragments map[string]Object
	objects   map[string]Object
	methods   []*Method
}

// shared reads the objects, then the fragments, so that fragments may use any object.
func (p *parser) shared(lines []string) error {
	for _, sign := range []string{"#", "@"} {
		into := p.objects
		if sign == "@" {
			into = p.fragments
		}
		var cur Object
		for _, line := range lines {
			switch {
			case strings.HasPrefix(line, " "):
				if cur == nil {
					continue
				}
				if err := p.add(cur, strings.TrimSpace(line)); err != nil {
					return err
				}
			case strings.HasPrefix(line, sign):
				cur = Object{}
				into[line[1:]] = cur
			default:
				cur = nil
			}
		}
	}
	return nil
}

func (p *parser) methodsOf(lines []string) error {
	var m *Method
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if !strings.HasPrefix(line, " ") {
			verb, path, ok := strings.Cut(line, " ")
			if m = nil; ok {
				m = &Method{Verb: verb, Path: path, Params: Object{}}
				p.methods = append(p.methods, m)
			}
			continue
		}
		if m == nil {
			continue
		}
		if err := p.methodLine(m, strings.TrimSpace(line)); err != nil {
			return fmt.Errorf("%s %s: %w", m.Verb, m.Path, err)
		}
	}
	return nil
}

func (p *parser) methodLine(m *Method, line string) (err error) {
	switch {
	case m.Perm == nil:
		m.Perm, err = ParsePerm(line)
		return err
	case line == "*":
		m.Open = true
		return nil
	case !strings.HasPrefix(line, "@"):
		return p.add(m.Params, line)
	}
	for _, name := range strings.Fields(line) {
		f, ok := p.fragments[name[1:]]
		if !ok {
			return fmt.Errorf("no fragment %s", name)
		}
		for k, v := range f {
			m.Params[k] = v
		}
	}
	return nil
}

func (p *parser) add(o Object, line string) error {
	q, err := p.param(line)
	if err != nil {
		return fmt.Errorf("%q: %w", line, err)
	}
	if (q.since == "" || q.since <= p.release) && (q.until == "" || p.release <= q.until) {
		o[q.Name] = q
	}
	return nil
}

func (p *parser) param(line string) (*Param, error) {
	line, pattern, hasRE := strings.Cut(line, " re=")
	f := strings.Fields(line)
	if len(f) < 2 {
		return nil, fmt.Errorf("name and type expected")
	}
	q := &Param{Name: f[0], Type: f[1]}
	if q.Type == "-" {
		q.Type = ""
	}
	q.Name, q.Optional = strings.CutSuffix(q.Name, "?")
	if base, rng, ok := strings.Cut(q.Name, "[0.."); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(rng, "]"))
		if err != nil {
			return nil, err
		}
		q.Base, q.Last, q.Name = base, n, base+"[n]"
	}
	for _, a := range f[2:] {
		if err := p.attr(q, a); err != nil {
			return nil, err
		}
	}
	if hasRE {
		re, err := regexp.Compile(perlRE(pattern))
		if err != nil {
			return nil, err
		}
		q.Pattern, q.re = pattern, re
	}
	return q, nil
}

func (p *parser) attr(q *Param, a string) (err error) {
	key, val, _ := strings.Cut(a, "=")
	switch key {
	case "min":
		q.Min, err = float(val)
	case "max":
		q.Max, err = float(val)
	case "minlen":
		q.MinLen, err = integer(val)
	case "maxlen":
		q.MaxLen, err = integer(val)
	case "fmt":
		q.Format = val
		q.Props = p.objects[val] // nil for most: not every format is a property string
	case "props":
		if q.Props = p.objects[val]; q.Props == nil {
			return fmt.Errorf("no object #%s", val)
		}
	case "enum":
		q.Enum = expand(val)
	case "requires":
		q.Requires = val
	case "default-key":
		q.DefaultKey = true
	case "alias":
		q.Alias = val
	case "keyalias":
		q.KeyAlias = val
	case "since":
		q.since = val
	case "until":
		q.until = val
	default:
		return fmt.Errorf("unknown attribute %q", a)
	}
	return err
}

func float(s string) (*float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	return &v, err
}

func integer(s string) (*int, error) {
	v, err := strconv.Atoi(s)
	return &v, err
}

var rangeRE = regexp.MustCompile(`^([a-z]+)(\d+)\.\.([a-z]+)(\d+)$`)

// maxRange is the longest range in a list.
const maxRange = 1 << 12

// expand turns "rootfs,mp0..mp2" into its members.
func expand(list string) []string {
	var out []string
	for _, e := range strings.Split(list, ",") {
		m := rangeRE.FindStringSubmatch(e)
		if m == nil {
			out = append(out, e)
			continue
		}
		lo, _ := strconv.Atoi(m[2])
		hi, _ := strconv.Atoi(m[4])
		for i := lo; i <= min(hi, lo+maxRange); i++ {
			out = append(out, m[1]+strconv.Itoa(i))
		}
	}
	return out
}

// bigCount is a repetition that Go's regexp does not count (more than a thousand).
var bigCount = regexp.MustCompile(`\{0,\d{4,}\}`)

// perlRE makes Go's regexp take a Perl pattern: (?^:…) is a group without flags there,
// and the value must match as a whole.
func perlRE(s string) string {
	s = bigCount.ReplaceAllString(s, "*")
	s = strings.ReplaceAll(s, "(?^:", "(?:")
	s = strings.ReplaceAll(s, `\0`, `\x00`)
	return "^(?:" + s + ")\n?$"
}

// Lookup finds the parameter that declares name, an index included ("net3").
func (o Object) Lookup(name string) (*Param, bool) {
	if p, ok := o[name]; ok && p.Base == "" {
		return p, true
	}
	base := strings.TrimRight(name, "0123456789")
	if base == name || base == "" {
		return nil, false
	}
	p, ok := o[base+"[n]"]
	if !ok {
		return nil, false
	}
	idx := name[len(base):]
	n, err := strconv.Atoi(idx)
	if err != nil || n > p.Last || (len(idx) > 1 && idx[0] == '0') {
		return nil, false
	}
	return p, true
}
