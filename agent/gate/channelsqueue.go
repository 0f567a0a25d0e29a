package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/policy"
)

// queueChange is one thing that has happened in a queue.
type queueChange struct {
	kind   mask.ChangeKind
	caller call.LegID // who waits, or does not any more; empty for a member's
	ev     mask.QueueEvent
}

// queueNews compares the queues of the lines with what was told of them last. While nothing is known of a queue nothing is told of it, and then what
// differs. Of those who wait only they count whom ARI has. Caller holds the lock; there is a chart.
func (g *Gate) queueNews(t *call.Table, set *policy.Set, ev *queue.Event) (news []queueChange) {
	c := g.chart
	for line := range set.Lines() {
		name := set.Queue(line)
		q, ok := g.queues.Queue(name)
		if !ok {
			continue
		}
		is := queue.State{Members: q.Members, Callers: slices.Clone(q.Callers)}
		is.Callers = slices.DeleteFunc(is.Callers, func(o queue.Caller) bool {
			l := t.Leg(call.LegID(o.Leg))
			return l == nil || l.Name() != o.Channel
		})
		was, told := c.queues[name]
		if told {
			news = g.callerNews(t, news, name, &was, &is, ev)
			news = g.memberNews(set, news, line, &was, &is)
		}
		is.Members = slices.Clone(is.Members)
		c.queues[name] = is
		for i, o := range is.Callers {
			v := visit{name, call.LegID(o.Leg)}
			if c.joined[v.leg] = o.Since; c.places[v] == 0 {
				c.places[v] = i + 1
			}
		}
	}
	return news
}

func (g *Gate) callerNews(t *call.Table, news []queueChange, name string, was, is *queue.State, ev *queue.Event) []queueChange {
	at := func(s *queue.State, leg string) int {
		return slices.IndexFunc(s.Callers, func(o queue.Caller) bool { return o.Leg == leg })
	}
	for i, o := range was.Callers {
		if at(is, o.Leg) >= 0 {
			continue
		}
		n := queueChange{kind: mask.QueueCallerLeft, caller: call.LegID(o.Leg), ev: mask.QueueEvent{
			Queue: name, Position: i + 1, Count: len(is.Callers), Wait: seconds(o.Since, time.Now()), Joined: g.chart.places[visit{name, call.LegID(o.Leg)}],
		}}
		if l := t.Leg(n.caller); l == nil || l.HungUp() || ev != nil && ev.GaveUp && ev.Caller.Leg == o.Leg {
			n.kind = mask.QueueCallerAbandoned
		}
		news = append(news, n)
	}
	for i, o := range is.Callers {
		if at(was, o.Leg) < 0 {
			news = append(news, queueChange{kind: mask.QueueCallerJoined, caller: call.LegID(o.Leg), ev: mask.QueueEvent{
				Queue: name, Position: i + 1, Count: len(is.Callers), Wait: seconds(o.Since, time.Now()),
			}})
		}
	}
	return news
}

func (g *Gate) memberNews(set *policy.Set, news []queueChange, line policy.LineRef, was, is *queue.State) []queueChange {
	at := func(s *queue.State, of string) int {
		return slices.IndexFunc(s.Members, func(m queue.Member) bool { return m.Interface == of })
	}
	add := func(kind mask.ChangeKind, m queue.Member, queued bool) {
		if ref, ok := set.Phone(m.Endpoint()); ok {
			news = append(news, queueChange{kind: kind, ev: mask.QueueEvent{
				Queue: set.Queue(line), Count: len(is.Callers), Member: g.lineMember(set, line, ref, m, queued),
			}})
		}
	}
	for _, m := range was.Members {
		if at(is, m.Interface) < 0 {
			add(mask.QueueMemberRemoved, m, false)
		}
	}
	for _, m := range is.Members {
		i := at(was, m.Interface)
		if i < 0 {
			add(mask.QueueMemberAdded, m, true)
			continue
		}
		if o := was.Members[i]; o.Penalty != m.Penalty {
			add(mask.QueueMemberPenalty, m, true)
		}
		if o := was.Members[i]; o.Paused != m.Paused {
			add(mask.QueueMemberPaused, m, true)
		}
	}
	return news
}

func seconds(from, to time.Time) int {
	if from.IsZero() {
		return 0
	}
	return max(0, int(mask.Moment(to).Sub(mask.Moment(from))/time.Second))
}

// tellQueues tells the watchers of channels what has become of the queues. Caller holds the lock.
func (g *Gate) tellQueues(t *call.Table, ev *queue.Event) {
	if g.chart == nil || !g.known {
		return
	}
	set := g.policy.Load()
	news := g.queueNews(t, set, ev)
	if len(news) == 0 {
		return
	}
	k := g.cast(t, set, callersOf(news, nil))
	k.hear(news)
	g.perform(t, set, k)
}

