package clients

import (
	"hash/maphash"
	"sync/atomic"
)

// recent remembers what came of numbers that were asked for lately, by what was told, without separators. To normalise one that is not
// told in normal form takes microseconds and allocates. A number has the few places that its hash says and drives out one of those who
// have them, so the memory is bounded whatever callers claim. Readers and writers take no lock.
type recent[T any] struct {
	seed maphash.Seed
	turn atomic.Uint32 // whose turn it is to be driven out
	sets [sets][ways]atomic.Pointer[told[T]]
}

const (
	sets = 1 << 12
	ways = 4
)

// told is a number as it was told and what came of it.
type told[T any] struct {
	number string
	value  T
}

func newRecent[T any]() *recent[T] { return &recent[T]{seed: maphash.MakeSeed()} }

// get returns what came of a number, and else the result of find, which is then remembered.
func (r *recent[T]) get(clean []byte, find func(number string) T) T {
	set := &r.sets[maphash.Bytes(r.seed, clean)%sets]
	free := -1
	for i := range set {
		t := set[i].Load()
		if t == nil {
			free = i
			continue
		}
		if t.number == string(clean) {
			return t.value
		}
	}
	if free < 0 {
		free = int(r.turn.Add(1) % ways)
	}
	number := string(clean)
	t := &told[T]{number: number, value: find(number)}
	set[free].Store(t)
	return t.value
}
