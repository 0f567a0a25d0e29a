package pbx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
)

// How often the queues are asked about: a reload of queues.conf raises no event, and somebody may make events come that do not fit.
const (
	queuesEvery = time.Minute
	queuesLeast = time.Second
	queuesTime  = 10 * time.Second // how long the answer may take
)

// queues is the order in which what is known of the queues is handed on: what AMI tells while a list is being taken comes after that list. Each
// change of a queue has its event, so the last of them is right, whether the list has it already or not.
type queues struct {
	wanted chan struct{}

	mu     sync.Mutex // guards what follows; held while something is handed on, so that the order is that of AMI
	known  bool
	taking bool
	early  []queue.Event // what came since the list was begun
}

// ask has the queues asked about again.
func (q *queues) ask() {
	select {
	case q.wanted <- struct{}{}:
	default:
	}
}

// memberFields are those of a member in an event (apps/app_queue.c: queue_member_blob_create). What is marked the
// older versions do not have.
var memberFields = schema{
	"Queue", "MemberName", "Interface", "StateInterface", "Membership", "Penalty", "CallsTaken", "LastCall", "LastPause", "?LoginTime", "InCall", "Status",
	"Paused", "PausedReason", "Ringinuse", "?Wrapuptime",
}

// queueEvents are the events that tell of queues.
var queueEvents = map[string]struct {
	fields schema
	kind   queue.Kind
}{
	"QueueMemberAdded":   {event(memberFields), queue.MemberSeen},
	"QueueMemberStatus":  {event(memberFields), queue.MemberSeen},
	"QueueMemberPause":   {event(memberFields), queue.MemberSeen},
	"QueueMemberPenalty": {event(memberFields), queue.MemberSeen},
	"QueueMemberRemoved": {event(memberFields), queue.MemberGone},
	"QueueCallerJoin":    {event(channelFields(""), schema{"Queue", "Position", "Count"}), queue.CallerJoined},
	"QueueCallerLeave":   {event(channelFields(""), schema{"Queue", "Position", "Count"}), queue.CallerLeft},
	"QueueCallerAbandon": {event(channelFields(""), schema{"Queue", "Position", "OriginalPosition", "HoldTime"}), queue.CallerLeft},
}

// witnessQueue takes one event about a queue.
func (l *Link) witnessQueue(m *ami.Message, name string, w struct {
	fields schema
	kind   queue.Kind
},
) {
	ev := queue.Event{Kind: w.kind, Queue: m.Get("Queue"), GaveUp: name == "QueueCallerAbandon"}
	ok := m.Irregular() == 0 && w.fields.fits(m, classAgent)
	switch {
	case !ok:
	case w.kind == queue.MemberSeen || w.kind == queue.MemberGone:
		ev.Member, ok = member(m, "Interface")
	default:
		ev.Caller = queue.Caller{Leg: m.Get("Uniqueid"), Channel: m.Get("Channel"), Since: time.Now().UTC()}
	}
	if !ok {
		l.misfit(name)
		return
	}
	l.queues.mu.Lock()
	defer l.queues.mu.Unlock()
	switch {
	case l.queues.taking && len(l.queues.early) == maxEarly:
		l.queues.early = nil
		l.queues.ask()
	case l.queues.taking:
		l.queues.early = append(l.queues.early, ev)
	case l.queues.known:
		l.cfg.Queues(ev)
	}
}

// member reads a member; the two forms differ in what the interface is called.
func member(m *ami.Message, location string) (queue.Member, bool) {
	penalty, err := strconv.Atoi(m.Get("Penalty"))
	paused, membership := m.Get("Paused"), m.Get("Membership")
	v := queue.Member{
		Interface: m.Get(location), Device: m.Get("StateInterface"), Penalty: penalty, Paused: paused == "1", Fixed: membership != "dynamic",
	}
	return v, err == nil && v.Interface != "" && (paused == "0" || paused == "1") && slices.Contains([]string{"dynamic", "static", "realtime"}, membership)
}

