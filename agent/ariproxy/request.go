package ariproxy

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// The bounds of a request.
const (
	maxTarget   = 4 << 10  // bytes of path and query, as Asterisk has them
	maxBody     = 16 << 10 // bytes of a body; Asterisk takes 40 KiB
	maxSegments = 8        // of a path; Asterisk's longest has six
	maxParams   = 32
)

// prefix is what all paths begin with. Asterisk takes it in any case.
const prefix = "ari"

// keyParam is the parameter that may hold the credential, as user:secret.
const keyParam = "api_key"

// request is what a client asks for, after the one parse: whatever is decided about it is decided by this and by nothing else.
//
// The parse is narrower than Asterisk's. What it takes, Asterisk reads alike; what Asterisk reads in a way of its own (an empty segment that ends the
// path, an escape that it makes a NUL of, the last of two parameters, a body's beside the query's) is refused.
type request struct {
	method   string            // in capitals
	segments []string          // of the path behind the prefix, decoded
	params   map[string]string // of the query and of the body, decoded; a body's member that is itself an object is in it as JSON
	key      string            // the credential of the query; empty for none
}

// parseTarget reads method, path and query.
func parseTarget(method, target string) (*request, *fault) {
	q := &request{method: method, params: map[string]string{}}
	if method == "" || strings.ToUpper(method) != method {
		return nil, faultMethod
	}
	if len(target) > maxTarget {
		return nil, faultTarget
	}
	path, query, asked := strings.Cut(target, "?")
	if f := q.readPath(path); f != nil {
		return nil, f
	}
	if asked {
		if f := q.readPairs(query); f != nil {
			return nil, f
		}
	}
	q.key = q.params[keyParam]
	if _, ok := q.params[keyParam]; ok && q.key == "" {
		return nil, faultQuery
	}
	delete(q.params, keyParam)
	return q, nil
}

func (q *request) readPath(path string) *fault {
	raw, ok := strings.CutPrefix(path, "/"+prefix+"/")
	if !ok {
		return faultNotFound
	}
	segments := strings.Split(raw, "/")
	if len(segments) > maxSegments {
		return faultNotFound
	}
	for _, s := range segments {
		text, ok := unescape(s, false)
		if !ok || text == "" || text == "." || text == ".." || strings.ContainsAny(text, `\%`) {
			return faultPath
		}
		q.segments = append(q.segments, text)
	}
	return nil
}

// readPairs reads a query, or a form.
func (q *request) readPairs(query string) *fault {
	for _, pair := range strings.Split(query, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return faultQuery
		}
		name, fine := unescape(name, true)
		value, fine2 := unescape(value, true)
		if !fine || !fine2 {
			return faultQuery
		}
		if f := q.add(name, value); f != nil {
			return f
		}
	}
	return nil
}

// add takes in a parameter, each once, wherever it comes from.
func (q *request) add(name, value string) *fault {
	if name == "" || len(q.params) == maxParams {
		return faultQuery
	}
	if _, twice := q.params[name]; twice {
		return faultTwice
	}
	q.params[name] = value
	return nil
}

// unescape decodes what a client has escaped, strictly: every escape is whole, and what comes out is text without control characters, and without what
// begins an expression in the dialplan. In a query a plus is a space; in a path Asterisk reads it so too, and others do not, so it is none there.
func unescape(s string, query bool) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b.WriteByte(byte(high<<4 | low)) //nolint:gosec // both are below 16
			i += 2
		case c == '+' && query:
			b.WriteByte(' ')
		case c == '+', c == '#', c == '"', c == '<', c == '>', c <= ' ', c >= 0x7f:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), isText(b.String())
}

// isText reports whether s is one that may be anywhere.
func isText(s string) bool {
	if !utf8.ValidString(s) || strings.Contains(s, "${") || strings.Contains(s, "$[") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 })
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}

// isUpgrade reports whether a request asks for a WebSocket (RFC 6455, section 4.2.1).
func isUpgrade(h http.Header) bool {
	return hasToken(h["Connection"], "upgrade") && hasToken(h["Upgrade"], "websocket")
}

// hasToken reports whether a header that is a list has an entry, in any case.
func hasToken(values []string, token string) bool {
	for _, entry := range list(values) {
		if strings.EqualFold(entry, token) {
			return true
		}
	}
	return false
}

// list are the entries of a header that is one.
func list(values []string) (all []string) {
	for _, v := range values {
		for entry := range strings.SplitSeq(v, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				all = append(all, entry)
			}
		}
	}
	return all
}
