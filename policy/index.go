package policy

import (
	"math/bits"
	"strings"
)

// An index finds the place of a string among distinct strings. It is a map with four bytes a slot, which the Set needs three of:
// at ten thousand employees Go's maps would be its largest part.
type index struct {
	// slots hold place+1 in the bits of places, and above them those of the sum's upper half; zero is empty. The part of the sum
	// spares the look at a string that is another, and with it a miss of the processor's cache. The length is a power of two.
	slots  []uint32
	places uint32
	texts
}

// texts are strings that follow one another, each up to its end. The header of a Go string would be one more miss of the processor's cache,
// and sixteen bytes.
type texts struct {
	text string
	ends []uint32
}

func (t *texts) at(i uint32) string { return t.text[t.ends[i]:t.ends[i+1]] }

// between returns those from one place up to another, in a slice of the caller's own.
func (t *texts) between(from, to uint32) []string {
	if from == to {
		return nil
	}
	all := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		all = append(all, t.at(i))
	}
	return all
}

// How many slots an index has at least for each key. With three, two thirds are empty: a second slot to look at is a branch that the
// processor did not foresee, and costs more than all else. Two take less room.
const (
	quick = 3
	small = 2
)

// newIndex makes an index of keys and returns them as it keeps them.
func newIndex(keys []string, slots int) (index, []string) {
	t, packed := pack(keys)
	return t.index(slots, func(uint32) bool { return true }), packed
}

// index makes an index of those at the places that count. They must be distinct; the others need not be.
func (t *texts) index(slots int, counts func(i uint32) bool) index {
	all, size := len(t.ends)-1, 2
	for size < all*slots {
		size *= 2
	}
	ix := index{
		slots: make([]uint32, size), places: 1<<bits.Len(uint(all)) - 1, texts: *t,
	}
	for i := range uint32(all) {
		if !counts(i) {
			continue
		}
		sum := sumOf(t.at(i))
		at := sum & uint64(size-1)
		for ix.slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		ix.slots[at] = uint32(sum>>32)&^ix.places | (i + 1)
	}
	return ix
}

// find returns the place of key among the strings that the index was made of. A decision begins with it, twice, so it is written for ids of a usual
// length: two words are all of such a key, for the sum and to compare, and nothing is called.
func (ix *index) find(key string) (uint32, bool) {
	n := len(key)
	if n < word64 || n > 2*word64 {
		return findAny(ix, key)
	}
	head, tail := load64(key, 0), load64(key, n-word64)
	sum := mix(head, tail+uint64(n))
	for at := sum; ; at++ {
		if at &= uint64(len(ix.slots) - 1); at >= uint64(len(ix.slots)) { // there are none
			return 0, false
		}
		slot := ix.slots[at]
		if slot == 0 {
			return 0, false
		}
		if (slot^uint32(sum>>32))&^ix.places != 0 {
			continue
		}
		i := slot & ix.places
		start, end := int(ix.ends[i-1]), int(ix.ends[i])
		if end-start == n && load64(ix.text, start) == head && load64(ix.text, end-word64) == tail {
			return i - 1, true
		}
	}
}

// findBytes is find for a key that was put together in a buffer. It exists because a string made of one longer than 32
// bytes would be allocated.
func (ix *index) findBytes(key []byte) (uint32, bool) { return findAny(ix, key) }

// findAny is find for keys of any length.
func findAny[T string | []byte](ix *index, key T) (uint32, bool) {
	if len(ix.slots) == 0 {
		return 0, false
	}
	sum := sumOf(key)
	mask := uint64(len(ix.slots) - 1)
	for at := sum & mask; ; at = (at + 1) & mask {
		slot := ix.slots[at]
		if slot == 0 {
			return 0, false
		}
		if i := slot&ix.places - 1; (slot^uint32(sum>>32))&^ix.places == 0 && ix.at(i) == string(key) {
			return i, true
		}
	}
}

// sumOf is a sum over a key, all bits of which may be used. It has no secret: the keys are those of the policy, and whoever asks for others
// is answered at the next empty slot.
func sumOf[T string | []byte](key T) uint64 {
	n := len(key)
	if n < word64 {
		all := uint64(0)
		for i := range n {
			all = all<<8 | uint64(key[i])
		}
		return mix(all, uint64(n))
	}
	sum := uint64(n)
	for ; len(key) > 2*word64; key = key[word64:] {
		sum = mix(load64(key, 0), sum)
	}
	return mix(load64(key, 0), load64(key, len(key)-word64)+sum)
}

// mix makes one word of two, and has what is high in them matter low in it. The constants have as many ones as zeros.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return high ^ low
}

// word64 is how many bytes load64 loads.
const word64 = 8

// load64 is the eight bytes that begin at i, which is one instruction.
func load64[T string | []byte](s T, i int) uint64 {
	b := s[i : i+word64]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// pack moves the strings into one, so that those looked up one after the other lie near each other, and returns them as parts of it too.
func pack(all []string) (texts, []string) {
	t := texts{text: strings.Join(all, ""), ends: make([]uint32, len(all)+1)}
	packed := make([]string, len(all))
	for i, s := range all {
		t.ends[i+1] = t.ends[i] + uint32(len(s))
		packed[i] = t.at(uint32(i))
	}
	return t, packed
}
