package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// The naive evaluator below is written from the description of the language, sentence by sentence, over a model that is
// also printed as YAML. It shares nothing with the package: no compilation, no indexes, strings and loops only.

type model struct {
	departments []modelDepartment
	groups      map[string][]string
	people      []modelPerson
	roles       map[string][]modelRight
	assign      []modelAssignment
	protected   []string // selectors
	guarded     bool     // protected.numbers is there
	outside     bool
}

type modelDepartment struct{ id, head, parent string }

type modelPerson struct {
	id, department string
	numbers        []string
	rights         []modelRight
}

type modelRight struct {
	key    string // observe, listen, spy, ...
	value  string // true, false, a scope word, or "list" or "map"
	to     string // of a map: a scope word, "list" or "" for left out
	list   []string
	allow  []string
	show   string // of observe: peer, kind or "" for left out
	except []string
	dial   *modelDial // of the key dial, which is all of it then
}

type modelAssignment struct {
	role string
	to   []string
	over bool
}

func (m *model) person(id string) *modelPerson {
	for i := range m.people {
		if m.people[i].id == id {
			return &m.people[i]
		}
	}
	return nil
}

func (m *model) parent(d string) string {
	for _, x := range m.departments {
		if x.id == d {
			return x.parent
		}
	}
	return ""
}

func (m *model) headOf(d string) string {
	for _, x := range m.departments {
		if x.id == d {
			return x.head
		}
	}
	return ""
}

// within reports whether department d is top or lies below it.
func (m *model) within(d, top string) bool {
	for ; d != ""; d = m.parent(d) {
		if d == top {
			return true
		}
	}
	return false
}

// in reports whether a list names the person.
func (m *model) in(list []string, id string) bool {
	department := m.person(id).department
	for _, s := range list {
		kind, name, found := strings.Cut(s, ":")
		switch {
		case s == "everyone":
			return true
		case s == "heads":
			for _, d := range m.departments {
				if d.head == id {
					return true
				}
			}
		case !found && s == id,
			found && kind == "department" && department == name,
			found && kind == "subtree" && department != "" && m.within(department, name),
			found && kind == "group" && slices.Contains(m.groups[name], id):
			return true
		}
	}
	return false
}

// rightsOf is the union of one's own entry and every role that reaches one.
func (m *model) rightsOf(id string) []modelRight {
	all := slices.Clone(m.person(id).rights)
	for _, a := range m.assign {
		if !a.over && m.in(a.to, id) {
			all = append(all, m.roles[a.role]...)
		}
	}
	return all
}

func covers(key, action string) bool {
	return key == action || key == "observe" && action == "observe.kind" || key == "listen" && (action == "spy" || action == "whisper" || action == "barge")
}

// excluded: except bars the action that it stands under.
func (m *model) excluded(subject, action, who string) bool {
	for _, r := range m.rightsOf(subject) {
		if covers(r.key, action) && r.value == "map" && m.in(r.except, who) {
			return true
		}
	}
	return false
}

// scope spells out what a right's value means as a scope, and the list if it is one.
func (r modelRight) scope() string {
	switch {
	case r.value == "true" && r.key == "intercept":
		return "own"
	case r.value == "true", r.value == "kind":
		return "any"
	case r.value == "false":
		return "none"
	case r.value == "map" && r.to == "":
		return "any"
	case r.value == "map":
		return r.to
	}
	return r.value
}

func (m *model) reaches(scope string, list []string, subject, target string) bool {
	s, t := m.person(subject).department, m.person(target).department
	switch scope {
	case "any":
		return true
	case "list":
		return m.in(list, target)
	case "department":
		return t != "" && (t == s || m.headOf(t) == subject)
	case "subtree":
		if t == "" {
			return false
		}
		if s != "" && m.within(t, s) {
			return true
		}
		for _, d := range m.departments {
			if d.head == subject && m.within(t, d.id) {
				return true
			}
		}
	}
	return false
}

type question struct {
	subject, action, target           string
	with                              []string
	responsible                       string
	party, protectedNumber, unknownNo bool
}