func callersOf(news []queueChange, dst []call.LegID) []call.LegID {
	for i := range news {
		if news[i].caller != "" {
			dst = append(dst, news[i].caller)
		}
	}
	return dst
}

// hear takes in what has become of queues.
func (k *cast) hear(news []queueChange) {
	for i := range news {
		k.about(news[i].ev.Queue)
	}
	k.events = append(k.events, news...)
}

// about has it asked who may view the line that is a queue.
func (k *cast) about(queue string) {
	if queue != "" && !slices.Contains(k.queues, queue) {
		k.queues = append(k.queues, queue)
	}
}

// memberState tells who looks at an employee's lines that he does something else.
func (g *Gate) memberState(set *policy.Set, k *cast, ref policy.Ref) {
	for line := range set.Lines() {
		if m, ok := g.memberOf(set, line, ref); ok {
			k.hear([]queueChange{{kind: mask.QueueMemberStatus, ev: mask.QueueEvent{
				Queue: set.Queue(line), Count: len(g.chart.queues[set.Queue(line)].Callers), Member: g.lineMember(set, line, ref, m, true),
			}}})
		}
	}
}

// viewed reports whether the queue is a line that who sees with these eyes may view.
func (k *cast) viewed(queue string, eyes []byte) bool {
	at := slices.Index(k.queues, queue)
	return at >= 0 && eyes[len(k.roles)+at] == 1
}

// mayView reports whether the queue is a line that may be viewed.
func (n *narrator) mayView(queue string) bool { return n.cast.viewed(queue, n.take.eyes) }

// queueing tells of callers: of those who leave while they are still there, of those who come when they are.
func (n *narrator) queueing(leaving bool) {
	for i := range n.cast.events {
		e := &n.cast.events[i]
		if e.caller == "" || leaving == (e.kind == mask.QueueCallerJoined) || !n.mayView(e.ev.Queue) {
			continue
		}
		as, c := n.take.guises[i], mask.ChannelChange{Kind: e.kind, Channel: n.tied(e.caller)}
		q := e.ev
		if q.Caller, q.Endpoint = n.hole(as.id), as.endpoint; c.Channel != nil && c.Channel.ID != q.Caller {
			c.Channel = nil // he has become visible since, as somebody else
		}
		c.Queue = &q
		n.add(c)
	}
}

// members tells of those who work on queues.
func (n *narrator) members() {
	for i := range n.cast.events {
		if e := &n.cast.events[i]; e.caller == "" && n.mayView(e.ev.Queue) {
			n.add(mask.ChannelChange{Kind: e.kind, Queue: &e.ev})
		}
	}
}

// serves reports whether the leg is one that a queue has rung, with the caller.
func (s *shot) serves() bool {
	return s.tied && s.queue != "" && s.in != (mark{}) && s.kind != "holding" && s.ch.State == mask.ChannelUp
}

// agent tells what becomes of a call that a queue has brought to a member whose calls the watcher sees: of one whose call is hidden he is not told
// that it came by a queue.
func (n *narrator) agent(kind mask.ChangeKind, i int) {
	s := &n.now[i]
	if !n.mayView(s.queue) {
		return
	}
	line, ok := n.set.LineOfQueue(s.queue)
	ref, is := n.set.Employee(s.ch.Employee)
	if !ok || !is {
		return
	}
	c := mask.ChannelChange{Kind: kind, Other: n.channel(i), Channel: n.tied(s.caller)}
	m, queued := n.gate.memberOf(n.set, line, ref)
	c.Queue = &mask.QueueEvent{Queue: s.queue, Count: len(n.gate.chart.queues[s.queue].Callers), Member: n.gate.lineMember(n.set, line, ref, m, queued)}
	until := s.answered
	if kind == mask.AgentCalled {
		until = n.cast.moment
	}
	c.Queue.Wait = seconds(n.gate.chart.joined[s.caller], until)
	if kind == mask.AgentCompleted {
		c.Queue.Talk, c.Queue.Reason = seconds(s.answered, n.cast.moment), n.ended(i)
	}
	n.add(c)
}

// ended is why a call of a queue is over, by whose phone has hung up first.
func (n *narrator) ended(i int) string {
	gone := func(id call.LegID) bool {
		at, ok := n.cast.at[id]
		return ok && at >= 0 && (n.cast.roles[at].leg == nil || n.cast.roles[at].leg.HungUp())
	}
	member, caller := n.cast.roles[i].id, n.now[i].caller
	if st := n.gate.chart.legs[member]; st != nil && st.handed {
		return "transfer"
	}
	switch agent, left := gone(member), gone(caller); {
	case agent && !left:
		return "agent"
	case left && !agent:
		return "caller"
	}
	return ""
}
