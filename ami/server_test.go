package ami

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// users lets in "panel" with testSecret; the principal is the user name.
var users = AuthenticatorFunc(func(_ context.Context, c *Credentials) (any, error) {
	if c.Username != "panel" {
		return nil, errors.New("nobody")
	}
	if !c.Prove(testSecret) {
		return nil, errors.New("wrong secret")
	}
	return c.Username, nil
})

// served is a server on loopback.
type served struct {
	t      testing.TB
	server *Server
	addr   string
	logins chan *Session // each that has logged in
	ended  chan error    // why each ended
}

// serve runs a server until the test ends. The test gets the sessions that log in; cfg.OnLogin is called before that.
func serve(t testing.TB, cfg ServerConfig, wrap ...func(net.Listener) net.Listener) *served {
	t.Helper()
	s := &served{t: t, logins: make(chan *Session, 1000), ended: make(chan error, 20_000)}
	if cfg.Authenticator == nil {
		cfg.Authenticator = users
	}
	login, ended := cfg.OnLogin, cfg.Observer.Ended
	cfg.OnLogin = func(ctx context.Context, session *Session) {
		if login != nil {
			login(ctx, session)
		}
		s.logins <- session
	}
	cfg.Observer.Ended = func(session *Session, cause error) {
		if ended != nil {
			ended(session, cause)
		}
		s.ended <- cause
	}
	if cfg.FailureDelay == 0 {
		cfg.FailureDelay = time.Nanosecond
	}
	server, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.server, s.addr = server, l.Addr().String()
	for _, w := range wrap {
		l = w(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// raw is a client that sends bytes.
type raw struct {
	t    testing.TB
	conn net.Conn
	more time.Duration // what it waits for an answer beyond ten seconds
}

const greeting22 = "Asterisk Call Manager/11.0.0\r\n"

// connect connects and reads the greeting.
func (s *served) connect() *raw {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	r := &raw{t: s.t, conn: conn}
	r.expect(greeting22)
	return r
}

// login connects and logs in.
func (s *served) login(more string) (*raw, *Session) {
	s.t.Helper()
	r := s.connect()
	r.send("Action: Login\r\nUsername: panel\r\nSecret: " + testSecret + "\r\n" + more + "\r\n")
	r.expect("Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
	return r, <-s.logins
}

// awaitEnd waits until a session has ended, whatever the cause.
func (s *served) awaitEnd() {
	s.t.Helper()
	if cause := <-s.ended; cause == nil {
		s.t.Error("ended without a cause")
	}
}

func (r *raw) send(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatal(err)
	}
}

// expect reads as many bytes as want has, and they are those.
func (r *raw) expect(want string) {
	r.t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(10*time.Second + r.more)); err != nil {
		r.t.Fatal(err)
	}
	got := make([]byte, len(want))
	n, err := io.ReadFull(r.conn, got)
	if string(got[:n]) != want {
		r.t.Fatalf("got %q, %v; want %q", got[:n], err, want)
	}
}

// expectEnd reads the end of the stream, and nothing before it.
func (r *raw) expectEnd() {
	r.t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(10*time.Second + r.more)); err != nil {
		r.t.Fatal(err)
	}
	if got, err := io.ReadAll(r.conn); len(got) != 0 || err != nil {
		r.t.Fatalf("got %q, %v; want the end", got, err)
	}
}

// event makes an event of class call.
func event(t testing.TB, name string, fields ...string) *Prepared {
	t.Helper()
	m := NewEvent(name, ClassCall)
	for i := 0; i < len(fields); i += 2 {
		m.Append(fields[i], fields[i+1])
	}
	p, err := Prepare(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAnswers holds the session's own answers, byte for byte as Asterisk 22 gives them.
func TestAnswers(t *testing.T) {
	s := serve(t, ServerConfig{})
	const id = "Response: Success\r\nActionID: 7\r\n"
	for name, c := range map[string]struct{ login, send, want string }{
		"before the log-in: ping":           {"", "Action: Ping\r\nActionID: 7\r\n\r\n", "Response: Error\r\nActionID: 7\r\nMessage: Permission denied\r\n\r\n"},
		"before the log-in: no such action": {"", "Action: Nothing\r\n\r\n", "Response: Error\r\nMessage: Permission denied\r\n\r\n"},
		"before the log-in: events":         {"", "Action: Events\r\nEventMask: on\r\n\r\n", "Response: Error\r\nMessage: Permission denied\r\n\r\n"},
		"before the log-in: no action":      {"", "ActionID: 7\r\n\r\n", "Response: Error\r\nActionID: 7\r\nMessage: Missing action in request\r\n\r\n"},
		"before the log-in: empty line":     {"", "\r\n", "Response: Error\r\nMessage: Missing action in request\r\n\r\n"},
		"challenge without a type":          {"", "Action: Challenge\r\n\r\n", "Response: Error\r\nMessage: Must specify AuthType\r\n\r\n"},
		"logoff before the log-in":          {"", "Action: Logoff\r\n\r\n", "Response: Goodbye\r\nMessage: Thanks for all the fish.\r\n\r\n"},

		"logoff":              {"panel", "action: LOGOFF\r\nACTIONID: 7\r\n\r\n", "Response: Goodbye\r\nActionID: 7\r\nMessage: Thanks for all the fish.\r\n\r\n"},
		"again":               {"panel", "Action: Login\r\nActionID: 7\r\n\r\n", id + "Message: Already authenticated\r\n\r\n"},
		"events on":           {"panel", "Action: Events\r\nActionID: 7\r\nEventMask: call,agent\r\n\r\n", id + "Events: On\r\n\r\n"},
		"events off":          {"panel", "Action: Events\r\nActionID: 7\r\nEventMask: off\r\n\r\n", id + "Events: Off\r\n\r\n"},
		"events without mask": {"panel", "Action: Events\r\nActionID: 7\r\n\r\n", "Response: Error\r\nActionID: 7\r\nMessage: Invalid event mask\r\n\r\n"},
		"filter":              {"panel", "Action: Filter\r\nOperation: Add\r\nFilter: Event: Hangup\r\n\r\n", "Response: Success\r\nMessage: Success\r\n\r\n"},
		"filter, operation":   {"panel", "Action: Filter\r\nFilter: x\r\n\r\n", "Response: Error\r\nMessage: Unknown operation\r\n\r\n"},
		"filter, empty":       {"panel", "Action: Filter\r\nOperation: add\r\n\r\n", "Response: Error\r\nMessage: Filter was formatted incorrectly.  Check the syntax of the filter given.\r\n\r\n"},
		"filter, pattern":     {"panel", "Action: Filter\r\nOperation: Add\r\nFilter: XX[X\r\n\r\n", "Response: Error\r\nMessage: Filter did not compile.  Check the syntax of the filter given.\r\n\r\n"},
		"unknown":             {"panel", "Action: Dance\r\nActionID: 7\r\n\r\n", "Response: Error\r\nActionID: 7\r\nMessage: Invalid/unknown command: Dance. Use Action: ListCommands to show available commands.\r\n\r\n"},
		"an empty ActionID":   {"panel", "Action: Events\r\nActionID:  \r\nEventMask: 0\r\n\r\n", "Response: Success\r\nEvents: Off\r\n\r\n"},
		"LF alone":            {"panel", "Action: Events\nActionID: 7\nEventMask: on\n\n", id + "Events: On\r\n\r\n"},
		"a long name":         {"panel", "Action: " + strings.Repeat("x", 1000) + "\r\n\r\n", "Response: Error\r\nMessage: Invalid/unknown command: " + strings.Repeat("x", 511-25) + "\r\n\r\n"},
		"an odd ActionID":     {"panel", "Action: Events\r\nActionID:   a: <ü> \r\nEventMask: 0\r\n\r\n", "Response: Success\r\nActionID: a: <ü> \r\nEvents: Off\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			var r *raw
			if c.login == "" {
				r = s.connect()
			} else {
				r, _ = s.login("")
			}
			r.send(c.send)
			r.expect(c.want)
			if strings.Contains(c.want, "Goodbye") {
				r.expectEnd()
			}
			_ = r.conn.Close()
			s.awaitEnd()
		})
	}
	s.t = t
}

func TestPing(t *testing.T) {
	r, _ := serve(t, ServerConfig{}).login("")
	r.send("Action: Ping\r\nActionID: 1\r\n\r\n")
	r.expect("Response: Success\r\nActionID: 1\r\nPing: Pong\r\nTimestamp: ")
	stamp := make([]byte, len("1795299332.123456\r\n\r\n"))
	if _, err := io.ReadFull(r.conn, stamp); err != nil || stamp[10] != '.' || !strings.HasSuffix(string(stamp), "\r\n\r\n") {
		t.Errorf("%q, %v", stamp, err)
	}
}

func TestAChallengeStaysTheSameAndIsTheConnectionsOwn(t *testing.T) {
	s := serve(t, ServerConfig{})
	challenge := func(r *raw) string {
		r.send("Action: Challenge\r\nAuthType: md5\r\n\r\n")
		m, err := NewReader(r.conn, Limits{}).Read()
		if err != nil || m.Get("Challenge") == "" {
			t.Fatal(m, err)
		}
		return m.Get("Challenge")
	}
	one, other := s.connect(), s.connect()
	first := challenge(one)
	if again := challenge(one); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	if theirs := challenge(other); theirs == first {
		t.Error("two connections have one challenge")
	}
	// The other's key does not open this one.
	one.send("Action: Login\r\nUsername: panel\r\nAuthType: MD5\r\nKey: " + string(challengeKey("1", testSecret)) + "\r\n\r\n")
	one.expect("Response: Error\r\nMessage: Authentication failed\r\n\r\n")
	one.expectEnd()
	other.send("Action: Login\r\nUsername: panel\r\nAuthType: MD5\r\nKey: " + string(challengeKey(challenge(other), testSecret)) + "\r\n\r\n")
	other.expect("Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
}

func TestTheClientTalksToTheServer(t *testing.T) {
	s := serve(t, ServerConfig{
		Handler: HandlerFunc(func(_ context.Context, s *Session, m *Message) {
			if string(m.Action()) != "CoreShowChannels" {
				_ = s.Unknown(m)
				return
			}
			l := s.List(m, "Channels will follow")
			l.Row(NewEvent("CoreShowChannel", 0).Append("Channel", "PJSIP/101-1"))
			l.Row(NewEvent("CoreShowChannel", 0).Append("Channel", "PJSIP/102-2"))
			if err := l.Complete(NewEvent("CoreShowChannelsComplete", 0)); err != nil {
				t.Error(err)
			}
		}),
	})
	for _, plain := range []bool{false, true} {
		events := make(chan string, 1)
		c, err := Dial(t.Context(), Config{
			Addr: s.addr, Username: "panel", Secret: testSecret, PlainLogin: plain,
			OnEvent: func(m *Message) error { events <- m.String(); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		session := <-s.logins
		if session.Principal() != "panel" || session.Username() != "panel" || session.Secure() || session.Addr() == nil {
			t.Errorf("the session is %v", session)
		}
		if m, err := c.Do(t.Context(), NewAction("Ping")); err != nil || m.Get("Ping") != "Pong" {
			t.Errorf("ping: %v, %v", m, err)
		}
		rows, final, err := c.List(t.Context(), NewAction("CoreShowChannels"))
		if err != nil || len(rows) != 2 || rows[1].Get("Channel") != "PJSIP/102-2" || final.Get("ListItems") != "2" {
			t.Errorf("list: %v, %v, %v", rows, final, err)
		}
		if !session.Send(event(t, "Hangup", "Channel", "PJSIP/101-1")) {
			t.Error("the session is gone")
		}
		if got := <-events; got != `{Event: "Hangup", Privilege: "call,all", Channel: [11 bytes]}` {
			t.Errorf("event %s", got)
		}
		c.Close()
		<-session.Done()
		if session.Send(event(t, "Hangup")) || !errors.Is(session.Err(), io.EOF) {
			t.Errorf("the session is there after the end, %v", session.Err())
		}
	}
	c, err := Dial(t.Context(), Config{Addr: s.addr, Username: "panel", Secret: "wrong"})
	if !errors.Is(err, ErrAuth) {
		c.Close()
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestTheFormOfAList(t *testing.T) {
	s := serve(t, ServerConfig{Handler: HandlerFunc(func(_ context.Context, s *Session, m *Message) {
		l := s.List(m, "Channel status will follow")
		l.Row(NewEvent("Status", ClassCall).Append("Channel", "Local/1"))
		l.RowTail(NewEvent("Status", 0).Append("Channel", "Local/2"))
		if err := l.Complete(NewEvent("StatusComplete", 0).Append("Items", "1")); err != nil {
			t.Error(err)
		}
	})})
	r, _ := s.login("")
	r.send("Action: Status\r\nActionID: x\r\n\r\n")
	r.expect("Response: Success\r\nActionID: x\r\nEventList: start\r\nMessage: Channel status will follow\r\n\r\n" +
		"Event: Status\r\nActionID: x\r\nPrivilege: call,all\r\nChannel: Local/1\r\n\r\n" +
		"Event: Status\r\nChannel: Local/2\r\nActionID: x\r\n\r\n" +
		"Event: StatusComplete\r\nActionID: x\r\nEventList: Complete\r\nListItems: 2\r\nItems: 1\r\n\r\n")
	r.send("Action: Status\r\n\r\n")
	r.expect("Response: Success\r\nEventList: start\r\nMessage: Channel status will follow\r\n\r\n" +
		"Event: Status\r\nPrivilege: call,all\r\nChannel: Local/1\r\n\r\n" +
		"Event: Status\r\nChannel: Local/2\r\n\r\n" +
		"Event: StatusComplete\r\nEventList: Complete\r\nListItems: 2\r\nItems: 1\r\n\r\n")
}

func TestWhatCannotBeWrittenIsNotWritten(t *testing.T) {
	s := serve(t, ServerConfig{Handler: HandlerFunc(func(_ context.Context, s *Session, m *Message) {
		for _, err := range []error{
			s.Error(m, "a\r\n\r\nEvent: Hangup"),
			s.Success(m, "a\nb"),
			s.Respond(m, NewResponse("Success").Append("A: B", "c")),
			s.Respond(m, NewResponse("Success").Append("A\x00", "c")),
			s.Respond(m, new(Message)),
		} {
			if err == nil {
				t.Error("something is written that must not be")
			}
		}
		l := s.List(m, "x")
		l.Row(NewEvent("Row", 0).Append("Name", "a\r\nName: b"))
		l.Row(NewEvent("Row", 0))
		if err := l.Complete(NewEvent("Complete", 0)); err == nil {
			t.Error("a list with a bad row is written")
		}
		_ = s.Success(m, "fine")
	})})
	r, _ := s.login("")
	r.send("Action: Any\r\n\r\n")
	r.expect("Response: Success\r\nMessage: fine\r\n\r\n")
	for _, m := range []*Message{NewEvent("A\r\nB", ClassCall), NewResponse("Success"), NewEvent("A", ClassCall).Append("B", "\r"), new(Message)} {
		if p, err := Prepare(m); err == nil {
			t.Errorf("%v is prepared as %q", m, p.wire)
		}
	}
}

// TestNothingComesBeforeTheLogin: sessions that have not logged in are told nothing of what the others are sent.
func TestNothingComesBeforeTheLogin(t *testing.T) {
	var mu sync.Mutex
	var all []*Session
	s := serve(t, ServerConfig{Authenticator: AuthenticatorFunc(func(context.Context, *Credentials) (any, error) { return nil, nil }),
		Observer: Observer{Login: func(s *Session, _ error) {
			mu.Lock()
			all = append(all, s)
			mu.Unlock()
			s.Send(event(t, "TooEarly")) // accepted, but not yet told so
		}}})
	r, session := s.login("")
	if !session.Send(event(t, "Hangup")) {
		t.Fatal("the session is gone")
	}
	r.expect("Event: Hangup\r\nPrivilege: call,all\r\n\r\n") // and not TooEarly
	if len(all) != 1 {
		t.Errorf("%d log-ins", len(all))
	}
	if idle := newSession(t.Context(), s.server, session.conn); idle.Wants(ClassCall) || !idle.Send(event(t, "Hangup")) || idle.Queued() != 0 {
		t.Error("a session that is not logged in has events")
	}
}

// TestAnswersStayInTheirSession: many sessions ask at a time, with the same ActionIDs.
func TestAnswersStayInTheirSession(t *testing.T) {
	s := serve(t, ServerConfig{
		Authenticator: AuthenticatorFunc(func(_ context.Context, c *Credentials) (any, error) { return c.Username, nil }),
		Handler: HandlerFunc(func(_ context.Context, s *Session, m *Message) {
			_ = s.Success(m, s.Principal().(string)+" "+m.Get("N"))
		}),
	})
	var wg sync.WaitGroup
	for _, user := range []string{"anna", "bert", "carl", "dora"} {
		r := s.connect()
		wg.Go(func() {
			r.send("Action: Login\r\nUsername: " + user + "\r\nSecret: x\r\n\r\n")
			r.expect("Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
			for range 200 {
				r.send("Action: A\r\nActionID: 1\r\nN: 1\r\n\r\nAction: A\r\nActionID: 1\r\nN: 2\r\n\r\n")
				r.expect("Response: Success\r\nActionID: 1\r\nMessage: " + user + " 1\r\n\r\nResponse: Success\r\nActionID: 1\r\nMessage: " + user + " 2\r\n\r\n")
			}
		})
	}
	wg.Wait()
}

func TestTheLastAnswerIsNotLost(t *testing.T) {
	s := serve(t, ServerConfig{})
	for range 50 {
		r := s.connect()
		r.send("Action: Login\r\nUsername: nobody\r\nSecret: x\r\n\r\n" + strings.Repeat("Action: Ping\r\n\r\n", 500))
		r.expect("Response: Error\r\nMessage: Authentication failed\r\n\r\n")
		r.expectEnd()
		_ = r.conn.Close()
		if cause := <-s.ended; !errors.Is(cause, ErrAuth) {
			t.Fatalf("ended by %v", cause)
		}
	}
}

func TestAPanicEndsItsSessionAlone(t *testing.T) {
	s := serve(t, ServerConfig{Handler: HandlerFunc(func(context.Context, *Session, *Message) { panic("ouch") })})
	other, _ := s.login("")
	r, _ := s.login("")
	r.send("Action: Any\r\n\r\n")
	r.expectEnd()
	if cause, ok := (<-s.ended).(*PanicError); !ok || cause.Value != "ouch" { //nolint:errorlint // it is the cause itself
		t.Errorf("ended by %v", cause)
	}
	other.send("Action: Events\r\nEventMask: on\r\n\r\n")
	other.expect("Response: Success\r\nEvents: On\r\n\r\n")
}
