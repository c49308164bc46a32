package pveapi

import (
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// handler carries out one method. It runs with s.mu held.
type handler func(*call) (any, error)

type route struct {
	*schema.Method
	handle handler
}

// router finds a route by its path, segment by segment; a fixed segment wins over a
// placeholder, and {volume} takes the rest of the path.
type router struct {
	routes map[string]*route
	root   *node
}

type node struct {
	fixed  map[string]*node
	name   string // placeholder of the variable child
	child  *node
	verbs  map[string]*route
	greedy bool
}

func newRouter(methods []*schema.Method, handlers map[string]handler) (*router, error) {
	r := &router{routes: map[string]*route{}, root: &node{}}
	for _, m := range methods {
		key := m.Verb + " " + m.Path
		h, ok := handlers[key]
		if !ok {
			return nil, fmt.Errorf("%s has a table but no handler", key)
		}
		rt := &route{m, h}
		r.routes[key] = rt
		n := r.root.add(segments(m.Path))
		if n.verbs == nil {
			n.verbs = map[string]*route{}
		}
		n.verbs[m.Verb] = rt
	}
	for key := range handlers {
		if r.routes[key] == nil {
			return nil, fmt.Errorf("%s has a handler but no table", key)
		}
	}
	return r, nil
}

func segments(path string) []string {
	var out []string
	for _, s := range strings.Split(path, "/") {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (n *node) add(segs []string) *node {
	if len(segs) == 0 {
		return n
	}
	name, isVar := strings.CutPrefix(segs[0], "{")
	if !isVar {
		if n.fixed == nil {
			n.fixed = map[string]*node{}
		}
		if n.fixed[segs[0]] == nil {
			n.fixed[segs[0]] = &node{}
		}
		return n.fixed[segs[0]].add(segs[1:])
	}
	if n.child == nil {
		n.child = &node{}
		n.name = strings.TrimSuffix(name, "}")
	}
	n.child.greedy = n.name == "volume"
	return n.child.add(segs[1:])
}

// find returns the route and the values of its placeholders.
func (r *router) find(verb, path string) (*route, map[string]string) {
	vars := map[string]string{}
	n := r.root
	segs := segments(path)
	for i, seg := range segs {
		if next := n.fixed[seg]; next != nil {
			n = next
			continue
		}
		if n.child == nil {
			return nil, nil
		}
		if n.child.greedy {
			vars[n.name] = strings.Join(segs[i:], "/")
			n = n.child
			break
		}
		vars[n.name] = seg
		n = n.child
	}
	rt := n.verbs[verb]
	return rt, vars
}
