//go:build clients

package agent_test

import (
	"errors"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest/ariclient"
	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// ariDesk is an ARI library in the hands of a test, with the company behind the door.
type ariDesk struct {
	*office
	door    // where it logs in
	from    *library.Installation
	library library.Library
}

// deskApp is what every application here is called: those of different people are different ones.
const deskApp = "desk"

// begin starts the library for somebody.
func (d *ariDesk) begin() *ariclient.Client {
	d.Helper()
	return &ariclient.Client{Process: starts(d.office, d.from, d.library)}
}

// login starts it and logs somebody in.
func (d *ariDesk) login(who string) *ariclient.Client {
	d.Helper()
	c := d.begin()
	user, secret := d.account(who)
	d.must(c.Connect(d.ctx, ariclient.Login{URL: "http://" + d.addr, User: user, Secret: secret, App: deskApp}))
	return c
}

// wrong logs in with a secret that is not the account's.
func (d *ariDesk) wrong(who string) {
	d.Helper()
	user, _ := d.account(who)
	err := d.begin().Connect(d.ctx, ariclient.Login{URL: "http://" + d.addr, User: user, Secret: "mistaken", App: deskApp})
	if refused := new(library.Refused); !errors.As(err, &refused) || !strings.Contains(refused.Why, "401") {
		d.Errorf("a wrong secret: %v", err)
	}
}

// given writes what an operation takes: name and value of each.
func given(pairs ...string) map[string]string {
	g := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		g[pairs[i]] = pairs[i+1]
	}
	return g
}

// does has an operation carried out, and returns what the library hands over.
func (d *ariDesk) does(c *ariclient.Client, what string, pairs ...string) ariclient.Object {
	d.Helper()
	o, err := c.Do(d.ctx, what, given(pairs...))
	d.must(err)
	return o
}

// fails asks for an operation that is to be refused, which the library has to hand over as an error. ari-client hands over the message, the other the status.
func (d *ariDesk) fails(c *ariclient.Client, status, message, what string, pairs ...string) {
	d.Helper()
	_, err := c.Do(d.ctx, what, given(pairs...))
	if refusal := new(ariclient.Refusal); !errors.As(err, &refusal) || !strings.Contains(refusal.Why, status) && !strings.Contains(refusal.Why, message) {
		d.Errorf("%s %v: %v, and not an error that says %s or %q", what, pairs, err, status, message)
	}
}

// theOne is the only object of a list that fits.
func (d *ariDesk) theOne(c *ariclient.Client, list string, fits func(ariclient.Object) bool) ariclient.Object {
	d.Helper()
	all, err := c.List(d.ctx, list)
	d.must(err)
	fitting := slices.DeleteFunc(slices.Clone(all), func(o ariclient.Object) bool { return !fits(o) })
	if len(fitting) != 1 {
		d.Fatalf("%d of %s fit, of %v", len(fitting), list, all)
	}
	return fitting[0]
}

// onPhone finds the channel of a phone.
func onPhone(phone string) func(ariclient.Object) bool {
	return func(o ariclient.Object) bool { return strings.HasPrefix(o.At("name"), phone+"-") }
}

// has reports whether a member that is a list has a text.
func has(o ariclient.Object, list, text string) bool {
	all, _ := o[list].([]any)
	return slices.Contains(all, any(text))
}

// scenario is what is told of a phone that rings, answers and hangs up, in this order, among other things.
var scenario = []string{"ChannelCreated", "Ringing", "Up", "ChannelEnteredBridge", "ChannelLeftBridge", "ChannelDestroyed"}

// tells waits until the story of a phone's call has come to a chapter, and fails when those up to it have not come in order.
func (d *ariDesk) tells(c *ariclient.Client, since library.Seen, phone, last string) {
	d.Helper()
	chapter := func(e ariclient.Object) string {
		switch {
		case !strings.HasPrefix(e.At("channel", "name"), phone+"-"):
			return ""
		case e.At("type") == "ChannelStateChange":
			return e.At("channel", "state")
		}
		return e.At("type")
	}
	_, err := c.WaitEvent(d.ctx, since, phone+" is told to "+last, func(e ariclient.Object) bool { return chapter(e) == last })
	d.must(err)
	var told []string
	for _, e := range c.Events(since) {
		if w := chapter(e); w != "" {
			told = append(told, w)
		}
	}
	if missing := lacks(told, scenario[:slices.Index(scenario, last)+1]...); missing != "" {
		d.Errorf("of the call on %s it was told %v; %s is missing or out of place", phone, told, missing)
	}
}

