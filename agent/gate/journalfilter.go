package gate

import (
	"context"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// JournalAsk says which rows of the journal are wanted. The zero value wants all that the subject may see, the newest first.
type JournalAsk struct {
	Employee   string // id
	Department string // id; its own employees, not those of departments below
	Line       string // id, or the name of a queue that is no line of the policy
	From, To   time.Time
	Direction  string // in, out
	Outcome    string // as the rows have it
	Number     string // of the other side, in any form
	Cursor     string // Next of the page before
	Limit      int    // 0: 50; at most 200
}

// narrow has the journal look for a number in those rows alone that can show one: of employees whose calls the subject sees; and of all others, those of
// calls on which he was himself, for they show whom he met, and of calls by a line from clients of his own. What is left out is what would have to be
// looked at and not shown, which could be told by how far a page reaches.
func (r *pastReader) narrow(ctx context.Context, f *journal.Filter) error {
	if f.Number == "" {
		return nil
	}
	protected := r.set.ProtectedNumber(f.Number.Digits())
	seen, besides, asked := []string{}, []string{}, map[string]bool{}
	for _, id := range f.Employees {
		asked[id] = true
	}
	for ref := range r.set.Employees() {
		id := r.set.ID(ref)
		switch {
		case f.Employees != nil && !asked[id]:
		case ref == r.subject, !protected && r.set.Decide(&policy.Request{Subject: r.subject, Action: policy.Observe, Target: ref}).Allowed:
			seen = append(seen, id)
		default:
			besides = append(besides, id)
		}
	}
	f.Employees = seen
	if len(besides) == 0 {
		return nil
	}
	f.Besides, f.With, f.Callers = besides, []string{r.employee}, []call.Number{}
	return r.callers(ctx, f)
}

// filter makes of what is asked what the journal is asked, which may be more, and what of a row as it is shown has to fit.
func (r *pastReader) filter(ask *JournalAsk) (f journal.Filter, fits func(*mask.JournalRow) fitness, p *Problem) {
	// Times are told to the second and asked for to the second, or somebody would find by halves what is between.
	f.From, f.To = ask.From.Truncate(time.Second), ask.To.Truncate(time.Second)
	if ask.Limit < 0 || ask.Limit > maxRows {
		return f, nil, badQuery("limit is a number from 1 to 200.")
	}
	if ask.Limit == 0 {
		ask.Limit = standardRows
	}
	switch ask.Direction {
	case "", "out": // a phone that was rung for its owner to call somebody was rung, for the journal
	case "in":
		f.Direction = call.In
	default:
		return f, nil, badQuery("direction is one of in, out.")
	}
	if ask.Outcome != "" {
		o, ok := journal.ParseOutcome(ask.Outcome)
		if !ok {
			return f, nil, badQuery("outcome is one of running, answered, missed, elsewhere, busy, failed, abandoned, cancelled, unanswered.")
		}
		f.Outcomes = []journal.Outcome{o}
		if o == journal.Missed || o == journal.Unanswered { // as which every call that came to nothing is shown, where it is hidden
			f.Outcomes = nothingCame
		}
	}
	number := ""
	if ask.Number != "" {
		if number = r.gate.compared(ask.Number); number == "" {
			return f, nil, badQuery("number is a telephone number.")
		}
		f.Number = call.Number(ask.Number)
		f.Numbered = r.gate.numbered(r.set)[number]
	}
	if ask.Line != "" {
		f.Lines = []string{ask.Line}
		if l, ok := r.set.Line(ask.Line); ok {
			f.Lines[0] = r.set.Queue(l)
		}
	}
	if ask.Cursor != "" {
		began, n, ok := r.gate.openHandle(tagCursor, r.employee, ask.Cursor)
		if !ok {
			return f, nil, badQuery("cursor is next of the page before, which is good until Earshot is started anew.")
		}
		f.Before = journal.CursorAt(began, n)
	}
	return f, func(row *mask.JournalRow) fitness {
		switch {
		case ask.Direction != "" && row.Direction != ask.Direction:
			return another
		case number != "" && !r.gate.tells(row, number), ask.Line != "" && row.Line != ask.Line:
			return untold
		case ask.Outcome == "" || row.Outcome == ask.Outcome:
			return wanted
		case row.Hidden:
			return untold
		}
		return another
	}, nil
}

// fitness is whether a row that the journal has found is what was asked for, as it is shown.
type fitness int

const (
	wanted  fitness = iota
	another         // it is not, as the subject sees
	untold          // it may be, and he is not told
)

// nothingCame are the outcomes of calls that came to nothing.
var nothingCame = []journal.Outcome{
	journal.Missed, journal.Elsewhere, journal.Busy, journal.Failed, journal.Abandoned, journal.Cancelled, journal.Unanswered,
}

// tells reports whether a row as it is shown has a number, in the form in which numbers are compared.
func (g *Gate) tells(row *mask.JournalRow, number string) bool {
	if row.Peer != nil && g.compared(row.Peer.Number) == number || row.Dialled != "" && g.compared(row.Dialled) == number {
		return true
	}
	return slices.ContainsFunc(row.Others, func(p mask.Party) bool { return g.compared(p.Number) == number })
}

// compared is a number in the form in which numbers are compared; empty if it is none.
func (g *Gate) compared(number string) string {
	n, _ := clients.Normalise(bare(call.Number(number)), g.cfg.Dialling.Numbering.Region)
	return n
}

// numbered are a policy's employees by the numbers that they are shown by, in the form in which numbers are compared, whatever their phones claim. It is
// made once for each policy: to read a number takes a while.
func (g *Gate) numbered(set *policy.Set) map[string][]string {
	if of := g.byNumber.Load(); of != nil && of.set == set {
		return of.ids
	}
	of := &numberedBy{set: set, ids: map[string][]string{}}
	for ref := range set.Employees() {
		if number := g.compared(set.Number(ref)); number != "" {
			of.ids[number] = append(of.ids[number], set.ID(ref))
		}
	}
	g.byNumber.Store(of)
	return of.ids
}

// numberedBy is what numbered has made of a policy.
type numberedBy struct {
	set *policy.Set
	ids map[string][]string
}
