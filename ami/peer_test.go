package ami

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// peer is Asterisk's end of one connection, played by a script. It is for faults that a real Asterisk does not show on
// demand.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *Reader
}

const testSecret = "correct horse"

// scripted makes a configuration whose connections are pipes with the scripts at the other end, one for each connection
// and the last one for all further ones. The test's end waits for the scripts.
func scripted(t testing.TB, scripts ...func(*peer)) Config {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	next := 0
	return Config{
		Username: "earshot",
		Secret:   testSecret,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			script := scripts[min(next, len(scripts)-1)]
			next++
			wg.Go(func() { play(t, theirs, script) })
			return pipeEnd{ours}, nil
		},
	}
}

// pipeEnd is a net.Pipe that behaves like a socket once the other end is closed: setting a deadline works, and reading
// gives what there is to read, the end.
type pipeEnd struct{ net.Conn }

func (p pipeEnd) SetReadDeadline(at time.Time) error {
	if err := p.Conn.SetReadDeadline(at); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}

func play(t testing.TB, conn net.Conn, script func(*peer)) {
	defer func() { _ = conn.Close() }() // a pipe's Close has no error
	script(&peer{t: t, conn: conn, r: NewReader(conn, Limits{})})
}

// stop ends the script; the connection is closed.
func (p *peer) stop(format string, args ...any) {
	p.t.Errorf(format, args...)
	runtime.Goexit()
}

// write sends text as it is; a client that has gone is no fault.
func (p *peer) write(text string) {
	if _, err := io.WriteString(p.conn, text); err != nil {
		runtime.Goexit()
	}
}

// next waits for an action of this name.
func (p *peer) next(action string) *Message {
	m, err := p.r.Read()
	if err != nil {
		p.stop("waiting for %s: %v", action, err)
	}
	if string(m.Action()) != action {
		p.stop("got %v, want %s", m, action)
	}
	if m.Get("ActionID") == "" {
		p.stop("%s has no ActionID", action)
	}
	return m.Clone()
}

// answer sends an answer or a row to m: the first line, m's ActionID, the other lines.
func (p *peer) answer(m *Message, lines ...string) {
	block := lines[0] + "\r\nActionID: " + m.Get("ActionID") + "\r\n"
	for _, line := range lines[1:] {
		block += line + "\r\n"
	}
	p.write(block + "\r\n")
}

// login plays the greeting and a good log-in by challenge.
func (p *peer) login() {
	p.write(greeting)
	m := p.next("Challenge")
	if m.Get("AuthType") != "MD5" {
		p.stop("challenge of type %q", m.Get("AuthType"))
	}
	p.answer(m, "Response: Success", "Challenge: 123456789")
	m = p.next("Login")
	sum := md5.Sum([]byte("123456789" + testSecret))
	if m.Get("Key") != hex.EncodeToString(sum[:]) || m.Get("Username") != "earshot" {
		p.answer(m, "Response: Error", "Message: Authentication failed")
		p.stop("wrong key or user")
	}
	if strings.Contains(string(m.Raw()), testSecret) {
		p.stop("the secret crossed the wire")
	}
	p.answer(m, "Response: Success", "Message: Authentication accepted")
}

// rest reads until the client closes the connection and fails on any action but a ping.
func (p *peer) rest() {
	for {
		m, err := p.r.Read()
		if err != nil {
			return
		}
		if string(m.Action()) != "Ping" {
			p.stop("unexpected %v", m)
		}
		p.answer(m, "Response: Success", "Ping: Pong")
	}
}

// connectTo dials and closes at the test's end.
func connectTo(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := Dial(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// logged is a script that goes on after a good log-in.
func logged(script func(*peer)) func(*peer) {
	return func(p *peer) {
		p.login()
		script(p)
	}
}
