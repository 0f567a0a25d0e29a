package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// fakes are SIP phones that cost next to nothing: all of them are one socket, they answer at once, and none looks at what it hears. Asterisk rings
// them by the address that its configuration names, so nothing registers. With audio, each sends a frame every 20 ms, as a phone does.
type fakes struct {
	conn, rtp *net.UDPConn
	audio     *speaker

	mu     sync.Mutex
	legs   map[string]*leg        // by Call-ID
	rings  map[string]chan *leg   // by user: those that have been answered and not been taken by next
	byes   map[string]chan string // by Call-ID: what the BYE of a phone is answered with
	closed bool
}

// leg is a call of one of the phones.
type leg struct {
	user, id      string
	local, remote string // the headers From and To of what this side asks
	contact       string // the URI that Asterisk is asked at
	asterisk      *net.UDPAddr
	ok            []byte // the answer to the INVITE
	up, down      chan struct{}
	upAt, downAt  time.Time
	upped, ended  sync.Once
	sound         *net.UDPAddr // where Asterisk wants to hear it
}

func newFakes() (*fakes, error) {
	listen := func() (*net.UDPConn, error) {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		_ = c.SetReadBuffer(8 << 20) // a smaller one serves too
		return c, nil
	}
	f := &fakes{legs: map[string]*leg{}, rings: map[string]chan *leg{}, byes: map[string]chan string{}}
	var err error
	if f.conn, err = listen(); err != nil {
		return nil, err
	}
	if f.rtp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil { // nobody reads it: the kernel throws away what comes
		return nil, err
	}
	f.audio = newSpeaker(f.rtp)
	go f.serve()
	return f, nil
}

func (f *fakes) addr() string { return f.conn.LocalAddr().String() }

func (f *fakes) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.audio.close()
	_ = f.conn.Close()
	_ = f.rtp.Close()
}

func (f *fakes) ring(user string) chan *leg {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.rings[user]
	if c == nil {
		c = make(chan *leg, 64)
		f.rings[user] = c
	}
	return c
}

// next waits for a call at a phone, and until it has been answered.
func (f *fakes) next(ctx context.Context, user string) (*leg, error) {
	select {
	case l := <-f.ring(user):
		select {
		case <-l.up:
			return l, nil
		case <-l.down:
			return nil, fmt.Errorf("phone %s: the call was given up", user)
		case <-ctx.Done():
			return nil, fmt.Errorf("phone %s: answered, but nothing came of it: %w", user, ctx.Err())
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("phone %s did not ring: %w", user, ctx.Err())
	}
}

func (f *fakes) serve() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := f.conn.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			f.take(string(buf[:n]), from)
		}
	}
}

