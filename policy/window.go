package policy

import (
	"fmt"
	"time"
)

// window is when something holds: from a moment on, up to another, and between them at certain hours of certain days.
type window struct {
	from, until int64 // Unix seconds; until is the first moment at which it no longer holds. Zero: no such end
	weekly      bool  // the rest counts
	days        uint8 // a bit for each time.Weekday on which hours begin
	hours       []hours
	location    *time.Location
}

// at reports whether the window is open at a moment, and when that may change next; the zero time is never.
func (w *window) at(now time.Time) (open bool, next time.Time) {
	unix := now.Unix()
	switch {
	case unix < w.from:
		return false, time.Unix(w.from, 0).UTC()
	case w.until != 0 && unix >= w.until:
		return false, time.Time{}
	}
	open = !w.weekly
	if w.until != 0 {
		next = time.Unix(w.until, 0).UTC()
	}
	if !w.weekly {
		return open, next
	}
	year, month, day := now.In(w.location).Date()
	// Hours that began yesterday may last into today, and a week later all days have been seen.
	for d := -1; d <= 8; d++ {
		date := time.Date(year, month, day+d, 0, 0, 0, 0, w.location)
		if w.days&(1<<date.Weekday()) == 0 {
			continue
		}
		for _, h := range w.hours {
			end := int(h.end)
			if h.end <= h.begin {
				end += 24 * 60
			}
			begins := time.Date(year, month, day+d, 0, int(h.begin), 0, 0, w.location)
			ends := time.Date(year, month, day+d, 0, end, 0, 0, w.location)
			open = open || !now.Before(begins) && now.Before(ends)
			for _, t := range [...]time.Time{begins, ends} {
				if t.After(now) && (next.IsZero() || t.Before(next)) {
					next = t.UTC()
				}
			}
		}
	}
	return open, next
}

// windowNamed is a time of the policy with the place at which it is written.
type windowNamed struct {
	window
	claim
	used bool
}

// allDay are the hours of a time that names days only.
var allDay = []hours{{0, 24 * 60}}

// times resolves the times that rights and assignments refer to.
func (c *compiler) times() {
	for file, f := range c.sources {
		for _, e := range f.times {
			if _, taken := c.timeAt[e.id.text]; taken {
				c.errorf(file, e.id.at, "", "time %q is in another file too", e.id.text)
				continue
			}
			w := &windowNamed{claim: claim{file: file, at: e.id.at}}
			w.weekly, w.days, w.hours, w.location = true, e.days, e.hours, c.location
			if w.days == 0 {
				w.days = 1<<7 - 1
			}
			if w.hours == nil {
				w.hours = allDay
			}
			if e.timezone.text != "" {
				w.location, _ = time.LoadLocation(e.timezone.text) // Parse has reported an unknown one
			} else if c.timezone.what == "" {
				c.errorf(file, e.id.at, `as in "timezone: Europe/Moscow"`, "times.%s: hours need a timezone, here or of the policy", e.id.text)
			}
			if w.location == nil { // unknown, and reported
				w.location = time.UTC
			}
			c.timeAt[e.id.text] = w
		}
	}
}

// idle warns of times that nothing refers to.
func (c *compiler) idle() {
	for id, w := range c.timeAt {
		if !w.used {
			c.warnf(w.file, w.claim.at, "", "times.%s: nothing holds during this time", id)
		}
	}
}

const maxWindows = 1<<16 - 1

// window returns the number of the window in which something holds: zero is always. Equal ones are kept once.
func (c *compiler) window(file int, w when, p place) uint16 {
	if w == (when{}) {
		return 0
	}
	var out window
	key := w.during.text
	if w.during.text != "" {
		if named, ok := c.timeAt[w.during.text]; ok {
			out, named.used = named.window, true
		} else {
			p.sub = "during"
			hint := c.guess(w.during.text, &c.candidates.times, func() []string { return sortedKeys(c.timeAt) })
			c.errorf(file, w.during.at, hint, "%s: there is no time %q", p, w.during.text)
		}
	}
	out.from = c.day(file, w.from, p, "from", 0)
	out.until = c.day(file, w.until, p, "until", 1)
	if out.until != 0 && out.until <= c.at.Unix() {
		c.warnf(file, w.until.at, "", "%s: this is over", place{p.section, p.name, p.key, "until"})
	}
	key += fmt.Sprintf(" %d %d", out.from, out.until)
	n, ok := c.windowAt[key]
	if !ok {
		if len(c.windows) >= maxWindows {
			c.errorf(file, position{1, 1}, "", "a policy has at most %d different times", maxWindows)
			return 0
		}
		c.windows = append(c.windows, out)
		n = uint16(len(c.windows))
		c.windowAt[key] = n
	}
	return n
}

// day returns the moment at which the day begins that lies so many days after this one, as Unix seconds; zero for no date.
func (c *compiler) day(file int, date word, p place, key string, after int) int64 {
	if date.text == "" {
		return 0
	}
	p.sub = key
	if c.timezone.what == "" {
		c.errorf(file, date.at, `as in "timezone: Europe/Moscow"`, "%s: a date needs the timezone of the policy", p)
		return 0
	}
	if c.location == nil { // unknown, and reported
		return 0
	}
	d, _ := time.Parse(time.DateOnly, date.text) // Parse has checked it
	return time.Date(d.Year(), d.Month(), d.Day()+after, 0, 0, 0, 0, c.location).Unix()
}