func (m *model) allows(q question) bool {
	supervision := q.action == "spy" || q.action == "whisper" || q.action == "barge"
	sees := q.action == "observe" || q.action == "observe.kind"
	// Dialling is about a number, and not decided about a target.
	if q.action == "dial" {
		return false
	}
	// Nobody supervises himself; one's own calls one sees; a party sees the other side.
	if q.subject == q.target {
		return sees
	}
	if q.party && sees {
		return true
	}
	// A party to a call cannot supervise it.
	if supervision && (q.party || slices.Contains(q.with, q.subject)) {
		return false
	}
	// Exclusions are about everybody within earshot and beat every grant.
	for _, who := range append([]string{q.target}, q.with...) {
		if who == q.subject {
			continue
		}
		if m.excluded(q.subject, q.action, who) {
			return false
		}
		// Protected employees: no supervision, no intercept; still visible to observers.
		if !sees && m.in(m.protected, who) {
			return false
		}
	}
	// Protected numbers: hidden but for their kind, no supervision.
	if q.protectedNumber && q.action != "intercept" && q.action != "observe.kind" {
		return false
	}
	// A call with an unknown phone is not supervised unless the policy says outside.
	if supervision && q.unknownNo && !m.outside {
		return false
	}
	// A grant is about the target.
	for _, r := range m.rightsOf(q.subject) {
		if !covers(r.key, q.action) {
			continue
		}
		if r.value == "map" && len(r.allow) > 0 && !slices.Contains(r.allow, q.action) {
			continue
		}
		// Who is shown the kind does not see the peer.
		if (r.value == "kind" || r.show == "kind") && q.action != "observe.kind" {
			continue
		}
		scope := r.scope()
		if m.reaches(scope, r.list, q.subject, q.target) {
			return true
		}
		// For intercept own is one's own clients, and a wider scope is own and more.
		if q.action == "intercept" && scope != "none" && q.responsible == q.subject {
			return true
		}
	}
	return false
}

// yaml prints the model. The order of everything in it can be turned round, which must not matter.
func (m *model) yaml(reverse bool) string {
	var b strings.Builder
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		if reverse {
			slices.Reverse(lines)
		}
		b.WriteString(title + ":\n  " + strings.Join(lines, "\n  ") + "\n")
	}
	rights := func(all []modelRight) []string {
		var out []string
		for _, r := range all {
			if r.dial != nil {
				out = append(out, "dial: "+r.dial.yaml())
				continue
			}
			out = append(out, r.key+": "+r.yaml())
		}
		if reverse {
			slices.Reverse(out)
		}
		return out
	}
	b.WriteString("version: 1\ntimezone: UTC\n")
	if m.outside {
		b.WriteString("unknown_phones: outside\n")
	}
	protected := []string{"employees: " + flow(m.protected)}
	if m.guarded {
		protected = append(protected, `numbers: ["+74957654321"]`)
	}
	section("protected", protected)
	var lines []string
	for _, d := range m.departments {
		parts := []string{"name: " + d.id}
		if d.head != "" {
			parts = append(parts, "head: "+d.head)
		}
		if d.parent != "" {
			parts = append(parts, "parent: "+d.parent)
		}
		lines = append(lines, d.id+": {"+strings.Join(parts, ", ")+"}")
	}
	section("departments", lines)
	lines = nil
	for id, members := range m.groups {
		lines = append(lines, id+": "+flow(members))
	}
	slices.Sort(lines)
	section("groups", lines)
	lines = nil
	for _, p := range m.people {
		parts := rights(p.rights)
		if p.department != "" {
			parts = append(parts, "department: "+p.department)
		}
		if len(p.numbers) > 0 {
			parts = append(parts, "numbers: "+inQuotes(p.numbers))
		}
		lines = append(lines, p.id+": {"+strings.Join(parts, ", ")+"}")
	}
	section("employees", lines)
	lines = nil
	for id, all := range m.roles {
		lines = append(lines, id+": {"+strings.Join(rights(all), ", ")+"}")
	}
	slices.Sort(lines)
	section("roles", lines)
	lines = nil
	for _, a := range m.assign {
		until := ""
		if a.over {
			until = ", until: 2026-05-31"
		}
		lines = append(lines, "- {role: "+a.role+", to: "+flow(a.to)+until+"}")
	}
	section("assign", lines)
	return b.String()
}

