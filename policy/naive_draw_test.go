package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// matters are the keys and the actions that have something to do with each other. A company drawn has those of one or two, so that its
// rules meet.
var matters = []struct{ keys, actions []string }{
	{[]string{"observe", "observe", "intercept", "intercept", "all"}, []string{"observe", "observe.kind", "intercept"}},
	{[]string{"listen", "spy", "whisper", "barge", "all"}, []string{"spy", "whisper", "barge"}},
	{[]string{"recordings", "recordings", "play", "download", "delete", "all"}, []string{"play", "download", "delete"}},
	{[]string{"record", "journal", "journal", "grade", "grade", "all"}, []string{"record", "journal", "grade", "grade"}},
	{
		[]string{"statistics", "settings.user", "unnoticed", "lock", "settings.telephony", "settings.numbers", "settings.permissions", "all"},
		[]string{"statistics", "statistics", "settings.user", "settings.user", "unnoticed", "unnoticed", "lock", "settings.telephony", "settings.numbers", "settings.permissions"},
	},
	{[]string{"line.view", "line.connect", "line.change", "all"}, []string{"line.view", "line.connect", "line.change"}},
	{[]string{"line.statistics", "line.history", "line.join", "line.grade", "line.replies", "all"}, []string{"line.statistics", "line.history", "line.join", "line.grade", "line.grade", "line.replies"}},
	{[]string{"dial", "dial", "all"}, []string{"dial"}},
}

// scopes are what may stand for whom; own among them means nothing to some rights and is legal.
var scopes = []string{"none", "own", "department", "subtree", "any", "list"}

// A drawing has what a random company is made of.
type drawing struct {
	m       *model
	people  *rapid.Generator[[]string] // lists of people
	mixed   *rapid.Generator[[]string] // lists of people and lines
	keys    []string
	actions []string
	named   []string // selectors of people
}

// models draws companies whose rules are about dialling.
func models(t *rapid.T) *model { return draw(t, len(matters)-1).m }

// anyCompany draws a company whose rules are about whatever it may be.
func anyCompany(t *rapid.T) *drawing {
	return draw(t, rapid.IntRange(0, len(matters)-1).Draw(t, "matter"))
}

// eachMatter checks the property on companies of every matter.
func eachMatter(t *testing.T, property func(*rapid.T, *drawing)) {
	for i, matter := range matters {
		t.Run(matter.actions[0], func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { property(t, draw(t, i)) })
		})
	}
}

