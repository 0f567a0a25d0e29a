package gate

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/policy"
)

// queueOf is the queue by which somebody on a call has come; empty for none.
func queueOf(legs []*call.Leg) string {
	for _, l := range legs {
		if q := l.Queue(); q != "" {
			return q
		}
	}
	return ""
}

// Queues is called by the PBX link with what it is told of the queues, in order.
func (g *Gate) Queues(ev queue.Event) {
	g.locked(func(t *call.Table) {
		if !g.queues.Apply(&ev) {
			return
		}
		for _, a := range g.acts {
			if a.mode == modeTakeover {
				g.reconsider(t, a) // the colleague may be there again
			}
		}
		g.tellQueues(t, &ev)
		g.linesChanged()
	})
}

// Lines lists the lines that the subject may view.
func (g *Gate) Lines(s auth.Subject) ([]mask.Line, error) {
	out := []mask.Line{}
	err := error(nil)
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, ok := set.Employee(s.Employee())
		if !ok {
			err = refusedSubject()
			return
		}
		for line := range set.Lines() {
			if g.mayView(set, me, line) {
				v := g.lineView(t, set, me, line, nil)
				g.waiters(t, set, me, s, line, v)
				out = append(out, *v)
			}
		}
	})
	return out, err
}

// Line is one line that the subject may view. One that he may not, and one that is not there, get the same answer.
func (g *Gate) Line(s auth.Subject, id string) (v mask.Line, err error) {
	err = noSuchLine()
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, _ := set.Employee(s.Employee())
		if line, ok := set.Line(id); ok && g.mayView(set, me, line) {
			v, err = *g.lineView(t, set, me, line, nil), nil
		}
	})
	return v, err
}

func (g *Gate) mayView(set *policy.Set, me policy.Ref, line policy.LineRef) bool {
	return set.Decide(&policy.Request{Subject: me, Action: policy.LineView, Line: line}).Allowed
}

// deedsOfLine are what somebody may do on a line as a whole, as its view names them.
var deedsOfLine = []struct {
	name   string
	action policy.Action
}{
	{"change", policy.LineChange},
	{"statistics", policy.LineStatistics},
	{"history", policy.LineHistory},
	{"join", policy.LineJoin},
	{"replies", policy.LineReplies},
}

// lineViews are views of one moment that differ in no more than the callers and the deeds, to be shared by who sees the same.
type lineViews map[policy.LineRef][]*mask.Line

// lineView is a line as one who may view it sees it now. Caller holds the lock.
func (g *Gate) lineView(t *call.Table, set *policy.Set, me policy.Ref, line policy.LineRef, shared lineViews) *mask.Line {
	v := &mask.Line{ID: set.LineID(line), Name: set.LineName(line), Members: []mask.LineMember{}, Callers: []mask.LineCaller{}, Can: []string{}}
	for _, d := range deedsOfLine {
		if needsPhone(d.action) && len(set.Phones(me)) == 0 { // a line is of this PBX
			continue
		}
		if set.Decide(&policy.Request{Subject: me, Action: d.action, Line: line}).Allowed {
			v.Can = append(v.Can, d.name)
		}
	}
	q, ok := g.queues.Queue(set.Queue(line))
	v.Known = ok && g.known
	if !v.Known {
		q = &queue.State{}
	}
	for _, c := range q.Callers {
		// What AMI says can be forged: nobody waits whom ARI does not have by that name.
		if l := t.Leg(call.LegID(c.Leg)); l != nil && l.Name() == c.Channel {
			v.Callers = append(v.Callers, g.lineCaller(t, set, me, line, l, c.Since))
		}
	}
	if v.Waiting = len(v.Callers); v.Waiting > 0 {
		v.Since = &v.Callers[0].Since
	}
	for _, o := range shared[line] {
		if reflect.DeepEqual(o.Callers, v.Callers) && slices.Equal(o.Can, v.Can) {
			return o
		}
	}
	in := map[policy.Ref]queue.Member{}
	for _, m := range q.Members {
		ref, ok := set.Phone(m.Endpoint())
		if !ok {
			v.Others++
		} else if _, twice := in[ref]; !twice {
			in[ref] = m
		}
	}
	members := slices.Collect(set.LineMembers(line))
	for ref := range in {
		if !set.Works(ref, line) {
			members = append(members, ref)
		}
	}
	slices.SortFunc(members, func(a, b policy.Ref) int { return byPlace(g.board[a], g.board[b]) })
	for _, ref := range members {
		m, queued := in[ref]
		v.Members = append(v.Members, *g.lineMember(set, line, ref, m, queued))
	}
	if shared != nil {
		shared[line] = append(shared[line], v)
	}
	return v
}

// lineMember is an employee on a line; m is of the queue, if he is in it.
func (g *Gate) lineMember(set *policy.Set, line policy.LineRef, ref policy.Ref, m queue.Member, queued bool) *mask.LineMember {
	return &mask.LineMember{
		Employee: set.ID(ref), Name: set.Name(ref), Works: set.Works(ref, line), Queued: queued, Penalty: m.Penalty, Paused: m.Paused, Fixed: queued && m.Fixed,
		State: g.stateOf(ref),
	}
}

// stateOf is an employee's state by his legs on this PBX, as the board shows it to everybody. What he does on others is on the board alone: lines and
// channels are of one PBX.
func (g *Gate) stateOf(ref policy.Ref) string {
	row := mask.Row{}
	if e := g.board[ref]; e != nil {
		for i := range e.here() {
			row.Calls = append(row.Calls, mask.Of(&e.legs[i].facts, mask.Hidden, ""))
		}
	}
	row.Sum(time.Time{})
	return row.State
}

