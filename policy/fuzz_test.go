package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
	"github.com/earshot-pbx/earshot/policy"
)

// FuzzLoad holds the parser to what a broken file must not do: panic, grant, or complain about nowhere; and to what a
// good one must not do: permit more when it is written out again.
func FuzzLoad(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		for _, file := range samples(f, folder) {
			f.Add(read(f, file))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var set *policy.Set
		var err error
		limit := 16<<20 + uint64(len(data))*32<<10
		if n := allocation.Least(limit, func() { set, _, err = policy.Load("f.yaml", data, day) }); n > limit {
			t.Errorf("%d bytes of text have taken %d", len(data), n)
		}
		if err != nil {
			if set != nil {
				t.Fatal("a Set and an error")
			}
			for _, p := range err.(policy.Problems) { //nolint:errorlint,forcetypeassert // the type is the contract
				if p.Line < 1 || p.Column < 1 || p.Message == "" || p.File != "f.yaml" || strings.Contains(p.Error(), "\n") {
					t.Fatalf("a useless message: %#v", p)
				}
			}
			if _, _, again := policy.Load("f.yaml", data, day); again == nil || again.Error() != err.Error() {
				t.Fatalf("first %v, then %v", err, again)
			}
			return
		}
		if set, _, err := policy.Load("f.yaml", append(data[:len(data):len(data)], "\nunheard_of: 1\n"...), day); err == nil || set != nil {
			t.Fatal("a file with a broken end is accepted")
		}
		if set.Len() > 8 {
			return
		}
		var node yaml.Node
		if err := yaml.Unmarshal(data, &node); err != nil {
			t.Fatalf("the policy is accepted and is not YAML: %v", err)
		}
		uncomment(&node)
		text, err := yaml.Marshal(&node)
		if err != nil {
			return
		}
		again, _, err := policy.Load("f.yaml", text, day)
		if err != nil {
			return // it grants nothing then
		}
		compare(t, set, again)
		if pbxs := append(set.PBXs(), "", "of-no-policy"); len(pbxs) > 2 {
			for _, pbx := range pbxs[max(0, len(pbxs)-4):] {
				holdPhones(t, set.Beside(pbx), pbx)
			}
			compare(t, set, set.Beside(""))
		}
		next, some := set.NextChange()
		if some && !next.After(day) {
			t.Fatalf("the next change is at %v, which is not after %v", next, day)
		}
		if some {
			compare(t, set.At(next), again.At(next))
		}
	})
}

// compare fails when the second policy permits anything that the first does not.
func compare(t *testing.T, first, second *policy.Set) {
	t.Helper()
	if first.Len() != second.Len() {
		t.Fatalf("%d employees became %d", first.Len(), second.Len())
	}
	firstLines, secondLines := slices.Collect(first.Lines()), slices.Collect(second.Lines())
	if len(firstLines) != len(secondLines) {
		t.Fatalf("%d lines became %d", len(firstLines), len(secondLines))
	}
	ask := func(req policy.Request, secondLine policy.LineRef) {
		before := first.Decide(&req)
		if x := first.Explain(req); x.Decision != before || !agrees(x) {
			t.Fatalf("%+v: decided %+v and explained otherwise: %s", req, before, x)
		}
		firstLine := req.Line
		req.Line = secondLine
		if after := second.Decide(&req); after.Allowed && !before.Allowed {
			t.Fatalf("%s %s %s %s became allowed", first.ID(req.Subject), req.Action, first.ID(req.Target), first.LineID(firstLine))
		}
	}
	for s := range first.Employees() {
		for o := range first.Employees() {
			for _, a := range policy.Actions() {
				req := policy.Request{Subject: s, Action: a, Target: o}
				switch a.Matter() {
				case policy.MatterNothing:
					if s == o {
						ask(req, policy.LineRef{})
						ask(policy.Request{Subject: s, Action: a}, policy.LineRef{})
					}
				case policy.MatterLine:
					for i, line := range firstLines[:min(len(firstLines), 3)] {
						req.Line = line
						ask(req, secondLines[i])
						req.Access = []policy.Ref{s}
						ask(req, secondLines[i])
						ask(policy.Request{Subject: s, Action: a, Line: line}, secondLines[i])
					}
				case policy.MatterCall, policy.MatterNumber, policy.MatterPast, policy.MatterEmployee:
					ask(req, policy.LineRef{})
					req.Responsible, req.ReasonGiven = s, true
					ask(req, policy.LineRef{})
					req.With, req.Locked, req.ProtectedNumber = []policy.Ref{s}, a == policy.Spy, a == policy.Journal
					ask(req, policy.LineRef{})
				}
			}
			for _, number := range []string{"101", "112", "+74951112233", "+79160000101", "*98"} {
				for _, to := range []policy.Destination{
					first.Destination(number), {Number: number, Employee: o}, {Number: number, Client: true, Responsible: o}, {Number: number, Client: true, Access: []policy.Ref{s}},
				} {
					before := first.DecideDial(s, &to)
					if x := first.ExplainDial(s, to); x.Decision != before || !agrees(x) {
						t.Fatalf("decided %+v and explained otherwise: %s", before, x)
					}
					if after := second.DecideDial(s, &to); after.Allowed && !before.Allowed {
						t.Fatalf("%s became allowed to dial %+v", first.ID(s), to)
					}
				}
			}
		}
	}
}

