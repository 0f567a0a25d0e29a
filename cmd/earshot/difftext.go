package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/policy"
)

// diffText prints a difference for people. Those for whom the very same has changed share a block.
type diffText struct {
	table
	diff  *policy.Difference
	rules byRule
}

func (t *diffText) print() error {
	d := t.diff
	for _, list := range []struct {
		what string
		ids  []string
	}{{"joined: ", d.Joined}, {"left: ", d.Left}, {"lines joined: ", d.LinesJoined}, {"lines left: ", d.LinesLeft}} {
		t.wrapped(list.what, strings.Join(list.ids, ", "))
	}
	for _, s := range d.Settings {
		for _, list := range []struct {
			sign  string
			names []string
		}{{"+", s.Come}, {"-", s.Gone}} {
			if len(list.names) > 0 {
				t.wrapped(list.sign+" "+s.Name+": ", strings.Join(list.names, ", "))
			}
		}
	}
	t.people()
	t.byRule()
	if d.Cut {
		t.gap()
		t.printf("There are more moments at which one of the policies changes than the %d that were compared.\n", len(d.Moments))
	}
	return t.err
}

// people prints person by person.
func (t *diffText) people() {
	who := map[string][]string{}
	names := map[string]string{}
	var blocks []string
	for p := range t.diff.People() {
		for i := range p.Changes {
			t.rules.add(p.ID, &p.Changes[i])
		}
		text := changesText(p.Changes)
		if who[text] == nil {
			blocks = append(blocks, text)
		}
		who[text] = append(who[text], p.ID)
		names[p.ID] = p.Name
	}
	for _, text := range blocks {
		t.gap()
		if ids := who[text]; len(ids) == 1 {
			head := ids[0]
			if names[head] != head {
				head += "  " + names[head]
			}
			t.printf("%s\n", head)
		} else {
			t.wrapped("", fmt.Sprintf("%s (%d people)", strings.Join(ids, ", "), len(ids)))
		}
		t.printf("%s", text)
	}
}

// changeLine is what is printed of some changes that are the same but for the action.
type changeLine struct {
	sign, what string
	actions    []string
	grounds    []string
}

func changesText(all []policy.Change) string {
	var lines []changeLine
	for i := range all {
		c := &all[i]
		l := changeLine{sign: signOf(c.Gained()), what: whatOf(c), actions: []string{c.Action.String()}, grounds: groundsOf(c)}
		at := slices.IndexFunc(lines, func(o changeLine) bool {
			return o.sign == l.sign && o.what == l.what && slices.Equal(o.grounds, l.grounds)
		})
		if at >= 0 {
			lines[at].actions = append(lines[at].actions, l.actions...)
		} else {
			lines = append(lines, l)
		}
	}
	var b strings.Builder
	for _, l := range lines {
		left := wrap(strings.Join(l.actions, ", "), actionWidth-2)
		right := wrap(l.what, tableWidth-4-actionWidth)
		for i := range max(len(left), len(right)) {
			action, what, sign := "", "", " "
			if i < len(left) {
				action = left[i]
			}
			if i < len(right) {
				what = right[i]
			}
			if i == 0 {
				sign = l.sign
			}
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %s %-*s%s", sign, actionWidth, action, what), " ") + "\n")
		}
		for _, g := range l.grounds {
			b.WriteString("      " + g + "\n")
		}
	}
	return b.String()
}

const openedByClient = "where access to the client opens the history"

func signOf(gained bool) string {
	if gained {
		return "+"
	}
	return "-"
}

// whatOf says what a change is about, and how, where that is not just yes or no.
func whatOf(c *policy.Change) string {
	out := c.Text()
	switch {
	case c.Kind == policy.ChangeOthers && c.To == policy.MarkYes:
		out = "while there are on the call: " + out
	case c.Kind == policy.ChangeOthers:
		out = "anybody, while there are on the call: " + out
	case c.Kind == policy.ChangeLines:
		out = "line " + out
	case c.Kind == policy.ChangeClients:
		out += ", " + openedByClient
	case c.Kind == policy.ChangeNotice && c.To == policy.MarkYes:
		out = "without telling whom one supervises: " + out
	case c.Kind == policy.ChangeNotice:
		out = "whom one supervises is told: " + out
	}
	if c.Kind == policy.ChangeOthers && len(c.Lines) > 0 {
		out = "what access to a client gives, on the line " + c.Text()
	}
	if from, to := c.From, c.To; from != policy.MarkNo && to != policy.MarkNo || from+to != policy.MarkYes {
		out += fmt.Sprintf(" (%s, was %s)", to, from)
	}
	if !c.Since.IsZero() {
		out += ", first at " + clock(c.Since)
	}
	return strings.TrimPrefix(out, ", ")
}

// groundsOf says by which rules it was and is decided.
func groundsOf(c *policy.Change) []string {
	var out []string
	for _, side := range []struct {
		when   string
		mark   policy.Mark
		ground policy.Ground
	}{{"was", c.From, c.Was}, {"is", c.To, c.Is}} {
		if side.ground.Rule.Line == 0 {
			continue
		}
		verb := " granted by "
		switch {
		case c.Kind == policy.ChangeNotice:
			verb = " wanted by "
		case side.mark == policy.MarkNo:
			verb = " refused by "
		case side.mark == policy.MarkReason:
			verb = " asked a reason for by "
		}
		out = append(out, side.when+verb+side.ground.String())
	}
	return out
}

// byRule prints the same changes by the rules that made them.
func (t *diffText) byRule() {
	if len(t.rules.all) > 0 {
		t.gap()
		t.printf("by rule\n")
	}
	for _, r := range t.rules.all {
		side := "gone or changed: "
		if r.New {
			side = "new: "
		}
		text := side + r.Rule
		if r.Via != "" {
			text += ", by " + r.Via
		}
		t.printf("\n%s\n", text)
		type line struct{ actions, what string }
		var lines []line
		for _, c := range r.Changes {
			sign, how := signOf(c.Gained), ""
			if c.From != "no" && c.To != "no" {
				how = fmt.Sprintf(" (%s, was %s)", c.To, c.From)
			}
			what := fmt.Sprintf("%s%s", few(c.People), how)
			if c.Pairs != len(c.People) {
				what += fmt.Sprintf(": %d pairs", c.Pairs)
			}
			if c.Kind == policy.ChangeOthers.String() {
				what += ", on account of others on the call"
			}
			switch c.Kind {
			case policy.ChangeNotice.String():
				what += ", how it is told"
			case policy.ChangeClients.String():
				what += ", " + openedByClient
			}
			if c.Since != nil {
				what += ", first at " + clock(*c.Since)
			}
			action := sign + " " + c.Action
			if i := slices.IndexFunc(lines, func(l line) bool { return l.what == what && l.actions[:1] == sign }); i >= 0 {
				lines[i].actions += ", " + c.Action
			} else {
				lines = append(lines, line{action, what})
			}
		}
		for _, l := range lines {
			left, right := wrap(l.actions, actionWidth), wrap(l.what, tableWidth-4-actionWidth)
			for i := range max(len(left), len(right)) {
				a, w := "", ""
				if i < len(left) {
					a = left[i]
				}
				if i < len(right) {
					w = right[i]
				}
				if i > 0 && a != "" {
					a = "  " + a
				}
				t.printf("%s\n", strings.TrimRight(fmt.Sprintf("  %-*s  %s", actionWidth, a, w), " "))
			}
		}
	}
}
