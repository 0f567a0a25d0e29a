package gate

import (
	"context"
	"slices"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// past is a row of the journal as the policy in force counts who was on the call. Who was there is as it was stamped then, by the phones that
// were on it; what their numbers mean is as it is now.
type past struct {
	*pastReader
	row       *journal.Row
	target    policy.Ref
	stamped   []policy.Ref // whose phones were on the call
	claimed   []policy.Ref // whom a number on the call claims, the subject not counted: they may exclude and hide, never grant
	protected bool         // a protected number was on the call
	stranger  bool         // somebody was on it whom the policy does not know any more
	met       []call.LegID // the subject's own legs on it, and those with which they were tied; of who was not on it, none
	apart     bool         // a protected number was on it with which he was not tied
	line      policy.LineRef
	client    clients.Client // who called in from outside on the other side
}

// past looks at a row; false when its employee is nobody any more.
func (r *pastReader) past(row *journal.Row) (*past, bool) {
	v := &past{pastReader: r, row: row}
	var ok bool
	if v.target, ok = r.set.Employee(row.Leg.Employee); !ok {
		return nil, false
	}
	v.line, _ = r.set.LineOfQueue(row.Leg.Line)
	for i := range row.Call.Legs {
		if l := &row.Call.Legs[i]; l.Employee == r.employee {
			v.met = append(append(v.met, l.ID), l.Peers...)
		}
	}
	for i := range row.Call.Legs {
		l := &row.Call.Legs[i]
		ref, known := r.set.Employee(l.Employee)
		switch {
		case known:
			v.stamped = addRef(v.stamped, ref)
		case l.Employee != "":
			v.stranger = true
		default:
			if ref, ok := r.set.Phone(l.Endpoint); ok { // it has become somebody's since; he may not have been there
				v.claim(ref)
			}
		}
		for j, n := range [...]call.Number{l.Number, l.Dialled} {
			if n == "" || j == 1 && n == l.Number {
				continue
			}
			if r.set.ProtectedNumber(n.Digits()) {
				v.protected = true
				// (Whom somebody has dialled he need not have been tied with.)
				v.apart = v.apart || l.Employee != r.employee && (!slices.Contains(v.met, l.ID) || j == 1 && l.Direction != call.In)
			}
			for _, ref := range r.set.AppendByNumber(nil, bare(n)) {
				v.claim(ref)
			}
		}
		if !v.line.IsZero() && slices.Contains(row.Leg.Peers, l.ID) && l.Employee == "" && r.set.Outside(l.Endpoint) && l.Direction == call.Out && l.Number != "" {
			if c, answer := r.gate.cfg.Clients.Find(l.Number.Digits()); answer == clients.Found {
				v.client = c
			}
		}
	}
	return v, true
}

func (v *past) claim(ref policy.Ref) {
	if ref != v.subject {
		v.claimed = addRef(v.claimed, ref)
	}
}

// decide decides about the row over everybody who was on its call: what is granted is granted by who was there, and who is only claimed can but refuse.
// A part in a call with a protected number has only who was tied with that.
func (v *past) decide(action policy.Action) policy.Decision {
	there := v.stamped
	if v.apart {
		there = slices.DeleteFunc(slices.Clone(there), func(ref policy.Ref) bool { return ref == v.subject })
	}
	q := policy.Request{Subject: v.subject, Action: action, Target: v.target, With: there, ProtectedNumber: v.protected}
	if action.Matter() == policy.MatterLine {
		q.Line = v.line
		q.Responsible, _ = v.set.Employee(v.client.Responsible)
		for _, id := range v.client.Access {
			if ref, ok := v.set.Employee(id); ok {
				q.Access = append(q.Access, ref)
			}
		}
	}
	d := v.set.Decide(&q)
	switch {
	case !d.Allowed:
		return d
	case v.stranger && (v.target != v.subject || action != policy.Journal): // by whom it might be excluded nobody knows
		return policy.Decision{Reason: policy.ReasonUnknownParty}
	case len(v.claimed) == 0:
		return d
	}
	q.With = append(slices.Clip(there), v.claimed...)
	return v.set.Decide(&q)
}

// inJournal reports whether the subject may see the row in the journal: for its employee's sake, and over everybody.
func (v *past) inJournal() bool {
	return v.set.Decide(&policy.Request{Subject: v.subject, Action: policy.Journal, Target: v.target}).Allowed && v.decide(policy.Journal).Allowed
}

// inHistory reports whether he may see it in the history of the line that brought it.
func (v *past) inHistory() bool { return !v.line.IsZero() && v.decide(policy.LineHistory).Allowed }

// own reports whether the client is the subject's, by the directory.
func (v *past) own() bool { return isOf(&v.client, v.employee) }

func isOf(c *clients.Client, employee string) bool {
	return c.Responsible == employee || slices.Contains(c.Access, employee)
}

// sight is what he may see of it: as of the live call and, of a call that a line brought from a client of his, who that was. That he was on it once
// himself shows him no more than whom he met: see facts.
func (v *past) sight() mask.Sight {
	with := append(slices.Clip(v.stamped), v.claimed...)
	q := policy.Request{Subject: v.subject, Action: policy.Observe, Target: v.target, With: with, ProtectedNumber: v.protected}
	switch {
	case v.subject == v.target && v.set.Decide(&q).Allowed:
		return mask.Own
	case v.stranger:
		return mask.Hidden
	case v.set.Decide(&q).Allowed:
		return mask.Seen
	case v.own() && v.inHistory():
		return mask.Seen
	}
	q = policy.Request{Subject: v.subject, Action: policy.ObserveKind, Target: v.target, With: with}
	if v.set.Decide(&q).Allowed {
		return mask.Kind
	}
	return mask.Hidden
}

// show writes the row for the subject. Whether he may see it has been decided.
func (r *pastReader) show(ctx context.Context, v *past) (mask.JournalRow, error) {
	s := v.sight()
	facts := v.facts(s)
	row := mask.OfPast(&facts, s, r.gate.closeHandle(tagPast, r.employee, v.row.At))
	row.Recordings = v.recordings()
	row.CanGrade = v.offersGrade(&row)
	return row, v.grades(ctx, &row, s)
}

// facts collects what there is to know of the row, as far as the sight needs it: the directory is not asked about who is not shown.
func (v *past) facts(s mask.Sight) mask.PastFacts {
	l := v.row.Leg
	f := mask.PastFacts{
		Employee: v.set.ID(v.target), Direction: l.Direction, Outcome: l.Outcome.String(), Began: l.Began, Answered: l.Answered, Ended: l.Ended, Gap: v.row.Call.Gap,
	}
	if clicked(l.ID) {
		f.Direction = call.Out
	}
	others := v.others()
	if len(others) > 0 {
		f.Kind = v.kind(others[0])
	}
	if !s.Peer() {
		v.meet(&f, others)
		return f
	}
	f.Line = l.Line
	if !v.line.IsZero() {
		f.Line = v.set.LineID(v.line)
	}
	for _, o := range others {
		f.Parties = append(f.Parties, v.introduce(o))
	}
	for _, t := range v.row.Call.Transfers {
		by := "employee"
		if t.By != l.ID {
			if by = "other_side"; !slices.Contains(l.Peers, t.By) {
				continue
			}
		}
		f.Transfers = append(f.Transfers, mask.JournalTransfer{At: mask.Moment(t.At), Attended: t.Attended, By: by})
	}
	if s == mask.Own {
		f.Dialled = l.Dialled.Digits()
		f.Told = v.told()
	}
	return f
}

// meet adds whom the subject, who does not see the other side, met there: himself, if he was on it, and those with whom he was tied. The board showed
// them to him while he was; whoever came before him or after him it did not.
func (v *past) meet(f *mask.PastFacts, others []*journal.Leg) {
	if !slices.ContainsFunc(others, func(o *journal.Leg) bool { return o.Employee == v.employee }) {
		return
	}
	for i, o := range others {
		if slices.Contains(v.met, o.ID) {
			f.Met = append(f.Met, v.introduce(o))
		} else if i == 0 {
			f.Behind = true
		}
	}
}

// others are the legs on the other side, the foremost first: of those who talked the first one, else the first that rang.
func (v *past) others() (legs []*journal.Leg) {
	for i := range v.row.Call.Legs {
		l := &v.row.Call.Legs[i]
		if l != v.row.Leg && slices.Contains(v.row.Leg.Peers, l.ID) {
			legs = append(legs, l)
		}
	}
	slices.SortStableFunc(legs, func(a, b *journal.Leg) int {
		switch {
		case a.Answered.IsZero() == b.Answered.IsZero():
			return 0
		case b.Answered.IsZero():
			return -1
		}
		return 1
	})
	return legs
}

// kind is of which kind the other side was, as kind says it of a live call.
func (v *past) kind(other *journal.Leg) string {
	switch {
	case v.row.Leg.Line != "":
		return mask.Queue
	case other.Employee != "":
		return mask.Internal
	case v.set.Outside(other.Endpoint):
		return mask.External
	}
	return ""
}

// introduce tells who was on a leg of the other side, as the gate's does of a live one.
func (v *past) introduce(l *journal.Leg) mask.Party {
	if ref, ok := v.set.Employee(l.Employee); ok {
		return mask.Party{Employee: v.set.ID(ref), Name: v.set.Name(ref), Number: v.set.Number(ref)}
	}
	number := l.Number
	if number == "" && l.Direction == call.In {
		number = l.Dialled
	}
	p := mask.Party{Number: number.Digits(), Name: l.Name}
	if c, answer := v.gate.cfg.Clients.Find(number.Digits()); answer == clients.Found {
		p.Name = c.Name
	}
	return p
}

// told are the supervisions of which the row's employee is or was told, oldest first.
func (v *past) told() (list []mask.Supervised) {
	for _, s := range v.row.Call.Supervisions {
		if !s.Told || s.Target != v.row.Leg.Employee {
			continue
		}
		t := mask.Supervised{ID: s.ID, By: s.By, Mode: s.Mode, State: stateActive, Since: mask.Moment(s.Began)}
		if !s.Ended.IsZero() {
			until := mask.Moment(s.Ended)
			t.State, t.Until = stateEnded, &until
		}
		list = append(list, t)
	}
	return list
}

// outcome is how a decision is counted.
func outcome(d policy.Decision) string {
	if d.Allowed {
		return string(audit.Allow)
	}
	return string(audit.Deny)
}
