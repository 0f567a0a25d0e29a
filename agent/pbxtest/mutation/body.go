package mutation

import (
	"bytes"
	"encoding/json"
	"strings"
)

// member is one of a JSON object, its value as it is written.
type member struct{ name, value string }

// members are those of an object, in their order; none where it is no object.
func members(text string) (all []member) {
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil
		}
		all = append(all, member{name, string(bytes.TrimSpace(value))})
	}
	return all
}

// write writes an object.
func write(all []member) string {
	var parts []string
	for _, m := range all {
		parts = append(parts, quote(m.name)+":"+m.value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a text
	return string(b)
}

// body are those of a body.
func (l *list) body(q Request) {
	with := func(kind, text string) {
		other := q
		other.Body = text
		l.add(kind, other.Bytes())
	}
	with("around the body", " \t\r\n"+q.Body+" \r\n")
	with("around the body", "\ufeff"+q.Body)
	with("around the body", q.Body+"\x00")
	with("around the body", q.Body+q.Body)
	with("around the body", "["+q.Body+"]")
	with("around the body", strings.ReplaceAll(q.Body, `"`, `'`))
	with("around the body", "\v"+q.Body)
	l.object(q)
}

// object are those of a body's members.
func (l *list) object(q Request) {
	all := members(q.Body)
	with := func(kind, text string) {
		other := q
		other.Body = text
		l.add(kind, other.Bytes())
	}
	with("order", write(reversed(all)))
	for i, m := range all {
		put := func(kind string, to ...member) {
			with(kind, write(append(append(append([]member{}, all[:i]...), to...), all[i+1:]...)))
		}
		raw := func(kind, name, value string) { // as it is written, name with its quotes
			with(kind, strings.Replace(write(all), quote(m.name)+":"+m.value, name+":"+value, 1))
		}
		put("case of a name", member{strings.ToUpper(m.name), m.value})
		put("case of a name", member{swapped(m.name), m.value})
		put("case of a name", member{strings.Replace(m.name, "s", "ſ", 1), m.value}) // which encoding/json folds to s
		put("case of a name", member{strings.Replace(m.name, "k", "\u212a", 1), m.value})
		put("white space", member{m.name + " ", m.value})
		raw("white space", " "+quote(m.name)+" ", "\t"+m.value+"\r\n")
		put("a member twice", m, m)
		put("a member twice", m, member{strings.ToUpper(m.name), m.value})
		put("a member twice", m, member{m.name, "null"})
		put("a member twice", member{m.name, `""`}, m)
		put("a member more", m, member{"X", `"1"`})
		put("a member more", m, member{"__proto__", `{"target":"bob"}`})
		put("another type", member{m.name, "[" + m.value + "]"})
		put("another type", member{m.name, `{"a":` + m.value + "}"})
		put("another type", member{m.name, "null"})
		put("another type", member{m.name, "true"})
		put("another type", member{m.name, "1"})
		l.text(raw, put, m)
	}
}

// text are those of a member's name and of its value, where that is a text.
func (l *list) text(raw func(kind, name, value string), put func(kind string, to ...member), m member) {
	for _, i := range places(m.name) {
		if m.name != "" {
			raw("unicode escape", `"`+at(m.name, i, unicode(m.name[i]))+`"`, m.value)
			raw("overlong", `"`+at(m.name, i, overlong(m.name[i]))+`"`, m.value)
			raw("NUL", `"`+before(m.name, i, `\u0000`)+`"`, m.value)
		}
	}
	var value string
	if json.Unmarshal([]byte(m.value), &value) != nil {
		return
	}
	name := quote(m.name)
	put("case of a value", member{m.name, quote(strings.ToUpper(value))})
	put("case of a value", member{m.name, quote(swapped(value))})
	for _, v := range []string{" " + value, value + " ", "\t" + value, value + "\t", value + "\r\n", value + "\n", "\u00a0" + value} {
		put("white space", member{m.name, quote(v)})
	}
	put("full width", member{m.name, quote(wideDigits(value))})
	put("full width", member{m.name, quote(wide(value))})
	put("two values", member{m.name, quote(value + "," + value)})
	if value == "" || strings.ContainsAny(value, `"\`) {
		return
	}
	for _, i := range places(value) {
		c := value[i]
		raw("unicode escape", name, `"`+at(value, i, unicode(c))+`"`)
		raw("unicode escape", name, `"`+at(value, i, strings.ToUpper(unicode(c)))+`"`)
		raw("unicode escape", name, `"`+before(value, i, `\ud800`)+`"`)
		raw("overlong", name, `"`+at(value, i, overlong(c))+`"`)
		raw("percent", name, `"`+at(value, i, percent(c))+`"`)
		raw("double percent", name, `"`+at(value, i, "%25"+percent(c)[1:])+`"`)
		raw("NUL", name, `"`+before(value, i, `\u0000`)+`"`)
		raw("NUL", name, `"`+before(value, i, "\x00")+`"`)
		raw("CR LF", name, `"`+before(value, i, `\r\n`)+`"`)
		raw("CR LF", name, `"`+before(value, i, "\r\n")+`"`)
		raw("plus", name, `"`+before(value, i, "+")+`"`)
		raw("plus", name, `"`+before(value, i, "%20")+`"`)
		raw("invisible", name, `"`+before(value, i, "\u200b")+`"`)
	}
}
