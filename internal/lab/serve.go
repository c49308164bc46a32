package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitserver"
	"github.com/org/appstack-action/internal/lab/network"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/template"
)

// Info is what a client needs to use a lab.
type Info struct {
	URL          string       // of the Proxmox API, without /api2/json
	Token        string       // user@realm!id=uuid, with every privilege that a deployment needs
	RootPassword string       // of root@pam
	Fingerprint  string       // SHA-256 of the API's certificate, as Proxmox prints it
	Certificate  string       // file with the API's certificate
	Subnet       netip.Prefix // the guests'
	Gateway      netip.Addr   // the guests'
	Nodes        []string
	Template     string // volume of the default template
	Image        string // volume of the cloud image; empty: none is offered
	GitHub       string // URL of the GitHub look-alike
	GitHubToken  string // a personal access token for it
	GitSSH       string // host:port of the git server
	GitHostKey   string // the git server's key, as in a known_hosts file's line
	Control      string // URL of the control port
}

// infoFile keeps Info in the lab's directory, so that tokens survive a restart.
const infoFile = "lab.json"

func readInfo(dir string) (Info, error) {
	var i Info
	text, err := os.ReadFile(filepath.Join(dir, infoFile))
	if err != nil {
		return i, err
	}
	return i, json.Unmarshal(text, &i)
}

// serve starts the servers and introduces them to each other.
func (l *Lab) serve(ctx context.Context) error {
	run, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.Info, _ = readInfo(l.opt.Dir)
	for _, start := range []func(context.Context) error{l.serveNetwork, l.servePVE, l.serveGit, l.serveControl} {
		if err := start(run); err != nil {
			return err
		}
	}
	if err := l.offerTemplates(ctx); err != nil {
		return err
	}
	if l.opt.Image != nil {
		if err := l.OfferVMs(ctx, *l.opt.Image); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(l.Info, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.opt.Dir, infoFile), text, 0o600)
}

// background runs a server until the lab closes.
func (l *Lab) background(name string, serve func() error) {
	l.served.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, net.ErrClosed) {
			l.opt.Log.Error("a server of the lab ended", "server", name, "error", err)
		}
	})
}

func (l *Lab) serveNetwork(ctx context.Context) error {
	cache := &network.Cache{Dir: filepath.Join(l.opt.Cache, "http")}
	l.background("downloads", func() error {
		return cache.Serve(ctx, netip.AddrPortFrom(l.net.Gateway(), proxyPort))
	})
	names := network.Resolver{Upstream: l.net.Resolver, Hosts: map[string]netip.Addr{}}
	for _, host := range append(l.nodes(), "github", "git") {
		names.Hosts[host+".lab."] = l.net.Gateway()
	}
	l.background("names", func() error { return names.Serve(ctx, l.net.Gateway()) })
	return nil
}

func (l *Lab) servePVE(ctx context.Context) (err error) {
	l.Info.RootPassword = orRandom(l.Info.RootPassword)
	bridge := netip.PrefixFrom(l.net.Gateway(), l.net.Subnet.Bits()).String()
	dir := filepath.Join(l.opt.Dir, "pve")
	if err := l.certify(dir); err != nil {
		return err
	}
	l.PVE, err = pveapi.New(pveapi.Options{
		Dir: dir, Release: l.opt.Release, Nodes: l.nodes(), Storages: l.opt.Storages,
		Bridges: []pveapi.Bridge{{Name: "vmbr0", CIDR: bridge}}, Backend: l.Guests, Nameservers: []string{l.net.Gateway().String()},
		Appliances: l.appliances(),
		AuthDelay:  l.opt.AuthDelay, RootPassword: l.Info.RootPassword, Log: l.opt.Log,
	})
	if err != nil {
		return err
	}
	if err := l.seedPVE(); err != nil {
		return err
	}
	l.Info.URL, err = l.PVE.Listen(ctx, l.at(l.opt.Port))
	if err != nil {
		return err
	}
	l.Info.Certificate = l.PVE.CertFile()
	l.Info.Fingerprint, err = l.PVE.Fingerprint()
	l.Info.Subnet, l.Info.Gateway, l.Info.Nodes = l.net.Subnet, l.net.Gateway(), l.nodes()
	return err
}

// user is who the lab's token belongs to. Its role is Proxmox's own for
// administrators: a newcomer is to see deployments, not refusals.
const (
	user    = "lab@pve"
	tokenID = "appstack"
)

func (l *Lab) seedPVE() error {
	l.PVE.AddUser(user, "")
	l.PVE.Grant("/", user, "Administrator")
	_, secret, _ := strings.Cut(l.Info.Token, "=")
	secret, err := l.PVE.AddToken(user, tokenID, false, secret)
	l.Info.Token = user + "!" + tokenID + "=" + secret
	return err
}

