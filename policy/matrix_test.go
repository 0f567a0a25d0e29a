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

// handwritten are policies with what the random ones may lack: lines, times, reasons, rights on what is kept, the right to everything. Their
// grants come and go within the week after day, which is a Monday noon.
var handwritten = []string{`
version: 1
timezone: UTC
times:
  office: {days: [mon-fri], hours: "09:00-18:00"}
  night:  {hours: "22:00-06:00"}
departments:
  sales: {head: irina}
  north: {parent: sales, head: anna}
  board: {}
groups: {chiefs: [director, cfo], nobody: []}
employees:
  anna:     {department: north, numbers: ["101"], play: own, journal: department, grade: any, intercept: true}
  boris:    {department: north, listen: {to: any, reason: [group:chiefs], except: [cfo]}, line.view: any, line.connect: any, line.change: {to: [line:support]}}
  irina:    {department: sales, listen: {to: any, during: night}, recordings: {to: subtree, allow: [play, delete], reason: true}, observe: kind}
  director: {department: board, all: {reason: [anna]}}
  cfo:      {department: board, all: {except: [line:support, irina], during: office}}
  maria:    {observe: {to: [department:north], show: kind}, intercept: {to: [anna], during: night}, record: any, lock: true}
  oleg:     {department: sales, settings.user: subtree, settings.numbers: any, statistics: {to: own}, dial: {clients: own, employees: [department:sales], except: {numbers: ["+7900*"]}}}
lines:
  support: {queue: support-ru, members: [department:north, maria]}
  orders:  {members: [oleg]}
  empty:   {}
roles:
  head:   {observe: {to: department, except: [maria]}, line.history: department, line.grade: own, line.join: [line:orders, anna], line.view: own, line.connect: own, dial: any}
  guest:  {listen: {to: [anna], except: [oleg]}, download: {to: any, except: [cfo], during: office}, line.statistics: {to: any, except: [line:empty]}}
  keeper: {journal: {to: any, except: [boris]}, settings.telephony: {during: night}, intercept: own}
assign:
  - {role: head, to: [heads, maria]}
  - {role: guest, to: [subtree:sales], during: office}
  - {role: keeper, to: [everyone], until: 2026-06-03}
protected: {employees: [director], numbers: ["+7 495 765-43-21"]}
emergency: ["112"]
trunks: [PJSIP/trunk]
`, `
version: 1
timezone: Europe/Moscow
times: {day: {hours: "08:00-20:00"}}
departments: {a: {}, b: {parent: a}, c: {parent: b, head: one}}
employees:
  one: {department: c, spy: {to: subtree, reason: [two], during: day}, whisper: own, barge: [department:a, one]}
  two: {department: b, intercept: {to: department, except: [one]}, play: {to: [two, three], except: [two], reason: [one]}, delete: {to: any, reason: true}}
  three: {department: a, observe: {to: [subtree:b], except: [two]}, journal: none, grade: any, line.grade: any, line.history: {to: [line:l], except: [two]}}
  four: {all: true, observe: {except: [one, four]}, lock: {until: 2026-06-02}, statistics: {to: own, from: 2026-06-05}}
lines: {l: {members: [subtree:b]}, m: {members: [four]}}
roles: {grader: {grade: {to: any, during: day}}}
assign: [{role: grader, to: [three]}]
protected: {employees: [three, four]}
`}

// drawn draws a policy: a random one, or a handwritten one.
func drawn(t *rapid.T) string {
	if i := rapid.IntRange(-6, len(handwritten)-1).Draw(t, "handwritten"); i >= 0 {
		return handwritten[i]
	}
	return anyCompany(t).m.yaml(false)
}

// anyMoment draws when: a day and a time at which the handwritten ones are another than at day.
func anyMoment(t *rapid.T) time.Time {
	return day.Add(time.Duration(rapid.IntRange(-3, 24).Draw(t, "hours")*6) * time.Hour)
}

