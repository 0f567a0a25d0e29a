package clients

import (
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
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/':
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

func knownRegion(region string) bool { return phonenumbers.GetSupportedRegions()[region] }
