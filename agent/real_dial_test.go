package agent_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// dialRules give anna her own clients and colleagues, boris anybody, nina nobody.
const dialRules = `roles:
  seller: {intercept: true, dial: {clients: own, employees: true}}
  anyone: {dial: any}
assign:
  - {role: seller, to: [department:sales, sergei]}
  - {role: anyone, to: [olga]}
emergency: ["112"]
`

// clicks asks for a call and returns the refusal's code, or "" and waits for the own phone.
func (o *office) clicks(employee string, body map[string]string) (*phone.Call, string) {
	o.Helper()
	o.Phones[employee].SetReaction(phone.Reaction{Answer: true})
	if a := o.asks(employee, "/v1/calls", body); a.status != http.StatusCreated {
		var p site.Problem
		o.must(json.Unmarshal(a.body, &p))
		return nil, p.Code
	}
	return o.rings(employee), ""
}

// openToDial is open for tests of who may dial what: dialRules say it.
func openToDial(t *testing.T) *office {
	t.Helper()
	o := open(t)
	o.must(o.Edit("policy.yaml", `roles:
  seller: {intercept: true}
assign:
  - {role: seller, to: [department:sales, sergei]}
`, dialRules))
	o.reaches("earshot_policy_generation", 2)
	return o
}

func TestACallIsMadeFromOnesOwnPhoneAsThePolicyAllows(t *testing.T) {
	o := openToDial(t)

	o.scene("her own client, however the number is written", func(o *office) {
		for _, number := range []string{vera.number, "8 (916) 123-45-67"} {
			w := o.watch("irina")
			own, code := o.clicks("anna", map[string]string{"number": number})
			if own == nil {
				o.Fatalf("%s: refused with %s", number, code)
			}
			outside := o.called(vera)
			o.together(own, outside)
			o.must(w.Until(o.ctx, "irina sees her call out", func(s *site.Stream) bool {
				r := s.Rows["anna"]
				return r.State == "talking" && len(r.Calls) == 1 && r.Calls[0].Direction == "out" && r.Calls[0].Peer != nil && r.Calls[0].Peer.Name == "Vera Client"
			}))
			// It is a call like any other: it may be supervised.
			s, sup := o.supervises(w, "irina", "anna", "spy")
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {own.Tone(), outside.Tone()}})
			o.must(own.Hangup(o.ctx))
			o.over(w, s.ID, sup, "call_ended")
			o.must(outside.WaitEnded(o.ctx))
		}
	})
	o.scene("a colleague", func(o *office) {
		own, code := o.clicks("anna", map[string]string{"employee": "boris"})
		if own == nil {
			o.Fatal(code)
		}
		in := o.answers("boris")
		o.together(own, in)
		if got := in.Remote(); got.Number != "101" {
			o.Errorf("boris is shown %+v", got)
		}
	})
	o.scene("the rest of the world, and others' clients", func(o *office) {
		for number, want := range map[string]string{
			stranger.number: "not_client", oleg.number: "no_right", "9" + stranger.number[1:]: "bad_number", "*43": "bad_number", "Local/*43@phones": "bad_number",
		} {
			if own, code := o.clicks("anna", map[string]string{"number": number}); own != nil || code != want {
				o.Errorf("%s: %q, want %q", number, code, want)
			}
		}
		if own, code := o.clicks("nina", map[string]string{"number": "101"}); own != nil || code != "no_right" {
			o.Errorf("nina: %q", code)
		}
		if n := len(o.Phones["anna"].Calls()) + len(o.Phones["nina"].Calls()); n != 0 {
			o.Errorf("%d phones ring", n)
		}
		own, code := o.clicks("olga", map[string]string{"number": stranger.number})
		if own == nil {
			o.Fatal(code)
		}
		o.together(own, o.called(stranger))
	})
}
