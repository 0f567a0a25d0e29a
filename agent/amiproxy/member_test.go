package amiproxy_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// What is done in every queue of an interface is a command for each, and what is done in some of them alone is said to be.
func TestAPauseInAllQueuesIsNotHalfDoneInSilence(t *testing.T) {
	for name, c := range map[string]struct {
		commands int
		want     string
		orders   int
		denied   string // code of what is refused
	}{
		"in all":  {10, "Interface paused successfully", 2, ""},
		"in one":  {1, "Interface paused successfully in 1 of 2 queues, refused in the others", 1, "too_many_commands"},
		"in none": {0, "Too many commands; wait a little.", 0, "too_many_commands"},
	} {
		t.Run(name, func(t *testing.T) {
			left := c.commands
			w := newWorldOf(t, strings.Replace(policyText, "lines:\n", "lines:\n  service: {name: Service, queue: q-service, members: [bob]}\n", 1),
				[]string{"olga"}, func(cfg *amiproxy.Config) { cfg.Command = func(auth.Subject) bool { left--; return left >= 0 } })
			in := []queue.Member{{Interface: "PJSIP/210"}}
			w.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales", Members: in}, {Name: "q-service", Members: in}}})
			m, err := w.as("olga").Do(t.Context(), act("QueuePause", "Interface", "PJSIP/210", "Paused", "true"))
			got := ""
			if err != nil {
				got = answered(t, w.as("olga"), act("QueuePause", "Interface", "PJSIP/210", "Paused", "true"))
			} else {
				got = m.Get("Message")
			}
			if got != c.want || len(w.pbx.taken()) != c.orders {
				t.Errorf("%q, and the PBX was asked for %v", got, w.pbx.taken())
			}
			all := w.book.Denied()
			if (len(all) > 0) != (c.denied != "") || len(all) > 0 && all[0].Reason != c.denied {
				t.Errorf("the record has refusals %+v", all)
			}
		})
	}
}

// Queues of a PBX that has its phones behind Local channels name them so.
func TestAMemberIsNamedByANumberOfHisToo(t *testing.T) {
	w := newWorld(t)
	olga := w.as("olga")
	for _, c := range []struct {
		action  string
		headers []string
		order   string
	}{
		{"QueueAdd", []string{"Interface", "Local/100@from-queue/n"}, "queue add"},
		{"QueuePause", []string{"Interface", "local/210@from-queue/n", "Paused", "true"}, "queue pause"},
		{"QueuePenalty", []string{"Interface", "Local/210@from-queue/n", "Penalty", "3"}, "queue penalty"},
		{"QueueRemove", []string{"Interface", "Local/210@from-queue/n"}, "queue remove"},
	} {
		before := len(w.pbx.taken())
		if got := answered(t, olga, act(c.action, append(c.headers, "Queue", "q-sales")...)); got != "ok" {
			t.Errorf("%s: %q", c.action, got)
		} else if all := w.pbx.taken(); len(all) != before+1 || all[before] != c.order {
			t.Errorf("%s: the PBX was asked for %v", c.action, all)
		}
	}
	before := len(w.pbx.taken())
	if got := answered(t, olga, act("QueueAdd", "Queue", "q-sales", "Interface", "Local/999@from-queue/n")); got == "ok" || len(w.pbx.taken()) != before {
		t.Errorf("a number that is nobody's: %q", got)
	}
}

func TestWhyAMemberPausesIsHandedOn(t *testing.T) {
	w := newWorld(t)
	olga := w.as("olga")
	pause := []string{"Queue", "q-sales", "Interface", "PJSIP/210", "Paused", "true"}
	for _, reason := range []string{strings.Repeat("a", 81)} {
		if got := answered(t, olga, act("QueuePause", append(pause, "Reason", reason)...)); got == "ok" || len(w.pbx.taken()) > 0 {
			t.Errorf("with %q: %q", reason, got)
		}
	}
	if got := answered(t, olga, act("QueuePause", append(pause, "Reason", "Обед")...)); got != "ok" {
		t.Fatal(got)
	}
	w.pbx.ordered(t, "queue pause Обед")
}