func flow(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

func (r modelRight) yaml() string {
	switch r.value {
	case "list":
		return flow(r.list)
	case "map":
		var parts []string
		switch r.to {
		case "":
		case "list":
			parts = append(parts, "only: "+flow(r.list))
		default:
			parts = append(parts, "to: "+r.to)
		}
		if len(r.allow) > 0 {
			parts = append(parts, "allow: "+flow(r.allow))
		}
		if r.show != "" {
			parts = append(parts, "show: "+r.show)
		}
		if r.except != nil {
			parts = append(parts, "except: "+flow(r.except))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return r.value
}

// models draws companies small enough that everything in them meets.
func models(t *rapid.T) *model {
	m := &model{groups: map[string][]string{}, roles: map[string][]modelRight{}}
	var ids, selectors []string
	for i := range rapid.IntRange(2, 6).Draw(t, "people") {
		ids = append(ids, fmt.Sprintf("p%d", i))
	}
	selectors = append(selectors, ids...)
	person := rapid.SampledFrom(ids)
	maybe := func(name string) bool { return rapid.Bool().Draw(t, name) }
	for i := range rapid.IntRange(0, 4).Draw(t, "departments") {
		d := modelDepartment{id: fmt.Sprintf("d%d", i)}
		if maybe("head") {
			d.head = person.Draw(t, "head of")
		}
		if i > 0 && maybe("parent") {
			d.parent = fmt.Sprintf("d%d", rapid.IntRange(0, i-1).Draw(t, "parent of"))
		}
		m.departments = append(m.departments, d)
		selectors = append(selectors, "department:"+d.id, "subtree:"+d.id)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "groups") {
		id := fmt.Sprintf("g%d", i)
		m.groups[id] = rapid.SliceOfN(person, 0, 3).Draw(t, id)
		selectors = append(selectors, "group:"+id)
	}
	list := rapid.SliceOfN(rapid.SampledFrom(selectors), 1, 3)
	scopes := []string{"none", "own", "department", "subtree", "any", "list"}
	right := func(key string) modelRight {
		if key == "dial" {
			return modelRight{key: key, dial: dials(t, list, scopes)}
		}
		values := append([]string{"true", "false", "map", "map"}, scopes...)
		if key == "observe" {
			values = append(values, "kind", "kind")
		}
		r := modelRight{key: key, value: rapid.SampledFrom(values).Draw(t, "value")}
		if r.value == "map" {
			if key == "observe" {
				r.show = rapid.SampledFrom([]string{"", "peer", "kind"}).Draw(t, "show")
			}
			r.to = rapid.SampledFrom(append([]string{""}, scopes...)).Draw(t, "to")
			if key == "listen" && maybe("allow") {
				r.allow = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"spy", "whisper", "barge"}), 1, 3, rapid.ID[string]).Draw(t, "modes")
			}
			if maybe("except") {
				r.except = list.Draw(t, "excepted")
			}
		}
		if r.value == "list" || r.to == "list" {
			r.list = list.Draw(t, "list")
		}
		return r
	}
	rights := func() []modelRight {
		var all []modelRight
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"observe", "listen", "spy", "whisper", "barge", "intercept", "dial", "dial"}), 0, 3, rapid.ID[string]).Draw(t, "keys") {
			all = append(all, right(key))
		}
		return all
	}
	for i, id := range ids {
		p := modelPerson{id: id, rights: rights()}
		if maybe("numbered") {
			p.numbers = []string{shortNumbers[i], longNumbers[i]}
		}
		if len(m.departments) > 0 && maybe("placed") {
			p.department = m.departments[rapid.IntRange(0, len(m.departments)-1).Draw(t, "place")].id
		}
		m.people = append(m.people, p)
	}
	roles := rapid.IntRange(0, 3).Draw(t, "roles")
	for i := range roles {
		m.roles[fmt.Sprintf("r%d", i)] = rights()
	}
	if roles > 0 {
		for range rapid.IntRange(0, 4).Draw(t, "assignments") {
			a := modelAssignment{role: fmt.Sprintf("r%d", rapid.IntRange(0, roles-1).Draw(t, "role")), over: rapid.IntRange(0, 3).Draw(t, "over") == 0}
			a.to = rapid.SliceOfN(rapid.SampledFrom(append([]string{"everyone", "heads"}, selectors...)), 1, 2).Draw(t, "to")
			m.assign = append(m.assign, a)
		}
	}
	if maybe("protected") {
		m.protected = list.Draw(t, "protect")
	}
	m.guarded, m.outside = maybe("numbers"), maybe("outside")
	return m
}

