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

// at reports whether the window is open at a moment, and when that may change next; the zero time is never. Hours are those of the clock on
// the wall, which is put forward and back: until it is, the wall counts seconds as Unix does, and the moment it is may be a change.
func (w *window) at(now time.Time) (open bool, next time.Time) {
	unix := now.Unix()
	switch {
	case unix < w.from:
		return false, time.Unix(w.from, 0).UTC()
	case w.until != 0 && unix >= w.until:
		return false, time.Time{}
	}
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t.UTC()
		}
	}
	if w.until != 0 {
		sooner(time.Unix(w.until, 0))
	}
	if !w.weekly {
		return true, next
	}
	local := now.In(w.location)
	if _, turned := local.ZoneBounds(); !turned.IsZero() {
		sooner(turned)
	}
	_, ahead := local.Zone()
	wall := unix + int64(ahead)
	clock := local.Hour()*3600 + local.Minute()*60 + local.Second()
	// Hours that began yesterday may last into today, and a week later all days have been seen.
	for d := -1; d <= 8; d++ {
		if w.days&(1<<((int(local.Weekday())+d+7)%7)) == 0 {
			continue
		}
		midnight := wall - int64(clock) + int64(d)*daySeconds
		for _, h := range w.hours {
			begins, ends := midnight+int64(h.begin)*60, midnight+int64(h.end)*60
			if h.end <= h.begin {
				ends += daySeconds
			}
			open = open || begins <= wall && wall < ends
			for _, t := range [...]int64{begins, ends} {
				if t > wall {
					sooner(time.Unix(t-int64(ahead), 0))
				}
			}
		}
	}
	return open, next
}

const daySeconds = 24 * 60 * 60

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
				c.errorf(file, e.id.at, "", "time %q is here twice, first at %s", e.id.text, c.where(c.timeAt[e.id.text].claim))
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
				c.errorf(file, e.id.at, `as in "timezone: Europe/Moscow"`, "times.%s: days and hours need a timezone, here or of the policy", e.id.text)
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
			if hint == "" {
				hint = "name it under times, with its days and hours"
			}
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
	if unix := begins(d.AddDate(0, 0, after), c.location).Unix(); unix != 0 {
		return unix
	}
	return -1 // zero is no end; this one was over then too
}

// begins returns the first moment of a date at a place. Where clocks are turned at night a day may begin at one, or have two midnights.
func begins(date time.Time, where *time.Location) time.Time {
	t := time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, where)
	turned, next := t.ZoneBounds()
	if year, month, day := t.Date(); time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Before(date) {
		return next // there is no midnight, and Date has taken the hour before it
	}
	if turned.IsZero() {
		return t
	}
	_, before := turned.Add(-1).Zone()
	_, after := t.Zone()
	if first := t.Add(time.Duration(after-before) * time.Second); first.Before(turned) {
		return first
	}
	return t
}
