package pbx

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

func started(app, id, name string, args ...string) *ari.Event {
	return &ari.Event{Type: ari.TypeStasisStart, Application: app, Args: args, Channel: &ari.Channel{ID: id, Name: name, State: ari.StateRing, Caller: ari.CallerID{Number: "103"}}}
}

// What the dialplan sends into the application is handed on with the endpoint of the channel's name. What another application gets, and what an
// order has made, is not.
func TestALegWithARequestIsHandedOn(t *testing.T) {
	p := newPlayer(t)
	p.link.cfg.Sink, p.link.log = &sink{}, zerolog.Nop()
	var asked []Request
	var entered []call.LegID
	p.link.cfg.Application = "earshot"
	p.link.cfg.Asked = func(r Request) { asked = append(asked, r) }
	p.link.cfg.Entered = func(id call.LegID) { entered = append(entered, id) }
	for _, e := range []*ari.Event{
		started("earshot", "1.1", "PJSIP/101-00000001", "spy", "102"),
		started("other", "1.2", "PJSIP/101-00000002", "spy", "102"),
		started("earshot", "1.3", "PJSIP/101-00000003"),
		started("earshot", "1.4", "Local/101@phones-00000001;2", "group"),
		started("earshot", "1.5", "PJSIP/front-desk-00000004", "group"),
		started("earshot", Prefix+"a", "PJSIP/103-00000005"),
		started("earshot", Prefix+"b-call", "PJSIP/103-00000006", "dial", "112"),
	} {
		p.link.take(e, nil)
	}
	want := []Request{
		{"1.1", "PJSIP/101", []string{"spy", "102"}}, {"1.3", "PJSIP/101", nil}, {"1.4", "", []string{"group"}}, {"1.5", "PJSIP/front-desk", []string{"group"}},
		{Prefix + "b-call", "PJSIP/103", []string{"dial", "112"}},
	}
	if !reflect.DeepEqual(asked, want) || !reflect.DeepEqual(entered, []call.LegID{Prefix + "a"}) {
		t.Errorf("asked %v, entered %v", asked, entered)
	}
}

func TestAKeyIsHandedOnOnceTheStateIsKnown(t *testing.T) {
	p := newPlayer(t)
	p.link.cfg.Sink = &sink{}
	var pressed []string
	p.link.cfg.Pressed = func(id call.LegID, key string) { pressed = append(pressed, fmt.Sprint(id, " ", key)) }
	e := &ari.Event{Type: ari.TypeChannelDTMFReceived, Digit: "5", Channel: &ari.Channel{ID: "1.1", Name: "PJSIP/101-00000001"}}
	p.link.known.Store(false)
	p.link.take(e, nil)
	p.link.known.Store(true)
	p.link.take(e, nil)
	if !reflect.DeepEqual(pressed, []string{"1.1 5"}) {
		t.Error(pressed)
	}
}

// A leg is sent to one extension, and PickupChan gets one unique id. Nothing else leaves for Asterisk.
func TestALegIsSentToAnExtensionAndNothingElse(t *testing.T) {
	p := newPlayer(t)
	for _, o := range []Send{
		{Leg: "1.1", Extension: "refused"}, {Leg: "1.1", Context: "earshot"}, {Leg: "1.1", Context: "earshot", Extension: "a,b"}, {Leg: "1.1", Context: "earshot", Extension: "${X}"},
		{Leg: "1.1", Context: "earshot", Extension: "1 2"}, {Leg: "1.1", Context: "earshot", Extension: "1@b"},
		{Leg: "1.1", Context: "earshot", Extension: "pickup", Ringing: "pbx-1.2"}, {Leg: "1.1", Context: "earshot", Extension: "pickup", Ringing: "1.2,p"},
	} {
		if err := p.link.Send(t.Context(), o); err == nil {
			t.Errorf("%+v was sent", o)
		} else if refused := (*ari.RequestError)(nil); errors.As(err, &refused) {
			t.Errorf("%+v: Asterisk was asked", o)
		}
	}
}

// Who is handed back, and where, is one unique id and one endpoint. Nothing else leaves for Asterisk.
func TestALegIsReturnedToOneEndpointAndNothingElse(t *testing.T) {
	p := newPlayer(t)
	for _, o := range []Return{
		{Leg: "1.1", Endpoint: "PJSIP/101&PJSIP/102"}, {Leg: "1.1", Endpoint: "PJSIP/101,20,U(x)"}, {Leg: "1.1", Endpoint: "PJSIP/${X}"}, {Leg: "1.1", Endpoint: "PJSIP"},
		{Leg: "1.1", Endpoint: "PJSIP/101/sip:x"}, {Leg: "1.1", Endpoint: "PJSIP/101@trunk"}, {Leg: "1.1", Endpoint: "Local/x@y"}, {Leg: "1.1", Endpoint: "/101"}, {Leg: "1.1", Endpoint: "PJSIP/"},
		{Leg: "1.1,outside,911", Endpoint: "PJSIP/101"}, {Leg: "", Endpoint: "PJSIP/101"}, {Leg: "${X}", Endpoint: "PJSIP/101"},
	} {
		if err := p.link.Return(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "pbx: who is to be handed back") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	good := Return{Leg: "pbx_1-1.1", Endpoint: "PJSIP/front-desk_2.a", Mover: Prefix + "x-back"}
	if err := p.link.Return(t.Context(), good); err == nil || strings.HasPrefix(err.Error(), "pbx:") {
		t.Errorf("one that is well: %v", err)
	}
}
