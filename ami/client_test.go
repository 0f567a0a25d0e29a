package ami

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoginByChallengeOverASplitGreeting(t *testing.T) {
	cfg := scripted(t, func(p *peer) {
		for i := range greeting {
			p.write(greeting[i : i+1])
		}
		m := p.next("Challenge")
		p.answer(m, "Response: Success", "Challenge: 1")
		m = p.next("Login")
		p.answer(m, "Response: Success", "Message: Authentication accepted")
		p.rest()
	})
	c := connectTo(t, cfg)
	if c.Greeting() != "Asterisk Call Manager/9.0.0" {
		t.Errorf("greeting %q", c.Greeting())
	}
	if c.Err() != nil {
		t.Errorf("error is %v", c.Err())
	}
}

func TestTheChallengeIsAnsweredWithTheRightKey(t *testing.T) {
	connectTo(t, scripted(t, logged((*peer).rest))) // the script checks
}

func TestPlainLoginSendsSecretAndEvents(t *testing.T) {
	cfg := scripted(t, func(p *peer) {
		p.write(greeting)
		m := p.next("Login")
		if m.Get("Secret") != testSecret || m.Get("Events") != "call,agent" {
			p.stop("secret or events wrong: %v", m)
		}
		p.answer(m, "Response: Success")
		p.rest()
	})
	cfg.PlainLogin, cfg.Events = true, "call,agent"
	connectTo(t, cfg)
}

func TestARefusedLoginIsErrAuth(t *testing.T) {
	for name, script := range map[string]func(*peer){
		"at the log-in": func(p *peer) {
			p.write(greeting)
			p.answer(p.next("Challenge"), "Response: Success", "Challenge: 1")
			p.answer(p.next("Login"), "Response: Error", "Message: Authentication failed")
		},
		"at the challenge": func(p *peer) {
			p.write(greeting)
			p.answer(p.next("Challenge"), "Response: Error", "Message: Must specify AuthType")
		},
		"without a challenge": func(p *peer) {
			p.write(greeting)
			p.answer(p.next("Challenge"), "Response: Success")
		},
	} {
		_, err := Dial(context.Background(), scripted(t, script))
		if !errors.Is(err, ErrAuth) {
			t.Errorf("%s: %v", name, err)
		}
		var refused *RefusedError
		if name == "at the log-in" && (!errors.As(err, &refused) || refused.Message != "Authentication failed") {
			t.Errorf("%s: Asterisk's words are missing in %v", name, err)
		}
	}
}

func TestDialTellsWhatWentWrong(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*peer)
		want   error
	}{
		"another protocol":       {func(p *peer) { p.write("SSH-2.0-x\r\n") }, ErrGreeting},
		"closed at once":         {func(*peer) {}, io.EOF},
		"closed after greeting":  {func(p *peer) { p.write(greeting) }, nil},
		"closed after challenge": {func(p *peer) { p.write(greeting); p.next("Challenge") }, io.EOF},
	} {
		_, err := Dial(context.Background(), scripted(t, c.script))
		if err == nil || errors.Is(err, ErrAuth) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	refused := errors.New("refused")
	cfg := Config{Username: "u", DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}
	if _, err := Dial(context.Background(), cfg); !errors.Is(err, refused) {
		t.Errorf("a failed connect gives %v", err)
	}
	_, err := Dial(context.Background(), Config{PingInterval: -1})
	if err == nil || !strings.Contains(err.Error(), "Addr") || !strings.Contains(err.Error(), "Username") || !strings.Contains(err.Error(), "PingInterval") {
		t.Errorf("a bad configuration gives %v", err)
	}
}

func TestDialGivesUpOnASilentPeer(t *testing.T) {
	for name, script := range map[string]func(*peer){
		"no greeting":            func(p *peer) { p.rest() },
		"no answer to challenge": func(p *peer) { p.write(greeting); p.next("Challenge"); p.rest() },
		"greeting for ever": func(p *peer) {
			for {
				p.write("A")
				time.Sleep(time.Second)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, err := Dial(t.Context(), scripted(t, script))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
				t.Errorf("%s: %v after %s", name, err, time.Since(began))
			}
		})
	}
}

