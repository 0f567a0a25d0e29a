package amiproxy_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
	"go.yaml.in/yaml/v3"
)

// Who is hidden in what follows. No other word in what a door writes has these letters, or these digits in a row.
const (
	hiddenName   = "Zqvxhidden"
	hiddenNumber = "7904613852"
)

// tells reports whether a text has what is hidden in it, however it is written.
func tells(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(hiddenName)) || strings.Contains(text, hiddenNumber)
}

// raw is a session as bytes, of a fuzz target that makes many.
type raw struct {
	conn net.Conn
	in   *ami.Reader
	n    int
}

func (w *world) raw(f testing.TB, who string) *raw {
	f.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		f.Fatal(err)
	}
	r := &raw{conn: conn, in: ami.NewReader(conn, ami.Limits{})}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		f.Fatal(err)
	}
	if _, err := r.in.Greeting(); err != nil {
		f.Fatal(err)
	}
	r.send(f, "Action: Login\r\nUsername: "+who+"\r\nSecret: "+w.token[who]+"\r\nEvents: off\r\n\r\n")
	return r
}

// send sends bytes and a Ping behind them, and reads to its answer, or to the end. It returns all that came.
func (r *raw) send(f testing.TB, text string) string {
	f.Helper()
	r.n++
	mark := fmt.Sprint("mark-", r.n)
	// What ends nowhere is ended: an action is over by an empty line.
	_, _ = r.conn.Write([]byte(text + "\r\n\r\nAction: Ping\r\nActionID: " + mark + "\r\n\r\n"))
	var b strings.Builder
	for {
		m, err := r.in.Read()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				f.Fatalf("%q has no answer", text)
			}
			return b.String()
		}
		b.Write(m.Raw())
		b.WriteString("\n")
		if m.Get("ActionID") == mark {
			return b.String()
		}
	}
}

// Whatever somebody sends who has no right: nothing is ordered of the PBX, nothing but refusals comes into the record (and what he tells his
// own other sessions), no answer tells who is hidden, and every session is answered to its end.
func FuzzActions(f *testing.F) {
	text, err := os.ReadFile("testdata/attacks.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var cases []attack
	if err := yaml.Unmarshal(text, &cases); err != nil {
		f.Fatal(err)
	}
	plain := strings.NewReplacer("{{CH210}}", "PJSIP/210-1.p", "{{CH210|lower}}", "pjsip/210-1.p", "{{CH210|upper}}", "PJSIP/210-1.P", "{{CH200}}", "PJSIP/200-2.p", "{{U210}}", "1.p", "{{U200}}", "2.p", "{{R210}}", "PJSIP/210-1.p")
	for _, c := range cases {
		for _, s := range c.Send {
			if len(s) < 600 {
				f.Add(plain.Replace(s))
			}
		}
		f.Add(plain.Replace(c.Twin.Send))
	}
	for _, l := range lists {
		f.Add("Action: " + l.action + "\r\nActionID: 1\r\n\r\n")
	}
	for _, s := range []string{
		"Action: Originate\r\nChannel: PJSIP/400\r\nExten: 210\r\nContext: from-internal\r\nPriority: 1\r\nAsync: true\r\n\r\n", "Action: Events\r\nEventMask: on\r\n\r\n", "Action: Filter\r\nOperation: Add\r\nFilter: Event: .*\r\n\r\n",
		"Action: Login\r\nUsername: olga\r\nSecret: x\r\n\r\n", "Action: Logoff\r\n\r\n", "Action: QueueAdd\r\nQueue: q-sales\r\nInterface: PJSIP/400\r\n\r\n", "Action: Command\r\nCommand: core show channels\r\n\r\n",
		"Action: GetVar\r\nChannel: PJSIP/210-1.p\r\nVariable: CALLERID(num)\r\n\r\n", "Action: DBGet\r\nFamily: CF\r\nKey: 210\r\n\r\n", "Action: MixMonitor\r\nChannel: PJSIP/210-1.p\r\nFile: x.wav\r\n\r\n",
	} {
		f.Add(s)
	}
	const nobody = "\n  nobody: {name: Nobody, phones: [PJSIP/400], numbers: [\"400\"]}\n"
	w := newWorldOf(f, strings.Replace(policyText, "\n  alice:", nobody+"  alice:", 1), []string{"nobody", "olga"}, lenient)
	w.talks("1", hiddenName, "+"+hiddenNumber, "PJSIP/210")
	w.talks("2", hiddenName, "+"+hiddenNumber, "PJSIP/200")
	w.rings("3", hiddenName, "+"+hiddenNumber, "PJSIP/130")
	w.queued("9.t", hiddenName, "+"+hiddenNumber)
	seen := w.raw(f, "olga")
	if all := seen.send(f, "Action: CoreShowChannels\r\n\r\n"); !tells(all) {
		f.Fatalf("nobody is hidden: %s", all)
	}
	_ = seen.conn.Close()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		r := w.raw(t, "nobody")
		defer func() { _ = r.conn.Close() }()
		w.book.mu.Lock()
		w.book.entries = nil
		w.book.mu.Unlock()
		if got := r.send(t, text); tells(got) && !tells(text) {
			t.Fatalf("%q is told %s", text, got)
		}
		if got := w.pbx.taken(); len(got) > 0 {
			t.Fatalf("for %q the PBX was asked for %v", text, got)
		}
		for _, e := range w.book.decided() {
			if e.Outcome == "allow" && e.Reason != "own_sessions" || e.Subject != "nobody" && e.Subject != "" {
				t.Fatalf("%q is recorded as %+v", text, e)
			}
		}
	})
}

