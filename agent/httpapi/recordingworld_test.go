package httpapi_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/agent/recording"
)

const recordingPolicy = `
version: 1
departments: {sales: {name: Sales, head: carl}, back: {name: Back Office}}
groups: {board: [fred]}
employees:
  anna:  {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: sales, recordings: own}
  boris: {name: Boris Orlov, phones: [PJSIP/102], numbers: ["102"], department: sales, play: [department:sales]}
  carl:  {name: Carl Weber, phones: [PJSIP/103], numbers: ["103"], department: back, recordings: {to: department, except: [group:board]}}
  dora:  {name: Dora Lang, phones: [PJSIP/104], numbers: ["104"], department: back, recordings: {allow: [play, download, delete]}}
  egor:  {name: Egor Kim, phones: [PJSIP/105], numbers: ["105"], department: back, recordings: {to: any, reason: true}}
  fred:  {name: Fred Voss, phones: [PJSIP/106], numbers: ["106"], department: back}
protected: {numbers: ["+7 495 765-43-21"]}
roles: {reader: {journal: any}}
assign: [{role: reader, to: [everyone]}]
trunks: [PJSIP/trunk]
`

// book is a journal in memory.
type book struct {
	mu         sync.Mutex
	calls      map[string]past.Call
	recordings map[string]past.Recording
	order      []string // ids of the calls, by the place of their rows
	shown      *past.Call
}

func (b *book) Callers(context.Context, past.Filter) ([]call.Number, error) { return nil, nil }

// Rows has one row of each call: the one that is shown, or the one that a handle leads to.
func (b *book) Rows(_ context.Context, f past.Filter) ([]past.Row, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, n := b.shown, int64(0)
	if _, before := f.Before.Place(); before > 1 {
		if n = before - 1; n > int64(len(b.order)) {
			return nil, nil
		}
		was := b.calls[b.order[n-1]]
		was.Recordings = slices.Clone(was.Recordings)
		c = &was
	} else if c == nil || before != 0 {
		return nil, nil
	} else {
		n = int64(slices.Index(b.order, c.ID)) + 1
	}
	for i := range c.Recordings {
		c.Recordings[i] = b.recordings[c.Recordings[i].ID]
	}
	return []past.Row{{Call: c, Leg: &c.Legs[0], At: past.CursorAt(1, n)}}, nil
}

func (*book) Gaps(context.Context, time.Time, time.Time) ([]past.Gap, error)    { return nil, nil }
func (*book) Statistics(context.Context, past.StatsFilter) ([]past.Stat, error) { return nil, nil }
func (*book) Grade(context.Context, past.Grade) error                           { return nil }
func (*book) Grades(context.Context, string) ([]past.Grade, error)              { return nil, nil }

func (b *book) Recording(_ context.Context, id string) (past.Recording, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.recordings[id]
	if !ok {
		return r, past.ErrNoRecording
	}
	return r, nil
}

func (b *book) RecordingOf(_ context.Context, spool, file string) (past.Recording, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.recordings {
		if r.Spool == spool && r.File == file && r.Deleted.IsZero() {
			return r, nil
		}
	}
	return past.Recording{}, past.ErrNoRecording
}

func (b *book) Call(_ context.Context, id string) (past.Call, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.calls[id]
	if !ok {
		return c, past.ErrNoCall
	}
	return c, nil
}

func (b *book) MarkDeleted(_ context.Context, id string, at time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.recordings[id]
	r.Deleted = at
	b.recordings[id] = r
	return nil
}

// shelf is a world with recordings in two folders.
type shelf struct {
	*world
	book         *book
	main, second string // the folders
	secret       string // a file beside them
}

func newShelf(t *testing.T, change func(*gate.Recordings), options ...option) *shelf {
	t.Helper()
	s := &shelf{book: &book{calls: map[string]past.Call{}, recordings: map[string]past.Recording{}}}
	dir := t.TempDir()
	s.main, s.second, s.secret = filepath.Join(dir, "main"), filepath.Join(dir, "second"), filepath.Join(dir, "secret.wav")
	for _, d := range []string{s.main, s.second} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, s.secret, []byte("what lies beside the spools"))
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "main", Path: s.main}, {Name: "second", Path: s.second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spools.Close() })
	r := &gate.Recordings{Book: s.book, Spools: spools}
	if change != nil {
		change(r)
	}
	s.world = newWorldOver(t, func(c *gate.Config) {
		c.Recordings, c.Journal = r, s.book
		c.Policy = (&world{t: t}).policy(recordingPolicy)
		c.Holds = func(who auth.Subject) bool { return s.world == nil || s.tokens.Holds(who) }
	}, options...)
	return s
}

func (s *shelf) write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// leg is one of a call.
func leg(id, endpoint, employee, number string) past.Leg {
	return past.Leg{ID: call.LegID(id), Endpoint: endpoint, Employee: employee, Number: call.Number(number), Began: start}
}

var (
	annas  = leg("1.1", "PJSIP/101", "anna", "101")
	ivans  = leg("1.2", "PJSIP/trunk", "", "+79161234567")
	borisL = leg("1.3", "PJSIP/102", "boris", "102")
	doras  = leg("1.4", "PJSIP/104", "dora", "104")
	freds  = leg("1.5", "PJSIP/106", "fred", "106")
)

// keep puts a recording of a call onto the shelf.
func (s *shelf) keep(t testing.TB, name string, data []byte, change func(*past.Call), legs ...past.Leg) *past.Call {
	t.Helper()
	s.write(t, filepath.Join(s.main, name), data)
	c := past.Call{ID: "call-" + name, Began: start, Ended: at(60), Legs: legs}
	r := past.Recording{ID: "REC" + strings.Map(func(r rune) rune {
		if r == '.' {
			return -1
		}
		return r
	}, name), Call: c.ID, Spool: "main", File: name, Source: "spool", Began: start, Ended: at(60), Size: int64(len(data))}
	c.Recordings = []past.Recording{r}
	if change != nil {
		change(&c)
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.calls[c.ID] = c
	if !slices.Contains(s.book.order, c.ID) {
		s.book.order = append(s.book.order, c.ID)
	}
	s.book.recordings[r.ID] = c.Recordings[0]
	return &c
}

// subject is somebody who has proven himself.
func (s *shelf) subjectOf(who string) auth.Subject {
	s.t.Helper()
	v, err := s.tokens.Authenticate(s.t.Context(), auth.Credential{Token: s.token[who]})
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// sees is a call's only recording as somebody sees it in the journal; the zero value when he does not see the call.
func (s *shelf) sees(who string, c *past.Call) mask.JournalRecording {
	s.t.Helper()
	s.book.mu.Lock()
	s.book.shown = c
	s.book.mu.Unlock()
	page, err := s.gate.Journal(s.t.Context(), s.subjectOf(who), gate.JournalAsk{})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(page.Rows) == 0 {
		return mask.JournalRecording{}
	}
	list := page.Rows[0].Recordings
	if len(list) != 1 || (list[0].State == mask.RecordingAvailable || list[0].State == mask.RecordingRunning) != (list[0].ID != "") {
		s.t.Fatalf("%s sees %+v", who, list)
	}
	return list[0]
}

// id is the recording's id; empty when he has no access.
func (s *shelf) id(who string, c *past.Call) string {
	s.t.Helper()
	return s.sees(who, c).ID
}

func tune(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (s *shelf) phases(action string) (list []audit.Entry) {
	for _, e := range s.book2().All() {
		if e.Action == action {
			list = append(list, e)
		}
	}
	return list
}

func (s *shelf) book2() *stage.Record { return s.world.book }
