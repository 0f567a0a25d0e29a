package amiproxy_test

import (
	"bytes"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

var (
	everyMutant = mutation.EveryFlag()
	seed        = mutation.SeedFlag()
)

// piecewise is a session whose bytes are looked at as they come.
type piecewise struct {
	t    *testing.T
	conn net.Conn
	got  chan []byte
	have []byte
	mark int
	act  chan struct{} // tells that the PBX has been asked for something; nil: nobody looks
}

// piecewise opens a session at the door over connections without a buffer.
func (w *world) piecewise(t *testing.T, who string) *piecewise {
	t.Helper()
	client := stage.InPieces(t, w.door.Serve).Dial(1)
	r := &piecewise{t: t, conn: client, got: make(chan []byte)}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(r.got)
		for {
			buf := make([]byte, 8<<10)
			n, err := client.Read(buf)
			if n > 0 {
				select {
				case r.got <- buf[:n]:
				case <-over:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = client.Close()
		close(over)
		<-ended
	})
	if got := r.say("Action: Login\r\nUsername: " + who + "\r\nSecret: " + w.token[who] + "\r\nEvents: off\r\n\r\n"); !strings.Contains(got, "Response: Success") {
		t.Fatalf("%s logs in: %q", who, got)
	}
	return r
}

// say writes each piece by itself, and returns what comes before the answer to a Ping behind them, or before the PBX is asked for something: an Originate
// that is not Async is answered when the phone is.
func (r *piecewise) say(text ...string) string {
	r.t.Helper()
	r.mark++
	behind := "\r\nPing: Pong"
	id := "ActionID: mark-" + strconv.Itoa(r.mark) + behind
	text = append(text, "Action: Ping\r\nActionID: mark-"+strconv.Itoa(r.mark)+"\r\n\r\n")
	written := make(chan error, 1)
	go func() {
		for _, piece := range text {
			if _, err := r.conn.Write([]byte(piece)); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for {
		if i := bytes.Index(r.have, []byte(id)); i >= 0 {
			said := string(r.have[:i])
			_, rest, _ := bytes.Cut(r.have[i:], []byte("\r\n\r\n"))
			r.have = slices.Clone(rest)
			if err := <-written; err != nil {
				r.t.Fatal(err)
			}
			return strings.TrimSuffix(said, "Response: Success\r\n")
		}
		select {
		case more, ok := <-r.got:
			if !ok {
				r.t.Fatalf("the session is over behind %q", r.have)
			}
			r.have = append(r.have, more...)
		case <-r.act:
			return string(r.have)
		case <-late.C:
			r.t.Fatalf("no answer came behind %q", r.have)
		}
	}
}

// orders are what each subject may have the PBX do in the attack cases, as the fake writes it down.
var orders = map[string]*regexp.Regexp{
	"alice": regexp.MustCompile(`^(call PJSIP/100|(redirect|transfer|consult) [34]\.p (120|130|200|210|300|310)|park [34]\.[pt]|press [34]\.[pt] [0-9*#]|mute [34]\.p .*|drop [34]\.[pt])$`),
	"carol": regexp.MustCompile(`^ring PJSIP/120$`),
	"dave":  regexp.MustCompile(`^take PJSIP/130 1\.p$`),
	"olga":  regexp.MustCompile(`^(ring PJSIP/300|call PJSIP/300|take PJSIP/300 1\.p|record 1\.p|pause|resume|queue (add|remove|pause|penalty).*)$`),
}

// may reports whether the record lets a subject do something that an attack is after.
func may(e *audit.Entry) bool {
	excluded := slices.Contains(e.Targets, "boss") || slices.Contains(e.Employees, "boss")
	switch e.Action {
	case "spy", "whisper", "barge":
		return !excluded && (e.Subject == "olga" || e.Subject == "carol" && e.Action == "spy" && slices.Equal(e.Targets, []string{"bob"}))
	case "intercept":
		return !excluded && (e.Subject == "olga" || e.Subject == "dave" && slices.Equal(e.Targets, []string{"bob"}))
	case "record":
		return e.Subject == "olga" && !slices.Contains(e.Targets, "boss")
	case "line.change":
		return e.Subject == "olga"
	}
	return true
}

// judge looks at what has come of something that a subject has sent.
func (w *world) judge(t *testing.T, who, what, sent, said string) {
	t.Helper()
	for _, o := range w.pbx.taken() {
		if re := orders[who]; re == nil || !re.MatchString(o) {
			t.Errorf("%s: %q of %s's has the PBX do %q", what, sent, who, o)
		}
	}
	for _, e := range w.book.Decided() {
		if e.Outcome == "allow" && !may(&e) {
			t.Errorf("%s: for %q the record lets %s %s %v", what, sent, who, e.Action, e.Targets)
		}
	}
	if who != "olga" && (strings.Contains(said, "4915550001") || strings.Contains(said, "4915550002")) {
		t.Errorf("%s: %q is told whom others talk with: %q", what, sent, said)
	}
}

// A request of the attack cases that is spelled otherwise is refused too, or it is carried out as something that its sender may have. So is one that is
// permitted.
func TestNoMutantOfAnAttackGetsMore(t *testing.T) {
	r := seed.Rand(t)
	tried, acted := 0, 0
	for _, tc := range attacks(t) {
		t.Run(tc.ID, func(t *testing.T) {
			try := func(who, send string) {
				w, c, all := (*world)(nil), (*piecewise)(nil), []mutation.Mutant(nil)
				begin := func() { // ids are others in each world, and the mutants otherwise the same
					w = newWorld(t, lenient)
					w.goesOn(tc.Setup)
					c = w.piecewise(t, who)
					c.act = w.pbx.more
					all = mutation.AMI(w.wire(t, who).fill(w, who, send))
				}
				begin()
				n := len(all)
				for _, i := range mutation.Some(all, *everyMutant, r) {
					m := all[i]
					tried++
					w.judge(t, who, m.Kind, m.Text, c.say(m.Text))
					if len(w.pbx.taken()) > 0 {
						acted++
						if begin(); len(all) != n {
							t.Fatalf("of %q there are %d mutants, and %d", send, n, len(all))
						}
					}
				}
			}
			for _, send := range tc.Send {
				try(tc.As, send)
			}
			if tc.Twin.As != "" {
				tc.As = tc.Twin.As
			}
			try(tc.As, tc.Twin.Send)
		})
	}
	t.Logf("%d mutants, of which %d had the PBX do what their senders may", tried, acted)
	if tried < 5000 || acted < 100 {
		t.Errorf("%d mutants were tried, of which %d did something", tried, acted)
	}
}

// A request that comes in two pieces is the one that it is in one, wherever it is cut.
func TestAnAttackInTwoPiecesIsTheSame(t *testing.T) {
	tried := 0
	for _, tc := range attacks(t) {
		t.Run(tc.ID, func(t *testing.T) {
			w := newWorld(t, lenient)
			w.goesOn(tc.Setup)
			c := w.piecewise(t, tc.As)
			for _, send := range tc.Send {
				text := w.wire(t, tc.As).fill(w, tc.As, send)
				whole := c.say(text)
				for i := 1; i < len(text); i++ {
					tried++
					if said := c.say(text[:i], text[i:]); said != whole || strings.Count(said, "Response:") != 1 {
						t.Fatalf("cut behind %q it is answered by %q and not by %q", text[:i], said, whole)
					}
				}
			}
			if got := w.pbx.taken(); len(got) > 0 {
				t.Errorf("the PBX was asked for %v", got)
			}
			who := tc.As
			if tc.Twin.As != "" {
				who = tc.Twin.As
			}
			step := 1
			if tc.Twin.Order != "" && !*everyMutant {
				step = 9 // each needs a world of its own
			}
			for i := 1; ; i += step {
				if tc.Twin.Order != "" || i == 1 {
					w = newWorld(t, lenient)
					w.goesOn(tc.Setup)
					c = w.piecewise(t, who)
				}
				text := w.wire(t, who).fill(w, who, tc.Twin.Send)
				if i >= len(text) {
					break
				}
				tried++
				if said := c.say(text[:i], text[i:]); !strings.Contains(said, "Response: Success") {
					t.Fatalf("the twin cut behind %q is answered by %q", text[:i], said)
				}
				if tc.Twin.Order != "" {
					w.pbx.ordered(t, tc.Twin.Order)
				} else if got := w.pbx.taken(); len(got) > 0 {
					t.Fatalf("for the twin the PBX was asked for %v", got)
				}
			}
		})
	}
	if tried < 10000 {
		t.Errorf("%d places were tried", tried)
	}
}

func lenient(c *amiproxy.Config) { c.PerEmployee, c.PerMinute, c.Burst = 1000, 1_000_000, 1_000_000 }
