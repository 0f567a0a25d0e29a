package cluster

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A member is believed to live now only when what it shows was sealed with the key for its own place, is JSON, and names this run of this sidecar under its
// name; a hello that is no such thing changes nothing of what was known of it.
func FuzzHello(f *testing.F) {
	c := &Cluster{pbx: "pbx-a", me: incarnation{1}, now: time.Now, met: newCounters(), told: make(map[string]struct{}), keys: testKeys(f, strings.Repeat("k", MinKey))}
	c.cfg.Silence = time.Minute
	self, of := c.self().String(), incarnation{2}
	sealed := map[string]bool{} // with the key, for that place
	for _, plain := range []string{
		`{"met":{"pbx-a":"` + self + `"},"least":3}`, `{"met":{"pbx-a":"` + incarnation{3}.String() + `","pbx-c":"` + self + `"},"least":18446744073709551615}`, `{"met":{"PBX-A":"` + self + `"},"partial":true}`,
		`{"MET":{"pbx-a":"` + self + `"}}`, `{"met":["pbx-a"]}`, `{"met":null,"least":-1}`, `{}`, `null`, ``, `{"met":{"pbx-a":"` + self + `"}}x`, `{"met":{"pbx-a":"` + self + `","pbx-a":""}}`,
	} {
		s := c.keys.sealer(rowKind, "pbx-b", of)
		text := s.seal([]byte(plain), helloPlace)
		sealed[text] = true
		f.Add([]byte(plain), text+"x", "leg/1")
	}
	f.Fuzz(func(t *testing.T, plain []byte, raw, place string) {
		if sealed[raw] {
			return
		}
		s := c.keys.sealer(rowKind, "pbx-b", of)
		s.revision = 10
		p := &peer{name: "pbx-b", left: map[string]struct{}{}}
		if p.greet(c, raw); raw != "" && (p.good || p.echo || !p.alien) {
			t.Fatalf("%q is a hello", raw)
		}
		if p.greet(c, s.seal(plain, place)); place != helloPlace && (p.good || p.stands(c)) {
			t.Fatal("what was sealed for another place is a hello")
		}
		p.greet(c, s.seal(plain, helloPlace))
		var said map[string]json.RawMessage
		readable := json.Unmarshal(plain, &said) == nil
		names := false
		for name, raw := range said {
			var met map[string]json.RawMessage
			if text := ""; strings.EqualFold(name, "met") && json.Unmarshal(raw, &met) == nil && json.Unmarshal(met["pbx-a"], &text) == nil {
				names = names || text == self
			}
		}
		if p.good && !readable || p.good == p.alien || p.echo && !(names && p.good) || p.stands(c) != p.echo {
			t.Fatalf("%q: good %v, alien %v, echo %v, stands %v", plain, p.good, p.alien, p.echo, p.stands(c))
		}
		// By it alone no other's place is taken, and one that is not read takes away no row that is shown.
		if p.echo != (p.of == of) {
			t.Fatalf("%q: of %v", plain, p.of)
		}
		hello := s.seal([]byte(`{"met":{"pbx-a":"`+self+`"}}`), helloPlace)
		if p.greet(c, hello); !p.stands(c) || p.of != of {
			t.Fatalf("after %q a good one is not taken", plain)
		}
		if row, ok := p.take(c, "place", s.seal(writeRow("leg/1", plain), "place")); !ok || row.Key != "leg/1" || string(row.Value) != string(plain) {
			t.Fatal("a row is not taken")
		}
		if p.greet(c, raw); p.rows["place"] == nil || !p.rows["place"].shown {
			t.Fatalf("%q takes away a row", raw)
		}
		if row, ok := p.take(c, "other", raw); ok {
			t.Fatalf("%q is the row %q", raw, row.Key)
		}
	})
}
