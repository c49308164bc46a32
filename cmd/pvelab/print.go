package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"text/template"

	"github.com/org/appstack-action/internal/lab"
)

// welcome is what pvelab up prints: all that a client needs, and a first step.
var welcome = template.Must(template.New("up").Parse(`The lab is up.

  Proxmox      {{.URL}}  (nodes: {{range $i, $n := .Nodes}}{{if $i}}, {{end}}{{$n}}{{end}})
  Token        {{.Token}}
  Fingerprint  {{.Fingerprint}}
  Certificate  {{.Certificate}}
  root@pam     {{.RootPassword}}
  Subnet       {{.Subnet}}  (gateway {{.Gateway}}, bridge vmbr0, storages local and local-lvm)
  Template     {{.Template}}
  GitHub       {{.GitHub}}
  its token    {{.GitHubToken}}
  Git over SSH {{.GitSSH}}  {{.GitHostKey}}
  Control      {{.Control}}

Try next:

  curl --cacert {{.Certificate}} -H 'Authorization: PVEAPIToken={{.Token}}' {{.URL}}/api2/json/nodes

docs/lab.md goes on from there. Ctrl-C takes the lab down.
`))

func printUp(w io.Writer, i lab.Info) error { return welcome.Execute(w, i) }

func printStatus(w io.Writer, labs []lab.Status) error {
	if len(labs) == 0 {
		_, err := fmt.Fprintln(w, "no lab on this machine; pvelab up brings one up")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LAB\tSERVED BY\tGUESTS\tURL\tSUBNET\tDIRECTORY")
	for _, l := range labs {
		served := "nobody"
		if l.PID > 0 {
			served = fmt.Sprintf("process %d", l.PID)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", l.Bridge, served, l.Guests, l.Info.URL, l.Info.Subnet, l.Dir)
	}
	return t.Flush()
}
