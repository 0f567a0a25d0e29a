package pbx

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Who comes to whose phone is one unique id and one endpoint. Nothing else leaves for Asterisk.
func TestACallerIsFetchedToOneEndpointAndNothingElse(t *testing.T) {
	p := newPlayer(t)
	for _, o := range []Fetch{
		{Caller: "1.1", Endpoint: "PJSIP/101&PJSIP/102"}, {Caller: "1.1", Endpoint: "PJSIP/101,20,U(x)"}, {Caller: "1.1", Endpoint: "PJSIP/${X}"},
		{Caller: "1.1", Endpoint: "Local/x@y"}, {Caller: "1.1,outside,911", Endpoint: "PJSIP/101"}, {Caller: "", Endpoint: "PJSIP/101"}, {Caller: "${X}", Endpoint: "PJSIP/101"},
	} {
		if err := p.link.Fetch(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "pbx: who is to be fetched") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	good := Fetch{Leg: Prefix + "x-take", Caller: "pbx_1-1.1", Endpoint: "PJSIP/front-desk_2.a", Display: call.Identity{Name: "Client"}}
	if err := p.link.Fetch(t.Context(), good); err == nil || strings.HasPrefix(err.Error(), "pbx:") {
		t.Errorf("one that is well: %v", err)
	}
}

// A caller may have dialled anything, and Goto reads where he goes on as arguments.
func TestAPlaceThatGotoMightReadOtherwiseIsNone(t *testing.T) {
	for _, c := range []struct {
		at   ari.Dialplan
		want string
	}{
		{ari.Dialplan{Context: "from-trunk", Exten: "+74950000100", Priority: 2}, "from-trunk,+74950000100,2"},
		{ari.Dialplan{Context: "ivr-1", Exten: "s", Priority: 17}, "ivr-1,s,17"},
		{ari.Dialplan{Context: "in", Exten: "*8#", Priority: 1}, "in,*8#,1"},
		{ari.Dialplan{Context: "in", Exten: "1,2", Priority: 1}, ""},
		{ari.Dialplan{Context: "in", Exten: "${X}", Priority: 1}, ""},
		{ari.Dialplan{Context: "in", Exten: "1)", Priority: 1}, ""},
		{ari.Dialplan{Context: "a b", Exten: "1", Priority: 1}, ""},
		{ari.Dialplan{Context: "in", Exten: "", Priority: 1}, ""},
		{ari.Dialplan{Context: "in", Exten: "1"}, ""},
	} {
		if got := placeOf(c.at); got != c.want {
			t.Errorf("%q %q %d: %q, want %q", c.at.Context, c.at.Exten, c.at.Priority, got, c.want)
		}
	}
}
