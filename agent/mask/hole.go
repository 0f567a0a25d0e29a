package mask

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// What is rendered once for many has a hole where each reader's own handle goes. A hole begins with a text that this process has drawn by lot and
// shows to nobody, so nothing that comes from outside can be taken for one; it is made of small letters and digits, so that it stands wherever a handle may.

const (
	holeDigits = "abcdefghijklmnopqrstuvwxyz234567"
	holeIndex  = 4 // how many digits tell which one it is
)

var (
	holeBegin = newHoleBegin()
	fewHoles  = newHoles(64) // most have no more
)

func newHoleBegin() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "h" + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))[:HandleLen-holeIndex-1]
}

func newHoles(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = newHole(i)
	}
	return all
}

func newHole(i int) string {
	var b [HandleLen]byte
	copy(b[:], holeBegin)
	for at := HandleLen - 1; at >= HandleLen-holeIndex; at-- {
		b[at] = holeDigits[i&31]
		i >>= 5
	}
	return string(b[:])
}

// Hole stands for the i-th handle, i being less than a million: HandleLen bytes, small letters and digits.
func Hole(i int) string {
	if i < len(fewHoles) {
		return fewHoles[i]
	}
	return newHole(i)
}

// NextHole finds the first hole in b: where it is, and which handle goes there.
func NextHole(b []byte) (at, i int, ok bool) {
	at = bytes.Index(b, []byte(holeBegin))
	if at < 0 || len(b) < at+HandleLen {
		return 0, 0, false
	}
	for _, c := range b[at+len(holeBegin) : at+HandleLen] {
		digit := strings.IndexByte(holeDigits, c)
		if digit < 0 {
			return 0, 0, false // nobody but Hole knows how one begins
		}
		i = i<<5 | digit
	}
	return at, i, true
}
