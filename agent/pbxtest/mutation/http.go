package mutation

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// Request is one over HTTP.
type Request struct {
	Method, Target string
	Headers        []string // without Host and Content-Length
	Body           string
}

// Bytes are those of the request, with what makes it whole.
func (q Request) Bytes() string {
	var b strings.Builder
	b.WriteString(q.Method + " " + q.Target + " HTTP/1.1" + lineEnd + "Host: earshot" + lineEnd)
	for _, h := range q.Headers {
		b.WriteString(h + lineEnd)
	}
	if q.Body != "" {
		b.WriteString("Content-Length: " + strconv.Itoa(len(q.Body)) + lineEnd)
	}
	return b.String() + lineEnd + q.Body
}

// HTTP are mutants of a request: every one of every kind. Its credential stays the same; [Credentials] are mutants of that.
func HTTP(q Request) []Mutant {
	l := &list{}
	l.line(q)
	path, query, asked := strings.Cut(q.Target, "?")
	l.path(q, path, query, asked)
	if asked {
		l.query(q, path, strings.Split(query, "&"))
	}
	l.headers(q)
	if q.Body != "" {
		l.body(q)
	}
	l.framing(q)
	return l.all
}

// as adds a mutant with another target.
func (l *list) as(kind string, q Request, target string) {
	q.Target = target
	l.add(kind, q.Bytes())
}

// line are those of the request line.
func (l *list) line(q Request) {
	other := q
	for _, m := range []string{strings.ToLower(q.Method), "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} {
		other.Method = m
		l.add("another method", other.Bytes())
	}
	l.as("absolute", q, "http://earshot"+q.Target)
	l.as("absolute", q, "http://other"+q.Target)
	for _, between := range []string{"  ", "\t", "\r", "\x00"} {
		l.add("request line", strings.Replace(q.Bytes(), " "+q.Target, between+q.Target, 1))
		l.add("request line", strings.Replace(q.Bytes(), q.Target+" ", q.Target+between, 1))
	}
	l.add("request line", strings.Replace(q.Bytes(), "HTTP/1.1", "HTTP/1.0", 1))
	l.add("request line", strings.Replace(q.Bytes(), " HTTP/1.1", "", 1))
	for _, h := range []string{"X-HTTP-Method-Override: DELETE", "X-Original-URL: /ari/channels", "X-Forwarded-For: 127.0.0.1", "X-Earshot-Employee: olga", "Expect: 100-continue"} {
		other := q
		other.Headers = append(append([]string{}, q.Headers...), h)
		l.add("a header more", other.Bytes())
	}
}

// path are those of the path.
func (l *list) path(q Request, path, query string, asked bool) {
	with := func(kind, p string) {
		if asked {
			p += "?" + query
		}
		l.as(kind, q, p)
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if i == 0 {
			continue
		}
		put := func(kind, text string) {
			with(kind, strings.Join(append(append(append([]string{}, segments[:i]...), text), segments[i+1:]...), "/"))
		}
		put("case of the path", strings.ToUpper(s))
		put("case of the path", swapped(s))
		if s == "" {
			continue
		}
		for _, text := range []string{"/" + s, s + "/", "./" + s, "../" + s, s + "/.", s + ";x=1", s + "%2F", "%2e%2e/" + s, s + "#"} {
			put("path", text)
		}
		for _, text := range []string{"%20" + s, s + "%20", s + "+", s + "%09", " " + s} {
			put("white space in the path", text)
		}
		for _, j := range places(s) {
			l.escapes(put, s, j)
		}
		put("full width", url.PathEscape(wideDigits(s)))
	}
}

// escapes are ways to write one byte of a text that is escaped by percents.
func (l *list) escapes(put func(kind, text string), s string, i int) {
	if s == "" || s[i] == '%' {
		return
	}
	c := s[i]
	put("percent", at(s, i, percent(c)))
	put("percent", at(s, i, strings.ToLower(percent(c))))
	put("double percent", at(s, i, "%25"+percent(c)[1:]))
	put("unicode escape", at(s, i, "%u00"+percent(c)[1:]))
	put("unicode escape", at(s, i, unicode(c)))
	put("overlong", at(s, i, url.QueryEscape(overlong(c))))
	put("overlong", at(s, i, overlong(c)))
	put("full width", at(s, i, url.QueryEscape(wide(string(rune(c&0x7f))))))
	put("full width", at(s, i, wide(string(rune(c&0x7f)))))
	put("NUL", before(s, i, "%00"))
	put("NUL", before(s, i, "\x00"))
	put("CR LF", before(s, i, "%0D%0A"))
	put("CR LF", before(s, i, "%0a"))
	put("CR LF", before(s, i, "\r"))
	put("invisible", before(s, i, "%E2%80%8B"))
	put("plus", before(s, i, "+"))
}

