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
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/ami"
)

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
	plain := strings.NewReplacer("{{CH210}}", "PJSIP/210-1.p", "{{CH210|lower}}", "pjsip/210-1.p", "{{CH210|upper}}", "PJSIP/210-1.P", "{{CH200}}", "PJSIP/200-2.p", "{{U210}}", "1.p", "{{U200}}", "2.p", "{{R210}}", "PJSIP/210-1.p")
	for _, c := range attacks(f) {
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
	w.talks("1", stage.HiddenName, "+"+stage.HiddenNumber, "PJSIP/210")
	w.talks("2", stage.HiddenName, "+"+stage.HiddenNumber, "PJSIP/200")
	w.rings("3", stage.HiddenName, "+"+stage.HiddenNumber, "PJSIP/130")
	w.queued("9.t", stage.HiddenName, "+"+stage.HiddenNumber)
	seen := w.raw(f, "olga")
	if all := seen.send(f, "Action: CoreShowChannels\r\n\r\n"); !stage.Tells(all) {
		f.Fatalf("nobody is hidden: %s", all)
	}
	_ = seen.conn.Close()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		r := w.raw(t, "nobody")
		defer func() { _ = r.conn.Close() }()
		w.book.Forget()
		if got := r.send(t, text); stage.Tells(got) && !stage.Tells(text) {
			t.Fatalf("%q is told %s", text, got)
		}
		if got := w.pbx.taken(); len(got) > 0 {
			t.Fatalf("for %q the PBX was asked for %v", text, got)
		}
		for _, e := range w.book.Decided() {
			if e.Outcome == "allow" && e.Reason != "own_sessions" || e.Subject != "nobody" && e.Subject != "" {
				t.Fatalf("%q is recorded as %+v", text, e)
			}
		}
	})
}

// shown is what lists and events tell a session.
func (r *raw) shown(t testing.TB) string {
	var b strings.Builder
	for _, l := range lists {
		b.WriteString(r.send(t, "Action: "+l.action))
	}
	return b.String()
}

// bob is whom calls are for.
var bob = call.Identity{Name: "Bob", Number: "210"}

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
		events, legs := stage.Plot(fmt.Sprint("f", n), "PJSIP/210", bob, before, behind, plot)
		w.ingest(events...)
		told, all := blind.shown(t), sees.shown(t)
		w.ingest(stage.Gone(legs)...)
		if told += blind.send(t, ""); stage.Tells(told) {
			t.Fatalf("%q %q %v: alice is told\n%s", before, behind, plot, told)
		}
		if !stage.Tells(all) && before == "" && behind == "" {
			t.Fatalf("%v: olga is not told\n%s", plot, all)
		}
	})
}
