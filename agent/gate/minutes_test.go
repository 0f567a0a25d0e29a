package gate_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
)

// recorded adds a recording of a leg's call that is over.
func (o *office) recorded(leg call.LegID) {
	o.t.Helper()
	o.sync()
	id, err := o.past.store.CallOf(o.t.Context(), leg, time.Now().Add(time.Hour))
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.past.store.AddRecording(o.t.Context(), past.Recording{Call: id, Leg: leg, Spool: "s", File: "f", Source: "spool", Began: start, Ended: start.Add(time.Minute)}); err != nil {
		o.t.Fatal(err)
	}
}

// Whoever originates a channel may choose its id. One that is named as Earshot's own are has made itself no less of a party: the call has somebody on it
// whom nobody knows, and its recordings are nobody's to play.
func TestALegThatIsNamedAsOnesOwnIsAPartyToItsCall(t *testing.T) {
	for id, party := range map[string]bool{"earshot-00000000000000000000000000": true, "stranger": true, "": false} {
		t.Run(id, func(t *testing.T) {
			o := newArchive(t, archive)
			o.talk("a", other, "PJSIP/101")
			if party {
				o.seen(call.Channel{ID: call.LegID(id), Name: "PJSIP/999-" + id, State: call.StateUp, App: "AppDial2"})
				o.enter("a", id)
				o.gone(id)
			}
			o.hangUp("a")
			o.recorded("a.1")
			rows := o.rows("carl", gate.JournalAsk{Employee: "anna"})
			if len(rows) != 1 || len(rows[0].Recordings) != 1 || (len(rows[0].Others) == 1) != party {
				t.Fatalf("%+v", rows)
			}
			if got, want := rows[0].Recordings[0].State, map[bool]string{true: "no_access", false: "available"}[party]; got != want {
				t.Errorf("the recording is %s, not %s", got, want)
			}
		})
	}
}

// Who supervises is on no call, by whatever door he came and whether he was rung or has called in; nor is he after Earshot has been started anew.
func TestWhoSupervisesHasNoRowForIt(t *testing.T) {
	for name, begin := range map[string]func(o *office) (leg string){
		"rung": func(o *office) string {
			o.active("dora", "spy", "anna")
			return string(o.pbx.taps[0].Supervisor)
		},
		"called in": func(o *office) string {
			o.hears("dora", "d", "PJSIP/104", "101", "spy")
			return "d"
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newArchive(t, archive)
			o.talk("a", other, "PJSIP/101")
			leg := begin(o)
			o.sync()
			if _, ok := o.past.scribe.CallOf(call.LegID(leg)); ok || len(o.rows("dora", gate.JournalAsk{Employee: "dora"})) != 0 {
				t.Error("who listens has a row while he does")
			}
			o.hangUp("a")
			o.log.until(t, "record ended")
			if rows := o.rows("dora", gate.JournalAsk{}); len(rows) != 1 || rows[0].Employee != "anna" {
				t.Errorf("dora reads %s", briefs(rows))
			}
		})
	}
}

// The legs of an Earshot before are its own by the record of what it did, and a leg that is on no record is a stranger's.
func TestWhoSupervisesHasNoRowAfterARestart(t *testing.T) {
	l := leftBehind()
	l.channels = append(l.channels, call.Channel{ID: "earshot-act2", Name: "PJSIP/102-9", State: call.StateUp, Created: start})
	l.bridges[0].Legs = append(l.bridges[0].Legs, "earshot-act2")
	o := newArchive(t, archive, func(c *gate.Config) {
		c.Estate = gate.Estate{Acts: l.acts, Resume: func(_, employee string) (auth.Subject, bool) { return who(employee), true }}
	})
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: l.channels, Bridges: l.bridges}})
	for subject, want := range map[string]int{"carl": 0, "anna": 1, "boris": 1} {
		if n := len(o.rows("dora", gate.JournalAsk{Employee: subject})); n != want {
			t.Errorf("%d rows of %s's, not %d", n, subject, want)
		}
	}
}
