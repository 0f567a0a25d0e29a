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
	// Of whom nobody knows what he does nobody says that he is idle, or since when.
	r.Unknown = true
	if r.Sum(at(1)); r.State != mask.Unknown || r.Since != nil {
		t.Errorf("%+v", r)
	}
	r.Calls = []mask.View{{State: mask.Held, Since: at(2)}}
	if r.Sum(at(1)); r.State != mask.Held || r.Since == nil || !r.Since.Equal(at(2)) {
		t.Errorf("%+v", r)
	}
}

// A row of the journal that is not for a reader is what the board showed him, whatever else is known of it.
func TestARowOfTheJournalHoldsWhatItsSightAdmits(t *testing.T) {
	f := mask.PastFacts{
		Employee: "anna", Direction: call.In, Outcome: "elsewhere", Began: began, Ended: began.Add(20 * time.Second), Kind: mask.External,
		Parties: []mask.Party{{Number: "+79161234567", Name: "Ivanov"}, {Employee: "boris"}}, Dialled: "74950000101", Line: "support",
		Transfers: []mask.JournalTransfer{{At: began, By: "employee"}}, Told: []mask.Supervised{{ID: "s1", By: "dora", Since: began}},
	}
	const base = `{"id":"h","employee":"anna","direction":"in","outcome":"missed","began":"2026-10-01T09:00:01Z","ended":"2026-10-01T09:00:21Z","wait":20,"talk":0,"hidden":true`
	for s, want := range map[mask.Sight]string{0: base + `}`, 77: base + `}`, mask.Kind: base + `,"kind":"external"}`} {
		got, err := json.Marshal(mask.OfPast(&f, s, "h"))
		if err != nil || string(got) != want {
			t.Errorf("sight %d: %s, %v, want %s", s, got, err, want)
		}
	}
	seen, err := json.Marshal(mask.OfPast(&f, mask.Seen, "h"))
	if err != nil || !strings.Contains(string(seen), `"outcome":"elsewhere"`) || !strings.Contains(string(seen), "Ivanov") || strings.Contains(string(seen), "dora") || strings.Contains(string(seen), "74950000101") {
		t.Errorf("%s, %v", seen, err)
	}
	own, err := json.Marshal(mask.OfPast(&f, mask.Own, "h"))
	if err != nil || !strings.Contains(string(own), "dora") || !strings.Contains(string(own), `"dialled":"74950000101"`) {
		t.Errorf("%s, %v", own, err)
	}
}
