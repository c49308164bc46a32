// Package git asks a git server which commit a branch or tag is, as `git ls-remote`
// does. The action's image has no git, and the guest may not have it yet when its
// plan is made.
//
// It speaks the part of git's protocol that lists references (gitprotocol-pack(5),
// gitprotocol-http(5)): over SSH the output of git-upload-pack, over HTTPS
// /info/refs. It takes nothing else from the server.
package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
)

// Remote is a repository and how to read it.
type Remote struct {
	URL     string       // git@host:path, ssh://…, https://…
	Key     secret.Value // SSH deploy key
	Token   secret.Value // for HTTPS
	HostKey string       // the server's SSH host key, "ssh-ed25519 AAAA…"
	Via     ssh.Dialer   // nil: from here
}

// A NoRefError says that the repository has no such branch or tag.
type NoRefError struct{ URL, Ref string }

// Error returns one line.
func (e *NoRefError) Error() string { return fmt.Sprintf("%s has no branch or tag %q", e.URL, e.Ref) }

// maxRefs bounds what a server may say, in bytes.
const maxRefs = 64 << 20

var commit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Resolve returns the commit of a branch or tag; a full commit is its own.
func Resolve(ctx context.Context, r Remote, ref string) (string, error) {
	if commit.MatchString(ref) {
		return ref, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	list := r.overSSH
	if strings.HasPrefix(r.URL, "https://") || strings.HasPrefix(r.URL, "http://") {
		list = r.overHTTP
	}
	refs, err := list(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot ask %s for the commit of %q: %w", r.URL, ref, err)
	}
	// A tag's peeled form (^{}) is the commit that an annotated one stands for.
	for _, name := range []string{"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref, ref} {
		if sha, ok := refs[name]; ok {
			return sha, nil
		}
	}
	return "", &NoRefError{r.URL, ref}
}

func (r Remote) overSSH(ctx context.Context) (map[string]string, error) {
	user, address, path, err := splitSSH(r.URL)
	if err != nil {
		return nil, err
	}
	client, err := ssh.Dial(ctx, ssh.Options{Address: address, Users: []string{user}, Key: r.Key, HostKeys: []string{r.HostKey}, Via: r.Via})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	p, err := client.Start(ctx, "git-upload-pack '"+strings.ReplaceAll(path, "'", `'\''`)+"'")
	if err != nil {
		return nil, err
	}
	defer p.Close()
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(p.Stderr, 4096))
		said <- strings.TrimSpace(string(text))
	}()
	refs, err := readRefs(io.LimitReader(p.Stdout, maxRefs))
	if err != nil {
		p.Close()
		if why := <-said; why != "" {
			return nil, errors.New(why)
		}
		return nil, err
	}
	_, _ = io.WriteString(p.Stdin, "0000") // we want nothing
	return refs, nil
}

// splitSSH takes git@host:path and ssh://git@host:port/path apart.
func splitSSH(address string) (user, host, path string, err error) {
	if u, err := url.Parse(address); err == nil && u.Scheme == "ssh" && u.Host != "" {
		port := u.Port()
		if port == "" {
			port = "22"
		}
		return u.User.Username(), net.JoinHostPort(u.Hostname(), port), u.Path, nil
	}
	login, path, ok := strings.Cut(address, ":")
	if !ok || strings.Contains(login, "/") {
		return "", "", "", fmt.Errorf("%q is no git address", address)
	}
	user, host, ok = strings.Cut(login, "@")
	if !ok {
		user, host = "git", login
	}
	return user, net.JoinHostPort(host, "22"), path, nil
}

func (r Remote) overHTTP(ctx context.Context) (map[string]string, error) {
	address := strings.TrimSuffix(r.URL, "/") + "/info/refs?service=git-upload-pack"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if !r.Token.IsZero() {
		req.SetBasicAuth("x-access-token", r.Token.Reveal())
	}
	client := &http.Client{Transport: http.DefaultTransport}
	if r.Via != nil {
		client.Transport = &http.Transport{DialContext: r.Via.DialContext}
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", res.Status)
	}
	body := bufio.NewReader(io.LimitReader(res.Body, maxRefs))
	for range 2 { // "# service=git-upload-pack", then a flush
		if _, err := readPacket(body); err != nil {
			return nil, err
		}
	}
	return readRefs(body)
}

// readRefs reads a reference advertisement up to its flush.
func readRefs(from io.Reader) (map[string]string, error) {
	in := bufio.NewReader(from)
	refs := map[string]string{}
	for {
		line, err := readPacket(in)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return refs, nil
		}
		line, _, _ = strings.Cut(line, "\x00") // capabilities
		sha, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if why, isError := strings.CutPrefix(line, "ERR "); isError {
			return nil, errors.New(strings.TrimSpace(why))
		}
		if !ok || !commit.MatchString(sha) {
			return nil, errors.New("the server does not answer as git does")
		}
		refs[name] = sha
	}
}

// readPacket reads one pkt-line; a flush is empty.
func readPacket(in *bufio.Reader) (string, error) {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return "", fmt.Errorf("the server ends early: %w", err)
	}
	n, err := strconv.ParseUint(string(size[:]), 16, 16)
	if err != nil || n > 0 && n < 4 {
		return "", errors.New("the server does not answer as git does")
	}
	if n == 0 {
		return "", nil
	}
	line := make([]byte, n-4)
	if _, err := io.ReadFull(in, line); err != nil {
		return "", fmt.Errorf("the server ends early: %w", err)
	}
	return string(line), nil
}
