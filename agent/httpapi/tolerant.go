package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// tolerant is a JSON object that a request brings in a form that others may add to: members that T does not have are passed over, as the
// specification of the form wants. Those that it has are read as strictly as in a body: spelt exactly so, each once, of their type. null is as if
// it were not there.
type tolerant[T any] struct {
	value   T
	problem *Problem
}

// Schema describes T.
func (tolerant[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// read takes the body in.
func (b *tolerant[T]) read(data []byte) {
	if !utf8.Valid(data) || !json.Valid(data) {
		b.problem = newProblem(http.StatusBadRequest, "malformed_json", "The body must be one JSON object in UTF-8 and nothing after it.")
		return
	}
	b.problem = fill(data, reflect.ValueOf(&b.value).Elem(), "")
}

// fillItself lets an entry of a list keep what is wrong with it, so that the others are read.
func (b *tolerant[T]) fillItself(data []byte, path string) {
	b.problem = fill(data, reflect.ValueOf(&b.value).Elem(), path)
}

// fill reads well-formed JSON into dst. The path of what cannot be read is made of names of ours and places in lists.
func fill(data []byte, dst reflect.Value, path string) *Problem {
	wrong := func(want string) *Problem {
		what := "The body"
		if path != "" {
			what = path
		}
		return newProblem(http.StatusBadRequest, "wrong_type", what+" must be "+want+".")
	}
	data = bytes.TrimSpace(data)
	if string(data) == "null" {
		if path == "" {
			return wrong("an object")
		}
		return nil
	}
	if entry, ok := dst.Addr().Interface().(interface{ fillItself([]byte, string) }); ok {
		entry.fillItself(data, path)
		return nil
	}
	switch dst.Kind() {
	case reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return fill(data, dst.Elem(), path)
	case reflect.Struct, reflect.Map:
		if data[0] != '{' {
			return wrong("an object")
		}
		return fillObject(data, dst, path)
	case reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(data, &list) != nil {
			return wrong("a list")
		}
		dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
		for i, one := range list {
			if p := fill(one, dst.Index(i), fmt.Sprintf("%s[%d]", path, i)); p != nil {
				return p
			}
		}
		return nil
	case reflect.String:
		if json.Unmarshal(data, dst.Addr().Interface()) != nil {
			return wrong("a string")
		}
		return nil
	default:
		if json.Unmarshal(data, dst.Addr().Interface()) != nil {
			return wrong("a " + dst.Type().String())
		}
		return nil
	}
}

// fillObject reads the members of an object that a struct has; into a map it reads nothing, and sees to it that no name comes twice.
func fillObject(data []byte, dst reflect.Value, path string) *Problem {
	dec := json.NewDecoder(bytes.NewReader(data))
	_, _ = dec.Token() // the brace; whether all is well-formed has been looked at before
	seen := map[string]bool{}
	for dec.More() {
		var value json.RawMessage
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok || dec.Decode(&value) != nil {
			return newProblem(http.StatusBadRequest, "malformed_json", "The body is not well-formed JSON.")
		}
		if seen[name] {
			return newProblem(http.StatusBadRequest, "duplicate_member", "An object in the body has a member twice.")
		}
		seen[name] = true
		if dst.Kind() == reflect.Map {
			continue
		}
		for i := range dst.NumField() {
			if known, _, _ := strings.Cut(dst.Type().Field(i).Tag.Get("json"), ","); known == name {
				if p := fill(value, dst.Field(i), strings.TrimPrefix(path+"."+name, ".")); p != nil {
					return p
				}
			}
		}
	}
	return nil
}
