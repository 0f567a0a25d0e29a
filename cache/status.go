package cache

import (
	"fmt"
	"time"
)

// State is how the shared store is, as seen from here. The zero value is Away.
type State uint8

const (
	// Away means that it cannot be reached or does not answer in time. What is known serves on and grows older; nothing is written.
	Away State = iota
	// Refusing means that it answers reads and refuses writes, because its memory is full, it is a read-only replica or its disk fails.
	Refusing
	// Up means that all is well.
	Up
	// Local means that nothing is shared.
	Local
)

var stateNames = [...]string{Away: "away", Refusing: "refusing", Up: "up", Local: "local"}

// String returns the state in lower case, as the gauge's label has it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", s)
}

// Status is how a cache is at a moment.
type Status struct {
	State State
	// Reason is a fixed phrase, empty when all is well: "not connected yet", "timeout", "unreachable", "credentials refused",
	// "out of memory", …. It holds no address and no key.
	Reason string
	Since  time.Time     // since when State is what it is
	Age    time.Duration // as Cache.Age
	// RowsAge is as Members.RowsAge.
	RowsAge time.Duration
	// Latency is how long the shared store took to answer when it last did; negative before that, 0 when nothing is shared.
	Latency time.Duration

	Replaced uint64 // how often the shared store was found emptied, replaced or set back
	Dropped  uint64 // look-ups that were not shared because the store was away or slow
	Unread   int    // sessions in the shared store that could not be read at the last full reading, or did not fit here
	Pending  int    // deletions that the shared store must still be told

	Overlays []OverlayStatus // those that are followed or were put here, the latest last
	Memory   Usage
}

// OverlayStatus is how one overlay is.
type OverlayStatus struct {
	Generation uint64
	Known      bool
	Age        time.Duration
	Reason     string // a fixed phrase, empty when all is well: "lost", "malformed", "too large", …
}

// Usage is what the memory holds, its bounds, and how it served since it was made.
type Usage struct {
	Entries, MaxEntries int // look-ups
	Bytes, MaxBytes     int // of look-ups: keys, values and what an entry costs
	Hits, Misses        uint64
	Evictions           uint64 // look-ups driven out by a bound before their time
	Oversized           uint64 // look-ups not remembered because one alone exceeds MaxBytes

	Sessions, MaxSessions         int
	SessionBytes, MaxSessionBytes int
	Deleted                       int    // deleted sessions remembered so that they cannot come back
	Refused                       uint64 // sessions refused by a bound
}
