package agent_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// stasis is an application of an employee's at the ARI door.
type stasis struct {
	*rest
	told *follower
}

const stasisName = "desk"

// applies opens an employee's application.
func (o *office) applies(employee string) *stasis {
	o.Helper()
	addr, err := o.agent.ARIAddress(o.ctx)
	o.must(err)
	base := "http://" + addr + "/ari"
	return &stasis{&rest{o, base, employee, o.tokens[employee]}, o.follows(base, stasisName, employee, o.tokens[employee])}
}

// asks is what is answered to a request; pairs are its parameters.
func (s *stasis) asks(method, path string, pairs ...string) (status int, answer object) {
	s.o.Helper()
	between := "?"
	for i := 0; i+1 < len(pairs); i += 2 {
		path += between + pairs[i] + "=" + url.QueryEscape(pairs[i+1])
		between = "&"
	}
	status, body, err := s.get(method, path)
	s.o.must(err)
	if body != "" {
		s.o.must(json.Unmarshal([]byte(body), &answer))
	}
	return status, answer
}

// does asks for what is to be done, and returns the id in the answer.
func (s *stasis) does(method, path string, pairs ...string) string {
	s.o.Helper()
	status, answer := s.asks(method, path, pairs...)
	if status >= 300 {
		s.o.Fatalf("%s %s %v: %d %v", method, path, pairs, status, answer)
	}
	return answer.at("id")
}

// fails asks for what is to be refused.
func (s *stasis) fails(want int, method, path string, pairs ...string) {
	s.o.Helper()
	if status, answer := s.asks(method, path, pairs...); status != want || answer.at("message") == "" {
		s.o.Errorf("%s %s %v: %d %v where %d belongs", method, path, pairs, status, answer, want)
	}
}

// hears of an event about a channel.
func (s *stasis) hears(kind, channel string) {
	s.o.Helper()
	s.o.until(kind+" of "+channel+" is told", func() error {
		if !s.wasTold(kind, channel) {
			return fmt.Errorf("told is %v", s.told.events())
		}
		return nil
	})
}

func (s *stasis) wasTold(kind, channel string) bool {
	return slices.ContainsFunc(s.told.events(), func(e object) bool { return e.at("type") == kind && e.at("channel", "id") == channel })
}

// channelOf is the id that a phone's only channel is shown under.
func (s *stasis) channelOf(endpointName string) (id string) {
	s.o.Helper()
	s.o.until(endpointName+" is on the list", func() error {
		status, body, err := s.get(http.MethodGet, "/channels")
		if err != nil {
			return err
		}
		var all []object
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			return err
		}
		for _, c := range all {
			if endpoint(c.at("name")) == endpointName {
				id = c.at("id")
				return nil
			}
		}
		return fmt.Errorf("%d: %s", status, body)
	})
	return id
}

// takesIn has an employee's own phone rung and answer.
func (s *stasis) takesIn(employee string) (leg string, call *phone.Call) {
	s.o.Helper()
	p := s.o.Phones[employee]
	p.SetReaction(phone.Reaction{Answer: true})
	leg = s.does(http.MethodPost, "/channels", "endpoint", "PJSIP/"+p.User(), "app", stasisName)
	call = s.o.rings(employee)
	s.hears("StasisStart", leg)
	return leg, call
}

// snoops asks for a snoop that hears all.
func (s *stasis) snoops(channel, whisper string) string {
	s.o.Helper()
	snoop := s.does(http.MethodPost, "/channels/"+channel+"/snoop", "spy", "both", "whisper", whisper, "app", stasisName)
	s.hears("StasisStart", snoop)
	return snoop
}

// openStasis starts an Earshot with an ARI door, and listens to what it asks of the PBX.
func openStasis(t *testing.T) (o *office, tap *wiretap) {
	t.Helper()
	tap, configure := taps(t)
	return open(t, configure, func(c *agent.Config) { c.ARI.Listen = "127.0.0.1:0" }), tap
}

