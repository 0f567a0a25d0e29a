package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	timesKeys = []string{"days", "hours", "timezone"}
	dayNames  = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts them
)

// times reads a stretch of the week: days, hours, or both.
func (r *reader) times(id word, n *yaml.Node) {
	p := place{section: "times", name: id.text}
	r.id(id, p, "a time")
	e := timesEntry{id: id}
	before := len(r.file.problems)
	r.mapping(n, p, func(key word, value *yaml.Node) {
		p.key = key.text
		switch key.text {
		case "days":
			r.oneOrMore(value, p, func(w word) { e.days |= r.days(w, p) })
		case "hours":
			r.oneOrMore(value, p, func(w word) { e.hours = append(e.hours, r.hours(w, p)) })
		case "timezone":
			e.timezone = r.timezone(value, p)
		default:
			r.unknown(key, place{section: "times", name: id.text}, timesKeys)
		}
	})
	if len(r.file.problems) == before && e.days == 0 && len(e.hours) == 0 {
		r.errorf(id.at, `as in {days: [mon-fri], hours: "09:00-18:00"}`, "times.%s: neither days nor hours", id.text)
	}
	r.file.times = append(r.file.times, e)
}

// oneOrMore reads a text or a list of texts.
func (r *reader) oneOrMore(n *yaml.Node, p place, each func(word)) {
	if n.Kind != yaml.SequenceNode {
		if w, ok := r.text(n, p); ok {
			each(w)
		}
		return
	}
	r.list(n, p, func(item *yaml.Node) {
		if w, ok := r.text(item, p); ok {
			each(w)
		}
	})
	if len(n.Content) == 0 {
		r.errorf(at(n), "leave the key out for all", "%s: an empty list names none", p)
	}
}

// days reads mon, or mon-fri.
func (r *reader) days(w word, p place) uint8 {
	set := daysOf(w.text)
	if set == 0 {
		hint := "mon, tue, wed, thu, fri, sat, sun, or two of them with a hyphen, as in mon-fri"
		if small := strings.ToLower(w.text); daysOf(small) != 0 {
			hint = "did you mean " + strconv.Quote(small) + "?"
		}
		r.errorf(w.at, hint, "%s: unknown day %q", p, w.text)
	}
	return set
}

// daysOf returns the days that the text means, or none; fri-mon goes over the end of the week.
func daysOf(text string) (set uint8) {
	first, last, found := strings.Cut(text, "-")
	if !found {
		last = first
	}
	from, to := slices.Index(dayNames, first), slices.Index(dayNames, last)
	if from < 0 || to < 0 {
		return 0
	}
	for d := from; ; d = (d + 1) % 7 {
		set |= 1 << d
		if d == to {
			return set
		}
	}
}

// hours reads 09:00-18:00; 22:00-06:00 goes over midnight, and 00:00-24:00 is the whole day.
func (r *reader) hours(w word, p place) hours {
	first, last, found := strings.Cut(w.text, "-")
	begin, ok := clock(first)
	end, ok2 := clock(last)
	switch {
	case !found || !ok || !ok2 || begin == 24*60:
		r.errorf(w.at, `as in "09:00-18:00", or "22:00-06:00" over midnight`, "%s: these are no hours", p)
	case begin == end:
		r.errorf(w.at, `the whole day is "00:00-24:00"`, "%s: these hours end when they begin", p)
	}
	return hours{begin, end}
}

// clock reads a time of day as minutes, up to 24:00.
func clock(s string) (int16, bool) {
	hour, minute, found := strings.Cut(s, ":")
	if !found || len(hour) != 2 || len(minute) != 2 {
		return 0, false
	}
	h, err := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	if err != nil || err2 != nil || m > 59 || h*60+m > 24*60 {
		return 0, false
	}
	return int16(h*60 + m), true
}

// date reads a day as YYYY-MM-DD, with or without quotes.
func (r *reader) date(n *yaml.Node, p place) word {
	if !r.plain(n, p) {
		return word{}
	}
	if _, err := time.Parse(time.DateOnly, n.Value); err != nil || n.Kind != yaml.ScalarNode {
		r.errorf(at(n), "as in 2027-01-31", "%s must be a date", p)
		return word{}
	}
	return word{n.Value, at(n)}
}

// during reads the name of a time.
func (r *reader) during(n *yaml.Node, p place) word {
	if n.Kind != yaml.ScalarNode {
		if r.plain(n, p) {
			r.errorf(at(n), "name the days and hours under times, and write that name here", "%s must be the name of a time, not %s", p, kindName(n))
		}
		return word{}
	}
	w, _ := r.text(n, p)
	return w
}

// whenOrder refuses what ends before it begins.
func (r *reader) whenOrder(w when, p place) {
	if w.from.text != "" && w.until.text != "" && w.until.text < w.from.text { // which dates of this form can be compared as
		p.sub = "until"
		r.errorf(w.until.at, "from is the first day and until the last", "%s: it ends before it begins", p)
	}
}
