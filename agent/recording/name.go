package recording

import (
	"errors"
	"regexp"
	"strings"
)

const uniqueIDPlace = "{uniqueid}"

// A unique id as Asterisk makes it: seconds since 1970, a dot, a number; before them the PBX's systemname and a hyphen, where it has one.
const uniqueID = `[0-9]{9,11}\.[0-9]{1,10}`

var (
	anywhere = regexp.MustCompile(`(?:^|[^0-9.])(` + uniqueID + `)`)
	before   = regexp.MustCompile(`([A-Za-z0-9_]{1,64}-)$`)
)

// pattern finds unique ids in files' names.
type pattern struct{ expr *regexp.Regexp }

// CheckPattern reports what is wrong with a pattern.
func CheckPattern(s string) error {
	_, err := parsePattern(s)
	return err
}

func parsePattern(s string) (*pattern, error) {
	if s == "" {
		return &pattern{anywhere}, nil
	}
	if strings.Count(s, uniqueIDPlace) != 1 {
		return nil, errors.New("a pattern has {uniqueid} in it, once, and * for anything; left out, the id is found anywhere in the name")
	}
	var b strings.Builder
	b.WriteString("^")
	head, tail, _ := strings.Cut(s, uniqueIDPlace)
	wild := func(text string) {
		for i, part := range strings.Split(text, "*") {
			if i > 0 {
				b.WriteString(".*")
			}
			b.WriteString(regexp.QuoteMeta(part))
		}
	}
	wild(head)
	b.WriteString(`(` + uniqueID + `)`)
	wild(tail)
	b.WriteString("$")
	return &pattern{regexp.MustCompile(b.String())}, nil
}

// ids are the unique ids that may stand in a file's base name, the likelier first: of several the last, and each with the word before it, which
// may be the PBX's name, before it alone.
func (p *pattern) ids(base string) (ids []string) {
	all := p.expr.FindAllStringSubmatchIndex(base, -1)
	for i := len(all) - 1; i >= 0; i-- {
		from, to := all[i][2], all[i][3]
		if to < len(base) && base[to] >= '0' && base[to] <= '9' {
			continue // cut out of a longer number
		}
		if word := before.FindString(base[:from]); word != "" {
			ids = append(ids, word+base[from:to])
		}
		ids = append(ids, base[from:to])
	}
	return ids
}
