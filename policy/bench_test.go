package policy_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy"
)

// company is the one that the engine is measured on: 20 departments of equal size; one employee in 20 listens to his
// department and one in 50 to anybody, each of those with ten people excluded, up to five of them from his own department.
type company struct {
	ids    []string
	listen map[string]string          // subject to department or any
	except map[string]map[string]bool // subject to excluded
	depart map[string]string
	rights map[string]map[string]mapRight // of the floor: subject to action
}

type mapRight struct {
	scope  string
	except map[string]bool
}

const companyDepartments = 20

func newCompany(n int) *company {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	c := &company{listen: map[string]string{}, except: map[string]map[string]bool{}, depart: map[string]string{}}
	for i := range n {
		id := fmt.Sprintf("employee%d", i)
		c.ids = append(c.ids, id)
		c.depart[id] = fmt.Sprintf("department%d", i%companyDepartments)
	}
	for i, id := range c.ids {
		switch p := r.IntN(100); {
		case p < 5:
			c.listen[id] = "department"
		case p < 7:
			c.listen[id] = "any"
		default:
			continue
		}
		out := map[string]bool{}
		for k := 0; k < min(5, n/companyDepartments/2); k++ {
			out[c.ids[(i+companyDepartments*(1+r.IntN(n/companyDepartments-1)))%n]] = true
		}
		for len(out) < 10 {
			if other := c.ids[r.IntN(n)]; other != id {
				out[other] = true
			}
		}
		c.except[id] = out
	}
	c.rights = map[string]map[string]mapRight{}
	for id, scope := range c.listen {
		r := mapRight{scope, c.except[id]}
		c.rights[id] = map[string]mapRight{"spy": r, "whisper": r, "barge": r}
	}
	return c
}