func TestNoEventBeforeLogin(t *testing.T) {
	var seen []string
	last := make(chan struct{})
	cfg := scripted(t, func(p *peer) {
		p.write(greeting + "Event: Early\r\n\r\n")
		p.answer(p.next("Challenge"), "Response: Success", "Challenge: 1")
		m := p.next("Login")
		p.write("Event: AlsoEarly\r\n\r\n")
		// The answer and the first event in one segment: neither is lost.
		p.write("Response: Success\r\nActionID: " + m.Get("ActionID") + "\r\n\r\nEvent: First\r\n\r\nEvent: Last\r\n\r\n")
		p.rest()
	})
	cfg.OnEvent = func(m *Message) error {
		seen = append(seen, string(m.Event()))
		if len(seen) == 2 {
			close(last)
		}
		return nil
	}
	connectTo(t, cfg)
	<-last
	if got := strings.Join(seen, " "); got != "First Last" {
		t.Errorf("saw %q", got)
	}
}

func TestAnswersWithInterleavedEvents(t *testing.T) {
	const calls = 20
	var seen []string
	cfg := scripted(t, logged(func(p *peer) {
		var asked []*Message
		for range calls {
			asked = append(asked, p.next("Getvar"))
		}
		for i := range asked {
			m := asked[len(asked)-1-i] // in another order than asked
			p.write(fmt.Sprintf("Event: Number%d\r\nUniqueid: %d\r\n\r\n", i, i))
			p.answer(m, "Response: Success", "Value: "+m.Get("Variable"))
		}
		p.rest()
	}))
	cfg.OnEvent = func(m *Message) error {
		seen = append(seen, string(m.Event()))
		return nil
	}
	c := connectTo(t, cfg)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			variable := fmt.Sprint("v", i)
			m, err := c.Do(context.Background(), NewAction("Getvar").Append("Variable", variable))
			if err != nil || m.Get("Value") != variable {
				t.Errorf("asked for %s, got %v, %v", variable, m, err)
			}
		})
	}
	wg.Wait()
	c.Close()
	for i, event := range seen {
		if event != fmt.Sprint("Number", i) {
			t.Errorf("event %d is %s", i, event)
		}
	}
	if len(seen) != calls {
		t.Errorf("%d events, want %d", len(seen), calls)
	}
}

func TestARefusalHasAsterisksWords(t *testing.T) {
	c := connectTo(t, scripted(t, logged(func(p *peer) {
		p.answer(p.next("Hangup"), "Response: Error", "Message: No such channel")
		p.answer(p.next("CoreShowChannels"), "Response: Error", "Message: Permission denied", "EventList: start")
		p.rest()
	})))
	_, err := c.Do(t.Context(), NewAction("Hangup").Append("Channel", "x"))
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Action != "Hangup" || refused.Message != "No such channel" {
		t.Errorf("error is %v", err)
	}
	if _, _, err = c.List(t.Context(), NewAction("CoreShowChannels")); !errors.As(err, &refused) || refused.Message != "Permission denied" {
		t.Errorf("error is %v", err)
	}
}

func TestAnswersThatNobodyAskedForReachNobody(t *testing.T) {
	var events []string
	cfg := scripted(t, logged(func(p *peer) {
		m := p.next("Getvar")
		// An event with a line break in a value that knows no id; an answer without one; the answer; the same once more.
		p.write("Event: UserEvent\r\nText: \r\n\r\nResponse: Success\r\nActionID: 1\r\nValue: forged\r\n\r\n")
		p.write("Response: Error\r\nMessage: Missing action in request\r\n\r\n")
		p.answer(m, "Response: Success", "Value: true")
		p.answer(m, "Response: Success", "Value: late")
		p.write("Event: Last\r\n\r\n")
		p.answer(p.next("Ping"), "Response: Success")
		p.rest()
	}))
	cfg.OnEvent = func(m *Message) error {
		events = append(events, string(m.Event()))
		return nil
	}
	c := connectTo(t, cfg)
	m, err := c.Do(t.Context(), NewAction("Getvar"))
	if err != nil || m.Get("Value") != "true" {
		t.Errorf("got %v, %v", m, err)
	}
	if _, err := c.Do(t.Context(), NewAction("Ping")); err != nil {
		t.Error(err)
	}
	if c.Stray() != 3 {
		t.Errorf("%d stray answers, want 3", c.Stray())
	}
	c.Close()
	if got := strings.Join(events, " "); got != "UserEvent Last" {
		t.Errorf("events %q", got)
	}
}

