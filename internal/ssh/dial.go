package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/secret"
)

// Dialer opens connections: a [net.Dialer] or a [JumpHost].
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Options say whom to connect to, and as whom.
type Options struct {
	Address string       // host, or host:port
	Users   []string     // tried in this order
	Key     secret.Value // private key: ed25519, ECDSA or RSA, OpenSSH's format or PEM
	// HostKeys are what the machine may show: SHA256:… fingerprints, or whole
	// public keys ("ssh-ed25519 AAAA…"). None is an error that tells the machine's.
	HostKeys []string
	// TrustOnFirstUse accepts whatever key the machine shows where HostKeys is
	// empty; [Client.HostKey] tells which it was.
	TrustOnFirstUse bool
	Via             Dialer        // nil: from here
	Timeout         time.Duration // for the connection and its handshake, each; zero: 15 s
}

// DefaultTimeout bounds a connection attempt, and then its handshake.
const DefaultTimeout = 15 * time.Second

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultTimeout
}

// address returns the address with its port.
func (o Options) address() string {
	if _, _, err := net.SplitHostPort(o.Address); err == nil {
		return o.Address
	}
	return net.JoinHostPort(strings.Trim(o.Address, "[]"), "22")
}

func (o Options) dialer() Dialer {
	if o.Via != nil {
		return o.Via
	}
	return &net.Dialer{}
}

// Dial connects as the first of the users whom the machine accepts. It fails with
// *[KeyError], *[UnreachableError], *[HostKeyError] or *[AuthError].
func Dial(ctx context.Context, o Options) (*Client, error) {
	signer, err := signer(o.Key)
	if err != nil {
		return nil, &KeyError{err}
	}
	if len(o.Users) == 0 {
		return nil, fmt.Errorf("cannot connect to %s: no user is given", o.Address)
	}
	pins, err := newPins(o)
	if err != nil {
		return nil, err
	}
	for _, user := range o.Users {
		c, err := dialUser(ctx, o, user, signer, pins)
		if !errors.Is(err, errNotAccepted) {
			return c, err
		}
	}
	return nil, &AuthError{o.address(), o.Users, xssh.FingerprintSHA256(signer.PublicKey())}
}

// errNotAccepted says that the machine is the right one and refuses the user.
var errNotAccepted = errors.New("not accepted")

// dialUser connects as one user, once for each type of host key that the machine
// may have: only fingerprints are known, not what types they are of.
func dialUser(ctx context.Context, o Options, user string, signer xssh.Signer, pins *pins) (*Client, error) {
	for {
		c, err := handshake(ctx, o, user, signer, pins)
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, errNotPinned) && pins.next():
			continue
		case errors.Is(err, errNotPinned), isNoCommonHostKey(err) && len(pins.seen) > 0:
			return nil, pins.failure()
		case pins.matched && strings.Contains(err.Error(), "unable to authenticate"):
			return nil, errNotAccepted
		}
		return nil, err
	}
}

// handshake makes one connection.
func handshake(ctx context.Context, o Options, user string, signer xssh.Signer, pins *pins) (*Client, error) {
	dialCtx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	tcp, err := o.dialer().DialContext(dialCtx, "tcp", o.address())
	if err != nil {
		return nil, &UnreachableError{o.address(), err}
	}
	config := &xssh.ClientConfig{
		User:              user,
		Auth:              []xssh.AuthMethod{xssh.PublicKeys(signer)},
		HostKeyCallback:   pins.check,
		HostKeyAlgorithms: pins.algorithms(),
	}
	config.KeyExchanges = keyExchanges()
	conn, err := finish(ctx, o, quickack(tcp), config)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return newClient(conn, o.address(), user, pins.shown), nil
}

// finish does the handshake on an open connection. Closing the connection is what
// interrupts it, since one through a jump host knows no deadlines.
func finish(ctx context.Context, o Options, tcp net.Conn, config *xssh.ClientConfig) (*xssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	conn, chans, reqs, err := xssh.NewClientConn(tcp, o.address(), config)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	switch {
	case err == nil:
		return xssh.NewClient(conn, chans, reqs), nil
	case ctx.Err() != nil:
		return nil, &UnreachableError{o.address(), fmt.Errorf("no SSH handshake: %w", context.Cause(ctx))}
	case errors.Is(err, errNotPinned), isNoCommonHostKey(err), strings.Contains(err.Error(), "unable to authenticate"):
		return nil, err
	}
	return nil, &UnreachableError{o.address(), err}
}

// keyExchanges returns the defaults with curve25519 first: the post-quantum
// exchange costs a short run half of its time. What goes over the wire is worth
// keeping for years by nobody: a leaked secret is rotated.
func keyExchanges() []string {
	return append([]string{xssh.KeyExchangeCurve25519}, xssh.SupportedAlgorithms().KeyExchanges...)
}

// signer parses a private key.
func signer(key secret.Value) (xssh.Signer, error) {
	text := strings.ReplaceAll(strings.TrimSpace(key.Reveal()), "\r\n", "\n") + "\n"
	signer, err := xssh.ParsePrivateKey([]byte(text))
	var locked *xssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, errors.New("it is protected by a passphrase")
	}
	return signer, err
}
