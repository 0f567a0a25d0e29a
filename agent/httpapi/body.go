package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxBody is how many bytes a body may have.
const maxBody = 64 << 10

// body is a JSON object that a request brings. It is read strictly, by what is written in T alone: encoding/json by itself would take a
// member in any case, the last of two, and whatever it does not know. What is wrong is kept until the handler can say it.
type body[T any] struct {
	value   T
	problem *Problem
}

// Schema describes T: to a client there is no wrapper.
func (body[T]) Schema(r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// read takes the body in.
func (b *body[T]) read(data []byte) { b.problem = decode(data, &b.value) }

// formats is how huma reads and writes. Reading never fails for huma: body keeps the reason, so that every answer has one form.
var formats = func() map[string]huma.Format {
	f := huma.Format{
		Marshal: func(w io.Writer, v any) error {
			out, err := json.Marshal(v)
			if err != nil {
				return err
			}
			// An error of writing means that the client has gone, which huma would take for a fault of ours and panic.
			_, _ = w.Write(append(out, '\n'))
			return nil
		},
		Unmarshal: func(data []byte, v any) error {
			b, ok := v.(interface{ read([]byte) })
			if !ok {
				return errors.New("a body that is not read strictly")
			}
			b.read(data)
			return nil
		},
	}
	return map[string]huma.Format{"application/json": f, "json": f}
}()

// decode reads one JSON object into the struct that dst points to.
func decode(data []byte, dst any) *Problem {
	bad := func(code, detail string) *Problem { return newProblem(http.StatusBadRequest, code, detail) }
	if !utf8.Valid(data) {
		return bad("malformed_json", "The body is not UTF-8.")
	}
	known := members(reflect.TypeOf(dst).Elem())
	takes := "This request takes " + strings.Join(known, ", ") + "."
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return bad("malformed_json", "The body must be one JSON object. "+takes)
	}
	seen := make(map[string]bool, len(known))
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return bad("malformed_json", "The body is not well-formed JSON.")
		}
		if !contains(known, name) {
			return bad("unknown_member", "The body has a member that is not known here. "+takes)
		}
		if seen[name] {
			return bad("duplicate_member", "The body has "+name+" twice.")
		}
		seen[name] = true
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return bad("malformed_json", "The body is not well-formed JSON.")
		}
	}
	if _, err := dec.Token(); err != nil {
		return bad("malformed_json", "The body is not well-formed JSON.")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("malformed_json", "The body must be one JSON object and nothing after it.")
	}
	// The names are checked, so what encoding/json would take beyond them is not there.
	if err := json.Unmarshal(data, dst); err != nil {
		var own *Problem
		if errors.As(err, &own) {
			return own
		}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return bad("wrong_type", wrong.Field+" must be a "+wrong.Type.String()+".") // names of ours, nothing of the client's
		}
		return bad("malformed_json", "The body is not well-formed JSON.")
	}
	return nil
}

// members lists the names that a struct has in JSON.
func members(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// takeBody reads a request's body into memory, so that nothing after it waits for the client.
func takeBody(r *http.Request, limit int64) *Problem {
	if p := mediaType(r.Header); p != nil {
		return p
	}
	data, p := readBody(r, limit)
	switch {
	case p != nil:
		return p
	case len(data) == 0:
		return newProblem(http.StatusBadRequest, "no_body", "This request takes one JSON object as its body.")
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}

func readBody(r *http.Request, limit int64) ([]byte, *Problem) {
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, ofStatus(http.StatusRequestTimeout)
	case err != nil:
		return nil, ofStatus(http.StatusBadRequest) // the client broke off
	case int64(len(data)) > limit:
		return nil, ofStatus(http.StatusRequestEntityTooLarge)
	}
	return data, nil
}

// mediaType checks how a body comes. Asking for application/json also keeps a page of another host from sending one without a CORS
// preflight, which is never answered.
func mediaType(h http.Header) *Problem {
	t, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || t != "application/json" || charset != "" && charset != "utf-8" || h.Get("Content-Encoding") != "" {
		return ofStatus(http.StatusUnsupportedMediaType)
	}
	return nil
}