func TestPendingCallsAreCompletedOnClose(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		end  func(*peer, *Client)
		want error
	}{
		"closed by us":            {func(_ *peer, c *Client) { c.Close() }, ErrClosed},
		"closed by the peer":      {func(p *peer, _ *Client) { _ = p.conn.Close() }, io.EOF},
		"closed inside a message": {func(p *peer, _ *Client) { p.write("Event: X\r\n"); _ = p.conn.Close() }, io.ErrUnexpectedEOF},
		"OnEvent's error":         {func(p *peer, _ *Client) { p.write("Event: Bad\r\n\r\n") }, broken},
	} {
		t.Run(name, func(t *testing.T) {
			const calls = 10
			asked := make(chan *peer, 1)
			ended := make(chan struct{})
			cfg := scripted(t, logged(func(p *peer) {
				for range calls {
					if _, err := p.r.Read(); err != nil {
						p.stop("%v", err)
					}
				}
				asked <- p
				<-ended
			}))
			cfg.OnEvent = func(*Message) error { return broken }
			client := connectTo(t, cfg)
			errs := make(chan error, calls)
			for i := range calls {
				go func() {
					var err error
					if i%2 == 0 {
						_, err = client.Do(context.Background(), NewAction("Getvar"))
					} else {
						_, _, err = client.List(context.Background(), NewAction("Status"))
					}
					errs <- err
				}()
			}
			c.end(<-asked, client)
			for range calls {
				err := <-errs
				var lost *ActionError
				if !errors.Is(err, c.want) || !errors.As(err, &lost) || !lost.Sent {
					t.Errorf("call ended with %v, want sent and %v", err, c.want)
				}
			}
			<-client.Done()
			if !errors.Is(client.Err(), c.want) {
				t.Errorf("client ended with %v, want %v", client.Err(), c.want)
			}
			_, err := client.Do(context.Background(), NewAction("Ping"))
			var late *ActionError
			if !errors.Is(err, c.want) || !errors.As(err, &late) || late.Sent {
				t.Errorf("a call after the end gives %v, want not sent and %v", err, c.want)
			}
			close(ended)
		})
	}
}

func TestAnAnswerJustBeforeTheEndCounts(t *testing.T) {
	for range 300 {
		c, err := Dial(t.Context(), scripted(t, logged(func(p *peer) {
			p.answer(p.next("Hangup"), "Response: Success")
		})))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), NewAction("Hangup")); err != nil {
			t.Errorf("the answer is lost: %v", err)
		}
		c.Close()
	}
}

func TestAPanicInOnEventEndsTheConnectionOnly(t *testing.T) {
	cfg := scripted(t, logged(func(p *peer) {
		p.write("Event: X\r\nCallerIDNum: 79161234567\r\n\r\n")
		p.rest()
	}))
	cfg.OnEvent = func(m *Message) error { panic(m.Get("CallerIDNum")) }
	c := connectTo(t, cfg)
	<-c.Done()
	var panicked *PanicError
	if !errors.As(c.Err(), &panicked) || panicked.Value != "79161234567" || len(panicked.Stack) == 0 {
		t.Fatalf("error is %v", c.Err())
	}
	if strings.Contains(c.Err().Error(), "7916") {
		t.Errorf("the error repeats the message: %v", c.Err())
	}
}

func TestActionsThatMustNotLeaveDoNot(t *testing.T) {
	c := connectTo(t, scripted(t, logged((*peer).rest))) // fails on whatever arrives
	many := NewAction("Originate")
	for range 127 {
		many.Append("Variable", "a=b")
	}
	for name, m := range map[string]*Message{
		"CR":                    NewAction("Hangup").Append("Channel", "a\rb"),
		"LF":                    NewAction("Hangup").Append("Channel", "a\nAction: Originate"),
		"CRLF":                  NewAction("Hangup").Append("Channel", "a\r\n\r\nAction: Originate"),
		"CRLF in the action":    NewAction("Hangup\r\nChannel: x"),
		"NUL":                   NewAction("Hangup").Append("Channel", "\x00"),
		"an ActionID":           NewAction("Hangup").Append("actionid", "1"),
		"no action":             new(Message).Append("Channel", "x"),
		"an empty action":       NewAction(""),
		"a line of 1,023 bytes": NewAction("Hangup").Append("Channel", strings.Repeat("x", 1023-len("Channel: "))),
		"128 fields":            many,
	} {
		_, err := c.Do(t.Context(), m)
		var unsent *ActionError
		if !errors.As(err, &unsent) || unsent.Sent {
			t.Errorf("%s: %v, want an ActionError, not sent", name, err)
		}
	}
	if _, err := c.Do(t.Context(), NewAction("Ping")); err != nil {
		t.Errorf("the connection is of no use afterwards: %v", err)
	}
}

