package pbx

import (
	"fmt"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/ari"
)

// Of the steps of the dialplan those are handed on that somebody wants to be told of, and the next one of that leg.
func TestOnlyTheStepsThatSomebodyWantsAreHandedOn(t *testing.T) {
	s := &sink{}
	p := newPlayer(t)
	p.link.cfg.Sink = s
	take := func(kind, leg, app string) {
		p.link.take(&ari.Event{Type: kind, Channel: &ari.Channel{ID: leg, Name: "PJSIP/101-" + leg, Dialplan: ari.Dialplan{AppName: app, Exten: "9"}}}, nil)
	}
	take(ari.TypeChannelDialplan, "1", "Record")
	if len(s.ingested) > 0 {
		t.Errorf("nobody wants to be told, and it was: %v", s.ingested)
	}
	p.link.cfg.Tells = func(app string) bool { return app == "Record" }
	for _, app := range []string{"Answer", "Record", "Wait", "Hangup", "Record"} {
		take(ari.TypeChannelDialplan, "1", app)
		take(ari.TypeChannelDialplan, "2", "Wait")
	}
	take(ari.TypeChannelDestroyed, "1", "")
	take(ari.TypeChannelDialplan, "1", "Wait") // another one, by the same id
	var got []string
	for _, ev := range s.ingested {
		got = append(got, fmt.Sprint(ev.Kind, " ", ev.Channel.ID, " ", ev.Channel.App))
	}
	if want := []string{"app began 1 Record", "app began 1 Wait", "app began 1 Record", "leg gone 1 "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever wants to be told of none has Asterisk send none.
func TestTheDialplanIsListenedToOnlyWhereSomebodyWantsIt(t *testing.T) {
	for wants, want := range map[bool][]string{false: {"ChannelVarset", "ChannelDialplan"}, true: {"ChannelVarset"}} {
		p := newPlayer(t)
		if wants {
			p.link.cfg.Tells = func(string) bool { return true }
		}
		if got := p.link.disallowed(); !slices.Equal(got, want) {
			t.Errorf("%v: %q", wants, got)
		}
	}
}
