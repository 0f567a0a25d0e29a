package pbx

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// A cut is where in a stream a link has connected: which line was the last that the PBX had written before each step of the snapshot. The
// events that the link gets begin with the one after from; unless it has been there since the beginning, knows the state, and takes another
// snapshot because it was asked to.
type cut struct {
	from, channels, bridges, variables, marker int
	known                                      bool
}

func (c cut) String() string {
	if c.known {
		return fmt.Sprintf("the beginning, and asked at lines %d, %d, %d, %d, %d", c.from+1, c.channels+1, c.bridges+1, c.variables+1, c.marker+1)
	}
	return fmt.Sprintf("lines %d, %d, %d, %d, %d", c.from+1, c.channels+1, c.bridges+1, c.variables+1, c.marker+1)
}

// TestASnapshotTakenAnywhereLeadsToTheSameState connects to each recorded stream at every line, with a snapshot that is taken piece by piece
// while calls go on, and looks at every mark that follows.
func TestASnapshotTakenAnywhereLeadsToTheSameState(t *testing.T) {
	all := tapes(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tape := all[name]
			states := make([]*model, len(tape)) // after each line
			marks := make([]*call.Snapshot, len(tape))
			m, first := newModel(), map[string]string{}
			for i := range tape {
				m.take(t, &tape[i])
				states[i] = m.clone()
				if tape[i].Snapshot != nil {
					marks[i] = canned(tape[i].Snapshot).read(t)
				}
				for id, to := range tape[i].Linked {
					if first[id] == "" {
						first[id] = to
					}
				}
			}
			random := rand.New(rand.NewPCG(1, uint64(len(tape))))
			later := func(i, most int) int { return min(i+random.IntN(most+1), len(tape)-1) }
			for i := range tape {
				whole := cut{i, i, i, i, i, false}
				pieces := cut{from: max(0, i-random.IntN(8)), channels: i}
				pieces.bridges = later(pieces.channels, 4)
				pieces.variables = later(pieces.bridges, 4)
				pieces.marker = later(pieces.variables, 4)
				for _, c := range []cut{whole, pieces} {
					connect(t, name, tape, states, marks, first, c)
					c.known = true
					connect(t, name, tape, states, marks, first, c)
					if t.Failed() {
						return // the others would say the same
					}
				}
			}
		})
	}
}

// connect replays a stream from a cut on.
func connect(t *testing.T, name string, tape []entry, states []*model, marks []*call.Snapshot, first map[string]string, c cut) {
	t.Helper()
	p := newPlayer(t)
	p.now = tape[0].At
	if p.link.known.Store(c.known); c.known {
		p.feed.Resync(marks[0], nil)
	}
	pending := &collection{}
	for i := range tape {
		e := &tape[i]
		switch {
		case i <= c.from && c.known:
			p.take(e, nil)
		case i > c.from && i <= c.marker:
			p.take(e, pending)
		}
		if i == c.marker {
			p.feed.Resync(poll{states[c.channels], states[c.bridges], states[c.variables], first}.read(t), pending.events)
			p.link.known.Store(true)
		}
		if i > c.marker {
			p.take(e, nil)
		}
		if e.Mark == "" || i < c.marker {
			continue
		}
		p.feed.Read(func(table *call.Table) {
			for _, d := range table.Diff(marks[i]) {
				t.Errorf("connected at %v; line %d, # %s: not as on the PBX: %s", c, i+1, e.Mark, d)
			}
			for _, l := range table.All(nil) {
				at := states[i].answered[string(l.ID())]
				if l.Kind() == call.KindPhone && l.State() == call.StateUp && (l.Answered().Before(at.Add(-slack)) || l.Answered().After(at.Add(slack))) {
					t.Errorf("connected at %v; line %d, # %s: %s was answered %v from when it really was", c, i+1, e.Mark, short(l.Endpoint()), l.Answered().Sub(at))
				}
			}
			got := board(table)
			var want []string
			for _, line := range e.Board {
				switch other := turned[name+" "+line]; {
				case c.known: // nothing can have been missed
				case slices.Contains(got, line):
				case slices.Contains(got, other):
					line = other
				default:
					line = untold(tape[:c.from+1], line)
				}
				want = append(want, line)
			}
			got = slices.DeleteFunc(got, func(line string) bool { return !c.known && !slices.Contains(want, line) && ghost(states[c.from], line) })
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("connected at %v; line %d, # %s: the board says\n\t%s\nand should say\n\t%s", c, i+1, e.Mark, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

// turned are the lines in which somebody who connected in the middle says something else. The direction of a leg which Asterisk had rung, and
// which has since been sent into the dialplan or into an application, is not in a snapshot; nor that a leg, of which Asterisk keeps the
// channel, waits no longer for the one who rings for the same call; nor that a leg which was left in the place of another one waits for whom that
// one had dialled, as the linked id of who rings is still that one's.
var turned = map[string]string{
	"attended-keys-ringing 102 ringing in with trunk":    "102 ringing in with 101+trunk",
	"attended-refer-ringing 102 ringing in with trunk":   "102 ringing in",
	"attended-refer-ringing trunk dialling out with 102": "trunk talking out",
	"supervision 103 talking in":                         "103 talking out",
	"blind-keys-caller 102 dialling in with 103":         "102 dialling out with 103",
	"blind-keys-caller 102 talking in with 103":          "102 talking out with 103",
}

// ghost reports whether a line is about a phone that had hung up before, and whose channel Asterisk keeps.
func ghost(m *model, line string) bool {
	phone, _, _ := strings.Cut(line, " ")
	for id := range m.hungUp {
		if strings.HasPrefix(m.channels[id].Name, "PJSIP/"+phone+"-") {
			return true
		}
	}
	return false
}

// untold is a line as somebody says it who has not heard of a hold.
func untold(missed []entry, line string) string {
	phone, rest, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(rest, "held") {
		return line
	}
	for i := range missed {
		if text := string(missed[i].ARI); strings.Contains(text, `"type":"ChannelHold"`) && strings.Contains(text, `"name":"PJSIP/`+phone+"-") {
			return phone + " talking" + strings.TrimPrefix(rest, "held")
		}
	}
	return line
}

func (p poll) read(t testing.TB) *call.Snapshot {
	t.Helper()
	l, err := New(Config{ARI: ari.Config{BaseURL: "http://pbx/ari", Username: "earshot", HTTPClient: &http.Client{Transport: p}}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	l.begun.Store(true)
	s, err := l.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
