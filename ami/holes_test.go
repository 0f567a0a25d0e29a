package ami

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Two holes of five bytes.
const holeA, holeB = "\x01[A]\x01", "\x01[B]\x01"

// hollow is an event with three holes of two kinds.
func hollow(t testing.TB, fields ...string) *Prepared {
	t.Helper()
	m := NewEvent("Newstate", ClassCall).Append("Channel", "PJSIP/101-"+holeA).Append("Uniqueid", holeA).Append("Linkedid", holeB)
	for i := 0; i+1 < len(fields); i += 2 {
		m.Append(fields[i], fields[i+1])
	}
	b := Builder{Holes: holes}
	if err := b.Add(m); err != nil {
		t.Fatal(err)
	}
	return b.Done()
}

// holes finds the two.
var holes = Holes{Width: len(holeA), Next: func(text []byte) (at, i int, ok bool) {
	at = bytes.Index(text, []byte("\x01["))
	if at < 0 {
		return 0, 0, false
	}
	return at, int(text[at+2] - 'A'), true
}}

func filled(a, b string) string {
	return "Event: Newstate\r\nPrivilege: call,all\r\nChannel: PJSIP/101-" + a + "\r\nUniqueid: " + a + "\r\nLinkedid: " + b + "\r\n\r\n"
}

// TestEachSessionFillsTheHolesOfAnEvent that all share, with what is its own, also where events are joined to one write and what was given is used
// again at once.
func TestEachSessionFillsTheHolesOfAnEvent(t *testing.T) {
	s := serve(t, ServerConfig{Window: 20 * time.Millisecond})
	p, plain := hollow(t), event(t, "Hangup")
	one, first := s.login("")
	two, second := s.login("")
	fills := []byte("aaaaabbbbb")
	first.SendFilled(fills, p, plain, p)
	copy(fills, "cccccddddd")
	first.SendFilled(fills, p)
	second.SendFilled(fills, p)
	copy(fills, "----------")
	one.expect(filled("aaaaa", "bbbbb") + string(plain.wire) + filled("aaaaa", "bbbbb") + filled("ccccc", "ddddd"))
	two.expect(filled("ccccc", "ddddd"))
	if got := string(p.Append(nil, []byte("aaaaabbbbb"))); got != filled("aaaaa", "bbbbb") || p.Len() != len(got) {
		t.Errorf("appended is %q of %d", got, p.Len())
	}
}

// TestAnEventWithHolesMayBeLongerThanAWrite, alone and among others.
func TestAnEventWithHolesMayBeLongerThanAWrite(t *testing.T) {
	var longest atomic.Int64
	s := serve(t, ServerConfig{Window: 20 * time.Millisecond, Observer: Observer{Wrote: func(_, n int) { longest.Store(max(longest.Load(), int64(n))) }}})
	r, session := s.login("")
	text := strings.Repeat("x", writeChunk)
	p := hollow(t, "Text", text)
	want := strings.TrimSuffix(filled("aaaaa", "bbbbb"), "\r\n") + "Text: " + text + "\r\n\r\n"
	session.SendFilled([]byte("aaaaabbbbb"), p)
	r.expect(want)
	session.SendFilled([]byte("aaaaabbbbb"), hollow(t), p, hollow(t))
	r.expect(filled("aaaaa", "bbbbb") + want + filled("aaaaa", "bbbbb"))
	if n := longest.Load(); n > writeChunk {
		t.Errorf("one write was of %d bytes", n)
	}
}

// TestWhatFillsHolesStaysUntilItIsWritten, though more comes while a part of it is being written.
func TestWhatFillsHolesStaysUntilItIsWritten(t *testing.T) {
	sessions := make(chan *Session, 1)
	pretend(t, ServerConfig{Window: time.Second, OnLogin: func(_ context.Context, s *Session) { sessions <- s }}, func(t *testing.T, l *pipes, _ *Server) {
		r, _ := l.dial(t)
		r.expect(greeting22)
		r.send(loginText)
		r.expect(accepted)
		session, p := <-sessions, hollow(t)
		n := 2*writeChunk/p.Len() + 1
		for range n {
			session.SendFilled([]byte("aaaaabbbbb"), p)
		}
		synctest.Wait()
		time.Sleep(2 * time.Second) // of pretended time: the first write waits for the reader
		for range n {
			session.SendFilled([]byte("cccccddddd"), p)
		}
		r.expect(strings.Repeat(filled("aaaaa", "bbbbb"), n) + strings.Repeat(filled("ccccc", "ddddd"), n))
		_ = r.conn.Close()
	})
}

