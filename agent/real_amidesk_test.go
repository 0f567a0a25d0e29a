//go:build clients

package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/amiclient"
	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// libraries gets the libraries for one test.
func libraries(t *testing.T, these []library.Library) *library.Installation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // the first time on a machine downloads them
	defer cancel()
	in, err := library.Install(ctx, "../testdata/clients", these)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// door is where a library logs in.
type door struct {
	addr    string
	account func(who string) (user, secret string)
}

// desk is a library in the hands of a test, with the company behind the door.
type desk struct {
	*office
	door
	from    *library.Installation
	library library.Library
}

// begin starts the library for somebody.
func (d *desk) begin() *amiclient.Client {
	d.Helper()
	return &amiclient.Client{Process: starts(d.office, d.from, d.library)}
}

// starts starts a library for a scene.
func starts(o *office, from *library.Installation, l library.Library) *library.Process {
	o.Helper()
	p, err := from.Start(o.ctx, l)
	o.must(err)
	o.Cleanup(func() {
		if err := p.Close(); err != nil {
			o.Error(err)
		}
	})
	return p
}

// login starts it and logs somebody in.
func (d *desk) login(who string) *amiclient.Client {
	d.Helper()
	c := d.begin()
	user, secret := d.account(who)
	d.must(c.Connect(d.ctx, amiclient.Login{Addr: d.addr, User: user, Secret: secret}))
	return c
}

// action writes an action: its name, and name and value of each header.
func action(name string, headers ...string) map[string]string {
	a := map[string]string{"Action": name}
	for i := 0; i+1 < len(headers); i += 2 {
		a[headers[i]] = headers[i+1]
	}
	return a
}

// does sends an action that is to succeed.
func (d *desk) does(c *amiclient.Client, a map[string]string) {
	d.Helper()
	got, err := c.Do(d.ctx, a)
	d.must(err)
	if !got.OK {
		d.Fatalf("%v: refused: %v", a, got.Fields)
	}
}

// becomes sends an Originate that goes on by itself, and waits for what becomes of it: some libraries hand that over with the answer, others as an event.
func (d *desk) becomes(c *amiclient.Client, a map[string]string) amiclient.Fields {
	d.Helper()
	since := c.Seen()
	got, err := c.Do(d.ctx, a)
	d.must(err)
	if !got.OK {
		d.Fatalf("%v: refused: %v", a, got.Fields)
	}
	for _, e := range got.Rows {
		return e
	}
	e, err := c.WaitEvent(d.ctx, since, "it is told what becomes of the Originate", func(e amiclient.Fields) bool {
		return e["event"] == "OriginateResponse" && e["actionid"] == got.Fields["actionid"]
	})
	d.must(err)
	return e
}

// fails sends an action that is to be refused with words, which the library has to hand over as an error.
func (d *desk) fails(c *amiclient.Client, words string, a map[string]string) {
	d.Helper()
	got, err := c.Do(d.ctx, a)
	d.must(err)
	if got.OK || got.Fields["response"] != "Error" || got.Message() == "" || !strings.Contains(got.Message(), words) {
		d.Errorf("%v: the answer is %v, and not an error that says %q", a, got.Fields, words)
	}
}

// rows asks for a list and returns the rows that are events of a name.
func (d *desk) rows(c *amiclient.Client, event string, a map[string]string) (found []amiclient.Fields) {
	d.Helper()
	got, err := c.List(d.ctx, a)
	d.must(err)
	if !got.OK {
		d.Fatalf("%v: refused: %v", a, got.Fields)
	}
	for _, row := range got.Rows {
		if row["event"] == event {
			found = append(found, row)
		}
	}
	return found
}

// theRow is the only row of a list that fits.
func (d *desk) theRow(rows []amiclient.Fields, fits func(amiclient.Fields) bool) amiclient.Fields {
	d.Helper()
	fitting := slices.DeleteFunc(slices.Clone(rows), func(f amiclient.Fields) bool { return !fits(f) })
	if len(fitting) != 1 {
		d.Fatalf("%d rows fit, of %v", len(fitting), rows)
	}
	return fitting[0]
}

// on finds what is about a phone's channel.
func on(phone string) func(amiclient.Fields) bool {
	return func(f amiclient.Fields) bool { return strings.HasPrefix(f["channel"], phone+"-") }
}

// chapter is what an event tells of a phone's channel, in a word; empty for other events.
func chapter(phone string, e amiclient.Fields) string {
	switch is := on(phone)(e); {
	case is && e["event"] == "Newstate":
		return e["channelstatedesc"]
	case is && !strings.HasPrefix(e["event"], "Dial"):
		return e["event"]
	case strings.HasPrefix(e["destchannel"], phone+"-"):
		return e["event"]
	}
	return ""
}

// story is what is told of a phone that rings, answers and hangs up, in this order, among other things. DialBegin is in it before Up: whether
// before or after Ringing is not certain with Asterisk either, where the phone's answer overtakes it now and then.
var story = []string{"Newchannel", "Ringing", "Up", "BridgeEnter", "BridgeLeave", "Hangup"}

