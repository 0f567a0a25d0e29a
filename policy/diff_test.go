package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// twoModels draws a policy and another: the same, the same with other rights of its people or fewer roles, or any other.
func twoModels(t *rapid.T) (d *drawing, b *model) {
	company := anyCompany
	if rapid.IntRange(0, 2).Draw(t, "about dialling") == 0 {
		company = func(t *rapid.T) *drawing { return draw(t, len(matters)-1) }
	}
	d = company(t)
	a, other := d.m, company(t).m
	changed := *a
	b = &changed
	switch rapid.IntRange(0, 8).Draw(t, "what changes") {
	case 0:
	case 1, 4, 5, 6:
		b.people = slices.Clone(a.people)
		for i := range min(len(a.people), len(other.people)) {
			b.people[i].rights = ofPeople(a, other.people[i].rights)
		}
	case 2:
		b.assign = a.assign[:len(a.assign)/2]
	case 3:
		b.people = slices.Clone(a.people)
		slices.Reverse(b.people)
		b.protected, b.guarded = nil, false
	default:
		b = other
	}
	return d, b
}

// ofPeople leaves of foreign rights those that name only who is in the company.
func ofPeople(m *model, rights []modelRight) []modelRight {
	return slices.DeleteFunc(slices.Clone(rights), func(r modelRight) bool {
		with := *m
		with.people = append(slices.Clone(m.people), modelPerson{id: "extra", rights: []modelRight{r}})
		_, _, err := policy.Load("x.yaml", []byte(with.yaml(false)), day)
		return err != nil
	})
}

// shorter are the handwritten policies without one of their lines, where the policy still holds without it.
var shorter = func() (all [][2]string) {
	for _, text := range handwritten {
		lines := strings.Split(text, "\n")
		for i := range lines {
			less := strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")
			if _, _, err := policy.Load("less.yaml", []byte(less), day); err == nil && lines[i] != "" {
				all = append(all, [2]string{text, less}, [2]string{less, text})
			}
		}
	}
	return all
}()

// pairOf draws two policies.
func pairOf(t *rapid.T) (a, b string) {
	if rapid.Bool().Draw(t, "handwritten") {
		two := rapid.SampledFrom(shorter).Draw(t, "two")
		return two[0], two[1]
	}
	one, two := twoModels(t)
	return one.m.yaml(false), two.yaml(false)
}

// bruteMark is wantMark by ids, for somebody who may not be in the policy, without what is not now.
func bruteMark(set *policy.Set, subject string, a policy.Action, target, line string) policy.Mark {
	s, okS := set.Employee(subject)
	o, okO := set.Employee(target)
	l, okL := set.Line(line)
	if !okS || target != "" && !okO || line != "" && !okL || s == o && (a == policy.Observe || a == policy.ObserveKind) {
		return policy.MarkNo
	}
	if m := wantMark(set, s, a, o, l); m != policy.MarkNotNow {
		return m
	}
	return policy.MarkNo
}

type fact struct {
	subject, action, target string
	from, to                policy.Mark
}

