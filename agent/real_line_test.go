package agent_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// lineRules are the house's with its two lines: irina has every right on sales, nina views it, and sergei's clients are his on any line.
var lineRules = strings.NewReplacer(
	"    listen: {to: any, except: [pavel]}\n", "    listen: {to: any, except: [pavel]}\n    line.view: any\n    line.connect: any\n    line.change: [line:sales]\n    line.join: {to: any, except: [pavel]}\n",
	`numbers: ["302"], department: office`, `numbers: ["302"], department: office, line.view: [line:sales], line.connect: [line:sales]`,
).Replace(houseRules) + "lines:\n  sales: {name: Sales line, members: [anna, boris]}\n  support: {members: [sergei, olga, pavel]}\n"

// openLines starts an Earshot with those rules, and waits until it knows the queues.
func openLines(t *testing.T, change ...func(*agent.Config)) *office {
	t.Helper()
	o := enter(t)
	o.must(o.Write("policy.yaml", lineRules))
	openOn(o, change...)
	o.must(o.watch("irina").Until(o.ctx, "the lines are known", func(s *site.Stream) bool { return s.Lines["sales"].Known && s.Lines["support"].Known }))
	return o
}

// served is a conversation of the sales line with anna: oleg calls, and boris's phone rings in vain.
func (o *office) served(w *site.Stream) (outside, inside *phone.Call) {
	o.Helper()
	outside = o.calls(oleg, "100")
	inside = o.rings("anna")
	o.rings("boris")
	o.must(inside.Answer(o.ctx))
	o.together(outside, inside)
	_, err := w.UntilState(o.ctx, "anna", "talking")
	o.must(err)
	return outside, inside
}

// onLine asks for what is done on the sales line, and returns it with the call on the own phone.
func (o *office) onLine(who, how, target string) (site.Supervision, *phone.Call) {
	o.Helper()
	s, err := o.as(who).OnLine(o.ctx, "sales", how, target)
	o.must(err)
	return s, o.rings(who)
}

