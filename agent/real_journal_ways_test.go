package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// A part is what irina has to read of somebody's part in a call, and between which moments of the phones' own each of its times has to lie.
type part struct {
	line                   string
	began, answered, ended [2]time.Time
}

// soon is by how much Asterisk's own times may be later than what a phone sees: a phone is gone for it when the last message of SIP is over.
const soon = time.Second

// differs says how a row differs from what was dialled. Rows tell seconds.
func (p *part) differs(r *mask.JournalRow) string {
	for _, m := range []struct {
		name string
		at   *time.Time
		in   [2]time.Time
	}{{"began", &r.Began, p.began}, {"was answered", r.Answered, p.answered}, {"ended", r.Ended, p.ended}} {
		switch {
		case m.at == nil && m.in[0].IsZero():
		case m.at == nil, m.in[0].IsZero(), m.at.Before(m.in[0].Truncate(time.Second)), m.at.After(m.in[1].Add(soon)):
			return fmt.Sprintf("%s %s at %v and not between %v and %v", p.line, m.name, m.at, m.in[0].UTC(), m.in[1].UTC())
		}
	}
	if talk := r.Talk; r.Answered != nil && r.Ended != nil && talk != int(r.Ended.Sub(*r.Answered)/time.Second) && talk != int(r.Ended.Sub(*r.Answered)/time.Second)-1 {
		return fmt.Sprintf("%s talked for %d seconds from %v to %v", p.line, talk, r.Answered, r.Ended)
	}
	return ""
}

// wrote waits until irina reads these parts beside what she has read before, each with its times, and nothing else.
func (o *office) wrote(known map[string]bool, parts ...part) {
	o.Helper()
	byLine := func(a, b part) int { return strings.Compare(a.line, b.line) }
	slices.SortFunc(parts, byLine)
	ctx, cancel := context.WithTimeout(o.ctx, 8*time.Second)
	defer cancel()
	if err := o.eventually(ctx, "it is written", func() error {
		lines, _, rows := o.past("irina")
		var got []part
		byID := map[string]mask.JournalRow{}
		for i := range rows {
			if id := rows[i].ID; !known[id] {
				got, byID[lines[i]] = append(got, part{line: lines[i]}), rows[i]
			}
		}
		slices.SortFunc(got, byLine)
		if !slices.EqualFunc(got, parts, func(a, b part) bool { return a.line == b.line }) {
			return fmt.Errorf("irina reads\n%v\nand not\n%v", got, parts)
		}
		for i := range parts {
			r := byID[parts[i].line]
			if wrong := parts[i].differs(&r); wrong != "" {
				return fmt.Errorf("%s", wrong)
			}
		}
		for _, r := range byID {
			known[r.ID] = true
		}
		return nil
	}); err != nil {
		o.Error(err)
		_, _, rows := o.past("irina")
		for _, r := range rows {
			known[r.ID] = true
		}
	}
}

