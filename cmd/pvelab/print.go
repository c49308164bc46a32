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

  eval "$(pvelab env)"
  curl --cacert "$LAB_CERTIFICATE" -H "Authorization: PVEAPIToken=$LAB_TOKEN" "$LAB_URL/api2/json/nodes"

docs/lab.md goes on from there. Ctrl-C takes the lab down.
`))

func printUp(w io.Writer, i lab.Info) error { return welcome.Execute(w, i) }

// environment is a lab in the shell's words; no value needs quoting but for the
// exclamation mark of the token.
var environment = template.Must(template.New("env").Parse(`export LAB_URL='{{.URL}}'
export LAB_TOKEN='{{.Token}}'
export LAB_FINGERPRINT='{{.Fingerprint}}'
export LAB_CERTIFICATE='{{.Certificate}}'
export LAB_TEMPLATE='{{.Template}}'
export LAB_SUBNET='{{.Subnet}}'
export LAB_GATEWAY='{{.Gateway}}'
export LAB_GITHUB='{{.GitHub}}'
export LAB_GITHUB_TOKEN='{{.GitHubToken}}'
export LAB_GIT_SSH='{{.GitSSH}}'
export LAB_CONTROL='{{.Control}}'
`))

func printEnv(w io.Writer, i lab.Info) error { return environment.Execute(w, i) }

func printStatus(w io.Writer, labs []lab.Status) error {
	if len(labs) == 0 {
		_, err := fmt.Fprintln(w, "no lab on this machine; pvelab up brings one up")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LAB\tSERVED BY\tGUESTS\tURL\tSUBNET\tDIRECTORY")
	for _, l := range labs {
		if !l.Info.Subnet.IsValid() {
			l.Info.URL = "coming up"
		}
		served := "nobody"
		if l.PID > 0 {
			served = fmt.Sprintf("process %d", l.PID)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", l.Bridge, served, l.Guests, l.Info.URL, subnet(l.Info), l.Dir)
	}
	return t.Flush()
}

// subnet is empty for a lab that does not serve yet.
func subnet(i lab.Info) string {
	if !i.Subnet.IsValid() {
		return ""
	}
	return i.Subnet.String()
}
