// Package lobby bounds what strangers cost an HTTP server: the connections on which nobody has proven himself. There are so many of them at most, and none
// stays for long.
//
// Its invariant: a connection is in the lobby from its beginning until somebody proves himself on it or it is over, and the lobby closes none that has left
// it. Who comes from where few do is not kept out by who comes from where many do.
package lobby

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Why the lobby has closed a connection.
const (
	TimedOut = "login_timeout" // nobody has proven himself in time
	Crowded  = "crowded_out"   // it made room for a newer one
)

// Lobby is safe for concurrent use.
type Lobby struct {
	most     int
	patience time.Duration
	closed   func(why string)

	mu     sync.Mutex // guards the rest, and every guest
	guests map[net.Conn]*guest
	from   map[netip.Addr]*list.List // of *guest, who came first before; none is empty
	n      int                       // in all of them
}

// guest is a connection.
type guest struct {
	lobby    *Lobby
	conn     net.Conn
	from     netip.Addr
	place    *list.Element // nil: it has left
	expelled bool          // it is closed
	timer    *time.Timer
	busy     bool // a request is answered
	overdue  bool // it is closed when that has been
}

type key struct{}

// New makes a lobby for so many connections, each of which stays for patience, and for the request longer that is answered then. Closed is told of each that
// the lobby closes; it may be nil.
func New(most int, patience time.Duration, closed func(why string)) *Lobby {
	if closed == nil {
		closed = func(string) {}
	}
	return &Lobby{most: most, patience: patience, closed: closed, guests: map[net.Conn]*guest{}, from: map[netip.Addr]*list.List{}}
}

// Serve has a server lead its connections through the lobby. What the server does with them already is done behind it.
func (l *Lobby) Serve(s *http.Server) {
	open, changed := s.ConnContext, s.ConnState
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if ctx = l.enter(ctx, conn); open != nil {
			ctx = open(ctx, conn)
		}
		return ctx
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if l.turn(conn, state); changed != nil {
			changed(conn, state)
		}
	}
}

// Prove says that somebody has proven himself on the connection by which a request comes, by the request's context. It reports false when the lobby has closed
// it already; a connection that has become a stream since is not the lobby's to close, and proven. In a context without a connection that is in a lobby there is nothing to say, and it is true.
func Prove(ctx context.Context) bool {
	g, _ := ctx.Value(key{}).(*guest)
	if g == nil {
		return true
	}
	g.lobby.mu.Lock()
	defer g.lobby.mu.Unlock()
	if g.place != nil {
		g.lobby.leave(g)
	}
	return !g.expelled
}

// Len is how many connections are in the lobby.
func (l *Lobby) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *Lobby) enter(ctx context.Context, conn net.Conn) context.Context {
	g := &guest{lobby: l, conn: conn, from: network(conn.RemoteAddr())}
	var out *guest
	l.mu.Lock()
	if l.n >= l.most {
		out = l.first()
		l.expel(out)
	}
	if l.from[g.from] == nil {
		l.from[g.from] = list.New()
	}
	g.place = l.from[g.from].PushBack(g)
	l.n++
	l.guests[conn] = g
	g.timer = time.AfterFunc(l.patience, func() { l.late(g) })
	l.mu.Unlock()
	if out != nil {
		l.closed(Crowded)
		out.close()
	}
	return context.WithValue(ctx, key{}, g)
}

// first is who has waited longest of those who come from where most come from. Caller holds the lock.
func (l *Lobby) first() *guest {
	var most *list.List
	for _, from := range l.from {
		if most == nil || from.Len() > most.Len() {
			most = from
		}
	}
	g, _ := most.Front().Value.(*guest)
	return g
}

// leave takes a guest off those who wait. Caller holds the lock.
func (l *Lobby) leave(g *guest) {
	if g.place == nil {
		return
	}
	g.timer.Stop()
	from := l.from[g.from]
	if from.Remove(g.place); from.Len() == 0 {
		delete(l.from, g.from)
	}
	g.place = nil
	l.n--
}

// expel is leave for one that is closed. Caller holds the lock.
func (l *Lobby) expel(g *guest) {
	l.leave(g)
	g.expelled = true
	delete(l.guests, g.conn)
}

// close does not wait: a TLS connection would say farewell first, to who may not read it.
func (g *guest) close() {
	if secure, ok := g.conn.(*tls.Conn); ok {
		_ = secure.NetConn().Close()
		return
	}
	_ = g.conn.Close()
}

// late is the end of a guest's time.
func (l *Lobby) late(g *guest) {
	l.mu.Lock()
	wait := g.place == nil || g.busy
	if g.overdue = true; !wait {
		l.expel(g)
	}
	l.mu.Unlock()
	if !wait {
		l.closed(TimedOut)
		g.close()
	}
}

// turn is told what becomes of a connection.
func (l *Lobby) turn(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	g := l.guests[conn]
	if g == nil {
		l.mu.Unlock()
		return
	}
	g.busy = state == http.StateActive
	over := false
	switch state {
	case http.StateClosed:
		l.expel(g)
	case http.StateHijacked:
		l.leave(g)
		delete(l.guests, conn)
	case http.StateIdle:
		if over = g.overdue && g.place != nil; over {
			l.expel(g)
		}
	case http.StateNew, http.StateActive:
	}
	l.mu.Unlock()
	if over {
		l.closed(TimedOut)
		g.close()
	}
}

// network is what connections are told apart by: an address with IPv4, a network with IPv6, of which one client has as many addresses as it likes.
func network(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	if ip.Is4() {
		return ip
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
