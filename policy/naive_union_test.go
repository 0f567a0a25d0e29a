package policy_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// with is the company in which everybody has one right more, by a role.
func (m *model) with(r modelRight) *model {
	c := *m
	c.roles = map[string][]modelRight{"added": {r}}
	for id, rights := range m.roles {
		c.roles[id] = rights
	}
	c.assign = append(slices.Clone(m.assign), modelAssignment{role: "added", to: []string{"everyone"}})
	return &c
}

// onlyGrants is the right without what it excludes and asks a reason for.
func (r modelRight) onlyGrants() modelRight {
	r.except, r.reason, r.reasonAll = nil, nil, false
	if r.dial != nil {
		d := *r.dial
		d.excepts, d.exceptLists, d.exceptNumbers = false, nil, nil
		if d.word == "map" && d.to == "" {
			d.to = "any"
		}
		r.dial = &d
	}
	return r
}

func TestAGrantTakesNothingAway(t *testing.T) {
	kept, gained := 0, 0
	eachMatter(t, func(t *rapid.T, d *drawing) {
		grant := d.right(t, rapid.SampledFrom(d.keys).Draw(t, "granted")).onlyGrants()
		wider := d.m.with(grant)
		before, after := d.m.load(t, false), wider.load(t, false)
		check := func(q any, was, is policy.Decision) {
			switch {
			case was.Allowed && !is.Allowed:
				t.Fatalf("%+v: a grant took it away: %s\n%s", q, is.Reason, wider.yaml(false))
			case was.Allowed:
				kept++
			case is.Allowed:
				gained++
			}
		}
		d.askBoth(t, before, after, check)
	})
	if kept < 100 || gained < 100 {
		t.Errorf("%d kept and %d gained: the grants drawn are one-sided", kept, gained)
	}
}

// A right with something excepted, or a reason asked for, or a time, gives no more than without.
func TestAnExclusionGivesNothing(t *testing.T) {
	lost, left := 0, 0
	eachMatter(t, func(t *rapid.T, d *drawing) {
		r := d.right(t, rapid.SampledFrom(d.keys).Draw(t, "granted")).onlyGrants()
		before := d.m.with(r).load(t, false)
		if r.dial != nil {
			x := *r.dial
			if x.word != "map" {
				x = modelDial{word: "map", to: "any"}
				before = d.m.with(modelRight{key: "dial", dial: &x}).load(t, false)
			}
			x.excepts, x.exceptLists = true, d.people.Draw(t, "excepted")
			r.dial = &x
		} else {
			if r.value != "map" { // it says the same as a map
				if r.to = r.scope(); slices.Contains(whole, r.key) {
					r.to = ""
					before = d.m.with(modelRight{key: r.key, value: "any"}).load(t, false)
				}
				if r.value == "kind" {
					r.show = "kind"
				}
				r.value = "map"
			}
			narrow := []string{"when"}
			if r.key == "all" || !slices.Contains(whole, r.key) {
				narrow = append(narrow, "except", "except")
			}
			if covers(r.key, "play") || slices.ContainsFunc(listening, func(a string) bool { return covers(r.key, a) }) {
				narrow = append(narrow, "reason")
			}
			switch rapid.SampledFrom(narrow).Draw(t, "narrowed by") {
			case "when":
				r.when.until = d.m.now.AddDate(0, 0, -3).Format("2006-01-02")
				r.when.from = ""
			case "except":
				r.except = d.people.Draw(t, "excepted")
			case "reason":
				r.reason = d.people.Draw(t, "about whom")
			}
		}
		narrower := d.m.with(r)
		after := narrower.load(t, false)
		check := func(q any, was, is policy.Decision) {
			switch {
			case is.Allowed && !was.Allowed:
				t.Fatalf("%+v: an exclusion gave it, before it was %s\n%s", q, was.Reason, narrower.yaml(false))
			case is.Allowed:
				left++
			case was.Allowed:
				lost++
			}
		}
		d.askBoth(t, before, after, check)
	})
	if lost < 100 || left < 100 {
		t.Errorf("%d lost and %d left: the exclusions drawn are one-sided", lost, left)
	}
}

// Whoever is excluded stays so, whatever roles there are: even one that gives everything.
func TestAnExcludedTargetStaysRefusedUnderAnyRoles(t *testing.T) {
	asked := map[string]int{}
	eachMatter(t, func(t *rapid.T, d *drawing) {
		key := rapid.SampledFrom(d.keys).Draw(t, "key")
		if slices.Contains(whole, key) && key != "all" {
			return // excepts nobody
		}
		victim := d.m.people[rapid.IntRange(0, len(d.m.people)-1).Draw(t, "victim")].id
		barred := rapid.SampledFrom(patterns).Draw(t, "barred")
		exclusion := modelRight{key: key, value: "map", to: "none", except: []string{victim}}
		if key == "all" {
			exclusion.to = ""
		}
		if key == "dial" {
			exclusion = modelRight{key: key, dial: &modelDial{word: "map", to: "any", excepts: true, exceptLists: []string{victim}, exceptNumbers: []string{barred}}}
		}
		m := d.m.with(modelRight{key: "all", value: "true"})
		m.roles["added"] = append(m.roles["added"], exclusion)
		if key == "all" {
			m.roles["added"] = m.roles["added"][1:]
		}
		set := m.load(t, rapid.Bool().Draw(t, "turned round"))
		for _, q := range d.questions(t) {
			others := q.with
			if q.action == "statistics" || q.action == "settings.user" || q.action == "unnoticed" {
				others = nil
			}
			sees := strings.HasPrefix(q.action, "observe") && (q.party || q.subject == q.target)
			if !covers(key, q.action) || q.subject == victim || sees || slices.Contains(whole, q.action) || q.target != victim && !slices.Contains(others, victim) {
				continue
			}
			asked[q.action]++
			if req := q.request(set); set.Decide(&req).Allowed {
				t.Fatalf("%+v: %s is excluded and yet allowed\n%s", q, victim, m.yaml(false))
			}
		}
		for _, q := range dialQuestions(t, m) {
			if covers(key, "dial") && (q.employee == victim || m.owner(q.number) == victim || key == "dial" && fits([]string{barred}, q.number)) {
				asked["dial"]++
				if q.decide(set).Allowed {
					t.Fatalf("%+v: %s is excluded and yet allowed\n%s", q, victim, m.yaml(false))
				}
			}
		}
	})
	for _, a := range policy.Actions() {
		about := a.Matter() != policy.MatterNothing && (a.Matter() != policy.MatterLine || a.Conversation())
		if about && asked[a.String()] == 0 {
			t.Errorf("%s of somebody excluded was never asked", a)
		}
	}
}

// askBoth asks two policies of the same people whatever there is to ask.
func (d *drawing) askBoth(t *rapid.T, before, after *policy.Set, check func(q any, was, is policy.Decision)) {
	for _, q := range d.questions(t) {
		a, b := q.request(before), q.request(after)
		check(q, before.Decide(&a), after.Decide(&b))
	}
	for _, q := range dialQuestions(t, d.m) {
		check(q, q.decide(before), q.decide(after))
	}
}
