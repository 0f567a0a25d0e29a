// Package node reads what the files of the policy language have in common, policies and their tests: one YAML document, mappings without a
// key twice, lists, and text that is text. It knows nothing of what they mean.
//
// Its invariant: what YAML offers to hide what a line means, anchors, aliases, tags and merge keys, is a fault.
package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A Fault is one mistake at one place.
type Fault struct {
	Line, Column int    // from 1
	Message      string // to be put behind the name of what it is about, save for those of Document
	Hint         string // what to write instead, or empty
}

func fault(n *yaml.Node, hint, message string) *Fault {
	return &Fault{Line: n.Line, Column: n.Column, Message: message, Hint: hint}
}

// Document returns the root of the one document in data, and what is wrong: without a root there is always a fault, and with one there may be.
// What is "a policy file", for messages.
func Document(data []byte, what string) (root *yaml.Node, wrong *Fault) {
	// A parser of foreign text that panics must not take down the process that holds the last good policy.
	defer func() {
		if p := recover(); p != nil {
			root, wrong = nil, &Fault{1, 1, fmt.Sprintf("the file is not YAML: %v", p), ""}
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, &Fault{1, 1, "the file is empty", `begin with "version: 1"`}
	case err != nil:
		return nil, syntax(data, err)
	}
	switch err := d.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, syntax(data, err)
	default:
		wrong = fault(&more, "use a file for each", what+" is one YAML document")
	}
	return doc.Content[0], wrong
}

// yamlLine finds the line in the messages of the YAML library, which has no typed error with a position.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax places an error of the YAML library at the first word of its line.
func syntax(data []byte, err error) *Fault {
	message, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if n, convErr := strconv.Atoi(m[1]); convErr == nil && n > 0 {
			line = n
		}
	}
	lines, column := bytes.Split(data, []byte("\n")), 1
	if line <= len(lines) {
		text := lines[line-1]
		column += len(text) - len(bytes.TrimLeft(text, " "))
	}
	f := &Fault{line, column, "not YAML: " + message, ""}
	switch anchor := unknownAnchor.FindStringSubmatch(message); {
	case anchor != nil: // the library tells no place
		f.Hint = `what begins with * or & belongs in quotes, as in "*50"`
		alias := regexp.MustCompile(`(?:^|[\s\[{,])(\*` + regexp.QuoteMeta(anchor[1]) + `)(?:$|[\s,\]}])`)
		for i, text := range lines {
			if at := alias.FindSubmatchIndex(comment.ReplaceAllLiteral(text, nil)); at != nil {
				f.Line, f.Column = i+1, utf8.RuneCount(text[:at[2]])+1
				break
			}
		}
	case strings.HasSuffix(message, "did not find expected alphabetic or numeric character"):
		f.Hint = `what begins with * or & belongs in quotes, as in "*50"`
	case strings.Contains(message, "cannot start any token") && line <= len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[line-1], " "), []byte("\t")):
		f.Hint = "indent with spaces, not with tabs"
	case strings.Contains(message, "UTF-8"): // no place either
		f.Hint = "save the file as UTF-8"
		for i, text := range lines {
			if !utf8.Valid(text) {
				f.Line, f.Column = i+1, utf8.RuneCountInString(strings.SplitN(strings.ToValidUTF8(string(text), "\x00"), "\x00", 2)[0])+1
				break
			}
		}
	}
	return f
}

var (
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	comment       = regexp.MustCompile(`(?:^|\s)#.*`)
)

// Plain refuses what YAML offers and the language does not have. It returns nil when there is nothing of it.
func Plain(n *yaml.Node) *Fault {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return fault(n, "write it out, or use a role or a group", ": anchors and aliases are not part of the language")
	case n.Style&yaml.TaggedStyle != 0:
		return fault(n, "leave the tag out", ": tags are not part of the language")
	}
	return nil
}

// Kind says what a node is, in an administrator's words.
func Kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a bare number"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// Mapping calls each with every pair of a mapping; a key that comes twice is reported and left out.
func Mapping(n *yaml.Node, report func(*Fault), each func(key, value *yaml.Node)) {
	if f := Plain(n); f != nil {
		report(f)
		return
	}
	if n.Kind != yaml.MappingNode {
		hint := ""
		if n.Tag == "!!null" {
			hint = "write {} or leave the key out"
		}
		report(fault(n, hint, " must be a mapping, not "+Kind(n)))
		return
	}
	var seen map[string]*yaml.Node
	if len(n.Content) > 32 { // below that looking back is cheaper than a map
		seen = make(map[string]*yaml.Node, len(n.Content)/2)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if f := keyFault(k); f != nil {
			report(f)
			continue
		}
		first := seen[k.Value]
		if seen == nil {
			for j := 0; j < i && first == nil; j += 2 {
				if n.Content[j].Value == k.Value {
					first = n.Content[j]
				}
			}
		} else if first == nil {
			seen[k.Value] = k
		}
		if first != nil {
			report(fault(k, "", fmt.Sprintf(": key %q is here twice, first in line %d", k.Value, first.Line)))
			continue
		}
		each(k, n.Content[i+1])
	}
}

// keyFault says why the node cannot be a key.
func keyFault(k *yaml.Node) *Fault {
	switch {
	case k.Tag == "!!merge":
		return fault(k, "use a role", ": merge keys are not part of the language")
	case k.Kind == yaml.ScalarNode && k.Tag != "!!str":
		if f := Plain(k); f != nil {
			return f
		}
		return fault(k, "put it in quotes if it is meant", ": a key must be text, not "+Kind(k))
	}
	return Text(k)
}

// List says why the node is no list, or nil.
func List(n *yaml.Node) *Fault {
	if f := Plain(n); f != nil {
		return f
	}
	if n.Kind == yaml.SequenceNode {
		return nil
	}
	hint := ""
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		hint = "put it in square brackets"
	}
	return fault(n, hint, " must be a list, not "+Kind(n))
}

// Text says why the node is no scalar that is text, or nil: it is empty, has control characters, or is something YAML takes for a number, a
// date or a truth value.
func Text(n *yaml.Node) *Fault {
	if f := Plain(n); f != nil {
		return f
	}
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) == 2:
		return fault(n, "no space after the colon, as in group:board", " must be text, not a mapping")
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		return fault(n, "", " must be text, not "+Kind(n))
	case n.Tag != "!!str":
		return fault(n, "put it in quotes if it is meant", " must be text, not "+Kind(n))
	case strings.TrimSpace(n.Value) == "":
		return fault(n, "", " is empty")
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		return fault(n, "", " contains a control character")
	}
	return nil
}

// Quoted says why the node is no text in quotes, as a telephone number must be: YAML reads a bare 0123 as 83 and 1e5 as 100000.
func Quoted(n *yaml.Node) *Fault {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		if f := Plain(n); f != nil {
			return f
		}
		return fault(n, `as in "101"`, ": a number must be in quotes")
	}
	return Text(n)
}
