package ariproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a body's objects may be in each other: the parameters, one of them, and a variable with its options.
const maxDepth = 3

// takeBody reads a request's body and takes in its parameters. Asterisk reads those of JSON and of forms, has JSON win over the query and the query win
// over a form, and passes over bodies of other types; here a parameter has one place, and a body a type.
func (q *request) takeBody(r *http.Request) *fault {
	if r.ContentLength == 0 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return faultBody
	case len(body) > maxBody:
		return faultTooLarge
	case len(r.Header["Content-Type"]) > 1 || len(r.Header["Content-Encoding"]) > 0:
		return faultBody
	}
	return q.readBody(r.Header.Get("Content-Type"), body)
}

func (q *request) readBody(contentType string, body []byte) *fault {
	if len(body) == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	if err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return faultBody
	}
	switch kind {
	case "application/json":
		return q.readJSON(body)
	case "application/x-www-form-urlencoded":
		if f := q.readPairs(string(body)); f != nil {
			return faultBody
		}
	default:
		return faultBody
	}
	return q.withoutKey()
}

// withoutKey refuses a credential in a body, where Asterisk takes it in forms alone.
func (q *request) withoutKey() *fault {
	if _, ok := q.params[keyParam]; ok {
		return faultBody
	}
	return nil
}

// readJSON reads a body that is one object of parameters.
func (q *request) readJSON(body []byte) *fault {
	if !utf8.Valid(body) {
		return faultBody
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	o := object{d}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return faultBody
	}
	names := map[string]bool{}
	for d.More() {
		name, err := o.name(names)
		if err != nil {
			return faultBody
		}
		value, err := o.value(1)
		if err != nil {
			return faultBody
		}
		if f := q.add(name, value); f != nil {
			return f
		}
	}
	if _, err := d.Token(); err != nil {
		return faultBody
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return faultBody
	}
	return q.withoutKey()
}

// object reads JSON strictly: no name twice, no control characters, nothing that is null.
type object struct{ *json.Decoder }

var errForm = errors.New("not the form of a parameter")

func (o object) name(seen map[string]bool) (string, error) {
	t, err := o.Token()
	name, ok := t.(string)
	if err != nil || !ok || name == "" || seen[name] || !isText(name) {
		return "", errForm
	}
	seen[name] = true
	return name, nil
}

// value is what a parameter is in a query: the text of a text, number or truth, and several of them with commas between. Another object is JSON, of texts,
// and so is a list of such objects.
func (o object) value(depth int) (text string, err error) {
	t, err := o.Token()
	if err != nil {
		return "", errForm
	}
	v, ok := t.(json.Delim)
	switch {
	case !ok:
		return plain(t)
	case depth >= maxDepth:
		return "", errForm
	case v == '[':
		return o.list()
	}
	return o.inner(depth)
}

// plain is a value that is no list and no object.
func plain(t json.Token) (string, error) {
	switch v := t.(type) {
	case string:
		if isText(v) {
			return v, nil
		}
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", errForm
}

func (o object) list() (string, error) {
	var texts, objects []string
	for o.More() {
		t, err := o.Token()
		if err != nil {
			return "", errForm
		}
		var entry string
		if t == json.Delim('{') {
			entry, err = o.inner(maxDepth - 1)
			objects = append(objects, entry)
		} else {
			entry, err = plain(t)
			texts = append(texts, entry)
		}
		if err != nil || entry == "" || len(texts) > 0 && (len(objects) > 0 || strings.Contains(entry, ",")) {
			return "", errForm
		}
	}
	_, err := o.Token()
	if len(objects) > 0 {
		return "[" + strings.Join(objects, ",") + "]", err
	}
	return strings.Join(texts, ","), err
}

func (o object) inner(depth int) (string, error) {
	all, seen := map[string]string{}, map[string]bool{}
	for o.More() {
		name, err := o.name(seen)
		if err != nil {
			return "", err
		}
		if all[name], err = o.value(depth + 1); err != nil {
			return "", err
		}
	}
	if _, err := o.Token(); err != nil {
		return "", errForm
	}
	text, err := json.Marshal(all)
	return string(text), err
}
