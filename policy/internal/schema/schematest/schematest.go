// Package schematest holds a JSON Schema to the parser that it describes. It is for tests.
package schematest

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Compile reads a schema, and holds it to the schema of schemas.
func Compile(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Value is what an editor makes of YAML before it holds it against a schema: a date is a text, a key is one too, an alias stands for its
// anchor. The error says that it is not one YAML document at all.
func Value(data []byte) (any, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if n.Kind == 0 {
		return nil, nil
	}
	return value(n.Content[0], 0), nil
}

func value(n *yaml.Node, depth int) any {
	if depth > 50 { // an alias within its anchor
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return value(n.Alias, depth+1)
	case yaml.SequenceNode:
		all := make([]any, len(n.Content))
		for i := range all {
			all[i] = value(n.Content[i], depth+1)
		}
		return all
	case yaml.MappingNode:
		all := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			all[n.Content[i].Value] = value(n.Content[i+1], depth+1)
		}
		return all
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		v, _ := strconv.ParseBool(n.Value)
		return v
	case "!!int", "!!float":
		v := 0.0
		_ = n.Decode(&v)
		return v
	}
	return n.Value
}

// Described returns the paths of the keys of which the schema says nothing.
func Described(t testing.TB, text []byte) (silent []string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				walk(path+"/"+strconv.Itoa(i), item)
			}
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for key, p := range properties {
				keys++
				if s, _ := p.(map[string]any); v["additionalProperties"] == false && s["description"] == nil {
					silent = append(silent, path+"/"+key)
				}
			}
			for key, inner := range v {
				walk(path+"/"+key, inner)
			}
		}
	}
	walk("", doc)
	if keys == 0 {
		t.Fatal("the schema has no keys")
	}
	return silent
}
