package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// overlays draws an overlay of what fits the company.
func overlays(t *rapid.T, d *drawing) *policy.Overlay {
	o := new(policy.Overlay)
	var flags []string // mostly those that the questions are about
	for _, f := range policy.OverlayFlags() {
		flags = append(flags, f)
		if slices.Contains(d.actions, f) || slices.Contains(d.keys, f) {
			flags = slices.Concat(flags, slices.Repeat([]string{f}, 8))
		}
	}
	said := map[string]bool{}
	for place := range rapid.IntRange(0, 5).Draw(t, "settings") {
		s := policy.OverlaySetting{Place: place + 1, Employee: d.m.people[rapid.IntRange(0, len(d.m.people)-1).Draw(t, "of")].id}
		if rapid.IntRange(0, 3).Draw(t, "except") == 0 {
			s.Target = rapid.SampledFrom(d.named).Draw(t, "target")
			if strings.HasPrefix(s.Target, "subtree:") {
				continue
			}
		} else {
			s.Flag, s.On = rapid.SampledFrom(flags).Draw(t, "flag"), rapid.Bool().Draw(t, "on")
		}
		if key := s.Employee + ":" + s.Flag + ":" + s.Target; !said[key] {
			said[key], o.Settings = true, append(o.Settings, s)
		}
	}
	return o
}

// rewritten is the company with the overlay written into the employees' own entries by hand. The roles that they have now are there too.
func (m *model) rewritten(o *policy.Overlay) *model {
	out := *m
	out.assign, out.people = nil, slices.Clone(m.people)
	everybody := make([]string, 0, len(m.people))
	for _, p := range m.people {
		everybody = append(everybody, p.id)
	}
	for i := range out.people {
		p := &out.people[i]
		off := func(action string) bool {
			return slices.ContainsFunc(o.Settings, func(s policy.OverlaySetting) bool {
				return s.Employee == p.id && s.Flag != "" && !s.On && covers(s.Flag, action)
			})
		}
		var all []modelRight
		give := func(r modelRight) {
			for _, a := range policy.Actions() {
				if r.gives(a.String()) && !off(a.String()) {
					all = append(all, modelRight{key: a.String(), value: r.scope(), list: r.list, when: r.when})
				}
			}
			all = append(all, modelRight{key: r.key, value: "false", except: r.except, reason: r.reason, reasonAll: r.reasonAll})
		}
		for _, r := range m.rightsOf(p.id) {
			give(r)
		}
		for _, s := range o.Settings {
			switch {
			case s.Employee != p.id:
			case s.Target != "":
				for _, key := range []string{"observe", "listen", "intercept", "recordings", "record", "line.join"} {
					all = append(all, modelRight{key: key, value: "false", except: []string{s.Target}})
				}
			case s.On:
				give(modelRight{key: s.Flag, value: "true"})
			default:
				all = append(all, modelRight{key: s.Flag, value: "false", except: everybody})
			}
		}
		p.rights = all
	}
	return &out
}

