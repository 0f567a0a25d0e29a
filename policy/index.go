package policy

import (
	"hash/maphash"
	"strings"
)

// An index finds the place of a string in a slice of distinct strings that is kept beside it. It is a map with eight bytes
// a slot, which the Set needs three of: at ten thousand employees Go's maps would be its largest part.
type index struct {
	seed maphash.Seed
	// slots hold the upper half of the sum and place+1; zero is empty. The length is a power of two and at least a third is
	// empty. The half sum spares the look at a string that is another, and with it a miss of the processor's cache.
	slots []uint64
}

const upperHalf = 0xffffffff << 32

func newIndex(keys []string) index {
	size := 2
	for size*2 < len(keys)*3 {
		size *= 2
	}
	ix := index{seed: maphash.MakeSeed(), slots: make([]uint64, size)}
	for i, key := range keys {
		sum := maphash.String(ix.seed, key)
		at := sum & uint64(size-1)
		for ix.slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		ix.slots[at] = sum&upperHalf | uint64(i+1)
	}
	return ix
}

// find returns the place of key in keys, which must be the slice that the index was made of.
func (ix *index) find(keys []string, key string) (uint32, bool) {
	if len(keys) == 0 {
		return 0, false
	}
	sum := maphash.String(ix.seed, key)
	mask := uint64(len(ix.slots) - 1)
	for at := sum & mask; ; at = (at + 1) & mask {
		slot := ix.slots[at]
		if slot == 0 {
			return 0, false
		}
		if i := uint32(slot) - 1; (slot^sum)&upperHalf == 0 && keys[i] == key {
			return i, true
		}
	}
}

// findBytes is find for a key that was put together in a buffer. It exists because a string made of one longer than 32
// bytes would be allocated; maphash promises the same sum for both.
func (ix *index) findBytes(keys []string, key []byte) (uint32, bool) {
	if len(keys) == 0 {
		return 0, false
	}
	sum := maphash.Bytes(ix.seed, key)
	mask := uint64(len(ix.slots) - 1)
	for at := sum & mask; ; at = (at + 1) & mask {
		slot := ix.slots[at]
		if slot == 0 {
			return 0, false
		}
		if i := uint32(slot) - 1; (slot^sum)&upperHalf == 0 && keys[i] == string(key) {
			return i, true
		}
	}
}

// pack moves the strings into one, so that those looked up one after the other lie near each other.
func pack(all []string) []string {
	size := 0
	for _, s := range all {
		size += len(s)
	}
	var b strings.Builder
	b.Grow(size)
	for _, s := range all {
		b.WriteString(s)
	}
	rest, out := b.String(), make([]string, len(all))
	for i, s := range all {
		out[i], rest = rest[:len(s)], rest[len(s):]
	}
	return out
}