// query are those of the parameters.
func (l *list) query(q Request, path string, pairs []string) {
	with := func(kind string, pairs []string) { l.as(kind, q, path+"?"+strings.Join(pairs, "&")) }
	with("order", reversed(pairs))
	l.as("separators", q, path+"?"+strings.Join(pairs, ";"))
	l.as("separators", q, path+"?"+strings.Join(pairs, "&&"))
	l.as("separators", q, path+"?"+strings.Join(pairs, "&")+"&")
	l.as("separators", q, path+"??"+strings.Join(pairs, "&"))
	l.as("separators", q, path+"%3F"+strings.Join(pairs, "&"))
	members, form := map[string]string{}, []string{}
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		put := func(kind, text string) {
			with(kind, append(append(append([]string{}, pairs[:i]...), text), pairs[i+1:]...))
		}
		put("case of a name", strings.ToUpper(name)+"="+value)
		put("case of a name", swapped(name)+"="+value)
		put("case of a value", name+"="+strings.ToUpper(value))
		put("case of a value", name+"="+strings.ToLower(value))
		for _, v := range []string{"%20" + value, value + "%20", value + "+", "%09" + value, value + "%09"} {
			put("white space", name+"="+v)
		}
		put("white space", name+"%20="+value)
		for _, twice := range []string{pair, name + "=", name, name + "=x", strings.ToUpper(name) + "=" + value, name + "[]=" + value} {
			with("a parameter twice", append(append([]string{}, pairs...), twice))
			with("a parameter twice", append([]string{twice}, pairs...))
		}
		for _, j := range places(value) {
			l.escapes(func(kind, text string) { put(kind, name+"="+text) }, value, j)
		}
		for _, j := range places(name) {
			l.escapes(func(kind, text string) { put(kind, text+"="+value) }, name, j)
		}
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = value
		}
		members[name] = plain
		form = append(form, pair)
	}
	text, _ := json.Marshal(members) // of texts
	moved := Request{Method: q.Method, Target: path, Headers: append(append([]string{}, q.Headers...), "Content-Type: application/json"), Body: string(text)}
	if q.Body == "" {
		l.add("into a body", moved.Bytes())
		l.object(moved)
		both := moved
		both.Target = q.Target
		l.add("a parameter twice", both.Bytes())
		moved.Headers[len(moved.Headers)-1], moved.Body = "Content-Type: application/x-www-form-urlencoded", strings.Join(form, "&")
		l.add("into a body", moved.Bytes())
		both.Headers, both.Body = moved.Headers, moved.Body
		l.add("a parameter twice", both.Bytes())
	}
}

// headers are those of the headers.
func (l *list) headers(q Request) {
	for i, h := range q.Headers {
		name, value, _ := strings.Cut(h, ": ")
		put := func(kind, text string) {
			other := q
			other.Headers = append(append(append([]string{}, q.Headers[:i]...), text), q.Headers[i+1:]...)
			l.add(kind, other.Bytes())
		}
		put("case of a header", strings.ToUpper(name)+": "+value)
		put("case of a header", swapped(name)+": "+value)
		for _, text := range []string{name + ":" + value, name + ":   " + value, name + ": " + value + "  ", name + ":\t" + value + "\t"} {
			put("white space in a header", text)
		}
		for _, text := range []string{name + " : " + value, " " + name + ": " + value, name + ":" + lineEnd + " " + value} {
			put("folded", text)
		}
		if !strings.EqualFold(name, "Authorization") {
			put("a header twice", h+lineEnd+h)
			put("case of a value", name+": "+strings.ToUpper(value))
		} else {
			put("a header twice", h+lineEnd+h)
		}
	}
	other := q
	other.Headers = reversed(q.Headers)
	l.add("order", other.Bytes())
	l.add("line ends", strings.Replace(q.Bytes(), lineEnd, "\n", 1))
	l.add("line ends", lineEnd+q.Bytes())
	l.add("a header twice", strings.Replace(q.Bytes(), "Host: earshot", "Host: earshot"+lineEnd+"Host: other", 1))
}

