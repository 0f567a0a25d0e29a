package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/policy"
)

// maxPenalty is the highest that can be given. Asterisk takes any; nobody has so many steps.
const maxPenalty = 1000

// MaxWhy is how long the reason of a pause may be.
const MaxWhy = 80

// orderTime is how long the PBX may take to carry out one change of a queue.
const orderTime = 5 * time.Second

// MemberAsk is a request about who works on a line's queue.
type MemberAsk struct {
	Line     string // its id
	Employee string // the id of who is to be in the queue, or not any more
	Penalty  *int   // nil: as it is; of who comes, 0
	Paused   *bool  // nil: as it is; of who comes, not
	Why      string // why he pauses, for the PBX; one printable line of at most MaxWhy bytes, empty for none
	Remove   bool   // he is to leave the queue; the rest says nothing then
	Door     string
}

// change is what has to be done on the PBX for a MemberAsk.
type change struct {
	order pbx.QueueMember
	do    []func(context.Context, pbx.QueueMember) error
	did   string // what, for the record
	own   bool   // it is his own place, and he has no other ground
}

// ownPlace is the reason in the record of what somebody did who changed nothing but whether the queue of a line on which he works rings him.
const ownPlace = "own_place"

// ChangeMember puts an employee into a line's queue with the first of his phones, changes him there, or takes him out of it. What is so already is
// done and recorded, and Asterisk is not asked. It needs line.change, but for one's own place: see ownsPlace.
func (g *Gate) ChangeMember(ctx context.Context, s auth.Subject, ask MemberAsk) error {
	if p := ask.Penalty; p != nil && (*p < 0 || *p > maxPenalty) {
		return badPenalty()
	}
	if !utf8.ValidString(ask.Why) || len(ask.Why) > MaxWhy || strings.ContainsFunc(ask.Why, unicode.IsControl) {
		return badReason()
	}
	a := g.newAct(s, policy.LineChange, ask.Door)
	a.stop() // its orders are few and have a time of their own
	var d policy.Decision
	var p *Problem
	var e audit.Entry
	var c change
	g.locked(func(*call.Table) {
		set := g.policy.Load()
		c, p = g.admitChange(set, a, ask, &d)
		e = a.entry(audit.Decided, set, d)
		e.Mode = c.did
		if c.own {
			e.Reason = ownPlace
		}
		if p == nil {
			g.running.Add(1)
		}
	})
	if p != nil {
		return g.refuse(a, p, d, e)
	}
	defer g.running.Done()
	g.met.decision(a.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	err := g.carryOut(ctx, c)
	e.Phase, e.Outcome, e.Reason, e.Rule = audit.Done, "", "", audit.Rule{}
	if err != nil {
		e.Phase, e.Reason = audit.Failed, reasonPBX
		g.log.Error().Err(err).Str("id", a.id).Msg("what was decided was not carried out")
	}
	if rec := g.fact(e); rec != nil {
		g.log.Error().Err(rec).Str("id", a.id).Msg("what came of a decision was not recorded")
	}
	if err != nil {
		return notCalled(a.id, err)
	}
	return nil
}

// carryOut does one after the other. What has been written down is carried out, though ctx may have ended meanwhile.
func (g *Gate) carryOut(ctx context.Context, c change) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orderTime)
	defer cancel()
	var errs []error
	for _, do := range c.do {
		errs = append(errs, do(ctx, c.order))
	}
	return errors.Join(errs...)
}

