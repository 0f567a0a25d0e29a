package gate

import (
	"errors"
	"slices"

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
	MessageSupervised  = "supervised"  // a supervision of a call of the watcher's own, whole
	MessageIncoming    = "incoming"    // a call of a client of the watcher's that rings at others or waits, whole
	MessageLine        = "line"        // one line that the watcher may view, whole; after each snapshot one for every such line
	MessageJoin        = "join"        // one conversation that the watcher joins or takes over, whole
	MessageRecording   = "recording"   // one recording that the watcher has begun, whole
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
	Incoming    *mask.Incoming    `json:"incoming,omitempty"`
	Supervised  *mask.Supervised  `json:"supervised,omitempty"`
	Line        *mask.Line        `json:"line,omitempty"`
	Join        *mask.Join        `json:"join,omitempty"`
	Recording   *mask.Taping      `json:"recording,omitempty"`
}

// Board is everything that one subject may see at one moment.
type Board struct {
	Known        bool               `json:"known" doc:"Whether this Earshot knows the state of its own PBX; while false there are no calls. Of another PBX unknown says so, on the rows of those whose phones are there"`
	Generation   uint64             `json:"generation" doc:"Number of the policy version in force"`
	Me           Me                 `json:"me"`
	Employees    []mask.Row         `json:"employees" nullable:"false"`
	Supervisions []mask.Supervision `json:"supervisions" nullable:"false" doc:"The subject's own that run"`
	Intercepts   []mask.Intercept   `json:"intercepts" nullable:"false" doc:"The subject's own that are under way"`
	Incoming     []mask.Incoming    `json:"incoming" nullable:"false" doc:"Calls of the subject's clients that ring at others, or wait where no phone rings"`
	Joins        []mask.Join        `json:"joins" nullable:"false" doc:"Conversations of lines that the subject is in, or is about to come into or to take over"`
}

// Why a watcher was cut off.
var (
	CutSlow     = errors.New("too slow: messages were not taken in time; connect again and begin with the snapshot")
	CutShutdown = errors.New("earshot is stopping; connect again")
	CutUnknown  = errors.New("the policy no longer knows this employee")
)

// Watch opens an event stream for the subject. Its first message is a snapshot.
func (g *Gate) Watch(s auth.Subject) (*Watcher, error) {
	w := &Watcher{reader: reader{gate: g, tag: g.secret.tag(tagSubject, s.Employee())}, subject: s, digits: []byte{'0'}}
	w.open(g.met.deliveries)
	err := error(nil)
	g.locked(func(t *call.Table) {
		if g.closed {
			err = CutShutdown
			return
		}
		if _, ok := g.policy.Load().Employee(s.Employee()); !ok {
			err = refusedSubject()
			return
		}
		g.watchers = append(g.watchers, w)
		g.met.watchers.Inc()
		g.snapshot(t, w)
		g.secondBoard(s)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (g *Gate) cut(w *Watcher, why error) {
	if w.cut != nil {
		return
	}
	// Into memory of its own, as somebody may be going through the watchers.
	g.watchers = slices.DeleteFunc(slices.Clone(g.watchers), func(o *Watcher) bool { return o == w })
	g.met.watchers.Dec()
	if errors.Is(why, CutSlow) {
		g.met.cutoffs.Inc()
	}
	w.cut = why
	w.end(why)
}

// send queues a message for a watcher; one who is too far behind is cut off, so that he never holds up another.
func (g *Gate) send(w *Watcher, m Message) { g.post(w, item{message: &m}) }

func (g *Gate) post(w *Watcher, it item) {
	if w.cut == nil && !w.push(it) {
		g.cut(w, CutSlow)
	}
}

// show sends a row if it differs from what this watcher was last sent. A change that he may not see changes nothing that he is sent, so the
// mere arrival of a message does not tell of it either.
func (g *Gate) show(w *Watcher, set *policy.Set, e *entry) {
	if w.cut != nil {
		return
	}
	at := &w.shown[e.place]
	c := g.classify(set, w.me, e, at)
	if at.sum == c.sum {
		return
	}
	at.sum = c.sum
	g.post(w, item{row: e.write(c)})
}

// resnap sends every watcher a new snapshot.
func (g *Gate) resnap(t *call.Table) {
	for _, w := range g.watchers {
		g.snapshot(t, w)
	}
}

func (g *Gate) snapshot(t *call.Table, w *Watcher) {
	set := g.policy.Load()
	me, ok := set.Employee(w.subject.Employee())
	if !ok {
		g.cut(w, CutUnknown)
		return
	}
	w.me, w.shown = me, make([]glance, set.Len())
	g.post(w, item{board: g.view(set, me, w.shown)})
	g.showLines(t, set, w)
}
