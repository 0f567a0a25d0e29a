//go:build faults

package agent_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// lies are what a clerk makes of what the PBX says. The zero value tells the truth.
type lies struct {
	mu      sync.Mutex
	answer  func(w http.ResponseWriter, r *http.Request) (done bool) // instead of the PBX
	events  func(text []byte) [][]byte                               // what becomes of an event
	streams map[*websocket.Conn]struct{}
	asked   map[string]int // requests by method and last part of the path
}

// tell sets what lies are told from now on.
func (l *lies) tell(answer func(w http.ResponseWriter, r *http.Request) bool, events func([]byte) [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer, l.events = answer, events
}

// cut ends the event streams, so that Earshot connects and takes a snapshot again.
func (l *lies) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.streams {
		_ = c.CloseNow()
	}
}

// sends sends an event of the liar's own.
func (l *lies) sends(ctx context.Context, texts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.streams {
		for _, text := range texts {
			_ = c.Write(ctx, websocket.MessageText, []byte(text)) // who is cut off gets nothing
		}
	}
}

// count is how often something was asked, and begins anew.
func (l *lies) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.asked[what]
	delete(l.asked, what)
	return n
}

func (l *lies) note(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == nil {
		l.asked = map[string]int{}
	}
	l.asked[r.Method+" "+r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
}

func (l *lies) instead(w http.ResponseWriter, r *http.Request) bool {
	l.mu.Lock()
	answer := l.answer
	l.mu.Unlock()
	return answer != nil && answer(w, r)
}

// stream carries the PBX's events, as they are or as they are made.
func (l *lies) stream(w http.ResponseWriter, r *http.Request, target string) {
	far, resp, err := websocket.Dial(r.Context(), target+r.URL.RequestURI(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": r.Header["Authorization"]}})
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	defer func() { _ = far.CloseNow() }()
	far.SetReadLimit(16 << 20)
	near, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = near.CloseNow() }()
	ctx := near.CloseRead(r.Context())
	l.mu.Lock()
	if l.streams == nil {
		l.streams = map[*websocket.Conn]struct{}{}
	}
	l.streams[near] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.streams, near)
	}()
	for {
		_, text, err := far.Read(ctx)
		if err != nil {
			return
		}
		l.mu.Lock()
		events := l.events
		l.mu.Unlock()
		all := [][]byte{text}
		if events != nil {
			all = events(text)
		}
		for _, text := range all {
			if near.Write(ctx, websocket.MessageText, text) != nil {
				return
			}
		}
	}
}

// a gossip stands before the PBX's AMI and says more than the PBX does.
type gossip struct {
	net.Listener
	running sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func (o *office) gossip() *gossip {
	o.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	o.must(err)
	g := &gossip{Listener: l, conns: map[net.Conn]struct{}{}}
	g.running.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(context.Background(), "tcp", o.PBX.AMI())
			if err != nil {
				_ = near.Close()
				continue
			}
			g.mu.Lock()
			g.conns[near] = struct{}{}
			g.mu.Unlock()
			g.running.Go(func() { _, _ = io.Copy(far, near); _, _ = far.Close(), near.Close() })
			g.running.Go(func() { g.carry(near, far) })
		}
	})
	o.Cleanup(func() {
		_ = l.Close()
		g.mu.Lock()
		for c := range g.conns {
			_ = c.Close()
		}
		g.mu.Unlock()
		g.running.Wait()
	})
	o.must(o.Edit("earshot.yaml", o.PBX.AMI(), l.Addr().String()))
	return g
}

// carry carries whole messages, so that what is said between is between.
func (g *gossip) carry(near, far net.Conn) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.conns, near)
		_, _ = far.Close(), near.Close()
	}()
	r := bufio.NewReader(far)
	var message []byte
	for first := true; ; first = false {
		for {
			line, err := r.ReadBytes('\n')
			message = append(message, line...)
			if err != nil {
				return
			}
			if first || len(line) == 2 {
				break
			}
		}
		g.mu.Lock()
		_, err := near.Write(message)
		g.mu.Unlock()
		if err != nil {
			return
		}
		message = message[:0]
	}
}

// says says something on every connection, again and again until so many bytes are said or nobody listens, and tells how many were.
func (g *gossip) says(text string, bytes int) (said int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		for n := 0; n < bytes; {
			m, err := io.WriteString(c, text)
			n, said = n+m, said+m
			if err != nil {
				break
			}
		}
	}
	return said
}

// peak is the most memory that a program has had, in MiB.
func peak(pid int) (mib int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				return 0, err
			}
			return kib >> 10, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}
