package policy

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// An index finds the place of a string among distinct strings. It is a map with four bytes a slot, which the Set needs three of:
// at ten thousand employees Go's maps would be its largest part.
type index struct {
	seed maphash.Seed
	// slots hold place+1 in the bits of places, and above them those of the sum's upper half; zero is empty. The part of the sum
	// spares the look at a string that is another, and with it a miss of the processor's cache. The length is a power of two and
	// at least two thirds are empty: a second slot to look at is a branch that the processor did not foresee, and costs more
	// than all else.
	slots  []uint32
	places uint32
	// The strings follow one another in text, each up to its end. The header of a Go string would be one more miss.
	text string
	ends []uint32
}

// newIndex makes an index of keys and returns them as it keeps them.
func newIndex(keys []string) (index, []string) {
	size := 2
	for size < len(keys)*3 {
		size *= 2
	}
	text, packed := pack(keys)
	ix := index{
		seed: maphash.MakeSeed(), slots: make([]uint32, size), places: 1<<bits.Len(uint(len(keys))) - 1,
		text: text, ends: make([]uint32, len(keys)+1),
	}
	for i, key := range packed {
		ix.ends[i+1] = ix.ends[i] + uint32(len(key))
		sum := maphash.String(ix.seed, key)
		at := sum & uint64(size-1)
		for ix.slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		ix.slots[at] = uint32(sum>>32)&^ix.places | uint32(i+1)
	}
	return ix, packed
}

// find returns the place of key among the strings that the index was made of.
func (ix *index) find(key string) (uint32, bool) {
	if len(ix.slots) == 0 {
		return 0, false
	}
	sum := maphash.String(ix.seed, key)
	mask := uint64(len(ix.slots) - 1)
	for at := sum & mask; ; at = (at + 1) & mask {
		slot := ix.slots[at]
		if slot == 0 {
			return 0, false
		}
		if i := slot&ix.places - 1; (slot^uint32(sum>>32))&^ix.places == 0 && ix.text[ix.ends[i]:ix.ends[i+1]] == key {
			return i, true
		}
	}
}

// findBytes is find for a key that was put together in a buffer. It exists because a string made of one longer than 32
// bytes would be allocated; maphash promises the same sum for both.
func (ix *index) findBytes(key []byte) (uint32, bool) {
	if len(ix.slots) == 0 {
		return 0, false
	}
	sum := maphash.Bytes(ix.seed, key)
	mask := uint64(len(ix.slots) - 1)
	for at := sum & mask; ; at = (at + 1) & mask {
		slot := ix.slots[at]
		if slot == 0 {
			return 0, false
		}
		if i := slot&ix.places - 1; (slot^uint32(sum>>32))&^ix.places == 0 && ix.text[ix.ends[i]:ix.ends[i+1]] == string(key) {
			return i, true
		}
	}
}

// pack moves the strings into one, so that those looked up one after the other lie near each other.
func pack(all []string) (text string, packed []string) {
	text = strings.Join(all, "")
	rest, packed := text, make([]string, len(all))
	for i, s := range all {
		packed[i], rest = rest[:len(s)], rest[len(s):]
	}
	return text, packed
}
