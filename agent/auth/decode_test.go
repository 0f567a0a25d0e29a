package auth_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
)

const hashA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestEachFaultOfATokensFileIsNamedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a map":              {"tokens: []", "1:1: a list of tokens belongs here"},
		"a misspelt key":     {"- {employe: anna, hash: \"" + hashA + "\"}", "1:4: unknown key; did you mean \"employee\"?\nt.yaml:1:3: employee is missing"},
		"an unknown key":     {"- {employee: anna, hash: \"" + hashA + "\", role: x}", "1:101: unknown key; the keys are employee, panel, acts_for, hash, label, created, expires"},
		"a key twice":        {"- employee: anna\n  employee: boris\n  hash: " + hashA, "2:3: employee stands in line 1 already"},
		"nothing in it":      {"- {}", "1:3: employee is missing\nt.yaml:1:3: hash is missing"},
		"no employee":        {"- {employee: \"\", hash: \"" + hashA + "\"}", "1:14: employee is not an id"},
		"null":               {"- {employee: ~, hash: \"" + hashA + "\"}", "1:14: a text belongs here"},
		"a short hash":       {"- {employee: anna, hash: \"sha256:12\"}", "1:26: a hash is \"sha256:\" and 64 lower-case hex digits; `earshot token` makes one"},
		"a hash in capitals": {"- {employee: anna, hash: \"" + strings.ToUpper(hashA) + "\"}", "1:26: a hash is \"sha256:\" and 64 lower-case hex digits; `earshot token` makes one"},
		"a hash twice":       {"- {employee: a, hash: \"" + hashA + "\"}\n- {employee: b, hash: \"" + hashA + "\"}", "2:23: this hash stands in line 1 already; one token is one employee's"},
		"a date":             {"- {employee: a, hash: \"" + hashA + "\", expires: tomorrow}", "1:107: a date (2027-01-31) or a moment (2027-01-31T18:00:00Z) belongs here"},
		"a list as employee": {"- {employee: [a], hash: \"" + hashA + "\"}", "1:14: a text belongs here"},
		"two documents":      {"- {employee: a, hash: \"" + hashA + "\"}\n---\n[]\n", "2:1: a second document follows; there can be one"},
		"bad YAML":           {"- employee: 'a\n", "2:1: found unexpected end of stream"},
		"an alias":           {"- &a {employee: a, hash: \"" + hashA + "\"}\n- *a", "2:3: a map with the keys employee, panel, acts_for, hash, label, created, expires belongs here"},
		"a merge":            {"- &a {employee: a, hash: \"" + hashA + "\"}\n- {<<: *a}", "2:4: unknown key; the keys are employee, panel, acts_for, hash, label, created, expires\nt.yaml:2:3: employee is missing\nt.yaml:2:3: hash is missing"},
		"both":               {"- {employee: a, panel: p, acts_for: everyone, hash: \"" + hashA + "\"}", "1:14: a token is an employee's or a panel's, not both"},
		"a panel for nobody": {"- {panel: p, hash: \"" + hashA + "\"}", "1:3: acts_for is missing: a list of the employees whom the panel may name, or everyone"},
		"an empty list":      {"- {panel: p, acts_for: [], hash: \"" + hashA + "\"}", "1:24: acts_for is a list of employees, or everyone"},
		"somebody":           {"- {panel: p, acts_for: anna, hash: \"" + hashA + "\"}", "1:24: acts_for is a list of employees, or everyone"},
		"everyone and anna":  {"- {panel: p, acts_for: [everyone, anna], hash: \"" + hashA + "\"}", "1:25: everyone stands alone: acts_for: everyone"},
		"anna twice":         {"- {panel: p, acts_for: [anna, anna], hash: \"" + hashA + "\"}", "1:31: this employee stands there already"},
		"nobody":             {"- {panel: p, acts_for: [\"\", ~], hash: \"" + hashA + "\"}", "1:25: this is not an employee's id\nt.yaml:1:29: a text belongs here"},
		"a panel's name":     {"- {panel: \"a:b\", acts_for: everyone, hash: \"" + hashA + "\"}", "1:11: panel is not a name: up to 64 letters, digits, hyphens, dots and underscores"},
		"no panel's name":    {"- {panel: \"\", acts_for: everyone, hash: \"" + hashA + "\"}", "1:11: panel is not a name: up to 64 letters, digits, hyphens, dots and underscores"},
		"acting as oneself":  {"- {employee: a, acts_for: [b], hash: \"" + hashA + "\"}", "1:27: acts_for belongs to a panel's token"},
		"all at once":        {"- {}\n- oops", "1:3: employee is missing\nt.yaml:1:3: hash is missing\nt.yaml:2:3: a map with the keys employee, panel, acts_for, hash, label, created, expires belongs here"},
	} {
		entries, err := auth.ParseTokens("t.yaml", []byte(tc.text))
		if err == nil || err.Error() != "t.yaml:"+tc.want || entries != nil {
			t.Errorf("%s:\n%v, want\nt.yaml:%s", name, err, tc.want)
		}
		if first := (*auth.FileError)(nil); !errors.As(err, &first) || first.Line < 1 {
			t.Errorf("%s: no FileError", name)
		}
	}
	for name, text := range map[string]string{"empty": "", "comment": "# none yet\n", "null": "~", "empty list": "[]", "empty document": "---\n"} {
		if entries, err := auth.ParseTokens("t.yaml", []byte(text)); err != nil || len(entries) != 0 {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

// What is taken is what AddToken writes, so a file is never read as more than it says: each entry can be written and is read the same.
func FuzzParseTokens(f *testing.F) {
	f.Add("- {employee: anna, hash: \"" + hashA + "\", label: x, created: 2026-01-01, expires: 2027-01-31}\n")
	f.Add("- employee: anna\n  hash: " + hashA + "\n  expires: 2027-01-31T18:00:00+03:00\n- *a\n")
	f.Add("- {panel: crm, acts_for: everyone, hash: \"" + hashA + "\"}\n")
	f.Add("- panel: crm\n  acts_for: [anna, everyone]\n  hash: " + hashA + "\n")
	f.Add("- panel: crm\n  acts_for: [anna, \"b\\u0007\", boris]\n  hash: " + hashA + "\n  employee: anna\n")
	f.Add("&a [*a, {<<: *a}]\n---\n{}")
	f.Add("- {employee: !!binary aGk=, hash: " + hashA + "}")
	f.Fuzz(func(t *testing.T, text string) {
		var entries []auth.Entry
		var err error
		limit := 4<<20 + uint64(len(text))*16<<10
		if n := allocation.Least(limit, func() { entries, err = auth.ParseTokens("f", []byte(text)) }); n > limit {
			t.Errorf("%d bytes of text have taken %d", len(text), n)
		}
		if err != nil {
			if entries != nil {
				t.Fatal("entries come with an error")
			}
			return
		}
		if _, err := auth.NewTokens(auth.Options{}, entries...); err != nil {
			t.Fatalf("the file takes what NewTokens does not: %v", err)
		}
		path := t.TempDir() + "/tokens.yaml"
		for i, e := range entries {
			if e.Created.Year() > 9999 || e.Created.Year() < 1 || e.Expires.Year() > 9999 {
				return // cannot be written in RFC 3339
			}
			if err := auth.AddToken(path, e); err != nil {
				t.Fatal(err)
			}
			got, err := auth.ParseTokens("f", []byte(mustRead(t, path)))
			e.Created, e.Expires = e.Created.Truncate(time.Second), e.Expires.Truncate(time.Second)
			if err != nil || len(got) != i+1 || !reflect.DeepEqual(got[i], e) {
				t.Fatalf("read back %+v, %v, written %+v", got, err, e)
			}
		}
	})
}
