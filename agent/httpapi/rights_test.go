package httpapi_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// rightsText is the policy of the tests with carl, who may change it, dora who may change numbers too, and egor who may do neither.
var rightsText = strings.NewReplacer(
	"numbers: [\"103\"], ", "numbers: [\"103\"], settings.permissions: true, ",
	"department: back, listen: {to: any, allow: [spy], except: [egor]}}", "department: back, settings.permissions: true, settings.numbers: true, settings.telephony: true}",
	"  anna:  {name: Anna Petrova, phones: [PJSIP/101], numbers: [\"101\"], department: sales, lock: true}",
	"  anna: # of sales\n    name: Anna Petrova\n    phones: [PJSIP/101]\n    numbers: [\"101\"] # hers\n    department: sales\n    lock: true   # since May\n",
).Replace(policyText) + "groups: {board: [fred, anna]}\n"

// clerks is a world whose policy is in a file that is followed.
func clerks(t *testing.T) (w *world, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(rightsText), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := policyfile.Open([]string{path}, policyfile.Options{OnChange: func(set *policy.Set, err error) {
		if err == nil {
			w.gate.SetPolicy(set)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	w = newWorldOver(t, func(c *gate.Config) { c.Files, c.Policy = file, file.Current() })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- file.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w, path
}

func (w *world) rights(who, employee string) (gate.EmployeePolicy, string) {
	w.t.Helper()
	a := w.ask(who, http.MethodGet, "/v1/policy/employees/"+employee, "")
	if a.status != 200 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	var v gate.EmployeePolicy
	a.decode(w.t.(*testing.T), &v)
	return v, a.header.Get("ETag")
}

func onDisk(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRightsAreChangedInTheFileAndInForce(t *testing.T) {
	w, path := clerks(t)
	v, tag := w.rights("carl", "anna")
	if v.Name != "Anna Petrova" || v.Department != "sales" || strings.Join(v.Groups, " ") != "board" || strings.Join(v.Phones, " ") != "PJSIP/101" || !v.InForce || len(v.Rights) != 1 || v.Rights["lock"] != true {
		t.Fatalf("%+v", v)
	}
	before := onDisk(t, path)
	a := w.ask("carl", http.MethodPut, "/v1/policy/employees/anna", `{"rights":{"observe":{"to":"department","except":["boris"]},"lock":false}}`, "If-Match", tag)
	if a.status != 200 || !strings.Contains(string(a.body), `"in_force":true`) || a.header.Get("ETag") == tag {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	want := strings.Replace(before, "    lock: true   # since May\n", "    lock: false   # since May\n    observe: {to: department, except: [boris]}\n", 1)
	if got := onDisk(t, path); got != want {
		t.Errorf("%s", got)
	}
	set := w.gate.Policy()
	anna, _ := set.Employee("anna")
	fred, _ := set.Employee("fred")
	if set.Generation() != 2 || !set.Decide(&policy.Request{Subject: anna, Action: policy.Observe, Target: fred}).Allowed {
		t.Error("it is not in force")
	}
	if again, next := w.rights("carl", "anna"); next != a.header.Get("ETag") || len(again.Rights) != 2 {
		t.Errorf("%+v", again)
	}
	var phases []string
	for _, e := range w.book.All() {
		phases = append(phases, string(e.Phase)+" "+e.Subject+" "+e.Action+" "+strings.Join(e.Targets, "+")+" "+e.Detail+" "+string(e.Outcome))
	}
	if got := strings.Join(phases, "\n"); got != "decided carl settings.permissions anna keys:observe+lock allow\ndone carl settings.permissions anna keys:observe+lock " {
		t.Error(got)
	}
}

func TestWhoMayNotChangeRightsIsToldTheSameOfEverybody(t *testing.T) {
	w, path := clerks(t)
	before := onDisk(t, path)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		body := map[string]string{http.MethodGet: "", http.MethodPut: `{"rights":{}}`}[method]
		var first string
		for _, of := range []string{"anna", "egor", "nobody", "a%2Fb", "carl"} {
			a := w.ask("egor", method, "/v1/policy/employees/"+of, body, "If-Match", `"x"`)
			p := a.problem(t)
			if a.status != 403 || p.Code != "no_right" || p.Rule != "" {
				t.Errorf("%s %s: %d %s", method, of, a.status, a.body)
			}
			got := idText.ReplaceAllString(string(a.body), "")
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%s %s tells more: %s", method, of, a.body)
			}
		}
	}
	if a := w.ask("carl", http.MethodGet, "/v1/policy/employees/nobody", ""); a.status != 404 || a.problem(t).Code != "no_such_employee" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if onDisk(t, path) != before {
		t.Error("it was changed")
	}
	for _, e := range w.book.All() {
		if e.Outcome != audit.Deny || e.Subject != "egor" || e.Reason != "no_right" || len(e.Targets) > 0 {
			t.Errorf("%+v", e)
		}
	}
	if len(w.book.All()) != 5 {
		t.Errorf("%d refusals are on record", len(w.book.All()))
	}
}

func TestWhatIsAskedWronglyOfRightsChangesNothing(t *testing.T) {
	w, path := clerks(t)
	before := onDisk(t, path)
	_, tag := w.rights("carl", "anna")
	for name, c := range map[string]struct {
		who, of, body, match string
		status               int
		code, says           string
	}{
		"no If-Match":              {"carl", "anna", `{"rights":{}}`, "", 428, "if_match_required", ""},
		"any":                      {"carl", "anna", `{"rights":{}}`, "*", 428, "if_match_required", ""},
		"another":                  {"carl", "anna", `{"rights":{}}`, `"abc"`, 412, "policy_changed", ""},
		"a weak one":               {"carl", "anna", `{"rights":{}}`, "W/" + tag, 412, "policy_changed", ""},
		"one's own":                {"carl", "carl", `{"rights":{"lock":true}}`, tag, 403, "own_rights", ""},
		"a way to change it":       {"carl", "anna", `{"rights":{"settings.permissions":true}}`, tag, 403, "given_elsewhere", ""},
		"all":                      {"carl", "anna", `{"rights":{"all":{"except":["carl"]}}}`, tag, 403, "given_elsewhere", ""},
		"a mistake":                {"carl", "anna", `{"rights":{"observe":["bors"]}}`, tag, 422, "bad_policy", `"line":13,"column":15,"detail":"employees.anna.observe: there is no employee \"bors\"","hint":"did you mean \"boris\"?"`},
		"no right":                 {"carl", "anna", `{"rights":{"lisen":true}}`, tag, 422, "bad_policy", `did you mean \"listen\"?`},
		"a key that is none":       {"carl", "anna", `{"rights":{"name":"X"}}`, tag, 422, "bad_policy", `rights has a key that is no right`},
		"nothing":                  {"carl", "anna", `{"rights":{"lock":null}}`, tag, 422, "bad_policy", `leave it out`},
		"a number":                 {"carl", "anna", `{"rights":{"observe":1}}`, tag, 422, "bad_policy", `numbers and dates are text`},
		"numbers without a right":  {"carl", "anna", `{"rights":{"lock":true},"numbers":["102"]}`, tag, 403, "no_right", ""},
		"phones without a right":   {"carl", "anna", `{"rights":{"lock":true},"phones":[]}`, tag, 403, "no_right", ""},
		"somebody else's phone":    {"dora", "anna", `{"rights":{"lock":true},"phones":["PJSIP/102"]}`, tag, 422, "bad_policy", `"mistakes":[{"file":`},
		"twice":                    {"carl", "anna", `{"rights":{"lock":{"to":"any","to":"own"}}}`, tag, 400, "duplicate_member", ""},
		"no object":                {"carl", "anna", `{"rights":[]}`, tag, 400, "wrong_type", ""},
		"no rights":                {"carl", "anna", `{}`, tag, 422, "no_rights", ""},
		"a member that is unknown": {"carl", "anna", `{"rights":{},"name":"X"}`, tag, 400, "unknown_member", ""},
	} {
		a := w.ask(c.who, http.MethodPut, "/v1/policy/employees/"+c.of, c.body, "If-Match", c.match)
		if p := a.problem(t); a.status != c.status || p.Code != c.code || !strings.Contains(string(a.body), c.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if onDisk(t, path) != before {
			t.Fatalf("%s: it was changed", name)
		}
		if e := w.book.All(); a.status != 400 && c.code != "bad_policy" && c.code != "no_rights" && (e[len(e)-1].Phase != audit.Decided || e[len(e)-1].Reason != c.code) {
			t.Errorf("%s: on record is %+v", name, e[len(e)-1])
		}
	}
	if a := w.ask("dora", http.MethodPut, "/v1/policy/employees/anna", `{"rights":{"lock":true},"numbers":["101","199"],"phones":["PJSIP/101"]}`, "If-Match", tag); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got, want := onDisk(t, path), strings.Replace(before, `numbers: ["101"] # hers`, `numbers: ["101", "199"] # hers`, 1); got != want {
		t.Error(got)
	}
	if e := w.book.Last(); e.Phase != audit.Done || e.Detail != "keys:numbers" {
		t.Errorf("%+v", e)
	}
	for _, e := range w.book.All() {
		if strings.Contains(e.Detail+e.Reason, "199") || strings.Contains(e.Detail, "102") {
			t.Errorf("a number is on record: %+v", e)
		}
	}
}

// When it cannot be written down it is not done; when it cannot be done that is written down.
func TestAChangeOfRightsIsOnRecordBeforeItIsDone(t *testing.T) {
	w, path := clerks(t)
	before := onDisk(t, path)
	_, tag := w.rights("carl", "anna")
	w.book.Refuse(os.ErrClosed)
	a := w.ask("carl", http.MethodPut, "/v1/policy/employees/anna", `{"rights":{}}`, "If-Match", tag)
	if a.status != 503 || a.problem(t).Code != "not_recorded" || onDisk(t, path) != before {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.book.Refuse(nil)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	a = w.ask("carl", http.MethodPut, "/v1/policy/employees/anna", `{"rights":{}}`, "If-Match", tag)
	if a.status != 409 || a.problem(t).Code != "policy_read_only" || onDisk(t, path) != before {
		t.Errorf("%d %s", a.status, a.body)
	}
	if e := w.book.Last(); e.Phase != audit.Failed || e.Reason != "policy_read_only" || e.Detail != "keys:lock" {
		t.Errorf("%+v", e)
	}
}
