package strict_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/strict"
	"go.yaml.in/yaml/v3"
)

// settings has a field of every kind that Decode knows.
type settings struct {
	Name  string            `yaml:"name"`
	Wait  time.Duration     `yaml:"wait"`
	Limit int               `yaml:"limit"`
	Big   int64             `yaml:"big,omitempty"`
	Quiet bool              `yaml:"quiet"`
	Inner inner             `yaml:"inner"`
	Names []string          `yaml:"names"`
	List  []inner           `yaml:"list"`
	IDs   map[string]string `yaml:"ids"`
	Some  strict.OneOrMore  `yaml:"some"`
	Other string            `yaml:"-"`
	Plain string
}

type inner struct {
	Address string `yaml:"address"`
	Port    int    `yaml:"port"`
}

func TestEveryKindOfValueIsReadAndWhatIsLeftOutStays(t *testing.T) {
	got := settings{Name: "kept", Other: "untouched", Inner: inner{Port: 1}}
	_, err := strict.Decode("f", []byte("wait: 90s\nlimit: -3\nbig: 9007199254740993\nquiet: true\ninner: {address: here}\nnames: [a, \"101\"]\nlist:\n  - {address: x, port: 0x10}\n  - {}\nids: {\"99\": anna, Петрова Анна: \"7\"}\n"), &got)
	want := settings{
		Name: "kept", Wait: 90 * time.Second, Limit: -3, Big: 9007199254740993, Quiet: true, Inner: inner{"here", 1},
		Names: []string{"a", "101"}, List: []inner{{"x", 16}, {}}, IDs: map[string]string{"99": "anna", "Петрова Анна": "7"}, Other: "untouched",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
}

func TestEachFaultIsNamedWithItsPlace(t *testing.T) {
	const keys = "name, wait, limit, big, quiet, inner, names, list, ids, some"
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                 {"", "1:1: the file is empty"},
		"comments alone":          {"# nothing\n", "1:1: the file is empty"},
		"null":                    {"~", "1:1: the file is empty"},
		"a list":                  {"- name", "1:1: a map with the keys " + keys + " belongs here"},
		"a word":                  {"name", "1:1: a map with the keys " + keys + " belongs here"},
		"letters that swapped":    {"nmae: x", `1:1: unknown key; did you mean "name"?`},
		"a capital":               {"Limit: 1", `1:1: unknown key; did you mean "limit"?`},
		"one letter too few":      {"inner: {adress: x}", `1:9: unknown key; did you mean "address"?`},
		"a key far from all":      {"inner: {password: x}", "1:9: unknown key; the keys are address, port"},
		"a field without a key":   {"plain: x", "1:1: unknown key; the keys are " + keys},
		"a key that is none":      {"-: x", "1:1: unknown key; the keys are " + keys},
		"a key with another tag":  {"? [name]\n: x", "1:3: unknown key; the keys are " + keys},
		"a very long key":         {strings.Repeat("name", 200) + ": x", "1:1: unknown key; the keys are " + keys},
		"a key twice":             {"name: a\nlimit: 1\nname: b", "3:1: name stands in line 1 already"},
		"a bare number as a text": {"name: 101", "1:7: a text belongs here; put it in quotes if it is meant"},
		"a truth value as a text": {"names: [a, true]", "1:12: a text belongs here; put it in quotes if it is meant"},
		"a list as a text":        {"name: [a]", "1:7: a text belongs here"},
		"nothing after the colon": {"name:\nlimit: 1", "1:6: name: nothing stands here; leave the key out or give it a value"},
		"nothing in a section":    {"inner:\n", "1:7: inner: nothing stands here; leave the key out or give it a value"},
		"no unit":                 {"wait: 30", "1:7: wait: a duration with its unit belongs here, such as 30s or 5m"},
		"a list as a duration":    {"wait: [30s]", "1:7: wait: a duration with its unit belongs here, such as 30s or 5m"},
		"a text as a number":      {"limit: \"3\"", "1:8: limit: a whole number belongs here"},
		"a part of a number":      {"list: [{port: 1.5}]", "1:15: list[0].port: a whole number belongs here"},
		"a number too large":      {"limit: 99999999999999999999", "1:8: limit: a whole number belongs here"},
		"yes":                     {"quiet: yes", "1:8: quiet: true or false belongs here"},
		"a text as a list":        {"names: a", "1:8: names: a list belongs here"},
		"a map as a text or list": {"some: {a: b}", "1:7: some: a text or a list of texts belongs here"},
		"a number as one text":    {"some: 1", "1:7: a text belongs here; put it in quotes if it is meant"},
		"nothing as one text":     {"some:", "1:6: some: nothing stands here; leave the key out or give it a value"},
		"a section as a text":     {"inner: here", "1:8: a map with the keys address, port belongs here"},
		"a list as a map":         {"ids: [a]", "1:6: ids: a map belongs here"},
		"a bare number as a key":  {"ids: {99: anna}", "1:7: a text belongs here; put it in quotes if it is meant"},
		"a number in a map":       {"ids: {a: 7}", "1:10: a text belongs here; put it in quotes if it is meant"},
		"a key twice in a map":    {"ids: {a: b, \"a\": c}", "1:13: ids: this key stands there already"},
		"nothing in a map":        {"ids: {a: }", "1:10: ids.a: nothing stands here; leave the key out or give it a value"},
		"an alias in a map":       {"ids: {a: &x b, c: *x}", "1:10: ids.a: an alias or an anchor hides what a line means; write it out\nf:1:19: ids.c: an alias or an anchor hides what a line means; write it out"},
		"an anchor":               {"inner: &a {address: x}", "1:8: inner: an alias or an anchor hides what a line means; write it out"},
		"an alias":                {"list: [&a {address: x}, *a]", "1:8: list[0]: an alias or an anchor hides what a line means; write it out\nf:1:25: list[1]: an alias or an anchor hides what a line means; write it out"},
		"a merge":                 {"inner: {<<: {address: x}}", "1:9: unknown key; the keys are address, port"},
		"two documents":           {"name: a\n---\nname: b\n", "2:1: a second document follows; there can be one"},
		"a code without quotes":   {"# name: *51\nname: \"*51\"\nids: {a: '*51', b: x#y, ц: *51}", "3:28: what begins with * is an alias to YAML; put it in quotes"},
		"another encoding":        {"# a\n# \xd6\xe5\nname: \xc0\xed\n", "2:3: invalid trailing UTF-8 octet; save the file as UTF-8"},
		"a tab at the beginning":  {"inner:\n\tport: 1", "2:1: found character that cannot start any token; indent with spaces, not with tabs"},
		"stars without quotes":    {"limit: 1\nname: **", "2:1: did not find expected alphabetic or numeric character; what begins with * or & belongs in quotes"},
		"a broken second":         {"name: a\n---\n  name: [b\n", "2:1: did not find expected ',' or ']'"},
		"no YAML":                 {"name: a\n  b: [", "2:3: mapping values are not allowed in this context"},
		"all at once, in order":   {"limit: x\nnmae: y\ninner:\n  port: z\n", "1:8: limit: a whole number belongs here\nf:2:1: unknown key; did you mean \"name\"?\nf:4:9: inner.port: a whole number belongs here"},
	} {
		var v settings
		doc, err := strict.Decode("f", []byte(tc.text), &v)
		if err == nil || err.Error() != "f:"+tc.want || doc != nil {
			t.Errorf("%s:\n%v, want\nf:%s", name, err, tc.want)
		}
		if first := (*strict.Error)(nil); !errors.As(err, &first) || first.Line < 1 || first.Column < 1 {
			t.Errorf("%s: an error without a place", name)
		}
	}
}

