package redistest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a way to a server that can be made slow. Safe for concurrent use.
type Proxy struct {
	Addr string

	delay atomic.Int64
}

// Slow has everything that is sent from now on, either way, arrive later by d.
func (p *Proxy) Slow(d time.Duration) { p.delay.Store(int64(d)) }

// StartProxy starts a way to a server, for the time of the test.
func StartProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			closeBoth := sync.OnceFunc(func() { _ = near.Close(); _ = far.Close() })
			stop := context.AfterFunc(ctx, closeBoth)
			wg.Go(func() { p.carry(ctx, far, near); closeBoth(); stop() })
			wg.Go(func() { p.carry(ctx, near, far); closeBoth(); stop() })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	return p
}

// carry copies until either end closes. What it holds back holds up what comes after, as a slow line does.
func (p *Proxy) carry(ctx context.Context, to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if d := time.Duration(p.delay.Load()); d > 0 && n > 0 {
			late := time.NewTimer(d)
			select {
			case <-late.C:
			case <-ctx.Done():
			}
			late.Stop()
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
