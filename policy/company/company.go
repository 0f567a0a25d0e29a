// Package company makes up companies, of any size, to measure policies with and to try things on: divisions with departments and teams,
// each with a head; lines that customers call; and a policy that says of them what large companies say. The same size and seed make the
// same company, byte for byte, on every machine.
package company

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A Company is made up by New and not changed after. It is safe for concurrent use.
type Company struct {
	Departments []Department
	Employees   []Employee
	Lines       []Line

	groups map[string][]string // members by group
	rand   *rand.Rand          // of New, and done with when it returns
}

// A Department is a division, a department or a team: those of a level have one of the level above as parent.
type Department struct {
	ID, Name string
	Parent   string // id, "" for a division
	Head     string // id of an employee, who is in it
	Level    int    // 0 of a division, 1 of a department, 2 of a team
	Trade    string // what its division does: sales, support, delivery or office
}

// An Employee as the policy names him.
type Employee struct {
	ID, Name   string
	Phones     []string
	Numbers    []string
	Department string // id
	rights     []string
}

// A Line is a queue on which a department with its teams works.
type Line struct {
	ID, Name, Department string
	also                 string // one who is from elsewhere, or ""
}

// The shape of a company: divisions of five departments of five teams of eight to twelve people.
const (
	departmentsOfADivision = 5
	teamsOfADepartment     = 5
	leastTeam, mostTeam    = 8, 12
)

var trades = []string{"sales", "support", "delivery", "office"}

// New makes up a company of n employees, at least one.
func New(n int, seed uint64) *Company {
	c := &Company{groups: map[string][]string{}, rand: rand.New(rand.NewPCG(seed, uint64(max(n, 0))))}
	n = max(n, 1)
	management := c.department("", "management", "Management", "office")
	for len(c.Employees) < min(n, 4) {
		c.hire(management)
	}
	for division := 0; len(c.Employees) < n; division++ {
		c.division(division, n)
	}
	c.sort()
	c.staff()
	c.own()
	c.rand = nil
	return c
}

// department opens one whose head is still to be hired.
func (c *Company) department(parent, id, name, trade string) int {
	level := 0
	if parent != "" {
		level = strings.Count(parent, ".") + 1
		id = parent + "." + id
	}
	c.Departments = append(c.Departments, Department{ID: id, Name: name, Parent: parent, Level: level, Trade: trade})
	return len(c.Departments) - 1
}

// division fills one until the company has n employees.
func (c *Company) division(number, n int) {
	full := func() bool { return len(c.Employees) >= n }
	trade := trades[number%len(trades)]
	division := c.department("", fmt.Sprintf("%s-%d", trade, number/len(trades)+1), fmt.Sprintf("%s %d", title(trade), number/len(trades)+1), trade)
	c.hire(division)
	for d := 0; d < departmentsOfADivision && !full(); d++ {
		department := c.department(c.Departments[division].ID, fmt.Sprint("d", d+1), fmt.Sprintf("%s, department %d", c.Departments[division].Name, d+1), trade)
		c.hire(department)
		for t := 0; t < teamsOfADepartment && !full(); t++ {
			team := c.department(c.Departments[department].ID, fmt.Sprint("t", t+1), fmt.Sprintf("%s, team %d", c.Departments[department].Name, t+1), trade)
			for range leastTeam + c.rand.IntN(mostTeam-leastTeam+1) {
				if !full() {
					c.hire(team)
				}
			}
		}
	}
}

var (
	firstNames = strings.Fields("Anna Boris Dina Egor Galina Igor Irina Kirill Larisa Maria Niko Nora Oleg Pavel Roman Sveta Tanya Vera Viktor Yana")
	lastNames  = strings.Fields("Belov Chernov Dorofeev Egorov Frolov Gusev Ilyin Kotov Lebedev Makarov Novikov Orlov Petrov Rogov Serov Titov Ulanov Vlasov Yudin Zaitsev")
)

// hire takes somebody new into the department; the first becomes its head.
func (c *Company) hire(department int) {
	i := len(c.Employees)
	first, last := firstNames[c.rand.IntN(len(firstNames))], lastNames[c.rand.IntN(len(lastNames))]
	if strings.HasSuffix(first, "a") {
		last += "a"
	}
	d := &c.Departments[department]
	e := Employee{
		ID: fmt.Sprintf("%s.%s.%d", strings.ToLower(first), strings.ToLower(last), i+1), Name: first + " " + last,
		Phones: []string{fmt.Sprint("PJSIP/", 10001+i)}, Numbers: []string{fmt.Sprint(10001 + i)}, Department: d.ID,
	}
	if c.chance(10) { // a telephone at home
		e.Phones = append(e.Phones, fmt.Sprintf("PJSIP/%d-home", 10001+i))
	}
	if c.chance(60) {
		e.Numbers = append(e.Numbers, fmt.Sprintf("+7916%07d", i*7))
	}
	if d.Head == "" {
		d.Head = e.ID
	}
	c.Employees = append(c.Employees, e)
}

// chance is true that many times in a hundred.
func (c *Company) chance(percent int) bool { return c.rand.IntN(100) < percent }

// sort puts people into groups.
func (c *Company) sort() {
	for i := range c.Employees {
		e := &c.Employees[i]
		switch {
		case i < 2:
			c.join("board", e)
		case i == 2:
			c.join("administrators", e)
		case i%100 == 3:
			c.join("quality", e)
		case i%250 == 4:
			c.join("engineers", e)
		case c.chance(1):
			c.join("counsel", e)
		case c.chance(5):
			c.join("trainees", e)
		}
		if c.chance(2) {
			c.join("key-accounts", e)
		}
	}
}

func (c *Company) join(group string, e *Employee) { c.groups[group] = append(c.groups[group], e.ID) }

// staff opens a line for each department that customers call.
func (c *Company) staff() {
	for _, d := range c.Departments {
		if d.Level == 1 && (d.Trade == "sales" || d.Trade == "support") {
			l := Line{ID: "line." + d.ID, Name: d.Name, Department: d.ID}
			if c.chance(20) {
				l.also = c.somebody()
			}
			c.Lines = append(c.Lines, l)
		}
	}
}

func (c *Company) somebody() string { return c.Employees[c.rand.IntN(len(c.Employees))].ID }

// own gives some people rights in entries of their own, as panels with ticks do.
func (c *Company) own() {
	for i := range c.Employees {
		e := &c.Employees[i]
		give := func(format string, args ...any) { e.rights = append(e.rights, fmt.Sprintf(format, args...)) }
		if c.chance(4) {
			give("observe: %s", c.one("true", "kind", "subtree"))
		}
		if c.chance(3) {
			give("listen: {to: %s, allow: %s, except: [group:board, %s]}", c.one("any", "department", "subtree"), c.one("[spy]", "[spy, whisper]", "[spy, whisper, barge]"), c.some(3, 10))
		}
		if c.chance(2) {
			give("recordings: {only: [department:%s, %s]}", c.Departments[c.rand.IntN(len(c.Departments))].ID, c.some(1, 5))
		}
		if c.chance(1) {
			give("intercept: department")
		}
		if c.chance(1) {
			give(`dial: {clients: department, employees: true, numbers: ["+7 495*"], except: {numbers: ["+7 900*"]}}`)
		}
	}
}

func (c *Company) one(of ...string) string { return of[c.rand.IntN(len(of))] }

// some names from least to most employees.
func (c *Company) some(least, most int) string {
	names := make([]string, least+c.rand.IntN(most-least+1))
	for i := range names {
		names[i] = c.somebody()
	}
	return strings.Join(names, ", ")
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
