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

	// Numbers that are not told in E.164 must be normalised, which takes microseconds and allocates; who was asked for lately is
	// remembered by what was told, strangers too. One slot for each hash: the later drives out the earlier, so the memory is
	// bounded whatever callers claim.
	seed  maphash.Seed
	slots [slots]atomic.Pointer[slot]
}

const slots = 1 << 13

type slot struct {
	told  string // without separators
	place int32  // in clients; nobody for a stranger
}

const nobody = -1

func newBook(region string, clients []Client, index map[string]int32) *book {
	return &book{region: region, clients: clients, index: index, seed: maphash.MakeSeed()}
}

func (b *book) lookup(number string) (Client, bool) {
	var buf [maxNumber]byte
	told, ok := squeeze(buf[:0], number)
	if !ok {
		return Client{}, false
	}
	if told[0] == '+' || len(told) <= maxShort { // most often in normal form already
		if place, ok := b.index[string(told)]; ok {
			return b.clients[place], true
		}
	}
	place := b.find(told)
	if place == nobody {
		return Client{}, false
	}
	return b.clients[place], true
}

func (b *book) find(told []byte) int32 {
	at := &b.slots[maphash.Bytes(b.seed, told)%slots]
	if s := at.Load(); s != nil && s.told == string(told) {
		return s.place
	}
	s := &slot{told: string(told), place: nobody}
	if normal, ok := normalise(s.told, b.region); ok {
		if place, ok := b.index[normal]; ok {
			s.place = place
		}
	}
	at.Store(s)
	return s.place
}
