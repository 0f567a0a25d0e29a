package pbx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// A floor is a company of its own on the one PBX, so that scenarios can be played beside each other: what its phones are called by begins
// with it. The empty floor is the demo company itself, and there is one for each scenario.
type floor string

// floorOf tells on whose floor a channel is, by its name.
func floorOf(name string) floor {
	_, rest, _ := strings.Cut(name, "/")
	if len(rest) > 3 && rest[0] == '0' {
		return floor(rest[:3])
	}
	return ""
}

// floors are where each scenario is played.
func floors() map[string]floor {
	all := map[string]floor{}
	for i, name := range slices.Sorted(maps.Keys(scenarios)) {
		all[name] = floor(fmt.Sprintf("0%02d", i))
	}
	return all
}

// number is how a number of the demo company is dialled on the floor.
func (f floor) number(n string) string {
	switch n {
	case pbxtest.NumberMusic, pbxtest.NumberPickup, parked:
		return n
	}
	for _, prefix := range []string{pbxtest.PrefixLocal, pbxtest.PrefixLocalN, pbxtest.PrefixPickup, outsideNumber} {
		if rest, ok := strings.CutPrefix(n, prefix); ok {
			return prefix + string(f) + rest
		}
	}
	return string(f) + n
}

// add gives the floor the demo company's phones and numbers.
func (f floor) add(to *pbxtest.Plan) {
	p, id := company(), string(f)
	trunk := id + p.Trunks[0].ID
	to.Trunks = append(to.Trunks, pbxtest.Trunk{ID: trunk})
	for _, ph := range p.Phones {
		ph.ID, ph.Group = id+ph.ID, id+ph.Group
		if ph.Forward != "" {
			ph.Forward = id + ph.Forward
		}
		if ph.ForwardAfter > 0 {
			ph.ForwardAfter = 60
		}
		to.Phones = append(to.Phones, ph)
	}
	for _, q := range p.Queues {
		q.Name, q.Number, q.Timeout, q.Members = id+q.Name, id+q.Number, 60, slices.Clone(q.Members)
		for i := range q.Members {
			q.Members[i].Phone = id + q.Members[i].Phone
		}
		to.Queues = append(to.Queues, q)
	}
	for _, g := range p.Groups {
		g.Number, g.Phones = id+g.Number, slices.Clone(g.Phones)
		for i := range g.Phones {
			g.Phones[i] = id + g.Phones[i]
		}
		to.Groups = append(to.Groups, g)
	}
	for _, r := range p.Rooms {
		to.Rooms = append(to.Rooms, id+r)
	}
	for _, in := range p.Incoming {
		to.Incoming = append(to.Incoming, pbxtest.Incoming{Number: f.number(in.Number), To: id + in.To})
	}
	to.Extensions = append(to.Extensions, f.spying(), f.recording(),
		pbxtest.Extension{Number: "_" + id + pbxtest.PrefixOutside + "X.", Steps: []string{"Dial(PJSIP/${EXTEN:4}@" + trunk + ",60)"}})
}

func (f floor) spying() pbxtest.Extension {
	return pbxtest.Extension{Number: string(f) + chanSpy, Steps: []string{"Answer()", "ChanSpy(PJSIP/" + string(f) + "101,q)"}}
}

func (f floor) recording() pbxtest.Extension {
	return pbxtest.Extension{Number: string(f) + recording, Steps: []string{
		"MixMonitor(" + string(f) + "recorded.wav)", "StopMixMonitor()", "MixMonitor(" + string(f) + "recorded.wav)", "Dial(PJSIP/" + string(f) + "102,60)",
	}}
}

// furnish registers whoever is on a call in the scenario played on a floor, as its recorded boards say.
func (o *office) furnish(t *testing.T, ctx context.Context, all map[string]floor) {
	t.Helper()
	recorded, plan := tapes(t), o.pbx.Plan()
	added := map[string]*phone.Phone{}
	for name, f := range all {
		for i := range recorded[name] {
			e := &recorded[name][i]
			for _, line := range slices.Concat(e.Board, e.Meanwhile) {
				who, _, _ := strings.Cut(line, " ")
				id := string(f) + who
				if o.phones[id] != nil || added[id] != nil {
					continue
				}
				secret, ok := plan.Secret(id)
				if !ok {
					t.Fatalf("the plan has no secret for %s", id)
				}
				p, err := phone.Listen(phone.Config{User: id, Password: secret, Server: o.pbx.SIP()})
				if err != nil {
					t.Fatal(err)
				}
				added[id] = p
			}
		}
	}
	maps.Copy(o.phones, added)
	if err := register(ctx, added); err != nil {
		t.Fatal(err)
	}
}

// vacate closes the phones on all floors, whatever they are doing.
func (o *office) vacate(t *testing.T) {
	t.Helper()
	gone := map[string]*phone.Phone{}
	for id, p := range o.phones {
		if floorOf("PJSIP/"+id) != "" {
			gone[id] = p
		}
	}
	maps.DeleteFunc(o.phones, func(id string, _ *phone.Phone) bool { return gone[id] != nil })
	if err := closePhones(gone); err != nil {
		t.Error(err)
	}
}

// closePhones closes all at once: a PBX that does not answer delays each.
func closePhones(phones map[string]*phone.Phone) error {
	errs := make(chan error, len(phones))
	for _, p := range phones {
		go func() { errs <- p.Close() }()
	}
	var all error
	for range phones {
		all = errors.Join(all, <-errs)
	}
	return all
}

// short is how the tests name an endpoint: "101" for "PJSIP/101".
func short(endpoint string) string { return strings.TrimPrefix(endpoint, "PJSIP/") }

// board tells what a table shows, in the words of a mark: "101 talking in with 102+103", one line for each leg that does something.
func board(t *call.Table) []string { return floor("").board(t) }

func (f floor) board(t *call.Table) []string {
	var lines []string
	for _, l := range t.All(nil) {
		if l.Kind() != call.KindPhone || l.Phase() == call.PhaseNone || floorOf(l.Name()) != f {
			continue
		}
		lines = append(lines, f.line(t, l))
	}
	slices.Sort(lines)
	return lines
}

func (f floor) line(t *call.Table, l *call.Leg) string {
	s := f.short(l) + " " + l.Phase().String() + " " + l.Direction().String()
	if p := f.peers(t, l); len(p) > 0 {
		s += " with " + strings.Join(p, "+")
	}
	return s
}

func (f floor) short(l *call.Leg) string { return strings.TrimPrefix(short(l.Endpoint()), string(f)) }

func (f floor) peers(t *call.Table, l *call.Leg) []string {
	var names []string
	for _, p := range t.Peers(nil, l) {
		names = append(names, f.short(p))
	}
	slices.Sort(names)
	return names
}

// bridged reports whether everybody on the floor who talks with somebody has got into a bridge: an answer comes a moment before that.
func (f floor) bridged(t *call.Table) bool {
	return !slices.ContainsFunc(t.All(nil), func(l *call.Leg) bool {
		return floorOf(l.Name()) == f && l.Phase() == call.PhaseTalking && l.Bridge() == "" && len(t.Peers(nil, l)) > 0
	})
}
