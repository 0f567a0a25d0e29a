package gate_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
	"pgregory.net/rapid"
)

// Under any policy and for any two who talk, after a third was rung or not: a row of the journal shows of the other side exactly what the board showed
// while they talked, and it is there for whom the policy, asked in the plainest way, lets see it.
func TestTheJournalShowsOfACallWhatTheBoardShowedOfItUnderAnyPolicy(t *testing.T) {
	people := []string{"anna", "boris", "carl", "dora", "egor", "hana"}
	scopes := []string{"", "true", "any", "own", "department", "kind", "{to: any, except: [egor]}", "{only: [boris, egor]}", "{only: [department:sales], except: [boris]}"}
	seen, hidden, absent, merely := 0, 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		var text strings.Builder
		text.WriteString("version: 1\ndepartments: {sales: {name: Sales, head: carl}, back: {name: Back}}\nemployees:\n")
		for i, id := range people {
			fmt.Fprintf(&text, "  %s: {name: %s, phones: [PJSIP/%d], numbers: [\"%d\"], department: %s", id, strings.ToUpper(id), 101+i, 101+i, []string{"sales", "back"}[i%2])
			for _, right := range []string{"observe", "journal"} {
				if scope := rapid.SampledFrom(scopes).Draw(r, right); scope != "" && (scope != "kind" || right == "observe") {
					fmt.Fprintf(&text, ", %s: %s", right, scope)
				}
			}
			text.WriteString("}\n")
		}
		text.WriteString("protected: {employees: [hana], numbers: [\"+7 495 765-43-21\"]}\ntrunks: [PJSIP/trunk]\n")
		o := newArchive(t, text.String())
		defer o.close()
		set := o.gate.Policy()
		ends := []string{"PJSIP/101", "PJSIP/102", "PJSIP/105", "PJSIP/106", other, secret, "105"}
		from := rapid.SampledFrom(ends).Draw(r, "from")
		to := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(ends[:4]), func(s string) bool { return s == from })).Draw(r, "to")
		first := rapid.SampledFrom(append(slices.DeleteFunc(slices.Clone(ends[:4]), func(s string) bool { return s == from || s == to }), "", "")).Draw(r, "first")
		if out := rapid.SampledFrom([]string{"", "", other, secret}).Draw(r, "out"); out != "" && strings.HasPrefix(from, "PJSIP/") {
			to = out
		}
		if first == "" {
			o.talk("a", from, to)
		} else {
			o.rings("a", from, first)
			o.gone("a.1")
			o.ringsOn("a", to)
		}
		rung := ""
		if ref, ok := set.Phone(first); ok {
			rung = set.ID(ref)
		}
		o.pass(3)
		shown := map[string]mask.View{}
		for _, subject := range people {
			board, err := o.gate.Employees(who(subject))
			if err != nil {
				r.Fatal(err)
			}
			for _, row := range board.Employees {
				for _, v := range row.Calls {
					shown[subject+" of "+row.ID] = mask.View{Direction: v.Direction, Hidden: v.Hidden, Kind: v.Kind, Peer: v.Peer}
				}
			}
		}
		if o.gone("a.0"); first == "" {
			o.gone("a.1")
		} else {
			o.gone("a.2")
		}
		for _, subject := range people {
			read := map[string]mask.View{}
			o.sync()
			page, err := o.gate.Journal(t.Context(), who(subject), gate.JournalAsk{})
			if err != nil && gate.AsProblem(err).Code != "no_right" {
				r.Fatalf("%s: %v", subject, err)
			}
			for _, row := range page.Rows {
				read[row.Employee] = mask.View{Direction: row.Direction, Hidden: row.Hidden, Kind: row.Kind, Peer: row.Peer}
				for _, p := range row.Others {
					if row.Hidden && (p.Employee != subject || subject != rung) {
						r.Fatalf("%s of %s: it is hidden, and there is %s", subject, row.Employee, p.Employee)
					}
				}
			}
			for _, row := range people {
				if row == rung {
					continue // the board shows his call no more
				}
				live, was := shown[subject+" of "+row]
				past, is := read[row]
				if is && !was || is && !reflect.DeepEqual(live, past) {
					r.Fatalf("%s of %s: the board showed %+v, the journal shows %+v", subject, row, live, past)
				}
				if want := was && journalOf(set, subject, row, first, from, to); is != want {
					r.Fatalf("%s of %s: in the journal %v, by the policy %v\n%s", subject, row, is, want, text.String())
				}
				switch {
				case is && past.Hidden && subject == rung:
					merely++
				case is && past.Hidden:
					hidden++
				case is:
					seen++
				case was:
					absent++
				}
			}
		}
	})
	if seen < 50 || hidden < 50 || absent < 50 || merely < 5 {
		t.Errorf("%d rows were seen, %d hidden and %d not there, %d hidden from who was merely rung: too few to say anything", seen, hidden, absent, merely)
	}
}

// journalOf decides in the plainest way whether somebody may see an employee's row of a call between two, before whom another one was rung, or nobody.
func journalOf(set *policy.Set, subject, row, first, from, to string) bool {
	s, _ := set.Employee(subject)
	target, _ := set.Employee(row)
	alone := policy.Request{Subject: s, Action: policy.Journal, Target: target}
	if !set.Decide(&alone).Allowed {
		return false
	}
	there, all := alone, alone
	protected := from == secret || to == secret
	for _, end := range []string{first, from, to} {
		if ref, ok := set.Phone(end); ok && ref == s && end == first && to == secret {
			continue // he was not on it with the protected number
		}
		if ref, ok := set.Phone(end); ok {
			there.With = append(there.With, ref)
			all.With = append(all.With, ref)
		} else if ref, ok := set.ByNumber(end); ok && ref != s {
			all.With = append(all.With, ref)
		}
	}
	there.ProtectedNumber, all.ProtectedNumber = protected, protected
	return set.Decide(&there).Allowed && set.Decide(&all).Allowed
}
