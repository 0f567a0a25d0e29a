package policy_test

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// The part of the naive evaluator that is about dialling.

// modelDial is a right to dial: a word or a list of numbers, or a map.
type modelDial struct {
	word    string   // true, false, a word, "list" or "map"
	numbers []string // of the list, or of the map
	to      string   // of a map: a word, "list", "" for left out, or "parts"

	clients, employees         string // of parts: "" for left out, true, false, a scope word or list
	clientList, employeeList   []string
	exceptNumbers, exceptLists []string
	excepts                    bool
}

var (
	shortNumbers = []string{"100", "101", "102", "210", "211", "212"}
	longNumbers  = []string{"+74950000100", "+74950000101", "+78120000102", "+74950000210", "+491510000211", "+74950000212"}
	codes        = []string{"*98", "*8", "##", "98*", "10*1", "101#"}
	patterns     = []string{"1*", "10*", "101", "21*", "+7*", "+7495*", "+7495000010*", "+74950000101", "+49*", "*98", "##"}
	emergencies  = []string{"112", "*03"}
)

func (d *modelDial) yaml(when modelWhen) string {
	switch d.word {
	case "list":
		return inQuotes(d.numbers)
	case "map":
	default:
		return d.word
	}
	var parts []string
	switch d.to {
	case "":
	case "list":
		parts = append(parts, "to: "+inQuotes(d.numbers))
	case "parts":
		for _, p := range []struct {
			key, value string
			list       []string
		}{{"clients", d.clients, d.clientList}, {"employees", d.employees, d.employeeList}} {
			switch p.value {
			case "":
			case "list":
				parts = append(parts, p.key+": "+flow(p.list))
			default:
				parts = append(parts, p.key+": "+p.value)
			}
		}
		if len(d.numbers) > 0 {
			parts = append(parts, "numbers: "+inQuotes(d.numbers))
		}
	default:
		parts = append(parts, "to: "+d.to)
	}
	if d.excepts {
		var out []string
		if len(d.exceptLists) > 0 {
			out = append(out, "employees: "+flow(d.exceptLists))
		}
		if len(d.exceptNumbers) > 0 {
			out = append(out, "numbers: "+inQuotes(d.exceptNumbers))
		}
		parts = append(parts, "except: {"+strings.Join(out, ", ")+"}")
	}
	return "{" + strings.Join(append(parts, when.yaml()...), ", ") + "}"
}

func dials(t *rapid.T, list *rapid.Generator[[]string]) *modelDial {
	words := []string{"any", "clients", "employees", "clients+employees", "none"}
	some := rapid.SliceOfN(rapid.SampledFrom(patterns), 1, 3)
	d := &modelDial{word: rapid.SampledFrom(append([]string{"true", "false", "list", "map", "map", "map", "map", "map", "map", "map", "map", "map", "map"}, words...)).Draw(t, "dial")}
	if d.word == "map" {
		d.to = rapid.SampledFrom(append([]string{"", "list", "parts", "parts", "parts"}, words...)).Draw(t, "dial to")
	}
	if d.to == "parts" {
		values := append([]string{"", "true", "false"}, scopes...)
		d.clients, d.employees = rapid.SampledFrom(values).Draw(t, "clients"), rapid.SampledFrom(values).Draw(t, "employees")
		if d.clients == "list" {
			d.clientList = list.Draw(t, "whose clients")
		}
		if d.employees == "list" {
			d.employeeList = list.Draw(t, "which employees")
		}
	}
	if d.word == "list" || d.to == "list" || d.to == "parts" && (d.clients+d.employees == "" || rapid.Bool().Draw(t, "numbers too")) {
		d.numbers = some.Draw(t, "patterns")
	}
	if d.word == "map" && rapid.IntRange(0, 3).Draw(t, "excepts") < 3 {
		d.excepts = true
		if rapid.Bool().Draw(t, "except people") {
			d.exceptLists = list.Draw(t, "excepted people")
		}
		if len(d.exceptLists) == 0 || rapid.Bool().Draw(t, "except numbers") {
			d.exceptNumbers = some.Draw(t, "excepted numbers")
		}
	}
	return d
}

type dialQuestion struct {
	subject, number, employee string
	client                    bool
	responsible               string
	access                    []string
}