// followQueues takes the queues when AMI has connected, and again when that is wanted, until ctx ends.
func (l *Link) followQueues(ctx context.Context, c *ami.Client) {
	if l.cfg.Queues == nil {
		<-ctx.Done()
		return
	}
	defer l.queuesLost()
	said, next := "", queuesEvery
	for failed := queuesLeast; ; {
		if err := l.takeQueues(ctx, c); err != nil {
			// An Asterisk that is starting lets Earshot log in before it has the module, and does not tell when it has.
			failed = min(2*failed, queuesEvery)
			if next = failed; ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				l.log.Warn().Err(err).Msg("Asterisk does not tell of its queues, so nothing is known of the lines")
			}
		} else {
			said, failed, next = "", queuesLeast, queuesEvery
		}
		least := time.NewTimer(queuesLeast)
		select {
		case <-least.C:
		case <-ctx.Done():
			least.Stop()
			return
		}
		again := time.NewTimer(next - queuesLeast)
		select {
		case <-again.C:
		case <-l.queues.wanted:
			again.Stop()
		case <-ctx.Done():
			again.Stop()
			return
		}
	}
}

func (l *Link) queuesLost() {
	l.queues.mu.Lock()
	defer l.queues.mu.Unlock()
	l.queues.known, l.queues.taking, l.queues.early = false, false, nil
	l.cfg.Queues(queue.Event{Kind: queue.Lost})
}

// takeQueues asks for all queues and hands them on, with what has happened meanwhile.
func (l *Link) takeQueues(ctx context.Context, c *ami.Client) error {
	ctx, cancel := context.WithTimeout(ctx, queuesTime)
	defer cancel()
	l.queues.mu.Lock()
	l.queues.taking, l.queues.early = true, nil
	l.queues.mu.Unlock()
	rows, _, err := c.List(ctx, ami.NewAction("QueueStatus"))
	var states []queue.State
	odd := 0
	if err == nil {
		states, odd, err = readQueues(rows, time.Now().UTC())
		l.met.faults.Add(float64(odd))
	}
	l.queues.mu.Lock()
	defer l.queues.mu.Unlock()
	l.queues.taking = false
	if err != nil {
		l.queues.known, l.queues.early = false, nil
		l.cfg.Queues(queue.Event{Kind: queue.Lost})
		return err
	}
	l.queues.known = true
	l.cfg.Queues(queue.Event{Kind: queue.Taken, Queues: states})
	for _, ev := range l.queues.early {
		l.cfg.Queues(ev)
	}
	l.queues.early = nil
	return nil
}

// Rows of QueueStatus (apps/app_queue.c: manager_queues_status). The client has taken them by the ActionID that nobody else knows; what a caller
// id with a line break has cut in two does not fit all the same.
var (
	paramsRow = schema{
		"Event", "Queue", "Max", "Strategy", "Calls", "Holdtime", "TalkTime", "Completed", "Abandoned", "ServiceLevel", "ServicelevelPerf", "?ServicelevelPerf2", "Weight", "?ActionID",
	}
	memberRow = schema{
		"Event", "Queue", "Name", "Location", "StateInterface", "Membership", "Penalty", "CallsTaken", "LastCall", "LastPause", "?LoginTime", "InCall", "Status",
		"Paused", "PausedReason", "?Wrapuptime", "?ActionID",
	}
	entryRow = schema{
		"Event", "Queue", "Position", "Channel", "Uniqueid", "CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName", "Wait", "Priority", "?ActionID",
	}
)

