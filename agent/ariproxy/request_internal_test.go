package ariproxy

import (
	"encoding/json"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// asterisk reads a request as Asterisk does: res/res_ari.c, ast_ari_invoke, for the path; main/http.c, get_params and ast_http_get_post_vars, for query
// and form; and the operations' own reading of a body, whose members win over the query. Of several parameters of one name the last wins, and the query
// over the form.
func asterisk(target, contentType string, body []byte) (segments []string, params map[string]string, read bool) {
	params = map[string]string{}
	path, query, asked := strings.Cut(target, "?")
	pairs := func(text string) {
		for pair := range strings.SplitSeq(text, "&") {
			name, value, _ := strings.Cut(pair, "=")
			params[legacy(name)] = legacy(value)
		}
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	if kind == "application/x-www-form-urlencoded" && len(body) > 0 {
		pairs(string(body))
	}
	if asked {
		pairs(query)
	}
	if kind == "application/json" && len(body) > 0 {
		var members map[string]any
		if json.Unmarshal(body, &members) != nil {
			return nil, nil, false
		}
		for name, v := range members {
			switch v := v.(type) {
			case string:
				params[name] = v
			case bool:
				params[name] = map[bool]string{true: "true", false: "false"}[v]
			default:
				params[name] = "\x00" // numbers, lists and objects are read as whatever the operation takes
			}
		}
	}
	rest, ok := cutFold(path, "/ari/")
	if !ok {
		return nil, nil, false
	}
	for s := range strings.SplitSeq(rest, "/") {
		if s == "" {
			break
		}
		segments = append(segments, legacy(s))
	}
	return segments, params, true
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// legacy decodes as main/utils.c, ast_uri_decode, with ast_uri_http_legacy: a plus is a space, what is no digit counts as none, and a NUL ends the text.
func legacy(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s):
			b = append(b, byte(max(0, unhex(s[i+1]))<<4|max(0, unhex(s[i+2]))))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	text, _, _ := strings.Cut(string(b), "\x00")
	return text
}

// What the door takes, Asterisk reads alike; and what is written from it is read as the same again.
func FuzzParse(f *testing.F) {
	for _, target := range []string{
		"/ari/channels", "/ari/channels/c23?x=1&y=2+3", "/ari/deviceStates/PJSIP%2F100", "/ari//channels", "/ari/a/../b", "/ari/a%00b", "/ari/a%0gb", "/ARI/a", "/ari/a?b=1&b=2",
		"/ari/events?app=a,b&api_key=u:s", "/ari/a?b", "/ari/a?%24%7BX%7D=1", "/ari/%c3%a9?x=%e2%82%ac", "/ari/a/", "/ari/a?x=a;b=c", "/ari/a?=b", "/ari/a%5cb", "/ari/a?b=c?d", "/ari/a?b=c#d",
	} {
		f.Add("GET", target, "", []byte(nil))
	}
	f.Add("POST", "/ari/channels?app=x", "application/json", []byte(`{"endpoint":"PJSIP/100","timeout":30,"variables":{"a":"b","c":{"value":"d","report_events":true}},"formats":["a","b"]}`))
	f.Add("POST", "/ari/channels?app=x", "application/json; charset=UTF-8", []byte(`{"app":"y"}`))
	f.Add("POST", "/ari/channels", "application/json", []byte(`{"a":"1","a":"2"} `))
	f.Add("POST", "/ari/channels", "Application/JSON", []byte(`{"a":"\u0000\r\n"}`))
	f.Add("POST", "/ari/channels?a=1", "application/x-www-form-urlencoded", []byte("b=2&c=%41"))
	f.Add("POST", "/ari/channels?a=1", "application/x-www-form-urlencoded", []byte("a=2"))
	f.Fuzz(func(t *testing.T, method, target, contentType string, body []byte) {
		q, bad := parseTarget(method, target)
		if bad != nil {
			return
		}
		key := q.key
		if q.readBody(contentType, body) != nil {
			return
		}
		segments, params, read := asterisk(target, contentType, body)
		if !read || !slices.Equal(q.segments, segments) {
			t.Fatalf("the path is %q, and %q (%v) in Asterisk", q.segments, segments, read)
		}
		if params[keyParam] != key {
			t.Errorf("the key is %q, and %q in Asterisk", key, params[keyParam])
		}
		delete(params, keyParam)
		if len(params) != len(q.params) {
			t.Errorf("there are %q, and %q in Asterisk", q.params, params)
		}
		for name, value := range params {
			if got, ok := q.params[name]; !ok || got != value && value != "\x00" {
				t.Errorf("%q is %q, and %q in Asterisk", name, got, value)
			}
		}
		for _, s := range append(slices.Concat(q.segments, slices.Collect(maps.Keys(q.params)), slices.Collect(maps.Values(q.params))), key) {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(s, "${") {
				t.Errorf("%q is taken", s)
			}
		}
		if slices.ContainsFunc(q.segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
			t.Errorf("the path %q is taken", q.segments)
		}
		again, bad := parseTarget(q.method, q.write())
		if bad != nil || !slices.Equal(again.segments, q.segments) || !maps.Equal(again.params, q.params) {
			t.Errorf("written again, %q is read as %+v: %v", q.write(), again, bad)
		}
	})
}

// write is a request as one in which nothing could be read in two ways.
func (q *request) write() string {
	var b strings.Builder
	b.WriteString("/" + prefix)
	for _, s := range q.segments {
		b.WriteString("/" + url.PathEscape(strings.ReplaceAll(s, "+", "\x01")))
	}
	path := strings.ReplaceAll(strings.ReplaceAll(b.String(), "%01", "%2B"), "+", "%2B")
	values := url.Values{}
	for name, value := range q.params {
		values.Set(name, value)
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

func TestABodyIsReadInOneWay(t *testing.T) {
	const asJSON, form = "application/json", "application/x-www-form-urlencoded"
	read := func(query, contentType, body string) (map[string]string, *fault) {
		q, bad := parseTarget("POST", "/ari/channels"+query)
		if bad != nil {
			t.Fatal(bad)
		}
		bad = q.readBody(contentType, []byte(body))
		return q.params, bad
	}
	for name, tc := range map[string]struct {
		query, contentType, body string
		want                     map[string]string
	}{
		"nothing":         {"?a=1", "", "", map[string]string{"a": "1"}},
		"of JSON":         {"?a=1", asJSON, `{"b":"x y","c":3,"d":true,"e":["f","g"]}`, map[string]string{"a": "1", "b": "x y", "c": "3", "d": "true", "e": "f,g"}},
		"of a form":       {"?a=1", form, "b=x+y&c=%33", map[string]string{"a": "1", "b": "x y", "c": "3"}},
		"with an object":  {"", asJSON + "; charset=UTF-8", `{"variables":{"a":"b"}}`, map[string]string{"variables": `{"a":"b"}`}},
		"an empty object": {"", asJSON, ` {} `, map[string]string{}},
	} {
		if got, bad := read(tc.query, tc.contentType, tc.body); bad != nil || !maps.Equal(got, tc.want) {
			t.Errorf("%s: %v %v", name, got, bad)
		}
	}
	for name, tc := range map[string]struct{ query, contentType, body string }{
		"a member of the query's name":    {"?a=1", asJSON, `{"a":"1"}`},
		"a field of the query's name":     {"?a=1", form, "a=1"},
		"a member twice":                  {"", asJSON, `{"a":"1","a":"1"}`},
		"a variable twice":                {"", asJSON, `{"variables":{"a":"1","a":"2"}}`},
		"null":                            {"", asJSON, `{"a":null}`},
		"not an object":                   {"", asJSON, `["a"]`},
		"more behind it":                  {"", asJSON, `{} {}`},
		"half of one":                     {"", asJSON, `{"a":"1"`},
		"a list of lists":                 {"", asJSON, `{"a":[["b"]]}`},
		"a list with a comma in an entry": {"", asJSON, `{"a":["b,c"]}`},
		"objects too deep":                {"", asJSON, `{"a":{"b":{"c":{"d":"e"}}}}`},
		"a line break":                    {"", asJSON, `{"a":"b\r\nc"}`},
		"an expression":                   {"", asJSON, `{"a":"${EPOCH}"}`},
		"no UTF-8":                        {"", asJSON, "{\"a\":\"\xff\"}"},
		"another character set":           {"", asJSON + "; charset=utf-16", `{"a":"1"}`},
		"no type":                         {"", "", `{"a":"1"}`},
		"another type":                    {"", "text/plain", `a=1`},
		"a form's field without a value":  {"", form, "a"},
		"a credential":                    {"", asJSON, `{"api_key":"a:b"}`},
		"a credential in a form":          {"", form, "api_key=a:b"},
	} {
		if got, bad := read(tc.query, tc.contentType, tc.body); bad == nil {
			t.Errorf("%s is read as %v", name, got)
		}
	}
}
