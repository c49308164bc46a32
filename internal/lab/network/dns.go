package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sync/errgroup"
)

// Resolver is the guests' name server: it answers for the lab's own names and
// hands every other question to the machine's name servers.
type Resolver struct {
	Hosts    map[string]netip.Addr // fully qualified with a final dot
	Upstream []netip.Addr          // asked in order until one answers
}

// dnsTimeout bounds one upstream's answer; a stub resolver gives up after 5 s.
const dnsTimeout = 2 * time.Second

// Serve answers on port 53 of addr, UDP and TCP, until ctx ends.
func (r Resolver) Serve(ctx context.Context, addr netip.Addr) error {
	at := netip.AddrPortFrom(addr, 53).String()
	udp, err := net.ListenPacket("udp", at)
	if err != nil {
		return fmt.Errorf("cannot serve names: %w", err)
	}
	tcp, err := net.Listen("tcp", at)
	if err != nil {
		udp.Close()
		return fmt.Errorf("cannot serve names: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { udp.Close(); tcp.Close() })
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return r.serveUDP(ctx, udp) })
	g.Go(func() error { return r.serveTCP(ctx, tcp) })
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

func (r Resolver) serveUDP(ctx context.Context, conn net.PacketConn) error {
	for {
		buf := make([]byte, 4096)
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		go func() {
			if answer, err := r.answer(ctx, buf[:n]); err == nil {
				conn.WriteTo(answer, from)
			}
		}()
	}
}

// serveTCP relays whole connections: TCP is what a client falls back to for an
// answer that the datagram truncated, and that is never one of the lab's names.
func (r Resolver) serveTCP(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			d := net.Dialer{Timeout: dnsTimeout}
			for _, up := range r.Upstream {
				to, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(up, 53).String())
				if err != nil {
					continue
				}
				relay(conn, to)
				return
			}
		}()
	}
}

func relay(a, b net.Conn) {
	deadline := time.Now().Add(10 * dnsTimeout)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	go func() { io.Copy(b, a); b.Close() }()
	io.Copy(a, b)
}

func (r Resolver) answer(ctx context.Context, query []byte) ([]byte, error) {
	if reply, ok := r.local(query); ok {
		return reply, nil
	}
	err := errors.New("no name server")
	for _, up := range r.Upstream {
		var reply []byte
		if reply, err = ask(ctx, up, query); err == nil {
			return reply, nil
		}
	}
	return nil, err
}

func ask(ctx context.Context, server netip.Addr, query []byte) ([]byte, error) {
	d := net.Dialer{Timeout: dnsTimeout}
	conn, err := d.DialContext(ctx, "udp", netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(dnsTimeout))
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	return buf[:n], err
}

// local answers a question about one of the lab's names: its address, or for
// other record types that there is none.
func (r Resolver) local(query []byte) ([]byte, bool) {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil, false
	}
	q, err := p.Question()
	if err != nil {
		return nil, false
	}
	addr, ok := r.Hosts[q.Name.String()]
	if !ok {
		return nil, false
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: head.ID, Response: true, Authoritative: true,
			RecursionDesired: head.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{q},
	}
	if q.Type == dnsmessage.TypeA {
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60},
			Body:   &dnsmessage.AResource{A: addr.As4()},
		}}
	}
	packed, err := reply.Pack()
	return packed, err == nil
}