// readQueues puts the rows of a list together, as they were at a moment. A caller's row that does not fit is left out, or one caller could keep all
// queues from being known; there are so many of those.
func readQueues(rows []*ami.Message, at time.Time) (states []queue.State, odd int, err error) {
	for _, m := range rows {
		row, fits, i := string(m.Event()), m.Irregular() == 0, len(states)-1
		switch {
		case row == "QueueParams":
			if !fits || !paramsRow.fits(m, "") {
				return nil, odd, errShape
			}
			states = append(states, queue.State{Name: m.Get("Queue")})
		case row == "QueueMember":
			one, ok := member(m, "Location")
			if !ok || !fits || i < 0 || states[i].Name != m.Get("Queue") || !memberRow.fits(m, "") {
				return nil, odd, errShape
			}
			states[i].Members = append(states[i].Members, one)
		default:
			wait, err := strconv.ParseUint(m.Get("Wait"), 10, 31)
			if err != nil || !fits || i < 0 || states[i].Name != m.Get("Queue") || !entryRow.fits(m, "") {
				odd++
				continue
			}
			since := at.Add(-time.Duration(wait) * time.Second)
			states[i].Callers = append(states[i].Callers, queue.Caller{Leg: m.Get("Uniqueid"), Channel: m.Get("Channel"), Since: since})
		}
	}
	return states, odd, nil
}

var errShape = errors.New("a row of QueueStatus does not have the shape that Asterisk gives it")

// QueueMember is an order about who works on a queue. Queue and Interface are as Asterisk has them or, for who is to be added, as the policy
// has them.
type QueueMember struct {
	Queue     string
	Interface string
	Penalty   int // at least 0; of QueueAdd and QueuePenalty
	Paused    bool
	Reason    string // why he pauses, of QueuePause; empty for none
}

// action begins the AMI action of an order. What could be read as more than one name is refused.
func (o *QueueMember) action(name string) (*ami.Message, error) {
	if !isQueue(o.Queue) || !isInterface(o.Interface) || o.Penalty < 0 {
		return nil, errors.New("pbx: the queue, the member or the penalty is none that an order can name")
	}
	return ami.NewAction(name).Append("Queue", o.Queue).Append("Interface", o.Interface), nil
}

// QueueAdd adds a member, who has to be a phone.
func (l *Link) QueueAdd(ctx context.Context, o QueueMember) error {
	m, err := o.action("QueueAdd")
	if err == nil && !isEndpoint(o.Interface) {
		err = errors.New("pbx: only a phone can be added to a queue")
	}
	if err != nil {
		return err
	}
	return l.queueOrder(ctx, m.Append("Penalty", strconv.Itoa(o.Penalty)).Append("Paused", truth(o.Paused)))
}

// QueueRemove removes a member.
func (l *Link) QueueRemove(ctx context.Context, o QueueMember) error {
	m, err := o.action("QueueRemove")
	if err != nil {
		return err
	}
	return l.queueOrder(ctx, m)
}

// QueuePenalty sets a member's penalty.
func (l *Link) QueuePenalty(ctx context.Context, o QueueMember) error {
	m, err := o.action("QueuePenalty")
	if err != nil {
		return err
	}
	return l.queueOrder(ctx, m.Append("Penalty", strconv.Itoa(o.Penalty)))
}

// QueuePause pauses a member, or lets him be rung again.
func (l *Link) QueuePause(ctx context.Context, o QueueMember) error {
	m, err := o.action("QueuePause")
	if err != nil {
		return err
	}
	m.Append("Paused", truth(o.Paused))
	if o.Reason != "" {
		m.Append("Reason", o.Reason) // what has a line break in it is not sent
	}
	return l.queueOrder(ctx, m)
}

func (l *Link) queueOrder(ctx context.Context, m *ami.Message) error {
	c, err := l.manager()
	if err != nil {
		return err
	}
	if _, err := c.Do(ctx, m); err != nil {
		l.queues.ask() // the queue or the member may be gone since a reload, which nothing has told of
		return fmt.Errorf("change who works on a queue: %w", err)
	}
	return nil
}

func truth(v bool) string {
	if v {
		return "1"
	}
	return "0"
}

// isQueue reports whether s can be the name of a queue in an order: what the policy lets it be, and no control byte.
func isQueue(s string) bool {
	return s != "" && len(s) <= 80 && !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r == 0x7f || strings.ContainsRune("[],;/&|$\"'\\", r) })
}

// isInterface reports whether s is one interface of a member as app_queue has them, a phone or the way to one by a Local channel.
func isInterface(s string) bool {
	tech, rest, ok := strings.Cut(s, "/")
	return ok && len(s) <= 80 && isName(tech, "") && isName(rest, ".-_@/+*#:")
}