func TestAnOverlayIsAsIfItWereWrittenIntoThePolicy(t *testing.T) {
	more, less, grounds := 0, 0, map[string]int{}
	eachMatter(t, func(t *rapid.T, d *drawing) {
		base := d.m.load(t, false)
		o := overlays(t, d)
		set, err := base.WithGeneration(7).Over(o)
		if err != nil {
			t.Fatalf("%v: %+v", err, o)
		}
		other, err := base.Over(overlays(t, d)) // what was laid before leaves nothing behind
		if err == nil {
			other, err = other.At(d.m.now.AddDate(0, 0, 1)).Over(o)
		}
		if err != nil {
			t.Fatal(err)
		}
		other = other.At(d.m.now)
		if set.Generation() != 7 || !set.Moment().Equal(base.Moment()) {
			t.Fatalf("generation %d at %v", set.Generation(), set.Moment())
		}
		by := d.m.rewritten(o)
		for _, q := range d.questions(t) {
			req := q.request(set)
			got, want := set.Decide(&req), by.allows(q)
			if got.Allowed != want {
				t.Fatalf("%+v at %v: got %v (%s, %s), by hand %v\n%+v\n%s", q, d.m.now, got.Allowed, got.Reason, set.Rule(got.Rule), want, o, d.m.yaml(false))
			}
			if again := other.Decide(&req); again.Allowed != got.Allowed || again.Reason != got.Reason || other.Rule(again.Rule) != set.Rule(got.Rule) {
				t.Fatalf("%+v: laid over another overlay %+v, else %+v", q, again, got)
			}
			checkExplanation(t, set, req, got)
			checkPairwise(t, set, req, got)
			was := base.Decide(&req)
			if rule := set.Rule(got.Rule); rule.File == policy.OverlayFile {
				grounds[rule.Text[:4]]++
				said := slices.IndexFunc(o.Settings, func(s policy.OverlaySetting) bool { return s.Place == rule.Line })
				if said < 0 || !strings.Contains(rule.Text, ":"+o.Settings[said].Employee+":") || o.Settings[said].Employee != q.subject {
					t.Fatalf("%+v: the ground is %s", q, rule)
				}
			} else if was.Allowed && got.Reason == policy.ReasonExcluded {
				t.Fatalf("%+v: excluded by %s, which excluded nobody", q, rule)
			}
			switch {
			case got.Allowed && !was.Allowed:
				more++
			case was.Allowed && !got.Allowed:
				less++
			}
		}
	})
	if more < 100 || less < 100 || grounds["flag"] < 100 || grounds["exce"] < 100 {
		t.Errorf("%d more, %d less, grounds %v: the overlays drawn are one-sided", more, less, grounds)
	}
}

func TestTheMatrixHasTheOverlay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyCompany(t)
		set, err := d.m.load(t, false).Over(overlays(t, d))
		if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
			set, err = d.m.load(t, false).Over(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		rows := rowsOf(set, policy.Filter{})
		for s := range set.Employees() {
			for _, a := range policy.Actions() {
				if m := a.Matter(); m != policy.MatterCall && m != policy.MatterPast && m != policy.MatterEmployee {
					continue
				}
				row := rows[pair{s, a}]
				for o := range set.Employees() {
					if got, want := row.Mark(o), wantMark(set, s, a, o, policy.LineRef{}); got != want {
						t.Fatalf("%s %s %s: %v, decided %v\n%s", set.ID(s), a, set.ID(o), got, want, d.m.yaml(false))
					}
				}
			}
		}
	})
}

