package agent_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// Who may see the kind sees that and nothing else, of real calls: by a queue, from outside, from a colleague.
func TestTheKindOfACallIsShownWithoutTheOtherSide(t *testing.T) {
	o := open(t)
	o.must(o.Edit("policy.yaml", "department: support\n    listen: {to: any, allow: [spy, whisper]}", "department: support\n    observe: kind\n    listen: {to: any, allow: [spy, whisper]}"))
	o.reaches("earshot_policy_generation", 2)
	for kind, begin := range map[string]func(o *office){
		"queue": func(o *office) {
			outside := o.calls(vera, "100")
			o.rings("anna")
			boris := o.rings("boris")
			o.must(boris.Answer(o.ctx))
			o.together(outside, boris)
		},
		"external": func(o *office) { o.talk(vera, "boris") },
		"internal": func(o *office) { o.chat("nina", "boris") },
	} {
		o.scene(kind, func(o *office) {
			w, blind := o.watch("olga"), o.watch("maria")
			begin(o)
			o.must(w.Until(o.ctx, "olga sees "+kind, func(w *site.Stream) bool {
				r := w.Rows["boris"]
				return r.State == "talking" && len(r.Calls) == 1 && r.Calls[0].Kind == kind && r.Calls[0].Hidden && r.Calls[0].Peer == nil
			}))
			r, err := blind.UntilState(o.ctx, "boris", "talking")
			o.must(err)
			if c := r.Calls[0]; c.Kind != "" || !c.Hidden {
				o.Errorf("maria sees %+v", c)
			}
		})
	}
}
