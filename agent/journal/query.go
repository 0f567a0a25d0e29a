package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
)

// parts are the filters whose rows together are those of this one, each row in one of them.
func (f *Filter) parts() []Filter {
	if f.Besides == nil {
		return []Filter{*f}
	}
	own, besides := *f, *f
	own.With, own.Callers, own.Besides = nil, nil, nil
	besides.Employees, besides.Besides = f.Besides, nil
	return []Filter{own, besides}
}

// nobodys reports whether no row can fit.
func (f *Filter) nobodys() bool {
	return f.Employees != nil && len(f.Employees) == 0 || f.Lines != nil && len(f.Lines) == 0
}

func (f *Filter) limit() int {
	if f.Limit <= 0 {
		return DefaultLimit
	}
	return min(f.Limit, MaxLimit)
}

// find appends to a page where the filter's rows are, newest first.
func (f *Filter) find(ctx context.Context, st *Store, tx *sql.Tx, page []Row) ([]Row, error) {
	if f.nobodys() {
		return page, nil
	}
	query, args, err := f.query(ctx, st, tx)
	if err != nil {
		return page, err
	}
	var r Row
	rows, err := tx.QueryContext(ctx, query, args...)
	err = each(rows, err, func() error {
		if err := rows.Scan(&r.At.n, &r.At.began, &r.in); err != nil {
			return err
		}
		page = append(page, r)
		return nil
	})
	return page, err
}

func (f *Filter) query(ctx context.Context, st *Store, tx *sql.Tx) (string, []any, error) {
	var q strings.Builder
	wanted, frequent := "", false
	if f.Number != "" {
		var err error
		wanted = st.compared(f.Number)
		if frequent, err = f.isFrequent(ctx, tx, wanted); err != nil {
			return "", nil, err
		}
	}
	var args []any
	and := func(condition string, with ...any) {
		q.WriteString(" AND " + condition)
		args = append(args, with...)
	}
	q.WriteString(`SELECT n, began, call FROM legs AS r ` + f.by(frequent) + ` WHERE employee <> ''`)
	in(&q, &args, "employee", f.Employees)
	in(&q, &args, "line", f.Lines)
	if f.Lines != nil {
		and(`line <> ''`)
	}
	if len(f.Outcomes) > 0 {
		q.WriteString(` AND outcome IN (` + strings.TrimSuffix(strings.Repeat("?,", len(f.Outcomes)), ",") + `)`)
		for _, o := range f.Outcomes {
			args = append(args, o)
		}
	}
	if f.Direction != call.DirectionUnknown {
		and(`direction = ?`, f.Direction)
	}
	if !f.From.IsZero() {
		and(`began >= ?`, micros(f.From))
	}
	if !f.To.IsZero() {
		and(`began < ?`, micros(f.To))
	}
	if f.Before != (Cursor{}) {
		and(`(began, n) < (?, ?)`, f.Before.began, f.Before.n)
	}
	switch {
	case f.Number == "":
	case wanted == "":
		and(`false`)
	case frequent: // among the newest rows there are enough of it, and each is asked for itself
		and(`EXISTS (SELECT 1 FROM legs o WHERE o.call = r.call AND (o.wanted = ? OR o.n <> r.n AND (o.digits = ?`, wanted, wanted)
		if len(f.Numbered) > 0 {
			q.WriteString(` OR o.employee IN (` + places(&args, f.Numbered) + `)`)
		}
		q.WriteString(`)))`)
	default:
		// (Each part has an index of its own; a leg's own number is on all its rows.)
		and(`n IN (SELECT m.n FROM legs o JOIN legs m ON m.call = o.call AND m.n <> o.n WHERE o.digits = ? AND o.digits <> ''
			UNION SELECT m.n FROM legs o JOIN legs m ON m.call = o.call WHERE o.wanted = ? AND o.wanted <> ''`, wanted, wanted)
		if len(f.Numbered) > 0 {
			q.WriteString(` UNION SELECT m.n FROM legs o JOIN legs m ON m.call = o.call AND m.n <> o.n WHERE o.employee <> '' AND o.employee IN (` +
				places(&args, f.Numbered) + `)`)
		}
		q.WriteString(`)`)
	}
	if f.With != nil || f.Callers != nil {
		q.WriteString(` AND call IN (SELECT call FROM legs WHERE employee <> ''`)
		in(&q, &args, "employee", append([]string{}, f.With...))
		q.WriteString(` UNION ALL SELECT call FROM legs WHERE employee = '' AND line <> ''`)
		in(&q, &args, "line", f.Lines)
		numbers := make([]string, len(f.Callers))
		for i, n := range f.Callers {
			numbers[i] = string(n)
		}
		in(&q, &args, "number", numbers)
		q.WriteString(`)`)
	}
	q.WriteString(` ORDER BY began DESC, n DESC LIMIT ` + strconv.Itoa(f.limit()))
	return q.String(), args, nil
}

