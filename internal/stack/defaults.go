package stack

import (
	"slices"
	"strings"
)

// preset is one row of the table of defaults.
type preset struct {
	// path of the key. `*` stands for every name or item; a part that ends
	// in `?` must be in the file for the row to count; other parts are made.
	path string
	// value is what stands there when the file has nothing. A leading `=`
	// takes the value of another path of the same settings instead, and what
	// stands after a `+` is appended to it.
	value string
	// only is a condition "path=value" for the row to count, if not empty.
	only string
}

// settingsPresets are the built-in defaults of an environment, in order:
// later rows see what earlier ones filled in. Those of the app are the
// Ansible repository's, those of the guest are what Proxmox's own dialog
// proposes.
var settingsPresets = []preset{
	{path: "name", value: "${project}-${env}"},
	{path: "restart", value: "auto"},
	{path: "protected", value: "false"},

	{path: "guest.type", value: "lxc"},
	{path: "guest.template", value: "debian-12-standard", only: "guest.type=lxc"},
	{path: "guest.node", value: "auto"},
	{path: "guest.cores", value: "1"},
	{path: "guest.memory", value: "512"},
	{path: "guest.swap", value: "512", only: "guest.type=lxc"},
	{path: "guest.storage", value: "local-lvm"},
	{path: "guest.disk", value: "8"},
	{path: "guest.bridge", value: "vmbr0"},
	{path: "guest.firewall", value: "true"},
	{path: "guest.start", value: "true"},
	{path: "guest.onboot", value: "true"},
	{path: "guest.protection", value: "=protected"},
	{path: "guest.unprivileged", value: "true", only: "guest.type=lxc"},
	{path: "guest.nesting", value: "true", only: "guest.type=lxc"},
	{path: "guest.mounts?.*.storage", value: "=guest.storage"},
	{path: "guest.sockets", value: "1", only: "guest.type=kvm"},
	{path: "guest.cpu", value: "x86-64-v2-AES", only: "guest.type=kvm"},
	{path: "guest.agent", value: "true", only: "guest.type=kvm"},
	{path: "guest.balloon", value: "=guest.memory", only: "guest.type=kvm"},

	{path: "base.user", value: "appuser"},
	{path: "base.ufw", value: "true"},
	{path: "base.firewall?.*.protocol", value: "tcp"},
	{path: "base.sshd.password_authentication", value: "false"},
	{path: "base.sshd.permit_root_login", value: "prohibit-password"},
	{path: "base.sshd.x11_forwarding", value: "false"},
	{path: "base.sshd.allow_tcp_forwarding", value: "true"},
	{path: "base.sshd.allow_agent_forwarding", value: "false"},
	{path: "base.sshd.max_auth_tries", value: "6"},
	{path: "base.unattended_upgrades", value: "true"},
	{path: "base.journal_size", value: "200M"},

	{path: "app?.dir", value: "/srv/app"},
	{path: "app?.env_file", value: "=app.dir+/.env.${env}"},
	{path: "app?.keep_releases", value: "5"},
	{path: "app?.services?.backend?.port", value: "3001"},
	{path: "app?.services?.frontend?.port", value: "3000"},
	{path: "app?.services?.*.dir", value: "."},
	{path: "app?.services?.*.build", value: "npm ci && npm run build --if-present", only: "app.runtime=node"},
	{path: "app?.services?.backend?.migrate", value: "npm run migrate --if-present", only: "app.runtime=node"},
	{path: "app?.services?.*.start", value: "npm start", only: "app.runtime=node"},
	{path: "app?.services?.*.user", value: "=base.user"},
	{path: "app?.services?.*.restart", value: "always"},
	{path: "app?.services?.*.public", value: "true"},
	{path: "app?.services?.*.health?.timeout", value: "1m"},
	{path: "app?.node_source?.suite", value: "nodistro"},
	{path: "app?.node_source?.components", value: "main"},
	{path: "app?.postgres?.database", value: "${project}"},
	{path: "app?.postgres?.user", value: "=app.postgres.database"},
	{path: "app?.postgres?.owner", value: "=app.postgres.user"},
	{path: "app?.postgres?.encoding", value: "UTF8"},
	{path: "app?.postgres?.backup?.keep", value: "7"},
	{path: "app?.postgres?.backup?.schedule", value: "0 3 * * *"},
	{path: "app?.postgres?.backup?.dir", value: "/var/backups/postgresql"},
	{path: "app?.cron?.*.user", value: "=base.user"},
	{path: "app?.cron?.*.timeout", value: "1h"},
	{path: "app?.smtp?.port", value: "587"},
	{path: "app?.smtp?.tls", value: "starttls"},
}

