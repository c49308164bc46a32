package stack

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// secretWords are the last words of names that say that a value is secret.
var secretWords = []string{
	"password", "passwd", "passphrase", "pass", "pwd", "token", "secret",
	"key", "apikey", "credential", "credentials", "pat",
}

// publicNames say that a key is meant to be public, or is no key at all.
var publicNames = []string{
	"public_key", "host_key", "primary_key", "foreign_key", "sort_key",
	"cache_key", "session_key", "partition_key", "publishable_key", "site_key",
}

// secretName reports whether the name of a key says that its value is secret:
// SMTP_PASSWORD, apiToken and key do, KEY_ID, host_key and TOKEN_TTL do not.
func secretName(name string) bool {
	words := nameWords(name)
	snake := strings.Join(words, "_")
	for _, public := range publicNames {
		if snake == public || strings.HasSuffix(snake, "_"+public) {
			return false
		}
	}
	return len(words) > 0 && contains(secretWords, words[len(words)-1])
}

var humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// nameWords takes a name apart: SMTP_PASSWORD, smtp-password and
// smtpPassword have the same two words.
func nameWords(name string) []string {
	var words []string
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' }) {
		if strings.ToUpper(part) == part || strings.ToLower(part) == part {
			words = append(words, strings.ToLower(part))
			continue
		}
		for w := range strings.FieldsSeq(humps.ReplaceAllString(part, "$1 $2")) {
			words = append(words, strings.ToLower(w))
		}
	}
	return words
}

// urlPassword finds the password in an address such as
// postgres://app:hunter2@db/shop.
var urlPassword = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@`)

// secretNames remembers what secretName said: the same few names come again
// and again.
type secretNames map[string]bool

func (known secretNames) has(name string) bool {
	is, ok := known[name]
	if !ok {
		is = secretName(name)
		known[name] = is
	}
	return is
}

// inPlain reports whether n, which stands under name, is a secret in plain
// text.
func (known secretNames) inPlain(name string, n *node) bool {
	switch {
	case n.bad || n.kind != scalar || n.value == "" || name == "authorized_keys" || n.tag == tagBool || n.tag == tagNull:
		return false
	case strings.Contains(n.value, "PRIVATE KEY-----"):
		return true
	}
	if strings.Contains(n.value, "://") {
		if m := urlPassword.FindStringSubmatch(n.value); m != nil && !strings.Contains(m[1], "${secret.") {
			return true
		}
	}
	return known.has(name) && !strings.Contains(n.value, "${secret.") && !misreferred(n.value)
}

// misreferred reports whether s has a reference to nothing, which is an error already:
// most often it is one to a secret, misspelt.
func misreferred(s string) bool {
	for _, part := range splitText(s) {
		if part.name != "" && !contains(envNames, part.name) && !secretPath.MatchString(part.name) {
			return true
		}
	}
	return false
}

// plainScan warns of secrets in plain text.
type plainScan struct {
	file  *file
	list  *diag.List
	names secretNames
}

// scan looks below n, whose keys so far are path.
func (s *plainScan) scan(n *node, path []string) {
	for _, p := range n.pairs {
		s.scan(p.value, append(path, p.key.value))
	}
	for _, item := range n.items {
		s.scan(item, path)
	}
	if len(path) == 0 || !s.names.inPlain(path[len(path)-1], n) {
		return
	}
	name := path[len(path)-1]
	secret := strings.ToLower(name)
	if parent := path[max(0, len(path)-2)]; len(path) > 1 && parent != "env" && parent != "env_vars" {
		secret = strings.ToLower(parent) + "_" + secret
	}
	s.list.Add(s.file.diagnostic(n, diag.Warning, fmt.Sprintf("`%s` looks like a secret in plain text", name), "",
		fmt.Sprintf("put it into an age file with `appstack secrets set %s`, and write ${secret.%s}", secret, secret)))
}
