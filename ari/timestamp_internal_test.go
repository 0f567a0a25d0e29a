package ari

import (
	"regexp"
	"testing"
	"time"
)

func TestTimesAreReadAsTimeParseDoes(t *testing.T) {
	for _, s := range []string{
		"2026-11-22T00:05:09.123+0000", "2026-11-22T00:05:09+0000", "2026-11-22T00:05:09.123456789+0000", "2026-11-22T00:05:09.1Z",
		"2024-02-29T23:59:59.999+0300", "2023-02-29T00:00:00Z", "1969-12-31T23:59:59-0930", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59+2359",
		"2000-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-11-22T00:05:09+03:00", "2026-11-22T00:05:09-03:30", "2026-04-31T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
		"", "2026", "2026-11-22T00:05:09", "2026-11-22T00:05:09.+0000", "2026-11-22T00:05:09.1234567890Z", "2026-11-22 00:05:09Z", "2026-11-22T00:05:09+000",
		"2026-11-22T00:05:09+2400", "2026-11-22T00:05:09+0060", "x026-11-22T00:05:09Z", "2026-1x-22T00:05:09Z", "2026-11-22T00:05:09z", "2026-11-22T00:05:09,1Z",
	} {
		if got, want := parseTime(s), plainTime(s); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	}
	// Every day of the years in which a calendar error would show.
	for day := time.Date(1895, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2105; day = day.AddDate(0, 0, 1) {
		if got := parseTime(day.Format("2006-01-02T15:04:05-0700")); !got.Equal(day) {
			t.Fatalf("%v is read as %v", day, got)
		}
	}
}

func FuzzTime(f *testing.F) {
	f.Add("2026-11-22T00:05:09.123+0000")
	f.Add("2024-02-29T23:59:59-03:30")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := parseTime(s), plainTime(s); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	})
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)$`)

func plainTime(s string) time.Time {
	if !timeForm.MatchString(s) {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04:05-0700", "2006-01-02T15:04:05Z07:00"} {
		if v, err := time.Parse(layout, s); err == nil {
			return v.UTC()
		}
	}
	return time.Time{}
}

func BenchmarkTime(b *testing.B) {
	const s = "2026-11-22T00:05:09.123+0000"
	b.Run("ari", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parseTime(s)
		}
	})
	b.Run("time.Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = time.Parse("2006-01-02T15:04:05.000-0700", s)
		}
	})
}
