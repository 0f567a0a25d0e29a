package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// The part of the naive evaluator that is about times: it reads the clock and the calendar that hang on the wall of the place.

type modelTime struct {
	id          string
	days, hours []string
	zone        string // "" for the policy's
}

// modelWhen is what stands beside a grant or an assignment.
type modelWhen struct{ during, from, until string }

func (m *model) holds(w modelWhen) bool {
	// From is the beginning of that day, until the end.
	today := m.now.In(zoneOf(m.zone)).Format(time.DateOnly)
	if w.from != "" && today < w.from || w.until != "" && today > w.until {
		return false
	}
	for _, t := range m.times {
		if t.id == w.during {
			zone := t.zone
			if zone == "" {
				zone = m.zone
			}
			return t.holds(m.now.In(zoneOf(zone)))
		}
	}
	return true
}

func (t modelTime) holds(wall time.Time) bool {
	if len(t.hours) == 0 {
		return t.on(wall.Weekday())
	}
	clock, yesterday := wall.Format("15:04"), (wall.Weekday()+6)%7
	for _, h := range t.hours {
		begin, end, _ := strings.Cut(h, "-")
		// Hours that end before they begin last into the next day and belong to the day on which they begin.
		over := end < begin
		if !over && t.on(wall.Weekday()) && begin <= clock && clock < end ||
			over && (t.on(wall.Weekday()) && begin <= clock || t.on(yesterday) && clock < end) {
			return true
		}
	}
	return false
}

var week = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (t modelTime) on(day time.Weekday) bool {
	if len(t.days) == 0 {
		return true
	}
	for _, d := range t.days {
		first, last, ok := strings.Cut(d, "-")
		if !ok {
			last = first
		}
		for i := slices.Index(week, first); ; i = (i + 1) % 7 {
			if week[i] == week[day] {
				return true
			}
			if week[i] == last {
				break
			}
		}
	}
	return false
}

var zones = map[string]*time.Location{}

func zoneOf(name string) *time.Location {
	if zones[name] == nil {
		l, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		zones[name] = l
	}
	return zones[name]
}

func (t modelTime) yaml() string {
	var parts []string
	if len(t.days) > 0 {
		parts = append(parts, "days: "+flow(t.days))
	}
	switch len(t.hours) {
	case 0:
	case 1:
		parts = append(parts, `hours: "`+t.hours[0]+`"`)
	default:
		parts = append(parts, "hours: "+inQuotes(t.hours))
	}
	if t.zone != "" {
		parts = append(parts, "timezone: "+t.zone)
	}
	return t.id + ": {" + strings.Join(parts, ", ") + "}"
}

func (w modelWhen) yaml() []string {
	var parts []string
	for _, p := range []struct{ key, value string }{{"during", w.during}, {"from", w.from}, {"until", w.until}} {
		if p.value != "" {
			parts = append(parts, p.key+": "+p.value)
		}
	}
	return parts
}

// In the places named the clock is put forward and back at these moments: at night, at midnight so that a day begins at one or has two
// midnights, and by half an hour. In the others it never is.
var (
	places  = []string{"UTC", "Europe/Moscow", "Europe/Berlin", "America/New_York", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Asia/Amman", "Australia/Lord_Howe", "Asia/Kathmandu"}
	turning = []string{
		"2021-03-25T22:00:00Z", "2021-10-28T22:00:00Z", // Amman
		"2026-06-01T12:00:00Z", "2026-12-31T22:00:00Z",
		"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", // Berlin
		"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", // New York
		"2026-03-08T05:00:00Z", "2026-11-01T05:00:00Z", // Havana
		"2026-04-23T22:00:00Z", "2026-10-29T21:00:00Z", // Cairo
		"2026-03-28T22:00:00Z", "2026-10-24T21:00:00Z", // Beirut
		"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", // Lord Howe
	}
	someHours = []string{
		"09:00-18:00", "00:00-24:00", "22:00-06:00", "23:30-00:30", "00:00-00:30", "12:00-24:00", "12:00-00:00", "00:30-01:30", "01:30-02:30", "02:00-03:00", "02:30-01:30",
	}
	someDays = []string{"mon", "sun", "sat", "mon-fri", "fri-mon", "sat-sun", "tue-tue", "thu-wed"}
)

// moments draws a moment, most often near one at which some clock is turned.
func moments(t *rapid.T) time.Time {
	base, err := time.Parse(time.RFC3339, rapid.SampledFrom(turning).Draw(t, "near"))
	if err != nil {
		t.Fatal(err)
	}
	return base.Add(time.Duration(rapid.IntRange(-36*60, 36*60).Draw(t, "minutes")) * time.Minute).Add(rapid.SampledFrom([]time.Duration{0, 0, -1, 1}).Draw(t, "exactly"))
}

func drawTime(t *rapid.T, id string) modelTime {
	x := modelTime{id: id}
	kind := rapid.IntRange(0, 3).Draw(t, "days or hours")
	if kind != 0 {
		x.hours = rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(someHours), rapid.Custom(drawHours)), 1, 2).Draw(t, "hours")
	}
	if kind < 3 {
		x.days = rapid.SliceOfN(rapid.SampledFrom(someDays), 1, 2).Draw(t, "days")
	}
	if rapid.Bool().Draw(t, "zone of its own") {
		x.zone = rapid.SampledFrom(places).Draw(t, "its zone")
	}
	return x
}

func drawHours(t *rapid.T) string {
	begin := rapid.IntRange(0, 95).Draw(t, "begins")
	end := (begin + rapid.IntRange(1, 95).Draw(t, "lasts")) % 96
	return fmt.Sprintf("%02d:%02d-%02d:%02d", begin/4, begin%4*15, end/4, end%4*15)
}

// when draws what stands beside a grant or an assignment: most often nothing.
func (m *model) when(t *rapid.T) modelWhen {
	var w modelWhen
	kind := rapid.IntRange(0, 7).Draw(t, "when")
	if len(m.times) > 0 && (kind == 1 || kind == 2) {
		w.during = m.times[rapid.IntRange(0, len(m.times)-1).Draw(t, "during")].id
	}
	day := func(label string, first int) (string, int) {
		n := rapid.IntRange(first, 3).Draw(t, label)
		return m.now.AddDate(0, 0, n).Format(time.DateOnly), n
	}
	first := -3
	if kind == 2 || kind == 3 || kind == 4 {
		w.from, first = day("from", first)
	}
	if kind == 2 || kind == 4 || kind == 5 {
		w.until, _ = day("until", first)
	}
	return w
}
