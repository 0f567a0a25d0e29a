// Package company makes up companies and what is asked about their policy, and answers by the plainest code there is: what all others are held to.
//
// The policy is this. A head may observe, spy on, whisper to and barge in on his department. Who is in the group quality may do so with anybody, but
// supervises nobody of the group legal. Trainers spy on trainees and whisper to them. Some may observe some colleagues who are named. Some heads are
// barred from supervising some people. Nobody supervises anybody of the board, nor himself; everybody observes himself.
package company

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// The actions that are asked about. Those behind the first are supervisions.
const (
	Observe = "observe"
	Spy     = "spy"
	Whisper = "whisper"
	Barge   = "barge"
)

// Actions are all of them.
var Actions = []string{Observe, Spy, Whisper, Barge}

// An Employee is what the policy says of one.
type Employee struct {
	ID, Name, Phone, Number, Department string

	Observes []string // whom he may observe by name
	Barred   []string // whom he may not supervise, although he is a head
}

// A Department has a head, who is one of its people.
type Department struct {
	ID, Name, Head string
}

// A Company is what a policy is about.
type Company struct {
	Employees   []Employee
	Departments []Department
	Groups      map[string][]string // quality, legal, trainers, trainees, board
}

// GroupNames are the groups that each company has.
var GroupNames = []string{"board", "legal", "quality", "trainers", "trainees"}

// New makes up a company of n employees, the same each time.
func New(n int) *Company {
	r := rand.New(rand.NewPCG(12, uint64(n)))
	c := &Company{Groups: map[string][]string{}}
	departments := max(5, n/20)
	for i := range departments {
		c.Departments = append(c.Departments, Department{
			ID: fmt.Sprintf("department%d", i), Name: fmt.Sprintf("Department %d", i), Head: fmt.Sprintf("employee%d", i),
		})
	}
	for i := range n {
		c.Employees = append(c.Employees, Employee{
			ID: fmt.Sprintf("employee%d", i), Name: fmt.Sprintf("Employee %d", i), Phone: fmt.Sprintf("PJSIP/%d", 10000+i),
			Number: fmt.Sprint(10000 + i), Department: fmt.Sprintf("department%d", i%departments),
		})
	}
	for _, g := range GroupNames {
		share := map[string]int{"board": 200, "legal": 50, "quality": 100, "trainers": 50, "trainees": 20}[g]
		for len(c.Groups[g]) < max(3, n/share) {
			if id := c.Employees[r.IntN(n)].ID; !slices.Contains(c.Groups[g], id) {
				c.Groups[g] = append(c.Groups[g], id)
			}
		}
	}
	for i := 0; i < departments; i += 3 {
		for k := range 4 { // two of his own department, two of anybody
			other := (i + departments*(1+r.IntN(n/departments-1))) % n
			if k >= 2 {
				other = r.IntN(n)
			}
			c.Employees[i].Barred = appendNew(c.Employees[i].Barred, c.Employees[other].ID, c.Employees[i].ID)
		}
	}
	for range max(3, n/50) {
		i := r.IntN(n)
		for range 3 {
			c.Employees[i].Observes = appendNew(c.Employees[i].Observes, c.Employees[r.IntN(n)].ID, c.Employees[i].ID)
		}
	}
	return c
}

func appendNew(list []string, id, not string) []string {
	if id == not || slices.Contains(list, id) {
		return list
	}
	return append(list, id)
}

// YAML is the policy as Earshot reads it.
func (c *Company) YAML() string {
	var b strings.Builder
	b.WriteString("version: 1\ndepartments:\n")
	for _, d := range c.Departments {
		fmt.Fprintf(&b, "  %s: {name: %s, head: %s}\n", d.ID, d.Name, d.Head)
	}
	b.WriteString("groups:\n")
	for _, g := range GroupNames {
		fmt.Fprintf(&b, "  %s: [%s]\n", g, strings.Join(c.Groups[g], ", "))
	}
	b.WriteString("employees:\n")
	for _, e := range c.Employees {
		fmt.Fprintf(&b, "  %s: {name: %s, phones: [%s], numbers: [%q], department: %s", e.ID, e.Name, e.Phone, e.Number, e.Department)
		if len(e.Observes) > 0 {
			fmt.Fprintf(&b, ", observe: [%s]", strings.Join(e.Observes, ", "))
		}
		if len(e.Barred) > 0 {
			fmt.Fprintf(&b, ", listen: {to: department, except: [%s]}", strings.Join(e.Barred, ", "))
		}
		b.WriteString("}\n")
	}
	b.WriteString(`roles:
  head:    {observe: department, listen: department}
  quality: {observe: any, listen: {to: any, except: [group:legal]}}
  trainer: {listen: {only: [group:trainees], allow: [spy, whisper]}}
assign:
  - {role: head, to: [heads]}
  - {role: quality, to: [group:quality]}
  - {role: trainer, to: [group:trainers]}
protected: {employees: [group:board]}
`)
	return b.String()
}
