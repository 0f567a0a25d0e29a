package policyfile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/policy"
	"go.yaml.in/yaml/v3"
)

// splice puts other bytes in the place of some.
type splice struct {
	start, end int
	with       string
}

// pair is one key of an entry with its value, and where they stand.
type pair struct {
	key, value             *yaml.Node
	start, keyEnd, valueAt int
	end                    int // behind the value; 0: not to be found
	change                 change
	with                   string // what a changed value is to be
}

type change uint8

const (
	keep change = iota
	replaced
	removed
)

// splices says what has to be done to the text so that an entry has the changes: key to value, nil to take the key out. No comment is lost.
func (t *text) splices(name, entry *yaml.Node, changes map[string]any) ([]splice, error) {
	var pairs []*pair
	known := map[string]bool{}
	for i := 0; i+1 < len(entry.Content); i += 2 {
		p := &pair{key: entry.Content[i], value: entry.Content[i+1]}
		var err error
		if p.start, err = t.at(p.key); err != nil {
			return nil, err
		}
		known[p.key.Value] = true
		v, changes := changes[p.key.Value]
		if p.keyEnd, err = t.end(p.key); err != nil {
			return nil, err
		}
		if p.valueAt, err = t.at(p.value); err != nil {
			return nil, err
		}
		if p.end, err = t.end(p.value); err != nil && changes {
			return nil, err
		}
		switch {
		case changes && v == nil:
			p.change = removed
		case changes:
			p.change = replaced
			if p.with, err = written(v); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, p)
	}
	var added []string
	for _, key := range inOrder(changes) {
		if v := changes[key]; !known[key] && v != nil {
			text, err := written(map[string]any{key: v})
			if err != nil {
				return nil, err
			}
			added = append(added, text[1:len(text)-1]) // without the braces
		}
	}
	if entry.Style&yaml.FlowStyle != 0 {
		return t.inFlow(entry, pairs, added)
	}
	return t.inBlock(name, pairs, added)
}

// inOrder are the keys in the order in which new ones are written.
func inOrder(changes map[string]any) []string {
	rights := policy.Rights()
	return slices.SortedFunc(maps.Keys(changes), func(a, b string) int {
		return cmp.Or(slices.Index(rights, a)-slices.Index(rights, b), strings.Compare(a, b))
	})
}