// about waits for an event of a kind about a thing of the application's own, by the id that the library gave it.
func (d *ariDesk) about(c *ariclient.Client, since library.Seen, kind, member, id string) ariclient.Object {
	d.Helper()
	e, err := c.WaitEvent(d.ctx, since, "it is told "+kind+" of "+id, func(e ariclient.Object) bool { return e.At("type") == kind && e.At(member, "id") == id })
	d.must(err)
	return e
}

// shown reports whether anything that a library has handed over tells who somebody outside is.
func shown(c *ariclient.Client, who caller, name string) bool {
	text := c.Text()
	return strings.Contains(text, who.number[1:]) || strings.Contains(text, who.name) || strings.Contains(text, name)
}

// plays is a call of vera's to anna, told to each client; while they talk, talking is done.
func (d *ariDesk) plays(talking func(outside, inside *phone.Call), watchers ...*ariclient.Client) {
	d.Helper()
	var since []library.Seen
	for _, c := range watchers {
		since = append(since, c.Seen())
	}
	outside := d.calls(vera, "101")
	inside := d.rings("anna")
	for i, c := range watchers {
		d.tells(c, since[i], "PJSIP/101", "Ringing")
	}
	d.must(inside.Answer(d.ctx))
	d.together(outside, inside)
	for i, c := range watchers {
		d.tells(c, since[i], "PJSIP/101", "ChannelEnteredBridge")
	}
	talking(outside, inside)
	d.must(inside.Hangup(d.ctx))
	for i, c := range watchers {
		d.tells(c, since[i], "PJSIP/101", "ChannelDestroyed")
	}
}

// lists asks for the lists while anna talks and looks for her in them.
func (d *ariDesk) lists(c *ariclient.Client) (channel, connected string) {
	d.Helper()
	anna := d.theOne(c, "channels", onPhone("PJSIP/101"))
	if anna.At("state") != "Up" || anna.At("caller", "number") != "101" {
		d.Errorf("among the channels anna's is %v", anna)
	}
	id := anna.At("id")
	if one := d.does(c, "channel", "id", id); one.At("name") != anna.At("name") || one.At("connected", "number") != anna.At("connected", "number") {
		d.Errorf("by itself anna's channel is %v, and among all %v", one, anna)
	}
	d.theOne(c, "bridges", func(o ariclient.Object) bool { return has(o, "channels", id) })
	if e := d.theOne(c, "endpoints", func(o ariclient.Object) bool { return o.At("technology") == "PJSIP" && o.At("resource") == "101" }); !has(e, "channel_ids", id) {
		d.Errorf("anna's phone is %v, and her channel %s", e, id)
	}
	return id, anna.At("connected", "number")
}

// takesIn has the library ring one of somebody's own phones, and waits until that is in the application.
func (d *ariDesk) takesIn(c *ariclient.Client, at *phone.Phone, endpoint string) (leg string, call *phone.Call) {
	d.Helper()
	at.SetReaction(phone.Reaction{Answer: true})
	since := c.Seen()
	leg = d.does(c, "originate", "endpoint", endpoint, "app", deskApp).At("id")
	call, err := at.Incoming(d.ctx)
	d.must(err)
	d.about(c, since, "StasisStart", "channel", leg)
	return leg, call
}

// joins puts channels into a bridge.
func (d *ariDesk) joins(c *ariclient.Client, bridge string, channels ...string) {
	d.Helper()
	for _, id := range channels {
		since := c.Seen()
		d.does(c, "add", "bridge", bridge, "channel", id)
		d.about(c, since, "ChannelEnteredBridge", "channel", id)
	}
}
