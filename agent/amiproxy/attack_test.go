package amiproxy_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/ami"
)

// attack is one case of testdata/attacks.yaml, which says what the keys mean.
type attack struct {
	ID, As, Setup string
	Send          []string
	Twin          struct{ As, Send, Order string }
}

// goesOn sets up what a case wants.
func (w *world) goesOn(setup string) {
	w.t.Helper()
	switch setup {
	case "talking":
		w.talks("1", "", "+4915550001", "PJSIP/210")
		w.talks("2", "", "+4915550002", "PJSIP/200")
	case "own":
		w.goesOn("talking")
		w.talks("3", "", "+4915550003", "PJSIP/100")
	case "two":
		w.goesOn("own")
		w.talks("4", "", "+4915550004", "PJSIP/100")
	case "ringing":
		w.rings("1", "", "+4915550001", "PJSIP/210")
	case "meeting":
		a, b := call.Identity{Number: "210"}, call.Identity{Number: "200"}
		from, to := leg("1.p", "PJSIP/210", call.StateUp, a, b), leg("2.p", "PJSIP/200", call.StateUp, b, a)
		bridge := call.Bridge{ID: "1.b", Type: "mixing"}
		w.ingest(
			call.Event{Kind: call.LegSeen, Channel: from, At: at(10)}, call.Event{Kind: call.LegSeen, Channel: to, At: at(10)},
			call.Event{Kind: call.DialBegan, Channel: from, Peer: to, At: at(10)}, call.Event{Kind: call.DialEnded, Channel: from, Peer: to, Answered: true, At: at(12)},
			call.Event{Kind: call.BridgeSeen, Bridge: bridge, At: at(12)},
			call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: from, At: at(12)}, call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: to, At: at(12)},
		)
	default:
		w.t.Fatalf("there is no setup %q", setup)
	}
}

// wire is a session as bytes.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *ami.Reader
	mark int
}

func (w *world) wire(t *testing.T, who string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := &wire{t: t, conn: conn, in: ami.NewReader(conn, ami.Limits{})}
	if _, err := c.in.Greeting(); err != nil {
		t.Fatal(err)
	}
	if got := c.say("Action: Login\r\nUsername: " + who + "\r\nSecret: " + w.token[who] + "\r\nEvents: off\r\n\r\n"); len(got) != 1 || got[0].Get("Response") != "Success" {
		t.Fatalf("%s logs in: %v", who, got)
	}
	return c
}

// say sends bytes and returns the answers to them: those before that to a Ping which is sent behind.
func (c *wire) say(text string) (answers []*ami.Message) {
	c.t.Helper()
	c.mark++
	id := "mark-" + strconv.Itoa(c.mark)
	if _, err := c.conn.Write([]byte(text + "Action: Ping\r\nActionID: " + id + "\r\n\r\n")); err != nil {
		c.t.Fatal(err)
	}
	for {
		m, err := c.in.Read()
		if err != nil {
			c.t.Fatalf("behind %d answers: %v", len(answers), err)
		}
		switch {
		case m.Get("ActionID") == id:
			return answers
		case m.Response() != nil:
			answers = append(answers, m.Clone())
		}
	}
}

// fill puts in what stands between braces.
func (c *wire) fill(w *world, who, text string) string {
	c.t.Helper()
	for _, phone := range []string{"210", "200", "100"} {
		if !strings.Contains(text, phone+"}}") && !strings.Contains(text, phone+"|") {
			continue
		}
		name, id := channelOf(c.t, w.as(who), "PJSIP/"+phone)
		text = strings.NewReplacer("{{CH"+phone+"}}", name, "{{CH"+phone+"|lower}}", strings.ToLower(name), "{{CH"+phone+"|upper}}", strings.ToUpper(name),
			"{{U"+phone+"}}", id, "{{R"+phone+"}}", "PJSIP/"+phone+"-1.p").Replace(text)
	}
	return stage.Filled(c.t, text)
}

func attacks(t testing.TB) []attack {
	t.Helper()
	return stage.Attacks[attack](t, 15, "testdata", "attacks.yaml")
}

