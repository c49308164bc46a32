package pveapi

import (
	"sort"
	"strconv"
	"strings"
)

// listTasks is GET /nodes/{node}/tasks: active ones first, then what ended last.
func listTasks(c *call) (any, error) {
	var rows []map[string]any
	for _, t := range c.taskList(c.node()) {
		if c.taskMatches(t) {
			rows = append(rows, t.listRow())
		}
	}
	if total := len(rows); total > 0 {
		c.total = &total
	}
	start, limit := c.p.int("start", 0), c.p.int("limit", 50)
	start = min(start, len(rows))
	return append([]map[string]any{}, rows[start:min(len(rows), start+limit)]...), nil
}

func (s *Server) taskList(node string) []*task {
	var active, ended []*task
	bySeq := map[int]*task{}
	for _, t := range s.tasks {
		bySeq[t.Seq] = t
	}
	for _, seq := range sorted(bySeq) {
		t := bySeq[seq]
		switch {
		case node != "" && t.Node != node:
		case t.running():
			active = append(active, t)
		default:
			ended = append(ended, t)
		}
	}
	sort.SliceStable(ended, func(i, j int) bool { return ended[i].EndSeq > ended[j].EndSeq })
	return append(active, ended...)
}

func (t *task) listRow() map[string]any {
	m := t.fields()
	if t.running() {
		m["user"], m["status"], m["saved"] = t.User, "RUNNING", "0"
		delete(m, "tokenid")
		return m
	}
	m["status"], m["endtime"] = t.Status, t.End
	return m
}

func (c *call) taskMatches(t *task) bool {
	running := t.running()
	source := c.p.str("source")
	if running && source != "active" && source != "all" || !running && source == "active" {
		return false
	}
	if !c.owns(t.User) && !c.can("/nodes/"+t.Node, "Sys.Audit") {
		return false
	}
	if f := c.p.str("userfilter"); f != "" && !strings.Contains(strings.ToLower(t.User), strings.ToLower(f)) {
		return false
	}
	if f := c.p.str("typefilter"); f != "" && t.Type != f {
		return false
	}
	if f := c.p.str("vmid"); f != "" && t.ID != f {
		return false
	}
	if since, err := strconv.ParseInt(c.p.str("since"), 10, 64); err == nil && t.Start < since {
		return false
	}
	if until, err := strconv.ParseInt(c.p.str("until"), 10, 64); err == nil && t.Start > until {
		return false
	}
	return running || c.statusMatches(t.Status)
}

func (c *call) statusMatches(status string) bool {
	kind := "error"
	switch {
	case status == "OK":
		kind = "ok"
	case strings.HasPrefix(status, "WARNINGS: "):
		kind = "warning"
	}
	if c.p.bool("errors") {
		return kind != "ok"
	}
	want := c.p.list("statusfilter")
	for _, w := range want {
		if w == kind {
			return true
		}
	}
	return len(want) == 0
}

// clusterTasks is GET /cluster/tasks: the newest 25 of each node.
func clusterTasks(c *call) (any, error) {
	rows := []map[string]any{}
	all := c.can("/", "Sys.Audit")
	for _, t := range c.taskList("") {
		owner, _, _ := strings.Cut(t.User, "!")
		if len(rows) == 25 || owner != c.who.authuser && !all {
			continue
		}
		row := t.fields()
		delete(row, "pstart")
		if !t.running() {
			delete(row, "pid")
			row["status"], row["endtime"], row["saved"] = t.Status, t.End, "1"
		}
		rows = append(rows, row)
	}
	return rows, nil
}