// TestFiltersSeeWhatHolesAreFilledWith, and event masks the class, as of any event.
func TestFiltersSeeWhatHolesAreFilledWith(t *testing.T) {
	s := serve(t, ServerConfig{})
	r, session := s.login("")
	p := hollow(t)
	r.send("Action: Filter\r\nOperation: Add\r\nMatchCriteria: header(Uniqueid),method(exact)\r\nFilter: ccccc\r\n\r\n")
	r.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	session.SendFilled([]byte("aaaaabbbbb"), p, p)
	session.SendFilled([]byte("cccccbbbbb"), p)
	session.SendFilled([]byte("bbbbbccccc"), p)
	session.SendFilled([]byte("cccccddddd"), p)
	r.expect(filled("ccccc", "bbbbb") + filled("ccccc", "ddddd"))
	r.send("Action: Filter\r\nOperation: Add\r\nFilter: !\\[A\\]\r\n\r\n") // what stood in the holes is nobody's to see
	r.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	session.SendFilled([]byte("cccccddddd"), p)
	r.expect(filled("ccccc", "ddddd"))
	r.send("Action: Events\r\nEventMask: system\r\n\r\n")
	r.expect("Response: Success\r\nEvents: On\r\n\r\n")
	session.SendFilled([]byte("cccccddddd"), p)
	r.send("Action: Events\r\nEventMask: off\r\n\r\n")
	r.expect("Response: Success\r\nEvents: Off\r\n\r\n")
}

// TestWhatFillsHolesIsCounted among what waits, once for the events that share it, and forgotten when it is off.
func TestWhatFillsHolesIsCounted(t *testing.T) {
	s := serve(t, ServerConfig{Window: time.Minute})
	r, session := s.login("")
	p, plain := hollow(t), event(t, "Hangup")
	session.SendFilled([]byte("aaaaabbbbb"), plain, p, p)
	if n, want := session.Queued(), 2*p.Len()+plain.Len()+3*itemCost+10; n != want {
		t.Errorf("%d bytes wait, not %d", n, want)
	}
	r.send("Action: Events\r\nEventMask: on\r\n\r\n") // its answer takes all along
	r.expect(string(plain.wire) + filled("aaaaa", "bbbbb") + filled("aaaaa", "bbbbb") + "Response: Success\r\nEvents: On\r\n\r\n")
	for session.Queued() != 0 {
		if session.Err() != nil {
			t.Fatal(session.Err())
		}
	}
}

// TestASlowReaderOfFilledEventsIsCutOff: what fills the holes is within the bound too.
func TestASlowReaderOfFilledEventsIsCutOff(t *testing.T) {
	s := serve(t, ServerConfig{MaxQueue: 1 << 16})
	_, session := s.login("")
	p := hollow(t)
	fills := []byte(strings.Repeat("f", 4096))
	most := 0
	for session.SendFilled(fills, p, p) {
		most = max(most, session.Queued())
	}
	if err := session.Err(); !errors.Is(err, ErrSlow) || most > 1<<16 || most < 1<<15 {
		t.Errorf("ended by %v with %d bytes", err, most)
	}
}

func TestHolesThatCannotBeFilledEndTheSession(t *testing.T) {
	for name, send := range map[string]func(*Session, *Prepared) bool{
		"not at all":  func(s *Session, p *Prepared) bool { return s.Send(p) },
		"too short":   func(s *Session, p *Prepared) bool { return s.SendFilled([]byte("aaaaabbbb"), p) },
		"a line feed": func(s *Session, p *Prepared) bool { return s.SendFilled([]byte("aaaaabb\nbb"), p) },
		"a CR":        func(s *Session, p *Prepared) bool { return s.SendFilled([]byte("aaaaabb\rbb"), p) },
		"a NUL":       func(s *Session, p *Prepared) bool { return s.SendFilled([]byte("aaaaabb\x00bb"), p) },
	} {
		s := serve(t, ServerConfig{})
		_, session := s.login("")
		if send(session, hollow(t)) || !errors.Is(session.Err(), ErrFills) {
			t.Errorf("%s: %v", name, session.Err())
		}
	}
}

