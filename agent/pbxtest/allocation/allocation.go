// Package allocation tells the tests how much memory something takes, for those that hold a parser to a bound.
package allocation

import "runtime/metrics"

// tries are how often something is done before what it has taken is believed to be too much.
const tries = 5

// Least is how many bytes are allocated on the heap while something is done: the least of several tries, or the first that is within the limit, so that
// what is within it is done once.
//
// One try says too much when a collection falls into it, which counts what was allocated long before, or when another goroutine allocates meanwhile, as
// those of a fuzzing worker do. Neither is so each time; a parser that takes too much does.
func Least(limit uint64, do func()) uint64 {
	return least(limit, allocated, do)
}

func least(limit uint64, read func() uint64, do func()) uint64 {
	var found uint64
	for i := range tries {
		before := read()
		do()
		if n := read() - before; i == 0 || n < found {
			found = n
		}
		if found <= limit {
			break
		}
	}
	return found
}

// allocated is how many bytes the process has allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
