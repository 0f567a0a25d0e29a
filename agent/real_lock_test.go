package agent_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// listeners is how many phones there are beside the company's for those who only listen, and listener the n-th.
const listeners = 100

func listener(n int) string { return fmt.Sprint(400 + n) }

// locking is houseRules with anna allowed to lock, and with the listeners, who have their right by a role.
func locking(right string) string {
	text := strings.Replace(houseRules, "numbers: [\"101\"], department: sales}", "numbers: [\"101\"], department: sales, lock: true}", 1)
	people, group := "", []string{}
	for i := range listeners {
		people += fmt.Sprintf("  l%d: {name: Listener %d, phones: [PJSIP/%s]}\n", i, i, listener(i))
		group = append(group, fmt.Sprint("l", i))
	}
	for i := range 1000 { // who have nothing to do with it
		people += fmt.Sprintf("  x%d: {name: Extra %d, phones: [PJSIP/%d], numbers: [\"%d\"], observe: department, intercept: true}\n", i, i, 5000+i, 5000+i)
	}
	text = strings.Replace(text, "roles:\n", people+"roles:\n  listener: {listen: "+right+"}\n", 1)
	text = strings.Replace(text, "assign:\n", "assign:\n  - {role: listener, to: [group:listeners]}\n", 1)
	return text + "groups: {listeners: [" + strings.Join(group, ", ") + "]}\n"
}

// crew is the listeners with their phones, for one test.
type crew struct {
	*office
	phones []*phone.Phone
	as     []*site.Client
}

func (o *office) crew(n int) *crew {
	o.Helper()
	c := &crew{office: o}
	tokens, err := os.ReadFile(o.Path("tokens.yaml"))
	o.must(err)
	o.Cleanup(func() { o.must(os.WriteFile(o.Path("tokens.yaml"), tokens, 0o600)) })
	for i := range n {
		token, hash := auth.NewToken()
		o.must(auth.AddToken(o.Path("tokens.yaml"), auth.Entry{Employee: fmt.Sprint("l", i), Hash: hash, Created: time.Now()}))
		c.as = append(c.as, &site.Client{Base: "http://" + o.HTTP, Token: token})
		p, err := phone.Listen(phone.Config{User: listener(i), Password: "secret-" + listener(i), Server: o.PBX.SIP(), Tone: 13})
		o.must(err)
		o.Cleanup(func() { o.must(p.Close()) })
		o.must(p.Register(o.ctx))
		p.SetReaction(phone.Reaction{Answer: true})
		c.phones = append(c.phones, p)
	}
	return c
}

// listen has all of them listen to somebody, until all hear the two who talk.
func (c *crew) listen(target string, voices ...phone.Tone) (calls []*phone.Call) {
	c.Helper()
	for i := range c.phones {
		c.until("listening is allowed", func() error { _, err := c.as[i].Supervise(c.ctx, target, "spy"); return err })
	}
	hear := make(chan error, len(c.phones)*len(voices))
	for _, p := range c.phones {
		call, err := p.Incoming(c.ctx)
		c.must(err)
		calls = append(calls, call)
		for _, t := range voices {
			go func() {
				_, err := call.WaitHears(c.ctx, t)
				hear <- err
			}()
		}
	}
	for range cap(hear) {
		c.must(<-hear)
	}
	return calls
}

// silent waits until all have been hung up, and tells how long after the cause each last heard anybody, and was hung up.
func (c *crew) silent(since time.Time, calls []*phone.Call, voices ...phone.Tone) (deaf, hungUp []time.Duration) {
	c.Helper()
	ends := make(chan time.Time, len(calls))
	for _, call := range calls {
		go func() { <-call.Done(); ends <- time.Now() }()
	}
	for range calls {
		select {
		case at := <-ends:
			hungUp = append(hungUp, at.Sub(since))
		case <-c.ctx.Done():
			c.Fatalf("%d of %d have been hung up", len(hungUp), len(calls))
		}
	}
	for _, call := range calls {
		last := time.Time{}
		for _, t := range voices {
			if at := call.LastHeard(t); at.After(last) {
				last = at
			}
		}
		deaf = append(deaf, last.Sub(since))
	}
	return deaf, hungUp
}

