package company

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// roles and what else does not depend on the size. Heads of departments and divisions have what is below them too.
const rules = `times:
  office: {days: [mon-fri], hours: ["09:00-13:00", "14:00-18:00"]}
  night: {hours: "22:00-06:00"}
  weekend: {days: [sat, sun]}
roles:
  manager:
    journal: own
    statistics: own
    recordings: {to: own, except: [group:board]}
    dial: {employees: true, except: {employees: [group:board]}}
    settings.user: own
  seller:
    intercept: own
    dial: {clients: own, employees: true, numbers: ["+7 800*"]}
    line.view: own
    line.connect: own
    line.history: own
    line.join: own
    line.replies: own
  agent:
    observe: {to: department, show: kind}
    dial: clients+employees
    line.view: own
    line.connect: own
    line.history: department
    line.join: department
    line.replies: own
  head:
    observe: department
    listen: {to: department, allow: [spy, whisper], except: [group:board, group:counsel], reason: [group:key-accounts], during: office}
    recordings: department
    journal: department
    statistics: department
    grade: department
    record: department
    settings.user: department
    line.statistics: department
    line.grade: department
    line.history: department
  area:
    observe: subtree
    listen: {to: subtree, except: [group:board, group:counsel]}
    recordings: {to: subtree, allow: [play, download, delete]}
    journal: subtree
    statistics: subtree
    dial: any
    lock: true
    line.view: subtree
    line.connect: subtree
    line.change: subtree
    line.statistics: subtree
  quality:
    spy: {except: [group:board, group:counsel], during: office}
    recordings: {except: [group:counsel], reason: [group:key-accounts]}
    journal: any
    grade: any
    line.history: any
    line.grade: any
  night-shift: {intercept: department, dial: any}
  trainee: {observe: department, play: department}
  engineer: {settings.telephony: true, settings.numbers: true}
  board: {observe: any, statistics: any, journal: any, line.statistics: any, dial: any, lock: true}
  administrator: {all: true}
`

// YAML returns the company's policy as one file.
func (c *Company) YAML() []byte {
	var b strings.Builder
	b.WriteString("version: 1\ntimezone: Europe/Moscow\ndepartments:\n")
	for _, d := range c.Departments {
		parent := ""
		if d.Parent != "" {
			parent = ", parent: " + d.Parent
		}
		fmt.Fprintf(&b, "  %s: {name: %q, head: %s%s}\n", d.ID, d.Name, d.Head, parent)
	}
	b.WriteString("groups:\n")
	for _, group := range groupNames {
		fmt.Fprintf(&b, "  %s: [%s]\n", group, strings.Join(c.groups[group], ", "))
	}
	b.WriteString("employees:\n")
	for _, e := range c.Employees {
		rights := ""
		if len(e.rights) > 0 {
			rights = ", " + strings.Join(e.rights, ", ")
		}
		fmt.Fprintf(&b, "  %s: {name: %s, phones: [%s], numbers: [%s], department: %s%s}\n",
			e.ID, e.Name, strings.Join(e.Phones, ", "), `"`+strings.Join(e.Numbers, `", "`)+`"`, e.Department, rights)
	}
	if len(c.Lines) > 0 {
		b.WriteString("lines:\n")
	}
	for _, l := range c.Lines {
		also := ""
		if l.also != "" {
			also = ", " + l.also
		}
		fmt.Fprintf(&b, "  %s: {name: %q, queue: %s, members: [subtree:%s%s]}\n", l.ID, l.Name, l.ID, l.Department, also)
	}
	b.WriteString(rules)
	c.assign(&b)
	b.WriteString("protected:\n  employees: [group:board, group:counsel]\n  numbers: [\"+7 495 765-43-21\", \"+7 812 765-43-21\"]\n")
	b.WriteString("trunks: [PJSIP/trunk-1, PJSIP/trunk-2]\nemergency: [\"112\", \"101\", \"102\", \"103\"]\n")
	return []byte(b.String())
}

var groupNames = []string{"board", "administrators", "quality", "engineers", "counsel", "trainees", "key-accounts"}

// assign gives the roles: to everyone, heads, divisions with all below them, groups and people by name.
func (c *Company) assign(b *strings.Builder) {
	b.WriteString("assign:\n")
	give := func(role string, to []string, rest string) {
		if len(to) > 0 {
			fmt.Fprintf(b, "  - {role: %s, to: [%s]%s}\n", role, strings.Join(to, ", "), rest)
		}
	}
	give("manager", []string{"everyone"}, "")
	give("head", []string{"heads"}, "")
	divisions, area := map[string][]string{}, []string{}
	for _, d := range c.Departments {
		if d.Level == 0 && d.Parent == "" {
			divisions[d.Trade] = append(divisions[d.Trade], "subtree:"+d.ID)
		}
		if d.Level < 2 {
			area = append(area, d.Head)
		}
	}
	give("seller", divisions["sales"], "")
	give("agent", divisions["support"], "")
	give("night-shift", divisions["delivery"], ", during: night")
	give("night-shift", divisions["support"], ", during: weekend")
	give("area", area, "")
	for _, role := range slices.Sorted(maps.Keys(groupRoles)) {
		give(role, []string{"group:" + groupRoles[role]}, "")
	}
	give("trainee", []string{"group:trainees"}, ", until: 2036-01-31")
	// One in a hundred stands in for his head, half of them from a later day on.
	for i := 50; i < len(c.Employees); i += 100 {
		month, year := 1+i/100%12, 2026+i/100%2*6
		give("head", []string{c.Employees[i].ID}, fmt.Sprintf(", from: %d-%02d-05, until: 2036-%02d-25", year, month, month))
	}
}

// groupRoles is which group has which role for good.
var groupRoles = map[string]string{"quality": "quality", "engineer": "engineers", "board": "board", "administrator": "administrators"}