// wantMark asks Decide about the pair, in all the ways that a mark is about.
func wantMark(set *policy.Set, subject policy.Ref, a policy.Action, target policy.Ref, line policy.LineRef) policy.Mark {
	req := policy.Request{Subject: subject, Action: a, Target: target, Line: line}
	if set.Decide(&req).Allowed {
		return policy.MarkYes
	}
	req.ReasonGiven = true
	if set.Decide(&req).Allowed {
		return policy.MarkReason
	}
	if a == policy.Intercept {
		req.Responsible = subject
		if set.Decide(&req).Allowed {
			return policy.MarkOwnClients
		}
	}
	if a == policy.Observe {
		kind := req
		kind.Action = policy.ObserveKind
		if set.Decide(&kind).Allowed {
			return policy.MarkKind
		}
	}
	if set.Decide(&req).Reason == policy.ReasonNotNow {
		return policy.MarkNotNow
	}
	return policy.MarkNo
}

type pair struct {
	subject policy.Ref
	action  policy.Action
}

func rowsOf(set *policy.Set, f policy.Filter) map[pair]policy.Row {
	rows := map[pair]policy.Row{}
	for row := range set.Matrix(f) {
		rows[pair{row.Subject, row.Action}] = row
	}
	return rows
}

func TestTheMatrixIsWhatDecideSaysOfEachPair(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		text := drawn(t)
		set := mustLoad(t, text).At(anyMoment(t))
		rows := rowsOf(set, policy.Filter{})
		for _, subject := range slices.Collect(set.Employees()) {
			for _, a := range policy.Actions() {
				row, found := rows[pair{subject, a}]
				some := false
				check := func(got, want policy.Mark, on string) {
					seen[a.String()+" "+want.String()]++
					if some = some || want != policy.MarkNo; got != want {
						t.Fatalf("%s %s %s: the matrix says %s, Decide %s\n%s", set.ID(subject), a, on, got, want, text)
					}
				}
				switch a.Matter() {
				case policy.MatterNumber:
					continue
				case policy.MatterNothing:
					check(row.Has(), wantMark(set, subject, a, policy.Ref{}, policy.LineRef{}), "")
				case policy.MatterLine:
					for line := range set.Lines() {
						check(row.LineMark(line), wantMark(set, subject, a, policy.Ref{}, line), set.LineID(line))
					}
				default:
					for target := range set.Employees() {
						check(row.Mark(target), wantMark(set, subject, a, target, policy.LineRef{}), set.ID(target))
					}
				}
				if some != found {
					t.Fatalf("%s %s: there is a row: %v, there is something in it: %v", set.ID(subject), a, found, some)
				}
			}
		}
	})
	for _, want := range []string{
		"spy yes", "spy reason", "spy not-now", "spy no", "intercept own-clients", "intercept not-now", "observe kind", "observe not-now", "play yes", "delete reason",
		"grade yes", "grade no", "statistics yes", "lock yes", "settings.telephony not-now", "line.view yes", "line.view no", "line.grade yes", "line.statistics not-now",
	} {
		if seen[want] == 0 {
			t.Errorf("no pair was %s: %v", want, seen)
		}
	}
}

// What a row yields is what it says of each.
func TestARowYieldsItsMarks(t *testing.T) {
	for _, text := range handwritten {
		set := mustLoad(t, text)
		for row := range set.Matrix(policy.Filter{}) {
			people, lines := 0, 0
			for _, m := range policy.Marks() {
				for target := range row.Targets(m) {
					if people++; row.Mark(target) != m {
						t.Errorf("%s %s %s: %s", set.ID(row.Subject), row.Action, set.ID(target), m)
					}
				}
				for line := range row.Lines(m) {
					if lines++; row.LineMark(line) != m {
						t.Errorf("%s %s %s: %s", set.ID(row.Subject), row.Action, set.LineID(line), m)
					}
				}
				people, lines = people-row.Count(m), lines+0
				if row.Action.Matter() == policy.MatterLine {
					people, lines = people+row.Count(m), lines-row.Count(m)
				}
				if (row.Text(m) == "") != (row.Count(m) == 0) {
					t.Errorf("%s %s: %d are %q", set.ID(row.Subject), row.Action, row.Count(m), row.Text(m))
				}
			}
			if people != 0 || lines != 0 {
				t.Errorf("%s %s: %d people and %d lines are not counted", set.ID(row.Subject), row.Action, people, lines)
			}
		}
	}
}