// Many supervisions run, and those whose ground is gone fall silent: by a private lock, by a right taken in a role, in a file of a thousand
// employees. The tones say when each last heard anybody, in windows of 100 ms; the hang-up is exact. At its full size the phones alone, each of
// which looks for tones, take most of a machine with two processors: a hundred hang-ups at once are measured there, and held to no time, and of
// fifteen among a hundred by a file the silence is, not the hang-up after it.
func TestManySupervisionsFallSilentInTime(t *testing.T) {
	locks := func(o *office) error {
		return o.as("anna").Do(o.ctx, http.MethodPost, "/v1/locks", map[string]string{}, nil)
	}
	takes := func(o *office) error { return o.Write("policy.yaml", locking("none")) }
	excepts := func(o *office) error { return o.Write("policy.yaml", locking("{to: any, except: [anna]}")) }
	full, rounds := false, 1
	if os.Getenv("EARSHOT_CAMPAIGN") != "" {
		full, rounds = true, 5
	}
	many := func(n int) int {
		if full {
			return n
		}
		return 5
	}
	o := enter(t)
	o.must(o.Write("policy.yaml", locking("true")))
	all := o.crew(many(listeners))
	o = openOn(o)
	for _, s := range []struct {
		name        string
		cut, others int // supervisions of anna's call, which end, and of another's, which go on unless the right is gone
		do          func(o *office) error
		limit       time.Duration // of the hang-up at full size; zero: none
		silence     time.Duration // of what was last heard, where the hang-up has none
	}{
		{"a lock", 10, listeners - 10, locks, 50 * time.Millisecond, 0},
		{"an exception in a role", 15, listeners - 15, excepts, 0, 100 * time.Millisecond},
		{"a right taken in a role", 15, 0, takes, 100 * time.Millisecond, 0},
		{"a lock on a call with a hundred", listeners, 0, locks, 0, 0},
		{"a right taken from a hundred", listeners, 0, takes, 0, 0},
	} {
		if !full && s.limit == 0 && s.silence == 0 {
			continue
		}
		var deaf, hungUp []time.Duration
		cut, others := many(s.cut), 0
		if full {
			others = s.others
		}
		for range rounds {
			o.scene(s.name, func(o *office) {
				peer, target := o.talk(stranger, "anna")
				listening := &crew{office: o, phones: all.phones[:cut], as: all.as[:cut]}
				if others > 0 {
					aside, colleague := o.talk(vera, "boris")
					(&crew{office: o, phones: all.phones[cut:][:others], as: all.as[cut:][:others]}).listen("boris", aside.Tone(), colleague.Tone())
				}
				calls := listening.listen("anna", peer.Tone(), target.Tone())
				since := time.Now()
				o.must(s.do(o))
				d, h := listening.silent(since, calls, peer.Tone(), target.Tone())
				deaf, hungUp = append(deaf, d...), append(hungUp, h...)
				o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
				if strings.Contains(s.name, "lock") {
					_, err := listening.as[0].Supervise(o.ctx, "anna", "spy")
					_ = o.refused(err, http.StatusForbidden, "not_for_this_call")
				}
			})
			o.must(o.Write("policy.yaml", locking("true")))
		}
		slices.Sort(deaf)
		slices.Sort(hungUp)
		p := func(d []time.Duration, percent int) float64 { return d[(len(d)-1)*percent/100].Seconds() * 1000 }
		o.Logf("%s, while %d supervisions run, of which %d end, %d times: last heard p50 %.0f ms, p99 %.0f ms; hung up p50 %.1f ms, p99 %.1f ms",
			s.name, cut+others, cut, rounds, p(deaf, 50), p(deaf, 99), p(hungUp, 50), p(hungUp, 99))
		if !full {
			s.limit, s.silence = 2*time.Second, 2*time.Second
		}
		for _, m := range []struct {
			what  string
			times []time.Duration
			limit time.Duration
		}{{"hung up", hungUp, s.limit}, {"last heard", deaf, s.silence}} {
			if most := p(m.times, 99); m.limit > 0 && most > m.limit.Seconds()*1000 {
				o.Errorf("%s: %s: p99 is %.1f ms", s.name, m.what, most)
			}
		}
	}
}

// The lock goes with the caller when anna hands him on and hangs up; taken off, the call is one like every other, and whoever is on it is told
// of the next who listens, as the policy then says.
func TestALockGoesWithATransferAndTheSupervisedAreTold(t *testing.T) {
	o := enter(t)
	o.must(o.Write("policy.yaml", strings.Replace(locking("true"), "    listen: {to: any, except: [pavel]}", "    listen: {to: any, except: [pavel], notify: [panel, after]}", 1)))
	o = openOn(o)
	o.scene("handed on", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		var lock struct{ ID, Call, Since string }
		o.must(o.as("anna").Do(o.ctx, http.MethodPost, "/v1/locks", map[string]string{}, &lock))
		o.must(target.Transfer(o.ctx, "102"))
		inside := o.answers("boris")
		o.together(peer, inside)
		o.must(target.WaitEnded(o.ctx))
		_, err := o.as("irina").Supervise(o.ctx, "boris", "spy")
		_ = o.refused(err, http.StatusForbidden, "not_for_this_call")
		var list struct {
			Locks []struct{ ID, Call, Since string }
		}
		o.must(o.as("anna").Do(o.ctx, http.MethodGet, "/v1/locks", nil, &list))
		if len(list.Locks) != 1 || list.Locks[0].ID != lock.ID || list.Locks[0].Call != "" {
			o.Fatalf("%+v", list)
		}
		o.must(o.as("anna").Do(o.ctx, http.MethodDelete, "/v1/locks/"+lock.ID, nil, nil))
		w := o.watch("irina")
		s, sup := o.supervises(w, "irina", "boris", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), peer.Tone()}})
		if n := o.noticed("boris"); len(n) != 1 || n[0].By != "irina" || n[0].State != "active" {
			o.Errorf("boris is told %+v", n)
		}
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.over(w, s.ID, sup, "ended_by_supervisor")
		if n := o.noticed("boris"); len(n) != 1 || n[0].State != "ended" {
			o.Errorf("boris is told %+v afterwards", n)
		}
		if n := o.noticed("anna"); len(n) != 0 {
			o.Errorf("anna is told %+v", n)
		}
	})
}

type notice struct{ ID, By, Mode, State, Since, Until string }

func (o *office) noticed(employee string) []notice {
	o.Helper()
	var list struct{ Supervised []notice }
	o.must(o.as(employee).Do(o.ctx, http.MethodGet, "/v1/me/supervised", nil, &list))
	return list.Supervised
}
