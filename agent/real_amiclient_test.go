//go:build clients

// The AMI client libraries that others wrote, unmodified, on a real Asterisk and at Earshot's door before it. make test-clients runs this; what it
// needs beside an Asterisk is fetched (agent/pbxtest/amiclient).

package agent_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest/amiclient"
	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// clientRules are the house's with its lines; anna and her department may call their colleagues.
var clientRules = strings.Replace(lineRules, "seller: {intercept: true}", "seller: {intercept: true, dial: {clients: own, employees: true}}", 1)

// switchboard is a panel that serves many.
const switchboard = "switchboard"

// spying is an Originate by which somebody listens to a channel. As those below it says Async: panoramisk breaks without it, at Asterisk too.
func spying(phone, channel string) map[string]string {
	return action("Originate", "Channel", phone, "Application", "ChanSpy", "Data", channel+",q", "Async", "false")
}

// named is an action for an employee whom a panel names.
func named(a map[string]string, employee string) map[string]string {
	a["X-Earshot-Employee"] = employee
	return a
}

// atAsterisk is what every library does at Asterisk itself: the control, without which a failure at Earshot's door would say nothing.
func (d *desk) atAsterisk() {
	d.wrong("irina")
	c := d.login("irina")
	d.boots(c)
	d.does(c, action("Ping"))
	d.plays(func(inside *phone.Call) {
		channel, connected := d.lists(c)
		if !strings.Contains(connected, vera.number[1:]) {
			d.Errorf("anna is connected with %q", connected)
		}
		d.queues(c)
		d.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		d.does(c, spying("PJSIP/103", channel))
		sup := d.rings("irina")
		d.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), vera.tone}})
		own := d.theRow(d.rows(c, "CoreShowChannel", action("CoreShowChannels")), on("PJSIP/103"))
		d.does(c, action("Hangup", "Channel", own["channel"]))
		d.must(sup.WaitEnded(d.ctx))
		d.fails(c, "No such channel", action("Hangup", "Channel", own["channel"]))
		d.does(c, action("Command", "Command", "core show uptime"))
		d.fails(c, "Invalid/unknown command", action("NoSuchAction"))
	}, c)
	if !shows(c, vera, vera.name) {
		d.Error("the number was in nothing, so that its absence at Earshot's door would say nothing")
	}
	d.leaves(c)
}

// atEarshot is what it does at Earshot's door, as who may and as who may not.
func (d *desk) atEarshot() {
	d.wrong("irina")
	d.wrong(switchboard)
	irina, nina, panel := d.login("irina"), d.login("nina"), d.login(switchboard)
	for _, c := range []*amiclient.Client{irina, nina, panel} {
		d.boots(c)
		d.does(c, action("Ping"))
	}
	d.plays(func(inside *phone.Call) {
		channel, connected := d.lists(irina)
		if !strings.Contains(connected, vera.number[1:]) {
			d.Errorf("irina is shown anna connected with %q", connected)
		}
		blank, hidden := d.lists(nina)
		if hidden != "<unknown>" || blank == channel {
			d.Errorf("nina is shown anna connected with %q on the channel that irina has too: %t", hidden, blank == channel)
		}
		d.queues(irina)

		d.fails(panel, "Name the employee", action("CoreShowChannels"))
		forIrina, connected := d.lists(panel, "X-Earshot-Employee", "irina")
		if !strings.Contains(connected, vera.number[1:]) {
			d.Errorf("for irina the panel is shown anna connected with %q", connected)
		}
		forNina, hidden := d.lists(panel, "X-Earshot-Employee", "nina")
		if hidden != "<unknown>" {
			d.Errorf("for nina the panel is shown anna connected with %q", hidden)
		}

		d.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		d.Phones["nina"].SetReaction(phone.Reaction{Answer: true})
		d.fails(nina, "", spying("PJSIP/302", blank))
		d.fails(nina, "", spying("PJSIP/302", channel)) // nor by a channel that she was never told of
		d.fails(panel, "", named(spying("PJSIP/302", forNina), "nina"))
		d.stays("PJSIP/302")
		for _, by := range []struct {
			client  *amiclient.Client
			channel string
			as      func(map[string]string) map[string]string
		}{
			{irina, channel, func(a map[string]string) map[string]string { return a }},
			{panel, forIrina, func(a map[string]string) map[string]string { return named(a, "irina") }},
		} {
			d.does(by.client, by.as(spying("PJSIP/103", by.channel)))
			sup := d.rings("irina")
			d.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), vera.tone}})
			own := d.theRow(d.rows(by.client, "CoreShowChannel", by.as(action("CoreShowChannels"))), on("PJSIP/103"))
			d.fails(nina, "No such channel", action("Hangup", "Channel", own["channel"]))
			d.does(by.client, by.as(action("Hangup", "Channel", own["channel"])))
			d.must(sup.WaitEnded(d.ctx))
		}
		d.stays("PJSIP/302")

		d.fails(irina, "Permission denied", action("Command", "Command", "core show channels"))
		d.fails(irina, "Permission denied", action("Getvar", "Channel", channel, "Variable", "CALLERID(num)"))
		d.fails(irina, "Permission denied", action("Setvar", "Channel", channel, "Variable", "CHANNEL(pickupgroup)", "Value", "1"))
		d.fails(irina, "Permission denied", action("DBGet", "Family", "CFIM", "Key", "101"))
		d.fails(irina, "Invalid/unknown command", action("NoSuchAction"))
	}, irina, nina)
	if !shows(irina, vera, "Vera Client") {
		d.Error("irina, who may, is shown nothing of who called")
	}
	if shows(nina, vera, "Vera Client") {
		d.Errorf("nina, who may not, is shown who called:\n%s", nina.Text())
	}
	for _, c := range []*amiclient.Client{irina, nina, panel} {
		d.leaves(c)
	}
}

