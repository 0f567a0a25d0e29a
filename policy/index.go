package policy

import "hash/maphash"

// An index finds the place of a string in a slice of distinct strings that is kept beside it. It is a map with four bytes
// a slot, which the Set needs three of: at ten thousand employees Go's maps would be its largest part.
type index struct {
	seed  maphash.Seed
	slots []uint32 // place+1, zero is empty; the length is a power of two and at least a third is empty
}

func newIndex(keys []string) index {
	size := 2
	for size*2 < len(keys)*3 {
		size *= 2
	}
	ix := index{seed: maphash.MakeSeed(), slots: make([]uint32, size)}
	for i, key := range keys {
		at := maphash.String(ix.seed, key) & uint64(size-1)
		for ix.slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		ix.slots[at] = uint32(i) + 1
	}
	return ix
}

// find returns the place of key in keys, which must be the slice that the index was made of.
func (ix *index) find(keys []string, key string) (uint32, bool) {
	if len(keys) == 0 {
		return 0, false
	}
	mask := uint64(len(ix.slots) - 1)
	for at := maphash.String(ix.seed, key) & mask; ; at = (at + 1) & mask {
		i := ix.slots[at]
		if i == 0 {
			return 0, false
		}
		if keys[i-1] == key {
			return i - 1, true
		}
	}
}

// findBytes is find for a key that was put together in a buffer. It exists because a string made of one longer than 32
// bytes would be allocated; maphash promises the same sum for both.
func (ix *index) findBytes(keys []string, key []byte) (uint32, bool) {
	if len(keys) == 0 {
		return 0, false
	}
	mask := uint64(len(ix.slots) - 1)
	for at := maphash.Bytes(ix.seed, key) & mask; ; at = (at + 1) & mask {
		i := ix.slots[at]
		if i == 0 {
			return 0, false
		}
		if keys[i-1] == string(key) {
			return i - 1, true
		}
	}
}