// serveGit serves GitHub's API and pages and git over HTTP on one port, as
// github.com does, and git over SSH on another.
func (l *Lab) serveGit(ctx context.Context) (err error) {
	l.GitHub, err = githubapi.New(githubapi.Options{Dir: filepath.Join(l.opt.Dir, "github"), OpenAPI: l.opt.OpenAPI, Log: l.opt.Log})
	if err != nil {
		return err
	}
	l.Git, err = gitserver.New(gitserver.Options{Dir: filepath.Join(l.opt.Dir, "git"), TokenAccess: l.gitAccess, Log: l.opt.Log})
	if err != nil {
		return err
	}
	l.Info.GitHubToken = orRandom(l.Info.GitHubToken)
	l.GitHub.AddToken(githubapi.Token{
		Value: l.Info.GitHubToken, Kind: githubapi.ClassicPAT, Login: "lab", Permissions: map[string]string{"repo": "write"},
	})
	for _, name := range l.opt.Repos {
		if err := l.AddRepository(name); err != nil {
			return err
		}
	}
	if err := l.listenHTTP(ctx, githubPort, http.HandlerFunc(l.gitOrGitHub)); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", l.at(gitPort))
	if err != nil {
		return fmt.Errorf("cannot serve git: %w", err)
	}
	l.background("git", func() error { return l.Git.ServeSSH(ln) })
	l.Info.GitHub, l.Info.GitSSH = "http://"+l.at(githubPort), l.at(gitPort)
	l.Info.GitHostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(l.Git.HostKey())))
	return nil
}

func (l *Lab) gitOrGitHub(w http.ResponseWriter, r *http.Request) {
	if gitserver.IsGit(r) {
		l.Git.ServeHTTP(w, r)
		return
	}
	l.GitHub.ServeHTTP(w, r)
}

func (l *Lab) gitAccess(token, repo string) gitserver.Access {
	known, read, write := l.GitHub.GitAccess(token, repo)
	switch {
	case write:
		return gitserver.Write
	case read:
		return gitserver.Read
	case known:
		return gitserver.None
	}
	return gitserver.Unknown
}

// AddRepository makes the repository owner/name on the git server and known to the
// GitHub look-alike.
func (l *Lab) AddRepository(name string) error {
	repo, err := l.Git.Create(name)
	if err != nil {
		return err
	}
	l.GitHub.AddRepository(name, repo.Dir)
	return nil
}

func (l *Lab) listenHTTP(ctx context.Context, port int, h http.Handler) error {
	ln, err := net.Listen("tcp", l.at(port))
	if err != nil {
		return fmt.Errorf("cannot listen on the lab's bridge: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { srv.Close() })
	l.background(ln.Addr().String(), func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

// appliances is what a node of the lab can download: Proxmox's standard templates of
// Debian, which are built when they are first asked for.
func (l *Lab) appliances() []pveapi.Appliance {
	var all []pveapi.Appliance
	for _, t := range template.Known {
		if len(t.Warm) > 0 {
			continue
		}
		name, rest, _ := strings.Cut(t.Name, "_")
		version, _, _ := strings.Cut(rest, "_")
		all = append(all, pveapi.Appliance{
			Template: t.Name,
			Info: map[string]string{
				"package": name, "version": version, "os": strings.TrimSuffix(name, "-standard"), "source": "https://www.debian.org",
				"headline": "Debian, as the lab builds it (" + t.Codename + ")", "description": "A small Debian system with sshd and cron.\n",
				"location": "http://download.proxmox.com/images/system/" + t.Name,
			},
			Make: func(ctx context.Context) (string, error) {
				return template.Build(ctx, l.opt.Cache, t, l.opt.Progress)
			},
		})
	}
	return all
}

// templateStorage is where the lab's templates are, on every node.
const templateStorage = "local"

// offerTemplates offers the lab's templates; the first is the default.
func (l *Lab) offerTemplates(ctx context.Context) error {
	for i, t := range l.opt.Templates {
		volume, err := l.Offer(ctx, t)
		if err != nil {
			return err
		}
		if i == 0 {
			l.Info.Template = volume
		}
	}
	return nil
}

// Offer puts a template into every node's storage and returns its volume. If it is not
// cached, it is built, which takes minutes.
func (l *Lab) Offer(ctx context.Context, t template.Template) (volume string, err error) {
	archive, err := template.Build(ctx, l.opt.Cache, t, l.opt.Progress)
	if err != nil {
		return "", err
	}
	for _, node := range l.nodes() {
		dir, err := l.PVE.TemplateDir(node, templateStorage)
		if err != nil {
			return "", err
		}
		if err := link(archive, filepath.Join(dir, t.Name)); err != nil {
			return "", err
		}
	}
	return templateStorage + ":vztmpl/" + t.Name, l.Guests.Prepare(ctx, archive)
}

// link puts a file in a second place, as a copy where the two are on different file
// systems. Its time stays, for it tells one archive from another.
func link(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(to, data, 0o644), os.Chtimes(to, info.ModTime(), info.ModTime()))
}

// orRandom keeps a secret or makes one.
func orRandom(secret string) string {
	if secret != "" {
		return secret
	}
	var b [16]byte
	rand.Read(b[:]) // never fails, says its documentation
	return hex.EncodeToString(b[:])
}
