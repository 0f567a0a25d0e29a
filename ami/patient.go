package ami

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// patientReader bounds each Read, and knows for how long all of them together have waited for the peer.
type patientReader struct {
	conn     net.Conn
	patience time.Duration
	born     time.Time

	mu     sync.Mutex
	before time.Duration // what the Reads that are over have waited
	since  time.Duration // when the one that waits now has begun, since born
	reads  bool
	proof  time.Duration // what had been waited when the peer last showed that it hears
}

func (r *patientReader) Read(p []byte) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(r.patience)); err != nil {
		return 0, err
	}
	r.mu.Lock()
	r.since, r.reads = time.Since(r.born), true
	r.mu.Unlock()
	n, err := r.conn.Read(p)
	r.mu.Lock()
	r.before, r.reads = r.before+time.Since(r.born)-r.since, false
	r.mu.Unlock()
	return n, err
}

// waited is for how long the peer has been waited for.
func (r *patientReader) waited() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reads {
		return r.before + time.Since(r.born) - r.since
	}
	return r.before
}

// heard notes, between two Reads, that what was read answers something of ours.
func (r *patientReader) heard() {
	r.mu.Lock()
	r.proof = r.before
	r.mu.Unlock()
}

// waitedSince is for how long the peer has been waited for since began, or since it last showed that it hears.
func (r *patientReader) waitedSince(began time.Duration) time.Duration {
	waited := r.waited()
	r.mu.Lock()
	defer r.mu.Unlock()
	return waited - max(began, r.proof)
}

// keepAlive sends a ping each PingInterval, and gives the connection up when one has no answer. That the peer still sends is not enough: what is sent to it
// may be lost on the way all the same, and then it does nothing that it is asked to.
func (c *Client) keepAlive() {
	tick := time.NewTicker(c.cfg.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.closing:
			return
		case <-tick.C:
		}
		c.ping()
	}
}

// ping returns when it has an answer or the connection is given up. The answer is behind everything that has arrived before it, so it is missed only when the
// peer has been waited for as long as it may take, and not while OnEvent works through that, nor while answers and lists of ours go on before it: they show
// that the peer hears, as its events do not.
func (c *Client) ping() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := c.patient.waited()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = c.Do(ctx, NewAction("Ping")) // a refusal is an answer too
	}()
	timer := time.NewTimer(c.cfg.PingTimeout)
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case <-timer.C:
		}
		left := c.cfg.PingTimeout - c.patient.waitedSince(began)
		if left <= 0 {
			c.fail(fmt.Errorf("%w: no answer to a ping for %s", ErrSilent, c.cfg.PingTimeout))
			<-over
			return
		}
		timer.Reset(max(left, c.cfg.PingTimeout/8)) // left does not shrink while OnEvent works, and may be next to nothing
	}
}
