package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/policy"
)

type matrixCmd struct {
	Policy  []string `type:"path" sep:"none" xor:"file" required:"" help:"The policy's file or folder; may be repeated. Instead of --config." placeholder:"PATH"`
	Config  string   `type:"path" xor:"file" required:"" help:"The configuration file, which names the policy. What an overlay lays over it in the Redis is not known here." placeholder:"FILE"`
	Subject []string `sep:"none" help:"Only what these may do: an id, department:ID, subtree:ID, group:ID, heads; may be repeated." placeholder:"WHO"`
	Action  []string `sep:"none" help:"Only this action, such as spy; may be repeated." placeholder:"ACTION"`
	Target  []string `sep:"none" help:"Only what may be done to these: as --subject, or line:ID; may be repeated." placeholder:"WHOM"`
	Format  string   `enum:"table,csv,json" default:"table" help:"table, for people; csv, a line for each subject, action and target; or json." placeholder:"table|csv|json"`
	asOf
}

// Run prints who may do what to whom.
func (c *matrixCmd) Run(s streams) error {
	set, err := c.set(c.Config, c.Policy)
	if err != nil {
		return err
	}
	f, err := c.filter(set)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.out)
	switch c.Format {
	case "csv":
		err = matrixCSV(out, set, f)
	case "json":
		err = matrixJSON(out, set, f)
	default:
		t := table{out: out, set: set, filter: f, at: set.Moment()}
		err = t.print()
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// filter reads what is wanted of the matrix.
func (c *matrixCmd) filter(set *policy.Set) (policy.Filter, error) {
	var f policy.Filter
	named := func(all []policy.Ref, selector string) ([]policy.Ref, error) {
		more, err := set.Named(selector)
		for _, who := range more {
			if !slices.Contains(all, who) {
				all = append(all, who)
			}
		}
		return all, err
	}
	var err error
	for _, selector := range c.Subject {
		if f.Subjects, err = named(append([]policy.Ref{}, f.Subjects...), selector); err != nil {
			return f, err
		}
	}
	for _, name := range c.Action {
		a, err := actionNamed(name)
		if err != nil {
			return f, err
		}
		f.Actions = append(f.Actions, a)
	}
	for _, selector := range c.Target {
		if id, ok := strings.CutPrefix(selector, "line:"); ok {
			line, ok := set.Line(id)
			if !ok {
				return f, fmt.Errorf("the policy has no line %q", id)
			}
			f.Lines = append(f.Lines, line)
			continue
		}
		if f.Targets, err = named(append([]policy.Ref{}, f.Targets...), selector); err != nil {
			if _, ok := set.Line(selector); ok {
				return f, fmt.Errorf("the policy has no employee %q: did you mean line:%s?", selector, selector)
			}
			return f, err
		}
	}
	return f, nil
}

// valueExcept stands in the matrix where a number is excepted from those that may be dialled.
const valueExcept = "except"

func dialValue(d policy.DialRight) string {
	if d.Mark == policy.MarkNo {
		return valueExcept
	}
	return d.Mark.String()
}

// matrixCSV writes a line for each target, flat, for spreadsheets.
func matrixCSV(out io.Writer, set *policy.Set, f policy.Filter) error {
	w := csv.NewWriter(out)
	line := func(subject policy.Ref, a policy.Action, target, value string) {
		_ = w.Write([]string{plainCell(set.ID(subject)), a.String(), plainCell(target), value}) // Error tells of it
	}
	_ = w.Write([]string{"subject", "action", "target", "value"})
	for row := range set.Matrix(f) {
		if m := row.Has(); m != policy.MarkNo {
			line(row.Subject, row.Action, "", m.String())
		}
		for _, m := range policy.Marks() {
			for target := range row.Targets(m) {
				line(row.Subject, row.Action, set.ID(target), m.String())
			}
			for l := range row.Lines(m) {
				line(row.Subject, row.Action, "line:"+set.LineID(l), m.String())
			}
		}
		for _, d := range row.Dial() {
			line(row.Subject, row.Action, d.Text, dialValue(d))
		}
		if err := w.Error(); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// plainCell keeps a spreadsheet from taking a cell for a formula: it shows what stands behind an apostrophe as text.
func plainCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// matrixRow is one element of the array that --format json prints: what one employee may do by one action.
type matrixRow struct {
	Subject string `json:"subject"` // id
	Action  string `json:"action"`
	// Value is of a right that is about nobody, such as lock: yes or not-now.
	Value string `json:"value,omitempty"`
	// Targets are the ids of employees by value: yes, reason, own-clients, kind, not-now. Lines are ids of lines likewise.
	Targets map[string][]string `json:"targets,omitempty"`
	Lines   map[string][]string `json:"lines,omitempty"`
	// Dial is of the action dial.
	Dial []matrixDial `json:"dial,omitempty"`
}

// matrixDial is one grant of numbers, or one exception from all of them.
type matrixDial struct {
	Value   string `json:"value"` // yes, not-now or except
	Numbers string `json:"numbers"`
	Rule    string `json:"rule"`
	Via     string `json:"via,omitempty"` // the assignment that brings the rule
}

// matrixJSON writes one array, a row to a line.
func matrixJSON(out io.Writer, set *policy.Set, f policy.Filter) error {
	before := "[\n"
	for row := range set.Matrix(f) {
		r := matrixRow{Subject: set.ID(row.Subject), Action: row.Action.String()}
		if m := row.Has(); m != policy.MarkNo {
			r.Value = m.String()
		}
		for _, m := range policy.Marks() {
			for target := range row.Targets(m) {
				put(&r.Targets, m, set.ID(target))
			}
			for l := range row.Lines(m) {
				put(&r.Lines, m, set.LineID(l))
			}
		}
		for _, d := range row.Dial() {
			r.Dial = append(r.Dial, matrixDial{dialValue(d), d.Text, d.Rule.String(), d.Via.String()})
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s%s", before, text); err != nil {
			return err
		}
		before = ",\n"
	}
	end := "\n]\n"
	if before == "[\n" {
		end = "[]\n"
	}
	_, err := io.WriteString(out, end)
	return err
}

func put(all *map[string][]string, m policy.Mark, id string) {
	if *all == nil {
		*all = map[string][]string{}
	}
	(*all)[m.String()] = append((*all)[m.String()], id)
}
