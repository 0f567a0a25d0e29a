package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Grades go from the worst to the best.
const (
	worstGrade = 1
	bestGrade  = 5
)

// GradeAsk is a grade for an employee's part in a call.
type GradeAsk struct {
	Row     string // handle of the row in the journal
	Value   int    // 1 to 5
	Comment string // one line; may be empty
	Door    string
}

// Grade grades an employee's part in a call that is over or goes on, by the right grade or, where a line brought the call, line.grade. Of one and the
// same subject the last one stands. It is recorded: who graded whom, and the value; the comment is in the journal alone.
func (g *Gate) Grade(ctx context.Context, s auth.Subject, ask GradeAsk) (mask.Grade, error) {
	if ask.Value < worstGrade || ask.Value > bestGrade {
		return mask.Grade{}, &Problem{Kind: Invalid, Code: "bad_grade", Text: "value is a whole number from 1, the worst, to 5, the best."}
	}
	if !audit.IsReason(ask.Comment) {
		return mask.Grade{}, &Problem{Kind: Invalid, Code: "bad_comment", Text: fmt.Sprintf("comment is one line of text, at most %d characters.", audit.MaxReason)}
	}
	r, p := g.reader(s)
	if p != nil {
		return mask.Grade{}, p
	}
	v, err := r.find(ctx, ask.Row)
	if err != nil {
		return mask.Grade{}, err
	}
	d := v.mayGrade()
	e := audit.Entry{
		ID: newID(), Phase: audit.Decided, Subject: r.employee, Credential: s.Credential(), Action: policy.Grade.String(), Targets: []string{v.row.Leg.Employee},
		Employees: v.employees(), Outcome: audit.Outcome(outcome(d)), Reason: d.Reason.String(), Generation: r.set.Generation(), Door: ask.Door, Detail: fmt.Sprintf("value:%d", ask.Value),
	}
	if rule := r.set.Rule(d.Rule); rule.Line > 0 {
		e.Rule = audit.Rule{File: rule.File, Line: rule.Line}
	}
	g.met.decision(policy.Grade, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return mask.Grade{}, notRecorded(err)
	}
	if !d.Allowed {
		return mask.Grade{}, g.refusal(r.set, d, e.ID)
	}
	grade := journal.Grade{Call: v.row.Call.ID, Employee: v.row.Leg.Employee, By: r.employee, Value: ask.Value, Comment: ask.Comment, At: time.Now()}
	err = g.cfg.Journal.Grade(ctx, grade)
	done := audit.Entry{ID: e.ID, Phase: audit.Done, Subject: e.Subject, Credential: e.Credential, Action: e.Action, Targets: e.Targets, Generation: e.Generation, Door: e.Door}
	if err != nil {
		done.Phase = audit.Failed
	}
	if failed := g.fact(done); failed != nil {
		g.log.Error().Err(failed).Str("id", e.ID).Msg("that a call was graded was not recorded")
	}
	if err != nil {
		return mask.Grade{}, journalFails(err)
	}
	return gradeView(&grade), nil
}

// mayGrade decides whether the subject may grade the row. What is told of a refusal is what the right grade says, unless the line's alone is asked about.
func (v *past) mayGrade() policy.Decision {
	d := v.decide(policy.Grade)
	if !d.Allowed && !v.line.IsZero() {
		if byLine := v.decide(policy.LineGrade); byLine.Allowed {
			return byLine
		}
	}
	return d
}

// offersGrade reports whether the row says that the subject may grade it. Where it does not show the whole other side, that follows from him and its
// employee alone, as what he may do on the board does: or it would tell of each call, and no record of it, whether somebody was on it whom a rule
// excepts. To grade is decided over everybody, and recorded.
func (v *past) offersGrade(row *mask.JournalRow) bool {
	if !row.Hidden && row.Peer != nil {
		return v.mayGrade().Allowed
	}
	q := policy.Request{Subject: v.subject, Action: policy.Grade, Target: v.target}
	if v.set.Decide(&q).Allowed {
		return true
	}
	q.Action, q.Line = policy.LineGrade, v.line
	return v.inHistory() && v.set.Decide(&q).Allowed
}

// grades adds the row's grades, for whom the row says that he may grade it himself.
func (v *past) grades(ctx context.Context, row *mask.JournalRow, s mask.Sight) error {
	if !row.CanGrade {
		return nil
	}
	grades, err := v.gate.cfg.Journal.Grades(ctx, v.row.Call.ID)
	if errors.Is(err, journal.ErrNoCall) {
		return nil // it has been deleted for its age since the row was read
	}
	if err != nil {
		return journalFails(err)
	}
	for i := range grades {
		if grades[i].Employee != v.row.Leg.Employee {
			continue
		}
		grade := gradeView(&grades[i])
		if !s.Peer() && grade.By != v.employee {
			grade.Comment = "" // who sees the other side may have named it
		}
		row.Grades = append(row.Grades, grade)
	}
	return nil
}

func gradeView(g *journal.Grade) mask.Grade {
	return mask.Grade{By: g.By, Value: g.Value, Comment: g.Comment, At: mask.Moment(g.At)}
}

// employees are the ids of those who were on the call, and of those whom a number claims, for the record.
func (v *past) employees() (ids []string) {
	for _, ref := range v.stamped {
		ids = append(ids, v.set.ID(ref))
	}
	for _, ref := range v.claimed {
		ids = appendNew(ids, v.set.ID(ref))
	}
	return ids
}
