package company_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/company"
)

const large = 10_000

// ask makes up questions as a panel has them: who asks is mostly a head, an area's head or one of quality, and asks about his own team.
func ask(c *company.Company, set *policy.Set, n int) []policy.Request {
	r := rand.New(rand.NewPCG(5, uint64(len(c.Employees))))
	employee := func(id string) policy.Ref { ref, _ := set.Employee(id); return ref }
	mates := map[string][]policy.Ref{}
	for i := range c.Employees {
		mates[c.Employees[i].Department] = append(mates[c.Employees[i].Department], employee(c.Employees[i].ID))
	}
	anybody := func() policy.Ref { return employee(c.Employees[r.IntN(len(c.Employees))].ID) }
	actions := policy.Actions()
	all := make([]policy.Request, 0, n)
	for len(all) < n {
		d := &c.Departments[r.IntN(len(c.Departments))]
		q := policy.Request{Subject: employee(d.Head), Action: actions[r.IntN(len(actions))], Target: mates[d.ID][r.IntN(len(mates[d.ID]))]}
		switch r.IntN(4) {
		case 0:
			q.Subject = anybody()
		case 1:
			q.Target = anybody()
		}
		switch q.Action.Matter() {
		case policy.MatterNumber:
			continue
		case policy.MatterNothing:
			q.Target = policy.Ref{}
		case policy.MatterLine:
			l := c.Lines[r.IntN(len(c.Lines))]
			q.Line, _ = set.Line(l.ID)
			if r.IntN(2) == 0 {
				q.Target = policy.Ref{}
			} else if r.IntN(2) == 0 { // of his own department's line
				q.Subject = employee(c.Employees[r.IntN(len(c.Employees))].ID)
				q.Target = q.Subject
			}
		case policy.MatterCall, policy.MatterPast:
			if r.IntN(3) == 0 {
				q.With = []policy.Ref{anybody()}
			}
			if r.IntN(3) == 0 {
				q.Responsible = q.Subject
			}
		case policy.MatterEmployee:
		}
		all = append(all, q)
	}
	return all
}

// BenchmarkLoad reads, checks and compiles the policy of a large company. Its floor decodes the same YAML into structures, rights as they
// come, and checks nothing; not even that the keys of a large mapping differ, for which the YAML library compares each with each.
func BenchmarkLoad(b *testing.B) {
	data := company.New(large, 1).YAML()
	b.Run(fmt.Sprintf("employees=%d/floor", large), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := yaml.Unmarshal(data, new(decoded)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("employees=%d/earshot", large), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if set, _ := load(b, data); set.Len() != large {
				b.Fatal(set.Len())
			}
		}
		b.ReportMetric(1.3, "max-ratio")
	})
	b.Run(fmt.Sprintf("employees=%d/nodes", large), func(b *testing.B) { // the least that can be called decoding: a tree of words
		b.ReportAllocs()
		for b.Loop() {
			if err := yaml.Unmarshal(data, new(yaml.Node)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// decoded is what a policy is to somebody who checks nothing.
type decoded struct {
	Version     int
	Timezone    string
	Departments byID[struct{ Name, Head, Parent string }]
	Groups      byID[[]string]
	Employees   byID[struct {
		Name, Department string
		Phones, Numbers  []string
		Rights           map[string]any `yaml:",inline"`
	}]
	Lines byID[struct {
		Name, Queue string
		Members     []string
	}]
	Times  map[string]map[string]any
	Roles  map[string]map[string]any
	Assign []struct {
		Role                string
		To                  []string
		During, From, Until string
	}
	Protected struct{ Employees, Numbers []string }
	Trunks    []string
	Emergency []string
}

// byID is a mapping whose keys are not held against each other.
type byID[T any] map[string]T

func (m *byID[T]) UnmarshalYAML(n *yaml.Node) error {
	*m = make(byID[T], len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		var v T
		if err := n.Content[i+1].Decode(&v); err != nil {
			return err
		}
		(*m)[n.Content[i].Value] = v
	}
	return nil
}

// BenchmarkDecide answers what panels ask in a large company.
func BenchmarkDecide(b *testing.B) {
	c := company.New(large, 1)
	set, _ := load(b, c.YAML())
	questions := ask(c, set, 4096)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		set.Decide(&questions[i&4095])
		i++
	}
	b.ReportMetric(0, "max-allocs")
}