// lacks is the first of some chapters that was not told after those before it; empty when all were.
func lacks(told []string, chapters ...string) string {
	for _, c := range chapters {
		i := slices.Index(told, c)
		if i < 0 {
			return c
		}
		told = told[i+1:]
	}
	return ""
}

// tells waits until the story of a phone's call has come to a chapter, and fails when those up to it have not come in order.
func (d *desk) tells(c *amiclient.Client, since library.Seen, phone, last string) {
	d.Helper()
	_, err := c.WaitEvent(d.ctx, since, phone+" is told to "+last, func(e amiclient.Fields) bool { return chapter(phone, e) == last })
	d.must(err)
	var told []string
	for _, e := range c.Events(since) {
		if w := chapter(phone, e); w != "" {
			told = append(told, w)
		}
	}
	missing := lacks(told, story[:slices.Index(story, last)+1]...)
	if missing == "" && last == "Hangup" {
		missing = lacks(told, "Newchannel", "DialBegin", "Up")
	}
	if missing != "" {
		d.Errorf("of the call on %s it was told %v; %s is missing or out of place", phone, told, missing)
	}
}

// shows reports whether anything that a library has handed over tells who somebody outside is.
func shows(c *amiclient.Client, who caller, name string) bool {
	text := c.Text()
	return strings.Contains(text, who.number[1:]) || strings.Contains(text, who.name) || strings.Contains(text, name)
}

// plays is a call of vera's to anna, told to each client; while they talk, talking is done.
func (d *desk) plays(talking func(inside *phone.Call), watchers ...*amiclient.Client) {
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
		d.tells(c, since[i], "PJSIP/101", "BridgeEnter")
	}
	talking(inside)
	d.must(inside.Hangup(d.ctx))
	for i, c := range watchers {
		d.tells(c, since[i], "PJSIP/101", "Hangup")
	}
}

// lists asks for the lists while anna talks and looks for her in them.
func (d *desk) lists(c *amiclient.Client, named ...string) (channel, connected string) {
	d.Helper()
	row := d.theRow(d.rows(c, "CoreShowChannel", action("CoreShowChannels", named...)), on("PJSIP/101"))
	if row["channelstatedesc"] != "Up" || row["calleridnum"] != "101" || row["bridgeid"] == "" {
		d.Errorf("the row of CoreShowChannels is %v", row)
	}
	status := d.theRow(d.rows(c, "Status", action("Status", named...)), on("PJSIP/101"))
	for _, name := range []string{"channel", "uniqueid", "channelstatedesc", "connectedlinenum"} {
		if status[name] != row[name] {
			d.Errorf("of %s Status says %q and CoreShowChannels %q", name, status[name], row[name])
		}
	}
	return row["channel"], row["connectedlinenum"]
}

// queues asks for the lines.
func (d *desk) queues(c *amiclient.Client) {
	d.Helper()
	got, err := c.List(d.ctx, action("QueueStatus"))
	d.must(err)
	d.theRow(got.Rows, func(f amiclient.Fields) bool { return f["event"] == "QueueParams" && f["queue"] == "sales" })
	for _, phone := range []string{"PJSIP/101", "PJSIP/102"} {
		d.theRow(got.Rows, func(f amiclient.Fields) bool {
			return f["event"] == "QueueMember" && f["queue"] == "sales" && (f["location"] == phone || f["interface"] == phone)
		})
	}
}

// wrong logs in with a secret that is not the account's.
func (d *desk) wrong(who string) {
	d.Helper()
	user, _ := d.account(who)
	err := d.begin().Connect(d.ctx, amiclient.Login{Addr: d.addr, User: user, Secret: "mistaken"})
	if refused := new(library.Refused); !errors.As(err, &refused) || !strings.Contains(refused.Why, "Authentication failed") {
		d.Errorf("a wrong secret: %v", err)
	}
}

// boots waits for FullyBooted, by which a client knows that it may begin. asterisk-ami-client loses what comes in one piece with the answer to its
// log-in, at Asterisk too.
func (d *desk) boots(c *amiclient.Client) {
	d.Helper()
	if d.library.Name == "asterisk-ami-client" {
		return
	}
	_, err := c.WaitEvent(d.ctx, 0, "it is told FullyBooted", func(e amiclient.Fields) bool { return e["event"] == "FullyBooted" })
	d.must(err)
}

// leaves logs off.
func (d *desk) leaves(c *amiclient.Client) {
	d.Helper()
	word, err := c.Leave(d.ctx)
	d.must(err)
	if word != "Goodbye" {
		d.Errorf("it is let go with %q", word)
	}
}

// stays makes sure that a phone is not on the PBX.
func (d *desk) stays(phone string) {
	d.Helper()
	channels, err := d.admin.ListChannels(d.ctx)
	d.must(err)
	for _, c := range channels {
		if strings.HasPrefix(c.Name, phone+"-") {
			d.Errorf("%s rings or talks", phone)
		}
	}
}
