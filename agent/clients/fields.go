package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Fields say where in a JSON answer things stand: the keys on the way, with dots between; a number is the place in a list, from 0, and
// # is the length of a list at the end of a path, or each of its elements within it ("result.#.ID"). A dot in a key is written \. .
type Fields struct {
	// Found is there in every proper answer, and says whether the client is known: true, a number but 0, a list or a map with something in
	// it; not known: false, 0, null, an empty list or map.
	Found       string `yaml:"found"`
	Name        string `yaml:"name"`
	Responsible string `yaml:"responsible"` // an id: a text or a whole number; null or empty: nobody
	Access      string `yaml:"access"`      // an id or a list of them
}

// step is what may stand between two dots of a path. The rest of what the library knows (queries, modifiers, wildcards) would let a
// misspelling mean something.
var step = regexp.MustCompile(`^(?:#|(?:[^\\.#@!*?|(){}\[\]<>=~%,"']|\\\.)+)$`)

func checkPath(path string) error {
	for s := range strings.SplitSeq(strings.ReplaceAll(path, `\.`, "\\\uE000"), ".") {
		if !step.MatchString(strings.ReplaceAll(s, "\uE000", ".")) {
			return errors.New("keys with dots between belong here, such as client.name or result.0.NAME")
		}
	}
	return nil
}

// Why an answer is none. None of them repeats it.
var (
	errNotJSON   = errors.New("the answer is not JSON in UTF-8")
	errNoFound   = errors.New("fields.found is not in the answer, or says neither yes nor no")
	errBadName   = errors.New("fields.name is no text in the answer")
	errBadPerson = errors.New("fields.responsible is no id in the answer")
	errBadAccess = errors.New("fields.access is no list of ids in the answer")
)

// read reads an answer. A client who is found in it has no number yet.
func (f *Fields) read(data []byte, people mapping) (c Client, found bool, err error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // 1C writes one
	// Valid bounds the depth, and what follows reads only what is valid.
	if !utf8.Valid(data) || !json.Valid(data) {
		return Client{}, false, errNotJSON
	}
	get := func(path string) gjson.Result {
		if path == "" {
			return gjson.Result{}
		}
		return gjson.GetBytes(data, path)
	}
	found, ok := truth(get(f.Found))
	if !ok {
		return Client{}, false, errNoFound
	}
	if !found {
		return Client{}, false, nil
	}
	name, responsible := get(f.Name), get(f.Responsible)
	if name.Type != gjson.Null && name.Type != gjson.String {
		return Client{}, false, errBadName
	}
	c.Name = tidy(name.Str)
	id, ok := personID(responsible)
	if !ok {
		return Client{}, false, errBadPerson
	}
	c.Responsible = people.employee(id)
	if c.Access, ok = accessOf(get(f.Access), people, c.Responsible); !ok {
		return Client{}, false, errBadAccess
	}
	return c, true, nil
}

// truth is what a value says about whether there is a client; ok is false when it says nothing.
func truth(r gjson.Result) (found, ok bool) {
	switch {
	case !r.Exists() || r.Type == gjson.String: // "false" is neither
		return false, false
	case r.IsArray() || r.IsObject():
		r.ForEach(func(_, _ gjson.Result) bool { found = true; return false })
		return found, true
	case r.Type == gjson.Number:
		return r.Num != 0, true
	default:
		return r.Type == gjson.True, true
	}
}

// personID is an id, which foreign systems write as a text or as a whole number.
func personID(r gjson.Result) (string, bool) {
	switch {
	case r.Type == gjson.Null: // or not there
		return "", true
	case r.Type == gjson.String:
		return r.Str, len(r.Str) <= maxText
	case r.Type == gjson.Number && len(r.Raw) <= 20 && strings.Trim(r.Raw, "0123456789") == "":
		return r.Raw, true
	default:
		return "", false
	}
}

func accessOf(r gjson.Result, people mapping, responsible string) (ids []string, ok bool) {
	ok = true
	add := func(_, v gjson.Result) bool {
		var foreign string
		if foreign, ok = personID(v); !ok {
			return false
		}
		if id := people.employee(foreign); id != "" {
			ids = addAccess(ids, id, responsible)
		}
		ok = len(ids) <= maxAccess
		return ok
	}
	switch {
	case r.IsObject():
		return nil, false
	case r.IsArray():
		r.ForEach(add)
	default:
		add(gjson.Result{}, r)
	}
	if !ok {
		return nil, false
	}
	return ids, true
}

// tidy makes a foreign text one that may be a name: control characters become spaces, and what is too long is cut.
func tidy(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(s) > maxText {
		cut := maxText
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = strings.TrimRight(s[:cut], " ")
	}
	return strings.Clone(s)
}
