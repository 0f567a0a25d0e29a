package agent_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// outsideRoutes is the context that leads outside for what Earshot has let through.
const outsideRoutes = "routes"

// localSpy is a number that dials a code of Earshot's through a Local channel, which is nobody's phone.
const localSpy = "*49"

// deskConfig is the company's phone door. Its own dialplan has ** and *8 already.
const deskConfig = `phone:
  codes: {pickup: "*53", group_pickup: "*54"}
  outgoing: ` + outsideRoutes + `
  digits: 7
`

// install puts what Earshot prints for this Asterisk in the place of the Asterisk's own configuration: every test of the package is one that
// Earshot works with it.
func (c *company) install(ctx context.Context) error {
	text, err := os.ReadFile(c.Path("earshot.yaml"))
	if err != nil {
		return err
	}
	if err := c.Write("earshot.yaml", string(text)+deskConfig); err != nil {
		return err
	}
	if err := c.Edit("policy.yaml", "trunks: [PJSIP/trunk]\n", "trunks: [PJSIP/trunk]\nemergency: [\"112\"]\n"); err != nil {
		return err
	}
	cfg, err := agent.LoadConfig(c.Path("earshot.yaml"))
	if err != nil {
		return err
	}
	f, err := policyfile.Open(cfg.Policy, policyfile.Options{})
	if err != nil {
		return err
	}
	etc := func(name string) string { return filepath.Join(c.PBX.Dir(), "etc", name) }
	admin := c.PBX.Site().Admin
	for part, file := range map[string]struct{ name, more string }{
		"manager":    {"manager.conf", fmt.Sprintf("[%s]\nsecret=%s\nread=all\nwrite=all\n", admin.User, admin.Password)},
		"ari":        {"ari.conf", fmt.Sprintf("[%s]\ntype=user\npassword=%s\npassword_format=plain\n", admin.User, admin.Password)},
		"extensions": {"extensions_earshot.conf", ""},
	} {
		text, err := agent.AsteriskConfig(cfg, f.Current(), part)
		if err != nil {
			return err
		}
		if err := os.WriteFile(etc(file.name), []byte(text+"\n"+file.more), 0o600); err != nil {
			return err
		}
	}
	plan, err := os.OpenFile(etc("extensions.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = plan.WriteString("\n#include \"extensions_earshot.conf\"\n\n[phones](+)\ninclude => earshot-codes\ninclude => earshot-dial\n")
	if err := errors.Join(err, plan.Close()); err != nil {
		return err
	}
	for _, command := range []string{"manager reload", "module reload res_ari.so", "dialplan reload"} {
		if _, err := c.PBX.Command(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// spoken waits until a leg has been told something and hung up, and says how long that took. What it was told is speech, and nobody on a call.
func (o *office) spoken(c *phone.Call, since time.Time, nobody ...phone.Tone) time.Duration {
	o.Helper()
	o.must(c.WaitEnded(o.ctx))
	took := time.Since(since)
	loudest := 0.0
	for _, w := range c.Windows(since, time.Now()) {
		for t := phone.Tone(1); t <= 24; t++ {
			loudest = max(loudest, w.Level(t))
		}
	}
	if loudest < 0.02 {
		o.Errorf("nothing was said before the leg was hung up: at the loudest %.3f", loudest)
	}
	for _, t := range nobody {
		// Speech has now and then a tone in it, but not for long.
		row, last := 0, time.Time{}
		for _, w := range c.HeardBetween(t, since, time.Now()) {
			if row++; w.From.Sub(last) > 150*time.Millisecond {
				row = 1
			}
			if last = w.To; row == 4 {
				o.Errorf("tone %d was heard for 400 ms", t)
			}
		}
	}
	return took
}

// heardOn is how long a tone was heard on without a pause. What is said afterwards has now and then a tone in it.
func heardOn(c *phone.Call, t phone.Tone, since time.Time) time.Duration {
	last := since
	for _, w := range c.HeardBetween(t, since, time.Now()) {
		if w.From.Sub(last) > 300*time.Millisecond {
			break
		}
		last = w.To
	}
	return last.Sub(since)
}

// onlyOne waits until an employee has one supervision, and returns it.
func (o *office) onlyOne(w *site.Stream, state string) site.Supervision {
	o.Helper()
	var found site.Supervision
	o.must(w.Until(o.ctx, "a supervision is "+state, func(w *site.Stream) bool {
		for _, a := range w.Acts {
			if a.State == state {
				found = a
				return true
			}
		}
		return false
	}))
	return found
}

// A supervisor who dials a code hears what he would by a panel, and is heard by whom his mode says. He who may not is told so and hung up.
func TestADeskPhoneSupervisesAsThePolicyAllows(t *testing.T) {
	o := open(t)
	for _, c := range []struct {
		name, code string
		modes      func(me, it, other phone.Tone) (target, peer []phone.Tone)
	}{
		{"spy", "*50", func(_, it, other phone.Tone) (a, b []phone.Tone) { return []phone.Tone{other}, []phone.Tone{it} }},
		{"whisper", "*51", func(me, it, other phone.Tone) (a, b []phone.Tone) { return []phone.Tone{other, me}, []phone.Tone{it} }},
		{"barge", "*52", func(me, it, other phone.Tone) (a, b []phone.Tone) {
			return []phone.Tone{other, me}, []phone.Tone{it, me}
		}},
	} {
		o.scene(c.name, func(o *office) {
			outside, inside := o.talk(stranger, "anna")
			w := o.watch("irina")
			dialled := time.Now()
			sup := o.dials("irina", c.code+"101")
			s := o.onlyOne(w, "active")
			o.Logf("active %d ms after the code was dialled", time.Since(dialled).Milliseconds())
			target, peer := c.modes(sup.Tone(), inside.Tone(), outside.Tone())
			o.hear(proof, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: target, outside: peer})
			if s.Mode != c.name || s.Target != "anna" || s.Phone != "PJSIP/103" {
				o.Errorf("he is shown %+v", s)
			}
			o.must(sup.Hangup(o.ctx))
			o.over(w, s.ID, sup, "ended_by_supervisor")
			o.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
		})
	}
	o.scene("two at once", func(o *office) {
		o1, i1 := o.talk(stranger, "anna")
		o2, i2 := o.talk(vera, "boris")
		w1, w2 := o.watch("irina"), o.watch("olga")
		sup1, sup2 := o.dials("irina", "*52101"), o.dials("olga", "*51102")
		o.onlyOne(w1, "active")
		o.onlyOne(w2, "active")
		o.hear(proof, map[*phone.Call][]phone.Tone{
			sup1: {o1.Tone(), i1.Tone()}, i1: {o1.Tone(), sup1.Tone()}, o1: {i1.Tone(), sup1.Tone()},
			sup2: {o2.Tone(), i2.Tone()}, i2: {o2.Tone(), sup2.Tone()}, o2: {i2.Tone()},
		})
	})
	o.scene("revoked", func(o *office) {
		outside, inside := o.talk(stranger, "anna")
		w := o.watch("irina")
		sup := o.dials("irina", "*52101")
		s := o.onlyOne(w, "active")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: {outside.Tone(), sup.Tone()}})
		saved := time.Now()
		o.must(o.Edit("policy.yaml", grant, noGrant))
		if s, err := w.UntilAct(o.ctx, s.ID, "ended"); err != nil || s.Reason != "no_right" {
			o.Fatalf("it ended with %+v, %v", s, err)
		}
		o.spoken(sup, saved.Add(500*time.Millisecond), inside.Tone(), outside.Tone())
		deaf := max(heardOn(sup, inside.Tone(), saved), heardOn(sup, outside.Tone(), saved))
		o.Logf("from saving the policy to the last window in which she hears them: %d ms; hung up after %d ms, with a reason said", deaf.Milliseconds(), time.Since(saved).Milliseconds())
		if deaf > time.Second {
			o.Errorf("she heard them for %v", deaf)
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
		o.must(o.Edit("policy.yaml", noGrant, grant))
	})
}

// dialsAs has a phone claim to be another's.
func (o *office) dialsAs(employee, number string, options ...phone.DialOption) *phone.Call {
	o.Helper()
	c, err := o.Phones[employee].Dial(o.ctx, number, options...)
	o.must(err)
	return c
}

// Whoever may not is told so and hung up, hears nothing of the call, and is on record with the ground; whoever cannot be known is refused. All of
// them dial at once.
func TestADeskPhoneThatMayNotIsToldSo(t *testing.T) {
	o := open(t)
	o.scene("refused", func(o *office) {
		talking := map[*phone.Call][]phone.Tone{}
		var tones []phone.Tone
		for who, target := range map[*caller]string{&stranger: "anna", &vera: "pavel", &oleg: "maria"} {
			outside, inside := o.talk(*who, target)
			talking[outside], talking[inside] = []phone.Tone{inside.Tone()}, []phone.Tone{outside.Tone()}
			tones = append(tones, inside.Tone(), outside.Tone())
		}
		out, in := o.chat("gleb", "sergei")
		talking[out], talking[in] = []phone.Tone{in.Tone()}, []phone.Tone{out.Tone()}
		before := o.decided()
		begun := time.Now()
		type refusal struct {
			name, ground string // no ground: nobody is known, so nothing is decided
			call         *phone.Call
		}
		irina := `"Irina Belova" <sip:103@127.0.0.1>`
		unknown, err := o.unknown.Dial(o.ctx, "*50101", phone.WithHeader("P-Asserted-Identity", irina))
		o.must(err)
		refusals := []refusal{
			{"no right", "nina spy anna no_right", o.dials("nina", "*50101")},
			{"a mode that she has not", "olga barge anna no_right", o.dials("olga", "*52101")},
			{"excluded", "irina spy pavel excluded", o.dials("irina", "*50203")},
			{"protected", "irina spy maria protected", o.dials("irina", "*50301")},
			{"no number of anybody's", "irina whisper no_such_employee", o.dials("irina", "*51999")},
			{"the beginning of a number", "irina barge no_such_employee", o.dials("irina", "*5210")},
			{"nobody talks there", "irina spy boris not_talking", o.dials("irina", "*50102")},
			{"another's caller id", "nina barge anna no_right", o.dialsAs("nina", "*52101", phone.As("103", "Irina Belova"),
				phone.WithHeader("P-Asserted-Identity", irina), phone.WithHeader("Remote-Party-ID", irina+";party=calling"))},
			{"nothing rings there", "anna intercept boris not_ringing", o.dials("anna", "*53102")},
			{"nothing rings", "boris intercept not_ringing", o.dials("boris", "*54")},
			{"an unknown phone", "", unknown},
		}
		// A Local channel is no phone. It fails, and leaves its caller to what his dialplan does then.
		local := o.dials("irina", localSpy)
		o.must(local.WaitEnded(o.ctx))
		if local.Ending().Status < 400 {
			o.Errorf("what a Local channel asked for ended with %+v", local.Ending())
		}
		var wg sync.WaitGroup
		want := map[string]int{}
		for _, r := range refusals {
			if r.ground != "" {
				want[r.ground]++
			}
			wg.Go(func() {
				o.Logf("%s: told and hung up after %d ms", r.name, o.spoken(r.call, begun, tones...).Milliseconds())
			})
		}
		wg.Wait()
		got := map[string]int{}
		for _, e := range o.entries()[before:] {
			got[strings.Join(append(append([]string{e.Subject, e.Action}, e.Targets...), e.Reason), " ")]++
			if e.Door != "phone" || !strings.HasPrefix(e.Credential, "phone:PJSIP/") || e.Outcome != audit.Deny {
				o.Errorf("on record is %+v", e)
			}
		}
		if !maps.Equal(got, want) {
			o.Errorf("on record is\n%v\nand not\n%v", got, want)
		}
		o.hear(0, talking)
	})
	o.scene("transferred there by a colleague", func(o *office) {
		outside, inside := o.talk(stranger, "anna")
		before := o.decided()
		hers, irina := o.chat("boris", "irina")
		since := time.Now()
		o.must(hers.Transfer(o.ctx, "*50101"))
		again := o.rings("boris") // who has transferred her, as nobody who was transferred is hung up
		o.must(again.Answer(o.ctx))
		o.together(irina, again)
		for _, tone := range []phone.Tone{outside.Tone(), inside.Tone()} {
			if n := len(irina.HeardBetween(tone, since, time.Now())); n > 0 {
				o.Errorf("she heard one of them in %d windows", n)
			}
		}
		o.must(irina.Hangup(o.ctx))
		o.must(again.WaitEnded(o.ctx))
		if all := o.entries()[before:]; len(all) != 1 || all[0].Subject != "irina" || all[0].Action != "spy" || all[0].Outcome != audit.Deny || all[0].Reason != "not_your_phone" {
			o.Errorf("on record is %+v", all)
		}
		w := o.watch("irina") // who may, by a call of her own
		sup := o.dials("irina", "*50101")
		s := o.onlyOne(w, "active")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: {outside.Tone()}})
		o.must(sup.Hangup(o.ctx))
		o.over(w, s.ID, sup, "ended_by_supervisor")
	})
	o.scene("what is no number is no extension", func(o *office) {
		outside, inside := o.talk(stranger, "anna")
		for _, number := range []string{"*50101,x", "*50101&", "*50%24%7BEXTEN%7D", "*50a", "*50", "*50101999999", "spy101", "refused", "pickup"} {
			c := o.dials("irina", number)
			o.must(c.WaitEnded(o.ctx))
			if got := c.Ending().Status; got < 400 || got >= 500 {
				o.Errorf("%s ended with %+v", number, c.Ending())
			}
		}
		o.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
	})
}

// Whoever rings the phones of others is taken by whoever may take him: at a colleague whom he names, or wherever he has rung longest.
func TestADeskPhoneTakesACallThatRings(t *testing.T) {
	o := open(t)
	o.scene("directed", func(o *office) {
		w := o.watch("anna")
		outside := o.calls(vera, "102")
		rings := o.rings("boris")
		o.offered(w, "boris")
		refused := o.dials("nina", "*53102")
		o.spoken(refused, time.Now(), vera.tone)
		if rings.State() != phone.Ringing {
			o.Fatalf("after a refusal his phone is %v", rings.State())
		}
		dialled := time.Now()
		mine := o.dials("anna", "*53102")
		o.together(outside, mine)
		o.Logf("talking %d ms after the code was dialled", time.Since(dialled).Milliseconds())
		o.must(rings.WaitEnded(o.ctx))
		o.must(w.Until(o.ctx, "the board shows it", func(s *site.Stream) bool {
			return s.Rows["anna"].State == "talking" && s.Rows["boris"].State == "idle"
		}))
		last := o.entries()
		if e := last[len(last)-1]; e.Action != "intercept" || e.Subject != "anna" || e.Door != "phone" || e.Outcome != audit.Allow {
			o.Errorf("on record is %+v", e)
		}
		// It is her call from here on, that may be supervised and has no limit of time.
		ww := o.watch("irina")
		s, sup := o.supervises(ww, "irina", "anna", "spy")
		o.hear(lease+2*time.Second, map[*phone.Call][]phone.Tone{sup: {mine.Tone(), vera.tone}, mine: {vera.tone}, outside: {mine.Tone()}})
		o.must(mine.Hangup(o.ctx))
		o.over(ww, s.ID, sup, "call_ended")
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("the oldest that she may", func(o *office) {
		first := o.calls(stranger, "102")
		r1 := o.rings("boris")
		second := o.calls(vera, "303")
		o.rings("gleb")
		third := o.calls(vera, "201")
		r3 := o.rings("sergei")
		mine := o.dials("anna", "*54")
		o.together(second, mine)
		if r1.State() != phone.Ringing || r3.State() != phone.Ringing || first.State() == phone.Ended || third.State() == phone.Ended {
			o.Errorf("the others are %v and %v", r1.State(), r3.State())
		}
	})
}

// A number that leads outside is dialled by whoever may, unchanged; an emergency number by everybody.
func TestADeskPhoneCallsOutAsThePolicyAllows(t *testing.T) {
	o := openToDial(t)
	o.scene("her own client", func(o *office) {
		mine := o.dials("anna", vera.number[1:])
		outside := o.called(vera)
		o.together(mine, outside)
		if got := outside.Called(); got != vera.number[1:] {
			o.Errorf("what went out is %d characters long, and not what she dialled", len(got))
		}
		// No limit of time is left.
		o.hear(6*time.Second, map[*phone.Call][]phone.Tone{mine: {vera.tone}, outside: {mine.Tone()}})
	})
	o.scene("nobody's client", func(o *office) {
		before := o.decided()
		mine := o.dials("anna", stranger.number[1:])
		o.spoken(mine, time.Now())
		if e := o.entries()[before]; e.Reason != "not_client" || e.Action != "dial" || e.Door != "phone" || e.Subject != "anna" {
			o.Errorf("on record is %+v", e)
		}
	})
	o.scene("an emergency", func(o *office) {
		mine := o.dials("nina", "112")
		o.together(mine, o.called(stranger))
	})
}

// Without an answer from Earshot nobody gets anything but a reason, within seconds, and an emergency call goes out all the same.
func TestADeskPhoneIsRefusedWhenEarshotDoesNotAnswer(t *testing.T) {
	o := enter(t)
	silent := func(o *office, within time.Duration) {
		outside, inside := o.talk(stranger, "anna")
		rings := o.calls(vera, "102")
		o.rings("boris")
		begun := time.Now()
		var wg sync.WaitGroup
		for _, c := range []*phone.Call{o.dials("irina", "*52101"), o.dials("anna", "*53102"), o.dials("olga", vera.number[1:])} {
			wg.Go(func() {
				took := o.spoken(c, begun, inside.Tone(), outside.Tone(), vera.tone)
				o.Logf("told and hung up after %d ms", took.Milliseconds())
				if took > within {
					o.Errorf("it took %v", took)
				}
			})
		}
		help := o.dials("nina", "112")
		o.together(help, o.called(secret))
		o.Logf("the emergency call was up after %d ms", time.Since(begun).Milliseconds())
		wg.Wait()
		if rings.State() == phone.Up {
			o.Error("a call was taken")
		}
		o.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
	}
	o.scene("away", func(o *office) { silent(o, 8*time.Second) })
	p := o.start()
	o.scene("paused", func(o *office) {
		o.must(p.Pause())
		defer func() { o.must(p.Continue()) }()
		silent(o, 13*time.Second)
	})
	o.scene("killed, and started again within the lease", func(o *office) {
		outside, inside := o.talk(stranger, "anna")
		w := o.watch("irina")
		sup := o.dials("irina", "*52101")
		o.onlyOne(w, "active")
		p.Kill()
		p = o.start()
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: {outside.Tone(), sup.Tone()}, outside: {inside.Tone(), sup.Tone()}})
		w = o.watch("irina")
		s := o.onlyOne(w, "active")
		if s.Mode != "barge" || s.Target != "anna" {
			o.Errorf("it is %+v", s)
		}
		p.Kill()
		killed := time.Now()
		took := o.spoken(sup, killed.Add(lease+time.Second), inside.Tone(), outside.Tone())
		deaf := max(heardOn(sup, inside.Tone(), killed), heardOn(sup, outside.Tone(), killed))
		o.Logf("after the second kill she heard them for %d ms, the lease is %v; told and hung up after %d ms", deaf.Milliseconds(), lease, (took + lease + time.Second).Milliseconds())
		if deaf > lease+time.Second {
			o.Errorf("it outlived its lease: %v", deaf)
		}
		p = o.start()
		o.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
	})
	p.Stop()
	o.discreetOnDisk()
}

// Keys ask for another mode where the configuration says so, and do nothing where it does not.
func TestKeysChangeTheModeWhereTheyMay(t *testing.T) {
	for _, keys := range []bool{false, true} {
		t.Run(fmt.Sprintf("keys %v", keys), func(t *testing.T) {
			open(t, func(c *agent.Config) { c.Supervision.Keys = keys }).scene("pressed", func(o *office) {
				outside, inside := o.talk(stranger, "anna")
				w := o.watch("olga")
				sup := o.dials("olga", "*50101")
				o.onlyOne(w, "active")
				before := o.decided()
				steps := []struct {
					key, mode string
					spoken    []phone.Tone
				}{{"5", "whisper", []phone.Tone{outside.Tone(), sup.Tone()}}, {"6", "whisper", []phone.Tone{outside.Tone(), sup.Tone()}}, {"1", "whisper", []phone.Tone{outside.Tone(), sup.Tone()}}, {"4", "spy", []phone.Tone{outside.Tone()}}}
				for _, step := range steps {
					o.must(sup.DTMF(o.ctx, step.key))
					mode, heard := step.mode, step.spoken
					if !keys {
						mode, heard = "spy", []phone.Tone{outside.Tone()}
					}
					o.hear(proof, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: heard, outside: {inside.Tone()}})
					o.must(w.Until(o.ctx, "after "+step.key+" it is "+mode, func(w *site.Stream) bool {
						return slices.ContainsFunc(slices.Collect(maps.Values(w.Acts)), func(a site.Supervision) bool { return a.State == "active" && a.Mode == mode })
					}))
				}
				want := 0
				if keys {
					want = 3 // whisper, barge refused, spy
				}
				if got := o.decided() - before; got != want {
					o.Errorf("%d decisions are on record and not %d", got, want)
				}
			})
		})
	}
}

// audited are the entries of the audit log so far, without one that is being written.
func (o *office) audited() (all []audit.Entry) {
	o.Helper()
	for e, err := range audit.Read(nil, o.Path("audit.jsonl")) {
		var f *audit.Fault
		if errors.Is(err, os.ErrNotExist) || errors.As(err, &f) && f.Problem == audit.Unfinished {
			break
		}
		o.must(err)
		all = append(all, e)
	}
	return all
}

// entries are the decisions on record.
func (o *office) entries() (decided []audit.Entry) {
	o.Helper()
	for _, e := range o.audited() {
		if e.Phase == audit.Decided {
			decided = append(decided, e)
		}
	}
	return decided
}

// decided is how many decisions are on record.
func (o *office) decided() int {
	o.Helper()
	return len(o.entries())
}
