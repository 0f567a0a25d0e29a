package httpapi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// officePolicy is of the company that the pictures show: carl is head and administrator, boris takes his clients' calls, dora listens with a
// reason, anna may lock, and egor may do nothing.
const officePolicy = `version: 1
departments:
  sales:   {name: Sales, head: carl}
  support: {name: Support}
  board:   {name: Board}
groups:
  board: [maria, viktor]
employees:
  anna:  {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: sales, lock: true, dial: clients+employees}
  boris: {name: Boris Orlov, phones: [PJSIP/102], numbers: ["102"], department: sales, intercept: true, dial: clients+employees}
  carl:  {name: Carl Weber, phones: [PJSIP/103, PJSIP/113], numbers: ["103"], department: sales, observe: true, dial: any, settings.permissions: true, listen: {to: any, except: [group:board], notify: [panel, after]}, recordings: {to: department}, journal: any, statistics: any, grade: any}
  dora:  {name: Dora Lang, phones: [PJSIP/104], numbers: ["104"], department: support, listen: {to: any, allow: [spy, whisper], reason: true}}
  egor:  {name: Egor Kim, phones: [PJSIP/105], numbers: ["105"], department: support}
  fred:  {name: Fred Voss, phones: [PJSIP/106], numbers: ["106"], department: sales}
  galina: {name: Galina Somova, phones: [PJSIP/107], numbers: ["107"], department: sales}
  hugo:  {name: Hugo Brandt, phones: [PJSIP/108], numbers: ["108"], department: support}
  ines:  {name: Inês Carvalho, phones: [PJSIP/109], numbers: ["109"], department: support}
  jonas: {name: Jonas Eriksen, phones: [PJSIP/110], numbers: ["110"], department: support}
  maria: {name: Maria Director, phones: [PJSIP/301], numbers: ["301"], department: board}
  viktor: {name: Viktor Maslov, phones: [PJSIP/302], numbers: ["302"], department: board}
protected: {employees: [group:board], numbers: ["+7 495 765-43-21"]}
trunks: [PJSIP/trunk]
`

// bureau is a world of that company with everything that the page shows.
type bureau struct {
	*world
	store *past.Store
	spool string // the folder with its recordings
	path  string // of the policy
}

func newBureau(t testing.TB) *bureau {
	t.Helper()
	return newBureauOver(t, asItIs)
}

// newBureauOver is one whose gate is made of other parts.
func newBureauOver(t testing.TB, change func(*gate.Config)) *bureau {
	t.Helper()
	o := &bureau{spool: t.TempDir(), path: filepath.Join(t.TempDir(), "policy.yaml")}
	o.write(officePolicy)
	file, err := policyfile.Open([]string{o.path}, policyfile.Options{OnChange: func(set *policy.Set, err error) {
		if err == nil {
			o.gate.SetPolicy(set)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "monitor", Path: o.spool, ARI: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spools.Close() })
	o.world = panelWorld(t, true, func(c *gate.Config) {
		o.store = c.Journal.(*past.Store)
		c.Files, c.Policy = file, file.Current()
		c.Recordings = &gate.Recordings{Book: o.store, Spools: spools}
		c.Dialling.Context, c.Dialling.Numbering = "phones", clients.Numbering{Region: "RU"}
		change(c)
	})
	o.people[ivanov.number] = clients.Client{Name: "Ivanov & Sons", Responsible: "boris"}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- file.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return o
}

// write changes the policy's file.
func (o *bureau) write(text string) {
	if err := os.WriteFile(o.path, []byte(text), 0o600); err != nil {
		panic(err) // a folder of the test's own
	}
}

// lately ingests a script as if it had happened so long ago.
func (w *world) lately(ago time.Duration, events ...call.Event) {
	w.t.Helper()
	by := time.Since(start) - ago
	for i := range events {
		e := &events[i]
		for _, at := range []*time.Time{&e.At, &e.Channel.Created, &e.Peer.Created} {
			if !at.IsZero() {
				*at = at.Add(by)
			}
		}
	}
	w.ingest(events...)
}

// picksUp has somebody pick up the phone that is rung for him.
func (w *world) picksUp(leg call.LegID, endpoint string) {
	own := phone(string(leg), endpoint, call.StateDown, call.Identity{}, call.Identity{})
	own.Name = endpoint + "-00000001" // see answered
	up := own
	up.State = call.StateUp
	w.lately(0, call.Event{Kind: call.LegSeen, Channel: own, At: start}, call.Event{Kind: call.DialBegan, Peer: own, At: start},
		call.Event{Kind: call.LegSeen, Channel: up, At: start}, call.Event{Kind: call.DialEnded, Peer: up, Answered: true, At: start})
	w.gate.Entered(leg)
}

// kept is a call of the past with a recording of some seconds.
func (o *bureau) kept(t testing.TB, id, employee, endpoint string, who outside, ago time.Duration, talked int, recorded bool) {
	t.Helper()
	o.lately(ago, who.rings(id, endpoint, "10"+id, 0)...)
	o.lately(ago, who.talks(id, endpoint, "10"+id, 6)...)
	o.lately(ago, ends(id, 6+talked)...)
	o.sync()
	if recorded {
		o.tape(t, id)
	}
}

// tape puts a recording of half a minute beside the last call.
func (o *bureau) tape(t testing.TB, id string) {
	t.Helper()
	rows, err := o.store.Rows(t.Context(), past.Filter{Limit: 1})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v %v", rows, err)
	}
	sound, name := tone(30), id+".wav"
	if err := os.WriteFile(filepath.Join(o.spool, name), sound, 0o600); err != nil {
		t.Fatal(err)
	}
	began := rows[0].Call.Began
	r, err := o.store.AddRecording(t.Context(), past.Recording{Call: rows[0].Call.ID, Leg: call.LegID(id + ".p"), Spool: "monitor", File: name, Source: "spool", Began: began})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.store.EndRecording(t.Context(), r.ID, began.Add(30*time.Second), int64(len(sound))); err != nil {
		t.Fatal(err)
	}
}

// tone is so many seconds of 440 Hz as WAV.
func tone(seconds int) []byte {
	const rate = 8000
	samples := make([]int16, seconds*rate)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/rate))
	}
	var b bytes.Buffer
	for _, v := range []any{
		[]byte("RIFF"), uint32(36 + 2*len(samples)), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16),
		[]byte("data"), uint32(2 * len(samples)), samples,
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err) // cannot be: a buffer takes everything
		}
	}
	return b.Bytes()
}
