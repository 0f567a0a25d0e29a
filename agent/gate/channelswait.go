package gate

import (
	"maps"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// visit is one caller's stay in one queue.
type visit struct {
	queue string
	leg   call.LegID
}

// guise is as whom a subject knows one who waits: as the channel that he is shown for him, or as nobody whom he could find elsewhere. It is settled
// when it is first asked for, and stays until the caller waits no more, so that who joins and who leaves are one whatever has become visible between.
type guise struct {
	id       mark
	endpoint string // of the channel; empty for nobody
}

// guise settles as whom a subject knows who waits. Known are those that are settled already. Caller holds the lock.
func (g *Gate) guise(t *call.Table, set *policy.Set, me policy.Ref, v visit, known map[visit]guise) guise {
	if as, ok := known[v]; ok {
		return as
	}
	as := guise{id: mark{g.private.tag(tagVisit, v.queue+"\x00"+string(v.leg)), mask.Hidden}}
	line, ok := set.LineOfQueue(v.queue)
	if l := t.Leg(v.leg); ok && l != nil {
		if id, shown := g.ownMark(t, set, me, line, l); shown {
			as = guise{id, l.Endpoint()}
		}
	}
	if known != nil {
		known[v] = as
	}
	return as
}

// ownMark is of the channel that a subject is shown for one who waits, as long as he sees who that is.
func (g *Gate) ownMark(t *call.Table, set *policy.Set, me policy.Ref, line policy.LineRef, l *call.Leg) (id mark, shown bool) {
	ref, ok := set.Phone(l.Endpoint())
	if !ok {
		return g.waitingMark(set, l), !g.lineCaller(t, set, me, line, l, l.Since()).Hidden
	}
	e := g.board[ref]
	for i := range e.legs {
		if f := &e.legs[i]; f.leg == l.ID() {
			s := g.sight(set, me, ref, f)
			return mark{e.tag.with(f.tag), s}, s.Peer()
		}
	}
	return mark{}, false
}

// outsideMark is of the channel of a leg that is on nobody's row.
func (g *Gate) outsideMark(l *call.Leg) mark {
	return mark{g.private.tag(tagOutside, string(l.ID())), mask.Seen}
}

// waitingMark is of the channel of a leg that is on nobody's row and waits, as it is shown while it does.
func (g *Gate) waitingMark(set *policy.Set, l *call.Leg) mark {
	m := g.outsideMark(l)
	if _, seen, ok := g.waitsOn(set, l); ok {
		m = g.since(m, seen)
	}
	return m
}

// since is of a channel that is shown from then on.
func (g *Gate) since(m mark, seen time.Time) mark {
	return mark{m.on.with(g.private.tag(tagOutside, seen.UTC().Format(time.RFC3339Nano))), m.sight}
}

// guises are as whom a watcher knows the callers of what has become of queues, one for each of the events; the zero value where he is not told.
func (g *Gate) guises(t *call.Table, set *policy.Set, k *cast, w *ChannelWatcher, dst []guise) []guise {
	for i := range k.events {
		as, e := guise{}, &k.events[i]
		if line, ok := set.LineOfQueue(e.ev.Queue); ok && e.caller != "" && g.views(set, w.me, line, w.views) {
			as = g.guise(t, set, w.me, visit{e.ev.Queue, e.caller}, w.waits)
		}
		dst = append(dst, as)
	}
	return dst
}

// knownTo is what is settled for a subject while he watches; nil while he does not.
func (c *chart) knownTo(s auth.Subject) map[visit]guise {
	if c != nil {
		for _, w := range c.watchers {
			if w.subject.Employee() == s.Employee() {
				return w.waits
			}
		}
	}
	return nil
}

// settleWaiting settles for a watcher as whom he knows those who wait now.
func (g *Gate) settleWaiting(t *call.Table, set *policy.Set, w *ChannelWatcher) {
	for line := range set.Lines() {
		if !g.views(set, w.me, line, w.views) {
			continue
		}
		name := set.Queue(line)
		for _, o := range g.chart.queues[name].Callers {
			g.guise(t, set, w.me, visit{name, call.LegID(o.Leg)}, w.waits)
		}
	}
}

// forgetWaiting forgets those who wait no more, once all have been told.
func (c *chart) forgetWaiting(k *cast) {
	over := func(v visit) bool {
		if at, ok := k.at[v.leg]; ok && at >= 0 && k.roles[at].leg == nil {
			return true
		}
		for i := range k.events {
			if e := &k.events[i]; e.caller == v.leg && e.ev.Queue == v.queue && e.kind != mask.QueueCallerJoined {
				return true
			}
		}
		return false
	}
	for _, w := range c.watchers {
		maps.DeleteFunc(w.waits, func(v visit, _ guise) bool { return over(v) })
	}
	maps.DeleteFunc(c.places, func(v visit, _ int) bool { return over(v) })
}

// waiters fills in under which handles a subject knows those who wait on a line. The view is his own. Caller holds the lock.
func (g *Gate) waiters(t *call.Table, set *policy.Set, me policy.Ref, s auth.Subject, line policy.LineRef, v *mask.Line) {
	q, ok := g.queues.Queue(set.Queue(line))
	if !ok {
		return
	}
	known, r, n := g.chart.knownTo(s), reader{gate: g, tag: g.secret.tag(tagSubject, s.Employee())}, 0
	for _, c := range q.Callers {
		if n == len(v.Callers) {
			return
		}
		if l := t.Leg(call.LegID(c.Leg)); l != nil && l.Name() == c.Channel {
			as := g.guise(t, set, me, visit{q.Name, l.ID()}, known)
			v.Callers[n].ID, v.Callers[n].Endpoint = string(r.handle(&as.id)[:]), as.endpoint
			n++
		}
	}
}
