package gate_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// How long is waited for another sidecar's word in these tests, where it is within reach and where it is not. The time is the test's own.
const (
	vouchGrace = 5 * time.Second
	vouchStale = 10 * time.Minute
)

// inTime runs a test of two offices in time of its own, where carl, who has proven himself on a, spies on boris on b. His credential holds while holds says so.
func inTime(t *testing.T, test func(t *testing.T, p *pair, carl auth.Subject, holds *atomic.Bool, id string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var holds atomic.Bool
		holds.Store(true)
		p := newPair(t, func(c *gate.Config) {
			c.VouchGrace, c.VouchStale, c.Holds = vouchGrace, vouchStale, func(s auth.Subject) bool { return s.Origin() == "" && holds.Load() }
		})
		p.talks("x", "PJSIP/102")
		carl := who("carl")
		v, err := p.a.gate.Supervise(t.Context(), carl, gate.Ask{Target: "boris", Mode: "spy", Door: "test"})
		if err != nil {
			t.Fatal(err)
		}
		p.after(0)
		p.runs(v.ID, true)
		test(t, p, carl, &holds, v.ID)
	})
}

// after lets time pass, and everything happen that happens then.
func (p *pair) after(d time.Duration) {
	p.t.Helper()
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
	p.settle()
}

// runs reports that a supervision of carl's runs on b, or has been revoked there.
func (p *pair) runs(id string, want bool) {
	p.t.Helper()
	v, err := p.b.gate.Supervision(who("carl"), id)
	if is := err == nil && v.State == "active"; is != want {
		p.t.Fatalf("%+v %v; there was %q", v, err, p.b.log.all())
	}
	e := p.b.audit.all()
	if last := e[len(e)-1]; !want && (last.ID != id || last.Phase != audit.Revoked || last.Reason != "credential_ended") {
		p.t.Fatalf("%+v", last)
	}
	if n := p.b.pbx.left(); !want && n != 0 {
		p.t.Fatalf("%d legs are left", n)
	}
}

func TestWhatRunsElsewhereEndsWhenItsCredentialDoes(t *testing.T) {
	inTime(t, func(t *testing.T, p *pair, carl auth.Subject, holds *atomic.Bool, id string) {
		p.after(time.Hour)
		p.runs(id, true)
		w := p.a.watch("carl")
		holds.Store(false)
		if _, err := p.a.gate.ChangeMode(t.Context(), carl, id, "barge", ""); code(err) != "credential_ended" {
			t.Fatal(err)
		}
		p.a.gate.Recheck(func(auth.Subject) bool { return false })
		if reason := w.act(id, "ended"); reason != "credential_ended" {
			t.Fatal(reason)
		}
		p.after(0)
		p.runs(id, false)
		p.listed("carl")
		p.a.refused("credential_ended", "carl", "spy", "boris")
		p.after(time.Minute)
		if keys := append(p.keys("a", "holds/"), p.keys("b", "act/")...); len(keys) > 0 {
			t.Fatalf("%q are still shown", keys)
		}
	})
}

func TestWhatRunsElsewhereEndsWhenItsCredentialExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.talks("x", "PJSIP/102")
		until := time.Now().Add(time.Hour)
		token, hash := auth.NewToken()
		tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Employee: "carl", Hash: hash, Expires: until})
		if err != nil {
			t.Fatal(err)
		}
		s, err := tokens.Authenticate(t.Context(), auth.Credential{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.a.gate.Supervise(t.Context(), s, gate.Ask{Target: "boris", Mode: "spy", Door: "test"})
		if err != nil {
			t.Fatal(err)
		}
		p.after(time.Hour - 2*time.Second)
		p.runs(v.ID, true)
		p.after(2 * time.Second)
		p.runs(v.ID, false)
	})
}

func TestWhatRunsByTheWordOfASidecarThatIsAwayGoesOnForAWhile(t *testing.T) {
	inTime(t, func(_ *testing.T, p *pair, _ auth.Subject, _ *atomic.Bool, id string) {
		for range 3 {
			p.cut("a")
			p.after(vouchStale - time.Second)
			p.runs(id, true)
			p.join("a")
			p.after(vouchGrace + time.Second)
			p.runs(id, true)
		}
		p.cut("a")
		p.after(vouchStale - time.Second)
		p.runs(id, true)
		p.after(2 * time.Second)
		p.runs(id, false)
	})
}

func TestASidecarThatIsStartedAnewVouchesAgain(t *testing.T) {
	for name, again := range map[string]bool{"his credential is there": true, "and it is not": false} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, p *pair, carl auth.Subject, _ *atomic.Bool, id string) {
				p.cut("a")
				p.a.close()
				p.after(time.Minute)
				asked := []string{}
				p.open("a", func(c *gate.Config) {
					c.VouchGrace, c.VouchStale = vouchGrace, vouchStale
					c.Estate.Resume = func(credential, employee string) (auth.Subject, bool) {
						asked = append(asked, employee+" "+credential)
						if len(asked) == 1 { // the store of sessions is not there yet
							return auth.Subject{}, false
						}
						return carl, again
					}
				})
				p.after(vouchGrace - time.Second)
				p.runs(id, true)
				p.after(2 * time.Second)
				p.runs(id, again)
				if len(asked) < 2 || asked[0] != "carl "+carl.Credential() {
					t.Fatalf("%q", asked)
				}
				if again {
					p.listed("carl", id)
					p.after(time.Hour)
					p.runs(id, true)
				}
			})
		})
	}
}

// What an Earshot before has left beside b: carl, who had proven himself on a, whispers to anna, who is on b in this policy.
func TestWhatWasBegunByAnothersWordIsTakenUpOnlyIfThatOneStillGivesIt(t *testing.T) {
	for name, c := range map[string]struct{ there, vouches bool }{
		"the other vouches":   {true, true},
		"it does not":         {true, false},
		"it is out of reach":  {false, true},
		"and nobody knows it": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeCluster(t)
				carl := who("carl")
				if c.there {
					cluster.office(t, "a", house, func(g *gate.Config) {
						g.VouchGrace, g.VouchStale = vouchGrace, vouchStale
						g.Estate.Resume = func(credential, employee string) (auth.Subject, bool) {
							return carl, c.vouches && credential == carl.Credential() && employee == "carl"
						}
					})
				}
				l := leftBehind()
				l.acts[0].Credential = "pbx:a:" + carl.Credential()
				b := cluster.office(t, "b", house, func(g *gate.Config) {
					g.VouchGrace, g.VouchStale = vouchGrace, vouchStale
					g.Estate = gate.Estate{Acts: l.acts, Resume: func(string, string) (auth.Subject, bool) { return auth.Subject{}, false }}
				})
				for _, ch := range l.channels {
					b.chans[string(ch.ID)] = ch
					if strings.HasPrefix(string(ch.ID), "earshot-") {
						b.pbx.put(ch.ID, "")
					}
				}
				b.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: l.channels, Bridges: l.bridges}})
				synctest.Wait()
				time.Sleep(vouchGrace + time.Second)
				synctest.Wait()
				v, err := b.gate.Supervision(who("carl"), "act1")
				if want := c.there && c.vouches; want != (err == nil && v.State == "active") {
					t.Fatalf("%+v %v; there was %q", v, err, b.log.all())
				}
				if (!c.there || !c.vouches) && !slices.Contains(b.log.all(), "record revoked deny credential_ended") {
					t.Fatalf("%q", b.log.all())
				}
			})
		})
	}
}