// The difference holds exactly the pairs that Decide answers otherwise, each once, with the rule that Decide names.
func TestTheDifferenceIsWhatDecideSaysOfEachPair(t *testing.T) {
	gained, lost, empty := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		oldText, newText := pairOf(t)
		at := anyMoment(t)
		before, after := mustLoad(t, oldText).At(at), mustLoad(t, newText).At(at)
		d := policy.Compare(before, after, at)
		got := map[fact]bool{}
		tell := func(f fact) {
			if got[f] {
				t.Fatalf("%v is told twice\n%s\n--\n%s", f, oldText, newText)
			}
			got[f] = true
		}
		for p := range d.People() {
			for _, c := range p.Changes {
				if !c.Since.IsZero() {
					continue
				}
				f := fact{subject: p.ID, action: c.Action.String(), from: c.From, to: c.To}
				switch c.Kind {
				case policy.ChangeRight:
					tell(f)
				case policy.ChangeLines:
					for _, line := range c.Lines {
						f.target = "line:" + line
						tell(f)
					}
				case policy.ChangeTargets:
					for target := range c.Targets() {
						f.target = target
						if len(c.Lines) == 0 {
							tell(f)
							checkGrounds(t, before, after, p.ID, target, c)
						}
					}
				default: // of numbers, and of others on the call, the next test
				}
			}
		}
		want := map[fact]bool{}
		note := func(subject string, a policy.Action, target, line string) (changed bool) {
			from, to := bruteMark(before, subject, a, target, line), bruteMark(after, subject, a, target, line)
			if from == to {
				return false
			}
			if to > from {
				gained++
			} else {
				lost++
			}
			on := target
			if line != "" {
				on = "line:" + line
			}
			want[fact{subject, a.String(), on, from, to}] = true
			return true
		}
		people, lines := everybodyIn(before, after)
		for _, subject := range people {
			for _, a := range policy.Actions() {
				switch a.Matter() {
				case policy.MatterNumber:
				case policy.MatterNothing:
					note(subject, a, "", "")
				case policy.MatterLine:
					for _, line := range lines {
						note(subject, a, "", line)
					}
				default:
					for _, target := range people {
						// What Observe tells is not told again of the kind.
						if a == policy.ObserveKind && want[fact{subject, "observe", target, bruteMark(before, subject, policy.Observe, target, ""), bruteMark(after, subject, policy.Observe, target, "")}] {
							continue
						}
						note(subject, a, target, "")
					}
				}
			}
		}
		for f := range want {
			if !got[f] {
				t.Fatalf("%v is missing\n%s\n--\n%s", f, oldText, newText)
			}
		}
		for f := range got {
			if !want[f] {
				t.Fatalf("%v is none\n%s\n--\n%s", f, oldText, newText)
			}
		}
		if len(want) > 0 && d.Empty() {
			t.Fatalf("the difference is empty\n%s\n--\n%s", oldText, newText)
		}
		if oldText == newText && !d.Empty() {
			t.Fatalf("a policy differs from itself\n%s", oldText)
		}
		if d.Empty() {
			empty++
		}
	})
	if gained < 100 || lost < 100 || empty < 5 {
		t.Errorf("%d gained, %d lost, %d empty: the pairs drawn are one-sided", gained, lost, empty)
	}
}

func everybodyIn(sets ...*policy.Set) (people, lines []string) {
	for _, s := range sets {
		for r := range s.Employees() {
			people = append(people, s.ID(r))
		}
		for l := range s.Lines() {
			lines = append(lines, s.LineID(l))
		}
	}
	slices.Sort(people)
	slices.Sort(lines)
	return slices.Compact(people), slices.Compact(lines)
}

// checkGrounds holds the rules of a change to those of Decide.
func checkGrounds(t *rapid.T, before, after *policy.Set, subject, target string, c policy.Change) {
	for _, side := range []struct {
		set  *policy.Set
		mark policy.Mark
		got  policy.Ground
	}{{before, c.From, c.Was}, {after, c.To, c.Is}} {
		s, okS := side.set.Employee(subject)
		o, okO := side.set.Employee(target)
		want := policy.Rule{}
		if okS && okO {
			req := policy.Request{Subject: s, Action: c.Action, Target: o}
			if side.mark == policy.MarkOwnClients {
				req.Responsible = s
			}
			if side.mark == policy.MarkKind {
				req.Action = policy.ObserveKind
			}
			want = side.set.Rule(side.set.Decide(&req).Rule)
		}
		if side.got.Rule != want {
			t.Fatalf("%s %s %s, %s: by %q, Decide says %q", subject, c.Action, target, side.mark, side.got.Rule, want)
		}
		if strings.HasPrefix(want.Text, "roles.") != (side.got.Via.Line != 0) {
			t.Fatalf("%s comes by %q", want, side.got.Via)
		}
	}
	if made, _ := c.Made(); made.Rule.Line == 0 && c.From != policy.MarkNo {
		t.Fatalf("%s %s %s from %s to %s: no rule made it", subject, c.Action, target, c.From, c.To)
	}
}

