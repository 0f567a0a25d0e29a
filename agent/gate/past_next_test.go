package gate_test

import (
	"fmt"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// That a row follows which one may not see is told by no next; and however many of them are between, what one may see follows as if they were not there.
func TestNextTellsOfWhatMayBeShownAlone(t *testing.T) {
	o := newArchive(t, archive+`
roles: {lines: {"line.history": {to: any, except: [egor]}, "line.view": any, "line.connect": any}}
assign: [{role: lines, to: [ivo]}]
`)
	hidden := func(name string) { // from egor's number, of whom ivo reads nothing
		o.comesBy(name, "+79160000105", "PJSIP/101")
		o.hangUp(name)
	}
	shown := func(name string) {
		o.comesBy(name, other, "PJSIP/101")
		o.hangUp(name)
	}
	for i := range 30 {
		hidden(fmt.Sprint("before", i))
	}
	shown("a")
	for subject, want := range map[string]bool{"ivo": false, "carl": true} {
		o.rows(subject, gate.JournalAsk{})
		page, err := o.gate.Journal(t.Context(), who(subject), gate.JournalAsk{Limit: 1})
		if err != nil || len(page.Rows) != 1 || (page.Next != "") != want {
			t.Errorf("%s: %d rows, next %v, %v", subject, len(page.Rows), page.Next != "", err)
		}
	}
	page, err := o.gate.LineHistory(t.Context(), who("ivo"), "support", gate.JournalAsk{Limit: 1})
	if err != nil || len(page.Rows) != 1 || page.Next != "" {
		t.Errorf("of the line: %d rows, next %v, %v", len(page.Rows), page.Next != "", err)
	}
	for i := range 2100 {
		if hidden(fmt.Sprint("between", i)); i%500 == 0 {
			o.sync()
		}
	}
	shown("b")
	o.sync()
	for name, read := range map[string]func(gate.JournalAsk) (int, string, error){
		"the journal": func(ask gate.JournalAsk) (int, string, error) {
			page, err := o.gate.Journal(t.Context(), who("ivo"), ask)
			return len(page.Rows), page.Next, err
		},
		"the line": func(ask gate.JournalAsk) (int, string, error) {
			page, err := o.gate.LineHistory(t.Context(), who("ivo"), "support", ask)
			return len(page.Rows), page.Next, err
		},
	} {
		if n, next, err := read(gate.JournalAsk{}); err != nil || n != 2 || next != "" {
			t.Errorf("%s: %d rows, next %v, %v", name, n, next != "", err)
		}
		n, next, err := read(gate.JournalAsk{Limit: 1})
		if err != nil || n != 1 || next == "" {
			t.Fatalf("%s: %d rows, next %v, %v", name, n, next != "", err)
		}
		if n, next, err = read(gate.JournalAsk{Limit: 1, Cursor: next}); err != nil || n != 1 || next != "" {
			t.Errorf("%s, further: %d rows, next %v, %v", name, n, next != "", err)
		}
	}
}

// A client's responsible employee, and who has a right on one who had a part, find what is theirs however many others have come to the line since; who
// has nothing there gets the answer that a line gives which is not there.
func TestALinesHistoryFindsOnesOwnBehindAllOthers(t *testing.T) {
	o := newArchive(t, archive+`
roles: {mine: {"line.history": own}}
assign: [{role: mine, to: [hana]}]
`)
	o.comesBy("a", ivanov, "PJSIP/101") // gus's client
	o.hangUp("a")
	o.pass(10)
	o.comesBy("h", other, "PJSIP/108") // hana, who is no member
	o.hangUp("h")
	for i := range 10_100 {
		o.pass(1)
		name := fmt.Sprint(i)
		o.comesBy(name, fmt.Sprintf("+7812%07d", i), "PJSIP/102")
		if o.hangUp(name); i%1000 == 0 {
			o.sync()
		}
	}
	o.sync()
	for subject, want := range map[string]string{"gus": "anna in answered " + ivanov + " by support", "hana": "hana in answered " + other + " by support"} {
		page, err := o.gate.LineHistory(t.Context(), who(subject), "support", gate.JournalAsk{})
		if err != nil || page.Next != "" {
			t.Fatalf("%s: %v", subject, err)
		}
		sees(t, subject, briefs(page.Rows), want)
	}
	for _, line := range []string{"support", "sales"} {
		_, err := o.gate.LineHistory(t.Context(), who("egor"), line, gate.JournalAsk{})
		refuses(t, err, "no_such_line")
	}
}
