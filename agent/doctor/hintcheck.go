package doctor

import (
	"slices"
	"strconv"
)

// telltales are the modules with which a subscription shows the peer: the one answers subscriptions to extensions, the other writes who calls.
var telltales = []string{"res_pjsip_exten_state.so", "res_pjsip_dialog_info_body_generator.so"}

// hintChecks looks at who may subscribe to which hints.
func hintChecks(e *exam) error {
	modules, err := e.pbx.Modules(e.ctx)
	if err != nil {
		return err
	}
	for _, name := range telltales {
		if !slices.ContainsFunc(modules, func(m Module) bool { return m.Name == name }) {
			return nil
		}
	}
	plan, err := e.pbx.Dialplan(e.ctx)
	if err != nil {
		return err
	}
	all, err := e.endpoints()
	if err != nil {
		return err
	}
	subscribers := map[string]int{} // by the context that they subscribe in
	for _, p := range all {
		if p.subscribes {
			subscribers[p.context]++
		}
	}
	seers := map[string]int{} // how many endpoints may subscribe to hints of a context
	for context, n := range subscribers {
		for _, in := range plan.reach(context) {
			seers[in] += n
		}
	}
	for _, h := range plan.Hints {
		if n := seers[h.Context]; n > 0 {
			at := where{h.Place, h.Context, "hints"}
			if at.File == "" {
				at.File = "extensions.conf"
			}
			e.find("hint-peer", at, "count", strconv.Itoa(n), "context", h.Context)
		}
	}
	return nil
}

// reach are a context and those that it includes, and so on.
func (p *Dialplan) reach(context string) []string {
	all := []string{context}
	for i := 0; i < len(all); i++ {
		for _, in := range p.Includes {
			if in.Context == all[i] && !slices.Contains(all, in.Of) {
				all = append(all, in.Of)
			}
		}
	}
	return all
}
