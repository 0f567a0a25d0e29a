// Package queue is what is known of the queues of the PBX: who works on each, and who waits there.
//
// Asterisk tells of this by AMI alone, whose text can be forged by whoever chooses a caller id. So what is here says nothing about calls: who
// talks to whom, and by which queue he came, is package call's, from ARI. A caller who waits counts only as long as his leg is there.
package queue

import (
	"slices"
	"strings"
	"time"
)

// Member is one who works on a queue, as Asterisk has him.
type Member struct {
	Interface string // what is dialled for him: "PJSIP/101", "Local/201@phones/n"; it names him within the queue
	Device    string // by whose state he counts as busy, where that is another: "PJSIP/201"; empty for the interface
	Penalty   int    // members of a higher one are rung only when nobody of a lower one is free
	Paused    bool   // he is rung no more until that is taken back
	Fixed     bool   // he stands in the PBX's configuration, and cannot be removed while it runs
}

// Endpoint returns the phone that the member is rung at, such as PJSIP/101; nothing where Asterisk names none.
func (m Member) Endpoint() string {
	for _, s := range [...]string{m.Device, m.Interface} {
		if tech, resource, ok := strings.Cut(s, "/"); ok && resource != "" && tech != "Local" && !strings.ContainsAny(tech, ":@ ") {
			return s
		}
	}
	return ""
}

// Caller is one who waits in a queue.
type Caller struct {
	Leg     string // the unique id of his channel
	Channel string // its name
	Since   time.Time
}

// State is one queue.
type State struct {
	Name    string
	Members []Member // in the order of their interfaces
	Callers []Caller // who has waited longest first
}

// Kind says what an Event tells.
type Kind uint8

// The kinds of events. Each names the fields of Event that it uses. The zero value tells nothing.
const (
	_            Kind = iota
	Taken             // Queues: everything there is; what is not in it is gone
	Lost              // nothing: nothing is known until the next Taken
	MemberSeen        // Queue, Member: he has come, or anything of him has changed
	MemberGone        // Queue, Member (its interface)
	CallerJoined      // Queue, Caller
	CallerLeft        // Queue, Caller (its leg), GaveUp: he has been answered, has given up, or goes on elsewhere
)

// Event is one fact about a queue.
type Event struct {
	Kind   Kind
	Queue  string
	Member Member
	Caller Caller
	GaveUp bool // he has hung up, as far as AMI says
	Queues []State
}

// Table is what is known of all queues. The zero value knows nothing. It is not safe for concurrent use.
type Table struct {
	known  bool
	queues map[string]*State
}

// Known reports whether the state is.
func (t *Table) Known() bool { return t.known }

// Queue returns the queue of that name; false when there is none, or nothing is known. What it holds is the table's and changes with Apply.
func (t *Table) Queue(name string) (*State, bool) {
	q, ok := t.queues[name]
	return q, ok
}

// Apply takes in one event. It reports whether it changed anything; of a queue that is not there it does not, until the next Taken.
func (t *Table) Apply(ev *Event) bool {
	switch ev.Kind { //nolint:exhaustive // the others are below
	case Taken:
		t.known, t.queues = true, make(map[string]*State, len(ev.Queues))
		for _, q := range ev.Queues {
			s := &State{Name: q.Name, Members: slices.Clone(q.Members), Callers: slices.Clone(q.Callers)}
			slices.SortStableFunc(s.Members, byInterface)
			slices.SortStableFunc(s.Callers, byWait)
			t.queues[q.Name] = s
		}
		return true
	case Lost:
		was := t.known
		t.known, t.queues = false, nil
		return was
	}
	q, ok := t.queues[ev.Queue]
	if !ok {
		return false
	}
	switch ev.Kind { //nolint:exhaustive // the others are above
	case MemberSeen:
		return q.seen(ev.Member)
	case MemberGone:
		return q.gone(ev.Member.Interface)
	case CallerJoined:
		return q.joined(ev.Caller)
	case CallerLeft:
		return q.left(ev.Caller.Leg)
	}
	return false
}

// Forget takes a caller out of every queue: his leg is gone, whatever AMI says. It reports whether he was in one.
func (t *Table) Forget(leg string) (was bool) {
	for _, q := range t.queues {
		was = q.left(leg) || was
	}
	return was
}

func (q *State) seen(m Member) bool {
	i, ok := slices.BinarySearchFunc(q.Members, m, byInterface)
	switch {
	case !ok:
		q.Members = slices.Insert(q.Members, i, m)
	case q.Members[i] == m:
		return false
	default:
		q.Members[i] = m
	}
	return true
}

func (q *State) gone(of string) bool {
	n := len(q.Members)
	q.Members = slices.DeleteFunc(q.Members, func(m Member) bool { return m.Interface == of })
	return len(q.Members) < n
}

// joined takes in one who waits. Of one who is there already the earlier time stands: a list of them is asked for again and again, and says to the
// second how long each has waited.
func (q *State) joined(c Caller) bool {
	if slices.ContainsFunc(q.Callers, func(o Caller) bool { return o.Leg == c.Leg }) {
		return false
	}
	q.Callers = append(q.Callers, c)
	slices.SortStableFunc(q.Callers, byWait)
	return true
}

func (q *State) left(leg string) bool {
	n := len(q.Callers)
	q.Callers = slices.DeleteFunc(q.Callers, func(c Caller) bool { return c.Leg == leg })
	return len(q.Callers) < n
}

func byInterface(a, b Member) int { return strings.Compare(a.Interface, b.Interface) }

func byWait(a, b Caller) int { return a.Since.Compare(b.Since) }
