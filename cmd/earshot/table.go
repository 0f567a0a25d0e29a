package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// The widths of the table, in characters. The last column has what is left.
const (
	tableWidth  = 100
	actionWidth = 26
	valueWidth  = 13
)

// table prints the matrix for people: a block for each subject, or for all who may do the very same; actions with the same cells on one line;
// targets in few words.
type table struct {
	out    io.Writer
	set    *policy.Set
	filter policy.Filter
	at     time.Time
	err    error
	begun  bool
	used   map[string]bool // values
}

// cell is one value with the targets that have it.
type cell struct{ value, text string }

// entry is a line of a block: actions that have the same cells.
type entry struct {
	actions []string
	cells   []cell
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format, args...)
		t.begun = true
	}
}

// gap sets off what comes by an empty line from what was printed before.
func (t *table) gap() {
	if t.begun {
		t.printf("\n")
	}
}

func (t *table) print() error {
	t.used = map[string]bool{}
	subjects := t.filter.Subjects
	if subjects == nil {
		subjects = slices.Collect(t.set.Employees())
	}
	var last policy.Ref
	var block []entry
	with, who := map[policy.Ref]bool{}, map[string][]policy.Ref{}
	var texts []string
	var observe policy.Row
	flush := func() {
		if len(block) > 0 {
			with[last] = true
			text := t.block(block)
			if who[text] == nil {
				texts = append(texts, text)
			}
			who[text] = append(who[text], last)
		}
		block = nil
	}
	for row := range t.set.Matrix(t.filter) {
		if row.Subject != last {
			flush()
			last = row.Subject
		}
		switch {
		case row.Action == policy.Observe:
			observe = row
		case row.Action == policy.ObserveKind && !slices.Contains(t.filter.Actions, policy.ObserveKind) && observe.Subject == row.Subject && sees(&observe, &row):
			continue
		}
		cells := cellsOf(&row)
		i := slices.IndexFunc(block, func(e entry) bool { return slices.Equal(e.cells, cells) })
		switch {
		case len(cells) == 0:
		case i >= 0:
			block[i].actions = append(block[i].actions, row.Action.String())
		default:
			block = append(block, entry{[]string{row.Action.String()}, cells})
		}
	}
	flush()
	for _, text := range texts {
		t.gap()
		t.head(who[text])
		t.printf("%s", text)
	}
	var without []string
	for _, who := range subjects {
		if !with[who] {
			without = append(without, t.set.ID(who))
		}
	}
	if len(t.used)+len(without) > 0 {
		t.gap()
	}
	t.legend()
	if len(without) > 0 {
		t.wrapped("no right here: ", few(without))
	}
	return t.err
}

// sees reports whether the row of observe says all that the row of observe.kind does.
func sees(observe, kind *policy.Row) bool {
	for target := range kind.Targets(policy.MarkYes) {
		if m := observe.Mark(target); m != policy.MarkYes && m != policy.MarkKind {
			return false
		}
	}
	for target := range kind.Targets(policy.MarkNotNow) {
		if observe.Mark(target) != policy.MarkNotNow {
			return false
		}
	}
	return true
}

// cellsOf are the cells of a row. That everybody sees his own calls needs no cell.
func cellsOf(row *policy.Row) []cell {
	var out []cell
	if m := row.Has(); m != policy.MarkNo {
		out = append(out, cell{m.String(), ""})
	}
	for _, m := range policy.Marks() {
		text := row.Text(m)
		if text == "" || row.Action.Matter() == policy.MatterCall && row.Count(m) == 1 && row.Mark(row.Subject) == m {
			continue
		}
		out = append(out, cell{m.String(), text})
	}
	for _, d := range row.Dial() {
		value := dialValue(d)
		if n := len(out); n > 0 && out[n-1].value == value {
			out[n-1].text += "; " + d.Text
		} else {
			out = append(out, cell{value, d.Text})
		}
	}
	return out
}

// head prints whom a block is about.
func (t *table) head(who []policy.Ref) {
	if len(who) == 1 {
		t.printf("%s\n", t.title(who[0]))
		return
	}
	var ids []string
	for _, r := range who {
		ids = append(ids, t.set.ID(r))
	}
	t.wrapped("", fmt.Sprintf("%s (%d people)", strings.Join(ids, ", "), len(ids)))
}

func (t *table) title(who policy.Ref) string {
	head := t.set.ID(who)
	if name := t.set.Name(who); name != head {
		head += "  " + name
	}
	if d := t.set.DepartmentOf(who); d.ID != "" {
		head += "  department:" + d.ID
	}
	return head
}

// block is what stands under a head.
func (t *table) block(entries []entry) string {
	var b strings.Builder
	for _, e := range entries {
		left := wrap(strings.Join(e.actions, ", "), actionWidth-2)
		line := func(value, text string) {
			action := ""
			if len(left) > 0 {
				action, left = left[0], left[1:]
			}
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s%-*s%s", actionWidth, action, valueWidth, value, text), " ") + "\n")
		}
		for _, c := range e.cells {
			if _, ok := legends[c.value]; ok {
				t.used[c.value] = true
			}
			right := wrap(c.text, tableWidth-2-actionWidth-valueWidth)
			for i := range max(len(right), 1) {
				value, text := "", ""
				if i == 0 {
					value = c.value
				}
				if i < len(right) {
					text = right[i]
				}
				line(value, text)
			}
		}
		for len(left) > 0 {
			line("", "")
		}
	}
	return b.String()
}

// legends say what the values mean; yes needs no word.
var legends = map[string]string{
	policy.MarkReason.String():     "once he gives a reason",
	policy.MarkOwnClients.String(): "calls of clients whom he is responsible for",
	policy.MarkKind.String():       "whether the other side is outside, inside or a queue, and not who it is",
	policy.MarkNotNow.String():     "at other times than ",
	valueExcept:                    "whatever else he may dial",
}

// legend explains the values that were used.
func (t *table) legend() {
	for _, m := range append(policy.Marks(), policy.MarkNo) {
		value, when := m.String(), ""
		switch m {
		case policy.MarkNo:
			value = valueExcept
		case policy.MarkNotNow:
			when = clock(t.at)
		default:
		}
		if t.used[value] {
			t.printf("%-*s%s%s\n", valueWidth, value, legends[value], when)
		}
	}
}

// clock writes a moment for people.
func clock(at time.Time) string { return at.Format("Mon 2006-01-02 15:04 -07:00") }

// few are the first names of many, and a count.
func few(names []string) string {
	if len(names) > 12 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:10], ", "), len(names)-10)
	}
	return strings.Join(names, ", ")
}

// wrapped prints a text behind what it is, wrapped.
func (t *table) wrapped(what, text string) {
	for i, line := range wrap(text, tableWidth-len(what)) {
		if i > 0 {
			what = strings.Repeat(" ", len(what))
		}
		t.printf("%s%s\n", what, line)
	}
}

// wrap breaks a text at its spaces into lines of so many characters, longer only where a word is.
func wrap(text string, width int) []string {
	var out []string
	for _, word := range strings.Fields(text) {
		if n := len(out) - 1; n >= 0 && len([]rune(out[n]))+1+len([]rune(word)) <= width {
			out[n] += " " + word
		} else {
			out = append(out, word)
		}
	}
	return out
}