func TestAttacksAreRefusedAndTheirTwinsDone(t *testing.T) {
	cases := attacks(t)
	for _, tc := range cases {
		t.Run(tc.ID, func(t *testing.T) {
			w := newWorld(t, func(c *amiproxy.Config) { c.PerEmployee = 100 }) // fill logs in for each name
			w.goesOn(tc.Setup)
			c, beside := w.wire(t, tc.As), w.wire(t, "olga")
			for i, send := range tc.Send {
				got := c.say(c.fill(w, tc.As, send))
				if len(got) != 1 || got[0].Get("Response") != "Error" {
					t.Errorf("%q is answered by %v", send, got)
				} else if words := got[0].Get("Message"); strings.Contains(words, "PJSIP/") || strings.Contains(words, "4915550") {
					t.Errorf("%q is told %q", send, words)
				}
				if all := w.book.Denied(); len(all) != i+1 {
					t.Errorf("behind %q the record has %d refusals, not %d", send, len(all), i+1)
				}
				if got := beside.say(""); len(got) > 0 {
					t.Errorf("another session is told %v", got)
				}
			}
			if got := w.pbx.taken(); len(got) > 0 {
				t.Errorf("the PBX was asked for %v", got)
			}
			who := tc.As
			if tc.Twin.As != "" {
				who = tc.Twin.As
				c = w.wire(t, who)
			}
			got := c.say(c.fill(w, who, tc.Twin.Send))
			if len(got) != 1 || got[0].Get("Response") != "Success" {
				t.Fatalf("the twin is answered by %v: %s", got, got[0].Get("Message"))
			}
			if tc.Twin.Order != "" {
				w.pbx.ordered(t, tc.Twin.Order)
			} else if got := w.pbx.taken(); len(got) > 0 {
				t.Errorf("for the twin the PBX was asked for %v", got)
			}
		})
	}
}

func TestNoOtherApplicationIsStarted(t *testing.T) {
	w := newWorld(t)
	w.goesOn("talking")
	olga := w.as("olga")
	for _, app := range strings.Fields("BridgeAdd Bridge ParkedCall ConfBridge DISA Dial Page Record MixMonitor AudioSocket JACK EAGI VoiceMailMain Playback Gosub Set MSet ChannelRedirect SendDTMF StasisBroadcast AgentLogin QueueLog UserEvent PJSIPNotify Stasis ChanSpy2 DAHDIScan RetryDial FollowMe Originate") {
		if got := answered(t, olga, act("Originate", "Channel", "PJSIP/300", "Application", app, "Data", "PJSIP/210", "Async", "true")); got != "This application is not started through Earshot." {
			t.Errorf("%s: %q", app, got)
		}
	}
	if got := w.pbx.taken(); len(got) > 0 {
		t.Errorf("the PBX was asked for %v", got)
	}
}

// What is asked in the modes of ChanSpy is decided as such, and each refusal stands in the record.
func TestModesOfChanSpyAreDecidedAndRecorded(t *testing.T) {
	for options, want := range map[string]string{"": "spy", "q": "spy", "bqEuSs": "spy", "qw": "whisper", "W": "whisper", "Bq": "barge"} {
		w := newWorld(t)
		w.goesOn("talking")
		for _, who := range []string{"olga", "alice"} {
			phone := map[string]string{"olga": "PJSIP/300", "alice": "PJSIP/100"}[who]
			got := answered(t, w.as(who), act("Originate", "Channel", phone, "Application", "ChanSpy", "Data", "PJSIP/210,"+options, "Async", "true"))
			if (got == "ok") != (who == "olga") {
				t.Errorf("%s asks with %q: %s", who, options, got)
			}
		}
		all := w.book.Decided()
		if len(all) != 2 {
			t.Fatalf("%d decisions stand in the record", len(all))
		}
		for i, who := range []string{"olga", "alice"} {
			if e := all[i]; e.Subject != who || e.Action != want || e.Door != "ami" || e.Targets[0] != "bob" || (e.Outcome == "allow") != (who == "olga") {
				t.Errorf("with %q the record has %+v", options, e)
			}
		}
	}
}