// head gives the value of a header, and of one that may stand there more than once all of its lines.
func head(text, name string) string {
	for line := range strings.SplitSeq(text, "\r\n") {
		if line == "" {
			return ""
		}
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func vias(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\r\n") {
		if line == "" {
			break
		}
		if strings.HasPrefix(line, "Via:") {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String()
}

func (f *fakes) take(text string, from *net.UDPAddr) {
	method, rest, _ := strings.Cut(text, " ")
	id := head(text, "Call-ID")
	f.mu.Lock()
	l, bye := f.legs[id], f.byes[id]
	f.mu.Unlock()
	switch method {
	case "SIP/2.0":
		if bye != nil && strings.HasSuffix(head(text, "CSeq"), "BYE") && !strings.HasPrefix(rest, "1") {
			select {
			case bye <- rest[:min(3, len(rest))]:
			default:
			}
		}
	case "INVITE":
		f.invited(l, text, id, from)
	case "ACK":
		if l != nil {
			l.upped.Do(func() {
				l.upAt = time.Now()
				close(l.up)
				if l.sound != nil {
					f.audio.add(l)
				}
			})
		}
	case "CANCEL", "BYE":
		f.answer(text, "200 OK", l, "", from)
		if l != nil {
			f.end(l)
		}
	default:
		f.answer(text, "200 OK", l, "", from)
	}
}

// invited answers the INVITE of a new call, or one within a call.
func (f *fakes) invited(l *leg, text, id string, from *net.UDPAddr) {
	uri := strings.Fields(text)[1]
	user, _, _ := strings.Cut(strings.TrimPrefix(uri, "sip:"), "@")
	if l != nil && l.ok != nil && head(text, "To") == stripTag(l.local) { // the same once more
		_, _ = f.conn.WriteToUDP(l.ok, from)
		return
	}
	fresh := l == nil
	if fresh {
		l = &leg{user: user, id: id, up: make(chan struct{}), down: make(chan struct{}), asterisk: from}
		l.local = head(text, "To") + fmt.Sprintf(";tag=%x", rand.Uint64())
		l.remote, l.contact = head(text, "From"), strings.Trim(head(text, "Contact"), "<>")
		l.sound = soundOf(text)
		f.mu.Lock()
		f.legs[id] = l
		f.mu.Unlock()
		f.answer(text, "180 Ringing", l, "", from)
	}
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n",
		f.rtp.LocalAddr().(*net.UDPAddr).Port)
	ok := f.answer(text, "200 OK", l, sdp, from)
	if fresh {
		l.ok = ok
		f.ring(l.user) <- l
	}
}

func stripTag(h string) string { before, _, _ := strings.Cut(h, ";tag="); return before }

// soundOf is where the description in an INVITE wants to hear the phone.
func soundOf(text string) *net.UDPAddr {
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	var ip net.IP
	port := 0
	for line := range strings.SplitSeq(body, "\r\n") {
		if v, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			ip = net.ParseIP(v)
		}
		if v, ok := strings.CutPrefix(line, "m=audio "); ok {
			_, _ = fmt.Sscan(v, &port)
		}
	}
	if ip == nil || port == 0 {
		return nil
	}
	return &net.UDPAddr{IP: ip, Port: port}
}

// answer sends a response and returns it.
func (f *fakes) answer(text, status string, l *leg, sdp string, to *net.UDPAddr) []byte {
	local, user := head(text, "To"), "phone"
	if l != nil {
		user = l.user
		if !strings.Contains(local, ";tag=") {
			local = l.local
		}
	}
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n" + vias(text))
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:%s@%s>\r\n", head(text, "From"), local, head(text, "Call-ID"), head(text, "CSeq"), user, f.addr())
	if sdp != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(sdp), sdp)
	raw := []byte(b.String())
	_, _ = f.conn.WriteToUDP(raw, to)
	return raw
}

func (f *fakes) end(l *leg) {
	l.ended.Do(func() {
		l.downAt = time.Now()
		f.audio.remove(l)
		f.mu.Lock()
		delete(f.legs, l.id)
		f.mu.Unlock()
		close(l.down)
	})
}

// hangUp has the phone end its call; one that is over is no error.
func (f *fakes) hangUp(ctx context.Context, l *leg) error {
	select {
	case <-l.down:
		return nil
	default:
	}
	answered := make(chan string, 1)
	f.mu.Lock()
	f.byes[l.id] = answered
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.byes, l.id)
		f.mu.Unlock()
	}()
	bye := fmt.Sprintf("BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%x;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
		l.contact, f.addr(), rand.Uint64(), l.local, l.remote, l.id)
	again := time.NewTicker(500 * time.Millisecond) // RFC 3261's T1
	defer again.Stop()
	for {
		if _, err := f.conn.WriteToUDP([]byte(bye), l.asterisk); err != nil {
			return err
		}
		select {
		case status := <-answered:
			f.end(l)
			if status != "200" && status != "481" { // 481: the other side was faster
				return fmt.Errorf("phone %s: its BYE was answered by %s", l.user, status)
			}
			return nil
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("phone %s: its BYE was not answered: %w", l.user, ctx.Err())
		}
	}
}
