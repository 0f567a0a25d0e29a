package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// ids returns the ids of employees.
func ids(set *policy.Set, refs []policy.Ref) []string {
	var all []string
	for _, r := range refs {
		all = append(all, set.ID(r))
	}
	return all
}

func TestANumberMayBeThatOfSeveralEmployees(t *testing.T) {
	set := load(t, `
version: 1
employees:
  local:   {numbers: ["765-43-21"]}
  moscow:  {numbers: ["101", "+7 495 765-43-21", "8 495 765-43-21"]}
  petrov:  {numbers: ["8 (812) 765-43-21"]}
  star:    {numbers: ["*8"]}
  stars:   {numbers: ["**"]}
  eight:   {numbers: ["8"]}
  secret:  {}
`)
	for _, c := range []struct {
		number, best, all string
	}{
		{"101", "moscow", "moscow"},
		{"+7 495 765-43-21", "moscow", "local moscow"},
		{"007 495 765-43-21", "moscow", "local moscow"},
		{"+7 812 7654321", "petrov", "local petrov"},
		{"8127654321", "petrov", "local moscow petrov"}, // 812 might be a country's code before seven digits
		{"9-7654321", "local", "local moscow petrov"},   // a prefix and no area: all end so, and the first is as good as the others
		{"765-43-21", "local", "local moscow petrov"},
		{"495 7654321", "moscow", "local moscow petrov"},
		{"12345678127654321", "petrov", "local petrov"},
		{"8", "eight", "star eight"},
		{"*8", "star", "star eight"},
		{"#8", "star", "star eight"},
		{"08", "", ""},
		{"**", "stars", "stars"},
		{"*", "", ""},
		{"", "", ""},
		{"5432100", "", ""},
		{"43-21", "", ""},
	} {
		got, ok := set.ByNumber(c.number)
		if set.ID(got) != c.best || ok != (c.best != "") {
			t.Errorf("ByNumber(%q) is %q, want %q", c.number, set.ID(got), c.best)
		}
		if all := strings.Join(ids(set, set.AppendByNumber(nil, c.number)), " "); all != c.all {
			t.Errorf("AppendByNumber(%q) is %q, want %q", c.number, all, c.all)
		}
	}
	// Who is there already does not come twice, and stays where he is.
	secret, moscow := employee(t, set, "secret"), employee(t, set, "moscow")
	if got := ids(set, set.AppendByNumber([]policy.Ref{moscow, secret}, "84957654321")); !slices.Equal(got, []string{"moscow", "secret", "local"}) {
		t.Errorf("appended: %v", got)
	}
	for _, nobody := range []*policy.Set{nil, {}} {
		if _, ok := nobody.ByNumber("101"); ok || nobody.AppendByNumber(nil, "101") != nil {
			t.Error("a Set without a policy knows a number")
		}
	}
}

// mayBe is the rule as it is written down: digits only; short numbers are equal; of long ones the shorter's national part ends the longer,
// which is what is left of it without a country code or a prefix of up to three digits, and never less than seven digits.
func mayBe(a, b string) (common int, same bool) {
	digits := func(s string) string {
		s, _, _ = strings.Cut(s, "@")
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("0123456789", r) {
				return r
			}
			return -1
		}, s)
	}
	a, b = digits(a), digits(b)
	if len(a) > len(b) {
		a, b = b, a
	}
	for cut := range len(a) {
		if strings.HasSuffix(b, a[cut:]) {
			common = len(a) - cut
			break
		}
	}
	if len(a) < 7 {
		return common, a == b && a != ""
	}
	for cut := 0; cut <= 3 && len(a)-cut >= 7; cut++ {
		if strings.HasSuffix(b, a[cut:]) {
			return common, true
		}
	}
	return common, false
}

func TestNumbersAreFoundAsTheRuleSays(t *testing.T) {
	found, ambiguous := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		// Numbers with few digits in few places, so that many end alike.
		number := rapid.Custom(func(r *rapid.T) string {
			prefix := rapid.SampledFrom([]string{"", "+7", "8", "007", "9", "810", "*"}).Draw(r, "prefix")
			return prefix + rapid.StringMatching(`([12]{3}|[1-4]{0,3})([12]00000[12]|[12]{0,3})`).Draw(r, "number")
		})
		var (
			text   strings.Builder
			owners = map[string][]string{}
			names  []string
			taken  = map[string]bool{}
		)
		text.WriteString("version: 1\nemployees:\n")
		for i := range rapid.IntRange(1, 8).Draw(r, "employees") {
			id := fmt.Sprint("e", i)
			names = append(names, id)
			for range rapid.IntRange(0, 3).Draw(r, "numbers") {
				if n := number.Draw(r, "own"); n != "" && n != "+" && !taken[n] {
					taken[n] = true
					owners[id] = append(owners[id], n)
				}
			}
			fmt.Fprintf(&text, "  %s: {numbers: [%s]}\n", id, strings.Join(quoted(owners[id]), ", "))
		}
		set, _, err := policy.Load("p", []byte(text.String()), day)
		if err != nil {
			r.Fatalf("%v\n%s", err, text.String())
		}
		asked := number.Draw(r, "asked")
		if len(taken) > 0 && rapid.Bool().Draw(r, "one of theirs") {
			asked = rapid.SampledFrom([]string{"", "8", "77"}).Draw(r, "route") + rapid.SampledFrom(slices.Sorted(maps.Keys(taken))).Draw(r, "own")
		}
		told := asked + rapid.SampledFrom([]string{"", "@pbx", "-"}).Draw(r, "ending")

		var want []string
		best, most, exact := "", 0, ""
		for _, id := range names {
			for _, n := range owners[id] {
				if n == strings.Trim(told, "-") {
					exact = id
				}
				common, same := mayBe(n, told)
				if same && common > most {
					best, most = id, common
				}
				if (same || n == asked && exact == id) && !slices.Contains(want, id) {
					want = append(want, id)
				}
			}
		}
		if exact != "" {
			best = exact
		}
		if got := ids(set, set.AppendByNumber(nil, told)); !slices.Equal(got, want) {
			r.Fatalf("%q may be %v, want %v of\n%s", told, got, want, text.String())
		}
		if got, _ := set.ByNumber(told); set.ID(got) != best {
			r.Fatalf("%q is %q, want %q of\n%s", told, set.ID(got), best, text.String())
		}
		if len(want) > 0 {
			found++
		}
		if len(want) > 1 {
			ambiguous++
		}
	})
	if found < 10 || ambiguous < 5 {
		t.Errorf("%d found, %d of them of several: too few to tell anything", found, ambiguous)
	}
}

func quoted(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = fmt.Sprintf("%q", s)
	}
	return out
}
