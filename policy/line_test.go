package policy_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

const desks = `
version: 1
employees: {anna: {all: true}, boris: {}}
lines:
  support: {name: Support, queue: support-ru, members: [anna]}
  vip: {}
`

func TestLines(t *testing.T) {
	set := load(t, desks)
	anna, boris := employee(t, set, "anna"), employee(t, set, "boris")
	support, ok := set.Line("support")
	if byQueue, found := set.LineOfQueue("support-ru"); !ok || !found || byQueue != support {
		t.Fatal("support is not found")
	}
	vip, _ := set.LineOfQueue("vip")
	if set.LineID(support) != "support" || set.LineName(support) != "Support" || set.Queue(support) != "support-ru" || set.LineName(vip) != "vip" || set.Queue(vip) != "vip" {
		t.Error("names")
	}
	if !set.Works(anna, support) || set.Works(boris, support) || set.Works(anna, vip) {
		t.Error("members")
	}
	for _, queue := range []string{"support", "Support-ru", ""} {
		if _, found := set.LineOfQueue(queue); found {
			t.Errorf("%q is a queue", queue)
		}
	}
	n := 0
	for l := range set.Lines() {
		if n++; l != support && l != vip {
			t.Errorf("a third line %q", set.LineID(l))
		}
	}
	if n != 2 {
		t.Errorf("%d lines", n)
	}
}

func TestALineIsNoneInAPolicyWithOtherLines(t *testing.T) {
	set := load(t, desks)
	anna, boris := employee(t, set, "anna"), employee(t, set, "boris")
	support, _ := set.Line("support")
	good := policy.Request{Subject: anna, Action: policy.LineView, Line: support}
	if same := load(t, desks+"unknown_phones: outside\n"); !set.Decide(&good).Allowed || !same.Decide(&good).Allowed {
		t.Fatal("the control is refused")
	}
	other := load(t, "version: 1\nemployees: {anna: {all: true}, boris: {}}\nlines: {sales: {members: [anna]}, vip: {}}\n")
	stranger := employee(t, load(t, trio), "boris")
	var none *policy.Set
	for name, c := range map[string]struct {
		set  *policy.Set
		req  policy.Request
		want policy.Reason
	}{
		"another policy's line": {other, good, policy.ReasonUnknownLine},
		"no line":               {set, policy.Request{Subject: anna, Action: policy.LineView}, policy.ReasonUnknownLine},
		"no line, but a target": {set, policy.Request{Subject: anna, Action: policy.LineHistory, Target: boris}, policy.ReasonUnknownLine},
		"a stranger on it":      {set, policy.Request{Subject: anna, Action: policy.LineHistory, Line: support, Target: stranger}, policy.ReasonUnknownTarget},
		"a stranger beside":     {set, policy.Request{Subject: anna, Action: policy.LineHistory, Line: support, Target: boris, With: []policy.Ref{stranger}}, policy.ReasonUnknownParty},
		"a stranger asks":       {set, policy.Request{Subject: stranger, Action: policy.LineHistory, Line: support, Access: []policy.Ref{stranger}}, policy.ReasonUnknownSubject},
		"nobody was on it":      {set, policy.Request{Subject: anna, Action: policy.Play}, policy.ReasonUnknownTarget},
		"a stranger was too":    {set, policy.Request{Subject: anna, Action: policy.Play, Target: boris, With: []policy.Ref{stranger}}, policy.ReasonUnknownParty},
		"statistics of nobody":  {set, policy.Request{Subject: anna, Action: policy.Statistics}, policy.ReasonUnknownTarget},
		"nil set":               {none, good, policy.ReasonNoPolicy},
	} {
		if d := c.set.Decide(&c.req); d.Allowed || d.Reason != c.want {
			t.Errorf("%s: %+v, want %s", name, d, c.want)
		}
		if x := c.set.Explain(c.req); x.Decision.Allowed || len(x.Statements) == 0 || !agrees(x) {
			t.Errorf("%s: %s", name, x)
		}
	}
	if other.LineID(support) != "" || other.LineName(support) != "" || other.Queue(support) != "" || other.Works(anna, support) {
		t.Error("a line of another policy is one")
	}
	if !(policy.LineRef{}).IsZero() || support.IsZero() {
		t.Error("IsZero")
	}
}