// A client that steers calls itself has its employee listen by a snoop and one of his own phones: in the order that it likes, and as he may.
func TestAClientOfItsOwnListensByASnoop(t *testing.T) {
	o, tap := openStasis(t)
	o.scene("own phone first, each way to whisper", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		irina := o.applies("irina")
		channel := irina.channelOf("PJSIP/101")
		leg, sup := irina.takesIn("irina")
		bridge := irina.does(http.MethodPost, "/bridges", "type", "mixing")
		irina.does(http.MethodPost, "/bridges/"+bridge+"/addChannel", "channel", leg)
		irina.hears("ChannelEnteredBridge", leg)
		for _, as := range []struct{ whisper, mode string }{{"none", "spy"}, {"out", "whisper"}, {"both", "barge"}} {
			snoop := irina.snoops(channel, as.whisper)
			irina.does(http.MethodPost, "/bridges/"+bridge+"/addChannel", "channel", snoop)
			irina.hears("ChannelEnteredBridge", snoop)
			goes := voiced[as.mode]
			o.hear(proof, map[*phone.Call][]phone.Tone{
				sup: {inside.Tone(), outside.Tone()}, inside: with(sup.Tone(), goes.target, outside.Tone()), outside: with(sup.Tone(), goes.peer, inside.Tone()),
			})
			irina.does(http.MethodDelete, "/channels/"+snoop)
			irina.hears("StasisEnd", snoop)
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
		if sup.State() != phone.Up || irina.wasTold("StasisEnd", leg) {
			o.Errorf("her own phone, which nobody has hung up, is %v", sup.State())
		}
		irina.does(http.MethodDelete, "/bridges/"+bridge)
		irina.does(http.MethodDelete, "/channels/"+leg)
		o.must(sup.WaitEnded(o.ctx))
		irina.hears("StasisEnd", leg)
		irina.hears("ChannelDestroyed", leg)
	})
	o.scene("snoop first, until the policy changes", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		irina := o.applies("irina")
		snoop := irina.snoops(irina.channelOf("PJSIP/101"), "none")
		leg, sup := irina.takesIn("irina")
		bridge := irina.does(http.MethodPost, "/bridges", "type", "mixing")
		irina.does(http.MethodPost, "/bridges/"+bridge+"/addChannel", "channel", snoop+","+leg)
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: {outside.Tone()}, outside: {inside.Tone()}})
		since := time.Now()
		o.must(o.Edit("policy.yaml", grant, noGrant))
		irina.hears("StasisEnd", snoop)
		if took := time.Since(since); took > time.Second {
			o.Errorf("the snoop's end was told %v after the policy was saved", took)
		}
		irina.fails(http.StatusForbidden, http.MethodPost, "/channels/"+irina.channelOf("PJSIP/101")+"/snoop", "spy", "both", "app", stasisName)
		o.hear(proof, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
		for _, tone := range []phone.Tone{inside.Tone(), outside.Tone()} {
			if late := sup.LastHeard(tone).Sub(since); late > time.Second {
				o.Errorf("%v was heard until %v after the policy was saved", tone, late)
			}
		}
		if status, c := irina.asks(http.MethodGet, "/channels/"+leg); status != http.StatusOK || c.at("state") != "Up" || sup.State() != phone.Up || irina.wasTold("StasisEnd", leg) {
			o.Errorf("her own phone's channel is %d %v", status, c)
		}
		irina.does(http.MethodDelete, "/bridges/"+bridge)
		irina.does(http.MethodDelete, "/channels/"+leg)
		o.must(sup.WaitEnded(o.ctx))
		o.must(o.Edit("policy.yaml", noGrant, grant))
	})
	o.scene("who may not", func(o *office) {
		_, inside := o.talk(vera, "anna")
		irina, nina := o.applies("irina"), o.applies("nina")
		shown, hidden := irina.channelOf("PJSIP/101"), nina.channelOf("PJSIP/101")
		leg, own := nina.takesIn("nina")
		before := tap.count()
		for _, whisper := range []string{"none", "out", "both"} {
			nina.fails(http.StatusForbidden, http.MethodPost, "/channels/"+hidden+"/snoop", "spy", "both", "whisper", whisper, "app", stasisName)
			nina.fails(http.StatusNotFound, http.MethodPost, "/channels/"+shown+"/snoop", "spy", "both", "whisper", whisper, "app", stasisName)
		}
		for _, way := range [][2]string{{"in", "none"}, {"none", "out"}, {"both", "in"}} {
			irina.fails(http.StatusBadRequest, http.MethodPost, "/channels/"+shown+"/snoop", "spy", way[0], "whisper", way[1], "app", stasisName)
		}
		nina.fails(http.StatusBadRequest, http.MethodPost, "/channels", "endpoint", "PJSIP/103", "app", stasisName) // another's phone
		if asked := tap.orders(before); len(asked) != 0 {
			o.Errorf("the PBX was given orders for what is refused: %v", asked)
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{inside: {vera.tone}})
		if !own.LastHeard(inside.Tone()).IsZero() || !own.LastHeard(vera.tone).IsZero() {
			o.Error("nina has heard them")
		}
		before = tap.count()
		nina.does(http.MethodDelete, "/channels/"+leg)
		o.must(own.WaitEnded(o.ctx))
		if len(tap.orders(before)) == 0 {
			o.Error("an order was not seen, so that none would say nothing")
		}
	})
	o.scene("a call that rings is taken by the code", func(o *office) {
		gleb, nina := o.applies("gleb"), o.applies("nina")
		outside := o.calls(vera, "101")
		o.rings("anna")
		_, err := o.watch("gleb").UntilState(o.ctx, "anna", "ringing") // her phone may know before Earshot does
		o.must(err)
		pickup := func(phone string) []string {
			return []string{"endpoint", "PJSIP/" + phone, "extension", "*53101", "context", "phones", "priority", "1"}
		}
		o.Phones["gleb"].SetReaction(phone.Reaction{Answer: true})
		nina.fails(http.StatusForbidden, http.MethodPost, "/channels", pickup("302")...)
		gleb.does(http.MethodPost, "/channels", pickup("303")...)
		o.together(outside, o.rings("gleb"))
		if len(o.Phones["nina"].Calls()) != 0 {
			o.Error("nina's phone has rung")
		}
	})
}