// documentPresets are the built-in defaults of the keys that concern all
// environments.
var documentPresets = []preset{
	{path: "proxmox?.node", value: "auto"},
	{path: "ssh.user", value: "root"},
	{path: "ssh.port", value: "22"},
	{path: "ssh.jump?.key", value: "=ssh.key"},
	{path: "lock_wait", value: "10m"},
}

// compiled is a preset whose path has been taken apart and whose value has
// been made a node of the right type, both done once for all environments.
type compiled struct {
	steps []step
	value *node
	from  []string // path to take the value from, if value is nil
	plus  string   // text to append to it
	only  []string // path of the condition
	equal string   // its value
}

type step struct {
	key      *node
	optional bool
}

var (
	settingsDefaults = compilePresets(settingsPresets, settingsLayout)
	documentDefaults = compilePresets(documentPresets, documentLayout)
)

func compilePresets(rows []preset, l *layout) []compiled {
	out := make([]compiled, 0, len(rows))
	for _, row := range rows {
		c := compiled{}
		at := &field{layout: l}
		for part := range strings.SplitSeq(row.path, ".") {
			key, optional := strings.CutSuffix(part, "?")
			c.steps = append(c.steps, step{text(key), optional})
			if at.elem != nil {
				at = &field{layout: at.elem}
			} else {
				at = at.field(key)
			}
		}
		if from, ok := strings.CutPrefix(row.value, "="); ok {
			from, c.plus, _ = strings.Cut(from, "+")
			c.from = strings.Split(from, ".")
		} else {
			c.value = presetNode(row.value, at)
		}
		if path, value, ok := strings.Cut(row.only, "="); ok {
			c.only, c.equal = strings.Split(path, "."), value
		}
		out = append(out, c)
	}
	return out
}

// presetNode returns s as a node of the type that f holds.
func presetNode(s string, f *field) *node {
	if f.one {
		return &node{kind: sequence, items: []*node{text(s)}}
	}
	for _, tag := range []string{tagString, tagBool, tagInt} {
		if n := (&node{tag: tag, value: s}); f.accepts(n) {
			return n
		}
	}
	panic("stack: the preset " + s + " does not fit its key")
}

// fill returns root with the defaults of the table where it has nothing.
func fill(root *node, table []compiled) *node {
	f := &filler{}
	if root == nil {
		root = &node{kind: mapping}
	}
	for _, row := range table {
		if row.only != nil {
			if n := root.get(row.only...); n == nil || n.value != row.equal {
				continue
			}
		}
		value := row.value
		if value == nil {
			value = row.derive(root)
		}
		if value != nil {
			root = f.fill(root, row.steps, value)
		}
	}
	return root
}

// derive returns the value that the row takes from elsewhere in root.
func (c compiled) derive(root *node) *node {
	source := root.get(c.from...)
	if source == nil {
		return nil
	}
	out := *source
	out.derived = true
	if c.plus != "" {
		out.value += c.plus
		out.line = 0
	}
	return &out
}

// filler changes a tree: nodes that it made itself in place, copies of all
// others, which belong to other environments too.
type filler struct{ _ byte } // not empty: each one has its own address

// own returns n or its copy, which may be changed.
func (f *filler) own(n *node) *node {
	if n != nil && n.maker == f {
		return n
	}
	const room = 12 // for most of the defaults of a mapping
	out := &node{kind: mapping}
	if n != nil {
		*out = *n
		out.pairs = append(make([]pair, 0, len(n.pairs)+room), n.pairs...)
		out.items = slices.Clone(n.items)
	}
	out.maker = f
	return out
}

// fill returns n with value at the path of steps where there is nothing.
func (f *filler) fill(n *node, steps []step, value *node) *node {
	switch {
	case len(steps) == 0 && n == nil:
		return value
	case len(steps) == 0 || n != nil && n.kind == scalar:
		return n
	case steps[0].key.value == "*":
		return f.fillEach(n, steps[1:], value)
	case n != nil && n.kind != mapping:
		return n
	}
	s := steps[0]
	p := n.find(s.key.value)
	if p == nil {
		if s.optional {
			return n
		}
		n = f.own(n)
		n.pairs = append(n.pairs, pair{s.key, f.fill(nil, steps[1:], value)})
		return n
	}
	if filled := f.fill(p.value, steps[1:], value); filled != p.value {
		n = f.own(n)
		n.find(s.key.value).value = filled
	}
	return n
}

// fillEach fills each member of n.
func (f *filler) fillEach(n *node, steps []step, value *node) *node {
	if n == nil {
		return nil
	}
	for i := range n.pairs {
		if filled := f.fill(n.pairs[i].value, steps, value); filled != n.pairs[i].value {
			n = f.own(n)
			n.pairs[i].value = filled
		}
	}
	for i := range n.items {
		if filled := f.fill(n.items[i], steps, value); filled != n.items[i] {
			n = f.own(n)
			n.items[i] = filled
		}
	}
	return n
}