func uncomment(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		uncomment(c)
	}
}

// FuzzAddresses: what a policy accepts as a number or an endpoint it finds again, and what it protects is protected, in
// every formatting; and no input makes a look-up panic.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"101", "+7 (495) 765-43-21", "PJSIP/101", "pjsip/a.b", "Local/101@x", "", "*8", "\u00a01", "8-800", "+7 495*", "22*", "*98", "##"} {
		f.Add(s)
	}
	fixed := load(f, trio)
	f.Fuzz(func(t *testing.T, s string) {
		fixed.Phone(s)
		fixed.Trunk(s)
		fixed.ByNumber(s)
		fixed.AppendByNumber(nil, s)
		fixed.Emergency(s)
		fixed.ProtectedNumber(s)
		if !utf8.ValidString(s) {
			return // such a string cannot stand in a policy
		}
		if set, _, err := policy.Load("p", []byte(fmt.Sprintf("version: 1\nemployees: {anna: {numbers: [%q]}}\nprotected: {numbers: [%q]}\n", s, s)), day); err == nil {
			anna, _ := set.Employee("anna")
			for _, form := range []string{s, " " + s, strings.Join(strings.Split(set.Numbers(anna)[0], ""), " - ")} {
				if len(form) > 128 {
					continue // longer than any number
				}
				if r, ok := set.ByNumber(form); !ok || r != anna {
					t.Errorf("%q is not found as %q", s, form)
				}
				if all := set.AppendByNumber(nil, form); !slices.Contains(all, anna) {
					t.Errorf("%q does not claim to be anna as %q", s, form)
				}
				if strings.ContainsAny(s, "0123456789") && !set.ProtectedNumber(form) {
					t.Errorf("%q is not protected as %q", s, form)
				}
			}
		}
		// A pattern fits the number that it names, or that it begins; so as a grant it lets, and as an exception it bars.
		if set, _, err := policy.Load("p", []byte(fmt.Sprintf("version: 1\nemployees: {anna: {dial: [%q]}, boris: {dial: {except: {numbers: [%q]}}}}\n", s, s)), day); err == nil {
			number := set.Destination(s).Number
			if number[0] != '*' && number[0] != '#' {
				number = strings.TrimSuffix(number, "*")
			}
			for number[0] == '+' && len(number) < 8 {
				number += "0"
			}
			anna, _ := set.Employee("anna")
			boris, _ := set.Employee("boris")
			to := policy.Destination{Number: number}
			if let, barred := set.DecideDial(anna, &to), set.DecideDial(boris, &to); let.Reason != policy.ReasonAllowed || barred.Reason != policy.ReasonExcluded {
				t.Errorf("the pattern %q and the number %q: %s and %s", s, number, let.Reason, barred.Reason)
			}
		}
		fixed.DecideDial(policy.Ref{}, &policy.Destination{Number: s})
		if set, _, err := policy.Load("p", []byte(fmt.Sprintf("version: 1\nemployees: {anna: {phones: [%q]}}\n", s)), day); err == nil {
			tech, rest, _ := strings.Cut(s, "/")
			for _, form := range []string{s, strings.ToLower(tech) + "/" + rest, strings.ToUpper(tech) + "/" + rest} {
				if _, ok := set.Phone(form); !ok {
					t.Errorf("%q is not found as %q", s, form)
				}
			}
		}
	})
}