func dialQuestions(t *rapid.T, m *model) []dialQuestion {
	var all []dialQuestion
	strangers := append([]string{"+74951112233", "+4930123456", "555", "89160000000", "", "+7", "112x", "+7495*"}, codes...)
	for range 60 {
		who := func(label string) string { return m.people[rapid.IntRange(0, len(m.people)-1).Draw(t, label)].id }
		q := dialQuestion{subject: who("subject")}
		q.number = rapid.SampledFrom(slices.Concat(shortNumbers, longNumbers, strangers, emergencies)).Draw(t, "number")
		// Whoever asks may not know whose number it is; that must not open what an exception closes.
		if owner := m.owner(q.number); owner != "" && rapid.IntRange(0, 3).Draw(t, "known") > 0 {
			q.employee = owner
		}
		if rapid.Bool().Draw(t, "client") {
			q.client = true
			if rapid.Bool().Draw(t, "someone's") {
				q.responsible = who("responsible")
			}
			for range rapid.IntRange(0, 2).Draw(t, "accesses") {
				q.access = append(q.access, who("access"))
			}
		}
		all = append(all, q)
	}
	return all
}

func (m *model) owner(number string) string {
	for _, p := range m.people {
		if slices.Contains(p.numbers, number) {
			return p.id
		}
	}
	return ""
}

func (q dialQuestion) destination(set *policy.Set) (policy.Ref, policy.Destination) {
	who := func(id string) policy.Ref { r, _ := set.Employee(id); return r }
	to := policy.Destination{Number: q.number, Employee: who(q.employee), Client: q.client, Responsible: who(q.responsible)}
	for _, id := range q.access {
		to.Access = append(to.Access, who(id))
	}
	return who(q.subject), to
}

func fits(patterns []string, number string) bool {
	for _, p := range patterns {
		begin, prefix := strings.CutSuffix(p, "*")
		if p == number || prefix && strings.HasPrefix(number, begin) && !strings.ContainsAny(number, "*#") {
			return true
		}
	}
	return false
}

// lets is what a right says of a number, exceptions aside.
func (d *modelDial) lets(m *model, q dialQuestion) bool {
	code := strings.ContainsAny(q.number, "*#")
	clients := func(scope string, list []string) bool {
		if !q.client || code || scope == "" || scope == "false" || scope == "none" {
			return false
		}
		// Own is whom one is responsible for or has access to, and every scope has it.
		if scope == "true" || scope == "any" || q.responsible == q.subject || slices.Contains(q.access, q.subject) {
			return true
		}
		return q.responsible != "" && m.reaches(scope, list, q.subject, q.responsible)
	}
	employees := func(scope string, list []string) bool {
		if q.employee == "" || code {
			return false
		}
		return scope == "true" || m.reaches(scope, list, q.subject, q.employee)
	}
	value := d.word
	if value == "map" {
		value = d.to
	}
	switch value {
	case "", "true", "any":
		return !code
	case "clients":
		return clients("any", nil)
	case "employees":
		return employees("any", nil)
	case "clients+employees":
		return clients("any", nil) || employees("any", nil)
	case "list":
		return fits(d.numbers, q.number)
	case "parts":
		return clients(d.clients, d.clientList) || employees(d.employees, d.employeeList) || fits(d.numbers, q.number)
	}
	return false
}

func (m *model) allowsDial(q dialQuestion, emergency []string) bool {
	// Emergency numbers always pass.
	if slices.Contains(emergency, q.number) {
		return true
	}
	// What is no number and no feature code is refused.
	digits := strings.Trim(q.number, "*#")
	if strings.Trim(strings.TrimPrefix(digits, "+"), "0123456789") != "" || q.number == "" {
		return false
	}
	code, plus := digits != q.number, digits != "" && digits[0] == '+'
	if code && plus || !code && (plus && len(digits) < 8 || !plus && len(digits) > 6) {
		return false
	}
	// Exceptions beat every grant, at any time. They are about numbers, and about employees whose number it is, asked or not.
	for _, r := range m.rightsOf(q.subject) {
		if r.dial != nil && fits(r.dial.exceptNumbers, q.number) {
			return false
		}
		for _, who := range []string{q.employee, m.owner(q.number)} {
			if who != "" && (r.dial != nil && m.in(r.dial.exceptLists, who) || r.key == "all" && m.in(r.except, who)) {
				return false
			}
		}
	}
	for _, r := range m.grants(q.subject, "dial") {
		// All is to dial any number; but feature codes are dialled only where a list names them.
		if r.dial == nil && r.scope() == "any" && !code || r.dial != nil && r.dial.lets(m, q) {
			return true
		}
	}
	return false
}
