package gate

import (
	"context"
	"errors"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// The types of messages on the event stream.
const (
	MessageSnapshot    = "snapshot"    // everything; the first message, and again after a resync or a change of policy
	MessageEmployee    = "employee"    // one row of the board, whole
	MessageSupervision = "supervision" // one supervision of the watcher's, whole
	MessageIntercept   = "intercept"   // one intercept of the watcher's, whole
	MessageUnknown     = "unknown"     // the PBX is out of reach: what was shown is no longer known; a snapshot follows when it is
)

// Message is one message of the event stream. Seq counts from 1 without gaps on each stream.
type Message struct {
	Type        string            `json:"type"`
	Seq         uint64            `json:"seq"`
	Board       *Board            `json:"board,omitempty"`
	Employee    *mask.Row         `json:"employee,omitempty"`
	Supervision *mask.Supervision `json:"supervision,omitempty"`
	Intercept   *mask.Intercept   `json:"intercept,omitempty"`
}

// Board is everything that one subject may see at one moment.
type Board struct {
	Known        bool               `json:"known" doc:"Whether Earshot knows the state of the PBX; while false there are no calls"`
	Generation   uint64             `json:"generation" doc:"Number of the policy version in force"`
	Me           Me                 `json:"me"`
	Employees    []mask.Row         `json:"employees" nullable:"false"`
	Supervisions []mask.Supervision `json:"supervisions" nullable:"false" doc:"The subject's own that run"`
	Intercepts   []mask.Intercept   `json:"intercepts" nullable:"false" doc:"The subject's own that are under way"`
}

// Why a watcher was cut off.
var (
	CutSlow     = errors.New("too slow: messages were not taken in time; connect again and begin with the snapshot")
	CutShutdown = errors.New("earshot is stopping; connect again")
	CutUnknown  = errors.New("the policy no longer knows this employee")
)

// queue is how many messages a watcher may be behind before he is cut off.
const queue = 512

// Watcher is one open event stream. Next is for one goroutine; Close may be called by any.
type Watcher struct {
	gate    *Gate
	subject auth.Subject
	out     chan Message
	cut     error  // set before out is closed
	seq     uint64 // under the gate's lock, as the rest
	me      policy.Ref
	shown   []uint64 // a sum over what was last sent of each row
}

// Watch opens an event stream for the subject. Its first message is a snapshot.
func (g *Gate) Watch(s auth.Subject) (*Watcher, error) {
	w := &Watcher{gate: g, subject: s, out: make(chan Message, queue)}
	err := error(nil)
	g.locked(func(*call.Table) {
		if g.closed {
			err = CutShutdown
			return
		}
		if _, ok := g.policy.Load().Employee(s.Employee()); !ok {
			err = refusedSubject()
			return
		}
		g.watchers[w] = struct{}{}
		g.met.watchers.Inc()
		g.snapshot(w)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Next waits for the next message. It returns one of the Cut errors when the stream is over.
func (w *Watcher) Next(ctx context.Context) (Message, error) {
	select {
	case m, ok := <-w.out:
		if !ok {
			return Message{}, w.cut
		}
		w.gate.met.deliveries.Inc()
		return m, nil
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

// Close ends the stream.
func (w *Watcher) Close() {
	w.gate.locked(func(*call.Table) { w.gate.cut(w, context.Canceled) })
}

func (g *Gate) cut(w *Watcher, why error) {
	if _, ok := g.watchers[w]; !ok {
		return
	}
	delete(g.watchers, w)
	g.met.watchers.Dec()
	if errors.Is(why, CutSlow) {
		g.met.cutoffs.Inc()
	}
	w.cut = why
	close(w.out)
}

// send queues a message for a watcher; one who is too far behind is cut off, so that he never holds up another.
func (g *Gate) send(w *Watcher, m Message) {
	if w.cut != nil {
		return
	}
	w.seq++
	m.Seq = w.seq
	select {
	case w.out <- m:
	default:
		g.cut(w, CutSlow)
	}
}

// show sends a row if it differs from what this watcher was last sent. A change that he may not see changes nothing that he is sent, so the
// mere arrival of a message does not tell of it either.
func (g *Gate) show(w *Watcher, set *policy.Set, e *entry) {
	if w.cut != nil {
		return
	}
	sights, can, sum := g.look(set, w.me, e)
	if w.shown[e.place] == sum {
		return
	}
	w.shown[e.place] = sum
	r := g.write(set, w.me, e, sights, can)
	g.send(w, Message{Type: MessageEmployee, Employee: &r})
}

// resnap sends every watcher a new snapshot.
func (g *Gate) resnap() {
	for w := range g.watchers {
		g.snapshot(w)
	}
}

func (g *Gate) snapshot(w *Watcher) {
	set := g.policy.Load()
	me, ok := set.Employee(w.subject.Employee())
	if !ok {
		g.cut(w, CutUnknown)
		return
	}
	w.me, w.shown = me, make([]uint64, set.Len())
	b := g.view(set, me, w.shown)
	g.send(w, Message{Type: MessageSnapshot, Board: &b})
}

// view is the board for one subject. It notes in shown, if there is one, the sums of the rows.
func (g *Gate) view(set *policy.Set, me policy.Ref, shown []uint64) Board {
	b := Board{Known: g.known, Generation: set.Generation(), Me: g.me(set, me)}
	b.Employees = make([]mask.Row, 0, set.Len())
	for ref := range set.Employees() {
		e := g.board[ref]
		sights, can, sum := g.look(set, me, e)
		if shown != nil {
			shown[e.place] = sum
		}
		b.Employees = append(b.Employees, g.write(set, me, e, sights, can))
	}
	b.Supervisions, b.Intercepts = g.theirs(b.Me.ID)
	return b
}