// story plays a call that is made of the bytes of plot. In every field that Asterisk fills with what a caller has chosen stands who is hidden, between before
// and behind. It returns the legs.
func (w *world) story(id, before, behind string, plot []byte) []call.Channel {
	name, number := before+hiddenName+behind, before+hiddenNumber+behind
	out := call.Identity{Name: name, Number: call.Number(number)}
	trunk := leg(id+".t", "PJSIP/trunk", call.StateRing, out, call.Identity{Name: "Bob", Number: "210"})
	phone := leg(id+".p", "PJSIP/210", call.StateRinging, call.Identity{Name: "Bob", Number: "210"}, out)
	local := leg(id+".l", "Local/"+number+"@"+name, call.StateRing, out, out)
	local.Name += ";1"
	trunk.Exten, trunk.App, phone.App, local.App = number, "Dial", "AppDial", name
	bridge := call.Bridge{ID: call.BridgeID(id + name), Type: "mixing"}
	w.ingest(call.Event{Kind: call.LegSeen, Channel: trunk, At: at(10)}, call.Event{Kind: call.LegSeen, Channel: phone, At: at(10)}, call.Event{Kind: call.DialBegan, Channel: trunk, Peer: phone, Dialled: number, At: at(10)})
	for _, b := range plot[:min(len(plot), 12)] {
		ev := call.Event{Channel: trunk, Peer: phone, Bridge: bridge, At: at(15), Dialled: number}
		switch b % 12 {
		case 0:
			trunk.State, phone.State = call.StateUp, call.StateUp
			ev.Channel.State, ev.Peer.State, ev.Kind, ev.Answered = call.StateUp, call.StateUp, call.DialEnded, true
		case 1:
			ev.Kind = call.BridgeEntered
		case 2:
			ev.Kind, ev.Channel = call.BridgeEntered, phone
		case 3:
			ev.Kind, ev.Channel = call.LegHeld, phone
		case 4:
			ev.Kind, ev.Channel = call.LegSeen, local
		case 5:
			ev.Kind, ev.Channel, ev.Peer = call.DialBegan, local, phone
		case 6:
			ev.Kind = call.BridgeLeft
		case 7:
			ev.Kind, ev.Parking = call.Parked, &call.Parking{Lot: name, Space: number, By: number, Timeout: time.Minute}
		case 8:
			trunk.App, trunk.Queue, trunk.Room = "Queue", name, ""
			ev.Kind, ev.Channel = call.LegSeen, trunk
		case 9:
			trunk.App, trunk.Room, trunk.Queue = "ConfBridge", name, ""
			ev.Kind, ev.Channel = call.LegSeen, trunk
		case 10:
			ev.Kind, ev.Channel, ev.Transferee = call.BlindTransferred, phone, trunk.ID
		case 11:
			phone.Exten, phone.App = number, name
			ev.Kind, ev.Channel = call.LegSeen, phone
		}
		w.ingest(ev)
	}
	return []call.Channel{trunk, phone, local}
}

func (w *world) over(legs []call.Channel) {
	for _, l := range legs {
		w.ingest(call.Event{Kind: call.LegGone, Channel: l, At: at(40)})
	}
}

// shown is what lists and events tell a session.
func (r *raw) shown(t testing.TB) string {
	var b strings.Builder
	for _, l := range lists {
		b.WriteString(r.send(t, "Action: "+l.action))
	}
	return b.String()
}

// Whatever Asterisk's events have in their fields of who is on the other side, and however the call goes: no list and no event tells it to who may not see it,
// and the one who may is told.
func FuzzHidden(f *testing.F) {
	f.Add("", "", []byte{0, 1, 2})
	f.Add("+", "", []byte{0, 1, 2, 3, 6, 7})
	f.Add("\r\nConnectedLineName: ", " \"<x>", []byte{4, 5, 8, 9})
	f.Add("Local/", "@ctx-1;2", []byte{8, 0, 1, 2, 10, 11})
	f.Add("PJSIP/210-", "&SIP/1", []byte{11, 9, 4, 0, 2, 1})
	f.Add("${", "}", []byte{7, 0, 0, 2})
	w := newWorld(f, lenient)
	n := 0
	f.Fuzz(func(t *testing.T, before, behind string, plot []byte) {
		if len(before)+len(behind) > 200 {
			return
		}
		blind, sees := w.raw(t, "alice"), w.raw(t, "olga")
		defer func() { _, _ = blind.conn.Close(), sees.conn.Close() }()
		blind.send(t, "Action: Events\r\nEventMask: on")
		n++
		legs := w.story(fmt.Sprint("f", n), before, behind, plot)
		told, all := blind.shown(t), sees.shown(t)
		w.over(legs)
		if told += blind.send(t, ""); tells(told) {
			t.Fatalf("%q %q %v: alice is told\n%s", before, behind, plot, told)
		}
		if !tells(all) && before == "" && behind == "" {
			t.Fatalf("%v: olga is not told\n%s", plot, all)
		}
	})
}
