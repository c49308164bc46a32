package resolve

import (
	"net/url"
	"strings"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/secret"
)

// publishedHostKeys are the host keys that git hosts publish, as of 2026:
// docs.github.com "GitHub's SSH key fingerprints", docs.gitlab.com "SSH host keys
// fingerprints", docs.codeberg.org "Verifying you're connected to Codeberg".
var publishedHostKeys = map[string]string{
	"github.com":   "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
	"gitlab.com":   "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf",
	"codeberg.org": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIVIC02vnjFyL+I4RHfvIGNtOgJMe769VTF1VR4EB3ZB",
}

// gitURL is where the app's source comes from; empty when it is uploaded.
func (b *osBuilder) gitURL() string {
	s := b.env.App.Source
	switch {
	case s.Upload != "":
		return ""
	case s.Git != "":
		return s.Git
	default:
		return b.in.Repository
	}
}

// credential is what the deploy script reads: a deploy key or a token.
func (b *osBuilder) credential() secret.Value {
	s := b.env.App.Source
	switch {
	case s.Upload != "":
		return secret.Value{}
	case s.Key != "":
		return secret.New(s.Key)
	case s.Token != "":
		return secret.New(s.Token)
	case s.Git == "":
		return b.in.Token
	default:
		return secret.Value{}
	}
}

// knownHosts is the file of the git server's host key; nothing else is trusted.
func (b *osBuilder) knownHosts() string {
	host, port := sshHost(b.gitURL())
	if host == "" {
		return ""
	}
	key := b.env.App.Source.HostKey
	if key == "" {
		key = publishedHostKeys[host]
	}
	if key == "" {
		b.problems.Add(diag.Diagnostic{
			Severity: diag.Error, Pos: b.env.Pos("app.source"),
			Summary: "the SSH host key of " + host + " is not known, so that anybody could answer in its place",
			Hint:    "write `host_key: ssh-ed25519 AAAA…` under `source`; `ssh-keyscan -t ed25519 " + host + "` prints it, compare it with what its administrator says",
		})
		return ""
	}
	if port != "" && port != "22" {
		host = "[" + host + "]:" + port
	}
	return host + " " + key + "\n"
}

// sshHost returns host and port of a git address that is reached over SSH.
func sshHost(address string) (host, port string) {
	if strings.Contains(address, "://") {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "ssh" {
			return "", ""
		}
		return u.Hostname(), u.Port()
	}
	host, _, ok := strings.Cut(address, ":")
	if !ok {
		return "", ""
	}
	return host[strings.LastIndex(host, "@")+1:], ""
}

// hostOf returns the host of a web address.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// PublishedHostKey is the SSH host key that the host of a git address publishes, or "".
func PublishedHostKey(address string) string {
	host, _ := sshHost(address)
	return publishedHostKeys[host]
}
