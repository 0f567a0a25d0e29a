package gate

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Journal has what has been, of everybody and unmasked; journal.Store is the real one. The gate is the only one that reads it for somebody.
type Journal interface {
	Rows(ctx context.Context, f journal.Filter) ([]journal.Row, error)
	Callers(ctx context.Context, f journal.Filter) ([]call.Number, error)
	Gaps(ctx context.Context, from, to time.Time) ([]journal.Gap, error)
	Statistics(ctx context.Context, f journal.StatsFilter) ([]journal.Stat, error)
	Grade(ctx context.Context, g journal.Grade) error
	Grades(ctx context.Context, call string) ([]journal.Grade, error)
}

// Bounds of what one request reads.
const (
	standardRows = 50
	maxRows      = 200
	maxGaps      = 100
	// maxLooked is how many rows that the subject may see one page looks at, whether they fit or not; and maxPassed how many that he may not, or that were
	// found by what he is not told. They are counted apart, so that where a page ends follows from what he may see, unless there are as many in a row that
	// he may not.
	maxLooked, maxPassed = 2000, 10_000
)

// Journal reads a page of the journal. To read is counted and not recorded, as sight is; Export is recorded.
//
// The rows are those of the employees on whom the subject has the right journal, each decided over everybody who was on the call, and each shows what
// the board showed him. A row that may not be shown is as if it were not there. A filter matches what is shown and nothing else, so that nobody finds
// out by it what is hidden.
func (g *Gate) Journal(ctx context.Context, s auth.Subject, ask JournalAsk) (mask.JournalPage, error) {
	r, p := g.reader(s)
	if p != nil {
		return mask.JournalPage{}, p
	}
	page, _, err := r.page(ctx, ask)
	g.met.read("page", err)
	return page, err
}

// JournalRow reads one row by its handle. One that is not the subject's to see and one that there is not get the same answer.
func (g *Gate) JournalRow(ctx context.Context, s auth.Subject, handle string) (mask.JournalRow, error) {
	r, p := g.reader(s)
	if p != nil {
		return mask.JournalRow{}, p
	}
	v, err := r.find(ctx, handle)
	if err != nil {
		g.met.read("row", err)
		return mask.JournalRow{}, err
	}
	row, err := r.show(ctx, v)
	g.met.read("row", err)
	return row, err
}

// pastReader reads the journal for one subject by one policy.
type pastReader struct {
	gate     *Gate
	set      *policy.Set
	subject  policy.Ref
	employee string
	now      time.Time
}

func (g *Gate) reader(s auth.Subject) (*pastReader, *Problem) {
	if g.cfg.Journal == nil {
		return nil, noJournal()
	}
	set := g.policy.Load()
	ref, ok := set.Employee(s.Employee())
	if !ok {
		return nil, refusedSubject()
	}
	return &pastReader{gate: g, set: set, subject: ref, employee: s.Employee(), now: time.Now()}, nil
}

// page reads one page, and tells where it ended.
func (r *pastReader) page(ctx context.Context, ask JournalAsk) (mask.JournalPage, journal.Cursor, error) {
	f, fits, p := r.filter(&ask)
	if p != nil {
		return mask.JournalPage{}, journal.Cursor{}, p
	}
	of, p := r.whose(policy.Journal, ask.Employee, ask.Department)
	if p != nil {
		return mask.JournalPage{}, journal.Cursor{}, p
	}
	f.Employees = of
	if err := r.narrow(ctx, &f); err != nil {
		return mask.JournalPage{}, journal.Cursor{}, err
	}
	page, next, err := r.scan(ctx, f, ask.Limit, func(v *past) bool { return v.inJournal() }, fits)
	if err != nil {
		return mask.JournalPage{}, journal.Cursor{}, err
	}
	if err := r.gaps(ctx, &page, f, next); err != nil {
		return mask.JournalPage{}, journal.Cursor{}, err
	}
	return page, next, nil
}

// whose lists the employees on whom the subject has a right, alone and whatever they talk; nil: on all whom the policy has.
func (r *pastReader) whose(action policy.Action, employee, department string) ([]string, *Problem) {
	may := func(ref policy.Ref) policy.Decision {
		return r.set.Decide(&policy.Request{Subject: r.subject, Action: action, Target: ref})
	}
	tell := func(d policy.Decision) { r.gate.met.decision(action, outcome(d), d.Reason.String()) }
	if employee != "" {
		ref, ok := r.set.Employee(employee)
		if !ok || department != "" && r.set.DepartmentOf(ref).ID != department {
			return nil, noSuchEmployee()
		}
		d := may(ref)
		if tell(d); !d.Allowed {
			return nil, r.gate.refusal(r.set, d, "")
		}
		return []string{employee}, nil
	}
	ids := []string{}
	asked := 0
	for ref := range r.set.Employees() {
		if department != "" && r.set.DepartmentOf(ref).ID != department {
			continue
		}
		asked++
		if may(ref).Allowed {
			ids = append(ids, r.set.ID(ref))
		}
	}
	switch {
	case len(ids) == 0:
		d := may(r.subject)
		if d.Allowed || department != "" { // he has the right on others
			d = policy.Decision{Reason: policy.ReasonNoRight, Pairwise: true}
		}
		tell(d)
		return nil, r.gate.refusal(r.set, d, "")
	case department == "" && asked == len(ids):
		ids = nil
	}
	tell(policy.Decision{Allowed: true, Reason: policy.ReasonAllowed})
	return ids, nil
}

