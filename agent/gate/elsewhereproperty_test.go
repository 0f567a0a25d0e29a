package gate_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"pgregory.net/rapid"
)

// homes says on which PBX the phones of the staff are; gus has some on both.
var homes = map[string]string{"anna": "a", "boris": "b", "carl": "a", "dora": "b"}

func anyChain(r *rapid.T) string { return living(anyPolicy(r), homes) }

// timeless is the row without since when its employee does nothing: each knows since when it has known.
func timeless(row mask.Row) mask.Row {
	if row.State == mask.Idle {
		row.Since = nil
	}
	return row
}

// Under any policy and in any order of events, each subject is shown by his panel beside one PBX what it would show him beside the other: the same rows, the
// same handles and sights, and the same buttons, which he has on no call of a PBX where he has no phone. What he was sent adds up to that.
func TestTheBoardIsTheSameBesideEveryPBX(t *testing.T) {
	ends := []string{"PJSIP/101", "PJSIP/102", "PJSIP/103", "PJSIP/104", "PJSIP/105", "PJSIP/111", "PJSIP/999", ivanov, other, secret, "101", "102"}
	legs := []string{"a", "b", "c", "d", "r.0", "r.1", "r.2"}
	names := []string{"a", "b"}
	hidden, seen, bare, both, dark := 0, 0, 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		c, text := newFakeCluster(t), anyChain(r)
		defer c.close()
		offices, ears := map[string]*office{}, map[string]map[string]*ear{}
		for _, name := range names {
			o := c.office(t, name, text)
			defer o.close()
			offices[name], ears[name] = o, map[string]*ear{}
			for _, subject := range []string{"anna", "boris", "carl", "gus"} {
				ears[name][subject] = &ear{plain: o.stream(subject), typed: o.stream(subject), shown: map[string]string{}}
			}
		}
		down := map[string]*call.Snapshot{}
		for range rapid.IntRange(1, 40).Draw(r, "n") {
			name := rapid.SampledFrom(names).Draw(r, "pbx")
			o := offices[name]
			there := func(id string) bool { return o.ch(id).ID != "" }
			id, other := rapid.SampledFrom(legs).Draw(r, "leg"), rapid.SampledFrom(legs).Draw(r, "other")
			switch op := rapid.IntRange(0, 22).Draw(r, "op"); {
			case down[name] != nil:
				if op < 6 {
					o.ingest(call.Event{Kind: call.Resynced, Snapshot: down[name]})
					delete(down, name)
				}
			case op <= 3 && !there(id):
				s := rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateRinging, call.StateUp}).Draw(r, "state")
				o.leg(id, rapid.SampledFrom(ends).Draw(r, "who"), s, rapid.SampledFrom([]string{"", "102", "7"}).Draw(r, "exten"))
			case op == 4 && there(id):
				o.gone(id)
			case op <= 6 && there(id):
				o.state(id, rapid.SampledFrom([]call.State{call.StateRinging, call.StateUp}).Draw(r, "state"))
			case op <= 8 && there(id):
				o.enter(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op == 9 && there(id):
				o.leave(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op <= 11 && there(id) && there(other) && id != other:
				o.dial(id, other, "7")
			case op == 12 && there(id):
				o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.LegHeld, call.LegUnheld}).Draw(r, "hold"), Channel: o.ch(id)})
			case op == 13 && there(id):
				ch := o.ch(id)
				if number := call.Number(rapid.SampledFrom([]string{"", "102", secret, "777", ivanov}).Draw(r, "number")); rapid.Bool().Draw(r, "connected") {
					ch.Connected.Number = number
				} else {
					ch.Caller.Number = number
				}
				o.seen(ch)
			case op == 14:
				text = anyChain(r)
				for name, o := range offices {
					o.gate.SetPolicy(set(t, text).Beside(name))
				}
			case op == 15:
				o.pass(1)
			case op == 16:
				c.cut(name)
				if rapid.Bool().Draw(r, "meanwhile") && there(id) {
					o.gone(id)
				}
				c.join(name)
			case op == 17:
				down[name] = o.picture()
				o.ingest(call.Event{Kind: call.LinkLost})
			case op == 18:
				_, _ = o.gate.Lock(t.Context(), who(rapid.SampledFrom([]string{"anna", "boris"}).Draw(r, "locker")), gate.LockAsk{})
			case op == 19 && there(id):
				o.gone(id)
				o.leg(id, rapid.SampledFrom(ends).Draw(r, "who"), call.StateUp, "7") // another's, under the same id
			case op >= 20 && !there("r.0") && !there("r.1") && !there("r.2"):
				o.rings("r", rapid.SampledFrom([]string{ivanov, other, "PJSIP/103"}).Draw(r, "caller"), rapid.SampledFrom([][]string{{"PJSIP/101"}, {"PJSIP/101", "PJSIP/102"}, {"PJSIP/104", "PJSIP/105"}}).Draw(r, "rung")...)
			}
			c.settle()
			for _, subject := range []string{"anna", "boris", "carl", "gus"} {
				boards := map[string]map[string]mask.Row{}
				for _, name := range names {
					e := ears[name][subject]
					e.hear(r, subject)
					b, err := offices[name].gate.Employees(who(subject))
					if err != nil {
						r.Fatal(err)
					}
					boards[name] = map[string]mask.Row{}
					for _, row := range b.Employees {
						boards[name][row.ID] = row
						if want, _ := json.Marshal(row); b.Known && e.shown[row.ID] != string(want) {
							r.Fatalf("beside %s %s has been shown\n%s, not\n%s", name, subject, e.shown[row.ID], want)
						}
					}
				}
				for id, home := range homes {
					away := map[string]string{"a": "b", "b": "a"}[home]
					switch there, here := boards[home][id], boards[away][id]; {
					case down[away] != nil:
					case down[home] != nil:
						dark++
						if !here.Unknown || here.State != mask.Unknown || len(here.Calls) > 0 {
							r.Fatalf("what is not known is %+v", here)
						}
					default:
						if here = timeless(here); !same(here, timeless(there)) {
							r.Fatalf("%s on %s: %s and %s", subject, id, text1(here), text1(there))
						}
						if homes[subject] == away && len(here.Calls) > 0 {
							if bare++; slices.ContainsFunc(here.Can, func(can string) bool { return can != "dial" }) {
								r.Fatalf("%s on %s: %s", subject, id, text1(here))
							}
						}
						for _, c := range here.Calls {
							if c.Hidden {
								hidden++
							} else {
								seen++
							}
						}
					}
				}
				if len(down) == 0 {
					a, b := boards["a"]["gus"], boards["b"]["gus"]
					if a.State != b.State || !same(sortedCalls(a.Calls), sortedCalls(b.Calls)) {
						r.Fatalf("%s on gus: %s and %s", subject, text1(a), text1(b))
					}
					if len(a.Calls) > 1 {
						both++
					}
				}
			}
		}
	})
	if hidden < 100 || seen < 100 || bare < 20 || both < 20 || dark < 20 {
		t.Fatalf("%d calls hidden, %d seen, %d rows without buttons, %d with several calls and %d unknown: too few to say anything", hidden, seen, bare, both, dark)
	}
}

func text1(v any) string { b, _ := json.Marshal(v); return string(b) }

func sortedCalls(calls []mask.View) []mask.View {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b mask.View) int { return strings.Compare(a.ID, b.ID) })
	return calls
}
