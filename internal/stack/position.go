package stack

import (
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// Pos returns the place in the file of the value at path, such as
// "guest.memory", "app.services.web.port" or "app.cron[0].name". What the
// file does not say is at the nearest place that it does: the mapping
// around it, at last the environment's own key.
func (e *Env) Pos(path string) diag.Pos {
	if n := locate(e.node, splitPath(path)); n != nil {
		return e.file.pos(n)
	}
	return e.file.pos(e.key)
}

// Pos returns the place in the file of the value at path, such as
// "proxmox.url" or "secrets[1].file".
func (s *Stack) Pos(path string) diag.Pos { return s.file.pos(locate(s.root, splitPath(path))) }

// splitPath takes a path apart: "app.cron[0].name" has the four parts app,
// cron, 0 and name.
func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
