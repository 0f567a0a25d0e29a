package stage

import (
	"context"
	"net"
	"testing"
)

// Pieces is a listener whose connections have no buffer: what is written in two pieces is read in two.
type Pieces struct {
	conns chan net.Conn
	over  chan struct{}
}

// InPieces has a door served over connections without a buffer, until the test ends.
func InPieces(t testing.TB, serve func(context.Context, net.Listener) error) *Pieces {
	t.Helper()
	p := &Pieces{conns: make(chan net.Conn), over: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, p) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return p
}

// Dial returns the client's end of a connection that comes from 127.0.1.from.
func (p *Pieces) Dial(from byte) net.Conn {
	client, server := net.Pipe()
	p.conns <- local{server, from}
	return client
}

// Accept returns the next connection (net.Listener).
func (p *Pieces) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

// Close ends Accept (net.Listener).
func (p *Pieces) Close() error { close(p.over); return nil }

// Addr is one of this machine (net.Listener).
func (p *Pieces) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// local is a connection's end with an address.
type local struct {
	net.Conn
	from byte
}

func (l local) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 1, l.from), Port: 2} }
