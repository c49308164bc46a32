//go:build !linux

package ssh

import "net"

// quickack does nothing where the system has no such option.
func quickack(conn net.Conn) net.Conn { return conn }
