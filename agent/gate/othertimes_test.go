package gate_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// Tests of who has a right at all times by one rule, and more of it at others by another, at a time when the other does not hold: what the one gives he has.

// atNight gives employees a right at night. The clock of an office stands at noon.
func atNight(company, right string, who ...string) string {
	return company + `
timezone: Europe/Moscow
times: {night: {hours: "22:00-06:00"}}
roles: {watchman: {` + right + `: {to: any, during: night}}}
assign: [{role: watchman, to: [` + strings.Join(who, ", ") + `]}]
`
}

func TestADirectoryIsWaitedForThoughOneMayCallAnybodyAtOtherTimes(t *testing.T) {
	o, b := dialOffice(t)
	o.gate.SetPolicy(set(t, atNight(callers, "dial", "cli")))
	if got := o.dials("cli", "+7 812 123-45-67"); got != "not_now" {
		t.Fatalf("somebody outside: %s", got)
	}
	go func() { // answers whatever it is asked, as often as it is
		for {
			select {
			case number := <-b.asked:
				b.learns(number)
				o.gate.Learned(number)
			case <-t.Context().Done():
				return
			}
		}
	}()
	if got := o.dials("cli", "8 916 000 00 01"); got != "ok" {
		t.Fatalf("his own client, of whom the directory has to ask: %s", got)
	}
	b.mu.Lock()
	b.slow["+79160000002"] = clients.Client{Responsible: "mix"}
	b.mu.Unlock()
	if got := o.dials("cli", "8 916 000 00 02"); got != "not_now" || len(o.pbx.calls) != 1 {
		t.Fatalf("another's client: %s, %d calls", got, len(o.pbx.calls))
	}
}

func TestWhoWorksOnALineComesAndGoesThoughHeMayChangeItAtOtherTimes(t *testing.T) {
	o := newLineOffice(t)
	house := strings.Replace(lineHouse, `numbers: ["102"], department: sales`, `numbers: ["102"], department: sales, line.view: own, line.connect: own`, 1)
	o.gate.SetPolicy(set(t, atNight(house, "line.change", "boris", "vic")))
	for _, c := range []struct{ what, got, code string }{
		{"pauses", o.put("boris", "sales", "boris", -1, "paused"), "ok"},
		{"another's pause", o.put("boris", "sales", "anna", -1, "paused"), "not_now"},
		{"another penalty", o.put("boris", "sales", "boris", 0, "paused"), "not_now"},
		{"on a line on which he does not work", o.put("vic", "sales", "vic", -1, "paused"), "not_now"},
	} {
		if c.got != c.code {
			t.Errorf("%s: %q, not %q", c.what, c.got, c.code)
		}
	}
	if n := len(o.pbx.members); n != 1 {
		t.Errorf("%d orders", n)
	}
}

func TestAnInterceptOutlivesAMomentWithoutAnAnswerThoughOneMayTakeAnyCallAtOtherTimes(t *testing.T) {
	b := &book{known: map[string]clients.Client{ivanov: {Number: ivanov, Name: "Ivanov", Responsible: "gus"}}, slow: map[string]clients.Client{}, asked: make(chan string, 16)}
	o := newOffice(t, atNight(house, "intercept", "gus"), func(c *gate.Config) { c.Clients = b })
	o.pbx.silent = true
	o.rings("x", ivanov, "PJSIP/101")
	w := o.watch("gus")
	id := o.must("gus", "intercept", "anna")
	for o.row("gus", "gus").State != "ringing" {
		o.pass(0) // the order goes on in another goroutine
	}
	b.mu.Lock()
	b.slow[ivanov] = b.known[ivanov]
	delete(b.known, ivanov)
	b.mu.Unlock()
	o.gate.Learned("")
	if o.gate.Ending(id) {
		t.Fatal("it ends though nobody has said anything else")
	}
	b.mu.Lock()
	b.slow[ivanov] = clients.Client{Number: ivanov, Responsible: "fay"}
	b.mu.Unlock()
	b.learns(ivanov)
	o.gate.Learned(ivanov)
	if !o.gate.Ending(id) {
		t.Fatal("what was said then does not decide")
	}
	w.act(id, "ended")
}
