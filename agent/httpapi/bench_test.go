package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/call"
)

// burst is how many changes may be under way: fewer than a watcher may be behind.
const burst = 64

// BenchmarkFanOut brings a change of one call to many watchers, from the fact to the bytes that they have read. The floor is a broadcaster
// that writes ready-made bytes to as many WebSockets.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("door/%d", n), func(b *testing.B) { fanOut(b, n) })
		b.Run(fmt.Sprintf("floor/%d", n), func(b *testing.B) { broadcast(b, n) })
	}
}

func fanOut(b *testing.B, n int) {
	w := newWorld(b)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	h := http.Header{"Authorization": {"Bearer " + w.token["carl"]}}
	a := crowd(b, n, w.web.URL+"/v1/events", h)
	a.took(1) // the snapshot
	leg := phone("1.p", "PJSIP/101", call.StateUp, call.Identity{Number: "101"}, ivanov.identity())
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		kind := call.LegHeld
		if i%2 == 1 {
			kind = call.LegUnheld
		}
		i++
		w.ingest(call.Event{Kind: kind, Channel: leg, At: at(20 + i)})
		if i%burst == 0 {
			a.took(burst)
		}
	}
	a.took(i % burst)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i*n), "ns/delivery")
}

func broadcast(b *testing.B, n int) {
	message := []byte(`{"type":"employee","seq":1234,"employee":{"id":"anna","name":"Anna Petrova","department":"sales","state":"held","since":"2026-10-01T09:00:20Z",` +
		`"calls":[{"id":"cabcdefghijkmnpqrstuv","direction":"in","state":"held","since":"2026-10-01T09:00:20Z","peer":{"number":"+79161234567","name":"Ivanov"}}],` +
		`"can":["spy","whisper","barge"]}}`)
	var mu sync.Mutex
	var out []chan []byte
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		c := make(chan []byte, 512)
		c <- message
		mu.Lock()
		out = append(out, c)
		mu.Unlock()
		for m := range c {
			if conn.Write(context.Background(), websocket.MessageText, m) != nil {
				return
			}
		}
	}))
	defer web.Close()
	defer func() {
		for _, c := range out {
			close(c)
		}
	}()
	a := crowd(b, n, web.URL, nil)
	a.took(1)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		for _, c := range out {
			c <- message
		}
		if i%burst == 0 {
			a.took(burst)
		}
	}
	a.took(i % burst)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i*n), "ns/delivery")
}

// readers are clients that read and count.
type readers struct{ ticks []chan struct{} }

// took waits until each has read so many messages more.
func (a *readers) took(messages int) {
	for _, c := range a.ticks {
		for range messages {
			<-c
		}
	}
}

func crowd(b *testing.B, n int, url string, h http.Header) *readers {
	b.Helper()
	a := &readers{}
	for range n {
		conn, _, err := websocket.Dial(b.Context(), url, &websocket.DialOptions{HTTPHeader: h})
		if err != nil {
			b.Fatal(err)
		}
		conn.SetReadLimit(-1)
		tick := make(chan struct{}, burst)
		a.ticks = append(a.ticks, tick)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				_, r, err := conn.Reader(context.Background())
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					return
				}
				tick <- struct{}{}
			}
		}()
		b.Cleanup(func() { _ = conn.CloseNow(); <-done })
	}
	return a
}
