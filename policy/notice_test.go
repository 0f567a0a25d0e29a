package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"pgregory.net/rapid"
)

func notice(t testing.TB, s *policy.Set, subject, action, target string) policy.Notice {
	t.Helper()
	from, _ := s.Employee(subject)
	to, _ := s.Employee(target)
	a, ok := policy.ParseAction(action)
	if !ok {
		t.Fatalf("no action %q", action)
	}
	return s.Notice(&policy.Request{Subject: from, Action: a, Target: to})
}

func toldBy(n policy.Notice) string {
	var words []string
	for _, w := range []struct {
		is   bool
		name string
	}{{n.Panel(), "panel"}, {n.Tone(), "tone"}, {n.After(), "after"}, {n.Both(), "both"}, {n.ToneToBoth(), "tone-to-both"}} {
		if w.is {
			words = append(words, w.name)
		}
	}
	return strings.Join(words, " ")
}

func TestNoticeTakesEveryWayThatARuleWants(t *testing.T) {
	s, _, err := policy.Load("policy.yaml", []byte(`
version: 1
timezone: Europe/Moscow
employees:
  anna: {}
  boris: {}
  carl: {listen: {to: any, notify: panel}}
  dora: {spy: {only: [anna], notify: panel}, barge: true}
  egor: {listen: {to: any, notify: [none]}}
  fay:  {listen: {to: any, notify: [panel, after]}, unnoticed: [boris]}
  gus:  {listen: true, unnoticed: true}
  hana: {spy: {to: any, notify: tone}, whisper: {to: any, notify: {how: [tone, panel], to: both}}, barge: {to: any, notify: {how: tone, to: employee}}}
  ivo:  {spy: {to: any, notify: {how: tone, to: both}}, unnoticed: [boris]}
roles:
  head:  {listen: {to: any, notify: {how: after, to: both}}}
  gone:  {listen: {to: any, notify: panel}}
  quiet: {unnoticed: {to: any, except: [anna]}}
assign:
  - {role: head, to: [carl, egor, hana]}
  - {role: gone, to: [egor], until: 2020-01-01}
  - {role: quiet, to: [carl]}
`), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ subject, action, target, want, rule string }{
		{"carl", "spy", "anna", "panel after both", "policy.yaml:7:28: employees.carl.listen.notify"},
		{"carl", "spy", "boris", "", ""}, // unnoticed by a role
		{"dora", "spy", "anna", "panel", "policy.yaml:8:30: employees.dora.spy.notify"},
		{"dora", "spy", "boris", "panel", "policy.yaml:8:30: employees.dora.spy.notify"}, // it is about all that she does so
		{"dora", "barge", "anna", "", ""},
		{"egor", "whisper", "anna", "after both", "policy.yaml:15:29: roles.head.listen.notify"},
		{"fay", "barge", "anna", "panel after", "policy.yaml:10:28: employees.fay.listen.notify"},
		{"fay", "barge", "boris", "", ""},
		{"gus", "spy", "anna", "", ""},
		{"anna", "spy", "gus", "", ""},
		{"hana", "spy", "anna", "tone after both", "policy.yaml:12:25: employees.hana.spy.notify"}, // that a rule tells both sides otherwise lets no customer hear a tone
		{"hana", "whisper", "anna", "panel tone after both tone-to-both", "policy.yaml:12:59: employees.hana.whisper.notify"},
		{"hana", "barge", "anna", "tone after both", "policy.yaml:12:117: employees.hana.barge.notify"},
		{"ivo", "spy", "anna", "tone tone-to-both", "policy.yaml:13:25: employees.ivo.spy.notify"},
		{"ivo", "spy", "boris", "", ""},
		// What makes no sense tells everybody everything.
		{"carl", "observe", "anna", "panel tone after both tone-to-both", ""},
		{"nobody", "spy", "anna", "panel tone after both tone-to-both", ""},
		{"carl", "spy", "nobody", "panel tone after both tone-to-both", ""},
	} {
		n := notice(t, s, c.subject, c.action, c.target)
		if got := toldBy(n); got != c.want || s.Rule(n.Rule).String() != c.rule || n.Any() != (c.want != "") {
			t.Errorf("%s %s %s: %q by %q, want %q by %q", c.subject, c.action, c.target, got, s.Rule(n.Rule), c.want, c.rule)
		}
	}
	if got := toldBy(policy.Notice{}); got != "panel tone after both tone-to-both" {
		t.Errorf("the zero Notice: %q", got)
	}
	if got := toldBy((*policy.Set)(nil).Notice(nil)); got != "panel tone after both tone-to-both" {
		t.Errorf("no policy: %q", got)
	}
	carl, _ := s.Employee("carl")
	anna, _ := s.Employee("anna")
	r := policy.Request{Subject: carl, Action: policy.Spy, Target: anna}
	if n := testing.AllocsPerRun(100, func() { _ = s.Notice(&r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	text := s.Explain(r).String()
	for _, want := range []string{"wants anna told: panel", "employees.carl.listen.notify", "wants anna told: after, both sides, by policy.yaml"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not explained:\n%s", want, text)
		}
	}
	boris, _ := s.Employee("boris")
	hana, _ := s.Employee("hana")
	if text := s.Explain(policy.Request{Subject: hana, Action: policy.Whisper, Target: anna}).String(); !strings.Contains(text, "policy.yaml:12:59: employees.hana.whisper.notify: wants anna told: panel and tone, both sides") {
		t.Errorf("a tone is not explained:\n%s", text)
	}
	if r.Target = boris; !strings.Contains(s.Explain(r).String(), "but the subject may do it unnoticed") {
		t.Errorf("that it is lifted is not explained:\n%s", s.Explain(r))
	}
}

// The plainest evaluator: every entry that reaches the subject is looked at, and every way that one wants is taken unless he may do it unnoticed.
func TestNoticeAgreesWithThePlainestReading(t *testing.T) {
	type entry struct {
		key   string
		ways  []string
		both  bool
		quiet string // what stands under unnoticed
	}
	covers := map[string][]string{"listen": {"spy", "whisper", "barge"}, "spy": {"spy"}, "whisper": {"whisper"}, "barge": {"barge"}}
	words, lifts := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		entries := rapid.Custom(func(r *rapid.T) entry {
			return entry{
				rapid.SampledFrom([]string{"listen", "spy", "whisper", "barge"}).Draw(r, "key"),
				rapid.SampledFrom([][]string{nil, {"none"}, {"panel"}, {"after"}, {"tone"}, {"panel", "after"}, {"tone", "after"}}).Draw(r, "ways"),
				rapid.Bool().Draw(r, "both"), rapid.SampledFrom([]string{"", "", "true", "false", "[t]", "[u]", "{to: any, except: [t]}"}).Draw(r, "unnoticed"),
			}
		})
		write := func(e entry) string {
			out := e.key + ": {to: any"
			if list := strings.Join(e.ways, ", "); list != "" && e.both {
				out += ", notify: {how: [" + list + "], to: both}"
			} else if list != "" {
				out += ", notify: [" + list + "]"
			}
			if out += "}"; e.quiet != "" {
				out += ", unnoticed: " + e.quiet
			}
			return out
		}
		own := entries.Draw(r, "own")
		roles := rapid.SliceOfN(entries, 0, 3).Draw(r, "roles")
		text := "version: 1\nemployees:\n  t: {}\n  u: {}\n  s: {" + write(own) + "}\nroles:\n  r: {}\n"
		assign := "assign:\n  - {role: r, to: [t]}\n"
		for i, e := range roles {
			text += fmt.Sprintf("  r%d: {%s}\n", i, write(e))
			assign += fmt.Sprintf("  - {role: r%d, to: [s]}\n", i)
		}
		s, _, err := policy.Load("policy.yaml", []byte(text+assign), time.Time{})
		if err != nil {
			r.Fatalf("%v\n%s", err, text+assign)
		}
		for _, action := range covers["listen"] {
			panel, tone, after, both, all, may, not := false, false, false, false, false, false, false
			for _, e := range append(roles, own) {
				switch e.quiet {
				case "true", "[t]":
					may = true
				case "{to: any, except: [t]}":
					not = true
				}
				for _, a := range covers[e.key] {
					for _, w := range e.ways {
						if a == action {
							panel, tone, after = panel || w == "panel", tone || w == "tone", after || w == "after"
							both, all = both || e.both && (w == "panel" || w == "after"), all || e.both && w == "tone"
						}
					}
				}
			}
			if may && !not {
				if panel || tone || after {
					lifts++
				}
				panel, tone, after, both, all = false, false, false, false, false
			}
			n := notice(t, s, "s", action, "t")
			if n.Panel() != panel || n.Tone() != tone || n.After() != after || n.Both() != both || n.ToneToBoth() != all {
				r.Fatalf("%s: %q, want panel %v tone %v after %v both %v, a tone to both %v\n%s", action, toldBy(n), panel, tone, after, both, all, text+assign)
			}
			if n.Any() {
				words++
			}
		}
	})
	if words < 20 || lifts < 5 {
		t.Fatalf("%d were told and %d kept in the dark: too few to say anything", words, lifts)
	}
}
