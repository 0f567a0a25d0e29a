package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// A phone of one's own that is not there, does not answer or refuses is told in a sentence that says what to do, and nothing is left.
func TestAPhoneThatDoesNotComeIsToldWithWhatToDo(t *testing.T) {
	o := open(t, func(c *agent.Config) { c.Supervision.RingTimeout = time.Second })
	for name, c := range map[string]struct {
		prepare func(o *office, p *phone.Phone)
		reason  string
		says    string
	}{
		"not registered": {func(o *office, p *phone.Phone) { o.must(p.Unregister(o.ctx)) }, "phone_unreachable", "see whether it is registered"},
		"not answered":   {func(*office, *phone.Phone) {}, "no_answer", "was not answered"},
		"busy":           {func(_ *office, p *phone.Phone) { p.SetReaction(phone.Reaction{Reject: 486}) }, "no_answer", "was not answered"},
	} {
		o.scene(name, func(o *office) {
			outside, inside := o.talk(oleg, "boris")
			w := o.watch("irina")
			_, err := w.UntilState(o.ctx, "boris", "talking")
			o.must(err)
			c.prepare(o, o.Phones["irina"])
			s, err := o.as("irina").Supervise(o.ctx, "boris", "spy")
			o.must(err)
			o.ends(w, s.ID, c.reason, c.says)
			o.must(o.Phones["irina"].Register(o.ctx))
			o.hear(0, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		})
		o.scene(name+", to take a call", func(o *office) {
			w := o.watch("sergei")
			outside := o.calls(oleg, "102")
			o.rings("boris")
			o.offered(w, "boris")
			c.prepare(o, o.Phones["sergei"])
			s, err := o.as("sergei").Intercept(o.ctx, "boris")
			o.must(err)
			o.ends(w, s.ID, c.reason, c.says)
			o.must(o.Phones["sergei"].Register(o.ctx))
			if state := outside.State(); state != phone.Ringing {
				o.Errorf("the caller's phone is %v", state)
			}
		})
	}
}

// ends waits for the end of an act that is told so.
func (o *office) ends(w *site.Stream, id, reason, says string) {
	o.Helper()
	o.must(w.Until(o.ctx, "it has ended", func(w *site.Stream) bool { return w.Acts[id].State == "ended" }))
	if a := w.Acts[id]; a.Reason != reason || !strings.Contains(a.Text, says) {
		o.Errorf("it ended because of %s (%q), not of %s (%q)", a.Reason, a.Text, reason, says)
	}
	o.until("no own leg is left", func() error { return o.empty(o.ctx, "earshot-") })
}
