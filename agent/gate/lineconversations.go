package gate

import (
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Conversations lists what is said on a line now, and what rings there, as far as it is for the subject: what the board would show him of it, what he
// may join or take over, and what he may because the client is his. Who may not view the line, and of whose clients nobody is there, gets the answer of
// a line that is not there.
func (g *Gate) Conversations(s auth.Subject, id string) (out []mask.LineCall, err error) {
	out = []mask.LineCall{}
	g.locked(func(t *call.Table) {
		set := g.policy.Load()
		me, known := set.Employee(s.Employee())
		line, ok := set.Line(id)
		if !known || !ok {
			err = noSuchLine()
			return
		}
		view := g.mayView(set, me, line)
		for ref := range set.Employees() {
			e := g.board[ref]
			for i := range e.legs {
				f := &e.legs[i]
				if l := t.Leg(f.leg); l != nil && f.queue == set.Queue(line) && !g.supervises(f.leg) && g.customerOf(t, l, f.queue) != nil {
					if c, show := g.conversationOf(t, set, s, me, line, e, f); show && (view || len(c.Can) > 0) {
						out = append(out, c)
					}
				}
			}
		}
		if !view && len(out) == 0 {
			err = noSuchLine()
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// conversationOf is a conversation as the subject sees it, and whether he sees it at all.
func (g *Gate) conversationOf(t *call.Table, set *policy.Set, s auth.Subject, me policy.Ref, line policy.LineRef, e *entry, f *legFacts) (c mask.LineCall, show bool) {
	sight := g.sight(set, me, e.ref, f)
	handle := g.handle(s.Employee(), set.ID(e.ref), f.leg, sight)
	c = mask.LineCall{Employee: set.ID(e.ref), Name: set.Name(e.ref), Call: mask.Of(&f.facts, sight, handle), Can: []string{}}
	alone := set.Decide(&policy.Request{Subject: me, Action: policy.LineJoin, Line: line, Target: e.ref})
	for _, mode := range [...]lineMode{modeJoin, modeTakeover} {
		if alone.Allowed || beyondAlone(alone) {
			a := g.newAct(s, policy.LineJoin, "")
			a.mode, a.line, a.target = mode, set.LineID(line), set.ID(e.ref)
			can := g.findConversation(t, set, me, e.ref, line, a, LineAsk{Ask: Ask{Call: handle}}) == nil
			// Who may because of the line and does not see who is there is not told by a button either: what is asked for is decided over all.
			if can && (sight.Peer() || !alone.Allowed) {
				can = g.ground(t, set, a).Allowed
			}
			g.forgetLocked(a)
			if can {
				c.Can = append(c.Can, string(mode))
			}
		}
	}
	return c, alone.Allowed || sight != mask.Hidden || len(c.Can) > 0
}

// beyondAlone reports whether there is no more against it than that no right gives it, now, so that something else may: that the client of a conversation
// is the subject's own, or the place in a queue his.
func beyondAlone(alone policy.Decision) bool {
	return alone.Reason == policy.ReasonNoRight || alone.Reason == policy.ReasonNotNow
}
