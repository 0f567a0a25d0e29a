package gate

import (
	"context"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// LineHistory reads a page of the conversations that a line has brought, as rows of the employees who had a part in them, by the right line.history: on
// the line, on one who had a part, or because the client is the subject's own by the directory. Of the filter Employee, Department and Line are not
// looked at.
//
// A line that is not there, and one of which the subject may see neither that it is there nor a single conversation, get the same answer.
func (g *Gate) LineHistory(ctx context.Context, s auth.Subject, line string, ask JournalAsk) (mask.JournalPage, error) {
	r, p := g.reader(s)
	if p != nil {
		return mask.JournalPage{}, p
	}
	page, err := r.history(ctx, line, ask)
	g.met.read("history", err)
	return page, err
}

func (r *pastReader) history(ctx context.Context, id string, ask JournalAsk) (mask.JournalPage, error) {
	ask.Employee, ask.Department, ask.Line = "", "", ""
	f, fits, p := r.filter(&ask)
	if p != nil {
		return mask.JournalPage{}, p
	}
	line, ok := r.set.Line(id)
	if !ok {
		return mask.JournalPage{}, noSuchLine()
	}
	f.Lines = []string{r.set.Queue(line)}
	whole := r.set.Decide(&policy.Request{Subject: r.subject, Action: policy.LineHistory, Line: line})
	r.gate.met.decision(policy.LineHistory, outcome(whole), whole.Reason.String())
	if !whole.Allowed {
		if err := r.ofHis(ctx, &f, line); err != nil {
			return mask.JournalPage{}, err
		}
	}
	page, next, err := r.scan(ctx, f, ask.Limit, (*past).inHistory, fits)
	switch {
	case err != nil:
		return mask.JournalPage{}, err
	case whole.Allowed:
		return page, r.gaps(ctx, &page, f, next)
	case len(page.Rows) > 0 || page.Next != "":
		return page, nil
	case views(r.set, r.subject, line):
		return mask.JournalPage{}, r.gate.refusal(r.set, whole, "")
	}
	return mask.JournalPage{}, noSuchLine()
}

// ofHis leaves of a line's conversations those that can be the subject's to see who has no right on the line as a whole: with employees on whom he has
// it, and of his clients. However many others came after them, those are found.
func (r *pastReader) ofHis(ctx context.Context, f *journal.Filter, line policy.LineRef) error {
	f.With, f.Callers = []string{}, []call.Number{}
	for ref := range r.set.Employees() {
		if r.set.Decide(&policy.Request{Subject: r.subject, Action: policy.LineHistory, Line: line, Target: ref}).Allowed {
			f.With = append(f.With, r.set.ID(ref))
		}
	}
	return r.callers(ctx, f)
}

// callers adds to the filter the numbers of the subject's own clients who came by one of its lines, with its number where it has one: the directory, which
// may have to ask elsewhere, is asked about no others.
func (r *pastReader) callers(ctx context.Context, f *journal.Filter) error {
	callers, err := r.gate.cfg.Journal.Callers(ctx, *f)
	if err != nil {
		return journalFails(err)
	}
	for _, number := range callers {
		if c, answer := r.gate.cfg.Clients.Find(number.Digits()); answer == clients.Found && isOf(&c, r.employee) {
			f.Callers = append(f.Callers, number)
		}
	}
	return nil
}

// LineStatistics counts the callers of one line, in all or by hour or day.
func (g *Gate) LineStatistics(ctx context.Context, s auth.Subject, line string, ask StatisticsAsk) ([]mask.Figures, error) {
	ask.Employee, ask.Department, ask.Line = "", "", line
	if ask.By == "" {
		ask.By = "line"
	}
	return g.Statistics(ctx, s, ask)
}
