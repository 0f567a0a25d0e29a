package policy

import (
	"cmp"
	"slices"
	"strings"
)

// maxAddress bounds what is looked at of an endpoint or a number that comes from outside: longer ones are unknown.
const maxAddress = 128

// formatting holds what people put between the digits of a number.
const formatting = " -().\u00a0"

// canonicalNumber returns the number without formatting: an optional plus, then digits, stars and hashes. It reports
// false for anything else, and for nothing.
func canonicalNumber(s string) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune(formatting, r):
		case r >= '0' && r <= '9', r == '*', r == '#', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		default:
			return "", false
		}
	}
	n := b.String()
	return n, strings.ContainsAny(n, "0123456789*#")
}

// appendCanonicalNumber is canonicalNumber into a buffer, for look-ups that must not allocate.
func appendCanonicalNumber(dst []byte, s string) ([]byte, bool) {
	if len(s) > maxAddress {
		return dst, false
	}
	for _, r := range s {
		switch {
		case strings.ContainsRune(formatting, r):
		case r >= '0' && r <= '9', r == '*', r == '#', r == '+' && len(dst) == 0:
			dst = append(dst, byte(r))
		default:
			return dst, false
		}
	}
	return dst, len(dst) > 0
}

// plainNumber reports whether s has nothing in it that canonicalNumber would drop, so that it can be looked up as it is.
func plainNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && c != '+' && c != '*' && c != '#' {
			return false
		}
	}
	return true
}

// canonicalEndpoint checks an endpoint such as PJSIP/101 and returns it with the technology in capitals: Asterisk finds a
// channel technology without regard to case, so Pjsip/101 is the same phone. The message says what is wrong.
func canonicalEndpoint(s string) (endpoint, message, hint string) {
	tech, resource, found := strings.Cut(s, "/")
	switch {
	case !found || tech == "" || resource == "":
		return "", "an endpoint is TECHNOLOGY/NAME", `as in "PJSIP/101"`
	case len(s) > maxAddress:
		return "", "an endpoint this long does not exist", ""
	case strings.EqualFold(tech, "local"):
		return "", "a Local channel proves nobody and is no endpoint", "name the phone itself"
	}
	for _, r := range tech {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return "", "a channel technology is letters and digits", `as in "PJSIP/101"`
		}
	}
	for _, r := range resource {
		if r <= ' ' || r == 0x7f || strings.ContainsRune("/@,&;$\"'\\", r) {
			return "", "an endpoint's name has no spaces, slashes, quotes or signs with a meaning to Asterisk", ""
		}
	}
	return strings.ToUpper(tech) + "/" + resource, "", ""
}

// appendCanonicalEndpoint is canonicalEndpoint for look-ups: no check, no allocation.
func appendCanonicalEndpoint(dst []byte, s string) ([]byte, bool) {
	if len(s) > maxAddress {
		return dst, false
	}
	dst = append(dst, s...)
	for i, c := range dst {
		if c == '/' {
			break
		}
		if c >= 'a' && c <= 'z' {
			dst[i] = c - ('a' - 'A')
		}
	}
	return dst, true
}

// suffixDigits is how many last digits two numbers must share at the least to be taken for one, unless they are equal.
const suffixDigits = 7

// numberDigits appends the digits of a number up to the first sign that ends one (a SIP host, a parameter, what is dialled
// after the answer). Unlike canonicalNumber it never refuses: it serves to exclude.
func numberDigits(dst []byte, s string) []byte {
	for i := 0; i < len(s) && len(dst) < maxAddress; i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			dst = append(dst, c)
		case c == '@' || c == ';' || c == ',' || c == '&':
			return dst
		}
	}
	return dst
}

// suffixKey is the last suffixDigits digits as a number.
func suffixKey[T string | []byte](digits T) uint32 {
	var k uint32
	for i := len(digits) - suffixDigits; i < len(digits); i++ {
		k = k*10 + uint32(digits[i]-'0')
	}
	return k
}

// tailKey is the same for all ways to write a number: its last suffixDigits digits, or all of fewer, which another leading zero does not tell
// apart.
func tailKey[T string | []byte](digits T) uint32 {
	if len(digits) >= suffixDigits {
		return suffixKey(digits)
	}
	k := uint32(0)
	for i := range len(digits) {
		k = k*10 + uint32(digits[i]-'0')
	}
	return k + 10_000_000 // above whatever seven digits make
}

// tail leads from a tailKey to the numbers that have it.
type tail struct{ key, number uint32 }

// newTails returns the tails of numbers, sorted by key and then by place. Numbers without digits have none.
func newTails(numbers []string) []tail {
	tails := make([]tail, 0, len(numbers))
	var buf [maxAddress]byte
	for i, n := range numbers {
		if digits := numberDigits(buf[:0], n); len(digits) > 0 {
			tails = append(tails, tail{key: tailKey(digits), number: uint32(i)})
		}
	}
	slices.SortFunc(tails, func(a, b tail) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.number, b.number)) })
	return tails
}

// tailed returns the tails of the employees' numbers that may be this one.
func (t *tables) tailed(digits []byte) []tail {
	if len(digits) == 0 {
		return nil
	}
	key := tailKey(digits)
	from, found := slices.BinarySearchFunc(t.tails, key, func(e tail, key uint32) int { return cmp.Compare(e.key, key) })
	if !found {
		return nil
	}
	to := from + 1
	for to < len(t.tails) && t.tails[to].key == key {
		to++
	}
	return t.tails[from:to]
}

// sameNumber reports whether the digits may be ways to write one number. Short numbers have one way.
func sameNumber[A, B string | []byte](a A, b B) bool {
	if len(a) < suffixDigits || len(b) < suffixDigits {
		return string(a) == string(b)
	}
	return sameSubscriber(a, b)
}

// commonEnd returns how many last digits two numbers share.
func commonEnd[A, B string | []byte](a A, b B) int {
	common := 0
	for common < len(a) && common < len(b) && a[len(a)-1-common] == b[len(b)-1-common] {
		common++
	}
	return common
}

// sameSubscriber reports whether two numbers, each at least suffixDigits digits long, may be ways to write one: they end
// alike, and differ only in what stands before the national part (a country code of up to three digits, a trunk or a
// route prefix of any length on the longer one).
func sameSubscriber[A, B string | []byte](a A, b B) bool {
	return commonEnd(a, b) >= max(suffixDigits, min(len(a), len(b))-3)
}
