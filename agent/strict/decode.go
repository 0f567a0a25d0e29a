package strict

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Document remembers where each key of a decoded file stands.
type Document struct {
	file string
	at   map[string]*yaml.Node
}

// Errorf makes an error at the place of a key, told as in "pbx.ami.address", or of the nearest enclosing one that the file has.
func (d *Document) Errorf(key, format string, args ...any) error {
	e := &Error{File: d.file, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)}
	for {
		if n := d.at[key]; n != nil {
			e.Line, e.Column = n.Line, n.Column
			return e
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return e
		}
		key = key[:i]
	}
}

// OneOrMore is a list of texts, of which a file may say a single one without making it a list.
type OneOrMore []string

// Decode fills *v, a struct with yaml tags, from a file's text. Its fields are texts, durations, whole numbers, truth values, structs,
// lists of those, [OneOrMore] and maps of texts; another kind panics, for that is a mistake in the program. A key that the text leaves out
// keeps the value it has. The error joins all faults in the order of their places, each an *[Error]; *v must not be used then.
func Decode(file string, data []byte, v any) (*Document, error) {
	r := NewReader(file)
	d := &decoder{Reader: r, doc: &Document{file: file, at: make(map[string]*yaml.Node)}}
	root := r.Document(data)
	switch {
	case root != nil:
		d.value(root, reflect.ValueOf(v).Elem(), "")
	case r.Failed() == 0:
		r.Fail(&yaml.Node{}, "the file is empty")
	}
	Sort(r.errs)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return d.doc, nil
}

// decoder is a Reader that knows Go values.
type decoder struct {
	*Reader
	doc *Document
}

var (
	duration  = reflect.TypeFor[time.Duration]()
	oneOrMore = reflect.TypeFor[OneOrMore]()
)

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.doc.at[path] = n
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.Fail(n, "%san alias or an anchor hides what a line means; write it out", of(path))
	case n.Tag == "!!null":
		d.Fail(n, "%snothing stands here; leave the key out or give it a value", of(path))
	case v.Type() == duration:
		t, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			d.Fail(n, "%sa duration with its unit belongs here, such as 30s or 5m", of(path))
			return
		}
		v.SetInt(int64(t))
	default:
		d.kind(n, v, path)
	}
}

func (d *decoder) kind(n *yaml.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Struct:
		d.fields(n, v, path)
	case reflect.Slice:
		switch single := v.Type() == oneOrMore; {
		case n.Kind == yaml.SequenceNode:
		case single && n.Kind == yaml.ScalarNode:
			v.Set(reflect.MakeSlice(oneOrMore, 1, 1))
			if d.kind(n, v.Index(0), path); v.Index(0).String() == "" {
				v.SetLen(0) // an empty text is none, as it is of a key for one text
			}
			return
		case single:
			d.Fail(n, "%sa text or a list of texts belongs here", of(path))
			return
		default:
			d.Fail(n, "%sa list belongs here", of(path))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			d.value(c, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		d.texts(n, v, path)
	case reflect.String:
		if s, ok := d.Text(n); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if n.Tag != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			d.Fail(n, "%strue or false belongs here", of(path))
		}
	case reflect.Int, reflect.Int64:
		if n.Tag != "!!int" || n.Decode(v.Addr().Interface()) != nil {
			d.Fail(n, "%sa whole number belongs here", of(path))
		}
	default:
		panic(fmt.Sprintf("strict: %s is a %s, which no file can say", path, v.Type()))
	}
}

// texts fills a map of texts, whose keys are free.
func (d *decoder) texts(n *yaml.Node, v reflect.Value, path string) {
	if v.Type() != reflect.TypeFor[map[string]string]() {
		panic(fmt.Sprintf("strict: %s is a %s, which no file can say", path, v.Type()))
	}
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "%sa map belongs here", of(path))
		return
	}
	m := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, ok := d.Text(n.Content[i])
		if !ok {
			continue
		}
		if _, twice := m[key]; twice {
			d.Fail(n.Content[i], "%sthis key stands there already", of(path))
		}
		var value string
		d.value(n.Content[i+1], reflect.ValueOf(&value).Elem(), path+"."+key)
		m[key] = value
	}
	v.Set(reflect.ValueOf(m))
}

func (d *decoder) fields(n *yaml.Node, v reflect.Value, path string) {
	known, fields := keys(v)
	nodes := make([]*yaml.Node, len(known))
	places := make([]**yaml.Node, len(known))
	for i := range nodes {
		places[i] = &nodes[i]
	}
	if !d.Fields(n, known, places...) {
		return
	}
	for i, c := range nodes {
		if c != nil {
			d.value(c, fields[i], strings.TrimPrefix(path+"."+known[i], "."))
		}
	}
}

// keys returns the keys of a struct with the fields that they stand for.
func keys(v reflect.Value) (names []string, fields []reflect.Value) {
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			names, fields = append(names, name), append(fields, v.Field(i))
		}
	}
	return names, fields
}

func of(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}