func TestAContextEndsAWait(t *testing.T) {
	asked := make(chan struct{})
	release := make(chan struct{})
	var events []string
	cfg := scripted(t, logged(func(p *peer) {
		do, list := p.next("Getvar"), p.next("Status")
		p.answer(list, "Response: Success", "EventList: start")
		p.answer(list, "Event: Status", "Channel: a")
		close(asked)
		<-release
		p.answer(do, "Response: Success")
		p.answer(list, "Event: Status", "Channel: b")
		p.answer(list, "Event: StatusComplete", "EventList: Complete")
		p.rest()
	}))
	cfg.OnEvent = func(m *Message) error {
		events = append(events, string(m.Event()))
		return nil
	}
	c := connectTo(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, NewAction("Getvar"))
		errs <- err
	}()
	go func() {
		<-asked
		cancel()
	}()
	// The peer reads Getvar first, so Status must not overtake it.
	for c.open.Load() == 0 {
		select {
		case <-c.Done():
			t.Fatal(c.Err())
		default:
		}
	}
	_, _, listErr := c.List(ctx, NewAction("Status"))
	for name, err := range map[string]error{"Do": <-errs, "List": listErr} {
		var lost *ActionError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &lost) || !lost.Sent {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	close(release)
	if _, err := c.Do(t.Context(), NewAction("Ping")); err != nil {
		t.Fatal(err)
	}
	if n := c.open.Load(); n != 0 {
		t.Fatalf("%d abandoned calls are kept after their answers", n)
	}
	_, err := c.Do(ctx, NewAction("Ping"))
	var unsent *ActionError
	if !errors.As(err, &unsent) || unsent.Sent {
		t.Errorf("a call with an ended context gives %v", err)
	}
	c.Close()
	if len(events) != 0 || c.Stray() != 0 {
		t.Errorf("what came too late was taken for events %q, %d stray", events, c.Stray())
	}
}

func TestListActions(t *testing.T) {
	var events []string
	cfg := scripted(t, logged(func(p *peer) {
		m := p.next("CoreShowChannels")
		p.answer(m, "Response: Success", "EventList: start", "Message: Channels will follow")
		p.answer(m, "Event: CoreShowChannel", "Channel: a")
		p.answer(m, "Response: Error", "Message: a second answer")
		p.write("Event: Newchannel\r\nPrivilege: call,all\r\n\r\n")
		p.answer(m, "Event: CoreShowChannel", "Channel: b")
		p.answer(m, "Event: CoreShowChannelsComplete", "EventList: Complete", "ListItems: 2")
		p.answer(m, "Event: Afterwards")

		m = p.next("CoreShowChannels")
		p.answer(m, "Response: Success", "EventList: Start")
		p.answer(m, "Event: CoreShowChannelsComplete", "EventList: complete", "ListItems: 0")

		m = p.next("IAXpeers")
		p.answer(m, "Response: Success", "Message: no list at all")

		m = p.next("Status")
		p.answer(m, "Response: Success", "EventList: start")
		p.answer(m, "Event: Status")
		p.answer(m, "Event: StatusComplete", "EventList: cancelled")

		m = p.next("QueueStatus")
		p.answer(m, "Response: Success", "EventList: start")
		for range 5 {
			p.answer(m, "Event: QueueParams")
		}
		p.answer(m, "Event: QueueStatusComplete", "EventList: Complete")

		m = p.next("QueueSummary")
		p.answer(m, "Response: Success", "EventList: start")
		for range 3 {
			p.answer(m, "Event: QueueSummary", "Queue: "+strings.Repeat("q", 1000))
		}
		p.answer(m, "Event: QueueSummaryComplete", "EventList: Complete")

		m = p.next("Agents") // by Do: its rows are not wanted, and no events either
		p.answer(m, "Response: Success", "EventList: start")
		p.answer(m, "Event: Agents")
		p.answer(m, "Event: AgentsComplete", "EventList: Complete")
		p.rest()
	}))
	cfg.MaxRows, cfg.MaxList = 3, 3000
	cfg.OnEvent = func(m *Message) error {
		events = append(events, string(m.Event()))
		return nil
	}
	c := connectTo(t, cfg)
	rows, final, err := c.List(t.Context(), NewAction("CoreShowChannels"))
	if err != nil || len(rows) != 2 || rows[0].Get("Channel") != "a" || rows[1].Get("Channel") != "b" || final.Get("ListItems") != "2" {
		t.Errorf("rows %v, final %v, %v", rows, final, err)
	}
	rows, final, err = c.List(t.Context(), NewAction("CoreShowChannels"))
	if err != nil || len(rows) != 0 || final.Get("ListItems") != "0" {
		t.Errorf("an empty list: rows %v, final %v, %v", rows, final, err)
	}
	rows, final, err = c.List(t.Context(), NewAction("IAXpeers"))
	if err != nil || len(rows) != 0 || final.Get("Message") != "no list at all" {
		t.Errorf("no list: rows %v, final %v, %v", rows, final, err)
	}
	if _, _, err = c.List(t.Context(), NewAction("Status")); !errors.Is(err, ErrListBroken) {
		t.Errorf("a cancelled list: %v", err)
	}
	if _, _, err = c.List(t.Context(), NewAction("QueueStatus")); !errors.Is(err, ErrListTooLong) {
		t.Errorf("a long list: %v", err)
	}
	if _, _, err = c.List(t.Context(), NewAction("QueueSummary")); !errors.Is(err, ErrListTooLong) {
		t.Errorf("a large list: %v", err)
	}
	if m, err := c.Do(t.Context(), NewAction("Agents")); err != nil || m.Get("EventList") != "start" {
		t.Errorf("a list by Do: %v, %v", m, err)
	}
	if _, err := c.Do(t.Context(), NewAction("Ping")); err != nil {
		t.Error(err)
	}
	if n := c.open.Load(); n != 0 {
		t.Errorf("%d calls are still open", n)
	}
	if c.Stray() != 1 {
		t.Errorf("%d stray answers, want the second one to the first list", c.Stray())
	}
	c.Close()
	if got := strings.Join(events, " "); got != "Newchannel Afterwards" {
		t.Errorf("events %q", got)
	}
}

func TestHalfOpenPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connectTo(t, scripted(t, logged(func(p *peer) {
			for range 3 { // answers for a while
				p.answer(p.next("Ping"), "Response: Success")
			}
			for { // then bytes go in, as into the buffers of a host that is gone, and nothing comes
				if _, err := p.r.Read(); err != nil {
					return
				}
			}
		})))
		began := time.Now()
		time.Sleep(50 * time.Second) // of the bubble's clock: after the third ping
		_, err := c.Do(t.Context(), NewAction("Getvar"))
		var lost *ActionError
		if !errors.Is(err, ErrSilent) || !errors.As(err, &lost) || !lost.Sent {
			t.Errorf("a waiting call ended with %v", err)
		}
		if took := time.Since(began); took != 70*time.Second { // the last answer came at 45 s
			t.Errorf("ended after %s", took)
		}
		<-c.Done()
	})
}

// What is sent to it is lost on the way, while its events arrive as ever.
func TestAPeerThatHearsNothingIsNoticedThoughItSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connectTo(t, scripted(t, logged(func(p *peer) {
			go func() {
				for { // reads on, as the buffers of a host between do
					if _, err := p.r.Read(); err != nil {
						return
					}
				}
			}()
			for {
				if _, err := io.WriteString(p.conn, "Event: X\r\n\r\n"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})))
		began := time.Now()
		<-c.Done()
		if took := time.Since(began); !errors.Is(c.Err(), ErrSilent) || took != 25*time.Second {
			t.Errorf("after %s it ended with %v", took, c.Err())
		}
	})
}

// Nor does one that has much to say: the answers to pings are behind it.
func TestAPeerWithMuchToSayIsNotTakenForDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const flood = 40
		handled := 0
		cfg := scripted(t, logged(func(p *peer) {
			pings := make(chan *Message, 100)
			go func() {
				defer close(pings)
				for {
					m, err := p.r.Read()
					if err != nil {
						return
					}
					pings <- m.Clone()
				}
			}()
			// An answer waits until the events before it have been written, and those until they have been read.
			for range flood {
				if _, err := io.WriteString(p.conn, "Event: X\r\n\r\n"); err != nil {
					return
				}
			}
			for m := range pings {
				p.answer(m, "Response: Success")
			}
		}))
		cfg.OnEvent = func(*Message) error {
			time.Sleep(time.Second)
			handled++
			return nil
		}
		c := connectTo(t, cfg)
		time.Sleep(2 * time.Minute)
		if err := c.Err(); err != nil || handled != flood {
			t.Errorf("%d events handled, then %v", handled, err)
		}
	})
}

