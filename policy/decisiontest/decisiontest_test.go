package decisiontest_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/decisiontest"
)

const office = `version: 1
timezone: Europe/Moscow
times:
  work: {days: [mon-fri], hours: "09:00-18:00"}
departments:
  sales: {head: irina}
employees:
  anna:     {department: sales, numbers: ["101"], intercept: true, dial: clients, statistics: own, lock: true}
  boris:    {department: sales, numbers: ["102"], dial: {clients: own}}
  irina:    {listen: {to: department, except: [carl], reason: [boris], during: work}, observe: department, journal: department, line.join: any}
  carl:     {}
  director: {listen: any, observe: any}
lines:
  support: {members: [anna]}
  spare: {}
roles:
  auditor: {play: any}
assign:
  - {role: auditor, to: [carl], until: 2026-06-30}
protected: {employees: [director], numbers: ["+7 495 765-43-21", "+7 495 765-43-22"]}
emergency: ["112"]
`

const head = "version: 1\nat: 2026-06-01T12:00:00+03:00\ntests:\n"

func suite(t testing.TB, text string) *decisiontest.Suite {
	t.Helper()
	f, _ := decisiontest.Parse("office.test.yaml", []byte(text))
	s, err := decisiontest.Compile(f, set(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t testing.TB) *policy.Set {
	t.Helper()
	// Compiled for another day, so that only the clock of the tests can let them pass.
	s, _, err := policy.Load("office.yaml", []byte(office), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each fact that a test can tell changes an answer: with it the test passes, and without it, it fails.
func TestEachKeyOfATestCounts(t *testing.T) {
	for _, tc := range []struct{ key, test string }{
		{"with: [carl]", "{who: irina, may_not: spy, to: anna, because: excluded_other, KEY}"},
		{"reason: complaint 4711", "{who: irina, may: spy, to: boris, KEY}"},
		{"party: true", "{who: anna, may: observe, to: boris, KEY}"},
		{"locked: true", "{who: irina, may_not: spy, to: anna, because: locked, KEY}"},
		{"unknown_phone: true", "{who: irina, may_not: spy, to: anna, because: unknown_phone, KEY}"},
		{"protected_number: true", "{who: irina, may_not: spy, to: anna, because: protected_number, by: protected.numbers, KEY}"},
		{"client_of: anna", "{who: anna, may: intercept, to: boris, KEY}"},
		{"client_of: boris", `{who: boris, may: dial, to: "+7 916 111-22-33", KEY}`},
		{"client: true", `{who: anna, may: dial, to: "+7 916 111-22-33", KEY}`},
		{"access: [boris]", `{who: boris, may: dial, to: "+7 916 111-22-33", KEY}`},
		{"access: boris", "{who: boris, may: line.history, line: support, to: anna, KEY}"},
		{"client_of: boris", "{who: boris, may: line.history, line: [support, spare], to: anna, KEY}"},
		{"at: 2026-06-06T12:00:00+03:00", "{who: irina, may_not: spy, to: anna, because: not_now, KEY}"},
		{"at: 2026-07-01T00:00:00+03:00", "{who: carl, may_not: play, to: anna, KEY}"},
	} {
		with, without := strings.Replace(tc.test, "KEY", tc.key, 1), strings.Replace(tc.test, ", KEY", "", 1)
		for text, want := range map[string]bool{with: true, without: false} {
			for _, r := range suite(t, head+"  - "+text).Run() {
				if r.OK != want {
					t.Errorf("%s: %v\n%s", text, r.OK, r)
				}
			}
		}
	}
}

func TestEveryCombinationIsOneDecision(t *testing.T) {
	s := suite(t, head+`  - {who: [irina, director], may: [spy, barge], to: [anna]}
  - {who: boris, may_not: [line.view, line.history], line: [support, spare]}
  - {who: anna, may: lock}
  - {who: anna, may: dial, to: ["112", "+7 916 111-22-33"], client: true}
`)
	var got []string
	for _, r := range s.Run() {
		if !r.OK {
			t.Error(r)
		}
		got = append(got, r.Asked)
	}
	want := []string{
		"irina spy anna", "irina barge anna", "director spy anna", "director barge anna",
		"boris line.view on line support", "boris line.view on line spare", "boris line.history on line support", "boris line.history on line spare",
		"anna lock", "anna dial this number", "anna dial this number",
	}
	if !slices.Equal(got, want) || s.Tests() != 4 {
		t.Errorf("%d tests asked\n%s", s.Tests(), strings.Join(got, "\n"))
	}
}

func TestAFailureTellsWhatWasExpectedAndWhatCame(t *testing.T) {
	for test, want := range map[string]string{
		"{name: heads listen, who: irina, may_not: spy, to: anna}": `office.test.yaml:4:5: heads listen: irina spy anna: expected deny, got allow allowed by employees.irina.listen
    allow allowed office.yaml:10:14: employees.irina.listen
      grants  office.yaml:10:14: employees.irina.listen: grants spy on department: anna is in it`,
		"{who: irina, may: spy, to: director}": `office.test.yaml:4:5: irina spy director: expected allow, got deny protected by protected.employees
    deny protected office.yaml:20:13: protected.employees
      refuses office.yaml:20:13: protected.employees: director is protected
      none    office.yaml:10:14: employees.irina.listen: grants spy on department: director is not in it
      none    nothing grants spy to irina on director`,
		"{who: irina, may_not: spy, to: director, because: no_right}":             "office.test.yaml:4:5: irina spy director: expected deny no_right, got deny protected by protected.employees\n",
		"{who: irina, may: spy, to: anna, by: protected.employees}":               "office.test.yaml:4:5: irina spy anna: expected allow by protected.employees, got allow allowed by employees.irina.listen\n",
		"{who: anna, may_not: dial, to: [\"900\", \"112\"], because: not_client}": "office.test.yaml:4:44: anna dial this number: expected deny not_client, got allow emergency by emergency\n",
	} {
		var failed []string
		for _, r := range suite(t, head+"  - "+test).Run() {
			if !r.OK {
				failed = append(failed, r.String())
			}
		}
		if len(failed) != 1 || !strings.HasPrefix(failed[0], want) {
			t.Errorf("%s:\n%s", test, strings.Join(failed, "\n"))
		}
	}
	if got, want := suite(t, head+"  - {who: anna, may: lock}").Run()[0].String(), "office.test.yaml:4:5: anna lock: allow allowed office.yaml:8:100: employees.anna.lock"; got != want {
		t.Errorf("got %s", got)
	}
}

func one(test string) string { return head + "  - " + test }

const clock = "at: 2026-06-01T12:00:00Z\n"

// mistakes are files of tests with what is wrong with them.
var mistakes = map[string]string{
	"":   `1:1: the file is empty (begin with "version: 1")`,
	"[]": "1:1: the file must be a mapping, not a list",
	"version: 2\n" + clock + "tests: [{who: anna, may: lock}]":             `1:10: this is not a version of the tests that can be read here (write "version: 1")`,
	"version: 1\ntests: [{who: anna, may: lock}]":                          `1:1: the clock is missing (add "at: 2026-06-01T12:00:00+03:00", the moment at which the tests decide)`,
	clock + "tests: [{who: anna, may: lock}]":                              `1:1: the version of the tests is missing (add "version: 1")`,
	"version: 1\n" + clock:                                                 "1:1: there are no tests",
	"version: 1\n" + clock + "tests: []":                                   "3:8: there are no tests",
	"version: 1\n" + clock + "tests: {}":                                   "3:8: tests must be a list, not a mapping",
	"version: 1\n" + clock + "test: []\ntests: [{who: anna, may: lock}]":   `3:1: the file: unknown key "test" (did you mean "tests"?)`,
	"version: 1\n" + clock + "policy: []\ntests: [{who: anna, may: lock}]": "3:9: policy: an empty list names nobody (leave the key out, or name somebody)",
	"version: 1\nat: 2026-06-01\ntests: [{who: anna, may: lock}]":          "2:5: at must be a date with a time and its offset (as in 2026-06-01T12:00:00+03:00)",
	"version: 1\nat: 2026-06-01T12:00:00\ntests: [{who: anna, may: lock}]": "2:5: at must be a date with a time and its offset (as in 2026-06-01T12:00:00+03:00)",
	"a: b\n---\nc: d": "1:1: the file: unknown key \"a\" (did you mean \"at\"?)\n1:1: the version of the tests is missing (add \"version: 1\")\n" +
		"1:1: the clock is missing (add \"at: 2026-06-01T12:00:00+03:00\", the moment at which the tests decide)\n1:1: there are no tests\n2:1: a file of tests is one YAML document (use a file for each)",
	one("{who: anna, may: lock, mai: spy}"):                       `4:28: tests: unknown key "mai" (did you mean "may"?)`,
	one("{who: ana, may: lock}"):                                  `4:11: tests.who: there is no employee "ana" (did you mean "anna"?)`,
	one("{who: anna, may: spi, to: boris}"):                       `4:22: tests.may: unknown action "spi" (did you mean "spy"?)`,
	one("{who: anna, may: [listen, all], to: boris}"):             "4:23: tests.may: unknown action \"listen\" (say which: spy, whisper, barge)\n4:31: tests.may: unknown action \"all\" (name the actions)",
	one("{who: anna, may: spy, to: [boris, bors]}"):               `4:39: tests.to: there is no employee "bors" (did you mean "boris"?)`,
	one("{who: anna, may: spy, to: boris, with: dina}"):           `4:44: tests.with: there is no employee "dina"`,
	one("{who: anna, may: intercept, to: boris, client_of: x}"):   `4:55: tests.client_of: there is no employee "x"`,
	one("{who: anna, may: line.view, line: supportt}"):            `4:39: tests.line: there is no line "supportt" (did you mean "support"?)`,
	one("{who: anna, may_not: spy, to: boris, because: exclude}"): `4:51: tests.because: unknown reason "exclude" (did you mean "excluded"?)`,
	one("{who: anna, may: lock, because: no_right}"):              "4:37: tests.because: nothing is allowed because of no_right",
	one("{who: anna, may_not: lock, because: allowed}"):           "4:41: tests.because: nothing is refused because of allowed",
	one("{who: anna, may: lock, by: employees.anna.look}"):        `4:32: tests.by: the policy has no rule "employees.anna.look" (did you mean "employees.anna.lock"?)`,
	one("{may: lock}"):                               "4:5: tests: nobody asks (add who: with the id of an employee)",
	one("{who: anna}"):                               "4:5: tests: nothing is asked (add may: or may_not: with an action)",
	one("{who: anna, may: lock, may_not: lock}"):     "4:28: tests: both may and may_not (make two tests of it)",
	one("{who: anna, may: spy}"):                     "4:5: tests: spy is about nothing without to (add to:)",
	one("{who: anna, may: line.view}"):               "4:5: tests: line.view is about nothing without line (add line:)",
	one("{who: anna, may: lock, to: boris}"):         "4:28: tests.to: it means nothing for lock (it is about nobody else)",
	one("{who: anna, may: spy, to: [boris, boris]}"): "4:39: tests.to: this is here twice",
	one("{who: anna, may: spy, to: []}"):             "4:31: tests.to: an empty list names nobody (leave the key out, or name somebody)",
	one("{who: anna, may: statistics, to: boris, with: carl, locked: true, reason: x}"): "4:45: tests.with: it means nothing for statistics (it is for live calls, what is kept of calls, and conversations of a line)\n" +
		"4:57: tests.locked: it means nothing for statistics (it is for spy, whisper and barge)\n4:71: tests.reason: it means nothing for statistics (it is for spy, whisper, barge, play, download and delete)",
	one("{who: anna, may: line.view, line: support, to: boris}"):  "4:48: tests.to: it means nothing for line.view (it is about nobody else)",
	one("{who: anna, may: intercept, to: boris, access: [carl]}"): "4:44: tests.access: it means nothing for intercept (it is for dial, line.history, line.join and line.grade)",
	one("{who: anna, may: observe, to: boris, locked: true, reason: x}"): "4:42: tests.locked: it means nothing for observe (it is for spy, whisper and barge)\n" +
		"4:56: tests.reason: it means nothing for observe (it is for spy, whisper, barge, play, download and delete)",
	one("{who: anna, may: [spy, play], to: boris, party: true}"):            "4:46: tests.party: it means nothing for play (it is for observe, observe.kind, spy, whisper and barge)",
	one("{who: anna, may: spy, to: boris, line: support}"):                  "4:38: tests.line: it means nothing for spy (it is for the actions that begin with line)",
	one("{who: anna, may: [spy, dial], to: boris}"):                         "4:28: tests: dial is about numbers, and the other actions are not (make a test of its own)\n4:39: tests.to: a number must be in quotes (as in \"101\")",
	one("{who: anna, may: dial, to: 112}"):                                  `4:32: tests.to: a number must be in quotes (as in "101")`,
	one(`{who: anna, may: dial, to: "112", client: true, client_of: anna}`): "4:39: tests.client: client_of says so already (leave client out)",
	one("{who: anna, may: line.history, line: support, with: boris}"):       "4:51: tests.with: it is about a conversation of the line, and not about the whole line (add to: with an employee of the conversation)",
	one("{who: anna, may: spy, to: boris, party: yes}"):                     "4:45: tests.party must be true or false, not text",
	one("{who: 1, may: lock}"):                                              "4:11: tests.who must be text, not a bare number (put it in quotes if it is meant)",
	one("{who: &a anna, may: lock}"):                                        "4:11: tests.who: anchors and aliases are not part of the language (write it out, or use a role or a group)",
	one("{who: anna, who: anna, may: lock}"):                                `4:17: tests: key "who" is here twice, first in line 4`,
	one("{who: anna, may: lock, at: noon}"):                                 "4:32: tests.at must be a date with a time and its offset (as in 2026-06-01T12:00:00+03:00)",
	one("anna"):                                                             "4:5: tests must be a mapping, not text",
	one("{who: ana, may: spi, to: bors}\n  - {who: crl, may: lock}"): "4:11: tests.who: there is no employee \"ana\" (did you mean \"anna\"?)\n4:21: tests.may: unknown action \"spi\" (did you mean \"spy\"?)\n" +
		"4:30: tests.to: there is no employee \"bors\" (did you mean \"boris\"?)\n5:11: tests.who: there is no employee \"crl\" (did you mean \"carl\"?)",
}

func TestEachMistakeIsToldWithItsPlaceAndAHint(t *testing.T) {
	for text, want := range mistakes {
		f, early := decisiontest.Parse("office.test.yaml", []byte(text))
		s, err := decisiontest.Compile(f, set(t))
		if err == nil || s != nil {
			t.Errorf("%s\nis accepted", text)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), "office.test.yaml:", ""); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", text, got, want)
		}
		if early != nil && !strings.Contains(err.Error(), early.Error()) && len(early.(policy.Problems)) == len(err.(policy.Problems)) { //nolint:errorlint,forcetypeassert // the type is the contract
			t.Errorf("%s\nParse says %v", text, early)
		}
	}
}

func TestAFileWithoutPolicyTestsTheOneOfItsName(t *testing.T) {
	for name, want := range map[string]string{
		"a/sales.test.yaml": "a/sales.yaml", "sales.test.yml": "sales.yml", "sales.yaml": "", ".test.yaml": "", "test.yaml": "",
	} {
		f, err := decisiontest.Parse(filepath.FromSlash(name), []byte(head+"  - {who: anna, may: lock}"))
		got := filepath.ToSlash(strings.Join(f.Policies(), " "))
		if got != want || (want == "") != (err != nil) || decisiontest.Named(name) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	f, err := decisiontest.Parse("a/tests.yaml", []byte("policy: [../b.yaml, /etc/earshot]\n"+head+"  - {who: anna, may: lock}"))
	if got := f.Policies(); err != nil || !slices.Equal(got, []string{"b.yaml", "/etc/earshot"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheTestsOfAFileAreRunAgainstItsPolicyOrAnother(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := write("p.test.yaml", head+"  - {who: anna, may: spy, to: boris, by: employees.anna.spy}")
	write("p.yaml", "version: 1\nemployees: {anna: {spy: any}, boris: {}}\n")
	other := write("other.yaml", "version: 1\nemployees: {anna: {listen: any}, boris: {}}\n")
	broken := write("broken.yaml", "version: 1\nemployees: {ana: {}}\nx: 1\n")
	s, err := decisiontest.Load(tests)
	if err != nil || !s.Run()[0].OK || s.Name() != tests {
		t.Fatalf("%v", err)
	}
	// In the other policy the rule is elsewhere, which is what the test is to tell, and no mistake in it.
	if s, err = decisiontest.Load(tests, other); err != nil || s.Run()[0].OK {
		t.Fatalf("%v", err)
	}
	problem := policy.Problem{}
	if _, err = decisiontest.Load(tests, broken); !errors.As(err, &problem) || problem.Line != 3 {
		t.Errorf("%v", err)
	}
	if _, err = decisiontest.Load(write("gone.test.yaml", head+"  - {who: anna, mai: spy, to: boris}")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), `unknown key "mai"`) {
		t.Errorf("%v", err)
	}
	if _, err = decisiontest.Load(filepath.Join(dir, "none.test.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestTheCoverTellsWhichRulesNothingAsked(t *testing.T) {
	s := suite(t, head+`  - {who: irina, may: spy, to: anna}
  - {who: irina, may_not: spy, to: [boris, carl, director]}
  - {who: carl, may: play, to: anna}
  - {who: irina, may_not: spy, to: anna, protected_number: true}
  - {who: irina, may_not: observe, to: carl} # of which the rule on her department says only that it does not reach
`)
	var c decisiontest.Cover
	c.Add(s, s.Run())
	c.Add(s, nil) // what has spoken once has spoken
	var silent []string
	for _, r := range c.Silent() {
		silent = append(silent, r.Text)
	}
	want := []string{
		"employees.anna.intercept", "employees.anna.dial", "employees.anna.statistics", "employees.anna.lock", "employees.boris.dial", "employees.irina.observe",
		"employees.irina.journal", "employees.irina.line.join", "employees.director.listen", "employees.director.observe", "emergency",
	}
	if !slices.Equal(silent, want) || c.Len() != len(want)+8 {
		t.Errorf("of %d: %q", c.Len(), silent)
	}
}

// What a file of tests looks like never makes the parser panic, nor complain about nowhere.
func FuzzParse(f *testing.F) {
	f.Add(head + "  - {who: [anna, boris], may: [spy, dial], to: \"101\", with: x, because: excluded, by: y, at: 2026-06-01T12:00:00Z}")
	f.Add("policy: &a [*a]\n<<: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := decisiontest.Parse("f.test.yaml", []byte(text))
		s, all := decisiontest.Compile(file, set(t))
		if (s == nil) == (all == nil) || err != nil && all == nil {
			t.Fatalf("%v, then %v", err, all)
		}
		if all == nil {
			if len(s.Run()) == 0 {
				t.Fatal("tests that test nothing are accepted")
			}
			return
		}
		for _, p := range all.(policy.Problems) { //nolint:errorlint,forcetypeassert // the type is the contract
			if p.Line < 1 || p.Column < 1 || p.Message == "" || strings.Contains(p.Error(), "\n") {
				t.Fatalf("a useless message: %#v", p)
			}
		}
	})
}
