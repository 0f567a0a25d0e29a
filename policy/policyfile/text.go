package policyfile

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// text is a file's bytes with where its lines begin, by which the places of YAML nodes are found in it.
type text struct {
	data  []byte
	lines []int
}

// newText reads where the lines begin. The YAML library counts more characters as ends of lines than editors do; a file that has one of those,
// or is not UTF-8, is nothing to be edited by places.
func newText(data []byte) (*text, error) {
	plain := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if !utf8.Valid(data) || bytes.ContainsAny(plain, "\r\u0085\u2028\u2029") {
		return nil, unsafe("the file has line ends that are none elsewhere, or is not UTF-8; save it as UTF-8 with ordinary line ends")
	}
	t := &text{data: data, lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t, nil
}

// at is where a node begins. Its column counts characters, and the byte order mark is none.
func (t *text) at(n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(t.lines) {
		return 0, unsafe(tooStrange)
	}
	i := t.lines[n.Line-1]
	if n.Line == 1 {
		i += len(t.data) - len(bytes.TrimPrefix(t.data, []byte("\ufeff")))
	}
	for range n.Column - 1 {
		if i >= len(t.data) {
			return 0, unsafe(tooStrange)
		}
		_, size := utf8.DecodeRune(t.data[i:])
		i += size
	}
	return i, nil
}

const tooStrange = "it is written in a way that cannot be edited from here; write the values plainly, each on one line, or change it in the file"

// end is where a node ends, behind its last byte. The YAML library tells only where it begins.
func (t *text) end(n *yaml.Node) (int, error) {
	begin, err := t.at(n)
	if err != nil || begin >= len(t.data) || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return 0, unsafe(tooStrange)
	}
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		i := begin + 1
		if len(n.Content) > 0 {
			if i, err = t.end(n.Content[len(n.Content)-1]); err != nil {
				return 0, err
			}
		}
		if n.Style&yaml.FlowStyle == 0 {
			return i, nil
		}
		for i = t.blank(i); i < len(t.data) && t.data[i] == ','; {
			i = t.blank(i + 1)
		}
		if i < len(t.data) && (t.data[i] == '}' || t.data[i] == ']') {
			return i + 1, nil
		}
	case yaml.ScalarNode:
		return t.scalarEnd(n, begin)
	}
	return 0, unsafe(tooStrange)
}

func (t *text) scalarEnd(n *yaml.Node, begin int) (int, error) {
	switch n.Style { //nolint:exhaustive // the others begin and end otherwise, and are not edited
	case yaml.DoubleQuotedStyle:
		for i := begin + 1; i < len(t.data); i++ {
			if t.data[i] == '\\' {
				i++
			} else if t.data[i] == '"' {
				return i + 1, nil
			}
		}
	case yaml.SingleQuotedStyle:
		for i := begin + 1; i < len(t.data); i++ {
			if t.data[i] != '\'' {
				continue
			}
			if i+1 == len(t.data) || t.data[i+1] != '\'' {
				return i + 1, nil
			}
			i++
		}
	case 0: // plain; over several lines it would not be what it means
		if n.Value != "" && bytes.HasPrefix(t.data[begin:], []byte(n.Value)) {
			return begin + len(n.Value), nil
		}
	}
	return 0, unsafe(tooStrange)
}

// blank is the first place from i on that is neither white nor comment.
func (t *text) blank(i int) int {
	for i < len(t.data) {
		switch t.data[i] {
		case ' ', '\t', '\r', '\n':
			i++
		case '#':
			i = t.lineEnd(i)
		default:
			return i
		}
	}
	return i
}

// lineStart and lineEnd are the beginning of the line of a place, and its end before the line end; next is the beginning of the line after it.
func (t *text) lineStart(i int) int { return bytes.LastIndexByte(t.data[:i], '\n') + 1 }

func (t *text) lineEnd(i int) int {
	next := t.next(i)
	return i + len(bytes.TrimRight(t.data[i:next], "\r\n"))
}

func (t *text) next(i int) int {
	if n := bytes.IndexByte(t.data[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(t.data)
}

// eol is how the line of a place ends, or, when it does not, the line before it.
func (t *text) eol(i int) string {
	next := t.next(i)
	if t.data[next-1] != '\n' {
		next = t.lineStart(i)
	}
	if strings.HasSuffix(string(t.data[:next]), "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// comments are those between two places, in their order. The scalars of the nodes are passed over: what looks like a comment in them is none.
func (t *text) comments(from, to int, nodes ...*yaml.Node) (found []string, err error) {
	for i := from; i < to; i++ {
		if t.data[i] == '#' {
			end := min(t.lineEnd(i), to)
			found = append(found, strings.TrimRight(string(t.data[i:end]), " \t"))
			i = end
			continue
		}
		for _, n := range scalars(nodes) {
			if begin, err := t.at(n); err != nil {
				return nil, err
			} else if begin == i {
				if i, err = t.end(n); err != nil {
					return nil, err
				}
				i--
				break
			}
		}
	}
	return found, nil
}

// scalars are all in the nodes and below them.
func scalars(nodes []*yaml.Node) (all []*yaml.Node) {
	for _, n := range nodes {
		if n.Kind == yaml.ScalarNode {
			all = append(all, n)
		}
		all = append(all, scalars(n.Content)...)
	}
	return all
}
