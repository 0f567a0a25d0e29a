//go:build faults

package agent_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// clockLease is long enough for the clock to be set between two renewals.
const clockLease = 15 * time.Second

// left is how much of its lease each of Earshot's legs has, as the PBX sees it, the longest first; none when there is none.
func (o *office) left() (longest time.Duration, legs int) {
	o.Helper()
	all, err := o.admin.ListChannels(o.ctx)
	o.must(err)
	for i := range all {
		if !strings.HasPrefix(all[i].ID, "earshot-") {
			continue
		}
		text, err := o.admin.Variable(o.ctx, all[i].ID, "TIMEOUT(absolute)")
		if err != nil {
			continue // it has gone meanwhile
		}
		seconds, err := strconv.ParseFloat(text, 64)
		o.must(err)
		longest, legs = max(longest, time.Duration(seconds*float64(time.Second))), legs+1
	}
	return longest, legs
}

// The clock of the PBX's machine is set while somebody listens. Asterisk counts the lease by it: set forth, the lease is over; set back, it is longer by as much, until it is
// renewed. Nobody is listened to for longer than the lease says once it has been, and the calls themselves go on.
func TestFaultThePBXsClockIsSet(t *testing.T) {
	t.Parallel()
	clock, err := pbxtest.NewClock(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := clock.Close(); err != nil {
			t.Error(err)
		}
	})
	base := found(t, clock)
	base.must(base.Write("policy.yaml", strings.ReplaceAll(openHouse, "phones: [PJSIP/303], department: office, listen: true", "phones: [PJSIP/303], department: office, listen: true, journal: true")))
	o := openOn(base, func(c *agent.Config) {
		c.Supervision.Lease = clockLease
		c.Journal.File = filepath.Join(t.TempDir(), "journal.db")
	})
	for _, set := range []struct {
		name  string
		ahead time.Duration
		ends  bool
	}{{"back", -time.Hour, false}, {"forth", time.Hour, true}} {
		o.fault("an hour "+set.name, func(o *office) {
			peer, target := o.talk(stranger, "anna")
			both := []phone.Tone{target.Tone(), peer.Tone()}
			w, watch := o.watch("irina"), o.watch("gleb")
			v, ear := o.supervises(w, "irina", "anna", "spy")
			o.hear(0, map[*phone.Call][]phone.Tone{ear: both, target: {peer.Tone()}, peer: {target.Tone()}})
			at := time.Now()
			o.must(clock.Set(o.ctx, set.ahead))
			if set.ends {
				o.must(ear.WaitEnded(o.ctx))
				o.within("the supervision's phone was hung up after", at, clockLease+slack)
				o.until("it is on record that the PBX has ended it", func() error {
					if got := o.lastOf(v.ID); got != "ended leg_gone" {
						return fmt.Errorf("on record is %q", got)
					}
					return nil
				})
				o.must(o.Register(o.ctx)) // the registrations of the phones are over as well, until they come again by themselves
				v, ear = o.supervises(w, "irina", "anna", "spy")
			}
			longest, _ := o.left()
			o.Logf("of its lease it has %v", longest)
			o.until("the lease is what it should be", func() error {
				if longest, legs := o.left(); legs < 2 || longest > clockLease {
					return fmt.Errorf("%d legs have %v", legs, longest)
				}
				return nil
			})
			o.within("the lease was right after", at, clockLease+slack)
			o.hear(clockLease+time.Second, map[*phone.Call][]phone.Tone{ear: both, target: {peer.Tone()}, peer: {target.Tone()}}) // which it would not be if it were not renewed
			row, err := watch.UntilState(o.ctx, "anna", "talking")
			o.must(err)
			o.Logf("the board says that she is on it since %v", row.Calls[0].Since.Sub(at).Round(time.Second))
			o.must(o.Edit("policy.yaml", "phones: [PJSIP/103], department: office, listen: true", "phones: [PJSIP/103], department: office"))
			o.must(ear.WaitEnded(o.ctx))
			o.unheard("who has lost the right", ear, time.Now(), both...)
			o.must(o.Edit("policy.yaml", "phones: [PJSIP/103], department: office", "phones: [PJSIP/103], department: office, listen: true"))
			o.must(peer.Hangup(o.ctx))
			o.until("the call is in the journal", func() error {
				_, _, rows := o.past("gleb")
				if len(rows) == 0 || rows[0].Ended == nil {
					return fmt.Errorf("there is %+v", rows)
				}
				length := rows[0].Ended.Sub(rows[0].Began)
				if length < 0 {
					o.Fatalf("its length is %v", length)
				}
				o.Logf("its length in the journal is %v", length.Round(time.Second))
				return nil
			})
			o.must(clock.Set(o.ctx, 0))
			o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
			o.agrees()
		})
	}
}
