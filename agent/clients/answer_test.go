package clients_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/agent/clients"
)

// The oracle reads the answer by encoding/json into maps: a client is found only where that finds a yes, and whoever is responsible or has
// access stands there to the letter.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		answerVera, `{"found": false}`, `{"found": 1, "manager": 99, "team": [1, "a", null]}`, "\ufeff{\"found\":[0],\"name\":\"\\u0410\"}", `{"found":{},"manager":"x"}`,
		`{"found": "true"}`, `{"a":{"found":true}}`, `[{"found":true}]`, `{"found":null}`, `{"found":0.0,"team":{}}`, `{"found":1e400,"manager":1e2}`,
	} {
		f.Add([]byte(s))
	}
	fields := plain().Fields
	f.Fuzz(func(t *testing.T, data []byte) {
		c, found, err := clients.ReadAnswer(fields, data)
		if err != nil || !found {
			if found || c.Name != "" || c.Responsible != "" || c.Access != nil {
				t.Fatalf("%v, and it says something", err)
			}
			if err != nil && len(data) > 8 && strings.Contains(err.Error(), string(data)) {
				t.Fatal("the error repeats the answer")
			}
			return
		}
		if len(c.Name) > 256 || !utf8.ValidString(c.Name) || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("name %q", c.Name)
		}
		text := strings.TrimPrefix(string(data), "\ufeff")
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if keys(t, text) != len(v) {
			return // with a key twice which counts is another question
		}
		switch x := v["found"].(type) {
		case bool:
			if !x {
				t.Fatal("found by a false")
			}
		case json.Number:
			if strings.Trim(string(x), "-0.") == "" {
				t.Fatal("found by a zero")
			}
		case []any:
			if len(x) == 0 {
				t.Fatal("found by an empty list")
			}
		case map[string]any:
			if len(x) == 0 {
				t.Fatal("found by an empty map")
			}
		default:
			t.Fatalf("found by a %T", x)
		}
		if c.Responsible != "" && c.Responsible != strings.TrimSpace(fmt.Sprint(v["manager"])) {
			t.Fatalf("responsible %q, and the answer has %v", c.Responsible, v["manager"])
		}
		team, ok := v["team"].([]any)
		if !ok {
			team = []any{v["team"]}
		}
		for _, id := range c.Access {
			if !slices.ContainsFunc(team, func(x any) bool { return strings.TrimSpace(fmt.Sprint(x)) == id }) {
				t.Fatalf("%q has access, and the answer has %v", id, team)
			}
		}
	})
}

// keys counts the keys of the outer map, as often as they stand there.
func keys(t *testing.T, text string) int {
	d := json.NewDecoder(strings.NewReader(text))
	depth, n, key := 0, 0, false
	for {
		token, err := d.Token()
		if err != nil {
			return n
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			key = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if depth == 1 && key {
				n++
				key = false
				continue
			}
		}
		if depth == 1 {
			key = true
		}
	}
}

// The oracle: what is taken has exactly one token, that of the body as url and encoding/json read it, and asks to forget numbers or
// everything but never both; a form never names a number.
func FuzzWebhook(f *testing.F) {
	f.Add(true, event("ONCRMCONTACTUPDATE", "82", "t0ken"))
	f.Add(true, "event=x&auth%5Bapplication_token%5D=a")
	f.Add(false, `{"token": "t0ken", "numbers": ["+79161234567"]}`)
	f.Add(false, `{"token": "t0ken", "all": true}`)
	f.Fuzz(func(t *testing.T, isForm bool, body string) {
		contentType := js
		if isForm {
			contentType = form
		}
		token, numbers, all, err := clients.ParseHook(contentType, []byte(body))
		if err != nil {
			if token != "" || numbers != nil || all {
				t.Fatal("what is refused says something")
			}
			return
		}
		if all && len(numbers) > 0 {
			t.Fatal("both")
		}
		if isForm {
			v, err := url.ParseQuery(body)
			if err != nil || len(numbers) > 0 || len(v["event"]) != 1 || !slices.Equal(v["auth[application_token]"], []string{token}) {
				t.Fatalf("token %q of %v, %v", token, v, err)
			}
			if all && (v.Get("data[FIELDS][ID]") == "" || !strings.HasPrefix(strings.ToUpper(v.Get("event")), "ONCRM")) {
				t.Fatalf("all is forgotten by %q", v.Get("event"))
			}
			return
		}
		var v struct {
			Token   string
			Numbers []string
			All     bool
		}
		if err := json.Unmarshal([]byte(body), &v); err != nil || v.Token != token || v.All != all || !slices.Equal(v.Numbers, numbers) || !all && len(numbers) == 0 {
			t.Fatalf("%+v, %v", v, err)
		}
	})
}
