package stack

import (
	"net/url"
	"path"
	"strings"

	"github.com/robfig/cron/v3"
	"golang.org/x/crypto/ssh"
)

// webURL reports s unless it is an http(s) address.
func (p place) webURL(s string) bool {
	if s == "" || pending(s) {
		return true
	}
	u, err := url.Parse(s)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" {
		return true
	}
	hint := "such as https://example.org"
	if !strings.Contains(s, "://") {
		hint = "write https://" + s
	}
	p.fail(hint, "is %s, not a URL", quote(s))
	return false
}

// absolute reports s unless it is a clean absolute path below /, which a shell, a unit
// file, a part of Proxmox's configuration and the way to the guest carry as it is.
func (p place) absolute(s string) {
	switch {
	case s == "" || pending(s):
	case !strings.HasPrefix(s, "/"):
		p.fail("begin it with /", "is %s, not an absolute path", quote(s))
	case path.Clean(s) == "/":
		p.fail("", "can't be / itself")
	case path.Clean(s) != s:
		p.fail("write "+path.Clean(s), "is not a plain path")
	case strings.ContainsAny(s, " \t\n\"'\\$`|=,%*?[]{}()<>;&#~!"):
		p.fail("", "is %s, which has a space or a character that shells, systemd or Proxmox read as their own", quote(s))
	}
}

// relative reports s unless it is a path that stays inside the source.
func (p place) relative(s string) {
	switch {
	case s == "" || pending(s):
	case strings.HasPrefix(s, "/"):
		p.fail("write "+strings.TrimLeft(s, "/")+", counted from the top of the source", "is an absolute path")
	case s == ".." || strings.HasPrefix(path.Clean(s), "../"), path.Clean(s) == "..":
		p.fail("", "leads out of the source")
	case strings.ContainsAny(s, "\t\n\"'\\$"):
		p.fail("", "is %s, which has a character that shells and systemd read as their own", quote(s))
	}
}

// schedule reports s unless it is a time in cron syntax.
func (p place) schedule(s string) {
	if s == "" || pending(s) {
		return
	}
	fields := strings.Fields(s)
	hint := `five fields: minute hour day month weekday, such as "*/15 * * * *", or @daily`
	switch {
	case s == "@reboot":
		p.fail("for what runs all the time write a service", "can't be @reboot")
		return
	case strings.HasPrefix(s, "@every"):
		p.fail(`write "*/15 * * * *" for every 15 minutes`, "can't be @every, which cron does not know")
		return
	case strings.Contains(fields[0], "="):
		p.fail("set `base.timezone`", "can't have a time zone of its own")
		return
	case len(fields) == 6:
		p.fail("leave the seconds out: "+quote(strings.Join(fields[1:], " ")), "has six fields, cron has five")
		return
	}
	if _, err := cron.ParseStandard(s); err != nil {
		if len(fields) == 5 && strings.Contains(fields[4], "7") {
			hint = "Sunday is 0 here: write 0, or 0,6 for the weekend"
		}
		p.fail(hint, "is %s, not a time in cron syntax", quote(s)).Detail = err.Error()
	}
}

// publicKey reports s unless it is a public key as it stands in
// authorized_keys.
func (p place) publicKey(s string) {
	if s == "" || pending(s) {
		return
	}
	_, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	switch {
	case strings.Contains(s, "PRIVATE KEY"):
		p.fail("write the content of the .pub file; and make a new pair, this one is known now", "is a private key")
	case strings.ContainsAny(s, "\n\r"):
		p.fail("one key for each item", "has several lines")
	case err == nil:
	case strings.Contains(s, "…") || strings.Contains(s, "..."):
		p.warn("write the whole key before you deploy", "is shortened, as in an example")
	case strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") || strings.HasSuffix(s, ".pub"):
		p.fail("write the key itself, not the path of its file", "is %s, not a public key", quote(s))
	default:
		p.fail("such as `ssh-ed25519 AAAA… name`, one line of a .pub file", "is %s, not a public key", quote(s))
	}
}

// privateKey reports s where it is known and no private key.
func (p place) privateKey(s string) {
	if s == "" || pending(s) || p.bad() {
		return
	}
	if strings.Contains(s, "PRIVATE KEY-----") {
		return
	}
	p.fail("put the key's text into a secret and write ${secret.name}", "is not the text of a private key")
}