// A filter takes rows and targets out, and changes nothing in what remains.
func TestAFilterOnlyTakesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := mustLoad(t, drawn(t))
		all := rowsOf(set, policy.Filter{})
		people, lines := slices.Collect(set.Employees()), slices.Collect(set.Lines())
		f := policy.Filter{
			Subjects: rapid.SliceOfDistinct(rapid.SampledFrom(people), rapid.ID[policy.Ref]).Draw(t, "subjects"),
			Actions:  rapid.SliceOfDistinct(rapid.SampledFrom(policy.Actions()), rapid.ID[policy.Action]).Draw(t, "actions"),
			Targets:  rapid.SliceOfDistinct(rapid.SampledFrom(people), rapid.ID[policy.Ref]).Draw(t, "targets"),
		}
		for who, row := range rowsOf(set, f) {
			if !slices.Contains(f.Subjects, who.subject) || !slices.Contains(f.Actions, who.action) {
				t.Fatalf("%s %s was not asked for", set.ID(who.subject), who.action)
			}
			_ = row
		}
		some := rowsOf(set, f)
		for _, subject := range f.Subjects {
			for _, a := range f.Actions {
				row, whole := some[pair{subject, a}], all[pair{subject, a}]
				for _, target := range people {
					want := whole.Mark(target)
					if !slices.Contains(f.Targets, target) {
						want = policy.MarkNo
					}
					if got := row.Mark(target); got != want {
						t.Fatalf("%s %s %s: %s, and %s without the filter", set.ID(subject), a, set.ID(target), got, want)
					}
				}
				for _, line := range lines {
					if row.LineMark(line) != policy.MarkNo {
						t.Fatalf("%s was not asked for", set.LineID(line))
					}
				}
			}
		}
	})
}

// rowText is a row in few words.
func rowText(row policy.Row) string {
	var out []string
	if m := row.Has(); m != policy.MarkNo {
		out = append(out, m.String())
	}
	for _, m := range policy.Marks() {
		if text := row.Text(m); text != "" {
			out = append(out, m.String()+": "+text)
		}
	}
	for _, d := range row.Dial() {
		out = append(out, d.Mark.String()+": "+d.Text)
	}
	return strings.Join(out, "; ")
}

func TestTargetsAreToldInFewWords(t *testing.T) {
	var text strings.Builder
	text.WriteString(`version: 1
departments: {sales: {}, north: {parent: sales}, south: {parent: sales}, board: {}}
groups: {chiefs: [b0, b1], mixed: [n0, s0, x0]}
lines: {support: {members: [n0]}, orders: {members: [n1]}, other: {}}
employees:
`)
	for _, d := range []struct {
		letter, name string
		size         int
	}{{"n", "north", 10}, {"s", "south", 6}, {"b", "board", 2}} {
		for i := range d.size {
			fmt.Fprintf(&text, "  %s%d: {department: %s}\n", d.letter, i, d.name)
		}
	}
	text.WriteString("  x0: {}\n  x1: {}\n  top: {department: sales, ")
	for _, c := range []struct{ right, want string }{
		{"listen: any", "yes: everybody (20)"},
		{"listen: {to: any, except: [n0]}", "yes: everybody (19) but n0"},
		{"listen: {to: any, except: [department:north]}", "yes: everybody (10) but department:north (10)"},
		{"listen: {to: any, except: [department:north, x0, x1]}", "yes: department:south (6), department:board (2)"},
		{"listen: department", ""},
		{"listen: subtree", "yes: subtree:sales (16)"},
		{"listen: [department:north]", "yes: department:north (10)"},
		{"listen: {only: [department:north], except: [n3, n4]}", "yes: department:north (8) but n3, n4"},
		{"listen: [n0, n1, n2, n3]", "yes: n0, n1, n2, n3"},
		{"listen: [n0, n1, n2, n3, s1, s2, x0, x1]", "yes: n0, n1, n2, n3, s1, s2 and 2 more"},
		{"listen: [department:north, s1]", "yes: department:north (10), s1"},
		{"listen: [group:mixed, n1]", "yes: group:mixed (3), n1"},
		{"listen: {to: any, reason: [department:board]}", "yes: everybody (18) but b0, b1; reason: b0, b1"},
		{"spy: [n0]", "yes: n0"},
	} {
		set := mustLoad(t, text.String()+c.right+"}\n")
		top, _ := set.Employee("top")
		row := rowsOf(set, policy.Filter{})[pair{top, policy.Spy}]
		if got := rowText(row); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.right, got, c.want)
		}
	}
	for _, c := range []struct {
		right  string
		action policy.Action
		want   string
	}{
		{"recordings: own", policy.Play, "yes: himself"},
		{"recordings: any", policy.Play, "yes: everybody (21)"},
		{"recordings: {to: any, reason: [top]}", policy.Play, "yes: everybody (21)"},
		{"recordings: [subtree:sales]", policy.Play, "yes: subtree:sales (17)"},
		{"recordings: [department:north, department:south]", policy.Play, "yes: department:north (10), department:south (6)"},
		{"observe: false", policy.Observe, "yes: himself"},
		{"observe: {to: [n0], show: kind}", policy.Observe, "yes: himself; kind: n0"},
		{"intercept: true", policy.Intercept, "own-clients: everybody (20)"},
		{"intercept: [n0]", policy.Intercept, "yes: n0; own-clients: everybody (19) but n0"},
		{"lock: true", policy.Lock, "yes"},
		{"line.history: [line:support, n1]", policy.LineHistory, "yes: support, orders"},
		{"dial: any", policy.Dial, "yes: any number"},
		{"dial: clients+employees", policy.Dial, "yes: any client; yes: numbers of everybody (21)"},
		{`dial: {clients: own, numbers: ["+7 495*", "*98"], except: {employees: [group:chiefs], numbers: ["+7900*"]}}`, policy.Dial,
			"yes: own clients; yes: *98, +7495*; no: numbers of b0, b1; no: +7900*"},
		{"dial: {clients: [department:north]}", policy.Dial, "yes: own clients and those of department:north (10)"},
		{"dial: none", policy.Dial, ""},
	} {
		set := mustLoad(t, text.String()+c.right+"}\n")
		top, _ := set.Employee("top")
		row := rowsOf(set, policy.Filter{})[pair{top, c.action}]
		if got := rowText(row); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.right, got, c.want)
		}
	}
}

