package policy_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy"
)

// threePBXs is the sample with PBXs.
func threePBXs(t testing.TB) *policy.Set {
	t.Helper()
	return mustLoad(t, string(read(t, "../testdata/policies/good/pbx.yaml")))
}

// whose returns for each endpoint the employee whose phone it is in the Set.
func whose(set *policy.Set, endpoints ...string) map[string]string {
	out := map[string]string{}
	for _, e := range endpoints {
		if r, ok := set.Phone(e); ok {
			out[e] = set.ID(r)
		}
	}
	return out
}

func TestAPhoneIsSomebodysOnHisPBXAlone(t *testing.T) {
	all := threePBXs(t)
	endpoints := []string{"PJSIP/101", "pjsip/102", "PJSIP/103", "PJSIP/900"}
	none := map[string]string{"PJSIP/900": "emil"}
	for _, c := range []struct {
		name string
		set  *policy.Set
		want map[string]string
	}{
		{"as written", all, none},
		{"of Moscow", all.Beside("moscow"), map[string]string{"PJSIP/101": "anna", "pjsip/102": "dora", "PJSIP/900": "emil"}},
		{"of Petersburg", all.Beside("spb-2"), map[string]string{"PJSIP/101": "boris", "pjsip/102": "carl", "PJSIP/103": "carl", "PJSIP/900": "emil"}},
		{"of Moscow, then of Petersburg", all.Beside("moscow").Beside("spb-2"), map[string]string{"PJSIP/101": "boris", "pjsip/102": "carl", "PJSIP/103": "carl", "PJSIP/900": "emil"}},
		{"of a PBX without a name", all.Beside(""), none},
		{"of a PBX that the policy does not name", all.Beside("Moscow"), none},
		{"of Moscow at another moment", all.Beside("moscow").At(day.AddDate(1, 0, 0)), map[string]string{"PJSIP/101": "anna", "pjsip/102": "dora", "PJSIP/900": "emil"}},
	} {
		if got := whose(c.set, endpoints...); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		for r := range c.set.Employees() {
			for _, p := range c.set.Phones(r) {
				if who, ok := c.set.Phone(p); !ok || who != r {
					t.Errorf("%s: %s has %s, which is another's", c.name, c.set.ID(r), p)
				}
			}
			if got, want := c.set.Phones(r), slices.Collect(maps.Values(c.want)); len(got) > 0 != slices.Contains(want, c.set.ID(r)) {
				t.Errorf("%s: %s has %v", c.name, c.set.ID(r), got)
			}
			// Whoever asks after an employee elsewhere gets the same answer on every Set.
			for _, pbx := range []string{"moscow", "spb-2", ""} {
				if got, want := c.set.PhonesOn(r, pbx), all.Beside(pbx).Phones(r); !slices.Equal(got, want) {
					t.Errorf("%s: %s has %v on %q, want %v", c.name, c.set.ID(r), got, pbx, want)
				}
			}
		}
	}
	for id, want := range map[string]string{"anna": "moscow", "boris": "spb-2", "emil": "", "fred": "moscow"} {
		if got := all.Beside("moscow").PBX(employee(t, all, id)); got != want {
			t.Errorf("%s is on %q", id, got)
		}
	}
	if got := all.PBXs(); !slices.Equal(got, []string{"moscow", "spb-2"}) {
		t.Errorf("the PBXs are %v", got)
	}
}

func TestBesideAPBXItIsTheSamePolicyOtherwise(t *testing.T) {
	all := threePBXs(t).WithGeneration(7)
	moscow := all.Beside("moscow")
	if moscow.Generation() != 7 || !moscow.Moment().Equal(day) || moscow.Len() != all.Len() {
		t.Error("generation, moment or employees are others")
	}
	if moscow.Same(all) || !moscow.Same(moscow.At(day.AddDate(0, 1, 0))) {
		t.Error("the policies of two PBXs are one, or that of one PBX is two")
	}
	for r := range all.Employees() {
		if moscow.ID(r) != all.ID(r) {
			t.Errorf("%s is %q", all.ID(r), moscow.ID(r))
		}
	}
	one := load(t, trio)
	if one.Beside("moscow") != one || one.Beside("moscow").PBXWarnings() != nil || one.PBXs() != nil {
		t.Error("a policy that names no PBX is not the same on each")
	}
	if anna := employee(t, one, "anna"); one.PBX(anna) != "" || !slices.Equal(one.PhonesOn(anna, "moscow"), one.Phones(anna)) || len(one.Phones(anna)) == 0 {
		t.Error("who is on no PBX is not on each")
	}
	for _, nobody := range []*policy.Set{nil, new(policy.Set)} {
		if s := nobody.Beside("moscow"); s.PBX(policy.Ref{}) != "" || s.PhonesOn(policy.Ref{}, "moscow") != nil || s.PBXs() != nil || s.PBXWarnings() != nil {
			t.Error("an empty policy says something")
		}
	}
	if moscow.PhonesOn(policy.Ref{}, "moscow") != nil || moscow.PBX(policy.Ref{}) != "" {
		t.Error("nobody has a phone")
	}
}

