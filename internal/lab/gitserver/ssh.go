package gitserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// handshakeTimeout ends connections that never log in.
const handshakeTimeout = 20 * time.Second

// ServeSSH answers SSH connections from ln until [Server.Close]; it then returns nil.
func (s *Server) ServeSSH(ln net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ln.Close()
	}
	s.lns = append(s.lns, ln)
	s.mu.Unlock()
	for {
		conn, err := ln.Accept()
		if err != nil {
			if s.isClosed() {
				return nil
			}
			return fmt.Errorf("cannot accept git connections over SSH: %w", err)
		}
		if s.track(conn) {
			go s.serveConn(conn)
		}
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// track registers a connection for Close; false means that the server ended already.
func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return false
	}
	s.conns[conn] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) serveConn(conn net.Conn) {
	defer s.wg.Done()
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	if s.currentFault().Down {
		return
	}
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	sc, chans, reqs, err := ssh.NewServerConn(conn, s.sshConfig())
	if err != nil {
		s.opt.Log.Debug("git over ssh refused", "from", conn.RemoteAddr(), "err", err)
		return
	}
	conn.SetDeadline(time.Time{})
	go ssh.DiscardRequests(reqs)
	for nc := range chans {
		if nc.ChannelType() != "session" {
			nc.Reject(ssh.UnknownChannelType, "only sessions are served")
			continue
		}
		ch, creqs, err := nc.Accept()
		if err != nil {
			return
		}
		go s.serveSession(ch, creqs, sc.Permissions.Extensions["key"])
	}
}

// sshConfig accepts any registered deploy key for the user git. Which repository the
// key opens is only known with the command; a key that opens none is refused here, with
// the client's own "Permission denied (publickey)", as GitHub does.
func (s *Server) sshConfig() *ssh.ServerConfig {
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-pvelab",
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			id := string(key.Marshal())
			if c.User() != "git" || s.lookup(s.keys, id, "") == Unknown {
				return nil, errors.New("unknown key")
			}
			return &ssh.Permissions{Extensions: map[string]string{"key": id}}, nil
		},
	}
	cfg.AddHostKey(s.host)
	return cfg
}

// serveSession runs the one command of a session.
func (s *Server) serveSession(ch ssh.Channel, reqs <-chan *ssh.Request, key string) {
	defer ch.Close()
	var protocol string
	for req := range reqs {
		switch req.Type {
		case "env":
			var kv struct{ Name, Value string }
			if ssh.Unmarshal(req.Payload, &kv) == nil && kv.Name == "GIT_PROTOCOL" {
				protocol = kv.Value
			}
			req.Reply(true, nil)
		case "exec":
			var cmd struct{ Line string }
			if err := ssh.Unmarshal(req.Payload, &cmd); err != nil {
				req.Reply(false, nil)
				return
			}
			req.Reply(true, nil)
			sendExit(ch, s.run(ch, cmd.Line, protocol, key))
			return
		case "shell":
			req.Reply(true, nil)
			fmt.Fprint(ch.Stderr(), "You've successfully authenticated, but GitHub does not provide shell access.\r\n")
			sendExit(ch, 1)
			return
		default:
			req.Reply(false, nil)
		}
	}
}

func sendExit(ch ssh.Channel, code int) {
	ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
}

var gitCommand = regexp.MustCompile(`^git[ -](upload-pack|receive-pack) '/?([^']+?)(?:\.git)?/?'$`)

// run executes a client's git command and returns its exit status.
func (s *Server) run(ch ssh.Channel, line, protocol, key string) int {
	fault := s.currentFault()
	time.Sleep(fault.Delay)
	m := gitCommand.FindStringSubmatch(line)
	if m == nil {
		fmt.Fprintf(ch.Stderr(), "Invalid command: %s\r\n", strings.ToValidUTF8(line, "?"))
		return 1
	}
	service, repo := m[1], m[2]
	if refusal := s.refuse(service, repo, key); refusal != "" {
		fmt.Fprint(ch.Stderr(), refusal)
		return 1
	}
	return s.pack(ch, service, repo, protocol, fault)
}

// refuse returns GitHub's words for what the key may not do, or nothing. A repository
// that the key may not see and one that does not exist are not told apart.
func (s *Server) refuse(service, repo, key string) string {
	access := s.lookup(s.keys, key, repo)
	switch {
	case access <= None || !s.exists(repo):
		return "ERROR: Repository not found.\n"
	case service == "receive-pack" && access < Write:
		return "ERROR: The key you are authenticating with has been marked as read only.\n"
	}
	return ""
}

func (s *Server) pack(ch ssh.Channel, service, repo, protocol string, fault Fault) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", service, s.dir(repo))
	cmd.Env = gitrepo.Env()
	if protocol != "" {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL="+protocol)
	}
	cmd.Stdout, cmd.Stderr = io.Writer(ch), ch.Stderr()
	if fault.DropAfter > 0 {
		cmd.Stdout = &cutWriter{ch, fault.DropAfter, cancel}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 128
	}
	if err := cmd.Start(); err != nil {
		s.opt.Log.Error("cannot start git", "err", err)
		return 128
	}
	// The client may keep its side open after git has answered, so git's end and not
	// the end of this copy ends the session.
	go func() {
		io.Copy(stdin, ch)
		stdin.Close()
	}()
	err = cmd.Wait()
	s.opt.Log.Debug("git over ssh", "service", service, "repo", repo, "err", err)
	return exitStatus(err)
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	return 128
}