// framing are those that differ in where the body ends.
func (l *list) framing(q Request) {
	head, _, _ := strings.Cut(q.Bytes(), lineEnd+lineEnd)
	size := "Content-Length: " + strconv.Itoa(len(q.Body))
	bare := strings.Replace(head, lineEnd+size, "", 1)
	chunked := strconv.FormatInt(int64(len(q.Body)), 16) + lineEnd + q.Body + lineEnd + "0" + lineEnd + lineEnd
	if q.Body == "" {
		chunked = "0" + lineEnd + lineEnd
	}
	end := lineEnd + lineEnd
	l.add("framing", bare+lineEnd+"Transfer-Encoding: chunked"+end+chunked)
	l.add("framing", bare+lineEnd+"Transfer-Encoding: chunked"+lineEnd+size+end+chunked)
	l.add("framing", bare+lineEnd+"Transfer-Encoding: identity"+lineEnd+size+end+q.Body)
	l.add("framing", bare+lineEnd+"Transfer-Encoding : chunked"+lineEnd+size+end+q.Body)
	l.add("framing", bare+lineEnd+size+lineEnd+size+end+q.Body)
	l.add("framing", bare+lineEnd+size+lineEnd+"Content-Length: 1"+end+q.Body)
	l.add("framing", bare+lineEnd+"Content-Length: +"+strconv.Itoa(len(q.Body))+end+q.Body)
	l.add("framing", bare+lineEnd+"Content-Length: 0"+end+q.Body)
	l.add("framing", bare+lineEnd+size+lineEnd+"Content-Encoding: gzip"+end+q.Body)
}

// Credentials are mutants of a request's header Authorization, by the base64 of its secret where it has one.
func Credentials(q Request) []Mutant {
	l := &list{}
	for i, h := range q.Headers {
		value, ok := strings.CutPrefix(h, "Authorization: ")
		scheme, secret, _ := strings.Cut(value, " ")
		if !ok {
			continue
		}
		put := func(kind, scheme, between, secret string) {
			other := q
			other.Headers = append(append(append([]string{}, q.Headers[:i]...), "Authorization: "+scheme+between+secret), q.Headers[i+1:]...)
			l.add(kind, other.Bytes())
		}
		put("case of the scheme", strings.ToUpper(scheme), " ", secret)
		put("case of the scheme", strings.ToLower(scheme), " ", secret)
		put("white space in the credential", scheme, "  ", secret)
		put("white space in the credential", scheme, "\t", secret)
		put("white space in the credential", scheme, " ", secret+" x")
		put("another scheme", "Digest", " ", secret)
		put("case of the secret", scheme, " ", swapped(secret))
		put("full width", scheme, " ", wideDigits(secret))
		put("percent", scheme, " ", percent(secret[0])+secret[1:])
		put("NUL", scheme, " ", secret+"\x00")
		plain, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			continue
		}
		text := string(plain)
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			put("base64", scheme, " ", e.EncodeToString(plain))
			put("base64", scheme, " ", e.EncodeToString(append([]byte("\xef\xbb\xbf"), plain...)))
		}
		put("base64", scheme, " ", secret+"=")
		put("base64", scheme, " ", secret[:4]+lineEnd+" "+secret[4:])
		put("base64", scheme, " ", secret[:4]+"\r"+secret[4:])
		put("base64 of another text", scheme, " ", base64.StdEncoding.EncodeToString([]byte(swapped(text))))
		put("base64 of another text", scheme, " ", base64.StdEncoding.EncodeToString([]byte(text+"\x00")))
		put("base64 of another text", scheme, " ", base64.StdEncoding.EncodeToString([]byte(text+"\n")))
		put("base64 of another text", scheme, " ", base64.StdEncoding.EncodeToString([]byte(" "+text)))
		put("base64 of another text", scheme, " ", base64.StdEncoding.EncodeToString([]byte(strings.Replace(text, ":", ":olga:", 1))))
		put("base64 of another text", scheme, " ", base64.StdEncoding.EncodeToString([]byte("olga"+text[strings.Index(text, ":"):])))
	}
	return l.all
}
