package gate

import (
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// picture is a board for one subject as it is taken under the lock: cheap, as rows are shared with all who see the same. The Board is made
// of it afterwards.
type picture struct {
	known        bool
	set          *policy.Set
	me           policy.Ref
	rows         []*form // in the order of the policy
	supervisions []mask.Supervision
	intercepts   []mask.Intercept
	incoming     []mask.Incoming
	joins        []mask.Join
}

// view takes the board for one subject. It notes in shown, if there is one, what he is shown.
func (g *Gate) view(set *policy.Set, me policy.Ref, shown []glance) *picture {
	p := &picture{known: g.known, set: set, me: me, rows: make([]*form, 0, set.Len())}
	for ref := range set.Employees() {
		e := g.board[ref]
		var once glance
		at := &once
		if shown != nil {
			at = &shown[e.place]
		}
		c := g.classify(set, me, e, at)
		at.sum = c.sum
		p.rows = append(p.rows, e.write(c))
	}
	p.supervisions, p.intercepts = g.theirs(set.ID(me))
	p.incoming, p.joins = g.offered(me), g.joinsOf(set.ID(me), "")
	return p
}

// board is the picture with the reader's handles.
func (r *reader) board(p *picture) Board {
	b := Board{
		Known: p.known, Generation: p.set.Generation(), Me: r.gate.me(p.set, p.me), Employees: make([]mask.Row, len(p.rows)),
		Supervisions: p.supervisions, Intercepts: p.intercepts, Incoming: p.incoming, Joins: p.joins,
	}
	for i, f := range p.rows {
		b.Employees[i] = r.row(f)
	}
	return b
}

// appendBoard appends the picture with the reader's handles as JSON: the same bytes as of board.
func (r *reader) appendBoard(dst []byte, p *picture) []byte {
	dst = append(dst, `{"known":`...)
	if p.known {
		dst = append(dst, `true`...)
	} else {
		dst = append(dst, `false`...)
	}
	dst = mask.AppendUint(append(dst, `,"generation":`...), p.set.Generation())
	me := r.gate.me(p.set, p.me)
	dst = me.appendJSON(append(dst, `,"me":`...))
	dst = append(dst, `,"employees":[`...)
	for i, f := range p.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.appendRow(dst, f)
	}
	dst = append(dst, `],"supervisions":[`...)
	for i := range p.supervisions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = p.supervisions[i].AppendJSON(dst)
	}
	dst = append(dst, `],"intercepts":[`...)
	for i := range p.intercepts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = p.intercepts[i].AppendJSON(dst)
	}
	dst = append(dst, `],"incoming":[`...)
	for i := range p.incoming {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = p.incoming[i].AppendJSON(dst)
	}
	dst = append(dst, `],"joins":[`...)
	for i := range p.joins {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendPlain(dst, &p.joins[i])
	}
	return append(dst, `]}`...)
}

func (m *Me) appendJSON(dst []byte) []byte {
	dst = mask.AppendString(append(dst, `{"id":`...), m.ID)
	dst = mask.AppendString(append(dst, `,"name":`...), m.Name)
	if m.Department != "" {
		dst = mask.AppendString(append(dst, `,"department":`...), m.Department)
	}
	dst = mask.AppendStrings(append(dst, `,"phones":`...), m.Phones)
	if m.PBX != "" {
		dst = mask.AppendString(append(dst, `,"pbx":`...), m.PBX)
	}
	return append(mask.AppendStrings(append(dst, `,"actions":`...), m.Actions), '}')
}
