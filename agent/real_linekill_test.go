package agent_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// A killed Earshot cuts nobody off who is in a conversation of a line. The next one knows who had joined it, and ends that when it may not go on, and
// nothing else.
func TestAJoiningIsKnownToTheNextEarshot(t *testing.T) {
	o := enter(t)
	o.must(o.Write("policy.yaml", lineRules))
	start := o.start // for the whole test, and not for a scene
	p := start()
	known := func(o *office) *site.Stream {
		o.Helper()
		w := o.watch("irina")
		o.must(w.Until(o.ctx, "the lines are known", func(s *site.Stream) bool { return s.Lines["sales"].Known && s.Known }))
		return w
	}
	// joined is a conversation of three, and an Earshot that was killed meanwhile.
	joined := func(o *office) (id string, outside, inside, mine *phone.Call) {
		o.Helper()
		w := known(o)
		outside, inside = o.served(w)
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		s, mine := o.onLine("irina", "joins", "anna")
		_, err := w.UntilAct(o.ctx, s.ID, "active")
		o.must(err)
		p.Kill()
		return s.ID, outside, inside, mine
	}
	o.scene("it goes on, and she leaves it", func(o *office) {
		id, outside, inside, mine := joined(o)
		p = start()
		w := known(o)
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone(), mine.Tone()}, inside: {outside.Tone(), mine.Tone()}, mine: {outside.Tone(), inside.Tone()}})
		if v := w.Acts[id]; v.State != "active" || v.Mode != "join" || v.Target != "anna" {
			o.Errorf("it is shown as %+v", v)
		}
		o.must(o.as("irina").Do(o.ctx, http.MethodDelete, "/v1/lines/sales/joins/"+id, nil, nil))
		o.must(mine.WaitEnded(o.ctx))
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
	})
	o.scene("its ground is gone", func(o *office) {
		defer func() { o.must(o.Write("policy.yaml", lineRules)) }()
		id, outside, inside, mine := joined(o)
		o.must(o.Edit("policy.yaml", "line.join: {to: any, except: [pavel]}", "line.join: none"))
		p = start()
		o.must(mine.WaitEnded(o.ctx))
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		o.until("it is on record", func() error {
			if got := o.lastOf(id); !strings.HasPrefix(got, "revoked no_right") {
				return fmt.Errorf("on record is %s", got)
			}
			return nil
		})
	})
	p.Stop()
}
