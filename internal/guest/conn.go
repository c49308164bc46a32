package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/ssh"
)

// Options say how to reach the machine and how long to wait for it.
type Options struct {
	ssh.Options
	Observe time.Duration // bound for an observation; zero: 60 s
	Step    time.Duration // bound for one step; zero: 30 min
	Wait    time.Duration // for the end of another run's step on the machine, be that run dead; zero: 2 min
	Confirm time.Duration // within which the lock-out guard wants its confirmation; zero: 60 s
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Conn is a connection to one machine. One call at a time goes over it.
type Conn struct {
	options Options
	mu      sync.Mutex // guards client, which a fallback replaces
	client  *ssh.Client
}

// Dial connects to the machine. Errors are those of [ssh.Dial].
func Dial(ctx context.Context, o Options) (*Conn, error) {
	client, err := ssh.Dial(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	if len(o.HostKeys) == 0 { // trusted on first use: from here on it is that one
		o.HostKeys = []string{client.HostKey()}
	}
	return &Conn{options: o, client: client}, nil
}

// User is the user that the machine accepted.
func (c *Conn) User() string { return c.current().User() }

// HostKey is the SHA256:… fingerprint of the key that the machine showed.
func (c *Conn) HostKey() string { return c.current().HostKey() }

// Close ends the connection.
func (c *Conn) Close() error { return c.current().Close() }

func (c *Conn) current() *ssh.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client
}

// Observe reports what plan needs to compare the machine with want, in one round
// trip that changes nothing. The connection falls back to the next of its users
// when the one it has may not use sudo.
func (c *Conn) Observe(ctx context.Context, want *machine.OS) (*machine.OS, error) {
	if want == nil {
		want = &machine.OS{}
	}
	if err := checkNames(want); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, or(c.options.Observe, time.Minute),
		slow("the machine does not say in time what it looks like"))
	defer cancel()
	for {
		have, err := c.observe(ctx, observation(want))
		var refused *SudoError
		if !errors.As(err, &refused) || c.fallback(ctx) != nil {
			return have, err
		}
	}
}

func (c *Conn) observe(ctx context.Context, script string) (*machine.OS, error) {
	p, err := c.start(ctx, script)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	p.Stdin.Close()
	said := collect(p.Stderr)
	have, err := parse(p.Stdout)
	_, _ = io.Copy(io.Discard, io.LimitReader(p.Stdout, maxAnswer))
	_, exit := p.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		return have, nil
	}
	if refused := sudoError(c.User(), said()); refused != nil {
		return nil, refused
	}
	if exit != nil {
		return nil, exit
	}
	return nil, fmt.Errorf("cannot observe the machine: %w%s", err, told(said()))
}

// start runs a script as root. Its standard input stays open for what it reads.
func (c *Conn) start(ctx context.Context, script string) (*ssh.Process, error) {
	client := c.current()
	p, err := client.Start(ctx, command(client.User(), len(script)))
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(p.Stdin, script); err != nil && !errors.Is(err, io.EOF) {
		p.Close()
		return nil, err
	}
	return p, nil // io.EOF: it ended early, which its streams tell better
}

// fallback replaces the connection by one as the next user.
func (c *Conn) fallback(ctx context.Context) error {
	used := slices.Index(c.options.Users, c.User())
	if used < 0 || used+1 >= len(c.options.Users) {
		return errors.New("no user is left")
	}
	o := c.options.Options
	o.Users = o.Users[used+1:]
	client, err := ssh.Dial(ctx, o)
	if err != nil {
		return err
	}
	c.mu.Lock()
	old := c.client
	c.client = client
	c.mu.Unlock()
	return old.Close()
}

// collect reads a stream to its end, keeping its last lines.
func collect(r io.Reader) func() string {
	var t tail
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&t, r)
	}()
	return func() string { <-done; return t.String() }
}

func told(lines string) string {
	if lines = strings.TrimSpace(lines); lines == "" {
		return ""
	}
	return "; it says: " + lines
}
