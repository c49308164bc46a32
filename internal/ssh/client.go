package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	xssh "golang.org/x/crypto/ssh"
)

// How often a connection is asked whether it lives, and for how long the answer is
// waited for: together less than the 30 s within which a dead one is noticed.
const (
	keepaliveEvery = 10 * time.Second
	keepaliveWait  = 15 * time.Second
)

// Client is one connection to one machine.
type Client struct {
	conn    *xssh.Client
	address string
	user    string
	hostKey string
	stop    context.CancelFunc

	mu   sync.Mutex
	dead error
}

func newClient(conn *xssh.Client, address, user, hostKey string) *Client {
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{conn: conn, address: address, user: user, hostKey: hostKey, stop: stop}
	go c.keepalive(ctx, keepaliveEvery, keepaliveWait)
	return c
}

// User is the user that the machine accepted.
func (c *Client) User() string { return c.user }

// HostKey is the SHA256:… fingerprint of the key that the machine showed.
func (c *Client) HostKey() string { return c.hostKey }

// Close ends the connection. What runs on the machine is not waited for.
func (c *Client) Close() error {
	c.stop()
	return c.conn.Close()
}

// keepalive asks the server for a sign of life, and ends the connection when there
// is none: all that waits on it fails then.
func (c *Client) keepalive(ctx context.Context, every, wait time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		answer := make(chan error, 1)
		go func() {
			_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
			answer <- err
		}()
		select {
		case <-ctx.Done():
			return
		case err := <-answer:
			if err == nil {
				continue
			}
			c.die(err)
		case <-time.After(wait):
			c.die(fmt.Errorf("it does not answer for %s", wait))
		}
		return
	}
}

func (c *Client) die(err error) {
	c.mu.Lock()
	c.dead = err
	c.mu.Unlock()
	c.conn.Close()
}

// wrap makes what failed since the connection is gone a *[DeadError].
func (c *Client) wrap(err error) error {
	c.mu.Lock()
	dead := c.dead
	c.mu.Unlock()
	var missing *xssh.ExitMissingError
	switch {
	case err == nil:
		return nil
	case dead != nil:
		return &DeadError{c.address, dead}
	case errors.As(err, &missing), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return &DeadError{c.address, errors.New("the machine closed it")}
	}
	return c.broken(err)
}

// broken makes an error of the network's a *[DeadError]: it broke off where nothing was
// under way.
func (c *Client) broken(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &DeadError{c.address, op.Err}
	}
	return err
}

// unopened is why there is no session: the machine refused it, or else the connection is
// gone, for which the library has many words.
func (c *Client) unopened(err error) error {
	if _, refused := errors.AsType[*xssh.OpenChannelError](err); refused {
		return err
	}
	return &DeadError{c.address, err}
}

// stdin is a command's standard input.
type stdin struct {
	io.WriteCloser
	client *Client
}

func (s stdin) Write(p []byte) (int, error) {
	n, err := s.WriteCloser.Write(p)
	return n, s.client.broken(err)
}

// Process is a command that runs on the machine. Stdout and Stderr must both be
// read to their ends, for one that is not holds the other up.
type Process struct {
	Stdin  io.WriteCloser
	Stdout io.Reader
	Stderr io.Reader

	client  *Client
	session *xssh.Session
	release func() bool
}

// Start runs a command, which the user's login shell gets to see. When ctx is done
// the connection is cut off; a command that has begun may finish nevertheless.
func (c *Client) Start(ctx context.Context, command string) (*Process, error) {
	release := context.AfterFunc(ctx, func() { c.Close() })
	p, err := c.start(command)
	if err != nil {
		release()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, c.wrap(err)
	}
	p.release = release
	return p, nil
}

func (c *Client) start(command string) (*Process, error) {
	session, err := c.conn.NewSession()
	if err != nil {
		return nil, c.unopened(err)
	}
	p := &Process{client: c, session: session}
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.Stdin = stdin{in, c}
	if p.Stdout, err = session.StdoutPipe(); err != nil {
		return nil, err
	}
	if p.Stderr, err = session.StderrPipe(); err != nil {
		return nil, err
	}
	return p, session.Start(command)
}

// Wait waits for the command's end and returns its exit code. An error says that
// there is none: the connection broke off (*[DeadError]) or a signal ended it.
func (p *Process) Wait() (int, error) {
	err := p.session.Wait()
	p.release()
	var exit *xssh.ExitError
	if errors.As(err, &exit) && exit.Signal() == "" {
		return exit.ExitStatus(), nil
	}
	return 0, p.client.wrap(err)
}

// Close ends the session without waiting for its command.
func (p *Process) Close() error {
	p.release()
	return p.session.Close()
}
