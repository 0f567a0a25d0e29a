package gate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// StatisticsAsk says which figures are wanted. Those by line, or of one line by hour or day, count callers of lines and go by line.statistics; all
// others count the employees' parts in calls, and go by statistics.
type StatisticsAsk struct {
	By         string // employee, department, line, hour, day
	Employee   string // id; of one employee alone
	Department string // id; of its own employees alone
	Line       string // id; with line, hour and day
	From, To   time.Time
}

// maxHours is how long a time may be asked about by the hour, and maxDays by the day.
const (
	maxHours = 92 * 24 * time.Hour
	maxDays  = 10 * 366 * 24 * time.Hour
)

// Statistics counts what has ended, of those on whom the subject has the right alone: whoever else there is adds to no figure.
func (g *Gate) Statistics(ctx context.Context, s auth.Subject, ask StatisticsAsk) ([]mask.Figures, error) {
	r, p := g.reader(s)
	if p != nil {
		return nil, p
	}
	figures, err := r.statistics(ctx, ask)
	g.met.read("statistics", err)
	return figures, err
}

func (r *pastReader) statistics(ctx context.Context, ask StatisticsAsk) ([]mask.Figures, error) {
	f := journal.StatsFilter{From: ask.From.Truncate(time.Second), To: ask.To.Truncate(time.Second)}
	if p := span(&ask, r.now); p != nil {
		return nil, p
	}
	if ask.By == "line" || ask.Line != "" {
		if ask.Employee != "" || ask.Department != "" || ask.By != "line" && ask.By != "hour" && ask.By != "day" {
			return nil, badQuery("Figures of lines are by line, hour or day, and not of an employee or a department.")
		}
		return r.ofLines(ctx, f, &ask)
	}
	by := journal.ByEmployee
	switch ask.By {
	case "employee", "department":
	case "hour":
		by = journal.ByHour
	case "day":
		by = journal.ByDay
	default:
		return nil, badQuery("by is one of employee, department, line, hour, day.")
	}
	of, p := r.whose(policy.Statistics, ask.Employee, ask.Department)
	if p != nil {
		return nil, p
	}
	if of == nil { // who has left the policy is nobody on whom somebody has a right
		for ref := range r.set.Employees() {
			of = append(of, r.set.ID(ref))
		}
	}
	f.By = by
	stats, err := r.masked(ctx, f, of)
	if err != nil {
		return nil, err
	}
	if ask.By == "department" {
		return figures(r.departments(stats), func(f *mask.Figures, s *journal.Stat) { f.Department = s.Key }), nil
	}
	return figures(stats, func(f *mask.Figures, s *journal.Stat) {
		if f.Employee = s.Key; by != journal.ByEmployee {
			f.Began = &s.Began
		}
	}), nil
}

// masked counts the parts that employees had in calls. Of those whose calls the subject does not see, what came to nothing is counted as their rows show
// it: as missed or unanswered, and not why; so all of it is missed here, and nobody has abandoned.
func (r *pastReader) masked(ctx context.Context, f journal.StatsFilter, of []string) ([]journal.Stat, error) {
	seen, hidden := []string{}, []string{}
	for _, id := range of {
		if ref, _ := r.set.Employee(id); r.set.Decide(&policy.Request{Subject: r.subject, Action: policy.Observe, Target: ref}).Allowed {
			seen = append(seen, id)
		} else {
			hidden = append(hidden, id)
		}
	}
	f.Employees = seen
	stats, err := r.gate.cfg.Journal.Statistics(ctx, f)
	if err != nil {
		return nil, journalFails(err)
	}
	f.Employees = hidden
	coarse, err := r.gate.cfg.Journal.Statistics(ctx, f)
	if err != nil {
		return nil, journalFails(err)
	}
	for _, s := range coarse {
		s.Missed, s.Abandoned = s.Calls-s.Answered, 0
		at, found := slices.BinarySearchFunc(stats, s, func(a, b journal.Stat) int { return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Key, b.Key)) })
		if found {
			addStat(&stats[at], &s)
		} else {
			stats = slices.Insert(stats, at, s)
		}
	}
	return stats, nil
}

