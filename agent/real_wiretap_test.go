package agent_test

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent"
)

// sent is something whole that Earshot has sent to Asterisk.
type sent struct {
	to   string // AMI or ARI
	what string // an AMI action; a request's method and target, and a body behind a line end; a frame
}

// acts reports whether it has Asterisk do something. What does not is a question, a sign of life, or the log-in.
func (s sent) acts() bool {
	if s.to == toARI {
		return !strings.HasPrefix(s.what, "GET ") && !strings.Contains(s.what, "earshot-sync-") // a bridge by which a snapshot knows how far it has come
	}
	name := s.field("Action")
	for _, asks := range []string{"Ping", "Login", "Challenge", "QueueStatus", "Getvar", "DBGet", "DBGetTree", "ListCommands", "CoreSettings", "CoreStatus", "Parkinglots", "ParkedCalls", "ModuleCheck"} {
		if name == asks {
			return false
		}
	}
	return true
}

// field is a header of an AMI action.
func (s sent) field(name string) string {
	for line := range strings.SplitSeq(s.what, "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && n == name {
			return strings.TrimPrefix(value, " ")
		}
	}
	return ""
}

const (
	toAMI = "AMI"
	toARI = "ARI"
)

// wiretap stands between Earshot and Asterisk, at AMI and at ARI, and keeps all that Earshot sends, in the order in which it comes at each of them. What
// Earshot has sent is kept before Asterisk has it.
type wiretap struct {
	mu    sync.Mutex
	all   []sent
	conns []net.Conn
	more  chan struct{} // closed when there is more
}

// taps puts one in.
func taps(t *testing.T) (w *wiretap, configure func(*agent.Config)) {
	w = &wiretap{more: make(chan struct{})}
	return w, func(c *agent.Config) {
		to, err := url.Parse(c.PBX.ARI.URL)
		if err != nil {
			t.Fatal(err)
		}
		c.PBX.AMI.Address = w.between(t, c.PBX.AMI.Address, func() reader { return &amiReader{} })
		to.Host = w.between(t, to.Host, func() reader { return &ariReader{} })
		c.PBX.ARI.URL = to.String()
	}
}

// reader takes off a stream what is whole.
type reader interface {
	read(more []byte) []sent
}

// between listens in front of an address.
func (w *wiretap) between(t *testing.T, upstream string, read func() reader) (addr string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.Background(), "tcp", upstream)
			if err != nil {
				_ = in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			running.Go(func() { w.carry(out, in, read()) })
			running.Go(func() { w.carry(in, out, nil) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

func (w *wiretap) carry(to, from net.Conn, r reader) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if r != nil {
				w.keep(r.read(buf[:n]))
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wiretap) keep(more []sent) {
	if len(more) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, more...)
	close(w.more)
	w.more = make(chan struct{})
}

// since is what has been sent behind the first so many, and what is closed when there is more.
func (w *wiretap) since(n int) (all []sent, more <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all[n:]), w.more
}

// count is how much there is.
func (w *wiretap) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

// orders are what has Asterisk do something, behind the first so many.
func (w *wiretap) orders(n int) []sent {
	all, _ := w.since(n)
	return slices.DeleteFunc(all, func(s sent) bool { return !s.acts() })
}

// amiReader takes actions off a stream.
type amiReader struct{ stream []byte }

func (r *amiReader) read(more []byte) (all []sent) {
	r.stream = append(r.stream, more...)
	for {
		i := bytes.Index(r.stream, []byte("\r\n\r\n"))
		if i < 0 {
			return all
		}
		all = append(all, sent{toAMI, string(r.stream[:i])})
		r.stream = r.stream[i+4:]
	}
}

// ariReader takes requests off a stream, or, once it has become a WebSocket, frames that are more than a sign of life.
type ariReader struct {
	stream   []byte
	upgraded bool
}

func (r *ariReader) read(more []byte) (all []sent) {
	r.stream = append(r.stream, more...)
	for !r.upgraded {
		head, body, ok := bytes.Cut(r.stream, []byte("\r\n\r\n"))
		if !ok {
			return all
		}
		line, headers, _ := strings.Cut(string(head), "\r\n")
		what := strings.TrimSuffix(line, " HTTP/1.1")
		size := 0
		for h := range strings.SplitSeq(headers, "\r\n") {
			name, value, _ := strings.Cut(h, ":")
			value = strings.TrimSpace(value)
			switch strings.ToLower(name) {
			case "content-length":
				size, _ = strconv.Atoi(value)
			case "transfer-encoding":
				what = "a body of no length: " + what // which would be something new
			case "upgrade":
				r.upgraded = true
			}
		}
		if len(body) < size {
			return all
		}
		if size > 0 {
			what += "\n" + string(body[:size])
		}
		all, r.stream = append(all, sent{toARI, what}), body[size:]
	}
	return append(all, r.frames()...)
}

func (r *ariReader) frames() (all []sent) {
	for len(r.stream) >= 2 {
		size, head := int(r.stream[1]&0x7f), 6
		switch {
		case size == 126 && len(r.stream) >= 4:
			size, head = int(r.stream[2])<<8|int(r.stream[3]), 8
		case size >= 126:
			return append(all, sent{toARI, "a long frame"})
		}
		if len(r.stream) < head+size {
			return all
		}
		if op := r.stream[0] & 0x0f; op != 9 && op != 10 && op != 8 { // ping, pong and the end
			all = append(all, sent{toARI, "a frame of kind " + strconv.Itoa(int(op))})
		}
		r.stream = r.stream[head+size:]
	}
	return all
}
