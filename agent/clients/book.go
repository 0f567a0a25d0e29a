package clients

import (
	"hash/maphash"
	"sync/atomic"
)

// book is one loaded version of the directory. All but the slots is fixed when it is made.
type book struct {
	region  string
	clients []Client
	index   map[string]int32 // normalised number to place in clients

	// Numbers that are not told in normal form must be normalised, which takes microseconds and allocates; who was asked for
	// lately is remembered by what was told, strangers too. A number has the few places that its hash says and drives out one of
	// those who have them, so the memory is bounded whatever callers claim.
	seed maphash.Seed
	turn atomic.Uint32 // whose turn it is to be driven out
	sets [sets][ways]atomic.Pointer[told]
}

const (
	sets = 1 << 12
	ways = 4
)

// told is a number as it was told, without separators, and what came of it.
type told struct {
	number string
	place  int32 // in clients; nobody for a stranger
}

const nobody = -1

func newBook(region string, clients []Client, index map[string]int32) *book {
	return &book{region: region, clients: clients, index: index, seed: maphash.MakeSeed()}
}

func (b *book) lookup(number string) (Client, bool) {
	var buf [maxNumber]byte
	clean, ok := squeeze(buf[:0], number)
	if !ok {
		return Client{}, false
	}
	place, ok := b.index[string(clean)] // most often it is told in normal form
	if !ok && (clean[0] == '+' || len(clean) > maxShort) {
		place, ok = b.find(clean)
	}
	if !ok {
		return Client{}, false
	}
	return b.clients[place], true
}

// find looks for a number that may be told in another form than the normal one.
func (b *book) find(clean []byte) (int32, bool) {
	set := &b.sets[maphash.Bytes(b.seed, clean)%sets]
	free := -1
	for i := range set {
		t := set[i].Load()
		if t == nil {
			free = i
			continue
		}
		if t.number == string(clean) {
			return t.place, t.place != nobody
		}
	}
	if free < 0 {
		free = int(b.turn.Add(1) % ways)
	}
	t := &told{number: string(clean), place: nobody}
	if normal, ok := normalise(t.number, b.region); ok {
		if place, ok := b.index[normal]; ok {
			t.place = place
		}
	}
	set[free].Store(t)
	return t.place, t.place != nobody
}