// inBlock is for an entry whose keys have a line each.
func (t *text) inBlock(name *yaml.Node, pairs []*pair, added []string) (all []splice, err error) {
	indent, left, last := "", len(added), -1
	for i, p := range pairs {
		before := string(t.data[t.lineStart(p.start):p.start])
		if colon := t.blank(p.keyEnd); strings.Trim(before, " ") != "" || colon == len(t.data) || t.data[colon] != ':' {
			return nil, unsafe(tooStrange)
		}
		if indent = before; p.end > 0 {
			last = i
		}
		var s []splice
		switch p.change {
		case keep:
			left++
		case replaced:
			left++
			s, err = t.replaceBlock(p, indent)
		case removed:
			s, err = t.removeBlock(p, indent)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	if left == 0 { // a mapping of nothing has to say so
		i, err := t.end(name)
		if err != nil || i >= len(t.data) || t.data[i] != ':' {
			return nil, unsafe(tooStrange)
		}
		all = append(all, splice{i + 1, i + 1, " {}"})
	}
	if len(added) == 0 {
		return all, nil
	}
	if last < 0 {
		return nil, unsafe(tooStrange)
	}
	at, eol := t.next(pairs[last].end), t.eol(pairs[last].start)
	lines := indent + strings.Join(added, eol+indent)
	if at > 0 && t.data[at-1] != '\n' { // the file ends without a line end
		return append(all, splice{at, at, eol + lines}), nil
	}
	return append(all, splice{at, at, lines + eol}), nil
}

// replaceBlock puts another value behind a key. Comments within the old one go before the key.
func (t *text) replaceBlock(p *pair, indent string) ([]splice, error) {
	eol := t.eol(p.start)
	comments, err := t.comments(p.keyEnd, p.end, p.value)
	if err != nil {
		return nil, err
	}
	if len(comments) == 0 && t.lineStart(p.valueAt) == t.lineStart(p.start) {
		return []splice{{p.valueAt, p.end, p.with}}, nil
	}
	colon, line := t.blank(p.keyEnd), t.lineStart(p.start)
	return []splice{{line, line, asLines(comments, indent, eol)}, {colon + 1, p.end, " " + p.with}}, nil
}

// removeBlock takes a key out with its lines. Comments within them and behind them stay, with the key's indentation.
func (t *text) removeBlock(p *pair, indent string) ([]splice, error) {
	eol := t.eol(p.start)
	comments, err := t.comments(p.keyEnd, p.end, p.value)
	if err != nil {
		return nil, err
	}
	line, rest := t.lineStart(p.start), t.lineEnd(p.end)
	if strings.TrimSpace(string(t.data[p.end:rest])) == "" {
		return []splice{{line, t.next(p.end), asLines(comments, indent, eol)}}, nil
	}
	at := p.end + strings.IndexByte(string(t.data[p.end:rest]), '#')
	if at < p.end {
		return nil, unsafe(tooStrange)
	}
	return []splice{{line, at, asLines(comments, indent, eol) + indent}}, nil
}

func asLines(comments []string, indent, eol string) string {
	var b strings.Builder
	for _, c := range comments {
		b.WriteString(indent + c + eol)
	}
	return b.String()
}

// inFlow is for an entry in braces. Comments within what is replaced or taken out have no place to go there.
func (t *text) inFlow(entry *yaml.Node, pairs []*pair, added []string) (all []splice, err error) {
	open, err := t.at(entry)
	if err != nil {
		return nil, err
	}
	if _, err := t.end(entry); err != nil {
		return nil, err
	}
	for i := 0; i < len(pairs); i++ {
		switch p := pairs[i]; p.change {
		case keep:
			if p.end == 0 {
				return nil, unsafe(tooStrange)
			}
		case replaced:
			if !t.free(p.keyEnd, p.end, p.value) || t.data[t.blank(p.keyEnd)] != ':' {
				return nil, unsafe(tooStrange)
			}
			all = append(all, splice{p.valueAt, p.end, p.with})
		case removed:
			last := i
			for last+1 < len(pairs) && pairs[last+1].change == removed && t.free(pairs[last].end, pairs[last+1].start) {
				last++
			}
			s, err := t.removeFlow(pairs, i, last)
			if err != nil {
				return nil, err
			}
			all, i = append(all, s), last
		}
	}
	if len(added) == 0 {
		return all, nil
	}
	for i := len(pairs) - 1; i >= 0; i-- {
		if p := pairs[i]; p.change != removed {
			return append(all, splice{p.end, p.end, ", " + strings.Join(added, ", ")}), nil
		}
	}
	return append(all, splice{open + 1, open + 1, strings.Join(added, ", ")}), nil
}

// removeFlow takes a run of keys out, with a comma where there is one too many.
func (t *text) removeFlow(pairs []*pair, first, last int) (splice, error) {
	from, to := pairs[first], pairs[last]
	var nodes []*yaml.Node
	for _, p := range pairs[first : last+1] {
		nodes = append(nodes, p.key, p.value)
	}
	if !t.free(from.start, to.end, nodes...) {
		return splice{}, unsafe(tooStrange)
	}
	comma := t.blank(to.end)
	hasComma := t.data[comma] == ','
	switch {
	case last+1 < len(pairs) && t.free(to.end, pairs[last+1].start):
		return splice{from.start, pairs[last+1].start, ""}, nil
	case hasComma && t.free(to.end, comma):
		return splice{from.start, comma + 1, ""}, nil
	case first > 0 && t.free(pairs[first-1].end, from.start):
		return splice{pairs[first-1].end, to.end, ""}, nil
	case first == 0 && hasComma:
		return splice{}, unsafe(tooStrange)
	}
	return splice{from.start, to.end, ""}, nil
}

// free reports whether there is no comment between two places.
func (t *text) free(from, to int, nodes ...*yaml.Node) bool {
	comments, err := t.comments(from, to, nodes...)
	return err == nil && len(comments) == 0
}

// apply carries out splices that do not overlap. What is put in at a place goes before what is taken out from there on.
func (t *text) apply(all []splice) ([]byte, error) {
	slices.SortStableFunc(all, func(a, b splice) int { return cmp.Or(a.start-b.start, a.end-b.end) })
	var out []byte
	done := 0
	for _, s := range all {
		if s.start < done {
			return nil, unsafe(tooStrange)
		}
		out = append(append(out, t.data[done:s.start]...), s.with...)
		done = s.end
	}
	return append(out, t.data[done:]...), nil
}
