package gate_test

import (
	"fmt"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// steps are what may happen; each does nothing where it does not fit.
var steps = map[string]func(w *world){
	"call in": func(w *world) {
		if w.in != nil {
			return
		}
		from, to := w.them(call.StateRing), w.id()
		w.leg(to, "PJSIP/101", call.StateDown, "")
		w.dial(from, to, "101")
		w.state(to, call.StateRinging)
		w.in, w.out = []string{to}, []string{from}
	},
	"wait in music": func(w *world) {
		if w.in == nil && w.queued == "" {
			w.queued = w.them(call.StateUp)
			w.into(w.queued, "Queue")
		}
	},
	"be rung from there": func(w *world) {
		if w.in != nil || w.queued == "" {
			return
		}
		to := w.id()
		w.seen(call.Channel{ID: call.LegID(to), Name: "PJSIP/101-" + to, State: call.StateDown, App: "AppQueue"})
		w.dial(w.queued, to, "101")
		w.state(to, call.StateRinging)
		w.in, w.out, w.queued = []string{to}, []string{w.queued}, ""
	},
	"call out": func(w *world) {
		if w.in != nil {
			return
		}
		from := w.id()
		w.leg(from, "PJSIP/101", call.StateRing, w.side.number)
		to := w.them(call.StateDown)
		w.dial(from, to, w.side.number+"@trunk")
		w.in, w.out = []string{from}, []string{to}
	},
	"call through Local": func(w *world) {
		if w.in != nil {
			return
		}
		from, one, two, to := w.them(call.StateUp), w.id(), w.id(), w.id()
		for half, id := range []string{one, two} {
			w.seen(call.Channel{ID: call.LegID(id), Name: fmt.Sprintf("Local/%s@q-%s;%d", w.side.number, one, half+1), State: call.StateUp, Caller: call.Identity{Number: call.Number(w.side.number)}})
		}
		w.dial(from, one, w.side.number)
		w.leg(to, "PJSIP/101", call.StateDown, "")
		w.dial(two, to, "101")
		w.state(to, call.StateRinging)
		w.enter("far", from, one)
		w.in, w.out = []string{to}, []string{from, one, two}
	},
	"answer": func(w *world) {
		if w.in == nil {
			return
		}
		for _, id := range append(w.in, w.out...) {
			w.state(id, call.StateUp)
		}
		near := w.out[len(w.out)-1]
		for _, pair := range [][2]string{{near, w.in[0]}, {w.in[0], near}} {
			w.ingest(call.Event{Kind: call.DialEnded, Channel: w.ch(pair[0]), Peer: w.ch(pair[1]), Answered: true})
		}
		w.enter("near", w.in[0], near)
	},
	"hold":   func(w *world) { w.held(call.LegHeld) },
	"unhold": func(w *world) { w.held(call.LegUnheld) },
	"the name comes": func(w *world) {
		if w.out != nil {
			w.named(w.out[0], strings.ToUpper(w.side.name))
		}
	},
	"connected line": func(w *world) {
		if w.in != nil {
			ch := w.ch(w.in[0])
			ch.Connected = call.Identity{Name: w.side.name, Number: call.Number(w.side.number)}
			w.seen(ch)
		}
	},
	"another joins": func(w *world) {
		if w.in != nil {
			id := w.them(call.StateUp)
			w.enter("near", id)
			w.out = append(w.out, id)
		}
	},
	"the other side goes": func(w *world) {
		if w.out != nil {
			w.gone(w.out...)
			w.out = nil
			w.pass(1)
			w.gone(w.in...)
			w.in = nil
		}
	},
	"hand on to boris": func(w *world) {
		if w.in == nil || w.ch(w.in[0]).State != call.StateUp {
			return
		}
		to := w.id()
		w.leg(to, "PJSIP/102", call.StateUp, "")
		w.leave("near", w.in[0])
		w.enter("near", to)
		w.gone(w.in[0])
		w.in = []string{to}
	},
	"time":      func(w *world) { w.pass(3) },
	"policy":    func(w *world) { w.gate.SetPolicy(w.gate.Policy()) },
	"directory": func(w *world) { w.gate.Refresh() },
	"link": func(w *world) {
		p := w.picture()
		w.ingest(call.Event{Kind: call.LinkLost})
		w.look()
		w.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
	},
	"another look": func(w *world) { w.ingest(call.Event{Kind: call.Resynced, Snapshot: w.picture()}) },
	"attempts": func(w *world) {
		for _, subject := range blind {
			for _, target := range []string{"anna", "boris"} {
				handle := "cnone"
				if c := w.row(subject, target).Calls; len(c) > 0 {
					handle = c[0].ID
				}
				for _, mode := range []string{"whisper", "barge", "intercept", "spy"} {
					if subject == "fay" && mode == "intercept" || subject == "dora" && mode == "spy" || subject == "hana" && mode != "intercept" {
						continue // they may
					}
					_, a := w.ask(subject, mode, target)
					_, b := w.ask(subject, mode, target, handle)
					w.note(subject, a, b)
				}
			}
		}
	},
	"lock": func(w *world) {
		_, err := w.gate.Lock(w.t.Context(), who("anna"), gate.LockAsk{Door: "test"})
		for subject := range w.streams {
			w.note(subject, err == nil)
		}
	},
	"unlock": func(w *world) {
		locks, _ := w.gate.Locks(who("anna"))
		for _, k := range locks {
			if err := w.gate.Unlock(w.t.Context(), who("anna"), k.ID); err != nil {
				w.t.Fatal(err)
			}
		}
	},
	"listen": func(w *world) {
		id, code := w.ask("dora", "spy", "anna")
		w.note("dora", code)
		if code != "" {
			return
		}
		for {
			m := w.streams["dora"].next()
			w.note("dora", m)
			if m.Supervision != nil && m.Supervision.State == "active" {
				break
			}
		}
		if err := w.gate.EndSupervision(w.t.Context(), who("dora"), id); err != nil {
			w.t.Fatal(err)
		}
	},
}

func (w *world) held(k call.Kind) {
	if w.in != nil {
		w.ingest(call.Event{Kind: k, Channel: w.ch(w.in[0])})
	}
}