// The phones of who is on a PBX would count as outside beside one that the policy does not know, and with them those of the protected.
func TestUnknownPhonesAreOutsideOnlyBesideAPBXThatThePolicyNames(t *testing.T) {
	all := threePBXs(t)
	ask := policy.Request{Subject: employee(t, all, "anna"), Action: policy.Spy, Target: employee(t, all, "boris"), UnknownPhone: true}
	for name, want := range map[string]bool{"moscow": true, "spb-2": true, "": false, "riga": false} {
		set := all.Beside(name)
		x := set.Explain(ask)
		if d := set.Decide(&ask); d.Allowed != want || x.Decision != d || !agrees(x) || set.UnknownPhonesOutside() != want {
			t.Errorf("%q: %+v, explained as %s", name, d, x)
		}
		text := x.String()
		if !want && (!strings.Contains(text, "beside a PBX that the policy does not name") || strings.Contains(text, "does not say unknown_phones") || strings.Contains(text, "write unknown_phones")) {
			t.Errorf("%q: %s", name, text)
		}
		if back := set.Beside("moscow"); !back.UnknownPhonesOutside() {
			t.Errorf("%q, and then Moscow: they are not", name)
		}
		ask := ask
		ask.UnknownPhone = false
		if !set.Decide(&ask).Allowed {
			t.Errorf("%q: without one it is refused", name)
		}
	}
	if !all.Decide(&ask).Allowed {
		t.Error("the policy as it is written says otherwise")
	}
	if d := policy.Compare(all, all.Beside(""), day); !d.Empty() {
		t.Errorf("the same text differs: %s", differences(d))
	}
}