func draw(t *rapid.T, matter int) *drawing {
	m := &model{groups: map[string][]string{}, roles: map[string][]modelRight{}}
	d := &drawing{m: m}
	m.now, m.zone = moments(t), rapid.SampledFrom(places).Draw(t, "zone")
	for i := range rapid.IntRange(0, 2).Draw(t, "times") {
		m.times = append(m.times, drawTime(t, fmt.Sprintf("t%d", i)))
	}
	d.keys, d.actions = matters[matter].keys, matters[matter].actions
	if rapid.IntRange(0, 3).Draw(t, "another matter") == 0 {
		more := matters[rapid.IntRange(0, len(matters)-1).Draw(t, "which")]
		d.keys, d.actions = slices.Concat(d.keys, more.keys), slices.Concat(d.actions, more.actions)
	}
	var ids []string
	for i := range rapid.IntRange(2, 6).Draw(t, "people") {
		ids = append(ids, fmt.Sprintf("p%d", i))
	}
	d.named = slices.Clone(ids)
	person := rapid.SampledFrom(ids)
	maybe := func(name string) bool { return rapid.Bool().Draw(t, name) }
	for i := range rapid.IntRange(0, 4).Draw(t, "departments") {
		x := modelDepartment{id: fmt.Sprintf("d%d", i)}
		if maybe("head") {
			x.head = person.Draw(t, "head of")
		}
		if i > 0 && maybe("parent") {
			x.parent = fmt.Sprintf("d%d", rapid.IntRange(0, i-1).Draw(t, "parent of"))
		}
		m.departments = append(m.departments, x)
		d.named = append(d.named, "department:"+x.id, "subtree:"+x.id)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "groups") {
		id := fmt.Sprintf("g%d", i)
		m.groups[id] = rapid.SliceOfN(person, 0, 3).Draw(t, id)
		d.named = append(d.named, "group:"+id)
	}
	d.people = rapid.SliceOfN(rapid.SampledFrom(d.named), 1, 3)
	everything := slices.Clone(d.named)
	for i := range rapid.IntRange(0, 3).Draw(t, "lines") {
		l := modelLine{id: fmt.Sprintf("l%d", i), members: rapid.SliceOfN(rapid.SampledFrom(d.named), 0, 2).Draw(t, "members")}
		m.lines = append(m.lines, l)
		everything = append(everything, "line:"+l.id, "line:"+l.id) // as likely as people
	}
	d.mixed = rapid.SliceOfN(rapid.SampledFrom(everything), 1, 3)
	for i, id := range ids {
		p := modelPerson{id: id, rights: d.rights(t)}
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
		m.roles[fmt.Sprintf("r%d", i)] = d.rights(t)
	}
	if roles > 0 {
		for range rapid.IntRange(0, 4).Draw(t, "assignments") {
			a := modelAssignment{role: fmt.Sprintf("r%d", rapid.IntRange(0, roles-1).Draw(t, "role")), when: m.when(t)}
			a.to = rapid.SliceOfN(rapid.SampledFrom(append([]string{"everyone", "heads"}, d.named...)), 1, 2).Draw(t, "to")
			m.assign = append(m.assign, a)
		}
	}
	if maybe("protected") {
		m.protected = d.people.Draw(t, "protect")
	}
	m.guarded, m.outside = maybe("numbers"), maybe("outside")
	return d
}

func (d *drawing) rights(t *rapid.T) []modelRight {
	var all []modelRight
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(d.keys), 0, 4, rapid.ID[string]).Draw(t, "keys") {
		// All on everybody makes everything else pointless, so it is rarer than it is drawn.
		if key != "all" || rapid.IntRange(0, 3).Draw(t, "really") == 0 {
			all = append(all, d.right(t, key))
		}
	}
	return all
}

// whole are the rights that are had or not.
var whole = []string{"lock", "settings.telephony", "settings.numbers", "settings.permissions", "all"}

// right draws what may be written under a key: what may not is for the bad samples.
func (d *drawing) right(t *rapid.T, key string) modelRight {
	r := modelRight{key: key}
	list := d.people
	if strings.HasPrefix(key, "line.") || key == "all" {
		list = d.mixed
	}
	words := scopes
	if slices.Contains(whole, key) {
		words = []string{"none", "any"}
	}
	if key == "dial" {
		r.dial = dials(t, d.people)
		if r.dial.word == "map" {
			r.when = d.m.when(t)
		}
		return r
	}
	values := append([]string{"true", "false", "map", "map", "map", "map"}, words...)
	if key == "observe" {
		values = append(values, "kind", "kind")
	}
	r.value = rapid.SampledFrom(values).Draw(t, "value")
	if r.value == "map" {
		r.when = d.m.when(t)
		if !slices.Contains(whole, key) {
			r.to = rapid.SampledFrom(append([]string{""}, words...)).Draw(t, "to")
		}
		if key == "observe" {
			r.show = rapid.SampledFrom([]string{"", "peer", "kind"}).Draw(t, "show")
		}
		if modes := map[string][]string{"listen": listening, "recordings": recorded}[key]; modes != nil && rapid.Bool().Draw(t, "allow") {
			r.allow = rapid.SliceOfNDistinct(rapid.SampledFrom(modes), 1, 3, rapid.ID[string]).Draw(t, "modes")
		}
		if (key == "all" || !slices.Contains(whole, key)) && rapid.IntRange(0, 2).Draw(t, "except") == 0 {
			r.except = list.Draw(t, "excepted")
		}
		if key == "all" || key == "listen" || key == "recordings" || slices.Contains(listening, key) || slices.Contains(recorded, key) {
			switch rapid.IntRange(0, 7).Draw(t, "reason") {
			case 0:
				r.reasonAll = true
			case 1, 2:
				r.reason = d.people.Draw(t, "about whom")
			}
		}
	}
	if r.value == "list" || r.to == "list" {
		r.list = list.Draw(t, "list")
	}
	return r
}

