package templates

import (
	_ "embed"
	"strings"
	"text/template"
)

// Scaffold is what a first stack file and its workflow say.
type Scaffold struct {
	Project, Env, Hostname, Branch string
	Runtime                        string // node or python
	Node, Pool, Storage, Bridge    string
	VMID                           int
	IP, Gateway                    string
	Runner                         string // runs-on
}

// Module is the project's name as a Python module.
func (s Scaffold) Module() string { return strings.ReplaceAll(s.Project, "-", "_") }

//go:embed init/appstack.yaml.tmpl
var stackText string

//go:embed init/workflow.yml.tmpl
var workflowText string

var scaffold = template.Must(template.Must(template.New("stack").Parse(stackText)).New("workflow").Parse(workflowText))

// Stack returns the stack file.
func (s Scaffold) Stack() string { return s.render("stack") }

// Workflow returns the workflow.
func (s Scaffold) Workflow() string { return s.render("workflow") }

func (s Scaffold) render(name string) string {
	var b strings.Builder
	if err := scaffold.ExecuteTemplate(&b, name, s); err != nil {
		panic("templates: " + err.Error()) // a constant template into memory
	}
	return b.String()
}