// Each way that a call can go on a real PBX is in the journal as it was dialled: who, which way, what came of it, who handed it on, and when.
func TestTheJournalHasEachWayThatACallCanGo(t *testing.T) {
	o := enter(t)
	o.must(o.Write("policy.yaml", strings.NewReplacer("roles:\n", "roles:\n  counter: {\"line.statistics\": any}\n", "assign:\n", "assign:\n  - {role: counter, to: [irina]}\n").Replace(readers)))
	openOn(o, func(c *agent.Config) {
		c.Journal.File, c.Watchdog.Pickup = filepath.Join(t.TempDir(), "journal.db"), "report"
		c.HTTP.Limits.Reads = agent.Rate{PerMinute: 100_000, Burst: 10_000}
	})
	known := map[string]bool{}
	now := time.Now
	// begun is a call from outside that boris has answered.
	begun := func(o *office) (outside, inside *phone.Call, p part) {
		o.Helper()
		a := now()
		outside = o.calls(stranger, "102")
		inside = o.rings("boris")
		b := now()
		o.must(inside.Answer(o.ctx))
		o.together(outside, inside)
		return outside, inside, part{began: [2]time.Time{a, b}, answered: [2]time.Time{b, now()}}
	}
	// taken is the part of who has the caller then.
	taken := func(o *office, outside *phone.Call, line string, since time.Time, get func() *phone.Call) part {
		o.Helper()
		next := get()
		o.together(outside, next)
		p := part{line: line, began: [2]time.Time{since, now()}, answered: [2]time.Time{since, now()}}
		at := now()
		o.must(outside.Hangup(o.ctx))
		o.must(next.WaitEnded(o.ctx))
		p.ended = [2]time.Time{at, now()}
		return p
	}
	answers := func(o *office, who string) func() *phone.Call { return func() *phone.Call { return o.answers(who) } }

	o.scene("a blind transfer", func(o *office) {
		outside, inside, first := begun(o)
		at := now()
		o.must(inside.Transfer(o.ctx, "201"))
		last := taken(o, outside, "sergei in answered STRANGER", at, answers(o, "sergei"))
		first.line, first.ended = "boris in answered STRANGER transferred by employee", [2]time.Time{at, now()}
		o.wrote(known, first, last)
	})
	o.scene("a blind transfer by keys", func(o *office) {
		outside, inside, first := begun(o)
		at := now()
		o.must(inside.DTMF(o.ctx, pbxtest.FeatureBlind))
		_ = inside.DTMF(o.ctx, "201") // his call ends with the last digit
		last := taken(o, outside, "sergei in answered STRANGER", at, answers(o, "sergei"))
		first.line, first.ended = "boris in answered STRANGER transferred by employee", [2]time.Time{at, now()}
		o.wrote(known, first, last)
	})
	o.scene("an attended transfer by keys", func(o *office) {
		outside, inside, first := begun(o)
		at := now()
		o.must(inside.DTMF(o.ctx, pbxtest.FeatureAtxfer))
		o.must(inside.DTMF(o.ctx, "201"))
		last := taken(o, outside, "sergei in answered STRANGER transferred by other_side", at, func() *phone.Call {
			next := o.answers("sergei")
			_, err := next.WaitHears(o.ctx, inside.Tone())
			o.must(err)
			o.must(inside.Hangup(o.ctx))
			return next
		})
		first.line, first.ended = "boris in answered STRANGER transferred by employee", [2]time.Time{at, now()}
		o.wrote(known, first, last)
	})
	o.scene("an attended transfer by REFER with Replaces", func(o *office) {
		outside, inside, first := begun(o)
		at := now()
		var second part
		last := taken(o, outside, "sergei in answered STRANGER", at, func() *phone.Call {
			o.must(inside.Hold(o.ctx))
			consultation := o.dials("boris", "201")
			next := o.answers("sergei")
			o.must(consultation.WaitAnswered(o.ctx))
			second = part{line: "boris out answered Sergei Volkovsergei", began: [2]time.Time{at, now()}, answered: [2]time.Time{at, now()}}
			handed := now()
			o.must(inside.TransferTo(o.ctx, consultation))
			o.must(consultation.WaitEnded(o.ctx))
			first.ended, second.ended = [2]time.Time{handed, now()}, [2]time.Time{handed, now()}
			return next
		})
		first.line = "boris in answered STRANGER transferred by employee"
		o.wrote(known, first, second, last)
	})
	o.scene("a pickup", func(o *office) {
		a := now()
		outside := o.calls(stranger, "101")
		ringing := o.rings("anna")
		b := now()
		last := taken(o, outside, "sergei in answered STRANGER", b, func() *phone.Call {
			c := o.dials("sergei", pbxtest.PrefixPickup+"101")
			o.must(c.WaitAnswered(o.ctx))
			o.must(ringing.WaitEnded(o.ctx))
			return c
		})
		o.wrote(known, part{line: "anna in elsewhere STRANGER", began: [2]time.Time{a, b}, ended: [2]time.Time{b, now()}}, last)
	})
	o.scene("a caller who leaves the line", func(o *office) {
		a := now()
		outside := o.calls(stranger, "100")
		anna, boris := o.rings("anna"), o.rings("boris")
		b := now()
		o.must(outside.Hangup(o.ctx))
		o.must(anna.WaitEnded(o.ctx))
		o.must(boris.WaitEnded(o.ctx))
		times := part{began: [2]time.Time{a, b}, ended: [2]time.Time{b, now()}}
		var parts []part
		for _, who := range []string{"anna", "boris"} {
			times.line = who + " in missed STRANGER by first"
			parts = append(parts, times)
		}
		o.wrote(known, parts...)
		o.until("it is counted", func() error {
			var s httpapi.Statistics
			if err := o.as("irina").Do(o.ctx, http.MethodGet, "/v1/statistics?by=line", nil, &s); err != nil {
				return err
			}
			if len(s.Figures) != 1 || s.Figures[0].Line != "first" || s.Figures[0].Calls != 1 || s.Figures[0].Abandoned != 1 || s.Figures[0].Answered != 0 {
				return fmt.Errorf("the figures of the line are %+v", s.Figures)
			}
			return nil
		})
	})
	o.scene("a parked call", func(o *office) {
		outside, inside, first := begun(o)
		o.must(inside.DTMF(o.ctx, pbxtest.FeaturePark))
		_, err := outside.WaitHearsOnly(o.ctx, phone.Music)
		o.must(err)
		at := now()
		_ = inside.Hangup(o.ctx) // the PBX may have
		o.must(inside.WaitEnded(o.ctx))
		first.line, first.ended = "boris in answered STRANGER", [2]time.Time{first.answered[0], now()}
		last := taken(o, outside, "sergei out answered STRANGER", at, func() *phone.Call { return o.dials("sergei", "701") })
		o.wrote(known, first, last)
	})
}
