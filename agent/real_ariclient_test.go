//go:build clients

// The ARI client libraries that others wrote, unmodified, on a real Asterisk and at Earshot's door before it, as those for AMI.

package agent_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/ariclient"
	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// ariRules are the house's, with a second phone for irina.
var ariRules = strings.Replace(houseRules, "phones: [PJSIP/103]", "phones: [PJSIP/103, PJSIP/"+unknownPhone+"]", 1)

// atAsterisk is what every library does at Asterisk itself: the control, without which a failure at Earshot's door would say nothing.
func (d *ariDesk) atAsterisk() {
	d.wrong("irina")
	c := d.login("irina")
	d.plays(func(outside, inside *phone.Call) {
		channel, connected := d.lists(c)
		if !strings.Contains(connected, vera.number[1:]) {
			d.Errorf("anna is connected with %q", connected)
		}
		d.listens(c, channel, outside, inside)
		d.fails(c, "404", "Channel not found", "hangup", "id", "nothing")
	}, c)
	if !shown(c, vera, vera.name) {
		d.Error("the number was in nothing, so that its absence at Earshot's door would say nothing")
	}
}

// atEarshot is what it does at Earshot's door, as who may and as who may not.
func (d *ariDesk) atEarshot() {
	d.wrong("irina")
	irina, nina := d.login("irina"), d.login("nina")
	d.plays(func(outside, inside *phone.Call) {
		channel, connected := d.lists(irina)
		if !strings.Contains(connected, vera.number[1:]) {
			d.Errorf("irina is shown anna connected with %q", connected)
		}
		blank, hidden := d.lists(nina)
		if hidden != "" || blank == channel {
			d.Errorf("nina is shown anna connected with %q on the channel that irina has too: %t", hidden, blank == channel)
		}
		d.mayNot(nina, inside, blank, channel) // nor by a channel that she was never told of
		d.listens(irina, channel, outside, inside)
		d.fails(irina, "404", "Channel not found", "hangup", "id", blank)
	}, irina, nina)
	if !shown(irina, vera, "Vera Client") {
		d.Error("irina, who may, is shown nothing of who called")
	}
	if shown(nina, vera, "Vera Client") {
		d.Errorf("nina, who may not, is shown who called:\n%s", nina.Text())
	}
}

// mayNot has nina, whose phone is in a bridge, ask in vain for snoops of channels, whatever she is told of them.
func (d *ariDesk) mayNot(c *ariclient.Client, inside *phone.Call, channels ...string) {
	d.Helper()
	leg, own := d.takesIn(c, d.Phones["nina"], "PJSIP/302")
	bridge := d.does(c, "create").At("id")
	d.joins(c, bridge, leg)
	for _, id := range channels {
		for _, whisper := range []string{"none", "out", "both"} {
			d.fails(c, "40", "not", "snoop", "id", id, "spy", "both", "whisper", whisper, "app", deskApp)
		}
		d.fails(c, "40", "not", "add", "bridge", bridge, "channel", id)
		d.fails(c, "40", "not", "hangup", "id", id)
	}
	d.hear(500*time.Millisecond, map[*phone.Call][]phone.Tone{inside: {vera.tone}})
	if heard := own.HeardBetween(inside.Tone(), time.Time{}, time.Now()); len(heard) != 0 || !own.LastHeard(vera.tone).IsZero() {
		d.Errorf("nina, who may not, has heard anna %d times, and vera %v", len(heard), own.LastHeard(vera.tone))
	}
	d.does(c, "hangup", "id", leg)
	d.must(own.WaitEnded(d.ctx))
	d.does(c, "destroy", "bridge", bridge)
}

// listens has irina's phone listen to a channel by a snoop in a bridge with it.
func (d *ariDesk) listens(c *ariclient.Client, channel string, outside, inside *phone.Call) {
	d.Helper()
	since := c.Seen()
	leg, sup := d.takesIn(c, d.Phones["irina"], "PJSIP/103")
	snoop := d.does(c, "snoop", "id", channel, "spy", "both", "whisper", "none", "app", deskApp).At("id")
	d.about(c, since, "StasisStart", "channel", snoop)
	bridge := d.does(c, "create").At("id")
	d.joins(c, bridge, snoop, leg)
	d.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), vera.tone}, inside: {vera.tone}, outside: {inside.Tone()}})
	d.does(c, "hangup", "id", snoop)
	d.about(c, since, "StasisEnd", "channel", snoop)
	d.hear(300*time.Millisecond, map[*phone.Call][]phone.Tone{inside: {vera.tone}, outside: {inside.Tone()}})
	if sup.Hears(inside.Tone()) || sup.Hears(vera.tone) || sup.State() != phone.Up {
		d.Errorf("when the snoop is over the phone is %v and hears %v", sup.State(), sup.Hearing())
	}
	d.does(c, "destroy", "bridge", bridge)
	d.about(c, since, "BridgeDestroyed", "bridge", bridge)
	d.does(c, "hangup", "id", leg)
	d.must(sup.WaitEnded(d.ctx))
	d.about(c, since, "StasisEnd", "channel", leg)
	d.about(c, since, "ChannelDestroyed", "channel", leg)
}

