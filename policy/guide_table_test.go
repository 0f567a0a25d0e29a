package policy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// rightRow is a row of the guide's table of all rights.
type rightRow struct{ key, values, own, beside string }

var code = regexp.MustCompile("`([^`]+)`")

func (r rightRow) codes(cell string) []string {
	var all []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

func rightRows(t *testing.T) []rightRow {
	t.Helper()
	_, table, found := strings.Cut(string(read(t, "README.md")), "\n## All rights\n")
	if !found {
		t.Fatal("the guide has no table of all rights")
	}
	var all []rightRow
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		all = append(all, rightRow{strings.Trim(cells[1], " `"), cells[3], strings.TrimSpace(cells[4]), cells[5]})
	}
	return all
}

// written reports whether a role may say this of the right, and what it is warned of then.
func written(key, value string) (policy.Problems, bool) {
	_, warnings, err := policy.Load("policy.yaml", fmt.Appendf(nil, `version: 1
timezone: Europe/Moscow
times: {office: {days: [mon-fri]}}
employees: {anna: {numbers: ["101"]}, boris: {}}
lines: {support: {}}
roles: {one: {%s: %s}}
assign: [{role: one, to: [anna]}]
`, key, value), day)
	return warnings, err == nil
}

// The guide's table has every right, and of each of them every value and every key of its map that the parser takes, and no other.
func TestTheTableOfAllRightsAgreesWithTheParser(t *testing.T) {
	rows := rightRows(t)
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.key)
	}
	want := policy.RightNames()
	if got := slices.Sorted(slices.Values(keys)); !slices.Equal(got, want) {
		t.Fatalf("the table has\n%q and there are\n%q", got, want)
	}
	for _, r := range rows {
		t.Run(r.key, func(t *testing.T) {
			t.Run("values", func(t *testing.T) { holdValues(t, r) })
			t.Run("beside", func(t *testing.T) { holdBeside(t, r) })
		})
	}
}

func holdValues(t *testing.T, r rightRow) {
	words := r.codes(r.values)
	lists := map[string]string{"people": "[boris]", "lines": "[line:support]", "numbers": `["+7 495*"]`}
	for part := range strings.SplitSeq(strings.TrimSpace(r.values), ", ") {
		switch {
		case part == "scopes":
			words = append(words, "none", "own", "department", "subtree", "any")
		case part == "had or not":
			words = append(words, "any", "none")
		case lists[part] == "" && !strings.HasPrefix(part, "`"):
			t.Errorf("the table says %q, which is not a value", part)
		}
	}
	for _, word := range []string{"true", "false"} {
		if _, ok := written(r.key, word); !ok {
			t.Errorf("%s is refused", word)
		}
	}
	for _, word := range []string{"none", "own", "department", "subtree", "any", "kind", "clients", "employees", "clients+employees"} {
		warnings, ok := written(r.key, word)
		if ok != slices.Contains(words, word) {
			t.Errorf("%s is taken: %v", word, ok)
		}
		idle := slices.ContainsFunc(warnings, func(p policy.Problem) bool { return strings.Contains(p.Error(), "own gives nothing") })
		if idle != (word == "own" && r.own == "nothing") {
			t.Errorf("%s gives nothing: %v, and the table says %q", word, idle, r.own)
		}
	}
	for name, list := range lists {
		if _, ok := written(r.key, list); ok != strings.Contains(r.values, name) {
			t.Errorf("a list of %s is taken: %v", name, ok)
		}
	}
}

func holdBeside(t *testing.T, r rightRow) {
	tries := map[string][]string{
		"to": {"any"}, "only": {"[boris]"}, "except": {"[boris]", `{numbers: ["+7 495*"]}`}, "allow": {"[spy]", "[play]"}, "show": {"kind"},
		"reason": {"true"}, "notify": {"panel"}, "clients": {"any"}, "employees": {"any"}, "numbers": {`["+7 495*"]`},
		"during": {"office"}, "from": {"2027-01-01"}, "until": {"2027-01-31"},
	}
	beside := append(r.codes(r.beside), "during", "from", "until")
	for key, values := range tries {
		taken := slices.ContainsFunc(values, func(v string) bool { _, ok := written(r.key, "{"+key+": "+v+"}"); return ok })
		if taken != slices.Contains(beside, key) {
			t.Errorf("%s stands in the map: %v", key, taken)
		}
	}
	for _, key := range beside {
		if tries[key] == nil {
			t.Errorf("the table says %q, which this test does not know", key)
		}
	}
}
