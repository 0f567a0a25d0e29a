package gate

import (
	"context"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/policy"
)

// Types of what a Question may be about.
const (
	ResourceEmployee  = "employee"
	ResourceUser      = "user" // another word for an employee
	ResourceCall      = "call"
	ResourceNumber    = "number"
	ResourceLine      = "line"
	ResourceRecording = "recording"
	ResourcePastCall  = "past_call"
	ResourceSystem    = "system"

	// System is the id of the one thing of that type.
	System = "earshot"
)

// Question is what other software asks: may the subject do this to that, by the policy in force and as things stand? To answer does nothing and
// is counted, not recorded. So an answer tells nothing that the subject's board does not show him, as that would be to ask in secret who is on a
// call or listens; an act is decided over everybody within earshot, and recorded.
//
// To ask whether a number may be dialled may have the directory asked whose client it is, and tells who may call clients alone. So a door counts
// such questions with what it lets somebody begin, as it does calls. For who may dial nothing the directory is not asked.
type Question struct {
	Action   string
	Resource Resource
	Reason   bool // whether the subject gives a reason
}

// Resource is what a Question is about.
//
// An employee may be asked about with every action but those on lines. Spy, whisper, barge and intercept are about what he does now, as the
// buttons of his row are; what was said is about a call that nobody else of the company was on; dial is about his number. Actions without a target are
// about the subject himself, or about the System.
//
// A call is named by the handle under which the subject knows it, and may be asked about with observe, observe.kind, spy, whisper, barge,
// intercept and, his own, lock. A number is for dial. A line is for the line actions: on the line as a whole or, where Employees are named, on a
// conversation that they have a part in.
//
// Of a recording or a past call nothing is known here but what is said in Employees and Numbers. The answer is about any such call and is worth
// as much as that: whoever serves a recording by it must himself know who was on it. The id is not looked at. As one finds out by made-up lists who
// is protected, a door takes them from a panel's back end and from no employee.
type Resource struct {
	Type, ID  string
	Employees []string // ids of all employees on it
	Numbers   []string // of others on it: one that is protected bars, and none grants
}

// Answer is the answer to a Question. The zero Answer refuses.
type Answer struct {
	Allowed bool
	Reason  string // code of a refusal; what rests on somebody whom the subject may not see is not_for_this_call always
	Rule    string // that refused, file:line, only where it follows from subject and target alone
}

// Codes of refusals that are not the policy's.
const (
	reasonResource = "unknown_resource"      // nothing of that type is known
	reasonMismatch = "not_for_this_resource" // the action is not one on such a thing
)

// Evaluate answers a question. It waits for a directory that has to ask elsewhere whose client a number is, but no longer than ctx and some
// seconds.
func (g *Gate) Evaluate(ctx context.Context, s auth.Subject, q Question) Answer {
	action, known := policy.ParseAction(q.Action)
	if !known {
		g.met.question(action, false)
		return Answer{Reason: policy.ReasonUnknownAction.String()}
	}
	a := g.evaluate(ctx, s.Employee(), action, &q)
	g.met.question(action, a.Allowed)
	return a
}

// SearchActions lists what the subject may do to the resource, in a fixed order; a reason counts as given. The buttons on a colleague are those
// of his row on the subject's board.
func (g *Gate) SearchActions(ctx context.Context, s auth.Subject, r Resource) []string {
	g.met.searches.Inc()
	q := Question{Resource: r, Reason: true}
	var now moment
	if r.isLive() {
		now = g.look(s.Employee(), &r, true)
	}
	found := []string{}
	for _, action := range policy.Actions() {
		if r.isLive() && actsNow(r.Type, action) {
			if now.answer(action).Allowed {
				found = append(found, action.String())
			}
		} else if g.evaluate(ctx, s.Employee(), action, &q).Allowed {
			found = append(found, action.String())
		}
	}
	return found
}

func (r *Resource) isEmployee() bool { return r.Type == ResourceEmployee || r.Type == ResourceUser }

func (r *Resource) isLive() bool { return r.Type == ResourceCall || r.isEmployee() }

// actsNow reports whether an action on such a thing is about what goes on now.
func actsNow(resource string, action policy.Action) bool {
	return resource == ResourceCall || deedOf(action) != 0
}