func TestAConversationOfALineIsJoined(t *testing.T) {
	o := openLines(t)

	o.scene("three hear each other, and two go on", func(o *office) {
		w, told := o.watch("irina"), o.watch("anna")
		outside, inside := o.served(w)
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		asked := time.Now()
		s, mine := o.onLine("irina", "joins", "anna")
		_, err := w.UntilAct(o.ctx, s.ID, "active")
		o.must(err)
		o.hear(0, map[*phone.Call][]phone.Tone{outside: {inside.Tone(), mine.Tone()}, inside: {outside.Tone(), mine.Tone()}, mine: {outside.Tone(), inside.Tone()}})
		for {
			m, err := told.Next(o.ctx)
			o.must(err)
			if m.Type == "supervised" {
				break
			}
		}
		for name, c := range map[string]*phone.Call{"customer": outside, "colleague": inside} {
			o.until("the "+name+" has heard the tone", func() error {
				if len(c.HeardBetween(noticeTone, asked, time.Now())) == 0 {
					return fmt.Errorf("not yet")
				}
				return nil
			})
		}
		o.until("the tone's leg is gone", func() error { // and nobody is told by it again
			ids, err := o.tones()
			if err == nil && len(ids) > 0 {
				err = fmt.Errorf("%d are there", len(ids))
			}
			return err
		})
		o.must(mine.Hangup(o.ctx))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "ended_by_supervisor" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		o.unwatched()
	})

	o.scene("the colleague hangs up, and the customer stays", func(o *office) {
		w := o.watch("irina")
		outside, inside := o.served(w)
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		asked := time.Now()
		s, mine := o.onLine("irina", "joins", "anna")
		_, err := w.UntilAct(o.ctx, s.ID, "active")
		o.must(err)
		o.until("the colleague has heard the tone", func() error { // who goes while it is begun cannot be told
			if len(inside.HeardBetween(noticeTone, asked, time.Now())) == 0 {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		o.must(inside.Hangup(o.ctx))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "call_ended" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{outside: {mine.Tone()}, mine: {outside.Tone()}})
	})

	o.scene("the right is taken away", func(o *office) {
		defer func() { o.must(o.Write("policy.yaml", lineRules)) }()
		w := o.watch("irina")
		outside, inside := o.served(w)
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		s, mine := o.onLine("irina", "joins", "anna")
		_, err := w.UntilAct(o.ctx, s.ID, "active")
		o.must(err)
		o.must(o.Edit("policy.yaml", "line.join: {to: any, except: [pavel]}", "line.join: none"))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "no_right" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.must(mine.WaitEnded(o.ctx))
		o.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
	})

	o.scene("refused", func(o *office) {
		w := o.watch("irina")
		outside, inside := o.served(w)
		const joins, takeovers = "/v1/lines/sales/joins", "/v1/lines/sales/takeovers"
		o.denied("nina", joins, map[string]string{"target": "anna"}, 403, "no_right")
		o.denied("olga", joins, map[string]string{"target": "anna"}, 404, "no_such_line")
		o.denied("irina", takeovers, map[string]string{"target": "anna"}, 409, "not_away")
		o.denied("irina", "/v1/lines/support/joins", map[string]string{"target": "anna"}, 409, "not_on_line")
		o.denied("irina", joins, map[string]string{"target": "boris"}, 409, "not_on_line")
		for _, who := range []string{"nina", "olga", "irina"} {
			if n := len(o.Phones[who].Calls()); n != 0 {
				o.Errorf("%s's phone has %d calls", who, n)
			}
		}
		o.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		// Whose client it is may.
		o.Phones["sergei"].SetReaction(phone.Reaction{Answer: true})
		_, mine := o.onLine("sergei", "joins", "anna")
		o.hear(0, map[*phone.Call][]phone.Tone{outside: {inside.Tone(), mine.Tone()}, mine: {outside.Tone(), inside.Tone()}})
	})
}

func TestACustomerIsTakenOver(t *testing.T) {
	o := openLines(t)

	// taken makes sure that the customer is the taker's alone, and measures how long he heard nobody at all.
	taken := func(o *office, w *site.Stream, s site.Supervision, asked time.Time, outside, mine *phone.Call, inside *phone.Call) {
		o.Helper()
		_, err := w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{outside: {mine.Tone()}, mine: {outside.Tone()}})
		o.must(inside.WaitEnded(o.ctx))
		o.must(w.Until(o.ctx, "the board shows it", func(s *site.Stream) bool { return s.Rows["irina"].State == "talking" && s.Rows["anna"].State == "idle" }))
		if heard := outside.HeardBetween(inside.Tone(), mine.LastHeard(outside.Tone()).Add(-200*time.Millisecond), time.Now()); len(heard) > 0 {
			o.Error("the customer hears the colleague still")
		}
		windows, silent := outside.Windows(asked, time.Now()), 0
		for i := range windows {
			if len(windows[i].Tones()) == 0 {
				silent++
			}
		}
		if len(windows) < 3 || silent > 2 { // of a tenth of a second each
			o.Errorf("the customer heard nobody in %d of %d windows", silent, len(windows))
		}
		o.Logf("the customer heard nobody in %d of %d windows", silent, len(windows))
		o.unwatched()
	}

	o.scene("on hold", func(o *office) {
		w := o.watch("irina")
		outside, inside := o.served(w)
		o.must(inside.Hold(o.ctx))
		_, err := w.UntilState(o.ctx, "anna", "held")
		o.must(err)
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		asked := time.Now()
		s, mine := o.onLine("irina", "takeovers", "anna")
		taken(o, w, s, asked, outside, mine, inside)
		o.must(mine.Hangup(o.ctx))
		o.must(outside.WaitEnded(o.ctx))
	})

	o.scene("paused", func(o *office) {
		w := o.watch("irina")
		outside, inside := o.served(w)
		member := "/v1/lines/sales/members/anna"
		o.must(o.as("irina").Do(o.ctx, http.MethodPut, member, map[string]bool{"paused": true}, nil))
		defer func() { o.must(o.as("irina").Do(o.ctx, http.MethodPut, member, map[string]bool{"paused": false}, nil)) }()
		o.must(w.Until(o.ctx, "she is paused", func(s *site.Stream) bool { return s.Lines["sales"].Members[0].Paused }))
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		asked := time.Now()
		s, mine := o.onLine("irina", "takeovers", "anna")
		taken(o, w, s, asked, outside, mine, inside)
	})

	o.scene("ringing", func(o *office) {
		w := o.watch("irina")
		outside := o.calls(oleg, "100")
		inside := o.rings("anna")
		o.rings("boris")
		_, err := w.UntilState(o.ctx, "anna", "ringing")
		o.must(err)
		o.must(w.Until(o.ctx, "he is shown to wait", func(s *site.Stream) bool { return s.Lines["sales"].Waiting == 1 }))
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		s, mine := o.onLine("irina", "takeovers", "anna")
		_, err = w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, mine)
		o.must(inside.WaitEnded(o.ctx))
		o.must(w.Until(o.ctx, "nobody waits", func(s *site.Stream) bool { return s.Lines["sales"].Waiting == 0 }))
	})

	for name, c := range map[string]struct {
		then   func(o *office, inside, mine *phone.Call) error
		reason string
	}{
		"the taker declines":    {func(o *office, _, mine *phone.Call) error { return mine.Reject(o.ctx, 486) }, "no_answer"},
		"the colleague is back": {func(o *office, inside, _ *phone.Call) error { return inside.Unhold(o.ctx) }, "colleague_back"},
	} {
		o.scene(name, func(o *office) {
			w := o.watch("irina")
			outside, inside := o.served(w)
			o.must(inside.Hold(o.ctx))
			_, err := w.UntilState(o.ctx, "anna", "held")
			o.must(err)
			s, mine := o.onLine("irina", "takeovers", "anna")
			o.must(c.then(o, inside, mine))
			ended, err := w.UntilAct(o.ctx, s.ID, "ended")
			o.must(err)
			if ended.Reason != c.reason {
				o.Errorf("it ended because of %s", ended.Reason)
			}
			o.must(mine.WaitEnded(o.ctx))
			o.must(inside.Unhold(o.ctx))
			o.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		})
	}
}

