package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ami"
)

// panel logs in to AMI: as an employee at Earshot's door, or past Earshot at the PBX.
func (o *office) panel(addr, username, secret string) *ami.Client {
	o.Helper()
	c, err := ami.Dial(o.ctx, ami.Config{Addr: addr, Username: username, Secret: ami.Secret(secret), PlainLogin: true})
	o.must(err)
	o.Cleanup(c.Close)
	return c
}

// scenery is what lists tell of phones and trunks, in words that do not rest on the ids of channels and bridges.
type scenery struct {
	o    *office
	c    *ami.Client
	told []string
	err  error // what is over between two questions
}

func lookAt(o *office, c *ami.Client) ([]string, error) {
	s := &scenery{o: o, c: c}
	s.calls(s.parked())
	s.bridges()
	s.queue("sales")
	for _, r := range s.list("DeviceStateList") {
		if id, ok := strings.CutPrefix(r.Get("Device"), "PJSIP/"); ok && slices.ContainsFunc(site.Employees, func(e struct{ ID, Phone string }) bool { return e.Phone == id }) {
			s.tell("device", id, r.Get("State"))
		}
	}
	slices.Sort(s.told)
	return s.told, s.err
}

func (s *scenery) tell(words ...string) { s.told = append(s.told, strings.Join(words, " ")) }

func (s *scenery) list(action string, headers ...string) []*ami.Message {
	m := ami.NewAction(action)
	for i := 0; i+1 < len(headers); i += 2 {
		m.Append(headers[i], headers[i+1])
	}
	rows, _, err := s.c.List(s.o.ctx, m)
	s.err = errors.Join(s.err, err)
	return rows
}

// endpoint is whose channel one is by its name.
func endpoint(name string) string { return name[:max(0, strings.LastIndexByte(name, '-'))] }

// endpoints are those of the channels in rows, in order.
func endpoints(rows []*ami.Message) string {
	var in []string
	for _, r := range rows {
		in = append(in, endpoint(r.Get("Channel")))
	}
	slices.Sort(in)
	return strings.Join(in, " ")
}

// calls tells of channels. One that is parked is connected with nobody to Earshot, and to Asterisk with whom it was last.
func (s *scenery) calls(parked []string) {
	linked := map[string][]*ami.Message{}
	for _, r := range s.list("CoreShowChannels") {
		name, app := endpoint(r.Get("Channel")), r.Get("Application")
		if !strings.HasPrefix(name, "PJSIP/") {
			continue // the PBX's own: what announces in a conference
		}
		if app != "ConfBridge" { // those in a conference are of one call to Earshot alone
			linked[r.Get("Linkedid")] = append(linked[r.Get("Linkedid")], r)
		}
		data, _, _ := strings.Cut(r.Get("ApplicationData"), ",")
		if app == "Dial" {
			data = ""
		}
		other := r.Get("ConnectedLineNum")
		if slices.Contains(parked, r.Get("Channel")) {
			other = "nobody"
		}
		s.tell("channel", name, r.Get("ChannelStateDesc"), r.Get("CallerIDNum"), other, app, data)
		for _, m := range s.list("CoreShowChannelMap", "Channel", r.Get("Channel")) {
			if mate := endpoint(m.Get("ConnectedChannel")); strings.HasPrefix(mate, "PJSIP/") {
				s.tell("map", name, mate)
			}
		}
	}
	for _, of := range linked {
		s.tell("linked", endpoints(of))
	}
}

func (s *scenery) bridges() {
	for _, b := range s.list("BridgeList") {
		// A lot's bridge stays when nobody is parked there any more.
		if in := endpoints(s.list("BridgeInfo", "BridgeUniqueid", b.Get("BridgeUniqueid"))); in != "" {
			s.tell("bridge", b.Get("BridgeType"), b.Get("BridgeCreator"), b.Get("BridgeName"), in)
		}
	}
	for _, r := range s.list("ConfbridgeListRooms") {
		s.tell("conference", r.Get("Conference"), r.Get("Parties"), endpoints(s.list("ConfbridgeList", "Conference", r.Get("Conference"))))
	}
}

