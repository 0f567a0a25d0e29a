package decisiontest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// A Suite is the tests of a file with the policy that they are about. It is immutable and safe for concurrent use.
type Suite struct {
	name      string
	set       *policy.Set
	tests     int
	decisions []decision
}

// decision is one question with the expected answer.
type decision struct {
	test *test
	at   place
	set  *policy.Set
	text string // what is asked, without any number
	req  policy.Request
	dial policy.Destination // when req.Action is Dial
}

// Load reads the tests of a file and the policy that they are about, or another policy instead of it, when files or folders of one are given.
// An error has every mistake in the tests and in the policy, as [policy.Problem], beside what cannot be read.
func Load(path string, instead ...string) (*Suite, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the tests: %w", err)
	}
	f, _ := Parse(path, data) // Compile reports what Parse found, together with its own
	paths := f.Policies()
	if len(instead) > 0 {
		paths = instead
	}
	if len(paths) == 0 {
		return nil, problems(f.problems)
	}
	set, _, err := policyfile.Load(paths, f.at)
	if err != nil {
		return nil, errors.Join(problems(f.problems), err)
	}
	return compile(f, set, len(instead) == 0)
}

// Compile makes a Suite of a File and a policy. The error is [policy.Problems] with every mistake, Parse's included; the Suite is nil then.
func Compile(f *File, set *policy.Set) (*Suite, error) { return compile(f, set, true) }

// compile looks for the rules that tests name only in the policy that they were written for. In another one the rule may rightly be
// elsewhere; then the test fails, and tells where.
func compile(f *File, set *policy.Set, own bool) (*Suite, error) {
	c := &compiler{reader: reader{file: &File{name: f.name, problems: slices.Clone(f.problems)}}, set: set.At(f.at), suite: &Suite{name: f.name, set: set, tests: len(f.tests)}}
	c.rules = map[string]bool{}
	for _, rule := range rules(set) {
		c.rules[rule.Text] = true
	}
	for i := range f.tests {
		c.test(&f.tests[i], own)
	}
	if err := problems(c.file.problems); err != nil {
		return nil, err
	}
	return c.suite, nil
}

// rules returns every rule of a policy.
func rules(set *policy.Set) []policy.Rule {
	var all []policy.Rule
	for id := policy.RuleID(1); set.Rule(id).Line != 0; id++ {
		all = append(all, set.Rule(id))
	}
	return all
}

type compiler struct {
	reader
	suite  *Suite
	set    *policy.Set // at the moment of the file
	rules  map[string]bool
	people []string // for suggestions, made on demand
}

func (c *compiler) test(t *test, own bool) {
	if own && t.by.text != "" && !c.rules[t.by.text] {
		c.errorf(t.by.at, c.guess(t.by.text, slices.Collect(maps.Keys(c.rules))), "tests.by: the policy has no rule %q", t.by.text)
	}
	set := c.set
	if t.moment != (time.Time{}) {
		set = c.set.At(t.moment)
	}
	base := policy.Request{
		With: c.employees(t.with, "with"), Access: c.employees(t.access, "access"), Party: t.party, Locked: t.locked, UnknownPhone: t.unknownPhone,
		ProtectedNumber: t.protectedNumber, ReasonGiven: t.reason,
	}
	if t.clientOf.text != "" {
		base.Responsible = c.employee(t.clientOf, "client_of")
	}
	subjects, lines := c.employees(t.who, "who"), c.lines(t.lines)
	actions := t.actions()
	numbers := len(actions) > 0 && actions[0] == policy.Dial
	targets := make([]policy.Ref, max(1, len(t.to)))
	if !numbers && len(t.to) > 0 {
		targets = c.employees(t.to, "to")
	}
	for i, subject := range subjects {
		for _, action := range actions {
			for j, target := range targets {
				for k, line := range lines {
					d := decision{test: t, at: t.at, set: set, req: base, text: t.who[i].text + " " + action.String()}
					d.req.Subject, d.req.Action, d.req.Target, d.req.Line = subject, action, target, line
					switch {
					case numbers && len(t.to) > 0:
						d.at, d.text = t.to[j].at, d.text+" this number"
						d.dial = set.Destination(t.to[j].text)
						d.dial.Responsible, d.dial.Access = base.Responsible, base.Access
						d.dial.Client = t.client || t.clientOf.text != "" || len(t.access) > 0
					case len(t.to) > 0:
						d.text += " " + t.to[j].text
					}
					if len(t.lines) > 0 {
						d.text += " on line " + t.lines[k].text
					}
					c.suite.decisions = append(c.suite.decisions, d)
				}
			}
		}
	}
}

// employees returns as many as there are words, nobody for one that the policy does not have, which is reported.
func (c *compiler) employees(words []word, key string) []policy.Ref {
	var all []policy.Ref
	for _, w := range words {
		all = append(all, c.employee(w, key))
	}
	return all
}

func (c *compiler) employee(w word, key string) policy.Ref {
	ref, ok := c.set.Employee(w.text)
	if ok {
		return ref
	}
	if c.people == nil {
		for r := range c.set.Employees() {
			c.people = append(c.people, c.set.ID(r))
		}
	}
	c.errorf(w.at, c.guess(w.text, c.people), "tests.%s: there is no employee %q", key, w.text)
	return ref
}

// lines returns one for each word, and without words no line, once.
func (c *compiler) lines(words []word) []policy.LineRef {
	if len(words) == 0 {
		return make([]policy.LineRef, 1)
	}
	var all []policy.LineRef
	for _, w := range words {
		line, ok := c.set.Line(w.text)
		if !ok {
			var ids []string
			for l := range c.set.Lines() {
				ids = append(ids, c.set.LineID(l))
			}
			c.errorf(w.at, c.guess(w.text, ids), "tests.line: there is no line %q", w.text)
		}
		all = append(all, line)
	}
	return all
}