func TestASetBesideAPBXThatThePolicyDoesNotNameIsWarnedOf(t *testing.T) {
	outside := threePBXs(t)
	inside := mustLoad(t, "version: 1\nemployees:\n  anna: {phones: [PJSIP/1]}\n  boris: {pbx: spb-2, phones: [PJSIP/1-a]}\n")
	for _, c := range []struct {
		name string
		set  *policy.Set
		want []string
	}{
		{"as written", outside, nil},
		{"named", outside.Beside("spb-2"), nil},
		{"named after all", outside.Beside("").Beside("spb-2"), nil},
		{"without a name", outside.Beside(""), []string{
			`5:54: the policy says on which PBXs phones are, and this Earshot has no cluster.pbx: here those phones are nobody's, and unknown_phones: outside does not hold (write the name of the PBX beside it under cluster.pbx)`}},
		{"without a name, unknown phones being inside", inside.Beside(""), []string{
			`4:16: the policy says on which PBXs phones are, and this Earshot has no cluster.pbx: here those phones are nobody's (write the name of the PBX beside it under cluster.pbx)`}},
		{"misspelt", inside.Beside("spb_2"), []string{
			`4:16: the policy says on which PBXs phones are, and of none that it is on "spb_2", the cluster.pbx of this Earshot (did you mean "spb-2"?)`}},
	} {
		if got := lines(c.set.PBXWarnings()); !slices.Equal(got, c.want) {
			t.Errorf("%s\ngot\n  %s\nwant\n  %s", c.name, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

// holdPhones holds the look-up of phones beside a PBX to what the employees have there.
func holdPhones(t *testing.T, set *policy.Set, pbx string) {
	t.Helper()
	for r := range set.Employees() {
		on := set.PhonesOn(r, pbx)
		if !slices.Equal(set.Phones(r), on) {
			t.Fatalf("%s has %v beside %q, and %v on it", set.ID(r), set.Phones(r), pbx, on)
		}
		for _, p := range on {
			if who, ok := set.Phone(p); !ok || who != r {
				t.Fatalf("beside %q %s is not %s's", pbx, p, set.ID(r))
			}
		}
		for _, other := range set.PBXs() {
			for _, p := range set.PhonesOn(r, other) {
				if who, ok := set.Phone(p); ok && who == r && !slices.Contains(on, p) {
					t.Fatalf("beside %q %s proves %s, who is on %q", pbx, p, set.ID(r), set.PBX(r))
				}
			}
		}
	}
}

// Whoever is said to be on a PBX, nobody may do more by that, on whichever PBX, and no phone proves more than it did.
func TestSayingWhoIsOnWhichPBXGrantsNothing(t *testing.T) {
	names := []string{"", "moscow", "spb"}
	for _, file := range accepted(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text := read(t, file)
			before := mustLoad(t, string(text))
			if before.Len() > 12 {
				before = nil
			}
			var doc yaml.Node
			if err := yaml.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			root, said := doc.Content[0], 0
			for i := 0; i < len(root.Content); i += 2 {
				if root.Content[i].Value != "employees" {
					continue
				}
				for j := 1; j < len(root.Content[i+1].Content); j += 2 {
					var entry map[string]yaml.Node
					e := root.Content[i+1].Content[j]
					if err := e.Decode(&entry); err != nil {
						t.Fatal(err)
					}
					pbx := names[j/2%3]
					if _, has := entry["pbx"]; !has && pbx != "" && entry["panel"].Value == "" {
						said++
						e.Content = append(e.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "pbx"}, &yaml.Node{Kind: yaml.ScalarNode, Value: pbx})
					}
				}
			}
			changed, err := yaml.Marshal(&doc)
			if err != nil {
				t.Fatal(err)
			}
			after := mustLoad(t, string(changed))
			if said > 0 && len(after.PBXs()) == 0 {
				t.Fatal("nothing was said")
			}
			for _, pbx := range append(names, "riga") {
				beside := after.Beside(pbx)
				holdPhones(t, beside, pbx)
				if before == nil {
					continue
				}
				compare(t, before, beside)
				for a := range before.Employees() {
					for b := range before.Employees() {
						req := policy.Request{Subject: a, Action: policy.Spy, Target: b, UnknownPhone: true}
						if beside.Decide(&req).Allowed && !before.Decide(&req).Allowed {
							t.Errorf("%s may listen to %s beside %q, with an unknown phone", before.ID(a), before.ID(b), pbx)
						}
					}
				}
			}
		})
	}
}

func TestTheLookUpOfAPhoneBesideAPBXDoesNotAllocate(t *testing.T) {
	set := threePBXs(t).Beside("spb-2")
	boris := employee(t, set, "boris")
	if n := testing.AllocsPerRun(100, func() {
		if r, ok := set.Phone("pjsip/101"); !ok || r != boris {
			t.Fatal("it is another's")
		}
		_, _, _ = set.Phones(boris), set.PhonesOn(boris, "spb-2"), set.PBX(boris)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPBXNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "Moscow": true, "2": true, "a-b_c": true, strings.Repeat("x", 64): true,
		"": false, "-a": false, "_a": false, "a b": false, "a.b": false, "é": false, "a\n": false, strings.Repeat("x", 65): false,
	} {
		if policy.PBXName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestANameOfAPBXThatIsSurelyMistypedIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		crew []string // the PBX of each employee
		want string
	}{
		{[]string{"moscow", "moscow", "moscwo"}, `did you mean "moscow"?`},
		{[]string{"moscwo", "moscow", "moscow", "spb", "spb"}, `did you mean "moscow"?`},
		{[]string{"pbx-a", "pbx-a", "pbx-A"}, `did you mean "pbx-a"?`},
		{[]string{"pbx-a", "pbx-a", "pbxa"}, `did you mean "pbx-a"?`},
		{[]string{"moscow", "moscow", "spb"}, ""},
		{[]string{"moscow", "moscwo"}, ""}, // nobody can say which of them is meant
		{[]string{"pbx-a", "pbx-a", "pbx-b"}, ""},
		{[]string{"pbx-1", "pbx-1", "pbx-12"}, ""},
		{[]string{"spb2", "spb2", "spb1"}, ""},
		{[]string{"moscow", "moscow", "moscwo", "moscwo"}, ""},
		{[]string{"pbx", "pbx", "pbx2"}, ""},
	} {
		text := "version: 1\nemployees:\n"
		for i, pbx := range c.crew {
			text += fmt.Sprintf("  e%d: {phones: [PJSIP/%d], pbx: %s}\n", i, i, pbx)
		}
		_, warnings, err := policy.Load("p.yaml", []byte(text), day)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(warnings)
		if c.want == "" && len(warnings) > 0 || !strings.Contains(got, c.want) {
			t.Errorf("%v: %s; want %q", c.crew, got, c.want)
		}
	}
}
