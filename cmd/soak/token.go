package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// An identity is somebody outside: a number and a name that nobody else has in the run, so that whoever is told of either is found out.
type identity struct{ number, name string }

// digits is how many digits at the number's end are its own, in whatever form it is written.
const digits = 10

const letters = "BCDFGHJKLMNPQRSTVWXZ"

// nameMark begins each name; nothing else has these letters in a row.
const nameMark = "ZQX"

const nameLength = len(nameMark) + 8

func newIdentity(r *rand.Rand) identity {
	name := []byte(nameMark)
	for len(name) < nameLength {
		name = append(name, letters[r.IntN(len(letters))])
	}
	return identity{number: fmt.Sprintf("+79%09d", r.IntN(1_000_000_000)), name: string(name)}
}

// hidden are the identities of the run.
type hidden struct {
	mu    sync.Mutex
	known map[string]identity // by the end of the number and by the name
}

// fresh is one that nobody had before.
func (h *hidden) fresh(r *rand.Rand) identity {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		i := newIdentity(r)
		if _, taken := h.known[i.tail()]; !taken {
			h.known[i.tail()], h.known[i.name] = i, i
			return i
		}
	}
}

func (i identity) tail() string { return i.number[len(i.number)-digits:] }

// find is whose number or name the text has in it from a place on, and how long that is.
func (h *hidden) find(text []byte, at int) (i identity, length int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, length := range []int{digits, nameLength} {
		if at+length <= len(text) {
			if i, ok := h.known[string(text[at:at+length])]; ok {
				return i, length
			}
		}
	}
	return identity{}, 0
}

// An ear is where everything goes that a watcher is sent, byte for byte. It finds identities, also those that come in pieces.
type ear struct {
	name string
	of   *hidden
	// told is called for each that is found, with what stands around it; nil for one who may know.
	told func(ear string, i identity, around string)

	mu    sync.Mutex
	rest  []byte
	bytes int64
	heard map[string]int // identities by number
}

const around = 80

// Write looks through the next bytes.
func (e *ear) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes += int64(len(b))
	text := append(e.rest, b...)
	for at := 0; at < len(text); at++ {
		c := text[at]
		if (c < '0' || c > '9') && c != nameMark[0] {
			continue
		}
		i, length := e.of.find(text, at)
		if length == 0 || at+length <= len(e.rest) { // what is in the rest wholly was found before
			continue
		}
		e.heard[i.number]++
		if e.told != nil {
			e.told(e.name, i, string(text[max(0, at-around):min(len(text), at+length+around)]))
		}
	}
	e.rest = append([]byte(nil), text[max(0, len(text)-nameLength+1):]...)
	return len(b), nil
}

// cut says that what comes next does not go on where the last ended: another connection, another answer.
func (e *ear) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rest = nil
}

// knows says whether the ear has heard of somebody.
func (e *ear) knows(i identity) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[i.number] > 0
}

func (e *ear) figures() (bytes int64, identities int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bytes, len(e.heard)
}
