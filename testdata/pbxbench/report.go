package main

import (
	"fmt"
	"io"
	"strings"
)

// report is all that was measured; it is what stands in the file of raw figures.
type report struct {
	Command, Date, Machine, Asterisk string
	LoadBefore, LoadAfter            string // of the machine, over a minute

	CPU    []streamed `json:",omitempty"`
	Audio  *heard     `json:",omitempty"`
	End    *ends      `json:",omitempty"`
	Memory *memory    `json:",omitempty"`
	Growth []growth   `json:",omitempty"`
}

// busy is how many processors processor time keeps busy while the calls begin.
func (s streamed) busy(cpu float64) float64 { return cpu / (float64(s.Calls) / s.Rate) }

func (s streamed) line() string {
	return fmt.Sprintf("%s, %d panels, %d employees, %g calls a second: Asterisk %.2f s, Earshot %.2f s; delay p50 %.1f ms, p99 %.1f ms; %.0f MB to panels",
		s.Where, s.Panels, s.Employees, s.Rate, s.Asterisk, s.Earshot, s.P50, s.P99, float64(s.Bytes)/1e6)
}

// row is one line of the table: what, what was measured, and what was aimed at.
type row struct {
	what, figure, aim string
	detail            bool // not for the README's table
}

// detail stands in the place of an aim where a figure is for the terminal alone.
const detail = "-"

func (r *report) rows() (rows []row) {
	add := func(what, aim, figure string, args ...any) {
		rows = append(rows, row{what, fmt.Sprintf(figure, args...), strings.TrimPrefix(aim, detail), aim == detail})
	}
	if len(r.CPU) > 0 {
		r.cpuRows(add)
	}
	if m := r.Audio; m != nil {
		add("From a supervisor's request to the first audio at his phone, through Earshot", "", "median %.0f ms, p90 %.0f ms, of %d", at(m.Earshot, 0.5), at(m.Earshot, 0.9), len(m.Earshot))
		add("The same steps by hand over ARI", "", "median %.0f ms, p90 %.0f ms, of %d", at(m.ByHand, 0.5), at(m.ByHand, 0.9), len(m.ByHand))
		add("Through Earshot, of by hand", "≤ 1.1", "%.2f", m.Ratio)
	}
	if m := r.End; m != nil {
		while := fmt.Sprintf("with %d calls and %d supervisions", m.Calls, m.Supervisions)
		for _, s := range []struct {
			what  string
			times []float64
		}{
			{"A right is taken from 15 in the policy's file, until their phones are hung up, " + while, m.Taken15}, {"From all supervisors", m.TakenAll},
			{"The target locks his call, until the supervisor's phone is hung up", m.Locked}, {"A ChanSpy past Earshot begins, until its phone is hung up", m.Watchdog},
		} {
			add(s.what, "", "p50 %.0f ms, p99 %.0f ms, of %d", at(s.times, 0.5), at(s.times, 0.99), len(s.times))
		}
		for i, l := range m.Load {
			only := ""
			if i+2 < len(m.Load) { // the greatest, without supervisions and with them
				only = detail
			}
			add(fmt.Sprintf("%d calls%s and %d supervisions keep busy", l.Calls, sounding(m.Sound), l.Supervisions), only, "Asterisk %.2f processors, Earshot %.2f%s", l.Asterisk, l.Earshot, late(l.Late))
		}
	}
	if m := r.Memory; m != nil {
		add("Memory of a call in the call table", "", "%.0f bytes", m.each(m.Table))
		add("Of a call in all of Earshot", "", "%.1f KiB", m.each(m.Calls)/1024)
		add("Of an employee in a compiled policy", "", "%.0f bytes", m.each(m.Policy))
		add("Of an employee in all of Earshot", "", "%.1f KiB", m.each(m.Employees)/1024)
	}
	return rows
}

// late says that the phones were no measure any more.
func late(frames int) string {
	if frames == 0 {
		return ""
	}
	return fmt.Sprintf(" (the phones left %d frames of sound out: this machine has no time for more)", frames)
}

func sounding(on bool) string {
	if on {
		return " with sound"
	}
	return ""
}