// Where nothing differs every question has the same answer, with whomever on the call, and of every number.
func TestNothingDiffersWhereTheDifferenceIsEmpty(t *testing.T) {
	empty, other, dialled := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		company, b := twoModels(t)
		m := company.m
		before, after := mustLoad(t, m.yaml(false)), mustLoad(t, b.yaml(false))
		d := policy.Compare(before, after, day)
		changed := map[string]map[policy.ChangeKind]bool{}
		for p := range d.People() {
			changed[p.ID] = map[policy.ChangeKind]bool{}
			for _, c := range p.Changes {
				changed[p.ID][c.Kind] = true
			}
		}
		if len(d.Joined)+len(d.Left)+len(d.Settings) > 0 {
			return
		}
		empty++
		for _, q := range company.questions(t) {
			x, y := q.request(before), q.request(after)
			if one, two := before.Decide(&x).Allowed, after.Decide(&y).Allowed; one != two {
				other++
				if k := changed[q.subject]; !k[policy.ChangeTargets] && !k[policy.ChangeClients] && !k[policy.ChangeOthers] && !k[policy.ChangeLines] && !k[policy.ChangeRight] {
					t.Fatalf("%+v: %v and %v, and nothing is told of him\n%s--\n%s", q, one, two, m.yaml(false), b.yaml(false))
				}
			}
		}
		for _, q := range dialQuestions(t, m) {
			who, x := q.destination(before)
			whoNow, y := q.destination(after)
			if one, two := before.DecideDial(who, &x).Allowed, after.DecideDial(whoNow, &y).Allowed; one != two {
				dialled++
				if !changed[q.subject][policy.ChangeDial] {
					t.Fatalf("%+v: %v and %v, and nothing is told of him\n%s--\n%s", q, one, two, m.yaml(false), b.yaml(false))
				}
			}
		}
	})
	if empty < 10 || other == 0 || dialled == 0 {
		t.Errorf("%d with the same settings, %d decided otherwise, %d dialled otherwise", empty, other, dialled)
	}
}

// told is a difference in lines.
func differences(d *policy.Difference) string {
	var out []string
	for _, list := range []struct {
		what string
		ids  []string
	}{{"joined", d.Joined}, {"left", d.Left}, {"line joined", d.LinesJoined}, {"line left", d.LinesLeft}} {
		for _, id := range list.ids {
			out = append(out, list.what+" "+id)
		}
	}
	for _, s := range d.Settings {
		out = append(out, fmt.Sprintf("%s -%v +%v", s.Name, s.Gone, s.Come))
	}
	for p := range d.People() {
		for _, c := range p.Changes {
			since := ""
			if !c.Since.IsZero() {
				since = " since " + c.Since.UTC().Format("Mon 15:04")
			}
			made, isNew := c.Made()
			by := fmt.Sprintf("old:%d", made.Rule.Line)
			if isNew {
				by = fmt.Sprintf("new:%d", made.Rule.Line)
			}
			out = append(out, fmt.Sprintf("%s %s %s %s>%s %s%s %s", p.ID, c.Kind, c.Action, c.From, c.To, c.Text(), since, by))
		}
	}
	return strings.Join(out, "\n")
}

