// Package schema builds JSON Schemas (draft 2020-12) of the files of the policy language, from the tables of their parsers.
//
// Its invariant: patterns mean the same to Go's regular expressions and to those of ECMA-262 with the u flag, which editors have.
package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Schema is one schema. It is not changed once it is part of another.
type Schema map[string]any

// Ref refers to a definition of the document.
func Ref(name string) Schema { return Schema{"$ref": "#/$defs/" + name} }

// Words is one of some texts.
func Words(words ...string) Schema { return Schema{"enum": words} }

// Any is what one of the schemas takes.
func Any(of ...Schema) Schema { return Schema{"anyOf": of} }

// All is what all of the schemas take.
func All(of ...Schema) Schema { return Schema{"allOf": of} }

// Not is what the schema does not take.
func Not(s Schema) Schema { return Schema{"not": s} }

// Truth is true or false.
func Truth() Schema { return Schema{"type": "boolean"} }

// List is a list of at least so many items.
func List(items Schema, least int) Schema {
	s := Schema{"type": "array", "items": items}
	if least > 0 {
		s["minItems"] = least
	}
	return s
}

// Matching is a text that has a pattern from its beginning to its end.
func Matching(pattern string) Schema {
	return Schema{"type": "string", "pattern": "^(?:" + pattern + ")$"}
}

// Required is a mapping with the keys, if it is one.
func Required(keys ...string) Schema { return Schema{"required": keys} }

// Object is a mapping with these keys and no others, of which some are required.
func Object(keys []string, values map[string]Schema, required ...string) Schema {
	properties := Schema{}
	for _, key := range keys {
		if properties[key] = values[key]; values[key] == nil {
			properties[key] = Schema{}
		}
	}
	s := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// Named is a mapping from ids to values.
func Named(id, value Schema) Schema {
	return Schema{"type": "object", "propertyNames": id, "additionalProperties": value}
}

// About returns the schema with what an editor shows of it.
func (s Schema) About(text string) Schema { return s.with("description", text) }

// And returns the schema with one more that must take the value too.
func (s Schema) And(more ...Schema) Schema {
	all, _ := s["allOf"].([]Schema)
	return s.with("allOf", append(slices.Clone(all), more...))
}

func (s Schema) with(key string, value any) Schema {
	c := Schema{key: value}
	for k, v := range s {
		if k != key {
			c[k] = v
		}
	}
	return c
}

// Document returns the text of a whole schema.
func (s Schema) Document(title string, defs map[string]Schema) ([]byte, error) {
	s = s.with("$schema", "https://json-schema.org/draft/2020-12/schema").with("title", title).with("$defs", defs)
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return []byte(out.String()), nil
}

// Parts of patterns. Control has what no text holds; space what does not make one by itself.
const (
	control = `\x00-\x1f\x7f-\x9f`
	space   = " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
)

// Text is a text that is not empty and has no control characters.
func Text() Schema {
	return Matching("[^" + control + "]*[^" + control + space + "][^" + control + "]*")
}

// Space has the inside of a bracket expression for white space and control characters.
const Space = control + space

// DatePattern is a day as YYYY-MM-DD that the calendar has.
const DatePattern = `\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))` +
	`|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29`