// lineCaller is one who waits, as the subject sees him: as the board shows him on a row where he rings, or as it would on every row of those who work
// on the line, since nobody knows who will answer. Where nobody works on it he is hidden.
func (g *Gate) lineCaller(t *call.Table, set *policy.Set, me policy.Ref, line policy.LineRef, l *call.Leg, since time.Time) mask.LineCaller {
	v := mask.LineCaller{Since: mask.Moment(since), Hidden: true}
	g.scratch.legs = t.Call(g.scratch.legs[:0], l)
	legs := slices.Clone(g.scratch.legs)
	seen := false
	for _, o := range legs {
		ref, ok := set.Phone(o.Endpoint())
		if e := g.board[ref]; ok && e != nil {
			for i := range e.legs {
				if f := &e.legs[i]; f.leg == o.ID() && f.other == l.ID() {
					seen = seen || g.sight(set, me, ref, f).Peer()
				}
			}
		}
	}
	if !seen {
		seen = g.seesAll(set, me, line, legs)
	}
	if seen {
		v.Hidden = false
		v.Peer, _ = g.part(set, l).meet(g, set, l)
	}
	return v
}

// seesAll reports whether the subject may observe everybody who works on a line, with whoever is on the call.
func (g *Gate) seesAll(set *policy.Set, me policy.Ref, line policy.LineRef, legs []*call.Leg) bool {
	var c company
	for _, o := range legs {
		c.join(&g.part(set, o).company)
	}
	r := policy.Request{Subject: me, Action: policy.Observe, With: c.everyone(nil), ProtectedNumber: c.protected}
	n := 0
	for ref := range set.LineMembers(line) {
		r.Target = ref
		if n++; ref == me && c.protected || !set.Decide(&r).Allowed {
			return false // of himself he would be told who calls him once it rings there
		}
	}
	return n > 0
}

// linesChanged has the watchers of lines told soon of what has changed; what changes until then is told with it. Caller holds the lock.
func (g *Gate) linesChanged() {
	if g.lines != nil || g.closed || !slices.ContainsFunc(g.watchers, func(w *Watcher) bool { return len(w.lines) > 0 }) {
		return
	}
	g.lines = time.AfterFunc(g.cfg.LinesEvery, func() {
		g.locked(func(t *call.Table) {
			g.lines = nil
			if g.closed {
				return
			}
			set, shared := g.policy.Load(), lineViews{}
			for _, w := range g.watchers {
				for line := range set.Lines() {
					was, ok := w.lines[line]
					if !ok {
						continue
					}
					if v := g.lineView(t, set, w.me, line, shared); was != v && !reflect.DeepEqual(was, v) {
						w.lines[line] = v
						g.send(w, Message{Type: MessageLine, Line: v})
					}
				}
			}
		})
	})
}

// showLines sends a watcher every line that he may view, behind a snapshot. Caller holds the lock.
func (g *Gate) showLines(t *call.Table, set *policy.Set, w *Watcher) {
	w.lines = map[policy.LineRef]*mask.Line{}
	for line := range set.Lines() {
		if w.cut == nil && g.mayView(set, w.me, line) {
			v := g.lineView(t, set, w.me, line, nil)
			w.lines[line] = v
			g.send(w, Message{Type: MessageLine, Line: v})
		}
	}
}

// clientOf is who is responsible for the client who has come by a queue, and who has access to him; unsure says that the directory cannot tell now.
func (g *Gate) clientOf(set *policy.Set, legs []*call.Leg) (responsible policy.Ref, access []policy.Ref, unsure bool) {
	for _, l := range legs {
		number := g.outside(set, l)
		if l.Queue() == "" || number == "" {
			continue
		}
		c, answer := g.cfg.Clients.Find(number.Digits())
		if answer != clients.Found {
			return policy.Ref{}, nil, answer == clients.Unknown
		}
		responsible, _ = set.Employee(c.Responsible)
		for _, id := range c.Access {
			if ref, ok := set.Employee(id); ok {
				access = append(access, ref)
			}
		}
		return responsible, access, false
	}
	return policy.Ref{}, nil, false
}

// SetReplies puts quick replies in force, by the ids of lines.
func (g *Gate) SetReplies(of map[string][]mask.Reply) { g.replies.Store(&of) }

// Replies are a line's quick replies, for who may use them.
func (g *Gate) Replies(s auth.Subject, id string) ([]mask.Reply, error) {
	set := g.policy.Load()
	me, _ := set.Employee(s.Employee())
	line, ok := set.Line(id)
	if !ok {
		return nil, noSuchLine()
	}
	d := set.Decide(&policy.Request{Subject: me, Action: policy.LineReplies, Line: line})
	outcome := "deny"
	if d.Allowed {
		outcome = "allow"
	}
	g.met.decision(policy.LineReplies, outcome, d.Reason.String())
	switch {
	case !d.Allowed && !g.mayView(set, me, line):
		return nil, noSuchLine()
	case !d.Allowed:
		return nil, g.refusal(set, d, "")
	}
	out := []mask.Reply{}
	if of := g.replies.Load(); of != nil {
		out = append(out, (*of)[set.LineID(line)]...)
	}
	return out, nil
}

// lineCode names a line in the record, if its id can stand there.
func lineCode(id string) string {
	return "line:" + strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || strings.ContainsRune("_-.", r)) {
			return r
		}
		return '_'
	}, id)
}
