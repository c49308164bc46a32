package templates

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Dump is what backup and restore_db.sh know about a database.
type Dump struct {
	Database, Owner string
	Dir             string
	Keep            int
	Units           []string // stopped while a dump is put back
	Jobs            []string // units that wait meanwhile
}

// File returns the settings as a shell script that only sets variables.
func (d Dump) File() string {
	return fmt.Sprintf("# Written by appstack; a change here lasts until its next run.\n"+
		"database=%s\nowner=%s\nbackup_dir=%s\nbackup_keep=%d\nunits=%s\njobs=%s\n",
		ShellQuote(d.Database), ShellQuote(d.Owner), ShellQuote(d.Dir), d.Keep,
		ShellQuote(strings.Join(d.Units, " ")), ShellQuote(strings.Join(d.Jobs, " ")))
}

// Backup returns the unit that dumps the database.
func Backup(mark, description string, notify []string) string {
	return render("backup.unit", map[string]any{"Mark": mark, "Description": description, "Notify": notify})
}

// SMTP is what notify knows about the mail server.
type SMTP struct {
	Host           string
	Port           int
	User, Password string
	From           string
	TLS            string // starttls, tls or none
	About          string // "shop/dev", in the subject
}

// File returns the settings as a shell script that only sets variables. It holds
// the password.
func (s SMTP) File() string {
	scheme, starttls := "smtp", ""
	switch s.TLS {
	case "tls":
		scheme = "smtps"
	case "starttls":
		starttls = "yes"
	}
	url := scheme + "://" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	return fmt.Sprintf("# Written by appstack; a change here lasts until its next run.\n"+
		"url=%s\nstarttls=%s\nfrom=%s\nuser=%s\npassword=%s\nabout=%s\n",
		ShellQuote(url), starttls, ShellQuote(s.From), ShellQuote(s.User), ShellQuote(s.Password), ShellQuote(s.About))
}