func TestWhatDiffersIsTold(t *testing.T) {
	const base = `version: 1
timezone: UTC
times: {office: {days: [mon-fri], hours: "09:00-18:00"}, night: {hours: "22:00-06:00"}}
departments: {sales: {}}
lines: {support: {members: [b]}, orders: {members: [c]}}
employees:
`
	const others = "  b: {department: sales, numbers: [\"101\"]}\n  c: {department: sales}\n  d: {phones: [PJSIP/4]}\n"
	company := func(a string) string {
		a, roles, _ := strings.Cut(a, "; ")
		return base + "  " + a + "\n" + others + roles + "\n"
	}
	for _, c := range []struct{ name, before, after, want string }{
		{"nothing", "a: {listen: any}", "a: {listen: {to: any}}", ""},
		{"a PBX", "a: {phones: [PJSIP/1]}", "a: {phones: [PJSIP/1], pbx: moscow}", "pbx of a -[] +[moscow]"},
		{"another PBX, and phones", "a: {phones: [PJSIP/1], pbx: spb}", "a: {phones: [PJSIP/2], pbx: moscow}", "phones of a -[PJSIP/1] +[PJSIP/2]\npbx of a -[spb] +[moscow]"},
		{"somebody who joins on a PBX, and one who leaves it", "b1: {phones: [PJSIP/1], pbx: spb}", "b2: {phones: [PJSIP/1], pbx: spb}",
			"joined b2\nleft b1\nphones of b2 -[] +[PJSIP/1]\npbx of b2 -[] +[spb]\nphones of b1 -[PJSIP/1] +[]\npbx of b1 -[spb] +[]"},
		{"a grant", "a: {}", "a: {spy: [b, c]}", "a targets spy no>yes b, c new:7"},
		{"a grant gone", "a: {spy: any}", "a: {}", "a targets spy yes>no everybody (3) old:7"},
		{"an exclusion", "a: {spy: any}", "a: {spy: {to: any, except: [d]}}", "a targets spy yes>no d new:7"},
		{"an exclusion gone", "a: {spy: {to: any, except: [d]}}", "a: {spy: any}", "a targets spy no>yes d old:7"},
		{"an exclusion of somebody who was in no scope", "a: {spy: [b]}", "a: {spy: {to: [b], except: [d]}}", "a others spy yes>no d new:7"},
		{"a reason", "a: {spy: any}", "a: {spy: {to: any, reason: [b]}}", "a targets spy yes>reason b new:7"},
		{"a reason for an exclusion", "a: {spy: {to: any, except: [b]}}", "a: {spy: {to: any, reason: [b]}}", "a targets spy no>reason b old:7"},
		{"one line for another", "a: {line.replies: [line:support]}", "a: {line.replies: [line:orders]}",
			"a lines line.replies no>yes orders new:7\na lines line.replies yes>no support old:7"},
		{"numbers for others", "a: {dial: [\"+7495*\"]}", "a: {dial: [\"+7496*\"]}", "a dial dial no>yes +7496* new:7\na dial dial yes>no +7495* old:7"},
		{"colleagues for clients", "a: {dial: {clients: [b]}}", "a: {dial: {employees: [b]}}",
			"a dial dial no>yes numbers of b new:7\na dial dial yes>no own clients old:7\na dial dial yes>no clients of b old:7"},
		{"the right unnoticed", "a: {unnoticed: any}", "a: {unnoticed: [b]}", "a targets unnoticed yes>no a, c, d old:7"},
		{"how one is told", "a: {spy: {to: any, notify: panel}}", "a: {spy: {to: any, notify: [after]}}", "a notice spy no>yes panel old:7\na notice spy yes>no after new:7"},
		{"two ways, once", "a: {spy: any}", "a: {spy: {to: any, notify: [panel, after]}, lock: {during: night}}",
			"a notice spy yes>no panel and after new:7\na right lock no>yes  since Mon 22:00 new:7"},
		{"that both sides are told", "a: {listen: {to: any, notify: panel}}", "a: {listen: {to: any, notify: {how: panel, to: both}}}",
			"a notice spy yes>no both sides new:7\na notice whisper yes>no both sides new:7\na notice barge yes>no both sides new:7"},
		{"a notice to whom he cannot listen", "a: {spy: {to: none, notify: panel}}", "a: {spy: {to: none}}", ""},
		{"a notice that unnoticed lifts", "a: {spy: {to: [b], notify: panel}, unnoticed: [b]}", "a: {spy: {to: [b]}, unnoticed: [b]}", ""},
		{"a notice to some that unnoticed lifts of others", "a: {spy: {to: [b, c], notify: panel}, unnoticed: [b]}", "a: {spy: {to: [b, c]}, unnoticed: [b]}",
			"a notice spy no>yes panel old:7"},
		{"a notice with a right that is new", "a: {}", "a: {spy: {to: [b], notify: panel}}", "a targets spy no>yes b new:7"},
		{"a notice at other times", "a: {spy: any}", "a: {spy: any}; roles: {r: {barge: {to: none, notify: panel}, spy: {to: none, notify: after}}}\nassign: [{role: r, to: [a], during: night}]",
			"a notice spy yes>no after since Mon 22:00 new:11"},
		{"the kind", "a: {observe: [b]}", "a: {observe: {to: [b], show: kind}}", "a targets observe yes>kind b old:7"},
		{"own clients", "a: {}", "a: {intercept: true}", "a targets intercept no>own-clients everybody (3) new:7"},
		{"a right about nobody", "a: {lock: true}", "a: {}", "a right lock yes>no  old:7"},
		{"a condition", "a: {journal: any, grade: [b]}", "a: {grade: [b]}",
			"a targets journal yes>no everybody (4) old:7\na targets grade yes>no b old:7"},
		{"lines", "a: {}", "a: {line.history: [line:support, line:orders]}", "a lines line.history no>yes support, orders new:7"},
		{"conversations", "a: {line.history: [b]}", "a: {line.history: [b, c]}",
			"a lines line.history no>yes orders new:7\na targets line.history no>yes conversations of c on support, orders new:7"},
		{"a line for those with access", "a: {}", "a: {line.join: {to: none, except: [line:support]}}", "a others line.join yes>no support new:7"},
		{"somebody with access", "a: {}", "a: {line.join: {to: none, except: [b]}}", "a others line.join yes>no b new:7"},
		{"grading where the client opens the history", "a: {line.grade: [b]}", "a: {}", "a clients line.grade yes>no conversations of b on support, orders old:7"},
		{"grading by right, and where the client opens the rest", "a: {line.history: [b], line.grade: [b]}", "a: {line.history: [b], line.grade: [b, c]}",
			"a clients line.grade no>yes conversations of c on support, orders new:7"},
		{"grading by right no more", "a: {line.history: [b], line.grade: [b]}", "a: {line.history: [b]}",
			"a lines line.grade yes>no support old:7\na targets line.grade yes>no conversations of b on support, orders old:7"},
		{"grading what nothing opens", "a: {line.history: {to: none, except: [b, line:orders]}, line.grade: any}",
			"a: {line.history: {to: none, except: [b, line:orders]}, line.grade: [a, c, d]}", ""},
		{"grading but for one", "a: {line.grade: any}", "a: {line.grade: {to: any, except: [c]}}", "a clients line.grade yes>no conversations of c on support, orders new:7"},
		{"at other times", "a: {spy: {to: [b], during: office}}", "a: {spy: [b]}", "a targets spy no>yes b since Mon 18:00 new:7"},
		{"now and at other times", "a: {}", "a: {spy: {to: [b], during: office}, whisper: {to: [b], during: night}, lock: {from: 2027-03-06}}",
			"a targets spy no>yes b new:7\na targets whisper no>yes b since Mon 22:00 new:7\na right lock no>yes  since Sat 00:00 new:7"},
		{"from a far day on, in office hours", "a: {}", "a: {spy: {to: [b], during: office, from: 2027-03-06}}", "a targets spy no>yes b since Mon 09:00 new:7"},
		{"a role at other times", "a: {}", "a: {}; roles: {r: {spy: [b]}}\nassign: [{role: r, to: [a], during: night}]", "a targets spy no>yes b since Mon 22:00 new:11"},
		{"dialling", "a: {dial: clients}", "a: {dial: {clients: own, numbers: [\"+7495*\", \"*98\"]}}",
			"a dial dial no>yes *98 new:7\na dial dial no>yes +7495* new:7\na dial dial yes>no any client old:7"},
		{"dialling with an exception", "a: {}", "a: {dial: {to: any, except: {numbers: [\"+7900*\"]}}}", "a dial dial no>yes any number but +7900* new:7"},
		{"an exception from dialling", "a: {dial: any}", "a: {dial: {to: any, except: {numbers: [\"+7900*\"], employees: [b]}}}",
			"a dial dial yes>no excepted numbers of b new:7\na dial dial yes>no excepted +7900* new:7"},
		{"dialling written otherwise", "a: {dial: {numbers: [\"+7495*\", \"+74951*\"]}}", "a: {dial: [\"+7495*\"]}", ""},
		{"the word for dialling", "a: {dial: any}", "a: {dial: {clients: own}}", "a dial dial yes>no any number old:7"},
	} {
		before, after := mustLoad(t, company(c.before)), mustLoad(t, company(c.after))
		d := policy.Compare(before, after, day)
		if got := differences(d); got != c.want || d.Empty() != (c.want == "") {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestWhatNoPairShowsIsTold(t *testing.T) {
	before := mustLoad(t, `version: 1
employees: {a: {spy: any, phones: [PJSIP/1]}, b: {numbers: ["101"]}, gone: {}}
lines: {one: {queue: q1}, old: {}}
protected: {numbers: ["+74957654321"]}
emergency: ["112"]
trunks: [PJSIP/t]
`)
	after := mustLoad(t, `version: 1
employees: {a: {spy: any, phones: [PJSIP/2]}, new: {spy: [a]}, b: {numbers: ["102"]}}
lines: {one: {queue: q2}, fresh: {}}
protected: {employees: [b], numbers: ["+74957654322"]}
emergency: ["112", "103"]
trunks: [PJSIP/u]
unknown_phones: outside
`)
	want := `joined new
left gone
line joined fresh
line left old
protected employees -[] +[b]
protected numbers -[74957654321] +[74957654322]
emergency numbers -[] +[103]
trunks -[PJSIP/t] +[PJSIP/u]
unknown_phones -[] +[outside]
phones of a -[PJSIP/1] +[PJSIP/2]
numbers of b -[101] +[102]
queue of the line one -[q1] +[q2]
a targets spy no>yes new new:2
a targets spy yes>no b new:4
a targets spy yes>no gone old:2
new targets spy no>yes a new:2`
	if got := differences(policy.Compare(before, after, day)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := policy.Compare(nil, nil, day); !got.Empty() {
		t.Errorf("nothing differs from nothing: %s", differences(got))
	}
	if got := policy.Compare(nil, before, day); len(got.Joined) != 3 || got.Empty() {
		t.Errorf("from nothing: %s", differences(got))
	}
}

// The moments that are compared are bounded, and that there were more is said.
func TestTheMomentsAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("version: 1\ntimezone: UTC\nemployees:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "  e%d: {lock: {from: %s}}\n", i, day.AddDate(0, 0, i+1).Format(time.DateOnly))
	}
	set := mustLoad(t, text.String())
	if d := policy.Compare(set, set, day); !d.Cut || len(d.Moments) != 64 {
		t.Errorf("%d moments, cut: %v", len(d.Moments), d.Cut)
	}
	office := mustLoad(t, `{version: 1, timezone: UTC, times: {office: {days: [mon-fri], hours: "09:00-18:00"}}, employees: {a: {lock: {during: office}}}}`)
	if d := policy.Compare(office, office, day); d.Cut || len(d.Moments) != 2 {
		t.Errorf("within and without office hours are %v, cut: %v", d.Moments, d.Cut)
	}
}

// BenchmarkDiff compares two policies of a large company in which a role of everybody has changed. Its floor is to work out the matrix of both.
func BenchmarkDiff(b *testing.B) {
	const n = 10000
	before := load(b, bigCompany(n))
	for _, c := range []struct{ name, old, new string }{
		{"role", "statistics: own", "statistics: department"},
		{"one", "to: [department:department3]", "to: [department:department3, employee1]"},
	} {
		after := load(b, strings.Replace(bigCompany(n), c.old, c.new, 1))
		b.Run(fmt.Sprintf("employees=%d/%s/floor", n, c.name), func(b *testing.B) {
			for b.Loop() {
				for _, set := range []*policy.Set{before, after} {
					for range set.Matrix(policy.Filter{}) {
					}
				}
			}
		})
		b.Run(fmt.Sprintf("employees=%d/%s/earshot", n, c.name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				people := 0
				for range policy.Compare(before, after, day).People() {
					people++
				}
				if people == 0 {
					b.Fatal("nothing differs")
				}
			}
		})
	}
}
