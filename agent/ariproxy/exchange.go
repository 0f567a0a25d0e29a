package ariproxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// exchange is one request while it is answered.
type exchange struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	q      *request   // nil where it could not be read
	row    *operation // nil while it is not known, and of what is none
	vars   []string   // what stands in the path in the places of parameters
	client *client    // nil while nobody has proven himself
	status int        // of the answer; 0 while there is none
	code   string     // of what was refused
	claims []*claim   // of what it makes
	known  *estate    // the client's, once it has been looked for and was there
}

// who is the subject; nobody where none is needed.
func (x *exchange) who() auth.Subject { return x.client.subject }

// ServeHTTP answers one request. Every road ends in one answer and one count.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Server: s, w: w, r: r}
	h := w.Header()
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	defer x.finish()
	if err := x.serve(); err != nil {
		x.refuse(asFault(err), err)
	}
}

// serve answers, or says why not. A credential is looked at although the request cannot be read, so that the record has whose it was.
func (x *exchange) serve() error {
	q, unreadable := parseTarget(x.r.Method, x.r.RequestURI)
	key := ""
	if q != nil {
		x.q, key = q, q.key
	}
	if unreadable != nil && len(x.r.Header["Authorization"]) == 0 {
		return unreadable
	}
	origin, may := x.isOrigin(x.r)
	if !may {
		return faultOrigin
	}
	if origin != "" {
		h := x.w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Vary", "Origin")
		if unreadable == nil && isPreflight(x.r) {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
			h.Set("Access-Control-Allow-Headers", pageHeaders)
			return x.answer(http.StatusNoContent, nil)
		}
	}
	c, err := x.authenticate(x.r, key)
	if c != nil {
		x.client = c
		if !x.proves(x.r.Context(), c.share, x.most(c)) {
			x.w.Header().Set("Connection", "close")
		}
		if !c.share.requests.Allow() {
			return faultTooMany
		}
	}
	switch {
	case err != nil:
		return err
	case unreadable != nil:
		return unreadable
	}
	if f := q.takeBody(x.r); f != nil {
		return f
	}
	if q.segments[0] == docsSegment {
		return x.describe()
	}
	return x.operate()
}

// pageHeaders are those that a page of another host may send.
const pageHeaders = "Authorization, Content-Type, Range, " + namesEmployee + ", " + reasonHeader

// isPreflight reports whether a browser asks on its own whether a page's request may be sent. It has no credential of the page's with it, and so it is
// answered before one is looked at, alike for all paths.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) == 1
}

// operate answers what is an operation of the table.
func (x *exchange) operate() error {
	at, vars, f := x.tree.find(x.q.segments)
	if f != nil {
		return f
	}
	x.vars = vars
	if x.row = at.rows[x.q.method]; x.row == nil {
		x.w.Header().Set("Allow", at.allow())
		if x.q.method == http.MethodOptions {
			return x.answer(http.StatusNoContent, nil)
		}
		return faultNoMethod
	}
	switch x.row.kind {
	case answered, streamed, acting, command:
	case refused:
		return &fault{faultForbidden.status, faultForbidden.words + ": " + x.row.why, faultForbidden.code}
	}
	if !x.row.unnamed && !x.who().Known() {
		return faultUnnamed
	}
	if x.row.kind == streamed {
		return x.events()
	}
	if x.row.kind >= acting {
		if f := x.row.check(x.q, x.vars); f != nil {
			return f
		}
		if len(x.r.Header[reasonHeader]) > 1 {
			return faultReason
		}
	}
	if x.row.kind == command && x.cfg.Command != nil && !x.cfg.Command(x.who()) {
		return faultTooMany
	}
	return x.row.do(x)
}

// answer writes an answer in JSON; nil is none.
func (x *exchange) answer(status int, body []byte) error {
	if body != nil {
		x.w.Header().Set("Content-Type", "application/json")
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.status = status
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // fails for a client that has gone
	return nil
}

// recorded are the faults that are somebody's attempt at what is not his, or that nobody makes by chance, and are written down: not that something is not
// there (any more), or not now.
func (f *fault) recorded() bool {
	switch f.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		return true
	}
	return f == faultNotFound || f == faultForeign || f == faultNotYourChannel || f == faultNotYourBridge
}

// refuse answers what is not done, and has the record say so of who has proven himself.
func (x *exchange) refuse(f *fault, err error) {
	x.code = f.code
	switch f.status {
	case http.StatusUnauthorized:
		x.w.Header().Set("WWW-Authenticate", realm)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		x.w.Header().Set("Retry-After", "1")
	case http.StatusUpgradeRequired:
		x.w.Header().Set("Upgrade", "websocket")
		x.w.Header().Set("Connection", "Upgrade")
	case http.StatusInternalServerError:
		x.log.Error().Err(err).Msg("an ARI request met a fault")
	}
	var p *gate.Problem
	if x.client != nil && f.recorded() && !(errors.As(err, &p) && p.ID != "") { // which the gate has recorded itself
		x.note(x.client, x.row.label(), f.code)
	}
	_ = x.answer(f.status, f.message())
}

// note has the record say that the door has refused something.
func (s *Server) note(c *client, operation, code string) {
	s.cfg.Gate.RefusedAtDoor(c.subject, gate.DoorRefusal{Door: doorName, Action: inTheRecord.Replace(operation), Code: code, Panel: c.panel})
}

// inTheRecord makes a code of what an operation is called, which the record does not take otherwise: POST:/channels/channelId/snoop.
var inTheRecord = strings.NewReplacer(" ", ":", "{", "", "}", "")

// finish counts and logs a request, and turns a fault of ours into a 500. It writes no path, no query and nothing that the client made up.
func (x *exchange) finish() {
	releaseAll(x.claims)
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			panic(v)
		}
		what := fmt.Sprintf("%T", v) // the value may hold anything; faults of the runtime hold indices and types
		if e, ok := v.(runtime.Error); ok {
			what = e.Error()
		}
		x.log.Error().Str("panic", what).Bytes("stack", debug.Stack()).Msg("an ARI request met a fault of Earshot's own")
		if x.status != 0 {
			panic(http.ErrAbortHandler)
		}
		x.refuse(faultInternal, errors.New("panic"))
	}
	x.met.requests.WithLabelValues(x.row.label(), strconv.Itoa(x.status)).Inc()
	line := x.log.Debug()
	if x.client == nil && x.code != "" {
		line = x.log.Info().Str("remote", remote(x.r))
	}
	if x.client != nil {
		line = line.Str("who", x.client.name()).Str("subject", x.who().Employee())
	}
	if x.code != "" {
		line = line.Str("code", x.code)
	}
	line.Str("operation", x.row.label()).Int("status", x.status).Msg("ARI request")
}

// remote is the address of a client without its port, by which something in front can shut out one who guesses.
func remote(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return from.Addr().Unmap().WithZone("").String()
}

// hostOf are scheme and host of an origin, the host with its port.
func hostOf(origin string) (scheme, host string, ok bool) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return "", "", false
	}
	return u.Scheme, u.Host, true
}

// here is the address under which the door was asked; false when it could not be one.
func (x *exchange) here() (string, bool) {
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	host := x.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, c := range host {
		if (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (c < '0' || '9' < c) && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' && c != '_' {
			return "", false
		}
	}
	return scheme + "://" + x.r.Host + "/" + prefix, host != ""
}