// scan reads rows until there are limit of those that may be shown and fit, and one more, or as many have been looked at as one request may. It tells
// where the page ended if there is more, or may be. (That a row follows which he may not see, next tells nobody.)
func (r *pastReader) scan(ctx context.Context, f journal.Filter, limit int, may func(*past) bool, fits func(*mask.JournalRow) fitness) (page mask.JournalPage, next journal.Cursor, err error) {
	page.Rows = make([]mask.JournalRow, 0, limit)
	end := func(at journal.Cursor) (mask.JournalPage, journal.Cursor, error) {
		page.Next = r.gate.closeHandle(tagCursor, r.employee, at)
		return page, at, nil
	}
	f.Limit = min(max(limit+1, 20), journal.MaxLimit)
	var last journal.Cursor // the last row on the page
	for looked, passed := 0, 0; ; {
		rows, err := r.gate.cfg.Journal.Rows(ctx, f)
		if err != nil {
			return page, next, journalFails(err)
		}
		for i := range rows {
			if looked == maxLooked || passed == maxPassed {
				return end(f.Before)
			}
			f.Before = rows[i].At
			v, ok := r.past(&rows[i])
			if !ok || !may(v) {
				passed++
				continue
			}
			row, err := r.show(ctx, v)
			if err != nil {
				return page, next, err
			}
			switch is := fits(&row); {
			case is == untold:
				passed++
				continue
			case is == another:
			case len(page.Rows) == limit:
				return end(last)
			default:
				page.Rows, last = append(page.Rows, row), rows[i].At
			}
			looked++
		}
		if len(rows) < f.Limit {
			return page, journal.Cursor{}, nil
		}
		f.Limit = journal.MaxLimit / 4
	}
}

// find reads the row of a handle, if the subject may see it.
func (r *pastReader) find(ctx context.Context, handle string) (*past, error) {
	began, n, ok := r.gate.openHandle(tagPast, r.employee, handle)
	if !ok {
		return nil, noSuchRow()
	}
	return r.at(ctx, journal.CursorAt(began, n))
}

// at reads the row at a place in the journal, if the subject may see it.
func (r *pastReader) at(ctx context.Context, place journal.Cursor) (*past, error) {
	began, n := place.Place()
	if n < 0 || n+1 < 0 {
		return nil, noSuchRow()
	}
	rows, err := r.gate.cfg.Journal.Rows(ctx, journal.Filter{Before: journal.CursorAt(began, n+1), Limit: 1})
	if err != nil {
		return nil, journalFails(err)
	}
	if len(rows) == 1 && rows[0].At == place {
		if v, ok := r.past(&rows[0]); ok && (v.inJournal() || v.inHistory()) {
			return v, nil
		}
	}
	return nil, noSuchRow()
}

// gaps adds the gaps within the time of a page: from where it begins to where it ends.
func (r *pastReader) gaps(ctx context.Context, page *mask.JournalPage, f journal.Filter, next journal.Cursor) error {
	from, to := f.From, f.To
	if began, _ := next.Place(); next != (journal.Cursor{}) {
		from = time.UnixMicro(began)
	}
	if began, _ := f.Before.Place(); f.Before != (journal.Cursor{}) {
		to = time.UnixMicro(began)
	}
	gaps, err := r.gate.cfg.Journal.Gaps(ctx, from, to)
	if err != nil {
		return journalFails(err)
	}
	for _, gap := range gaps[max(0, len(gaps)-maxGaps):] {
		page.Gaps = append(page.Gaps, mask.JournalGap{Began: mask.Moment(gap.Began), Ended: mask.Moment(gap.Ended)})
	}
	return nil
}

func noJournal() *Problem {
	return &Problem{Kind: NotFound, Code: "no_journal", Text: "No journal is kept here; the administrator can configure one."}
}

func noSuchRow() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_row", Text: "There is no such row for you. Take its id from GET /v1/journal; ids end when Earshot is started anew."}
}

func badQuery(text string) *Problem { return &Problem{Kind: Invalid, Code: "bad_query", Text: text} }

// journalFails is that the journal cannot be read or written.
func journalFails(cause error) error {
	if outOfTime(cause) {
		return cause
	}
	return &Problem{Kind: Unavailable, Code: "journal_failed", Text: "The journal cannot be used now; try again shortly.", cause: cause}
}