// addStat adds the figures of one group to another's.
func addStat(sum, s *journal.Stat) {
	sum.Calls += s.Calls
	sum.Answered += s.Answered
	sum.Missed += s.Missed
	sum.Abandoned += s.Abandoned
	sum.Talk += s.Talk
	sum.Wait += s.Wait
}

// span checks the time that is asked about.
func span(ask *StatisticsAsk, now time.Time) *Problem {
	longest := map[string]time.Duration{"hour": maxHours, "day": maxDays}[ask.By]
	until := ask.To
	if until.IsZero() {
		until = now
	}
	if longest > 0 && (ask.From.IsZero() || until.Sub(ask.From) > longest) {
		return badQuery("By the hour, from is needed and at most 92 days before to; by the day, at most ten years.")
	}
	return nil
}

// departments sums up the figures of employees by the departments in which they are now.
func (r *pastReader) departments(stats []journal.Stat) (sums []journal.Stat) {
	place := map[string]int{}
	for _, s := range stats {
		ref, _ := r.set.Employee(s.Key)
		id := r.set.DepartmentOf(ref).ID
		i, ok := place[id]
		if !ok {
			i = len(sums)
			place[id] = i
			sums = append(sums, journal.Stat{Key: id})
		}
		addStat(&sums[i], &s)
	}
	slices.SortFunc(sums, func(a, b journal.Stat) int { return cmp.Compare(a.Key, b.Key) })
	return sums
}

// ofLines counts the callers of the lines whose figures the subject may see.
func (r *pastReader) ofLines(ctx context.Context, f journal.StatsFilter, ask *StatisticsAsk) ([]mask.Figures, error) {
	f.Lines = []string{}
	named := map[string]string{} // line by queue
	for line := range r.set.Lines() {
		id := r.set.LineID(line)
		if ask.Line != "" && ask.Line != id {
			continue
		}
		d := r.set.Decide(&policy.Request{Subject: r.subject, Action: policy.LineStatistics, Line: line})
		if ask.Line != "" {
			r.gate.met.decision(policy.LineStatistics, outcome(d), d.Reason.String())
		}
		switch {
		case d.Allowed:
			f.Lines = append(f.Lines, r.set.Queue(line))
			named[r.set.Queue(line)] = id
		case ask.Line != "" && !views(r.set, r.subject, line):
			return nil, noSuchLine()
		case ask.Line != "":
			return nil, r.gate.refusal(r.set, d, "")
		}
	}
	switch {
	case len(f.Lines) == 0 && ask.Line != "":
		return nil, noSuchLine()
	case len(f.Lines) == 0:
		return nil, r.gate.refusal(r.set, policy.Decision{Reason: policy.ReasonNoRight, Pairwise: true}, "")
	}
	f.By = map[string]journal.Group{"line": journal.ByLine, "hour": journal.ByHour, "day": journal.ByDay}[ask.By]
	stats, err := r.gate.cfg.Journal.Statistics(ctx, f)
	if err != nil {
		return nil, journalFails(err)
	}
	return figures(stats, func(v *mask.Figures, s *journal.Stat) {
		if v.Line = named[s.Key]; f.By != journal.ByLine {
			v.Began = &s.Began
		}
	}), nil
}

func figures(stats []journal.Stat, name func(*mask.Figures, *journal.Stat)) []mask.Figures {
	out := make([]mask.Figures, len(stats))
	for i := range stats {
		s := &stats[i]
		out[i] = mask.Figures{
			Calls: s.Calls, Answered: s.Answered, Missed: s.Missed, Abandoned: s.Abandoned,
			Talk: int64(s.Talk / time.Second), Wait: int64(s.Wait / time.Second),
		}
		name(&out[i], s)
	}
	return out
}
