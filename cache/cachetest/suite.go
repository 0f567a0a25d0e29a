// Package cachetest is the suite that every cache.Cache passes.
//
// Invariant: it speaks of the interface alone, so what it holds for the memory holds for Redis, and the other way round.
package cachetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// Clock is a clock that is moved by hand. Safe for concurrent use.
type Clock struct{ at atomic.Pointer[time.Time] }

// NewClock makes a clock that stands at the present.
func NewClock() *Clock {
	c := new(Clock)
	now := time.Now()
	c.at.Store(&now)
	return c
}

// Now is where the clock stands.
func (c *Clock) Now() time.Time { return *c.at.Load() }

// Advance moves it.
func (c *Clock) Advance(d time.Duration) {
	for {
		old := c.at.Load()
		if now := old.Add(d); c.at.CompareAndSwap(old, &now) {
			return
		}
	}
}

// Open makes an empty cache with these options, running and, if it shares, connected; it is closed by t.Cleanup.
type Open func(t *testing.T, o cache.Options) cache.Cache

// Suite runs the suite.
func Suite(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"look-ups are remembered, misses too":             lookups,
		"jitter shortens and never lengthens":             jitter,
		"look-ups that fail are not remembered":           failures,
		"many who ask at once load once":                  singleFlight,
		"each who waits for a look-up may give up":        giveUp,
		"what is forgotten while it loads is not kept":    forgetWhileLoading,
		"a look-up that panics holds up nobody":           panics,
		"look-ups are bounded":                            bounds,
		"malformed tables and keys are refused":           badTables,
		"sessions are put, found, listed and deleted":     sessions,
		"sessions expire, sooner and later":               expiry,
		"a deleted session never comes back":              noReturn,
		"sessions are bounded":                            sessionBounds,
		"malformed sessions are refused":                  badSessions,
		"an overlay is of one generation":                 overlays,
		"an overlay is read whole while it is replaced":   wholeOverlays,
		"there is no empty overlay where none was put":    noOverlay,
		"an edition carries its overlay over":             editions,
		"a document's version only rises":                 documents,
		"malformed documents are refused":                 badDocuments,
		"members show rows to each other":                 rows,
		"a member who leaves takes its rows along":        leaving,
		"rows are bounded":                                rowBounds,
		"a name is one member's":                          oneName,
		"a command is carried out and answered":           commands,
		"a command whose time is over is given to nobody": lateCommand,
		"an answer that was had is not taken back":        takingBack,
		"a command that was begun may have been done":     unanswered,
		"a command to nobody is not sent":                 noReceiver,
		"commands to one who leaves are settled":          receiverLeaves,
		"each of many commands is carried out once":       manyCommands,
		"a log takes each entry once":                     logs,
		"malformed log entries are refused":               badLogs,
		"watchers learn of changes":                       watch,
		"a slow watcher holds up nobody and is told":      slowWatcher,
		"what it holds is not printed":                    redacted,
		"writes of many at once are all there":            concurrent,
		"who has no time loads nothing and still deletes": ended,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waitFor gives others the processor until a condition holds, of which no event tells.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatal("the test's time is over; waited for " + what)
		case <-tick.C:
		}
	}
}

func redacted(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	s := cache.Session{ID: "secret-id", Owner: "secret-owner", Value: "secret-value"}
	must(t, c.PutSession(t.Context(), s, time.Hour))
	e, err := c.Fill(t.Context(), table, "secret-key", value("secret-value"))
	must(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if printed := fmt.Sprintf(format, []any{s, e}); strings.Contains(printed, "secret") {
			t.Errorf("%s prints %s", format, printed)
		}
	}
	err = c.PutSession(t.Context(), cache.Session{ID: "secret-id", Owner: "secret\nowner", Value: "secret-value"}, time.Hour)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func ended(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Fill(ctx, table, "1", value("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	must(t, c.PutSession(t.Context(), cache.Session{ID: "a", Owner: "anna"}, time.Hour))
	_ = c.DeleteSession(ctx, "a") // the memory does it, Redis may not be told; gone it is
	if _, ok := c.Session("a"); ok {
		t.Error("a deletion waits for a context")
	}
}
