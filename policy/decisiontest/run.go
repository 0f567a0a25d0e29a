package decisiontest

import (
	"fmt"
	"strings"

	"github.com/earshot-pbx/earshot/policy"
)

// A Result is one decision held against what its test expects.
type Result struct {
	File         string
	Line, Column int    // of the test, or of the number that is dialled
	Test         string // its name, or ""
	Asked        string // as in "irina spy anna"; it never has a telephone number
	Wanted       string // as in "deny excluded"
	Explanation  policy.Explanation
	OK           bool // whether all came as expected
}

// Name returns the file's name as it was given to Load.
func (s *Suite) Name() string { return s.name }

// Tests returns how many tests there are; each is at least one decision.
func (s *Suite) Tests() int { return s.tests }

// Run decides everything that the tests ask, in the order of the file.
func (s *Suite) Run() []Result {
	var all []Result
	for i := range s.decisions {
		all = append(all, s.decisions[i].run(s.name))
	}
	return all
}

func (d *decision) run(file string) Result {
	e := d.explain()
	t := d.test
	got := e.Decision
	r := Result{
		File: file, Line: d.at.line, Column: d.at.column, Test: t.name, Asked: d.text, Wanted: answer(t.want), Explanation: e,
		OK: got.Allowed == t.want && (t.because.text == "" || t.because.text == got.Reason.String()) && (t.by.text == "" || t.by.text == e.Rule.Text),
	}
	if t.because.text != "" {
		r.Wanted += " " + t.because.text
	}
	if t.by.text != "" {
		r.Wanted += " by " + t.by.text
	}
	return r
}

func (d *decision) explain() policy.Explanation {
	if d.req.Action == policy.Dial {
		return d.set.ExplainDial(d.req.Subject, d.dial)
	}
	return d.set.Explain(d.req)
}

func answer(allowed bool) string {
	if allowed {
		return "allow"
	}
	return "deny"
}

// String returns a line with the place, what was asked, what was expected and what came; below it, indented, the explanation when that is
// not the same.
func (r Result) String() string {
	out := fmt.Sprintf("%s:%d:%d: ", r.File, r.Line, r.Column)
	if r.Test != "" {
		out += r.Test + ": "
	}
	out += r.Asked + ": "
	if r.OK {
		explained, _, _ := strings.Cut(r.Explanation.String(), "\n")
		return out + explained
	}
	got := answer(r.Explanation.Decision.Allowed) + " " + r.Explanation.Decision.Reason.String()
	if rule := r.Explanation.Rule; rule.Line != 0 {
		got += " by " + rule.Text
	}
	return out + "expected " + r.Wanted + ", got " + got + "\n    " + strings.ReplaceAll(r.Explanation.String(), "\n", "\n    ")
}
