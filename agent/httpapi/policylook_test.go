package httpapi_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestThePolicyIsShownToWhoMayChangeIt(t *testing.T) {
	w, _ := clerks(t)
	var m gate.PolicyMatrix
	w.ask("carl", http.MethodGet, "/v1/policy/matrix?subject=carl&action=spy&targets=1", "").decode(t, &m)
	if len(m.Rows) != 1 || m.Rows[0].Subject != "carl" || m.Rows[0].Action != "spy" || m.Generation != 1 || !slices.Contains(m.Actions, "line.join") {
		t.Fatalf("%+v", m)
	}
	if g := m.Rows[0].Grants; len(g) != 1 || g[0].Mark != "yes" || g[0].Count != 5 || g[0].Text != "everybody (5)" || strings.Join(g[0].Targets, " ") != "anna boris dora egor fred" {
		t.Errorf("%+v", g)
	}
	m = gate.PolicyMatrix{}
	w.ask("carl", http.MethodGet, "/v1/policy/matrix", "").decode(t, &m)
	has := func(subject, action string) bool {
		return slices.ContainsFunc(m.Rows, func(r gate.PolicyRow) bool { return r.Subject == subject && r.Action == action && len(r.Grants) > 0 })
	}
	if !has("anna", "lock") || has("anna", "spy") || !has("dora", "settings.numbers") || m.Rows[0].Grants[0].Targets != nil {
		t.Errorf("%+v", m.Rows)
	}
	w.ask("carl", http.MethodGet, "/v1/policy/matrix?subject=department:back&action=lock", "").decode(t, &m)
	if m.Rows == nil || len(m.Rows) != 0 {
		t.Errorf("%+v", m.Rows)
	}
	var e gate.PolicyAnswer
	w.ask("carl", http.MethodGet, "/v1/policy/explain?subject=boris&action=spy&target=anna", "").decode(t, &e)
	if e.Allowed || e.Reason != "no_right" || len(e.Needs) == 0 || len(e.Needs[0].Ways) == 0 {
		t.Errorf("%+v", e)
	}
	e = gate.PolicyAnswer{}
	w.ask("carl", http.MethodGet, "/v1/policy/explain?subject=carl&action=spy&target=anna", "").decode(t, &e)
	if !e.Allowed || !strings.HasSuffix(e.Rule, ": employees.carl.listen") || len(e.Statements) == 0 || e.Statements[0].Effect != "grants" {
		t.Errorf("%+v", e)
	}
	w.ask("carl", http.MethodGet, "/v1/policy/explain?subject=anna&action=lock", "").decode(t, &e)
	if !e.Allowed {
		t.Errorf("%+v", e)
	}
	for path, want := range map[string]string{
		"matrix?subject=nobody":                               "422 unknown_subject",
		"matrix?action=teleport":                              "422 unknown_action",
		"matrix?targets=2":                                    "422 invalid_request",
		"explain?subject=boris&action=teleport":               "422 unknown_action",
		"explain?subject=nobody&action=lock":                  "404 no_such_employee",
		"explain?subject=boris&action=spy":                    "422 wrong_target",
		"explain?subject=boris&action=lock&target=anna":       "422 wrong_target",
		"explain?subject=boris&action=spy&target=nobody":      "404 no_such_employee",
		"explain?subject=boris&action=line.join&line=nowhere": "404 no_such_line",
		"explain?subject=boris&action=spy&target=anna&line=x": "422 wrong_target",
		"explain?subject=boris&action=dial":                   "422 needs_number",
		"explain?subject=boris":                               "422 invalid_request",
		"status?x=1":                                          "400 unknown_parameter",
	} {
		p := w.ask("carl", http.MethodGet, "/v1/policy/"+path, "").problem(t)
		if got := fmt.Sprintf("%d %s", p.Status, p.Code); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestThePolicyIsShownToNobodyElse asks as who may not change it: whatever is asked, the answer is the same, and says nothing of the policy.
func TestThePolicyIsShownToNobodyElse(t *testing.T) {
	w, _ := clerks(t)
	var first string
	for _, path := range []string{
		"status", "matrix", "matrix?subject=carl", "matrix?subject=nobody", "explain?subject=carl&action=spy&target=anna", "explain?subject=nobody&action=spy&target=anna", "explain?subject=egor&action=teleport",
	} {
		a := w.ask("egor", http.MethodGet, "/v1/policy/"+path, "")
		if a.status != 403 || a.problem(t).Code != "no_right" || a.problem(t).ID != "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if first == "" {
			first = string(a.body)
		}
		if string(a.body) != first {
			t.Errorf("%s: %s and not %s", path, a.body, first)
		}
	}
	// What one may do at all is told in me, so that a panel need not try.
	for who, want := range map[string]bool{"carl": true, "egor": false} {
		var me gate.Me
		if w.ask(who, http.MethodGet, "/v1/me", "").decode(t, &me); slices.Contains(me.Actions, "settings.permissions") != want {
			t.Errorf("%s: %v", who, me.Actions)
		}
	}
	if len(w.book.All()) != 0 {
		t.Errorf("to look is recorded: %+v", w.book.All())
	}
}

func TestThePolicysMistakesAreToldWithTheirPlaces(t *testing.T) {
	w, path := clerks(t)
	var st gate.PolicyStatus
	w.ask("carl", http.MethodGet, "/v1/policy/status", "").decode(t, &st)
	if !st.Good || st.Generation != 1 || st.Employees != 6 || st.Loaded == nil || len(st.Mistakes) != 0 {
		t.Fatalf("%+v", st)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(rightsText, "observe: true", "obsrve: true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	status := func(is func() bool) {
		t.Helper()
		for late := time.Now().Add(20 * time.Second); ; {
			st = gate.PolicyStatus{}
			if w.ask("carl", http.MethodGet, "/v1/policy/status", "").decode(t, &st); is() {
				return
			}
			if time.Now().After(late) {
				t.Fatalf("it did not come to that: %+v", st)
			}
		}
	}
	status(func() bool { return !st.Good })
	if len(st.Mistakes) != 1 || st.Mistakes[0].Line == 0 || st.Mistakes[0].Column == 0 || !strings.Contains(st.Mistakes[0].Hint, "observe") || st.Generation != 1 {
		t.Errorf("%+v", st)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	status(func() bool { return len(st.Mistakes) == 1 && st.Mistakes[0].Line == 0 })
	if strings.Contains(st.Mistakes[0].Text+st.Mistakes[0].Hint, path) || st.Employees != 6 {
		t.Errorf("%+v", st)
	}
	// Without files there is nothing that could be wrong with them.
	bare := newWorld(t)
	bare.gate.SetPolicy(bare.policy(rightsText))
	if bare.ask("carl", http.MethodGet, "/v1/policy/status", "").decode(t, &st); !st.Good {
		t.Errorf("%+v", st)
	}
}
