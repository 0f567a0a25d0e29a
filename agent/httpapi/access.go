package httpapi

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// exchange is one request and its answer: what is logged and counted of it, once, when it is over.
type exchange struct {
	http.ResponseWriter
	id      string // names the request in the log
	route   string // the pattern that it matched
	began   time.Time
	status  int
	bytes   int64
	remote  string // the address that it comes from
	subject string
	panel   string // that asks for the subject
	crm     string // that has proven itself, as the configuration names it
	problem *Problem
	ended   string // why a stream ended
	sent    uint64 // messages that a stream sent

	taken bool // the connection was hijacked
	mute  bool // takes the answer's status and drops the rest: see refused
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	if x.mute {
		return
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (x *exchange) Write(p []byte) (int, error) {
	if x.mute {
		return len(p), nil
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.bytes += int64(n)
	return n, err
}

// Hijack hands the connection over, as to a WebSocket.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h, ok := x.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, rw, err := h.Hijack()
	x.taken = err == nil
	return conn, rw, err
}

// Unwrap serves http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// fail answers with a problem and keeps it for the log.
func (x *exchange) fail(p *Problem) {
	x.note(p)
	p.write(x)
}

// note keeps a problem for the log and gives it the request's id where there is no audit record that tells more.
func (x *exchange) note(p *Problem) {
	if p.ID == "" && p.Status >= http.StatusInternalServerError {
		p.ID = x.id
	}
	x.problem = p
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, id: requestID(), began: time.Now(), remote: s.address(r)}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	defer s.finish(x, r)
	defer s.recover(x)

	r = s.negotiate(h, r)
	match, pattern := s.mux.Handler(r)
	_, x.route, _ = strings.Cut(pattern, " ")
	switch {
	case path.Clean(r.URL.Path) != r.URL.Path:
		x.route = "" // the router would send the client elsewhere, query and all
		x.fail(ofStatus(http.StatusNotFound))
	case pattern == "":
		x.unmatched(match, r)
	default:
		s.mux.ServeHTTP(x, r)
	}
}

// unmatched answers where no route is: the router's own handler knows whether the path or the method is at fault.
func (x *exchange) unmatched(router http.Handler, r *http.Request) {
	x.mute = true
	router.ServeHTTP(x, r)
	status := x.status
	if status != http.StatusMethodNotAllowed {
		status = http.StatusNotFound
	}
	x.refused(status)
}

// refused writes a problem in the place of an answer that was made elsewhere and muted.
func (x *exchange) refused(status int) {
	x.mute, x.status = false, 0
	x.fail(ofStatus(status))
}

// recover turns a fault of ours into a 500. Where the answer has begun, the connection is broken instead, so that nobody takes half an answer
// for a whole one.
func (s *Server) recover(x *exchange) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(v)
	}
	s.met.panics.Inc()
	// The value may hold anything, so only its kind is logged, but for faults of the runtime, which hold indices and types.
	what := fmt.Sprintf("%T", v)
	if e, ok := v.(runtime.Error); ok {
		what = e.Error()
	}
	s.log.Error().Str("request", x.id).Str("panic", what).Bytes("stack", debug.Stack()).Msg("a request met a fault of Earshot's own")
	p := internal(nil)
	x.note(p)
	x.mute = false
	if x.status != 0 || x.taken {
		panic(http.ErrAbortHandler)
	}
	p.write(x)
}

// finish writes the one log line of a request and counts it. It holds no path, no query and nothing that the client made up.
func (s *Server) finish(x *exchange, r *http.Request) {
	took := time.Since(x.began)
	route := x.route
	if route == "" {
		route = "none"
	}
	s.met.requests.WithLabelValues(route, method(r.Method), strconv.Itoa(x.status)).Inc()
	if !x.taken {
		s.met.duration.WithLabelValues(route).Observe(took.Seconds())
	}
	line := s.log.Info()
	switch {
	case x.status == http.StatusServiceUnavailable:
		line = s.log.Warn()
	case x.status >= http.StatusInternalServerError:
		line = s.log.Error()
	}
	line = line.Str("request", x.id).Str("route", route).Str("method", method(r.Method)).Int("status", x.status).
		Dur("took", took).Int64("bytes", x.bytes).Str("remote", x.remote)
	if x.subject != "" {
		line = line.Str("subject", x.subject)
	}
	if x.panel != "" {
		line = line.Str("panel", x.panel)
	}
	if x.crm != "" {
		line = line.Str("crm", x.crm)
	}
	if x.ended != "" {
		line = line.Str("ended", x.ended).Uint64("messages", x.sent)
	}
	if p := x.problem; p != nil {
		line = line.Str("code", p.Code)
		if p.ID != "" && p.ID != x.id {
			line = line.Str("id", p.ID)
		}
		if p.cause != nil {
			line = line.AnErr("cause", p.cause)
		}
	}
	line.Msg("http")
}

// query refuses parameters that a route does not take, and takes each once. The door's routes take few, and a credential is never one.
func query(u *url.URL, takes ...string) *Problem {
	if u.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return ofStatus(http.StatusBadRequest)
	}
	for name, v := range values {
		if !contains(takes, name) {
			return newProblem(http.StatusBadRequest, "unknown_parameter",
				"The address has a parameter that is not taken here. A token belongs in the header Authorization, never in an address.")
		}
		if len(v) > 1 {
			return newProblem(http.StatusBadRequest, "duplicate_parameter", "The address has a parameter twice.")
		}
	}
	return nil
}

// requestID makes an id for one log line.
func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