// takes takes a call that rings.
func (d *desk) takes() {
	gleb, nina := d.login("gleb"), d.login("nina")
	outside := d.calls(vera, "101")
	d.rings("anna")
	for _, c := range []*amiclient.Client{gleb, nina} {
		_, err := c.WaitEvent(d.ctx, 0, "anna's phone rings", func(e amiclient.Fields) bool { return chapter("PJSIP/101", e) == "Ringing" })
		d.must(err)
	}
	pickup := func(c *amiclient.Client, phone string) map[string]string {
		row := d.theRow(d.rows(c, "CoreShowChannel", action("CoreShowChannels")), on("PJSIP/101"))
		return action("Originate", "Channel", phone, "Application", "PickupChan", "Data", row["channel"], "Async", "false")
	}
	d.Phones["gleb"].SetReaction(phone.Reaction{Answer: true})
	d.Phones["nina"].SetReaction(phone.Reaction{Answer: true})
	d.fails(nina, "", pickup(nina, "PJSIP/302"))
	d.stays("PJSIP/302")
	d.does(gleb, pickup(gleb, "PJSIP/303"))
	d.together(outside, d.rings("gleb"))
}

// dialsOut has a phone call a colleague.
func (d *desk) dialsOut() {
	anna, nina := d.login("anna"), d.login("nina")
	call := func(phone string) map[string]string {
		return action("Originate", "Channel", phone, "Context", "phones", "Exten", "102", "Priority", "1", "Async", "false")
	}
	for _, who := range []string{"anna", "nina", "boris"} {
		d.Phones[who].SetReaction(phone.Reaction{Answer: true})
	}
	d.fails(nina, "", call("PJSIP/302"))
	d.fails(nina, "", call("PJSIP/101")) // another's phone
	d.stays("PJSIP/302")
	d.stays("PJSIP/101")
	d.does(anna, call("PJSIP/101"))
	d.together(d.rings("anna"), d.rings("boris"))
}

// isTold is told what becomes of a call that her phone is to make, when it is answered and when it is not. panoramisk hands over no answer before.
func (d *desk) isTold() {
	anna := d.login("anna")
	for _, way := range []struct {
		phone    phone.Reaction
		response string
	}{{phone.Reaction{Answer: true}, "Success"}, {phone.Reaction{Reject: 486}, "Failure"}} {
		d.Phones["anna"].SetReaction(way.phone)
		d.Phones["boris"].SetReaction(phone.Reaction{Answer: true})
		e := d.becomes(anna, action("Originate", "Channel", "PJSIP/101", "Context", "phones", "Exten", "102", "Priority", "1", "Async", "true"))
		if e["response"] != way.response || !strings.HasPrefix(e["channel"], "PJSIP/101") || (e["reason"] == "4") != (way.response == "Success") {
			d.Errorf("of a phone that is to %+v it is told %v", way.phone, e)
		}
		d.clear()
	}
}