// A ping's answer is behind a list that was asked for before it, and the rows show meanwhile that the peer hears.
func TestAListThatTakesItsTimeKeepsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows = 60
		c := connectTo(t, scripted(t, logged(func(p *peer) {
			m := p.next("QueueStatus")
			go func() {
				for { // the pings leave, and are not answered
					if _, err := p.r.Read(); err != nil {
						return
					}
				}
			}()
			p.answer(m, "Response: Success", "EventList: start")
			for range rows {
				time.Sleep(time.Second)
				p.answer(m, "Event: QueueMember")
			}
			p.answer(m, "Event: QueueStatusComplete", "EventList: Complete")
			time.Sleep(time.Minute)
		})))
		got, _, err := c.List(t.Context(), NewAction("QueueStatus"))
		if err != nil || len(got) != rows {
			t.Fatalf("%d rows, then %v", len(got), err)
		}
		began := time.Now()
		<-c.Done()
		if took := time.Since(began); !errors.Is(c.Err(), ErrSilent) || took != 10*time.Second { // the list's end was the last that showed it
			t.Errorf("%s after the list it ended with %v", took, c.Err())
		}
	})
}

// Answers to other actions show it as well.
func TestAPeerThatAnswersSlowlyOneByOneIsNotTakenForDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connectTo(t, scripted(t, logged(func(p *peer) {
			actions := make(chan *Message, 100)
			go func() {
				defer close(actions)
				for {
					m, err := p.r.Read()
					if err != nil {
						return
					}
					actions <- m.Clone()
				}
			}()
			for m := range actions {
				time.Sleep(4 * time.Second)
				p.answer(m, "Response: Success")
			}
		})))
		var asking sync.WaitGroup
		for range 10 { // 40 s
			asking.Go(func() {
				if _, err := c.Do(t.Context(), NewAction("Getvar")); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
}

// While OnEvent works, what is left for the answer does not become less: a look each time that so little is over would be a busy loop.
func TestABusyHandlerDoesNotMakeThePingLookAgainAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const left = 10 * time.Microsecond
		cfg := scripted(t, logged(func(p *peer) {
			p.next("Ping") // at 15 s
			time.Sleep(10*time.Second - left)
			p.write("Event: X\r\n\r\n")
			for {
				if _, err := p.r.Read(); err != nil {
					return
				}
			}
		}))
		cfg.OnEvent = func(*Message) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		c := connectTo(t, cfg)
		began := time.Now()
		<-c.Done()
		// The second look is an eighth of PingTimeout after the first.
		if took := time.Since(began); !errors.Is(c.Err(), ErrSilent) || took != 26250*time.Millisecond {
			t.Errorf("after %s it ended with %v", took, c.Err())
		}
	})
}

func TestASlowHandlerDoesNotMakeThePeerLookDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		cfg := scripted(t, logged(func(p *peer) {
			go func() {
				for range 5 {
					if _, err := io.WriteString(p.conn, "Event: X\r\n\r\n"); err != nil {
						return
					}
				}
			}()
			for { // reads on, so that the pings leave, but does not answer them
				if _, err := p.r.Read(); err != nil {
					return
				}
			}
		}))
		cfg.OnEvent = func(*Message) error {
			time.Sleep(time.Minute)
			handled++
			return nil
		}
		c := connectTo(t, cfg)
		<-c.Done()
		if handled != 5 || !errors.Is(c.Err(), ErrSilent) {
			t.Errorf("%d events handled, then %v", handled, c.Err())
		}
	})
}

func TestAPeerThatDoesNotReadEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		c := connectTo(t, scripted(t, logged(func(*peer) { <-over })))
		waiting := make(chan error)
		began := time.Now()
		go func() {
			_, err := c.Do(t.Context(), NewAction("Getvar"))
			waiting <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Do(ctx, NewAction("Getvar")) // cannot begin, and gives up in time
		var unsent *ActionError
		if !errors.As(err, &unsent) || unsent.Sent || time.Since(began) != time.Second {
			t.Errorf("the second call: %v after %s", err, time.Since(began))
		}
		if err := <-waiting; err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("the first call: %v after %s", err, time.Since(began))
		}
		<-c.Done()
		close(over)
	})
}