func TestNobodyHearsOrSeesAnybodyWhileTheOverlayIsUnknown(t *testing.T) {
	base, open := load(t, withAll), 0
	set, err := base.Over(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := set.Over(new(policy.Overlay))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range policy.Actions() {
		for subject := range base.Employees() {
			for target := range base.Employees() {
				req := policy.Request{Subject: subject, Action: a, Target: target, Responsible: subject, ReasonGiven: true}
				if a.Matter() == policy.MatterLine {
					req.Line, _ = base.Line("support")
					if !a.Conversation() {
						req.Target = policy.Ref{}
					}
				}
				was, is := base.Decide(&req), set.Decide(&req)
				if again := again.Decide(&req); again.Allowed != was.Allowed {
					t.Errorf("%s %s %s under an empty overlay: %+v", base.ID(subject), a, base.ID(target), again)
				}
				open += map[bool]int{true: 1}[was.Allowed]
				free := !slices.Contains(policy.OverlayFlags(), a.String()) && a != policy.ObserveKind
				sight := (a == policy.Observe || a == policy.ObserveKind) && subject == target
				client := (a == policy.LineHistory || a == policy.LineJoin) && subject == target // his own, as responsible
				if want := was.Allowed && (free || sight || client); is.Allowed != want {
					t.Errorf("%s %s %s: %v, and %v without", base.ID(subject), a, base.ID(target), is, was)
				}
				if rule := set.Rule(is.Rule); subject != target && was.Allowed && !is.Allowed && !is.Pairwise || is.Reason == policy.ReasonExcluded && rule.String() != "overlay:1:1: not known" {
					t.Errorf("%s %s %s: %s %s", base.ID(subject), a, base.ID(target), is.Reason, rule)
				}
			}
		}
	}
	if open < 50 {
		t.Errorf("%d were open before", open)
	}
	unrung := policy.Request{Subject: must(set.Employee("boss")), Action: policy.Intercept, Unrung: true, Responsible: must(set.Employee("boss"))}
	if !base.Decide(&unrung).Allowed || set.Decide(&unrung).Allowed {
		t.Error("a caller whom no phone rings")
	}
	if set, err := (*policy.Set)(nil).Over(nil); set != nil || err != nil {
		t.Error("no policy under an overlay is one")
	}
}

const withAll = `version: 1
employees:
  boss: {all: true, department: sales}
  anna: {department: sales, listen: department, recordings: own, journal: own, dial: any}
  boris: {department: sales}
departments: {sales: {name: Sales}}
groups: {board: [boss]}
lines: {support: {members: [anna]}}
protected: {employees: [boss]}
`

func must(r policy.Ref, ok bool) policy.Ref {
	if !ok {
		panic("nobody")
	}
	return r
}

func TestWhatDoesNotFitIsNotTaken(t *testing.T) {
	set := load(t, withAll)
	set, err := set.Over(&policy.Overlay{Settings: []policy.OverlaySetting{{Place: 2, Employee: "anna", Flag: "spy"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		setting policy.OverlaySetting
		what    string
	}{
		"an unknown employee":      {policy.OverlaySetting{Employee: "irina", Flag: "spy", On: true}, "employee"},
		"nobody":                   {policy.OverlaySetting{Flag: "spy"}, "employee"},
		"an unknown flag":          {policy.OverlaySetting{Employee: "anna", Flag: "spi"}, "flag"},
		"all":                      {policy.OverlaySetting{Employee: "anna", Flag: "all", On: true}, "flag"},
		"the right to change this": {policy.OverlaySetting{Employee: "anna", Flag: "settings.permissions", On: true}, "flag"},
		"dialling":                 {policy.OverlaySetting{Employee: "anna", Flag: "dial"}, "flag"},
		"an action that is none":   {policy.OverlaySetting{Employee: "anna", Flag: "observe.kind"}, "flag"},
		"an unknown target":        {policy.OverlaySetting{Employee: "anna", Target: "irina"}, "target"},
		"an unknown group":         {policy.OverlaySetting{Employee: "anna", Target: "group:sales"}, "target"},
		"an unknown department":    {policy.OverlaySetting{Employee: "anna", Target: "department:board"}, "target"},
		"a line":                   {policy.OverlaySetting{Employee: "anna", Target: "line:support"}, "target"},
		"everyone":                 {policy.OverlaySetting{Employee: "anna", Target: "everyone"}, "target"},
		"nothing":                  {policy.OverlaySetting{Employee: "anna"}, "target"},
		"a flag and a target":      {policy.OverlaySetting{Employee: "anna", Flag: "spy", Target: "boris"}, "flag"},
	} {
		c.setting.Place = 3
		o := &policy.Overlay{Settings: []policy.OverlaySetting{{Place: 2, Employee: "anna", Flag: "barge"}, c.setting}}
		out, err := set.Over(o)
		if !errors.Is(err, policy.ErrOverlay) || out != nil || !strings.HasSuffix(err.Error(), "field 3 of those in sorted order: there is no such "+c.what) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for flag, on := range map[string]bool{"spy": false, "barge": true} { // as it was before
		a, _ := policy.ParseAction(flag)
		if d := set.Decide(&policy.Request{Subject: must(set.Employee("anna")), Action: a, Target: must(set.Employee("boris"))}); d.Allowed != on {
			t.Errorf("%s: %+v", flag, d)
		}
	}
	if got := strings.Join(policy.OverlayFlags(), " "); got != "observe listen spy whisper barge intercept recordings play download delete record journal grade statistics unnoticed line.statistics line.history line.join line.grade" {
		t.Error(got)
	}
}

func TestAnExplanationNamesTheOverlay(t *testing.T) {
	set, err := load(t, withAll).Over(&policy.Overlay{Settings: []policy.OverlaySetting{
		{Place: 2, Employee: "anna", Target: "group:board"}, {Place: 3, Employee: "anna", Flag: "spy"}, {Place: 4, Employee: "anna", Flag: "observe", On: true}, {Place: 5, Employee: "boris", Flag: "barge", On: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	own := set.Explain(policy.Request{Subject: must(set.Employee("anna")), Action: policy.Play, Target: must(set.Employee("anna"))})
	if !own.Decision.Allowed {
		t.Errorf("what is hers: %s", own)
	}
	off, err := set.Over(&policy.Overlay{Settings: []policy.OverlaySetting{{Place: 2, Employee: "anna", Flag: "recordings"}}})
	if err != nil {
		t.Fatal(err)
	}
	own = off.Explain(policy.Request{Subject: must(set.Employee("anna")), Action: policy.Play, Target: must(set.Employee("anna"))})
	if own.Decision.Allowed || own.Decision.Reason != policy.ReasonNoRight || own.Rule.String() != "overlay:2:1: flag:anna:recordings" || !agrees(own) {
		t.Errorf("what was hers: %s", own)
	}
	for _, c := range []struct {
		who    string
		action policy.Action
		whom   string
		want   string
	}{
		{"anna", policy.Spy, "boris", "deny excluded overlay:3:1: flag:anna:spy"},
		{"anna", policy.Whisper, "boris", "allow allowed policy.yaml:4:29: employees.anna.listen"},
		{"anna", policy.Observe, "boris", "allow allowed overlay:4:1: flag:anna:observe"},
		{"anna", policy.Observe, "boss", "deny excluded overlay:2:1: except:anna:group:board"},
		{"boris", policy.Barge, "anna", "allow allowed overlay:5:1: flag:boris:barge"},
		{"boris", policy.Barge, "boss", "deny protected policy.yaml:9:13: protected.employees"},
	} {
		x := set.Explain(policy.Request{Subject: must(set.Employee(c.who)), Action: c.action, Target: must(set.Employee(c.whom))})
		if first, _, _ := strings.Cut(x.String(), "\n"); first != c.want {
			t.Errorf("%s %s %s:\n%s", c.who, c.action, c.whom, x)
		}
		if strings.Contains(c.want, "overlay") && !strings.Contains(fmt.Sprint(x.Needs), "overlay") {
			t.Errorf("%s %s %s: what is to be changed is not told: %+v", c.who, c.action, c.whom, x.Needs)
		}
	}
}

// FuzzOver: an overlay that does not fit gives nothing at all, and one that does gives nobody anything but what a flag of his gives.
func FuzzOver(f *testing.F) {
	for _, s := range []string{"anna spy 1", "anna spy 0\nboris listen 1", "anna - group:board", "boss all 0", "anna listen 1\nanna spy 0\nanna - boris", "x y 1", "boris intercept 1\nboris - department:sales"} {
		f.Add(s)
	}
	base := load(f, withAll)
	f.Fuzz(func(t *testing.T, text string) {
		o := new(policy.Overlay)
		gives := map[[2]string]bool{}
		for i, line := range strings.Split(text, "\n") {
			words := strings.SplitN(line, " ", 3)
			if len(words) < 3 {
				return
			}
			s := policy.OverlaySetting{Place: i + 1, Employee: words[0], Flag: words[1], On: words[2] == "1"}
			if s.Flag == "-" {
				s.Flag, s.Target = "", words[2]
			}
			o.Settings = append(o.Settings, s)
			for _, a := range policy.Actions() {
				if s.On && covers(s.Flag, a.String()) {
					gives[[2]string{s.Employee, a.String()}] = true
				}
			}
		}
		set, err := base.Over(o)
		if err != nil {
			if set != nil {
				t.Fatal("an error, and something of it all the same")
			}
			return
		}
		for subject := range base.Employees() {
			for target := range base.Employees() {
				for _, a := range policy.Actions() {
					req := policy.Request{Subject: subject, Action: a, Target: target, Responsible: subject}
					if a.Matter() == policy.MatterLine {
						req.Line, _ = base.Line("support")
					}
					was, is := base.Decide(&req), set.Decide(&req)
					if is.Allowed && !was.Allowed && !gives[[2]string{base.ID(subject), a.String()}] {
						t.Fatalf("%s %s %s became allowed by %s", base.ID(subject), a, base.ID(target), set.Rule(is.Rule))
					}
				}
			}
		}
	})
}