// questions asks about the company whatever its rules may be about.
func (d *drawing) questions(t *rapid.T) []question {
	m := d.m
	var all []question
	for range 40 {
		who := func(label string) string { return m.people[rapid.IntRange(0, len(m.people)-1).Draw(t, label)].id }
		q := question{subject: who("subject"), target: who("target"), action: rapid.SampledFrom(d.actions).Draw(t, "action")}
		// Who has no right at all is asked about less often.
		var have []string
		for _, p := range m.people {
			if len(m.grants(p.id, q.action)) > 0 {
				have = append(have, p.id)
			}
		}
		if len(have) > 0 && rapid.IntRange(0, 3).Draw(t, "with a right") > 0 {
			q.subject = rapid.SampledFrom(have).Draw(t, "who has")
		}
		// Half of the time nothing on the call stands in the way, or too little would be allowed.
		plain := rapid.Bool().Draw(t, "plain")
		for range rapid.IntRange(0, 2).Draw(t, "others") {
			if plain {
				break
			}
			q.with = append(q.with, who("with"))
		}
		switch rapid.IntRange(0, 2).Draw(t, "client") {
		case 1:
			q.responsible = q.subject
		case 2:
			q.responsible = who("responsible")
		}
		few := rapid.IntRange(0, 5)
		if !plain {
			q.party, q.protectedNumber, q.unknownNo = few.Draw(t, "party") == 0, few.Draw(t, "number") == 0, few.Draw(t, "phone") == 0
			q.locked = few.Draw(t, "locked") == 0
		}
		q.given = few.Draw(t, "given") < 3
		if slices.Contains(whole, q.action) && few.Draw(t, "for another") > 0 {
			q.target = rapid.SampledFrom([]string{"", q.subject}).Draw(t, "nobody or himself")
		}
		if strings.HasPrefix(q.action, "line.") {
			if len(m.lines) == 0 {
				continue
			}
			q.line = m.lines[rapid.IntRange(0, len(m.lines)-1).Draw(t, "line")].id
			if q.responsible != "" && few.Draw(t, "access") == 0 {
				q.access, q.responsible = []string{who("accessed by"), q.responsible}, ""
			}
			whole := slices.Contains([]string{"line.view", "line.connect", "line.change", "line.replies"}, q.action) && few.Draw(t, "named all the same") > 0
			if whole || rapid.Bool().Draw(t, "as a whole") { // then nobody is on it
				q.target, q.with, q.protectedNumber = "", nil, false
			}
		}
		all = append(all, q)
	}
	return all
}

func (q question) request(set *policy.Set) policy.Request {
	who := func(id string) policy.Ref { r, _ := set.Employee(id); return r }
	action, _ := policy.ParseAction(q.action)
	req := policy.Request{
		Subject: who(q.subject), Target: who(q.target), Action: action, Responsible: who(q.responsible),
		Party: q.party, ProtectedNumber: q.protectedNumber, UnknownPhone: q.unknownNo, Locked: q.locked, ReasonGiven: q.given,
	}
	if q.line != "" {
		req.Line, _ = set.Line(q.line)
	}
	for _, id := range q.with {
		req.With = append(req.With, who(id))
	}
	for _, id := range q.access {
		req.Access = append(req.Access, who(id))
	}
	return req
}

// load compiles the model as it is at its moment.
func (m *model) load(t *rapid.T, reverse bool) *policy.Set { return m.loadText(t, m.yaml(reverse)) }

func (m *model) loadText(t *rapid.T, text string) *policy.Set {
	set, _, err := policy.Load("policy.yaml", []byte(text), m.now)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return set
}
