package policyfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// valueOf is what a node says, in the form of JSON: true, false, text, a list or a map. A date is text.
func valueOf(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = valueOf(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = valueOf(item)
		}
		return list
	}
	if n.Tag == "!!bool" {
		return strings.EqualFold(n.Value, "true") // as the language reads it
	}
	return n.Value
}

// partOrder is in which order the parts of a right are written; others follow by name.
var partOrder = []string{"to", "only", "clients", "employees", "numbers", "allow", "show", "except", "reason", "notify", "during", "from", "until"}

// bare is text that is safe without quotes, within brackets too. What YAML would take for something else than text is looked at apart.
var bare = regexp.MustCompile(`^\pL[\pL\pN_.+-]*(:[\pL\pN_.+-]+)?$`)

// write puts a value into YAML, on one line.
func write(b *strings.Builder, v any) error {
	switch v := v.(type) {
	case bool:
		fmt.Fprint(b, v)
	case string:
		var n yaml.Node
		if bare.MatchString(v) && yaml.Unmarshal([]byte(v), &n) == nil && n.Content[0].Tag == "!!str" && !slices.Contains(truths, strings.ToLower(v)) {
			b.WriteString(v)
			return nil
		}
		quoted, err := json.Marshal(v) // which YAML reads as it is meant
		if err != nil {
			return err
		}
		b.Write(quoted)
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := write(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case map[string]any:
		return writeMap(b, v)
	default: // a number, or nothing
		return &BadValueError{}
	}
	return nil
}

// truths are words that older readers of YAML take for true and false.
var truths = []string{"y", "n", "yes", "no", "on", "off"}

func writeMap(b *strings.Builder, m map[string]any) error {
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		i, j := slices.Index(partOrder, x), slices.Index(partOrder, y)
		switch {
		case i >= 0 && j >= 0:
			return i - j
		case i >= 0:
			return -1
		case j >= 0:
			return 1
		}
		return strings.Compare(x, y)
	})
	b.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := write(b, key); err != nil {
			return err
		}
		b.WriteString(": ")
		if err := write(b, m[key]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// written is a value as YAML on one line.
func written(v any) (string, error) {
	var b strings.Builder
	err := write(&b, v)
	return b.String(), err
}
