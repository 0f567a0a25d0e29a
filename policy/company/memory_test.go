package company_test

import (
	"runtime"
	"testing"

	"github.com/earshot-pbx/earshot/policy/company"
)

// A Set must stay small beside the names in it, in a company that uses the whole language too: at most 200 bytes of heap an employee.
func TestMemoryOfAnEmployee(t *testing.T) {
	data := company.New(large, 1).YAML()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	set, _ := load(t, data)
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
	perEmployee := (after - before - names) / large
	t.Logf("%d bytes an employee beside %d of names", perEmployee, names/large)
	if perEmployee > 200 {
		t.Errorf("%d bytes an employee", perEmployee)
	}
	runtime.KeepAlive(data)
	runtime.KeepAlive(set)
}
