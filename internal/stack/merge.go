package stack

// merge lays over upon base: mappings key by key, anything else replaced,
// null removed. Either may be nil. What only one of them has is shared, not
// copied.
func merge(base, over *node) *node {
	switch {
	case over == nil:
		return base
	case over.isNull():
		return nil
	case over.kind != mapping:
		return over
	case base == nil || base.kind != mapping:
		return dropNulls(over)
	}
	out := *over
	out.pairs = make([]pair, 0, len(base.pairs)+len(over.pairs))
	for _, p := range base.pairs {
		if o := over.find(p.key.value); o != nil {
			p = pair{o.key, merge(p.value, o.value)}
		}
		if p.value != nil {
			out.pairs = append(out.pairs, p)
		}
	}
	for _, p := range over.pairs {
		if base.find(p.key.value) != nil {
			continue
		}
		if value := merge(nil, p.value); value != nil {
			out.pairs = append(out.pairs, pair{p.key, value})
		}
	}
	return &out
}

// dropNulls returns n without the keys whose value is null: there is nothing
// below that they could take away. Lists are left alone.
func dropNulls(n *node) *node {
	clean := true
	for _, p := range n.pairs {
		if p.value.isNull() || p.value.kind == mapping && dropNulls(p.value) != p.value {
			clean = false
		}
	}
	if clean {
		return n
	}
	out := *n
	out.pairs = make([]pair, 0, len(n.pairs))
	for _, p := range n.pairs {
		if p.value.isNull() {
			continue
		}
		if p.value.kind == mapping {
			p.value = dropNulls(p.value)
		}
		out.pairs = append(out.pairs, p)
	}
	return &out
}