func (c *company) yaml() string {
	var b strings.Builder
	b.WriteString("version: 1\ndepartments:\n")
	for i := range companyDepartments {
		fmt.Fprintf(&b, "  department%d: {name: Department %d}\n", i, i)
	}
	b.WriteString("employees:\n")
	for i, id := range c.ids {
		fmt.Fprintf(&b, "  %s: {name: Employee %d, phones: [PJSIP/%d], numbers: [\"%d\"], department: %s", id, i, 10000+i, 10000+i, c.depart[id])
		if scope := c.listen[id]; scope != "" {
			var out []string
			for _, other := range c.ids {
				if c.except[id][other] {
					out = append(out, other)
				}
			}
			fmt.Fprintf(&b, ", listen: {to: %s, except: [%s]}", scope, strings.Join(out, ", "))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// decide is the floor: nested maps of strings, as one would write it by hand.
func (c *company) decide(subject, action, target string) bool {
	r, ok := c.rights[subject][action]
	if !ok || subject == target || r.except[target] {
		return false
	}
	return r.scope == "any" || c.depart[subject] == c.depart[target]
}

type ask struct {
	subject, target, name string
	action                policy.Action
}

// asks is a shuffled pool: half is allowed, and the other half refused in equal parts for an excluded target, another
// department, no right, and a wrong action.
func (c *company) asks() []ask {
	r := rand.New(rand.NewPCG(2, uint64(len(c.ids))))
	var supervisors, heads []string
	for _, id := range c.ids {
		if c.listen[id] != "" {
			supervisors = append(supervisors, id)
		}
		if c.listen[id] == "department" {
			heads = append(heads, id)
		}
	}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var all []ask
	for len(all) < 4096 {
		a := ask{subject: pick(supervisors), target: pick(c.ids), action: policy.Spy}
		want := false
		switch len(all) % 8 {
		case 0:
			for id := range c.except[a.subject] {
				a.target = id
			}
		case 1:
			a.subject = pick(heads)
			if c.depart[a.subject] == c.depart[a.target] || c.except[a.subject][a.target] {
				continue
			}
		case 2:
			a.subject = pick(c.ids)
			if c.listen[a.subject] != "" || a.subject == a.target {
				continue
			}
		case 3:
			a.action = policy.Observe
		default:
			want = true
		}
		a.name = a.action.String()
		if a.subject == a.target || c.decide(a.subject, a.name, a.target) != want {
			continue
		}
		all = append(all, a)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

var sizes = []int{100, 1000, 10000}

func TestTheBenchmarkAnswersAsItsFloor(t *testing.T) {
	for _, n := range sizes {
		c := newCompany(n)
		set := load(t, c.yaml())
		allowed := 0
		for _, a := range c.asks() {
			s, _ := set.Employee(a.subject)
			o, _ := set.Employee(a.target)
			got := set.Decide(&policy.Request{Subject: s, Action: a.action, Target: o}).Allowed
			if got != c.decide(a.subject, a.name, a.target) {
				t.Fatalf("%d: %+v: %v", n, a, got)
			}
			if got {
				allowed++
			}
		}
		if allowed != 2048 {
			t.Errorf("%d: %d allowed of 4096", n, allowed)
		}
	}
}

// halfAllowed holds a benchmark to the pool of asks, half of which is allowed.
func halfAllowed(b *testing.B, allowed, of int) {
	b.Helper()
	if rounds := of / 4096; allowed < 2048*rounds || allowed > 2048*(rounds+1) {
		b.Errorf("%d of %d allowed", allowed, of)
	}
}

// BenchmarkDecide answers by the employees' ids, as its floor does: nested maps of strings.
func BenchmarkDecide(b *testing.B) {
	for _, n := range sizes {
		c := newCompany(n)
		set := load(b, c.yaml())
		asks := c.asks()
		b.Run(fmt.Sprintf("employees=%d/floor", n), func(b *testing.B) {
			b.ReportAllocs()
			i, allowed := 0, 0
			for b.Loop() {
				a := &asks[i&4095]
				if c.decide(a.subject, a.name, a.target) {
					allowed++
				}
				i++
			}
			halfAllowed(b, allowed, i)
		})
		b.Run(fmt.Sprintf("employees=%d/earshot", n), func(b *testing.B) {
			b.ReportAllocs()
			i, allowed := 0, 0
			var req policy.Request
			for b.Loop() {
				a := &asks[i&4095]
				req.Subject, _ = set.Employee(a.subject)
				req.Target, _ = set.Employee(a.target)
				req.Action = a.action
				if set.Decide(&req).Allowed {
					allowed++
				}
				i++
			}
			halfAllowed(b, allowed, i)
			b.ReportMetric(1.5, "max-ratio")
			b.ReportMetric(0, "max-allocs")
		})
		reqs := make([]policy.Request, len(asks))
		for i, a := range asks {
			reqs[i].Subject, _ = set.Employee(a.subject)
			reqs[i].Target, _ = set.Employee(a.target)
			reqs[i].Action = a.action
		}
		b.Run(fmt.Sprintf("employees=%d/by-ref", n), func(b *testing.B) {
			b.ReportAllocs()
			i, allowed := 0, 0
			for b.Loop() {
				if set.Decide(&reqs[i&4095]).Allowed {
					allowed++
				}
				i++
			}
			halfAllowed(b, allowed, i)
			b.ReportMetric(0, "max-allocs")
		})
	}
}

// BenchmarkLoad reads, checks and compiles a policy. Its floor decodes the same YAML into structures and checks nothing.
func BenchmarkLoad(b *testing.B) {
	for _, n := range sizes {
		data := []byte(newCompany(n).yaml())
		b.Run(fmt.Sprintf("employees=%d/floor", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var v struct {
					Version     int
					Departments map[string]struct{ Name string }
					Employees   map[string]struct {
						Name, Department string
						Phones, Numbers  []string
						Listen           struct {
							To     string
							Except []string
						}
					}
				}
				if err := yaml.Unmarshal(data, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("employees=%d/earshot", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := policy.Load("policy.yaml", data, day); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNumber finds everybody whom a number may mean. Its floor finds the one in a map who has the number in that very form.
func BenchmarkNumber(b *testing.B) {
	const n = 10000
	var text strings.Builder
	text.WriteString("version: 1\nemployees:\n")
	owners, asked := map[string]string{}, map[string][]string{}
	for i := range n {
		id, short, mobile := fmt.Sprint("e", i), fmt.Sprint(10000+i), fmt.Sprintf("916%07d", i*997)
		fmt.Fprintf(&text, "  %s: {numbers: [%q, %q]}\n", id, short, "+7"+mobile)
		owners[short], owners["+7"+mobile], owners["8"+mobile] = id, id, id
		asked["short"] = append(asked["short"], short)
		asked["as-written"] = append(asked["as-written"], "+7"+mobile)
		asked["otherwise"] = append(asked["otherwise"], "8"+mobile)
		asked["stranger"] = append(asked["stranger"], fmt.Sprintf("+7926%07d", i*997+1))
	}
	set := load(b, text.String())
	for _, form := range []string{"short", "as-written", "otherwise", "stranger"} {
		numbers, want := asked[form], 1
		if form == "stranger" {
			want = 0
		}
		rand.New(rand.NewPCG(3, 3)).Shuffle(n, func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
		b.Run(fmt.Sprintf("employees=%d/%s/floor", n, form), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := owners[numbers[i]]; ok != (want == 1) {
					b.Fatal(i)
				}
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("employees=%d/%s/earshot", n, form), func(b *testing.B) {
			refs := make([]policy.Ref, 0, 4)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if refs = set.AppendByNumber(refs[:0], numbers[i]); len(refs) != want {
					b.Fatal(i, refs)
				}
				if i++; i == n {
					i = 0
				}
			}
			b.ReportMetric(0, "max-allocs")
		})
	}
}

// rolesYAML gives everybody what is his own of what is kept, by a role, and the heads what is their department's.
const rolesYAML = `roles:
  manager: {recordings: own, journal: own, statistics: own, settings.user: own}
  head: {recordings: {to: department, reason: true}, journal: department, statistics: department, grade: department}
assign:
  - {role: manager, to: [everyone]}
  - {role: head, to: [heads]}
`

// A Set must stay small beside the names in it: at most 200 bytes of heap an employee, also where everybody has rights by roles.
func TestMemoryOfAnEmployee(t *testing.T) {
	for name, more := range map[string]string{"who listens": "", "what is one's own": rolesYAML} {
		t.Run(name, func(t *testing.T) { measureMemory(t, more) })
	}
}

func measureMemory(t *testing.T, more string) {
	const n = 10000
	c := newCompany(n)
	data := []byte(c.yaml() + more)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	set, _, err := policy.Load("policy.yaml", data, day)
	if err != nil {
		t.Fatal(err)
	}
	after := heap()
	names := uint64(0)
	for r := range set.Employees() {
		for _, s := range append(append([]string{set.ID(r), set.Name(r)}, set.Phones(r)...), set.Numbers(r)...) {
			names += uint64(len(s))
		}
	}
	if after < before+names {
		t.Fatal("the measure is wrong")
	}
	perEmployee := (after - before - names) / n
	t.Logf("%d bytes an employee beside %d of names", perEmployee, names/n)
	if perEmployee > 200 {
		t.Errorf("%d bytes an employee", perEmployee)
	}
	runtime.KeepAlive(data)
	runtime.KeepAlive(c)
	runtime.KeepAlive(set)
}

// Many goroutines deciding at once must not slow each other down; there is no lock to wait for.
func BenchmarkDecideParallel(b *testing.B) {
	c := newCompany(1000)
	set := load(b, c.yaml())
	asks := c.asks()
	b.ReportAllocs()
	b.ResetTimer() // RunParallel does not leave out what came before, as Loop does
	b.RunParallel(func(pb *testing.PB) {
		var req policy.Request
		for i := 0; pb.Next(); i++ {
			a := &asks[i&4095]
			req.Subject, _ = set.Employee(a.subject)
			req.Target, _ = set.Employee(a.target)
			req.Action = a.action
			set.Decide(&req)
		}
	})
}

// The moment of a large company turns in no time: it is not compiled again.
func BenchmarkAt(b *testing.B) {
	set := load(b, newCompany(10000).yaml())
	b.ReportAllocs()
	for b.Loop() {
		set.At(day.Add(time.Hour))
	}
}

// BenchmarkDial decides of a number, in a company where a role lets everybody call clients of his department and colleagues, and bars
// a hundred prefixes. Its floor finds the subject's right in a map and reads through the prefixes.
func BenchmarkDial(b *testing.B) {
	const n = 10000
	c := newCompany(n)
	var text strings.Builder
	text.WriteString(c.yaml() + "roles:\n  manager:\n    dial: {clients: department, employees: true, except: {numbers: [")
	var barred []string
	for i := range 100 {
		barred = append(barred, fmt.Sprintf("+7%d", 8000+i*3))
		fmt.Fprintf(&text, "%q, ", barred[i]+"*")
	}
	text.WriteString("]}}\nassign:\n  - {role: manager, to: [everyone]}\n")
	set := load(b, text.String())
	type dial struct {
		subject, responsible, number string
	}
	r := rand.New(rand.NewPCG(4, 4))
	var all []dial
	for len(all) < 4096 {
		d := dial{subject: c.ids[r.IntN(n)], number: fmt.Sprintf("+7495%07d", r.IntN(1e7))}
		d.responsible = c.ids[r.IntN(n)]
		if len(all)%2 == 0 { // half is allowed, and of the others half barred
			d.responsible = d.subject
		} else if len(all)%4 == 1 {
			d.number = barred[r.IntN(100)] + "123456"
		} else if c.depart[d.responsible] == c.depart[d.subject] {
			continue
		}
		all = append(all, d)
	}
	b.Run("employees=10000/floor", func(b *testing.B) {
		rights := map[string]string{}
		for _, id := range c.ids {
			rights[id] = "department"
		}
		b.ReportAllocs()
		i, allowed := 0, 0
		for b.Loop() {
			d := &all[i&4095]
			ok := rights[d.subject] == "department" && c.depart[d.subject] == c.depart[d.responsible]
			for _, p := range barred {
				if strings.HasPrefix(d.number, p) {
					ok = false
					break
				}
			}
			if ok {
				allowed++
			}
			i++
		}
		halfAllowed(b, allowed, i)
	})
	b.Run("employees=10000/earshot", func(b *testing.B) {
		b.ReportAllocs()
		i, allowed := 0, 0
		for b.Loop() {
			d := &all[i&4095]
			by, _ := set.Employee(d.subject)
			to, _ := set.Employee(d.responsible)
			if set.DecideDial(by, &policy.Destination{Number: d.number, Client: true, Responsible: to}).Allowed {
				allowed++
			}
			i++
		}
		halfAllowed(b, allowed, i)
		b.ReportMetric(1.5, "max-ratio")
		b.ReportMetric(0, "max-allocs")
	})
}
