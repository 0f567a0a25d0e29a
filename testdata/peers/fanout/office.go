// Package fanout brings what happens on a PBX to a hundred panels over loopback TCP: by the doors of an Earshot, by plain broadcasters that write as much
// as waits in one go as the doors do, and by ones that write once for each event and connection.
package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
)

// Names of those who send.
const (
	Earshot = "Earshot"
	Batched = "plain broadcaster"
	Single  = "a write an event"
)

// Panels is how many watch.
const Panels = 100

// start is when everything happens.
var start = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// office is an Earshot without its doors, over a PBX that takes no orders, since nobody gives any.
type office struct {
	feed   *feed.Feed
	gate   *gate.Gate
	tokens *auth.Tokens
	token  map[string]string
	ends   []func()
}

// newOffice is one of n employees e0, e1, …, of whom the even ones may observe all; each has a token, and the panel crm one for everybody.
func newOffice(n int, rights string) (*office, error) {
	text := "version: 1\nemployees:\n"
	o := &office{token: map[string]string{}}
	var entries []auth.Entry
	for i := range n {
		id := fmt.Sprint("e", i)
		text += fmt.Sprintf("  %s: {name: Employee %d, phones: [PJSIP/%d], numbers: [\"%d\"], observe: %v%s}\n", id, i, 1000+i, 1000+i, i%2 == 0, rights)
		token, hash := auth.NewToken()
		o.token[id] = token
		entries = append(entries, auth.Entry{Employee: id, Hash: hash, Expires: start.Add(100 * 365 * 24 * time.Hour)})
	}
	token, hash := auth.NewToken()
	o.token["crm"] = token
	entries = append(entries, auth.Entry{Panel: "crm", ActsFor: []string{auth.Everyone}, Hash: hash, Expires: start.Add(100 * 365 * 24 * time.Hour)})
	set, problems, err := policy.Load("policy.yaml", []byte(text+"trunks: [PJSIP/trunk]\n"), start)
	if err != nil {
		return nil, fmt.Errorf("the policy: %w %v", err, problems)
	}
	if o.tokens, err = auth.NewTokens(auth.Options{}, entries...); err != nil {
		return nil, err
	}
	o.feed = feed.New(feed.Config{
		Now:     func() time.Time { return start },
		OnApply: func(t *call.Table, ev *call.Event, ch []call.Change) { o.gate.Applied(t, ev, ch) },
	})
	o.gate = gate.New(gate.Config{
		Feed: o.feed, PBX: nobody{}, Audit: nobody{}, Clients: nobody{}, Policy: set, Log: zerolog.Nop(), Metrics: gate.NewMetrics(nil),
		Dialling: gate.Dialling{Context: "from-internal"},
	})
	o.later(func() { _ = o.gate.Close(context.Background()) })
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	return o, nil
}

// later has something done when all is over, before what was said earlier.
func (o *office) later(end func()) { o.ends = append(o.ends, end) }

func (o *office) close() {
	for i := len(o.ends) - 1; i >= 0; i-- {
		o.ends[i]()
	}
}

func (o *office) ingest(events ...call.Event) {
	for i := range events {
		if events[i].At.IsZero() {
			events[i].At = start
		}
		o.feed.Ingest(&events[i])
	}
}

// nobody is in the places of the PBX, of the audit log and of the directory.
type nobody struct{ gate.PBX }

func (nobody) Append(context.Context, audit.Entry) error { return nil }

func (nobody) Find(string) (clients.Client, clients.Answer) {
	return clients.Client{}, clients.Stranger
}

// follower takes what happens into a table of calls, as without one nobody could say what an event means.
func follower() func(events ...call.Event) {
	table := call.NewTable()
	table.Apply(&call.Event{Kind: call.Resynced, At: start, Snapshot: &call.Snapshot{}})
	return func(events ...call.Event) {
		for i := range events {
			table.Apply(&events[i])
		}
	}
}

// outside is somebody who calls from outside.
type outside struct{ name, number string }

func leg(id, endpoint string, s call.State, own, other call.Identity) call.Channel {
	return call.Channel{ID: call.LegID(id), Name: endpoint + "-" + id, State: s, Caller: own, Connected: other, Created: start}
}

// must ends the run: what goes wrong while it is measured is no figure.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