func (r *report) cpuRows(add func(what, aim, figure string, args ...any)) {
	for _, sound := range []bool{false, true} {
		of, runs := map[string]streamed{}, map[string][]streamed{}
		calls := ""
		for _, s := range r.CPU {
			if s.Sound == sound {
				runs[s.Where] = append(runs[s.Where], s)
				of[s.Where] = of[s.Where].and(s)
				calls = fmt.Sprintf("%d calls %s, %g a second", of[s.Where].Calls, soundOrNot(sound), s.Rate)
			}
		}
		spread := func(cost func(streamed) float64) string {
			var all []float64
			for i, s := range runs[onEarshot] {
				all = append(all, runs[onAsterisk][i].Asterisk/cost(s))
			}
			return fmt.Sprintf("%.1f times (%.1f to %.1f)", of[onAsterisk].Asterisk/cost(of[onEarshot]), at(all, 0), at(all, 1))
		}
		none, theirs, ours := of[nowhere], of[onAsterisk], of[onEarshot]
		if ours.Calls == 0 || len(runs[onAsterisk]) != len(runs[onEarshot]) { // it has failed before
			continue
		}
		add("**"+calls+"**, no panels", "", "Asterisk %.2f s of processor time", none.Asterisk)
		add(fmt.Sprintf("%d panels on Asterisk", theirs.Panels), "", "Asterisk %.2f s", theirs.Asterisk)
		if s, ok := of[onAsteriskCalls]; ok {
			add("the same, of the class call alone", detail, "Asterisk %.2f s", s.Asterisk)
		}
		add(fmt.Sprintf("%d panels on Earshot", ours.Panels), "", "Asterisk %.2f s, Earshot %.2f s", ours.Asterisk, ours.Earshot)
		add("Asterisk's processor time, panels on it over panels on Earshot", "≥ 10", "%s", spread(func(s streamed) float64 { return s.Asterisk }))
		add("The same, over Asterisk and Earshot together", "≥ 5", "%s", spread(func(s streamed) float64 { return s.Asterisk + s.Earshot }))
		add("Less what the calls alone cost: Asterisk", "", "%s", ratio(theirs.Asterisk-none.Asterisk, ours.Asterisk-none.Asterisk))
		add("Less what the calls alone cost: Asterisk and Earshot together", "", "%s", ratio(theirs.Asterisk-none.Asterisk, ours.Asterisk+ours.Earshot-none.Asterisk))
		for _, where := range []string{onAsterisk, onAsteriskCalls, onEarshot} {
			s, ok := of[where]
			if !ok {
				continue
			}
			only := ""
			if sound || where == onAsteriskCalls {
				only = detail
			}
			add("From Asterisk's event to each panel, "+s.Where, only, "p50 %.1f ms, p99 %.1f ms, worst %.0f ms", s.P50, s.P99, s.Most)
			add("To a panel for each call, "+s.Where, only, "%.0f events, %.1f kB; missing %d, cut off %d",
				float64(s.Events)/float64(s.Panels*s.Calls), float64(s.Bytes)/1e3/float64(s.Panels*s.Calls), s.Missing, s.CutOff)
		}
	}
}

// and is two runs as one: sums, and of the delays the worse.
func (s streamed) and(o streamed) streamed {
	o.Calls, o.Events, o.Bytes = s.Calls+o.Calls, s.Events+o.Events, s.Bytes+o.Bytes
	o.Asterisk, o.Earshot, o.Wall = s.Asterisk+o.Asterisk, s.Earshot+o.Earshot, s.Wall+o.Wall
	o.P50, o.P99, o.Most = max(s.P50, o.P50), max(s.P99, o.P99), max(s.Most, o.Most)
	o.Missing, o.CutOff = s.Missing+o.Missing, s.CutOff+o.CutOff
	return o
}

func soundOrNot(sound bool) string {
	if sound {
		return "with sound"
	}
	return "without sound"
}

func ratio(a, b float64) string {
	if b <= 0.02 { // two of the ticks in which it is measured
		return "more than can be measured"
	}
	return fmt.Sprintf("%.1f times", a/b)
}

func (r *report) print(to io.Writer) error {
	var w strings.Builder
	fmt.Fprintf(&w, "\n%s, %s, Asterisk %s\n%s (load before %s, after %s)\n\n", r.Command, r.Date, r.Asterisk, r.Machine, r.LoadBefore, r.LoadAfter)
	width := 0
	rows := r.rows()
	for i := range rows {
		rows[i].what = strings.ReplaceAll(rows[i].what, "**", "") // bold in the README
	}
	for _, l := range rows {
		width = max(width, len([]rune(l.what)))
	}
	for _, l := range rows {
		aim := ""
		if l.aim != "" {
			aim = "  aim " + l.aim
		}
		fmt.Fprintf(&w, "%s%s  %s%s\n", l.what, strings.Repeat(" ", width-len([]rune(l.what))), l.figure, aim)
	}
	for _, g := range r.Growth {
		fmt.Fprintf(&w, "\ngrowth with %s\n", g.label())
		for _, s := range g.Runs {
			fmt.Fprintf(&w, "  %s", s.line())
			if s.Where == onEarshot {
				fmt.Fprintf(&w, ", Earshot has %.0f MB", s.Resident/1e6)
			}
			w.WriteByte('\n')
		}
	}
	_, err := io.WriteString(to, w.String())
	return err
}

// markdown is the table for a README.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`, %s, %s, Asterisk %s:\n\n| what | measured | aim |\n|---|---|---|\n", r.Command, r.Date, r.Machine, r.Asterisk)
	for _, l := range r.rows() {
		if l.detail {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.what, l.figure, l.aim)
	}
	return b.String()
}