func TestWhoWorksOnALineIsChangedOnThePBX(t *testing.T) {
	o := openLines(t)
	w := o.watch("nina")
	shows := func(what string, is func(l site.Line) bool) {
		t.Helper()
		o.must(w.Until(o.ctx, what, func(s *site.Stream) bool { return is(s.Lines["sales"]) }))
	}
	put := func(employee string, body any) error {
		return o.as("irina").Do(o.ctx, http.MethodPut, "/v1/lines/sales/members/"+employee, body, nil)
	}
	o.must(put("gleb", map[string]int{"penalty": 3}))
	shows("gleb is in the queue", func(l site.Line) bool {
		return len(l.Members) == 3 && l.Members[2].Employee == "gleb" && l.Members[2].Penalty == 3 && l.Members[2].Queued
	})
	o.must(put("gleb", map[string]any{"penalty": 0, "paused": true}))
	shows("he is paused", func(l site.Line) bool { return l.Members[2].Penalty == 0 && l.Members[2].Paused })
	o.must(put("gleb", map[string]any{"paused": false}))
	shows("he is not", func(l site.Line) bool { return !l.Members[2].Paused })
	outside := o.calls(stranger, "100")
	o.rings("gleb")
	shows("somebody waits", func(l site.Line) bool { return l.Waiting == 1 })
	o.must(outside.Hangup(o.ctx))
	shows("nobody waits", func(l site.Line) bool { return l.Waiting == 0 })
	o.must(o.as("irina").Do(o.ctx, http.MethodDelete, "/v1/lines/sales/members/gleb", nil, nil))
	shows("he has gone", func(l site.Line) bool { return len(l.Members) == 2 })
	_ = o.refused(o.as("irina").Do(o.ctx, http.MethodDelete, "/v1/lines/sales/members/anna", nil, nil), 409, "fixed_member")
	_ = o.refused(o.as("nina").Do(o.ctx, http.MethodDelete, "/v1/lines/sales/members/anna", nil, nil), 403, "no_right")
	if n := o.metric("earshot_schema_faults_total"); n != 0 {
		t.Errorf("%g events did not fit", n)
	}
	o.clear()
}