// questions asks everything about two people, with the rest drawn.
func questions(t *rapid.T, m *model) []question {
	var all []question
	for range 30 {
		who := func(label string) string { return m.people[rapid.IntRange(0, len(m.people)-1).Draw(t, label)].id }
		q := question{subject: who("subject"), target: who("target"), action: rapid.SampledFrom(policy.Actions()).Draw(t, "action").String()}
		for range rapid.IntRange(0, 2).Draw(t, "others") {
			q.with = append(q.with, who("with"))
		}
		switch rapid.IntRange(0, 2).Draw(t, "client") {
		case 1:
			q.responsible = q.subject
		case 2:
			q.responsible = who("responsible")
		}
		few := rapid.IntRange(0, 3)
		q.party, q.protectedNumber, q.unknownNo = few.Draw(t, "party") == 0, few.Draw(t, "number") == 0, few.Draw(t, "phone") == 0
		all = append(all, q)
	}
	return all
}

func (q question) request(set *policy.Set) policy.Request {
	who := func(id string) policy.Ref { r, _ := set.Employee(id); return r }
	action, _ := policy.ParseAction(q.action)
	req := policy.Request{
		Subject: who(q.subject), Target: who(q.target), Action: action, Responsible: who(q.responsible),
		Party: q.party, ProtectedNumber: q.protectedNumber, UnknownPhone: q.unknownNo,
	}
	for _, id := range q.with {
		req.With = append(req.With, who(id))
	}
	return req
}

func mustLoad(t interface{ Fatalf(string, ...any) }, text string) *policy.Set {
	set, _, err := policy.Load("policy.yaml", []byte(text), day)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return set
}

func TestDecideAgreesWithTheNaiveEvaluator(t *testing.T) {
	allowed, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := models(t)
		text := m.yaml(false)
		set, turned := mustLoad(t, text), mustLoad(t, m.yaml(true))
		for _, q := range questions(t, m) {
			req := q.request(set)
			d, want := set.Decide(&req), m.allows(q)
			if d.Allowed != want {
				t.Fatalf("%+v: got %v (%s), the specification says %v\n%s", q, d.Allowed, d.Reason, want, text)
			}
			if want {
				allowed++
			} else {
				refused++
			}
			turnedReq := q.request(turned)
			if o := turned.Decide(&turnedReq); o.Allowed != d.Allowed || o.Reason != d.Reason || o.Pairwise != d.Pairwise {
				t.Fatalf("%+v: the order of the file changes the answer from %v %s to %v %s\n%s", q, d.Allowed, d.Reason, o.Allowed, o.Reason, text)
			}
			checkExplanation(t, set, req, d)
			checkPairwise(t, set, req, d)
		}
	})
	// A generator that only ever makes one answer would prove nothing.
	if total := allowed + refused; allowed*10 < total || refused*10 < total {
		t.Errorf("%d allowed and %d refused: the companies drawn are one-sided", allowed, refused)
	}
}

// checkExplanation holds the explanation against the decision.
func checkExplanation(t *rapid.T, set *policy.Set, req policy.Request, d policy.Decision) {
	x := set.Explain(req)
	grants, refuses, ground := 0, 0, false
	for _, st := range x.Statements {
		switch st.Effect {
		case policy.EffectGrants:
			grants++
		case policy.EffectRefuses:
			refuses++
		case policy.EffectNone: // a rule that does not reach the target
		}
		ground = ground || st.Reason == d.Reason && st.Rule == x.Rule
	}
	if x.Decision != d || d.Allowed != (grants > 0 && refuses == 0) || !ground {
		t.Fatalf("the explanation contradicts %+v:\n%s", d, x)
	}
}

