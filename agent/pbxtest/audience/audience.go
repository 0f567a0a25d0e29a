// Package audience reads for benchmarks what their clients are sent, and tells them when each has read a round of it. It never waits for somebody who will
// not read on: a benchmark has no deadline of its own, since that of go test ends before benchmarks begin.
package audience

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long nobody may read anything while a round is waited for. What is slow reads something.
const patience = time.Minute

// buffer is about what one write to a client hands over.
const buffer = 64 << 10

// Audience are clients, each of which has a connection that nobody else reads. Wait and Leave are for one goroutine.
type Audience struct {
	clients  []*client
	read     chan struct{} // a tick from each client for each round
	broken   chan error    // of each client once at most
	progress atomic.Int64  // bytes
	patience time.Duration
	readers  sync.WaitGroup
}

type client struct {
	conn  net.Conn
	round int // bytes
	got   int // of the round that it reads; of the goroutine that reads
}

// New has clients read; round is how many bytes one of them is sent in a round.
func New(conns []net.Conn, round func(i int) int) *Audience {
	return newAudience(conns, round, patience)
}

func newAudience(conns []net.Conn, round func(i int) int, patience time.Duration) *Audience {
	a := &Audience{read: make(chan struct{}, len(conns)), broken: make(chan error, len(conns)), patience: patience}
	for i, conn := range conns {
		c := &client{conn: conn, round: round(i)}
		a.clients = append(a.clients, c)
		a.readers.Go(func() {
			if err := a.follow(c); err != nil {
				a.broken <- fmt.Errorf("client %d of %d has read %d bytes of the %d of a round and can read no more: %w", i, len(conns), c.got, c.round, err)
			}
		})
	}
	return a
}

// follow reads until the connection is over, or Leave says that enough was read.
func (a *Audience) follow(c *client) error {
	buf := make([]byte, buffer)
	for {
		n, err := c.conn.Read(buf)
		a.progress.Add(int64(n))
		for c.got += n; c.got >= c.round; c.got -= c.round {
			a.read <- struct{}{}
		}
		switch {
		case err == nil:
		case c.got == 0 && errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		default:
			return err
		}
	}
}

// Wait waits until every client has read one round more. It returns an error when one of them cannot, or when none reads anything for a long time.
func (a *Audience) Wait() error {
	before := a.progress.Load()
	stuck := time.NewTimer(a.patience)
	defer stuck.Stop()
	for left := len(a.clients); left > 0; {
		select {
		case <-a.read:
			left--
		case err := <-a.broken:
			return err
		case <-stuck.C:
			now := a.progress.Load()
			if now == before {
				return fmt.Errorf("nobody has read anything for %v, and %d of %d clients have not read the round: what they wait for was not sent", a.patience, left, len(a.clients))
			}
			before = now
			stuck.Reset(a.patience)
		}
	}
	return nil
}

// Leave has the clients read no more. It returns an error when one of them was sent something beyond the last round, or was cut off. The connections stay open.
func (a *Audience) Leave() error {
	for _, c := range a.clients {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
	a.readers.Wait()
	select {
	case err := <-a.broken:
		return err
	default:
		return nil
	}
}
