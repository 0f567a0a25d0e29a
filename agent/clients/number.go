package clients

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

const (
	maxShort  = 6  // digits of a number that is taken for an internal or service one
	maxNumber = 32 // bytes of a cleaned number; E.164 has 15 digits, prefixes come before
	maxRaw    = 64 // bytes of a number as it is told
)

// Normalise returns a number in the form in which numbers are compared, and whether it is a number at all. Up to six digits are a
// short number and stay as they are. Others become E.164; without a plus they are read as dialled in region ("RU", ISO 3166), with
// its prefixes. What is no possible number there, or has other signs in it than digits, a plus in front and the usual separators,
// is none.
func Normalise(number, region string) (string, bool) {
	var buf [maxNumber]byte
	clean, ok := squeeze(buf[:0], number)
	if !ok {
		return "", false
	}
	return normalise(string(clean), region)
}

// normalise does it for a number without separators.
func normalise(clean, region string) (string, bool) {
	if clean[0] != '+' && len(clean) <= maxShort {
		return clean, true
	}
	n, err := phonenumbers.Parse(clean, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE {
		return "", false
	}
	normal := phonenumbers.Format(n, phonenumbers.E164)
	if normal != clean {
		// A few numbers that nobody can have (Finnish ones of nothing but zeros) are read otherwise the second time. Two spellings
		// of one number would then differ, so they are none.
		again, err := phonenumbers.Parse(normal, "")
		if err != nil || phonenumbers.Format(again, phonenumbers.E164) != normal {
			return "", false
		}
	}
	return normal, true
}

// squeeze appends number to dst without separators. It refuses what is not written like a number; letters are not turned into
// digits, as phones with letters on their keys would.
func squeeze(dst []byte, number string) ([]byte, bool) {
	if len(number) > maxRaw {
		return nil, false
	}
	digits := 0
	for i := range len(number) {
		switch c := number[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '+' && len(dst) == 0:
		case isSeparator(c):
			continue
		default:
			return nil, false
		}
		if len(dst) == maxNumber {
			return nil, false
		}
		dst = append(dst, number[i])
	}
	return dst, digits > 0
}

func isSeparator(c byte) bool {
	return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/'
}

func knownRegion(region string) bool { return phonenumbers.GetSupportedRegions()[region] }

// Numbering is how a company dials. The zero value strips nothing and reads only numbers with a plus and short ones.
type Numbering struct {
	// Region is how numbers without a country code are read ("RU", ISO 3166).
	Region string
	// Prefixes are what the PBX takes off a dialled number before it dials: feature codes and routes ("*67", "9").
	Prefixes []string
}

// Dialled normalises a number that somebody dials, without the prefixes that the PBX takes off. A prefix comes off when what it leaves
// is a full number, or when it is none that could be dialled without taking it off ("*67101" is 101); so "9" for the trunk takes
// nothing from 901 and 9161234567, and 9112 stays a short number: ask for emergency numbers yourself, before. Each comes off once at
// most, in whatever order they were dialled, the longest first. What is left must be a number as for [Normalise]. A caller's number has
// no prefixes: normalise it by Normalise.
func (n Numbering) Dialled(number string) (string, bool) {
	if len(number) > maxRaw {
		return "", false
	}
	var clean []byte
	for i := range len(number) {
		if !isSeparator(number[i]) {
			clean = append(clean, number[i])
		}
	}
	rest := string(clean)
	prefixes := slices.Clone(n.Prefixes)
	slices.SortStableFunc(prefixes, func(a, b string) int { return len(b) - len(a) })
	for {
		i := slices.IndexFunc(prefixes, func(p string) bool { return n.comesOff(rest, p) })
		if i < 0 {
			return Normalise(rest, n.Region)
		}
		rest = rest[len(prefixes[i]):]
		prefixes = slices.Delete(prefixes, i, i+1)
	}
}

// maxReadings bounds what Readings returns.
const maxReadings = 64

// Readings are all ways in which the PBX may read a dialled number: as it stands, and without any of the prefixes, in any order, each taken off
// once at most. It is for what must hold of every one of them; which one is meant, Dialled says.
func (n Numbering) Readings(number string) []string {
	all := []string{number}
	var take func(rest string, left []string)
	take = func(rest string, left []string) {
		for i, p := range left {
			short, ok := strings.CutPrefix(rest, p)
			if !ok || p == "" || short == "" || len(all) == maxReadings {
				continue
			}
			if !slices.Contains(all, short) {
				all = append(all, short)
			}
			take(short, slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	take(number, n.Prefixes)
	return all
}

// comesOff reports whether a prefix is to be taken off a number.
func (n Numbering) comesOff(number, prefix string) bool {
	rest, ok := strings.CutPrefix(number, prefix)
	if !ok || prefix == "" || rest == "" {
		return false
	}
	if full, ok := Normalise(rest, n.Region); ok && full[0] == '+' {
		return true
	}
	_, dialable := Normalise(number, n.Region)
	return !dialable
}

// isPrefix reports whether s can be dialled before a number.
func isPrefix(s string) bool {
	return s != "" && len(s) <= maxShort && strings.Trim(s, "0123456789*#") == ""
}
