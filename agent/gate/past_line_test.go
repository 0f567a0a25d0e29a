package gate_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// By which line a call came is told to whoever is shown the other side of it: who took it himself too, and also of a queue that is no line of the policy. Nobody
// else finds a row by the line.
func TestTheJournalTellsOfALineWhoIsShownTheOtherSide(t *testing.T) {
	views := archive + `
roles: {views: {"line.view": any, "line.connect": any}, reads: {"line.history": any}, mine: {"line.history": own}, all: {journal: true}}
assign: [{role: views, to: [carl, dora]}, {role: reads, to: [kira]}, {role: mine, to: [boris]}, {role: all, to: [gus]}]
`
	o := newArchive(t, views)
	o.comesBy("a", ivanov, "PJSIP/101") // gus's client
	o.hangUp("a")
	o.comesBy("b", other, "PJSIP/102")
	o.hangUp("b")
	o.sync()
	for subject, want := range map[string][2]string{
		"anna":  {"anna in answered " + ivanov + " by support", "anna in answered " + ivanov + " by support"},
		"boris": {"boris in answered " + other + " by support", "boris in answered " + other + " by support"},
		"carl":  {"boris in answered " + other + " by support\nanna in answered " + ivanov + " by support", "boris in answered " + other + " by support\nanna in answered " + ivanov + " by support"},
		"dora":  {"boris in answered hidden\nanna in answered hidden", ""},
		"irina": {"boris in answered " + other + " by support\nanna in answered " + ivanov + " by support", "boris in answered " + other + " by support\nanna in answered " + ivanov + " by support"},
		"ivo":   {"boris in answered " + other + " by support\nanna in answered " + ivanov + " by support", "boris in answered " + other + " by support\nanna in answered " + ivanov + " by support"},
		"kira":  {"boris in answered hidden queue\nanna in answered hidden queue", ""},
		"gus":   {"boris in answered hidden\nanna in answered " + ivanov + " by support", "anna in answered " + ivanov + " by support"},
	} {
		sees(t, subject, briefs(o.rows(subject, gate.JournalAsk{})), want[0])
		sees(t, subject+" of the line", briefs(o.rows(subject, gate.JournalAsk{Line: "support"})), want[1])
		sees(t, subject+" of the queue", briefs(o.rows(subject, gate.JournalAsk{Line: "help"})), "")
		sees(t, subject+" of the queue by a number", briefs(o.rows(subject, gate.JournalAsk{Line: "help", Number: ivanov})), "")
	}
	o.gate.SetPolicy(set(t, strings.Replace(views, "queue: help", "queue: other", 1)))
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{})), "boris in answered "+other+" by help\nanna in answered "+ivanov+" by help")
	sees(t, "carl of the queue", briefs(o.rows("carl", gate.JournalAsk{Line: "help"})), "boris in answered "+other+" by help\nanna in answered "+ivanov+" by help")
	sees(t, "carl of the queue by a number", briefs(o.rows("carl", gate.JournalAsk{Line: "help", Number: ivanov})), "anna in answered "+ivanov+" by help")
	sees(t, "dora of the queue", briefs(o.rows("dora", gate.JournalAsk{Line: "help"})), "")
}