// confers has both of irina's phones in a bridge.
func (d *ariDesk) confers() {
	c := d.login("irina")
	since := c.Seen()
	first, desk := d.takesIn(c, d.Phones["irina"], "PJSIP/103")
	second, home := d.takesIn(c, d.unknown, "PJSIP/"+unknownPhone)
	bridge := d.does(c, "create").At("id")
	d.joins(c, bridge, first, second)
	d.together(desk, home)
	playback := d.does(c, "play", "bridge", bridge, "media", "sound:"+pbxtest.Melody).At("id")
	d.hear(0, map[*phone.Call][]phone.Tone{desk: {home.Tone(), phone.Music}, home: {desk.Tone(), phone.Music}})
	d.about(c, since, "PlaybackStarted", "playback", playback)
	d.about(c, since, "PlaybackFinished", "playback", playback)
	d.together(desk, home)
	d.does(c, "remove", "bridge", bridge, "channel", second)
	d.about(c, since, "ChannelLeftBridge", "channel", second)
	d.does(c, "add", "bridge", bridge, "channel", second)
	d.together(desk, home)
	d.must(home.Hangup(d.ctx)) // by the phone
	for _, kind := range []string{"ChannelLeftBridge", "StasisEnd", "ChannelDestroyed"} {
		d.about(c, since, kind, "channel", second)
	}
	d.does(c, "hangup", "id", first) // by the library
	d.must(desk.WaitEnded(d.ctx))
	d.about(c, since, "ChannelDestroyed", "channel", first)
	d.does(c, "destroy", "bridge", bridge)
	d.until("it has gone", func() error { // while it goes Asterisk itself says 409
		if _, err := c.Do(d.ctx, "destroy", given("bridge", bridge)); err != nil && strings.Contains(err.Error(), "409") {
			return err
		}
		return nil
	})
	d.fails(c, "404", "Bridge not found", "destroy", "bridge", bridge)
}

// readme runs what the README has for ari-client: irina listens to anna with her own phone.
func (d *ariDesk) readme() {
	if d.library.Language != library.Node {
		return
	}
	text, err := os.ReadFile("../README.md")
	d.must(err)
	_, code, _ := strings.Cut(string(text), "```js\n")
	code, _, ok := strings.Cut(code, "```")
	user, secret := d.account("irina")
	for written, here := range map[string]string{"http://127.0.0.1:8089": "http://" + d.addr, "'irina', 'ear_…'": "'" + user + "', '" + secret + "'"} {
		ok = ok && strings.Contains(code, written)
		code = strings.Replace(code, written, here, 1)
	}
	if !ok {
		d.Fatalf("the README has other lines: %s", code)
	}
	outside, inside := d.talk(vera, "anna")
	d.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
	d.must(d.begin().Run(d.ctx, code))
	sup := d.rings("irina")
	d.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), vera.tone}, inside: {vera.tone}, outside: {inside.Tone()}})
	again := d.login("irina") // her application, which this is now
	d.does(again, "destroy", "bridge", d.theOne(again, "bridges", func(o ariclient.Object) bool { return o.At("creator") == "Stasis" }).At("id"))
}

// ariDesks runs something with each library, at a door.
func ariDesks(o *office, from *library.Installation, at door, run func(*ariDesk)) {
	for _, l := range from.Libraries {
		o.scene(l.Name+" "+l.Version, func(o *office) { run(&ariDesk{office: o, door: at, from: from, library: l}) })
	}
}

func TestARILibrariesWorkUnmodified(t *testing.T) {
	o, from := enter(t), libraries(t, ariclient.Libraries)
	t.Run("at Asterisk itself", func(t *testing.T) {
		admin := o.PBX.Site().Admin
		at := door{strings.TrimSuffix(strings.TrimPrefix(o.PBX.ARI(), "http://"), "/ari"), func(string) (user, secret string) { return admin.User, admin.Password }}
		ariDesks(&office{T: t, company: o.company, ctx: t.Context(), log: o.log}, from, at, func(d *ariDesk) {
			d.atAsterisk()
			d.clear()
			d.confers()
		})
	})
	o.must(o.Write("policy.yaml", ariRules))
	openOn(o, func(c *agent.Config) {
		c.ARI.Listen, c.ARI.Origins, c.ARI.Sounds = "127.0.0.1:0", []string{"localhost"}, []string{pbxtest.Melody}
	})
	addr, err := o.agent.ARIAddress(o.ctx)
	o.must(err)
	for _, part := range []struct {
		name string
		run  func(*ariDesk)
	}{
		{"a call is watched, listed and listened to", (*ariDesk).atEarshot},
		{"two own phones confer", (*ariDesk).confers},
		{"the README's lines", (*ariDesk).readme},
	} {
		t.Run(part.name, func(t *testing.T) {
			ariDesks(&office{T: t, company: o.company, ctx: t.Context(), agent: o.agent, log: o.log}, from, door{addr, o.own}, part.run)
		})
	}
}
