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
		return nil, errors.New("a pattern has {uniqueid} in it, once, and * for anything; left out, the id is the last one in the name")
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
	expr, err := regexp.Compile(b.String())
	if err != nil {
		return nil, errors.New("a pattern is text in UTF-8, and not so long that it cannot be looked for")
	}
	return &pattern{expr}, nil
}

// ids are the unique ids that may be that of a file with this base name, the likelier first. Of several that stand in it only the last one counts: what
// stands before may be text that a caller has chosen, and a file is not to go to the call of his choice when its own is not known. It counts with the
// word before it, which may be the PBX's name, and alone.
func (p *pattern) ids(base string) (ids []string) {
	all := p.expr.FindAllStringSubmatchIndex(base, -1)
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	from, to := last[2], last[3]
	if to < len(base) && base[to] >= '0' && base[to] <= '9' {
		return nil // cut out of a longer number
	}
	if word := before.FindString(base[:from]); word != "" {
		ids = append(ids, word+base[from:to])
	}
	return append(ids, base[from:to])
}
