package company

import (
	"math/rand/v2"
	"slices"
)

// A Question is whether somebody may do something to somebody.
type Question struct {
	Subject, Action, Target string
}

// Allows is the reference: the policy's sentences one after the other, in lists that are read from their beginning.
func (c *Company) Allows(q Question) bool {
	subject, target := c.employee(q.Subject), c.employee(q.Target)
	in := func(group, id string) bool { return slices.Contains(c.Groups[group], id) }
	if subject == target {
		return q.Action == Observe
	}
	if q.Action != Observe {
		if in("board", target.ID) {
			return false
		}
		if in("quality", subject.ID) && in("legal", target.ID) {
			return false
		}
		if slices.Contains(subject.Barred, target.ID) {
			return false
		}
	}
	for _, d := range c.Departments {
		if d.ID == target.Department && d.Head == subject.ID {
			return true
		}
	}
	if in("quality", subject.ID) {
		return true
	}
	if (q.Action == Spy || q.Action == Whisper) && in("trainers", subject.ID) && in("trainees", target.ID) {
		return true
	}
	return q.Action == Observe && slices.Contains(subject.Observes, target.ID)
}

func (c *Company) employee(id string) *Employee {
	for i := range c.Employees {
		if c.Employees[i].ID == id {
			return &c.Employees[i]
		}
	}
	panic("no employee " + id)
}

// Questions are n as panels have them: mostly somebody with rights asks, about whom these may be, and each of the policy's sentences has its share.
func (c *Company) Questions(n int) []Question {
	r := rand.New(rand.NewPCG(21, uint64(len(c.Employees))))
	members := map[string][]string{}
	var observers, barred []*Employee
	for i := range c.Employees {
		e := &c.Employees[i]
		members[e.Department] = append(members[e.Department], e.ID)
		if len(e.Observes) > 0 {
			observers = append(observers, e)
		}
		if len(e.Barred) > 0 {
			barred = append(barred, e)
		}
	}
	anybody := func() string { return c.Employees[r.IntN(len(c.Employees))].ID }
	all := make([]Question, n)
	for i := range all {
		q := Question{Subject: anybody(), Action: pick(r, Actions), Target: anybody()}
		switch k := r.IntN(20); {
		case k < 8: // a head and his department
			d := pick(r, c.Departments)
			q.Subject, q.Target = d.Head, pick(r, members[d.ID])
		case k < 9: // a head and anybody
			q.Subject = pick(r, c.Departments).Head
		case k < 13:
			q.Subject = pick(r, c.Groups["quality"])
		case k < 14:
			q.Subject, q.Target = pick(r, c.Groups["quality"]), pick(r, c.Groups["legal"])
		case k < 15:
			q.Subject, q.Target = pick(r, c.Groups["trainers"]), pick(r, c.Groups["trainees"])
		case k < 16:
			e := pick(r, observers)
			q.Subject, q.Target = e.ID, pick(r, e.Observes)
		case k < 17:
			e := pick(r, barred)
			q.Subject, q.Target = e.ID, pick(r, e.Barred)
		case k < 18:
			q.Target = pick(r, c.Groups["board"])
		}
		all[i] = q
	}
	return all
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