func (g *Gate) evaluate(ctx context.Context, employee string, action policy.Action, q *Question) Answer {
	set := g.policy.Load()
	subject, ok := set.Employee(employee)
	switch {
	case !ok:
		return Answer{Reason: policy.ReasonUnknownSubject.String()}
	case q.Resource.isLive() && actsNow(q.Resource.Type, action):
		now := g.look(employee, &q.Resource, q.Reason)
		return now.answer(action)
	case action == policy.Dial:
		return g.evaluateDial(ctx, set, subject, &q.Resource)
	}
	r := between(subject, policy.Ref{}, action, q.Reason)
	if code := about(set, &r, &q.Resource); code != "" {
		return Answer{Reason: code}
	}
	d := set.Decide(&r)
	if action.Matter() == policy.MatterLine && !d.Allowed && !views(set, subject, r.Line) {
		return Answer{Reason: policy.ReasonNoRight.String()} // as of a line that there is not
	}
	return told(set, d)
}

// views reports whether the subject may know that there is such a line.
func views(set *policy.Set, subject policy.Ref, line policy.LineRef) bool {
	return set.Decide(&policy.Request{Subject: subject, Action: policy.LineView, Line: line, ReasonGiven: true}).Allowed
}

// about fills in what a question about something that does not go on now is about, or returns the code of why it is none. What it says of a
// line is the same whether there is one of that id: then it is left out.
func about(set *policy.Set, r *policy.Request, on *Resource) string {
	matter := r.Action.Matter()
	fits := false
	switch on.Type {
	case ResourceEmployee, ResourceUser:
		fits = matter != policy.MatterLine
		target, ok := set.Employee(on.ID)
		if !ok {
			return policy.ReasonUnknownTarget.String()
		}
		r.Target = target
	case ResourceSystem:
		if on.ID != System {
			return reasonResource
		}
		fits = matter == policy.MatterNothing
	case ResourceLine:
		fits = matter == policy.MatterLine && (len(on.Employees) == 0 || r.Action.Conversation())
		r.Line, _ = set.Line(on.ID)
	case ResourceRecording, ResourcePastCall:
		fits = matter == policy.MatterPast
		if len(on.Employees) == 0 {
			return policy.ReasonUnknownTarget.String()
		}
	case ResourceNumber:
	default:
		return reasonResource
	}
	if !fits {
		return reasonMismatch
	}
	if on.isEmployee() {
		return ""
	}
	for i, id := range on.Employees {
		who, ok := set.Employee(id)
		if !ok {
			return policy.ReasonUnknownParty.String()
		}
		if i == 0 {
			r.Target = who
		} else {
			r.With = append(r.With, who)
		}
	}
	for _, number := range on.Numbers {
		r.ProtectedNumber = r.ProtectedNumber || set.ProtectedNumber(number)
	}
	return ""
}

// evaluateDial answers whether the subject may call a number, or a colleague, by the road that a call goes.
func (g *Gate) evaluateDial(ctx context.Context, set *policy.Set, subject policy.Ref, on *Resource) Answer {
	number := on.ID
	switch {
	case on.isEmployee():
		if _, ok := set.Employee(on.ID); !ok {
			return Answer{Reason: policy.ReasonUnknownTarget.String()}
		}
		var p *Problem
		if number, p = numberOf(set, on.ID); p != nil {
			return refused(p)
		}
	case on.Type != ResourceNumber:
		return Answer{Reason: about(set, &policy.Request{Action: policy.Dial}, on)}
	}
	var to Destination
	var d policy.Decision
	if set.Dials(subject) {
		to, d = g.DecideDial(ctx, set, subject, number)
	} else { // an emergency number perhaps
		to, d = g.decideNow(set, subject, number, nobodysClient)
	}
	switch {
	case !d.Allowed:
		return refused(g.dialRefusal(set, d, to, ""))
	case on.isEmployee() && len(g.phones(set, subject)) == 0: // whom the button of his row would call by a phone of the subject's
		return refused(noPhone())
	}
	return Answer{Allowed: true}
}

// told is the answer that a decision gives, with its ground where the subject may be told it.
func told(set *policy.Set, d policy.Decision) Answer {
	if d.Allowed {
		return Answer{Allowed: true}
	}
	if !d.Pairwise {
		return refused(notForThisCall(""))
	}
	return Answer{Reason: d.Reason.String(), Rule: set.Rule(d.Rule).String()}
}

func refused(p *Problem) Answer { return Answer{Reason: p.Code, Rule: p.Rule} }