// checkPairwise: what may be shown to the subject must not depend on who else is on the call.
func checkPairwise(t *rapid.T, set *policy.Set, req policy.Request, d policy.Decision) {
	if !d.Pairwise {
		if d.Allowed {
			t.Fatalf("an allowed decision hides its ground: %+v", d)
		}
		return
	}
	req.With, req.ProtectedNumber, req.UnknownPhone = nil, false, false
	if alone := set.Decide(&req); alone != d {
		t.Fatalf("shown as pairwise, but without the others %+v becomes %+v", d, alone)
	}
}

func TestAGrantTakesNothingAwayAndAnExclusionGivesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := models(t)
		before := mustLoad(t, m.yaml(false))
		grant, exclusion := *m, *m
		key := rapid.SampledFrom([]string{"observe", "listen", "spy", "whisper", "barge", "intercept"}).Draw(t, "key")
		everyone := modelAssignment{role: "added", to: []string{"everyone"}}
		with := func(r modelRight) (map[string][]modelRight, []modelAssignment) {
			roles := map[string][]modelRight{"added": {r}}
			for id, rights := range m.roles {
				roles[id] = rights
			}
			return roles, append(slices.Clone(m.assign), everyone)
		}
		scope := rapid.SampledFrom([]string{"true", "own", "department", "subtree", "any"}).Draw(t, "scope")
		victim := m.people[rapid.IntRange(0, len(m.people)-1).Draw(t, "victim")].id
		grant.roles, grant.assign = with(modelRight{key: key, value: scope})
		exclusion.roles, exclusion.assign = with(modelRight{key: key, value: "map", to: "any", except: []string{victim}})
		wider, narrower := mustLoad(t, grant.yaml(false)), mustLoad(t, exclusion.yaml(false))
		for _, q := range questions(t, m) {
			a, b, c := q.request(before), q.request(wider), q.request(narrower)
			if before.Decide(&a).Allowed && !wider.Decide(&b).Allowed {
				t.Fatalf("%+v: a grant of %s took it away\n%s", q, key, grant.yaml(false))
			}
			if covers(key, q.action) && q.target == victim && q.subject != victim && !q.party && narrower.Decide(&c).Allowed {
				t.Fatalf("%+v: %s is excluded and yet allowed\n%s", q, victim, exclusion.yaml(false))
			}
		}
	})
}

func TestSplittingAPolicyOverFilesChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := models(t)
		whole := mustLoad(t, m.yaml(false))
		org := model{departments: m.departments, groups: m.groups, people: m.people}
		rules := model{roles: m.roles, assign: m.assign, protected: m.protected, guarded: m.guarded, outside: m.outside}
		a, errA := policy.Parse("a.yaml", []byte(org.yaml(false)))
		b, errB := policy.Parse("b.yaml", []byte(rules.yaml(true)))
		if errA != nil || errB != nil {
			t.Fatalf("%v %v", errA, errB)
		}
		for _, files := range [][]*policy.File{{a, b}, {b, a}} {
			split, _, err := policy.Compile(day, files...)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range questions(t, m) {
				x, y := q.request(whole), q.request(split)
				if one, two := whole.Decide(&x), split.Decide(&y); one.Allowed != two.Allowed || one.Reason != two.Reason {
					t.Fatalf("%+v: %v %s in one file, %v %s in two", q, one.Allowed, one.Reason, two.Allowed, two.Reason)
				}
			}
		}
	})
}

func TestTheMomentDecidesAsIfCompiledThen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := models(t)
		set := mustLoad(t, m.yaml(false))
		early := set.At(day.AddDate(0, -1, 0))
		inForce := *m
		inForce.assign = slices.Clone(m.assign)
		for i := range inForce.assign {
			inForce.assign[i].over = false
		}
		for _, q := range questions(t, m) {
			req := q.request(set)
			if got, want := early.Decide(&req).Allowed, inForce.allows(q); got != want {
				t.Fatalf("%+v: a month earlier got %v, want %v\n%s", q, got, want, m.yaml(false))
			}
		}
		back := early.At(day)
		for _, q := range questions(t, m) {
			req := q.request(set)
			if back.Decide(&req) != set.Decide(&req) {
				t.Fatalf("%+v: going back in time changed the policy", q)
			}
		}
	})
}
