package gate_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// told lets a gate that is alone in its cluster be told what a PBX b shows.
func told(t testing.TB, text string, change ...func(*gate.Config)) (o *office, tell func(shown ...string)) {
	c := newFakeCluster(t)
	o = c.office(t, "a", text, change...)
	return o, func(shown ...string) {
		n := gate.News{PBX: "b", Known: true}
		for i := 0; i < len(shown); i += 2 {
			s := gate.Shown{Key: shown[i]}
			if shown[i+1] != "" {
				s.Value = []byte(shown[i+1])
			}
			n.Shown = append(n.Shown, s)
		}
		o.gate.Elsewhere(n)
	}
}

const (
	thereKnown = `{"v":1,"known":true}`
	fayTalks   = `{"v":1,"e":"fay","d":"in","ph":"talking","o":"o","p":{"n":"+78120000000","m":"Mr X"},"in":["fay"],"no":["106","+78120000000"]}`
)

func TestWhatCannotBeReadMakesItsEmployeeUnknown(t *testing.T) {
	count := func(r *prometheus.Registry) float64 {
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "earshot_elsewhere_unread_total" {
				return f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		return -1
	}
	for name, c := range map[string]struct{ key, value, fay, dora string }{
		"nothing wrong":            {"leg/1", fayTalks, "talking", "idle"},
		"another version":          {"leg/1", strings.Replace(fayTalks, `"v":1`, `"v":2,"new":7`, 1), "unknown", "idle"},
		"a member too many":        {"leg/1", strings.Replace(fayTalks, `"v":1`, `"v":1,"w":1`, 1), "unknown", "idle"},
		"text behind it":           {"leg/1", fayTalks + "{}", "unknown", "unknown"},
		"no phase":                 {"leg/1", strings.Replace(fayTalks, "talking", "asleep", 1), "unknown", "idle"},
		"no direction":             {"leg/1", strings.Replace(fayTalks, `"in"`, `"inn"`, 1), "unknown", "idle"},
		"a kind":                   {"leg/1", strings.Replace(fayTalks, `"ph"`, `"k":"love","ph"`, 1), "unknown", "idle"},
		"a peer and no leg of his": {"leg/1", strings.Replace(fayTalks, `"o":"o",`, "", 1), "unknown", "idle"},
		"an id of two parts":       {"leg/1\x00b", fayTalks, "unknown", "idle"},
		"no id":                    {"leg/", fayTalks, "unknown", "idle"},
		"another's leg":            {"leg/1", strings.Replace(fayTalks, `"o":"o"`, `"o":"c\u0000o"`, 1), "unknown", "idle"},
		"no form":                  {"leg/1", `[1]`, "unknown", "unknown"},
		"nothing":                  {"leg/1", ` `, "unknown", "unknown"},
		"nobody's":                 {"leg/1", strings.Replace(fayTalks, `"e":"fay",`, "", 1), "unknown", "unknown"},
		"a stranger's":             {"leg/1", strings.Replace(fayTalks, `"e":"fay"`, `"e":"eve"`, 1), "idle", "idle"},
		"more than may be":         {"leg/1", strings.Replace(fayTalks, "Mr X", strings.Repeat("X", 70_000), 1), "unknown", "unknown"},
		"of no kind":               {"gel/1", fayTalks, "idle", "idle"},
		"a state of its own":       {"state", `{"v":3,"known":true}`, "unknown", "unknown"},
		"and one that is longer":   {"state/1", `{"v":1,"known":false}`, "idle", "idle"},
	} {
		t.Run(name, func(t *testing.T) {
			met := prometheus.NewRegistry()
			o, tell := told(t, chain, func(c *gate.Config) { c.Metrics = gate.NewMetrics(met) })
			tell("state", thereKnown, c.key, c.value)
			states := func() string { return o.row("carl", "fay").State + " " + o.row("carl", "dora").State }
			if got := states(); got != c.fay+" "+c.dora {
				t.Errorf("%s", got)
			}
			bad := name != "nothing wrong" && name != "a stranger's"
			if got := count(met); (got == 1) != bad || got > 1 {
				t.Errorf("%v are counted", got)
			}
			// It lasts as long as it stands there.
			tell(c.key, "")
			tell("state", thereKnown)
			if got := states(); got != "idle idle" {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestNothingOfAnotherPBXIsTakenForALegHere(t *testing.T) {
	o, tell := told(t, strings.Replace(chain, "name: Fay, pbx: b,", "name: Fay,", 1))
	o.talk("x", other, "PJSIP/106")
	tell("state", thereKnown, "leg/x.1", fayTalks)
	r := o.row("carl", "fay")
	if len(r.Calls) != 2 || r.Calls[0].ID == r.Calls[1].ID {
		t.Fatalf("%+v", r.Calls)
	}
	o.hangUp("x")
	if r := o.row("carl", "fay"); len(r.Calls) != 1 || r.Calls[0].Peer.Name != "Mr X" {
		t.Fatalf("%+v", r.Calls)
	}
	// A leg here whose unique id looks like one there is nobody's.
	o.leg("b\x00x.1", "PJSIP/103", call.StateUp, "7")
	if r := o.row("carl", "carl"); len(r.Calls) != 0 {
		t.Fatalf("%+v", r.Calls)
	}
	// Nor does anybody speak for this PBX, or for none.
	for _, name := range []string{"a", "", "b\x00"} {
		o.gate.Elsewhere(gate.News{PBX: name, Known: true, Shown: []gate.Shown{{Key: "state", Value: []byte(thereKnown)}, {Key: "leg/9", Value: []byte(strings.Replace(fayTalks, "fay", "carl", 2))}}})
		if r := o.row("carl", "carl"); len(r.Calls) != 0 {
			t.Fatalf("%q: %+v", name, r.Calls)
		}
	}
}

func TestWhatAnotherPBXShowsTakesNoMoreMemoryThanItMay(t *testing.T) {
	o, tell := told(t, chain)
	tell("state", thereKnown, "leg/1", fayTalks)
	fill := strings.Repeat("x", 60_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 30 {
		var shown []string
		for n := range 100 {
			shown = append(shown, fmt.Sprintf("leg/f%d.%d", i, n), `{"v":1,"e":"fay","d":"in","ph":"talking","o":"o","p":{"m":"`+fill+`"},"in":["fay"]}`)
		}
		tell(shown...)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20; mb > 300 {
		t.Errorf("%d MB", mb)
	}
	if r := o.row("carl", "fay"); r.State != "unknown" || len(r.Calls) != 0 {
		t.Errorf("%s, %d calls", r.State, len(r.Calls))
	}
	o.gate.Elsewhere(gate.News{PBX: "b", Known: true, Whole: true, Shown: []gate.Shown{{Key: "state", Value: []byte(thereKnown)}, {Key: "leg/1", Value: []byte(fayTalks)}}})
	if r := o.row("carl", "fay"); r.State != "talking" || len(r.Calls) != 1 {
		t.Errorf("%+v", r)
	}
}

// Whatever another PBX shows, nobody is shown who is on the other side who may not be by the policy here: over everybody whom what it shows names at all.
func FuzzElsewhere(f *testing.F) {
	for _, value := range []string{
		fayTalks, `{"v":1,"e":"anna","d":"in","ph":"ringing","o":"o","p":{"n":"+79161234567","m":"Ivanov"},"in":["anna","boris"],"rung":["anna","boris"],"resp":"gus","no":["+79161234567"]}`,
		`{"v":1,"e":"anna","ph":"held","o":"o","p":{"e":"egor","m":"Egor"},"in":["anna"]}`, `{"v":1,"e":"anna","ph":"held","o":"o","p":{"n":"+74957654321"},"in":["anna","eve"]}`,
		`{"v":1,"e":"fay","ph":"talking","o":"o","p":{"e":"eve"},"in":["fay","carl"],"x":true,"lock":true,"own":true,"told":true,"s":"1","tape":{"id":"7","s":"paused"},"k":"queue"}`,
		`{"v":1,"e":"anna","d":"in","ph":"ringing","o":"o","p":{"m":"A"},"rung":["egor"],"resp":"gus"}`, `{"v":2,"e":"anna"}`, `{}`, "",
	} {
		f.Add("1", []byte(value), "2", []byte(fayTalks))
	}
	f.Add("1", []byte(`{"v":1,"e":"anna","d":"in","ph":"ringing","o":"o","p":{"m":"A"},"rung":["anna"],"resp":"gus"}`), "2", []byte(`{"v":1,"e":"fay","d":"in","ph":"ringing","o":"o","p":{"m":"B"},"rung":["fay"],"resp":"ivo"}`))
	f.Fuzz(func(t *testing.T, one string, first []byte, two string, second []byte) {
		c := newFakeCluster(t)
		defer c.close()
		o := c.office(t, "a", house)
		defer o.close()
		streams := map[string]*watcher{}
		for _, subject := range everybody {
			streams[subject] = o.watch(subject)
		}
		o.gate.Elsewhere(gate.News{PBX: "b", Known: true, Shown: []gate.Shown{{Key: "state", Value: []byte(thereKnown)}, {Key: "leg/" + one, Value: first}, {Key: "leg/" + two, Value: second}}})
		if wrong, _, _ := o.shownRightly(first, second); wrong != "" {
			t.Fatal(wrong)
		}
		for _, s := range streams {
			s.all()
		}
	})
}

// The same, of forms that can be read.
func TestNobodyIsShownOnAnothersWordWhomHeMayNotSee(t *testing.T) {
	peers, offers, hidden := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.SampledFrom([]string{house, chain}).Draw(r, "policy")
		o, tell := told(t, text)
		defer o.close()
		one := func(name string) string {
			return rapid.SampledFrom([]string{"anna", "boris", "dora", "egor", "fay", "fay", "gus", "hana", "eve"}).Draw(r, name)
		}
		some := func(name string, of ...string) []string {
			return rapid.SliceOfN(rapid.SampledFrom(append(of, "anna", "boris", "egor", "gus", "eve")), 0, 3).Draw(r, name)
		}
		draw := func(name string) []byte {
			m := map[string]any{
				"v": 1, "e": one(name), "d": rapid.SampledFrom([]string{"in", "out"}).Draw(r, "direction"),
				"ph": rapid.SampledFrom([]string{"ringing", "ringing", "dialling", "talking", "held"}).Draw(r, "phase"), "o": rapid.SampledFrom([]string{"1", "2"}).Draw(r, "other"),
				"in": some("present"), "rung": some("rung", "fay"), "resp": rapid.SampledFrom([]string{"", "gus", "gus", "ivo", "anna", "eve"}).Draw(r, "responsible"),
				"no": rapid.SliceOfN(rapid.SampledFrom([]string{other, ivanov, secret, "105", "+79160000105", "101"}), 0, 2).Draw(r, "numbers"),
			}
			p := map[string]any{"m": name}
			if rapid.Bool().Draw(r, "employee") {
				p["e"] = one("peer")
			} else {
				p["n"] = rapid.SampledFrom([]string{"", other, ivanov, secret, "105"}).Draw(r, "number")
			}
			m["p"] = p
			value, err := json.Marshal(m)
			if err != nil {
				r.Fatal(err)
			}
			return value
		}
		first, second := draw("Peer A"), draw("Peer B")
		tell("state", thereKnown, "leg/1", string(first), "leg/2", string(second))
		wrong, seen, offered := o.shownRightly(first, second)
		if wrong != "" {
			r.Fatalf("%s, by %s and %s", wrong, first, second)
		}
		peers, offers = peers+seen, offers+offered
		if seen == 0 {
			hidden++
		}
	})
	if peers < 50 || offers < 3 || hidden < 3 {
		t.Fatalf("%d were shown, %d offered, and %d times nobody: too few to say anything", peers, offers, hidden)
	}
}

// shownRightly looks whether of these legs everybody is shown what he may see. It tells how many are shown somebody on the other side, and are offered him.
func (o *office) shownRightly(values ...[]byte) (wrong string, seen, offered int) {
	set := o.gate.Policy()
	var all []claims
	for _, value := range values {
		var c claims
		if json.Unmarshal(value, &c) == nil && c.Peer != nil {
			all = append(all, c)
		}
	}
	for _, subject := range everybody {
		b, err := o.gate.Employees(who(subject))
		if err != nil {
			return err.Error(), 0, 0
		}
		for _, row := range b.Employees {
			for _, v := range row.Calls {
				if v.Peer == nil {
					continue
				}
				if seen++; !slices.ContainsFunc(all, func(c claims) bool { return c.Employee == row.ID && c.lets(set, subject) && c.Peer.Name == v.Peer.Name }) {
					return fmt.Sprintf("%s is shown %+v on the row of %s", subject, v.Peer, row.ID), seen, offered
				}
			}
		}
		for _, v := range b.Incoming {
			if offered++; !slices.ContainsFunc(all, func(c claims) bool { return c.Responsible == subject && c.offers(set) && c.Peer.Name == v.Client.Name }) {
				return fmt.Sprintf("%s is offered %+v", subject, v), seen, offered
			}
		}
		if _, err := json.Marshal(b); err != nil {
			return err.Error(), seen, offered
		}
	}
	return "", seen, offered
}

var everybody = []string{"anna", "boris", "carl", "dora", "egor", "fay", "gus", "hana", "ivo", "nils"}

// claims is a leg as it is shown, read without asking whether all of it makes sense.
type claims struct {
	Employee    string   `json:"e"`
	Peer        *peer    `json:"p"`
	Present     []string `json:"in"`
	Rung        []string `json:"rung"`
	Responsible string   `json:"resp"`
	Numbers     []string `json:"no"`
}

type peer struct {
	Number   string `json:"n"`
	Name     string `json:"m"`
	Employee string `json:"e"`
}

// offers reports whether the one responsible may be told at all.
func (c *claims) offers(set *policy.Set) bool {
	numbers := slices.Clone(c.Numbers)
	if c.Peer.Employee == "" {
		numbers = append(numbers, c.Peer.Number)
	}
	return !slices.ContainsFunc(numbers, set.ProtectedNumber) && !slices.ContainsFunc(slices.Concat(c.Present, c.Rung), func(id string) bool { _, ok := set.Employee(id); return !ok })
}

// lets decides in the plainest way whether a subject may be shown who is on the other side.
func (c *claims) lets(set *policy.Set, subject string) bool {
	me, _ := set.Employee(subject)
	target, ok := set.Employee(c.Employee)
	if !ok || c.Peer == nil || len(set.PhonesOn(target, "b")) == 0 {
		return false
	}
	ids, numbers := slices.Concat(c.Present, c.Rung), slices.Clone(c.Numbers)
	if c.Peer.Employee != "" {
		ids = append(ids, c.Peer.Employee)
	} else {
		numbers = append(numbers, c.Peer.Number)
	}
	r := policy.Request{Subject: me, Action: policy.Observe, Target: target, Party: slices.Contains(c.Present, subject) && len(set.PhonesOn(me, "b")) > 0}
	for _, id := range ids {
		ref, ok := set.Employee(id)
		if !ok {
			return false
		}
		if slices.Contains(c.Present, id) || id == c.Peer.Employee {
			r.With = append(r.With, ref)
		}
	}
	for _, n := range numbers {
		r.ProtectedNumber = r.ProtectedNumber || set.ProtectedNumber(n)
		r.With = set.AppendByNumber(r.With, n)
	}
	if set.Decide(&r).Allowed {
		return true
	}
	i := policy.Request{Subject: me, Action: policy.Intercept, Target: target, Responsible: me}
	for _, id := range c.Rung {
		ref, _ := set.Employee(id)
		i.With = append(i.With, ref)
	}
	return c.Responsible == subject && !r.ProtectedNumber && set.Decide(&i).Allowed
}

func TestNobodyIsPresentOnAPBXWhereHeHasNoPhone(t *testing.T) {
	o, tell := told(t, chain)
	tell("state", thereKnown, "leg/1", strings.Replace(fayTalks, `"in":["fay"]`, `"in":["fay","egor"]`, 1), "leg/2", strings.ReplaceAll(fayTalks, "fay", "anna"))
	for subject, sees := range map[string]bool{"egor": false, "ivo": false, "carl": true, "fay": true} {
		if c := o.row(subject, "fay").Calls[0]; c.Hidden == sees {
			t.Errorf("%s: %+v", subject, c)
		}
	}
	if r := o.row("anna", "anna"); len(r.Calls) != 0 || r.State != "idle" {
		t.Errorf("%+v", r)
	}
}