// parked tells of who is parked, and returns their channels.
func (s *scenery) parked() (channels []string) {
	for _, r := range s.list("ParkedCalls") {
		s.tell("parked", endpoint(r.Get("ParkeeChannel")), r.Get("ParkeeCallerIDNum"), r.Get("Parkinglot"), r.Get("ParkingSpace"))
		channels = append(channels, r.Get("ParkeeChannel"))
	}
	return channels
}

func (s *scenery) queue(name string) {
	for _, r := range s.list("QueueStatus", "Queue", name) {
		switch string(r.Event()) {
		case "QueueParams":
			s.tell("queue", r.Get("Queue"), r.Get("Calls"))
		case "QueueMember":
			s.tell("member", r.Get("Location"), r.Get("Membership"), r.Get("Status"), r.Get("InCall"), r.Get("Paused"))
		case "QueueEntry":
			s.tell("waits", r.Get("Position"), endpoint(r.Get("Channel")), r.Get("CallerIDNum"))
		}
	}
}

// agree waits until two tell the same.
func (o *office) agree(when string, pbx, door *ami.Client) {
	o.Helper()
	look := func(c *ami.Client) func() ([]string, error) { return func() ([]string, error) { return lookAt(o, c) } }
	o.agreement(when, look(pbx), look(door))
}

// agreement waits until the PBX and a door say the same, line by line, in whatever order.
func (o *office) agreement(when string, pbx, door func() ([]string, error)) {
	o.Helper()
	last := ""
	o.until("both tell the same "+when, func() error {
		want, wrong := pbx()
		got, err := door()
		if err := errors.Join(err, wrong); err != nil {
			return fmt.Errorf("%w; before that %s", err, last)
		}
		var errs []string
		for _, line := range want {
			if !slices.Contains(got, line) {
				errs = append(errs, "not told: "+line)
			}
		}
		for _, line := range got {
			if !slices.Contains(want, line) {
				errs = append(errs, "told and not so: "+line)
			}
		}
		if len(errs) > 0 || len(want) != len(got) || len(want) < 20 {
			last = fmt.Sprintf("of %d and %d:\n%s", len(want), len(got), strings.Join(errs, "\n"))
			return errors.New(last)
		}
		return nil
	})
}

// To who sees everything Earshot's lists tell the same as the PBX's own.
func TestTheAMIDoorsListsTellWhatThePBXTells(t *testing.T) {
	o := openLines(t, func(c *agent.Config) {
		c.AMI.Listen, c.AMI.Actions = "127.0.0.1:0", agent.Rate{PerMinute: 1_000_000, Burst: 1_000_000} // it asks until both agree
	})
	addr, err := o.agent.AMIAddress(o.ctx)
	o.must(err)

	o.scene("calls of each sort", func(o *office) {
		account := o.PBX.Site().Admin
		pbx, door := o.panel(o.PBX.AMI(), account.User, account.Password), o.panel(addr, "irina", o.tokens["irina"])
		client := o.calls(vera, "101")
		inside := o.rings("anna")
		o.must(inside.Answer(o.ctx))
		o.together(client, inside)
		o.dials("sergei", "202")
		o.rings("olga")
		o.must(o.dials("pavel", "800").WaitAnswered(o.ctx))
		o.must(o.dials("maria", "800").WaitAnswered(o.ctx))
		out := o.dials("nina", pbxtest.PrefixOutside+stranger.number[1:])
		outside, err := o.Trunk.Incoming(o.ctx)
		o.must(err)
		o.must(outside.Answer(o.ctx))
		o.must(out.WaitAnswered(o.ctx))
		waiting := o.calls(oleg, "100")
		rung := o.rings("boris")
		_, err = waiting.WaitHears(o.ctx, phone.Music)
		o.must(err)
		o.agree("while a queue rings", pbx, door)
		o.must(rung.Answer(o.ctx))
		o.together(waiting, rung)
		o.agree("when the queue has brought him", pbx, door)
		o.must(inside.DTMF(o.ctx, pbxtest.FeaturePark))
		_, err = client.WaitHears(o.ctx, phone.Music)
		o.must(err)
		o.agree("while somebody is parked", pbx, door)
	})
}
