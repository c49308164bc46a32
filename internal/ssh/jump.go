package ssh

import (
	"context"
	"net"
)

// JumpHost is an SSH server through which others are reached. Many connections may
// go through one at the same time.
type JumpHost struct{ client *Client }

// DialJump connects to a jump host. Its key is pinned like any other's; a failure's
// errors are those of [Dial].
func DialJump(ctx context.Context, o Options) (*JumpHost, error) {
	c, err := Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	return &JumpHost{c}, nil
}

// DialContext opens a connection from the jump host to the address.
func (j *JumpHost) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := j.client.conn.DialContext(ctx, network, address)
	if err != nil {
		return nil, j.client.wrap(err)
	}
	return conn, nil
}

// Close ends the connection, and all that go through it.
func (j *JumpHost) Close() error { return j.client.Close() }
