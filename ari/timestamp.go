package ari

import "time"

// parseTime reads a point in time as Asterisk writes it (json.c, ast_json_timeval: "2026-11-22T00:05:09.123+0000"),
// with RFC 3339's "Z", "+00:00" and up to nine decimals as well. The result is in UTC; zero for anything else.
func parseTime(s string) time.Time {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return time.Time{}
	}
	year := two(s, 0)*100 + two(s, 2)
	month, day := two(s, 5), two(s, 8)
	hour, minute, second := two(s, 11), two(s, 14), two(s, 17)
	// Two characters that are no digits give a number so far below zero that the year is below it too.
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return time.Time{}
	}
	nanos, i := 0, 19
	if s[i] == '.' {
		unit := 100_000_000
		for i++; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
			nanos += int(s[i]-'0') * unit
			unit /= 10
		}
		if i == 20 || i > 29 {
			return time.Time{}
		}
	}
	offset, ok := zone(s[i:])
	if !ok {
		return time.Time{}
	}
	unix := (int64(days(year, month, day))*24+int64(hour))*3600 + int64(minute)*60 + int64(second)
	return time.Unix(unix-int64(offset), int64(nanos)).UTC()
}

// two gives the number that the two digits at i stand for, far below zero if they are none.
func two(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1 << 20
	}
	return int(a)*10 + int(b)
}

// zone gives the seconds east of UTC that "Z", "+hhmm" or "+hh:mm" stands for.
func zone(s string) (int, bool) {
	if s == "+0000" || s == "Z" {
		return 0, true
	}
	if len(s) == 6 && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hours, minutes := two(s, 1), two(s, 3)
	if uint(hours) > 23 || uint(minutes) > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days counts from 1970-01-01 to the date, in the proleptic Gregorian calendar: the year is taken to begin in March,
// so that the leap day is its last.
func days(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	// 719468 days lie between 0000-03-01 and 1970-01-01; the year is never below -1 here.
	era := (year + 400) / 400
	ofEra := year + 400 - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return (era-1)*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}