func (f *Filter) callers(ctx context.Context, st *Store, tx *sql.Tx) (string, []any, error) {
	var q strings.Builder
	var args []any
	index, of, order := "legs_caller", "", ""
	if f.Number != "" {
		wanted := st.compared(f.Number)
		frequent, err := f.isFrequent(ctx, tx, wanted)
		if err != nil {
			return "", nil, err
		}
		if frequent {
			order = ` ORDER BY MAX(n) DESC LIMIT ` + strconv.Itoa(manyCallers)
		} else {
			index = "legs_call" // of the few calls
			of = ` AND call IN (SELECT call FROM legs WHERE digits = ? AND digits <> '' UNION ALL SELECT call FROM legs WHERE wanted = ? AND wanted <> ''`
			args = append(args, wanted, wanted)
			if len(f.Numbered) > 0 {
				of += ` UNION ALL SELECT call FROM legs WHERE employee <> '' AND employee IN (` + places(&args, f.Numbered) + `)`
			}
			of += `)`
		}
	}
	q.WriteString(`SELECT number FROM legs INDEXED BY ` + index + ` WHERE employee = '' AND line <> '' AND number <> ''` + of)
	in(&q, &args, "line", f.Lines)
	q.WriteString(` GROUP BY number` + order)
	return q.String(), args, nil
}

// manyCalls is how many legs with a number make it a frequent one: the company's own, which half of all calls have. All calls with another are collected
// for a page; with that it would be all there are.
const manyCalls = 2000

// manyCallers is how many callers of lines, the last that there were, are told of with a frequent number. Each is looked up in the directory.
const manyCallers = 1000

// fewEmployees are so few that their rows are gone through sooner than everybody's.
const fewEmployees = 8

func (f *Filter) isFrequent(ctx context.Context, tx *sql.Tx, wanted string) (bool, error) {
	args := []any{wanted, wanted}
	query := `SELECT 1 FROM legs WHERE digits = ? AND digits <> '' UNION ALL SELECT 1 FROM legs WHERE wanted = ? AND wanted <> ''`
	if len(f.Numbered) > 0 {
		query += ` UNION ALL SELECT 1 FROM legs WHERE employee <> '' AND employee IN (` + places(&args, f.Numbered) + `)`
	}
	n := 0
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM (`+query+` LIMIT `+strconv.Itoa(manyCalls)+`)`, args...).Scan(&n)
	return n == manyCalls, err
}

// by names the index that a page is read by. SQLite, which does not know how many rows an employee or an outcome has, would now and then go through a
// million of them for a page.
func (f *Filter) by(frequent bool) string {
	switch {
	case f.With != nil, f.Callers != nil, f.Number != "" && !frequent: // what is left by them is little
		return ""
	case frequent && f.Employees == nil && len(f.Outcomes) == 1:
		return "INDEXED BY legs_outcome"
	case frequent && (f.Employees == nil || len(f.Employees) > fewEmployees): // in order, or each of theirs would be asked before the first is known
		return "INDEXED BY legs_began"
	case f.Employees != nil && len(f.Outcomes) > 0:
		return "INDEXED BY legs_employee_outcome"
	case f.Employees != nil:
		return "INDEXED BY legs_employee"
	case len(f.Lines) == 1:
		return "INDEXED BY legs_line"
	case len(f.Outcomes) > 0:
		return "INDEXED BY legs_outcome"
	}
	return "INDEXED BY legs_began"
}

// in appends that a column is one of several; nothing for nil.
func in(q *strings.Builder, args *[]any, column string, values []string) {
	if values != nil {
		q.WriteString(" AND " + column + " IN (" + places(args, values) + ")")
	}
}

// manyValues are more than are given one by one: SQLite takes 32766 in all.
const manyValues = 1000

// places adds values to a statement's, and returns what stands for them in it.
func places(args *[]any, values []string) string {
	if len(values) > manyValues {
		list, _ := json.Marshal(values) // never fails
		*args = append(*args, string(list))
		return "SELECT value FROM json_each(?)"
	}
	for _, v := range values {
		*args = append(*args, v)
	}
	return strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")
}
