//go:build faults

package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Who sends a request byte by byte is cut off when its time is over, whether he has proven himself or not, and holds up nobody. Who does not read his events or his
// recording is cut off too: each door's own tests have that, with other clients beside.
func TestFaultCrowdOfSlowWriters(t *testing.T) {
	o := enter(t)
	d := o.configure()
	o.runs(limited(t, 1024))
	o.scene("they drip", func(o *office) {
		ctx, cancel := context.WithTimeout(context.Background(), faultPatience)
		defer cancel()
		o.ctx = ctx
		known := "Authorization: Bearer " + o.tokens["irina"] + "\r\n"
		w := o.watch("irina")
		calm := o.delay(w, 3)
		memory := o.taken("resident_memory_bytes")
		var wg sync.WaitGroup
		for _, c := range []struct {
			name, addr, begin, drip string
			most                    time.Duration // that it may last
		}{
			{"http, in its headers", o.HTTP, "GET /v1/me HTTP/1.1\r\nHost: x\r\nX: ", "x", 5 * time.Second},
			{"http, in its body", o.HTTP, "POST /v1/supervisions HTTP/1.1\r\nHost: x\r\n" + known + "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{", " ", 15 * time.Second},
			{"http, in a stranger's body", o.HTTP, "POST /v1/supervisions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{", " ", 15 * time.Second},
			{"ari, in its headers", d.ari, "GET /ari/channels HTTP/1.1\r\nHost: x\r\nX: ", "x", 5 * time.Second},
			{"ari, in its body", d.ari, "POST /ari/channels?api_key=irina:" + o.tokens["irina"] + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{", " ", 15 * time.Second},
			{"ami, in its log-in", d.ami, "Action: Login\r\nUsername: ", "x", 5 * time.Second},
			{"admin, in its headers", o.Admin, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ", "x", 5 * time.Second},
			{"admin, in a body", o.Admin, "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", "x", 10 * time.Second},
		} {
			for range 5 {
				wg.Go(func() {
					if lasted, err := drips(o.ctx, c.addr, c.begin, c.drip); err != nil {
						o.Errorf("%s: %v", c.name, err)
					} else if lasted > c.most+20*time.Second { // a busy machine
						o.Errorf("%s: it was let drip for %v", c.name, lasted)
					}
				})
			}
		}
		busy := o.delay(w, 5)
		wg.Wait()
		o.Logf("from a call to its panel %v, and %v before; %.1f MB more in the end", busy, calm, (o.taken("resident_memory_bytes")-memory)/1e6)
	})
	if t.Failed() {
		t.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}

// drips sends a byte each tenth of a second until the other side ends the connection, and returns when that was.
func drips(ctx context.Context, addr, begin, drip string) (time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	since := time.Now()
	_ = conn.SetReadDeadline(since.Add(60 * time.Second))
	if _, err := io.WriteString(conn, begin); err != nil {
		return 0, err
	}
	over := make(chan error, 1)
	go func() {
		text, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			over <- fmt.Errorf("it is there yet, and was told %q", strings.TrimSpace(string(text)))
			return
		}
		over <- nil
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-over:
			return time.Since(since), err
		case <-tick.C:
			_, _ = io.WriteString(conn, drip) // that it is closed is seen by who reads
		}
	}
}
