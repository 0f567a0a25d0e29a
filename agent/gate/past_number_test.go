package gate_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// handedOn has somebody talk to a client and hand him on to a colleague.
func (o *office) handedOn(name, client, from, to string) {
	in, on := name+"in", name+"on"
	o.talk(in, client, from)
	o.talk(on, from, to)
	o.ingest(call.Event{Kind: call.AttendedTransferred, Channel: o.ch(in + ".1"), Peer: o.ch(on + ".0"), Transferee: call.LegID(in + ".0")})
	o.leave(in, in+".0", in+".1")
	o.leave(on, on+".0")
	o.enter(on, in+".0")
	o.gone(in+".1", on+".0")
	o.pass(20)
	o.gone(in+".0", on+".1")
	o.pass(60)
}

// numbersOn are the numbers that a row shows, wherever.
func numbersOn(r mask.JournalRow) (all []string) {
	for _, p := range append([]mask.Party{}, r.Others...) {
		all = append(all, p.Number)
	}
	if r.Peer != nil {
		all = append(all, r.Peer.Number)
	}
	return append(all, r.Dialled)
}

// By a number everybody finds the rows that show it to him, wherever on the row it stands and whatever the phones claimed, and no other.
func TestANumberFindsExactlyTheRowsThatShowIt(t *testing.T) {
	o := newArchive(t, archive)
	o.handedOn("h", other, "PJSIP/104", "PJSIP/102")  // by dora, who sees nobody's calls: boris's row has her and the client among the others
	o.handedOn("s", secret, "PJSIP/104", "PJSIP/101") // a protected number
	o.rings("r", "PJSIP/102", "PJSIP/104")            // dora is merely rung, and another answers
	o.gone("r.1")
	o.ringsOn("r", secretless)
	o.pass(5)
	o.gone("r.0", "r.2")
	o.comesBy("l", ivanov, "PJSIP/101") // gus's client, by a line
	o.hangUp("l")
	o.comesBy("m", other, "PJSIP/101") // nobody's
	o.hangUp("m")
	o.pass(60)
	o.rings("c", other, "PJSIP/103") // carl's phone has no number of its own on the wire, and anna's another
	o.answers("c", 1)
	o.hangUp("c")
	o.leg("n.0", "PJSIP/101", call.StateUp, "102")
	ch := o.ch("n.0")
	ch.Caller.Number = "+74950000000"
	o.seen(ch)
	o.leg("n.1", "PJSIP/102", call.StateDown, "")
	o.dial("n.0", "n.1", "102")
	o.state("n.1", call.StateRinging)
	o.answers("n", 1)
	o.hangUp("n")
	o.gate.SetPolicy(set(t, archive+`
roles: {reads: {journal: true}}
assign: [{role: reads, to: [gus, dora, boris]}]
`))
	numbers := []string{other, secret, secretless, ivanov, "+74950000000", "101", "102", "103", "104", "107", "8 (812) 000-00-00"}
	found, elsewhere := 0, 0
	for _, subject := range []string{"anna", "boris", "carl", "dora", "gus", "irina", "ivo", "kira"} {
		all := o.rows(subject, gate.JournalAsk{})
		for _, number := range numbers {
			var want []string
			for _, r := range all {
				if at := slices.IndexFunc(numbersOn(r), func(n string) bool { return n != "" && gate.Compared(n, "RU") == gate.Compared(number, "RU") }); at >= 0 {
					want = append(want, r.ID)
					if r.Peer == nil || r.Peer.Number != number {
						elsewhere++
					}
				}
			}
			found += len(want)
			for _, limit := range []int{0, 1} {
				var got []string
				for ask := (gate.JournalAsk{Number: number, Limit: limit}); ; {
					page, err := o.gate.Journal(t.Context(), who(subject), ask)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range page.Rows {
						got = append(got, r.ID)
					}
					if ask.Cursor = page.Next; page.Next == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s finds by %s %d rows, %d at a time, and is shown it on %d of\n%s", subject, number, len(got), limit, len(want), withOthers(all))
				}
			}
		}
	}
	if found < 60 || elsewhere < 20 {
		t.Errorf("%d rows were found, %d of them by a number that is not the peer's: too few to say anything", found, elsewhere)
	}
}

// However many rows have a number that the subject is not shown, a page by it ends as if they were not there.
func TestAPageByANumberEndsWhereItWouldWithoutTheRowsThatHideIt(t *testing.T) {
	o := newArchive(t, archive+`
roles: {lines: {"line.history": any}}
assign: [{role: lines, to: [dora]}]
`)
	for i := range 2100 {
		name := fmt.Sprint(i)
		o.comesBy(name, other, "PJSIP/101")
		if o.hangUp(name); i%500 == 0 {
			o.sync()
		}
	}
	o.sync()
	for what, read := range map[string]func() (mask.JournalPage, error){
		"the number": func() (mask.JournalPage, error) {
			return o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Number: other})
		},
		"the line": func() (mask.JournalPage, error) {
			return o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Line: "support"})
		},
		"of a line": func() (mask.JournalPage, error) {
			return o.gate.LineHistory(t.Context(), who("dora"), "support", gate.JournalAsk{Number: other})
		},
	} {
		if page, err := read(); err != nil || len(page.Rows) > 0 || page.Next != "" {
			t.Errorf("by %s: %d rows, next %v, %v", what, len(page.Rows), page.Next != "", err)
		}
	}
	if page, err := o.gate.LineHistory(t.Context(), who("dora"), "support", gate.JournalAsk{Limit: 1}); err != nil || len(page.Rows) != 1 || page.Next == "" {
		t.Errorf("without a filter: %d rows, next %v, %v", len(page.Rows), page.Next != "", err)
	}
}