func TestOneTextIsAListOfOneWhereItMayBe(t *testing.T) {
	for text, want := range map[string][]string{"some: a": {"a"}, "some: [a]": {"a"}, "some: [a, \"1\"]": {"a", "1"}, "some: []": {}} {
		var v settings
		doc, err := strict.Decode("f", []byte(text), &v)
		if err != nil || !reflect.DeepEqual([]string(v.Some), want) {
			t.Errorf("%s: %v, %v", text, v.Some, err)
		} else if place := doc.Errorf("some", "x").Error(); place != "f:1:7: x" {
			t.Errorf("%s: %s", text, place)
		}
	}
}

func TestAnErrorRepeatsNothingOfTheFile(t *testing.T) {
	const secret = "s3cret"
	for _, text := range []string{secret, secret + ": x", "limit: " + secret, "wait: " + secret, "name: {" + secret + ": x}", "quiet: " + secret, "names: " + secret, "inner: " + secret, "- " + secret} {
		var v settings
		if _, err := strict.Decode("f", []byte(text), &v); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestALaterFindingIsNamedWithThePlaceOfItsKey(t *testing.T) {
	var v settings
	doc, err := strict.Decode("f", []byte("name: a\ninner:\n  port: 1\nlist:\n  - {address: x}\n"), &v)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"name": "f:1:7: no 5", "inner.port": "f:3:9: no 5", "inner.address": "f:3:3: no 5", "inner.a.b": "f:3:3: no 5",
		"list[0].address": "f:5:15: no 5", "limit": "f:1:1: no 5", "limit.x": "f:1:1: no 5",
	} {
		if err := doc.Errorf(key, "no %d", 5); err.Error() != want {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
}

func TestErrorsAreSortedByPlaceAndThoseWithoutComeLast(t *testing.T) {
	at := func(line, column int) error { return &strict.Error{File: "f", Line: line, Column: column} }
	errs := []error{errors.New("a"), at(2, 1), at(1, 9), errors.New("b"), at(1, 2)}
	want := []error{errs[4], errs[2], errs[1], errs[0], errs[3]}
	strict.Sort(errs)
	if !reflect.DeepEqual(errs, want) {
		t.Fatalf("%v, want %v", errs, want)
	}
}

func TestAFileWrongAllOverDoesNotDrownTheReader(t *testing.T) {
	var v settings
	_, err := strict.Decode("f", []byte("names:\n"+strings.Repeat("- 101\n", 1000)), &v)
	if err == nil || strings.Count(err.Error(), "\n") != 100 || !strings.HasSuffix(err.Error(), "f: and 900 more errors") {
		t.Fatalf("%d lines of errors", strings.Count(err.Error(), "\n")+1)
	}
}

func TestWhatIsTooLargeIsNotRead(t *testing.T) {
	if data, err := strict.ReadAll(strings.NewReader("12345"), 5); err != nil || string(data) != "12345" {
		t.Fatalf("%q, %v", data, err)
	}
	if data, err := strict.ReadAll(strings.NewReader("123456"), 5); !errors.Is(err, strict.ErrTooLarge) || data != nil {
		t.Fatalf("%q, %v", data, err)
	}
}

// A file is never read as more than it says: what is taken can be written, and is read the same again.
func FuzzDecode(f *testing.F) {
	f.Add("name: a\nwait: 1m\nlimit: 3\nquiet: true\ninner: {address: x, port: 1}\nnames: [a]\nlist: [{}]\n")
	f.Add("name: \"\\u0007\"\nnames: []\n")
	f.Add("&a {name: *a, <<: *a}\n---\n{}")
	f.Add("limit: 0o17\nbig: 1_0\n")
	f.Fuzz(func(t *testing.T, text string) {
		var first, again settings
		if _, err := strict.Decode("f", []byte(text), &first); err != nil {
			if e := (*strict.Error)(nil); !errors.As(err, &e) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		written, err := yaml.Marshal(struct {
			Name  string        `yaml:"name"`
			Wait  time.Duration `yaml:"wait"`
			Limit int           `yaml:"limit"`
			Big   int64         `yaml:"big"`
			Quiet bool          `yaml:"quiet"`
			Inner inner         `yaml:"inner"`
			Names []string      `yaml:"names"`
			List  []inner       `yaml:"list"`
			Some  []string      `yaml:"some"`
		}{first.Name, first.Wait, first.Limit, first.Big, first.Quiet, first.Inner, append([]string{}, first.Names...), append([]inner{}, first.List...), append([]string{}, first.Some...)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := strict.Decode("f", written, &again); err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		first.Names, first.List, first.Some = append([]string{}, first.Names...), append([]inner{}, first.List...), append(strict.OneOrMore{}, first.Some...)
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("read %+v, read again %+v", first, again)
		}
	})
}