func TestASelectorNamesPeople(t *testing.T) {
	set := mustLoad(t, handwritten[0])
	for _, c := range []struct{ selector, want string }{
		{"anna", "anna"}, {"department:north", "anna boris"}, {"subtree:sales", "anna boris irina oleg"}, {"group:chiefs", "director cfo"},
		{"group:nobody", ""}, {"heads", "anna irina"}, {"everyone", "anna boris irina director cfo maria oleg"},
		{"ana", `the policy has no employee "ana": did you mean "anna"?`}, {"department:nrth", `the policy has no department "nrth": did you mean "north"?`},
		{"group:xxxxxx", `the policy has no group "xxxxxx"`},
		{"line:support", `"line:support" names nobody: write an id, department:ID, subtree:ID, group:ID, everyone or heads`},
	} {
		people, err := set.Named(c.selector)
		var ids []string
		for _, who := range people {
			ids = append(ids, set.ID(who))
		}
		if err != nil {
			ids = append(ids, err.Error())
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.selector, got, c.want)
		}
	}
	if _, err := (*policy.Set)(nil).Named("anna"); err == nil {
		t.Error("nobody's policy names somebody")
	}
}

// BenchmarkMatrix works out who may do what in a company where heads and some others listen, and everybody has what roles give. Its floor
// asks Decide about a hundredth of the pairs.
func BenchmarkMatrix(b *testing.B) {
	const n = 10000
	set := load(b, bigCompany(n))
	b.Run(fmt.Sprintf("employees=%d/floor", n), func(b *testing.B) {
		people := slices.Collect(set.Employees())
		for b.Loop() {
			for i, subject := range people {
				for _, a := range []policy.Action{policy.Observe, policy.Spy, policy.Play} {
					for j := i % 100; j < n; j += 100 {
						set.Decide(&policy.Request{Subject: subject, Action: a, Target: people[j]})
					}
				}
			}
		}
	})
	b.Run(fmt.Sprintf("employees=%d/earshot", n), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rows := 0
			for range set.Matrix(policy.Filter{}) {
				rows++
			}
			if rows < 5*n {
				b.Fatal(rows)
			}
		}
	})
}

// bigCompany is the company of the benchmarks with roles that reach everybody.
func bigCompany(n int) string {
	return newCompany(n).yaml() + `
roles:
  everybody: {observe: kind, recordings: own, journal: department, statistics: own, dial: clients+employees, line.history: own}
  head: {observe: any, intercept: department, line.view: department, line.connect: department, line.join: any}
lines: {one: {members: [department:department1]}, two: {members: [department:department2]}}
assign:
  - {role: everybody, to: [everyone]}
  - {role: head, to: [department:department3]}
protected: {employees: [employee7]}
`
}
