package agent_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// Whoever presses the buttons of the page hears what they say, on a real PBX and in a real browser: a spy is heard by nobody, one who whispers by
// the employee, and after the end nobody hears anything more.
func TestThePagesButtonsAreHeard(t *testing.T) {
	o := open(t)
	b, err := browser.Start(o.ctx)
	o.must(err)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	p := b.Open(t)
	p.Go("http://" + o.HTTP + "/")
	p.Wait(`document.activeElement.id === 'token'`)
	p.Type(o.tokens["irina"])
	p.Press("Enter")
	p.Says("#link", "Live")

	const anna = `#board li[data-id="anna"]`
	p.Says(anna, "Free")
	peer, target := o.talk(stranger, "anna")
	p.Says(anna, "Talking")
	p.Says(anna, stranger.number)
	o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
	p.Click(anna + ` [data-act="spy"]`)
	sup := o.rings("irina")
	p.Says("#mine", "You listen to")
	me, it, other := o.tone("irina"), target.Tone(), peer.Tone()
	o.hear(proof, map[*phone.Call][]phone.Tone{sup: {it, other}, target: {other}, peer: {it}})
	p.Click(`#mine [data-mode="whisper"]`)
	p.Says("#mine", "You whisper to")
	o.hear(proof, map[*phone.Call][]phone.Tone{sup: {it, other}, target: {other, me}, peer: {it}})
	p.Click("#mine .end")
	o.must(sup.WaitEnded(o.ctx))
	p.Says("#mine", "has ended")
	o.hear(proof, map[*phone.Call][]phone.Tone{target: {other}, peer: {it}})
	o.must(peer.Hangup(o.ctx))
	p.Says(anna, "Free")
	for _, fault := range p.Faults() {
		t.Errorf("the console: %s", fault)
	}
}
