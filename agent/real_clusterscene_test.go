package agent_test

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

func (b *branches) oneBoard() {
	o := b.at["west"]
	outside, inside := o.talk(stranger, "gleb")
	b.state("gleb", "talking", site.PBXs...)
	for _, name := range site.PBXs {
		for who, sees := range map[string]bool{"irina": true, "sergei": false} {
			w := b.shows(name, who, "gleb talks", func(s *site.Stream) bool { return s.Rows["gleb"].State == "talking" })
			r := w.Rows["gleb"]
			if len(r.Calls) != 1 || r.Calls[0].Hidden == sees || sees != (r.Calls[0].Peer != nil && r.Calls[0].Peer.Number == stranger.number) {
				b.Errorf("%s at %s sees %+v", who, name, r)
			}
			if slices.ContainsFunc(r.Can, func(button string) bool { return button != "dial" }) {
				b.Errorf("%s at %s, whose phone is on another PBX, has the buttons %v", who, name, r.Can)
			}
		}
	}
	b.must(inside.Hold(b.ctx))
	b.state("gleb", "held", site.PBXs...)
	b.must(inside.Unhold(b.ctx))
	b.state("gleb", "talking", site.PBXs...)
	b.must(outside.Hangup(b.ctx))
	b.state("gleb", "idle", site.PBXs...)

	out := b.at["north"].dials("anna", "202")
	in := b.at["south"].answers("olga")
	b.at["north"].together(out, in)
	for _, name := range site.PBXs {
		b.shows(name, "irina", "anna and olga talk with each other", func(s *site.Stream) bool {
			with := func(a, b string) bool {
				r := s.Rows[a]
				return len(r.Calls) == 1 && r.State == "talking" && r.Calls[0].Peer != nil && r.Calls[0].Peer.Number == b
			}
			return with("anna", "202") && with("olga", "101")
		})
	}
}

func (b *branches) clicks() {
	north, west := b.at["north"], b.at["west"]
	north.Phones["anna"].SetReaction(phone.Reaction{Answer: true})
	b.refused(west.as("anna").Call(b.ctx, stranger.number), http.StatusForbidden, "not_client")
	b.must(west.as("anna").Call(b.ctx, vera.number))
	north.together(north.rings("anna"), north.called(vera))
}

func (b *branches) listens() {
	north := b.at["north"]
	outside, inside := north.talk(vera, "boris")
	b.at["west"].talk(stranger, "gleb")
	b.state("boris", "talking", site.PBXs...)
	b.state("gleb", "talking", site.PBXs...)
	w, s, sup := b.supervises("south", "irina", "boris", "spy")
	north.hear(500*time.Millisecond, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: {outside.Tone()}, outside: {inside.Tone()}})
	for _, mode := range []string{"whisper", "barge"} {
		_, err := b.at["west"].as("irina").Change(b.ctx, s.ID, mode) // at a third
		b.must(err)
	}
	north.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone(), sup.Tone()}, outside: {inside.Tone(), sup.Tone()}})
	b.must(b.at["south"].as("irina").End(b.ctx, s.ID))
	north.over(w, s.ID, sup, "ended_by_supervisor")
	for _, name := range site.PBXs {
		_, err := b.at[name].as("irina").Supervise(b.ctx, "gleb", "spy")
		b.refused(err, http.StatusConflict, "other_pbx")
	}
}

func (b *branches) takes() {
	north, west := b.at["north"], b.at["west"]
	w := west.watch("anna")
	outside := north.calls(vera, "102")
	rings := north.rings("boris")
	offer, err := w.UntilOffer(b.ctx, func(i site.Incoming) bool { return i.CanAccept })
	b.must(err)
	_, err = west.as("irina").Intercept(b.ctx, "boris")
	b.refused(err, http.StatusForbidden, "not_client")
	_, err = west.as("sergei").Intercept(b.ctx, "boris") // his phone is on south
	b.refused(err, http.StatusConflict, "other_pbx")
	north.Phones["anna"].SetReaction(phone.Reaction{Answer: true})
	s, err := west.as("anna").Intercept(b.ctx, offer.Target)
	b.must(err)
	taken := north.rings("anna")
	_, err = w.UntilAct(b.ctx, s.ID, "taken")
	b.must(err)
	north.together(outside, taken)
	b.must(rings.WaitEnded(b.ctx))
	b.state("anna", "talking", site.PBXs...)
	b.state("boris", "idle", site.PBXs...)
}

