// Package sshtest is an SSH server for tests, on loopback or on connections of theirs: it runs commands with
// this machine's sh, forwards connections, and can be made to fail as real ones do.
// What it does not know it refuses.
package sshtest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Server is a running server.
type Server struct {
	Addr     string
	HostKeys []string // SHA256:… fingerprints

	// Run runs a command; nil: as sh -c.
	Run func(command string, stdin io.Reader, stdout, stderr io.Writer) int
	// Mute keeps global requests, keepalives among them, without an answer.
	Mute bool

	config ssh.ServerConfig
	mu     sync.Mutex
	conns  []net.Conn
	logins []string
}

// Key makes a private key of "ed25519", "ecdsa" or "rsa", and returns it in
// OpenSSH's format and as a signer.
func Key(t testing.TB, kind string) (text string, signer ssh.Signer) {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("sshtest: no key type %q", kind)
	}
	if err == nil {
		signer, err = ssh.NewSignerFromKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "sshtest")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer
}

// New is a server with these host keys, which lets users in by key and does not listen:
// see [Server.Serve].
func New(hostKeys []ssh.Signer, users map[string]ssh.PublicKey) *Server {
	s := &Server{}
	s.config.PublicKeyCallback = func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if want := users[c.User()]; want == nil || string(want.Marshal()) != string(key.Marshal()) {
			return nil, errors.New("not one of its keys")
		}
		return &ssh.Permissions{}, nil
	}
	// Noted before the client hears of it, so that it is there when a test looks.
	s.config.AuthLogCallback = func(c ssh.ConnMetadata, _ string, err error) {
		if err == nil {
			s.mu.Lock()
			s.logins = append(s.logins, c.User())
			s.mu.Unlock()
		}
	}
	for _, k := range hostKeys {
		s.config.AddHostKey(k)
		s.HostKeys = append(s.HostKeys, ssh.FingerprintSHA256(k.PublicKey()))
	}
	return s
}

// Start starts a server as [New] makes it, on a port of its own until the test ends.
func Start(t testing.TB, hostKeys []ssh.Signer, users map[string]ssh.PublicKey) *Server {
	t.Helper()
	s := New(hostKeys, users)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = listener.Addr().String()
	t.Cleanup(func() {
		listener.Close()
		s.Cut()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.Serve(conn)
		}
	}()
	return s
}

// Cut closes all connections, as a machine that goes down does.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// Logins returns the users that logged in, in order.
func (s *Server) Logins() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins)
}

// Serve serves one connection until it ends.
func (s *Server) Serve(tcp net.Conn) {
	s.mu.Lock()
	s.conns = append(s.conns, tcp)
	s.mu.Unlock()
	_, channels, requests, err := ssh.NewServerConn(tcp, &s.config)
	if err != nil {
		tcp.Close()
		return
	}
	go s.global(requests)
	for c := range channels {
		switch c.ChannelType() {
		case "session":
			go s.session(c)
		case "direct-tcpip":
			go forward(c)
		default:
			_ = c.Reject(ssh.UnknownChannelType, "unknown to sshtest")
		}
	}
}

func (s *Server) global(requests <-chan *ssh.Request) {
	for r := range requests {
		if s.Mute || !r.WantReply {
			continue
		}
		_ = r.Reply(false, nil) // as OpenSSH answers keepalive@openssh.com
	}
}

// session runs the one command of a session.
func (s *Server) session(c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		var exec struct{ Command string }
		if ssh.Unmarshal(r.Payload, &exec) != nil {
			return
		}
		_ = r.Reply(true, nil)
		run := s.Run
		if run == nil {
			run = Shell
		}
		code := run(exec.Command, channel, channel, channel.Stderr())
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
		return
	}
}

// Shell runs a command with sh -c and returns its exit code.
func Shell(command string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := exec.Command("sh", "-c", command)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 255
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		return 255
	}
	go func() {
		_, _ = io.Copy(in, stdin)
		in.Close()
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// forward connects a direct-tcpip channel (RFC 4254, 7.2).
func forward(c ssh.NewChannel) {
	var to struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	if ssh.Unmarshal(c.ExtraData(), &to) != nil {
		_ = c.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	tcp, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := c.Accept()
	if err != nil {
		tcp.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(tcp, channel)
		tcp.Close()
	}()
	_, _ = io.Copy(channel, tcp)
	channel.Close()
}