// admitChange decides, and works out what there is to do. Caller holds the lock.
func (g *Gate) admitChange(set *policy.Set, a *act, ask MemberAsk, d *policy.Decision) (c change, p *Problem) {
	if g.closed {
		return c, stateUnknown()
	}
	if !g.cfg.Holds(a.subject) {
		return c, credentialEnded()
	}
	subject, ok := set.Employee(a.employee)
	if !ok {
		return c, refusedSubject()
	}
	line, ok := set.Line(ask.Line)
	if !ok {
		return c, noSuchLine()
	}
	a.line = set.LineID(line) // only now: what names no line is a stranger's text and does not go into the record
	if *d = set.Decide(&policy.Request{Subject: subject, Action: a.action, Line: line}); beyondAlone(*d) && g.ownsPlace(set, subject, line, ask) {
		*d, c.own = policy.Decision{Allowed: true, Reason: policy.ReasonAllowed, Pairwise: true}, true
	}
	if !d.Allowed {
		return c, g.lineRefusal(set, subject, line, *d, a.id)
	}
	target, ok := set.Employee(ask.Employee)
	if !ok {
		return c, noSuchEmployee()
	}
	a.target = set.ID(target)
	q, ok := g.queues.Queue(set.Queue(line))
	switch {
	case !g.queues.Known():
		return c, lineUnknown()
	case !ok:
		return c, noQueue()
	}
	i := slices.IndexFunc(q.Members, func(m queue.Member) bool {
		ref, ok := set.Phone(m.Endpoint())
		return ok && ref == target
	})
	c.order.Queue = q.Name
	switch phones := set.Phones(target); {
	case i < 0 && ask.Remove:
		return c, notQueued()
	case i < 0 && len(phones) == 0:
		return c, noMemberPhone()
	case i < 0:
		c.order.Interface, c.did = phones[0], "add"
		if ask.Penalty != nil {
			c.order.Penalty = *ask.Penalty
		}
		c.order.Paused = ask.Paused != nil && *ask.Paused
		c.do = append(c.do, g.cfg.PBX.QueueAdd)
		return c, nil
	}
	m := q.Members[i]
	c.order.Interface, c.order.Penalty, c.order.Paused = m.Interface, m.Penalty, m.Paused
	switch {
	case ask.Remove && m.Fixed:
		return c, fixedMember()
	case ask.Remove:
		c.did, c.do = "remove", append(c.do, g.cfg.PBX.QueueRemove)
		return c, nil
	}
	c.did = "change"
	if ask.Penalty != nil && *ask.Penalty != m.Penalty {
		c.order.Penalty, c.do = *ask.Penalty, append(c.do, g.cfg.PBX.QueuePenalty)
	}
	if ask.Paused != nil && *ask.Paused != m.Paused {
		c.order.Paused, c.order.Reason, c.do = *ask.Paused, ask.Why, append(c.do, g.cfg.PBX.QueuePause)
	}
	return c, nil
}

// ownsPlace reports whether a request is about nothing but whether the queue of a line on which the subject works rings himself: he comes, goes, pauses or
// is back, as he could by a code on his telephone. How early it rings him is the line's affair, and a line that he may not view is none to him.
func (g *Gate) ownsPlace(set *policy.Set, subject policy.Ref, line policy.LineRef, ask MemberAsk) bool {
	if ask.Employee != set.ID(subject) || !set.Works(subject, line) || !g.mayView(set, subject, line) {
		return false
	}
	m, _ := g.memberOf(set, line, subject) // who is not there comes with no penalty
	return ask.Penalty == nil || *ask.Penalty == m.Penalty
}

// lineRefusal is what a subject is told who may not do something on a line: of one that he may not view, that there is none.
func (g *Gate) lineRefusal(set *policy.Set, subject policy.Ref, line policy.LineRef, d policy.Decision, id string) *Problem {
	if !g.mayView(set, subject, line) {
		return noSuchLine()
	}
	return g.refusal(set, d, id)
}

// memberOf is an employee in a line's queue.
func (g *Gate) memberOf(set *policy.Set, line policy.LineRef, who policy.Ref) (queue.Member, bool) {
	q, ok := g.queues.Queue(set.Queue(line))
	if !ok {
		return queue.Member{}, false
	}
	for _, m := range q.Members {
		if ref, ok := set.Phone(m.Endpoint()); ok && ref == who {
			return m, true
		}
	}
	return queue.Member{}, false
}