func (b *branches) locks() {
	b.at["north"].talk(vera, "anna")
	b.state("anna", "talking", site.PBXs...)
	_, s, sup := b.supervises("north", "irina", "anna", "spy")
	w := b.at["south"].watch("irina")
	id, err := b.at["west"].as("anna").Lock(b.ctx)
	b.must(err)
	b.at["north"].over(w, s.ID, sup, "not_for_this_call")
	locked := func(on bool) {
		b.Helper()
		for _, name := range site.PBXs {
			b.shows(name, "anna", fmt.Sprintf("the lock is on her row: %v", on), func(s *site.Stream) bool {
				calls := s.Rows["anna"].Calls
				return len(calls) == 1 && calls[0].Locked == on
			})
		}
	}
	locked(true)
	for _, name := range site.PBXs {
		_, err := b.at[name].as("irina").Supervise(b.ctx, "anna", "spy")
		b.refused(err, http.StatusForbidden, "not_for_this_call")
	}
	b.must(b.at["south"].as("anna").Do(b.ctx, http.MethodDelete, "/v1/locks/"+id, nil, nil))
	locked(false)
}

// excludes has irina, who may not hear pavel, listen to a call into which he comes from another PBX.
func (b *branches) excludes() {
	north, south := b.at["north"], b.at["south"]
	out := north.dials("boris", "101")
	in := north.answers("anna")
	north.together(out, in)
	b.state("anna", "talking", "south")
	w, s, sup := b.supervises("south", "irina", "anna", "spy")
	north.hear(0, map[*phone.Call][]phone.Tone{sup: {in.Tone(), out.Tone()}})
	b.must(out.Hold(b.ctx))
	consultation := north.dials("boris", "203")
	pavel := south.answers("pavel")
	north.together(consultation, pavel)
	b.must(out.TransferTo(b.ctx, consultation))
	north.over(w, s.ID, sup, "not_for_this_call")
	north.together(in, pavel)
	if heard := sup.HeardBetween(pavel.Tone(), time.Time{}, time.Now()); len(heard) > 0 {
		b.Errorf("irina heard pavel in %d windows of 100 ms", len(heard))
	}
	_, err := b.at["west"].as("irina").Supervise(b.ctx, "anna", "spy")
	b.refused(err, http.StatusForbidden, "not_for_this_call")
}

// trunked has anna on north talk with sergei on south, over the trunk between the two, and pavel listen to him there.
func (b *branches) trunked() (out, in *phone.Call, w *site.Stream, s site.Supervision, sup *phone.Call) {
	b.Helper()
	north, south := b.at["north"], b.at["south"]
	out = north.dials("anna", "201")
	in = south.answers("sergei")
	north.together(out, in)
	b.state("sergei", "talking", "south")
	b.state("anna", "talking", "north")
	w, s, sup = b.supervises("south", "pavel", "sergei", "spy")
	south.hear(0, map[*phone.Call][]phone.Tone{sup: {in.Tone(), out.Tone()}})
	return out, in, w, s, sup
}

// locksOver has anna lock a call that somebody listens to at its other half.
func (b *branches) locksOver() {
	south := b.at["south"]
	_, _, w, s, sup := b.trunked()
	_, err := b.at["north"].as("anna").Lock(b.ctx)
	b.must(err)
	south.over(w, s.ID, sup, "not_for_this_call")
	_, err = south.as("pavel").Supervise(b.ctx, "sergei", "spy")
	b.refused(err, http.StatusForbidden, "not_for_this_call")
}

// excludesOver has pavel, whom irina may not hear, barge in at the other half of a call to which she listens.
func (b *branches) excludesOver() {
	north, south := b.at["north"], b.at["south"]
	out, in, _, barges, pavel := b.trunked()
	w, s, sup := b.supervises("north", "irina", "anna", "spy")
	north.hear(0, map[*phone.Call][]phone.Tone{sup: {in.Tone(), out.Tone()}})
	_, err := south.as("pavel").Change(b.ctx, barges.ID, "barge")
	b.must(err)
	north.over(w, s.ID, sup, "not_for_this_call")
	south.hear(0, map[*phone.Call][]phone.Tone{out: {in.Tone(), pavel.Tone()}, in: {out.Tone(), pavel.Tone()}})
	_, err = north.as("irina").Supervise(b.ctx, "anna", "spy")
	b.refused(err, http.StatusForbidden, "not_for_this_call")
}

func (b *branches) edits() {
	south := b.at["south"]
	outside, inside := south.talk(stranger, "sergei")
	b.state("sergei", "talking", "south")
	w, s, sup := b.supervises("south", "pavel", "sergei", "spy")
	south.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}})
	b.must(b.Sites["north"].Edit("policy.yaml", "listen: {to: [sergei]}", "listen: false"))
	south.over(w, s.ID, sup, "no_right")
	south.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}})
	b.must(b.Sites["north"].Edit("policy.yaml", "listen: false", "listen: {to: [sergei]}"))
	b.shows("south", "pavel", "he may listen again", func(s *site.Stream) bool { return len(s.Rows["sergei"].Can) > 0 })
}
