package clients_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

func TestEachFaultOfADirectoryIsNamedWithItsPlaceAndWithoutTheNumber(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a text":              {"x", "1:1: a map with the keys region, clients belongs here"},
		"a misspelt key":      {"regions: RU", `1:1: unknown key; did you mean "region"?`},
		"an unknown region":   {"region: russia", "1:9: unknown region; two capital letters as in ISO 3166 (RU, DE)"},
		"clients as a map":    {"clients: {a: b}", "1:10: a list of clients belongs here"},
		"an entry as a text":  {"- x", "1:3: a map with the keys number, name, responsible, access belongs here"},
		"nothing in it":       {"- {}", "1:3: number is missing\nc.yaml:1:3: name is missing"},
		"a misspelt entry":    {`- {numbr: "101", name: A}`, "1:4: unknown key; did you mean \"number\"?\nc.yaml:1:3: number is missing"},
		"a key twice":         {`- {number: "101", name: A, name: B}`, "1:28: name stands in line 1 already"},
		"a bare number":       {"- {number: +79161234567, name: A}", "1:12: a number stands in quotes, or YAML reads it its own way"},
		"a bare text number":  {"- {number: +7 916 123-45-67, name: A}", "1:12: a number stands in quotes, or YAML reads it its own way"},
		"a null number":       {"- {number: ~, name: A}", "1:12: a text belongs here"},
		"no number":           {`- {number: "", name: A}`, "1:12: this number has no country code and no region is given; write it with +, or set region"},
		"letters":             {"region: RU\nclients:\n- {number: \"+7916FLOWERS\", name: A}", "3:12: this is no possible telephone number"},
		"too short":           {"region: RU\nclients:\n- {number: \"7654321\", name: A}", "3:12: this is no possible telephone number"},
		"too long":            {"region: RU\nclients:\n- {number: \"+791612345678\", name: A}", "3:12: this is no possible telephone number"},
		"no region":           {`- {number: "89161234567", name: A}`, "1:12: this number has no country code and no region is given; write it with +, or set region"},
		"a number twice":      {"region: RU\nclients:\n- {number: \"89161234567\", name: A}\n- {number: \"+7 916 123 45 67\", name: B}", "4:12: this number stands in line 3 already"},
		"an empty name":       {`- {number: "101", name: ""}`, "1:25: a name has 1 to 256 bytes, all printable"},
		"an unprintable name": {`- {number: "101", name: "a\nb"}`, "1:25: a name has 1 to 256 bytes, all printable"},
		"nobody responsible":  {`- {number: "101", name: A, responsible: ""}`, "1:41: responsible is not an employee's id; leave the key out when nobody is responsible"},
		"a list responsible":  {`- {number: "101", name: A, responsible: [a, b]}`, "1:41: a text belongs here"},
		"access as a text":    {`- {number: "101", name: A, access: anna}`, "1:36: access is a list of employees' ids"},
		"access of nobody":    {`- {number: "101", name: A, access: [anna, ""]}`, "1:43: this is not an employee's id"},
		"access of a number":  {`- {number: "101", name: A, access: [7]}`, "1:37: a text belongs here; put it in quotes if it is meant"},
		"access of too many":  {`- {number: "101", name: A, access: [` + strings.Repeat("a,", 101) + `]}`, "1:36: access has more than 100 ids"},
		"a list as number":    {`- {number: ["101"], name: A}`, "1:12: a text belongs here"},
		"two documents":       {"[]\n---\n[]", "2:1: a second document follows; there can be one"},
		"bad YAML":            {"- {number: \"101\"", "1:1: did not find expected ',' or '}'"},
		"all at once":         {"- {}\n- x", "1:3: number is missing\nc.yaml:1:3: name is missing\nc.yaml:2:3: a map with the keys number, name, responsible, access belongs here"},
	} {
		d, err := clients.Parse("c.yaml", []byte(tc.text), clients.Options{})
		if err == nil || err.Error() != "c.yaml:"+tc.want || d != nil {
			t.Errorf("%s:\n%v, want\nc.yaml:%s", name, err, tc.want)
			continue
		}
		if strings.Contains(err.Error(), "916") || strings.Contains(err.Error(), "765") {
			t.Errorf("%s: the error repeats the number: %v", name, err)
		}
		if first := (*clients.FileError)(nil); !errors.As(err, &first) {
			t.Errorf("%s: no FileError", name)
		}
	}
	for name, text := range map[string]string{"empty": "", "comment": "# none\n", "null": "~", "empty list": "[]", "region only": "region: RU", "no list": "region: RU\nclients:\n"} {
		if d, err := clients.Parse("c.yaml", []byte(text), clients.Options{}); err != nil || d.Len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWronglyExportedListDoesNotDrownTheReader(t *testing.T) {
	_, err := clients.Parse("c.yaml", []byte(strings.Repeat("- {number: 101, name: A}\n", 1000)), clients.Options{})
	if err == nil || strings.Count(err.Error(), "\n") != 100 || !strings.HasSuffix(err.Error(), "c.yaml: and 900 more errors") {
		t.Fatalf("%d lines of errors", strings.Count(fmt.Sprint(err), "\n")+1)
	}
}
