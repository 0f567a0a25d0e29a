package gate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// By which line a call came is told to who may view the line, and to whom its history shows the call: to nobody else, though he sees with whom a colleague
// talked or took the call himself, as his board tells him neither; and a queue that is no line of the policy is nobody's to view.
func TestTheJournalTellsOfALineWhomTheLineIsShown(t *testing.T) {
	views := archive + `
roles: {views: {"line.view": any, "line.connect": any}, reads: {"line.history": any}, mine: {"line.history": own}, all: {journal: true}}
assign: [{role: views, to: [carl, dora]}, {role: reads, to: [kira]}, {role: mine, to: [boris]}, {role: all, to: [gus]}]
`
	o := newArchive(t, views)
	o.comesBy("a", ivanov, "PJSIP/101") // gus's client
	o.hangUp("a")
	o.comesBy("b", other, "PJSIP/102")
	board, err := o.gate.Employees(who("boris"))
	live, _ := json.Marshal(board)
	if err != nil || !strings.Contains(string(live), other) || strings.Contains(string(live), "support") || strings.Contains(string(live), "help") {
		t.Errorf("live boris is told %s, %v", live, err)
	}
	o.hangUp("b")
	o.sync()
	for subject, want := range map[string][2]string{
		"anna":  {"anna in answered " + ivanov, ""},
		"boris": {"boris in answered " + other + " by support", "boris in answered " + other + " by support"},
		"carl":  {"boris in answered " + other + " by support\nanna in answered " + ivanov + " by support", "boris in answered " + other + " by support\nanna in answered " + ivanov + " by support"},
		"dora":  {"boris in answered hidden\nanna in answered hidden", ""},
		"irina": {"boris in answered " + other + "\nanna in answered " + ivanov, ""},
		"ivo":   {"boris in answered " + other + "\nanna in answered " + ivanov, ""},
		"kira":  {"boris in answered hidden queue\nanna in answered hidden queue", ""},
		"gus":   {"boris in answered hidden\nanna in answered " + ivanov + " by support", "anna in answered " + ivanov + " by support"},
	} {
		sees(t, subject, briefs(o.rows(subject, gate.JournalAsk{})), want[0])
		sees(t, subject+" of the line", briefs(o.rows(subject, gate.JournalAsk{Line: "support"})), want[1])
		sees(t, subject+" of the queue", briefs(o.rows(subject, gate.JournalAsk{Line: "help"})), "")
		sees(t, subject+" of the queue by a number", briefs(o.rows(subject, gate.JournalAsk{Line: "help", Number: ivanov})), "")
	}
	o.gate.SetPolicy(set(t, strings.Replace(views, "queue: help", "queue: other", 1)))
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{})), "boris in answered "+other+"\nanna in answered "+ivanov)
	sees(t, "carl of the queue", briefs(o.rows("carl", gate.JournalAsk{Line: "help"})), "")
}
