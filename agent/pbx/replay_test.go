package pbx

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// TestReplay replays every recorded stream and looks at the table after every event.
func TestReplay(t *testing.T) {
	all := tapes(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judge(t, all[name])
		})
	}
	for name := range scenarios {
		if all[name] == nil {
			t.Errorf("the scenario %s has not been recorded: go test ./agent/pbx -run TestCapture -update", name)
		}
	}
}

// A player replays a stream through the link's own reading of ARI and AMI into a feed, by the stream's own clock.
type player struct {
	t    testing.TB
	now  time.Time
	feed *feed.Feed
	link *Link
	look func() // after every event, and while time passes
}

func newPlayer(t testing.TB) *player {
	p := &player{t: t, look: func() {}}
	p.feed = feed.New(feed.Config{Now: func() time.Time { return p.now }, Resync: func() { t.Error("a resync was asked for") }})
	l, err := New(Config{ARI: ari.Config{BaseURL: "http://pbx/ari", Username: "earshot"}, Sink: p.feed, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	l.known.Store(true)
	p.link = l
	return p
}

// beat is how often the feed lets time pass.
const beat = 25 * time.Millisecond

// wait lets time pass until at. Nothing waits for longer than two seconds.
func (p *player) wait(at time.Time) {
	if at.Sub(p.now) > 2*time.Second {
		until := p.now.Add(2 * time.Second)
		p.wait(until)
		p.now = at
	}
	for at.Sub(p.now) > beat {
		p.now = p.now.Add(beat)
		p.feed.Tick()
		p.look()
	}
	p.now = at
}

// take hands one entry on as the link does.
func (p *player) take(e *entry, pending *collection) {
	p.t.Helper()
	p.wait(e.At)
	switch {
	case e.ARI != nil:
		ev, err := ari.ParseEvent(e.ARI)
		if err != nil {
			p.t.Fatal(err)
		}
		p.link.take(ev, pending)
	case e.AMI != nil:
		m, err := ami.NewReader(strings.NewReader(strings.Join(e.AMI, "\r\n")+"\r\n\r\n"), ami.Limits{}).Read()
		if err != nil {
			p.t.Fatal(err)
		}
		if err := p.link.witness(m); err != nil {
			p.t.Fatal(err)
		}
	default:
		return
	}
	p.look()
}

// tie is two legs of which one is the other's peer.
type tie [2]call.LegID

// judge replays a stream and reports whatever a person who stands in the room would call wrong, at each mark and in between.
func judge(t *testing.T, tape []entry) {
	t.Helper()
	p := newPlayer(t)
	m := newModel()
	j := &judgement{T: t, player: p, model: m, real: map[tie]time.Time{}, said: map[string]bool{}}
	p.look = j.look
	for i := range tape {
		e := &tape[i]
		if i == 0 {
			p.now = e.At
			p.feed.Resync(canned(e.Snapshot).read(t), nil)
		}
		if e.Mark == "" {
			p.wait(e.At)
			m.take(t, e)
			j.note(e.At)
			j.at = fmt.Sprintf("line %d", i+1)
			p.take(e, nil)
			continue
		}
		p.wait(e.At)
		j.at = fmt.Sprintf("line %d, # %s", i+1, e.Mark)
		j.mark(e, tape[i+1:])
	}
	j.feed.Read(func(table *call.Table) {
		for _, l := range table.All(nil) {
			if l.Kind() == call.KindPhone {
				t.Errorf("a leg of %s is left", short(l.Endpoint()))
			}
		}
	})
}

// A judgement is a replay that is looked at.
type judgement struct {
	*testing.T
	*player
	model *model
	at    string
	real  map[tie]time.Time // when two legs were last tied, by the model
	said  map[string]bool   // what has been complained of

	allowed map[[2]string]bool           // who may be whose peer, by endpoint, between the last mark and the next
	before  map[call.LegID]legAt         // the legs at the last mark
	peered  map[call.LegID][]*call.Leg   // its peers at the last mark
	lost    map[call.LegID]time.Time     // since when it has had none
	alone   map[call.LegID]time.Duration // for how long it was without one since the last mark, at most
	phases  map[call.LegID][]call.Phase  // that a leg has had since the last mark
	marked  time.Time
}

type legAt struct {
	phase call.Phase
	since time.Time
}

func (j *judgement) complain(format string, a ...any) {
	j.Helper()
	text := fmt.Sprintf(format, a...)
	if !j.said[text] {
		j.said[text] = true
		j.Errorf("%s: %s", j.at, text)
	}
}

// note keeps who is tied at this moment.
func (j *judgement) note(at time.Time) {
	for id := range j.model.channels {
		for peer := range j.model.peers(id) {
			j.real[tie{call.LegID(id), call.LegID(peer)}] = at
		}
	}
}

// slack is what two clocks and one event's way may differ by.
const slack = 30 * time.Millisecond

// instant is what several events of one operation may take.
const instant = 5 * time.Millisecond

func (j *judgement) look() {
	j.Helper()
	j.feed.Read(func(t *call.Table) {
		for _, l := range t.All(nil) {
			j.leg(t, l)
		}
	})
}

func (j *judgement) leg(t *call.Table, l *call.Leg) {
	j.Helper()
	id := string(l.ID())
	if l.Kind() != call.KindPhone {
		return
	}
	ps := t.Peers(nil, l)
	for _, p := range ps {
		if now := j.model.peers(id)[string(p.ID())]; !now && j.now.Sub(j.real[tie{l.ID(), p.ID()}]) > call.MoveTime+slack {
			j.complain("%s is shown with %s, and nothing ties them", short(l.Endpoint()), short(p.Endpoint()))
		}
		if !j.allowed[[2]string{short(l.Endpoint()), short(p.Endpoint())}] {
			j.complain("%s is shown with %s, which neither the mark before nor the one after says", short(l.Endpoint()), short(p.Endpoint()))
		}
	}
	closure := t.Call(nil, l)
	for peer := range j.model.peers(id) {
		if !slices.ContainsFunc(closure, func(o *call.Leg) bool { return string(o.ID()) == peer }) {
			j.complain("%s is tied to %s, who is not on its call", short(l.Endpoint()), short(j.model.channels[peer].Name))
		}
	}
	if l.State() == call.StateUp && l.Phase() == call.PhaseNone && !j.model.hungUp[id] {
		j.complain("%s is up and idle", short(l.Endpoint()))
	}
	since, lost := j.lost[l.ID()]
	switch {
	case lost:
		j.alone[l.ID()] = max(j.alone[l.ID()], j.now.Sub(since))
		if len(ps) > 0 {
			delete(j.lost, l.ID())
		}
	case len(ps) == 0:
		j.lost[l.ID()] = j.now
	}
	if seen := j.phases[l.ID()]; len(seen) == 0 || seen[len(seen)-1] != l.Phase() {
		j.phases[l.ID()] = append(seen, l.Phase())
	}
}

// mark compares the table with what a person would say and with the PBX, and looks back on what has been seen since the last mark.
func (j *judgement) mark(e *entry, rest []entry) {
	j.Helper()
	j.feed.Read(func(t *call.Table) {
		if got := board(t); !slices.Equal(got, e.Board) {
			j.complain("the board says\n\t%s\nand should say\n\t%s", strings.Join(got, "\n\t"), strings.Join(e.Board, "\n\t"))
		}
		for _, d := range t.Diff(canned(e.Snapshot).read(j.T)) {
			j.complain("not as on the PBX: %s", d)
		}
		before := map[call.LegID]legAt{}
		peered := map[call.LegID][]*call.Leg{}
		for _, l := range t.All(nil) {
			if l.Kind() != call.KindPhone {
				continue
			}
			was, old := j.before[l.ID()]
			is := legAt{l.Phase(), l.Since()}
			before[l.ID()], peered[l.ID()] = is, t.Peers(nil, l)
			// The table itself keeps a tie for the time of a move, so who is with the same one before and after is not seen without him, but for
			// the instant in which he and a Local channel are put into another bridge one after the other. Who gets another peer (a transfer, a
			// pickup) may be, but for no longer than a supervision waits.
			same := slices.ContainsFunc(peered[l.ID()], func(p *call.Leg) bool { return slices.Contains(j.peered[l.ID()], p) })
			if alone := j.alone[l.ID()]; same && alone > instant || len(peered[l.ID()]) > 0 && len(j.peered[l.ID()]) > 0 && alone > call.MoveTime {
				j.complain("%s, which has a peer at this mark and the last, was without one for %v", short(l.Endpoint()), alone)
			}
			switch {
			case old && was.phase == is.phase:
				if !was.since.Equal(is.since) {
					j.complain("%s has been %s since the last mark, and that is said to have begun at another time", short(l.Endpoint()), is.phase)
				}
			case is.phase != call.PhaseNone && (is.since.Before(j.marked.Add(-slack)) || is.since.After(e.At)):
				j.complain("%s became %s after the last mark, and is said to be so since %v before it", short(l.Endpoint()), is.phase, j.marked.Sub(is.since))
			}
			for _, ph := range j.phases[l.ID()] {
				if old && ph != was.phase && ph != is.phase && !(was.phase == call.PhaseRinging && ph == call.PhaseTalking) {
					// (A phone that answers a click to call talks until Asterisk dials for it.)
					j.complain("%s, %s before and %s now, was shown as %q in between", short(l.Endpoint()), was.phase, is.phase, ph)
				}
			}
		}
		j.before, j.peered = before, peered
	})
	j.lost, j.alone = map[call.LegID]time.Time{}, map[call.LegID]time.Duration{}
	j.phases, j.marked = map[call.LegID][]call.Phase{}, e.At
	j.allowed = map[[2]string]bool{}
	j.allow(e.Board)
	for i := range rest {
		if rest[i].Mark != "" {
			j.allow(rest[i].Meanwhile)
			j.allow(rest[i].Board)
			break
		}
	}
}

// allow takes in who is with whom on a board.
func (j *judgement) allow(board []string) {
	for _, line := range board {
		words := strings.Fields(line)
		if len(words) < 5 {
			continue
		}
		for _, peer := range strings.Split(words[4], "+") {
			j.allowed[[2]string{words[0], peer}] = true
		}
	}
}
