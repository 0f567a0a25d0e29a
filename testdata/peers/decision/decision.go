// Package decision asks Earshot and what a user would take in its place the same questions about the same company.
package decision

import (
	"fmt"
	"runtime"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
	"github.com/earshot-pbx/earshot/testdata/peers/contest"
)

// An Engine has the policy of a company and answers questions by it.
type Engine interface {
	// Ready takes questions in whatever form is fastest for the engine, and returns what answers all of them and counts those that are allowed.
	Ready([]company.Question) (all func() (allowed int), err error)
}

// A Maker makes an engine.
type Maker struct {
	Name string
	Make func(*company.Company) (Engine, error)
	// Slow is set of one that takes so long for each new question that thousands of them are enough at the largest company.
	Slow bool
}

// Names of the engines that figures are asked of.
const (
	Earshot = "Earshot"
	Pairs   = "pairs in nested maps"
	Rules   = "rules in nested maps"
	Casbin  = "Casbin, a cache hit"
	Cedar   = "cedar-go"
	OPA     = "OPA, prepared query"
)

// Makers are all engines.
var Makers = []Maker{
	{Name: Earshot, Make: newEarshot},
	{Name: Pairs, Make: newPairs},
	{Name: Rules, Make: newRules},
	{Name: Casbin, Make: newCasbin, Slow: true},
	{Name: Cedar, Make: newCedar},
	{Name: OPA, Make: newOPA},
}

// Check asks each engine n questions, one at a time, and compares the answers with those of the reference.
func Check(c *company.Company, n int) (allowed int, err error) {
	questions := c.Questions(n)
	want := make([]int, n)
	for i, q := range questions {
		if c.Allows(q) {
			want[i] = 1
			allowed++
		}
	}
	for _, m := range Makers {
		e, err := m.Make(c)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", m.Name, err)
		}
		some := n
		if m.Slow && len(c.Employees) > 1000 {
			some = min(n, 2000)
		}
		for i, q := range questions[:some] {
			ask, err := e.Ready(questions[i : i+1])
			if err != nil {
				return 0, fmt.Errorf("%s: %w", m.Name, err)
			}
			if got := ask(); got != want[i] {
				return 0, fmt.Errorf("%s says %d of %+v, which is %d by the reference", m.Name, got, q, want[i])
			}
		}
	}
	return allowed, nil
}

// Pool is how many questions are asked over and over.
const Pool = 4096

// Contenders have all engines answer the same pool. Each time all of it is answered the count of what is allowed is held against the reference's.
func Contenders(c *company.Company) ([]contest.Contender, error) {
	pool := c.Questions(Pool)
	want := 0
	for _, q := range pool {
		if c.Allows(q) {
			want++
		}
	}
	var all []contest.Contender
	for _, m := range Makers {
		e, err := m.Make(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		ask, err := e.Ready(pool)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		all = append(all, contest.Contender{Name: m.Name, AtLeast: Pool, Do: func(n int) {
			for range n / Pool {
				if got := ask(); got != want {
					panic(fmt.Sprintf("%s allows %d of the pool, the reference %d", m.Name, got, want))
				}
			}
		}})
	}
	return all, nil
}

// Memory is how much more of the heap is in use when an engine is there, of all of them and of OPA's other way to keep data. Each is made of a company of
// its own that is given up afterwards, so that names count for who keeps them.
func Memory(employees int) (map[string]uint64, error) {
	sizes := map[string]uint64{}
	for _, m := range append(Makers, Maker{Name: OPALean, Make: newLeanOPA}) {
		before := heap()
		e, err := m.Make(company.New(employees))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		sizes[m.Name] = heap() - before
		runtime.KeepAlive(e)
	}
	return sizes, nil
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first has finalized, and pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
