package mask_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

var began = time.Date(2026, 10, 1, 12, 0, 1, 234_567_890, time.FixedZone("", 3*3600))

func TestAViewHoldsWhatItsSightAdmits(t *testing.T) {
	plain := mask.Facts{Direction: call.Out, Phase: call.PhaseHeld, Since: began, Peer: &mask.Party{Number: "+79161234567", Name: "Ivanov", Employee: "boris"}}
	ours := plain
	ours.Supervision = "s1"
	const base = `{"id":"h","direction":"out","state":"held","since":"2026-10-01T09:00:01Z"`
	for _, c := range []struct {
		name  string
		facts mask.Facts
		sight mask.Sight
		want  string
	}{
		{"the zero sight", plain, 0, base + `,"hidden":true}`},
		{"a sight that there is not", plain, 77, base + `,"hidden":true}`},
		{"seen", plain, mask.Seen, base + `,"peer":{"number":"+79161234567","name":"Ivanov","employee":"boris"}}`},
		{"own", plain, mask.Own, base + `,"peer":{"number":"+79161234567","name":"Ivanov","employee":"boris"}}`},
		{"seen, nobody there", mask.Facts{Direction: call.Out, Phase: call.PhaseHeld, Since: began}, mask.Seen, base + `}`},
		{"a supervision hidden", ours, mask.Hidden, base + `,"hidden":true}`},
		{"a supervision seen", ours, mask.Seen, base + `}`},
		{"a supervision of one's own", ours, mask.Own, base + `,"supervision":"s1"}`},
	} {
		got, err := json.Marshal(mask.Of(&c.facts, c.sight, "h"))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTheLiveliestCallSpeaksForTheEmployee(t *testing.T) {
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct{ states, want string }{
		{"", mask.Idle}, {"ringing", mask.Ringing}, {"ringing dialling", mask.Dialling}, {"dialling held", mask.Held},
		{"held talking ringing", mask.Talking}, {"talking talking", mask.Talking},
	} {
		r := mask.Row{}
		for i, s := range strings.Fields(c.states) {
			r.Calls = append(r.Calls, mask.View{State: s, Since: at(i)})
		}
		r.Sum(at(9))
		want := mask.Moment(at(9))
		for _, v := range r.Calls {
			if v.State == c.want {
				want = v.Since
				break
			}
		}
		if r.State != c.want || r.Since == nil || !r.Since.Equal(want) {
			t.Errorf("%q: %s since %v", c.states, r.State, r.Since)
		}
	}
	r := mask.Row{}
	if r.Sum(time.Time{}); r.State != mask.Idle || r.Since != nil {
		t.Errorf("%+v", r)
	}
}
