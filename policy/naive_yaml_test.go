package policy_test

import (
	"slices"
	"strings"
)

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
				out = append(out, "dial: "+r.dial.yaml(r.when))
				continue
			}
			out = append(out, r.key+": "+r.yaml())
		}
		if reverse {
			slices.Reverse(out)
		}
		return out
	}
	b.WriteString("version: 1\ntimezone: " + m.zone + "\n")
	if m.outside {
		b.WriteString("unknown_phones: outside\n")
	}
	protected := []string{"employees: " + flow(m.protected)}
	if m.guarded {
		protected = append(protected, `numbers: ["+74957654321"]`)
	}
	section("protected", protected)
	var lines []string
	for _, t := range m.times {
		lines = append(lines, t.yaml())
	}
	section("times", lines)
	lines = nil
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
	for _, l := range m.lines {
		lines = append(lines, l.id+": {members: "+flow(l.members)+"}")
	}
	section("lines", lines)
	lines = nil
	for id, all := range m.roles {
		lines = append(lines, id+": {"+strings.Join(rights(all), ", ")+"}")
	}
	slices.Sort(lines)
	section("roles", lines)
	lines = nil
	for _, a := range m.assign {
		parts := append([]string{"role: " + a.role, "to: " + flow(a.to)}, a.when.yaml()...)
		lines = append(lines, "- {"+strings.Join(parts, ", ")+"}")
	}
	section("assign", lines)
	return b.String()
}

func flow(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

func inQuotes(all []string) string { return `["` + strings.Join(all, `", "`) + `"]` }

func (r modelRight) yaml() string {
	switch r.value {
	case "list":
		return flow(r.list)
	case "map":
	default:
		return r.value
	}
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
	if r.reasonAll {
		parts = append(parts, "reason: true")
	} else if r.reason != nil {
		parts = append(parts, "reason: "+flow(r.reason))
	}
	return "{" + strings.Join(append(parts, r.when.yaml()...), ", ") + "}"
}