// desks runs something with each library, at a door.
func desks(o *office, from *library.Installation, at door, run func(*desk)) {
	for _, library := range from.Libraries {
		o.scene(library.Name+" "+library.Version, func(o *office) { run(&desk{office: o, door: at, from: from, library: library}) })
	}
}

// enterWithPanel is enter with the rules and the panel of these tests.
func enterWithPanel(t *testing.T) *office {
	t.Helper()
	o := enter(t)
	o.must(o.Write("policy.yaml", clientRules))
	if o.tokens[switchboard] == "" {
		token, hash := auth.NewToken()
		o.must(auth.AddToken(o.Path("tokens.yaml"), auth.Entry{Panel: switchboard, ActsFor: []string{auth.Everyone}, Hash: hash, Created: time.Now()}))
		o.tokens[switchboard] = token
	}
	return o
}

// own is how people log in at Earshot's door.
func (c *company) own(who string) (user, secret string) { return who, c.tokens[who] }

func TestAMILibrariesWorkUnmodified(t *testing.T) {
	o, from := enterWithPanel(t), libraries(t, amiclient.Libraries)
	t.Run("at Asterisk itself", func(t *testing.T) {
		admin := o.PBX.Site().Admin
		at := door{o.PBX.AMI(), func(string) (user, secret string) { return admin.User, admin.Password }}
		desks(&office{T: t, company: o.company, ctx: t.Context(), log: o.log}, from, at, func(d *desk) {
			d.atAsterisk()
			d.isTold()
		})
	})
	openOn(o, func(c *agent.Config) { c.AMI.Listen = "127.0.0.1:0" })
	o.must(o.watch("irina").Until(o.ctx, "the lines are known", func(s *site.Stream) bool { return s.Lines["sales"].Known }))
	addr, err := o.agent.AMIAddress(o.ctx)
	o.must(err)
	for _, part := range []struct {
		name string
		run  func(*desk)
	}{
		{"a call is watched, listed and listened to", (*desk).atEarshot},
		{"a call that rings is taken", (*desk).takes},
		{"a colleague is called", (*desk).dialsOut},
		{"what becomes of a call is told", (*desk).isTold},
	} {
		t.Run(part.name, func(t *testing.T) {
			desks(&office{T: t, company: o.company, ctx: t.Context(), agent: o.agent, log: o.log}, from, door{addr, o.own}, part.run)
		})
	}
}

// Each library connects again when Earshot comes back: by itself, but for Telephony::Asterisk::AMI, which says that the connection is gone and is
// then told to.
func TestAMILibrariesComeBackAfterARestart(t *testing.T) {
	o, from := enterWithPanel(t), libraries(t, amiclient.Libraries)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	o.must(err)
	addr := l.Addr().String() // which both Earshots have in turn
	o.must(l.Close())
	text, err := os.ReadFile(o.Path("earshot.yaml"))
	o.must(err)
	o.must(o.Write("earshot.yaml", string(text)+fmt.Sprintf("ami: {listen: %q}\n", addr)))
	o.Cleanup(func() { o.must(o.Write("earshot.yaml", string(text))) })
	program := o.start()
	var clients []*amiclient.Client
	var since []library.Seen
	for _, library := range from.Libraries {
		d := &desk{office: o, door: door{addr, o.own}, from: from, library: library}
		c := d.begin()
		o.must(c.Connect(o.ctx, amiclient.Login{Addr: addr, User: "irina", Secret: o.tokens["irina"], Again: true}))
		d.does(c, action("Ping"))
		clients, since = append(clients, c), append(since, c.Seen())
	}
	program.Stop()
	o.start()
	ctx, cancel := context.WithTimeout(o.ctx, time.Minute) // asterisk-manager waits ten seconds
	defer cancel()
	for i, c := range clients {
		o.must(c.Back(ctx, since[i]))
		d := &desk{office: o, library: c.Library}
		d.rows(c, "CoreShowChannel", action("CoreShowChannels"))
	}
}