func TestHolesAreWithinTheEvent(t *testing.T) {
	m := NewEvent("Newstate", ClassCall).Append("Channel", "x")
	found := func(at, i, times int) func([]byte) (int, int, bool) {
		return func([]byte) (int, int, bool) { times--; return at, i, times >= 0 }
	}
	for name, h := range map[string]Holes{
		"before it": {2, found(-1, 0, 1)}, "behind it": {2, found(51, 0, 1)}, "no number": {2, found(0, -1, 1)}, "no length": {0, found(0, 0, 1)},
		"the second": {2, found(30, 0, 2)},
	} {
		b := Builder{Holes: h}
		if err := b.Add(m); !errors.Is(err, ErrHoles) || b.Done() != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := Builder{Holes: Holes{2, found(30, 1, 1)}}
	if err := b.Add(NewResponse("Success")); !errors.Is(err, ErrNoEvent) {
		t.Errorf("a response: %v", err)
	}
	if err := b.Add(m); err != nil {
		t.Fatal(err)
	}
	if p := b.Done(); len(p.holes) != 1 || p.Fills() != 4 || p.Class() != ClassCall {
		t.Errorf("it is %+v", p)
	}
	if b.Done() != nil {
		t.Error("it has events yet that were taken away")
	}
}

// TestSeveralEventsGoThroughMaskAndFiltersOneByOne, though they are sent as one.
func TestSeveralEventsGoThroughMaskAndFiltersOneByOne(t *testing.T) {
	b := Builder{Holes: holes}
	for _, m := range []*Message{
		NewEvent("Newstate", ClassCall).Append("Uniqueid", holeB), NewEvent("Agent", ClassAgent).Append("Uniqueid", holeA),
		NewEvent("Hangup", ClassCall).Append("Uniqueid", holeA),
	} {
		if err := b.Add(m); err != nil {
			t.Fatal(err)
		}
	}
	p := b.Done()
	state := "Event: Newstate\r\nPrivilege: call,all\r\nUniqueid: bbbbb\r\n\r\n"
	agent := "Event: Agent\r\nPrivilege: agent,all\r\nUniqueid: aaaaa\r\n\r\n"
	hangup := "Event: Hangup\r\nPrivilege: call,all\r\nUniqueid: aaaaa\r\n\r\n"
	var written atomic.Int64
	s := serve(t, ServerConfig{Observer: Observer{Wrote: func(events, _ int) { written.Add(int64(events)) }}})
	r, session := s.login("")
	fills := []byte("aaaaabbbbb")
	session.SendFilled(fills, p)
	r.expect(state + agent + hangup)
	r.send("Action: Events\r\nEventMask: call\r\n\r\n")
	r.expect("Response: Success\r\nEvents: On\r\n\r\n")
	session.SendFilled(fills, p)
	r.expect(state + hangup)
	r.send("Action: Filter\r\nOperation: Add\r\nMatchCriteria: name(Hangup),header(Uniqueid),method(exact)\r\nFilter: aaaaa\r\n\r\n")
	r.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	session.SendFilled(fills, p)
	r.expect(hangup)
	r.send("Action: Events\r\nEventMask: agent\r\n\r\n")
	r.expect("Response: Success\r\nEvents: On\r\n\r\n")
	session.SendFilled(fills, p)
	r.send("Action: Events\r\nEventMask: off\r\n\r\n")
	r.expect("Response: Success\r\nEvents: Off\r\n\r\n")
	for written.Load() < 6 {
		if session.Err() != nil {
			t.Fatal(session.Err())
		}
	}
	if n := written.Load(); n != 6 {
		t.Errorf("%d events were counted", n)
	}
}

// TestNothingIsSentBeforeTheLogIn, filled or not.
func TestNothingIsFilledBeforeTheLogIn(t *testing.T) {
	sessions := make(chan *Session, 1)
	cfg := ServerConfig{Authenticator: AuthenticatorFunc(func(ctx context.Context, c *Credentials) (any, error) {
		(<-sessions).SendFilled([]byte("aaaaabbbbb"), hollow(t))
		return users(ctx, c)
	})}
	pretend(t, cfg, func(t *testing.T, l *pipes, server *Server) {
		r, _ := l.dial(t)
		r.expect(greeting22)
		server.mu.Lock()
		for s := range server.sessions {
			sessions <- s
		}
		server.mu.Unlock()
		r.send(loginText)
		r.expect(accepted)
		_ = r.conn.Close()
	})
}
