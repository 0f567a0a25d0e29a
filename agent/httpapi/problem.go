package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/eventstream"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// Problem is the body of every answer that is not a success: RFC 9457, application/problem+json.
type Problem struct {
	Type     string          `json:"type" doc:"urn:earshot:problem: and the code"`
	Title    string          `json:"title" doc:"The status in words"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail" doc:"What is wrong and what to do about it, in a fixed sentence"`
	Code     string          `json:"code" doc:"A fixed word that programs branch on; agent/httpapi/README.md lists them. Of requests about another PBX: other_pbx (409), nothing was done, since the call is on a PBX on which the subject has no phone; other_pbx_unreachable (503), nothing was done and nothing will be; outcome_unknown (503), nobody knows whether it was done, so look at the board and at the lists of what runs before you ask again. After timeout (503) too it may still be done"`
	Rule     string          `json:"rule,omitempty" doc:"The rule of the policy that refused, file:line; only where it follows from subject and target alone"`
	Errors   []gate.BadEntry `json:"errors,omitempty" nullable:"false" doc:"Of a list, the first entries that cannot be taken"`
	Mistakes []gate.Mistake  `json:"mistakes,omitempty" nullable:"false" doc:"Of a policy, what is wrong with it as it would be"`
	ID       string          `json:"id,omitempty" doc:"Id of the audit record, or of the log line where nothing was recorded; quote it to the administrator"`

	header http.Header
	cause  error // for the log
}

// Error gives the code, and the cause for the log.
func (p *Problem) Error() string {
	if p.cause != nil {
		return p.Code + ": " + p.cause.Error()
	}
	return p.Code
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus and GetHeaders are what huma asks an error for.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders gives the headers that belong to the answer.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is the media type for a body that would be the given one otherwise (RFC 9457, section 3).
func (p *Problem) ContentType(string) string { return problemType }

const (
	problemType = "application/problem+json"
	urn         = "urn:earshot:problem:"
	retryAfter  = "2" // seconds: about what a reconnect to the PBX takes
)

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
)

func newProblem(status int, code, detail string) *Problem {
	p := &Problem{Type: urn + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
	switch status {
	case http.StatusUnauthorized:
		p.header = http.Header{"Www-Authenticate": {`Bearer realm="earshot"`}}
	case http.StatusServiceUnavailable:
		p.header = http.Header{"Retry-After": {retryAfter}}
	}
	return p
}

// statuses is the one table from the gate's kinds to what HTTP says.
var statuses = map[gate.Kind]int{
	gate.Internal:    http.StatusInternalServerError,
	gate.Invalid:     http.StatusUnprocessableEntity,
	gate.Refused:     http.StatusForbidden,
	gate.NotFound:    http.StatusNotFound,
	gate.Conflict:    http.StatusConflict,
	gate.Unavailable: http.StatusServiceUnavailable,

	gate.Outdated:      http.StatusPreconditionFailed,
	gate.Unconditional: http.StatusPreconditionRequired,
}

// asProblem is the answer for an error of the gate.
func asProblem(err error) *Problem {
	var own *Problem
	var known *gate.Problem
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, gate.CutShutdown), errors.Is(err, eventstream.ErrClosed):
		return newProblem(http.StatusServiceUnavailable, "stopping", "Earshot is stopping; try again shortly.")
	case errors.Is(err, eventstream.ErrFull):
		return tooManyStreams()
	case errors.As(err, &known) && !known.MayBeDone(): // it says itself what came of it, though that be for want of time
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p := newProblem(http.StatusServiceUnavailable, "timeout", "It took too long and may still be done; look again shortly.")
		if p.cause = err; known != nil {
			p.ID = known.ID
		}
		return p
	}
	g := gate.AsProblem(err)
	status, ok := statuses[g.Kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	p := newProblem(status, g.Code, g.Text)
	p.Rule, p.ID, p.cause = g.Rule, g.ID, g.Unwrap()
	var mistakes gate.Mistakes
	if errors.As(g, &mistakes) {
		p.Mistakes = mistakes
	}
	return p
}

// The problems that arise at the door itself.

// unauthenticated is the same for a credential that is missing, malformed, unknown, withdrawn or expired.
func unauthenticated() *Problem {
	return newProblem(http.StatusUnauthorized, "unauthenticated", "Send a valid token in the header Authorization: Bearer TOKEN; with a panel's token, and only with one, "+
		namesEmployee+": the id of an employee for whom it may ask.")
}

// tooManyRequests is the answer to a subject that has asked too often.
func tooManyRequests(wait time.Duration) *Problem {
	return limitedFor(wait, "too_many_requests", "You have asked too often; try again after the time that Retry-After says.")
}

// tooManyFailures is the answer to an address; the credential was not looked at.
func tooManyFailures(wait time.Duration) *Problem {
	return limitedFor(wait, "too_many_failures", "Too many credentials from your address were not valid; try again after the time that Retry-After says.")
}

// tooManyStreams is the answer to a subject that has as many event streams as may be. Nobody can say when one of them ends.
func tooManyStreams() *Problem {
	return limitedFor(streamsAgain, "too_many_streams", "As many of your event streams are open as may be; close one, or try again later.")
}

const streamsAgain = 10 * time.Second

// crowdedOut is the answer on a connection that was closed, to make room, before who asks had proven himself on it.
func crowdedOut() *Problem {
	return newProblem(http.StatusServiceUnavailable, "crowded_out", "The connection was closed, since too many strangers have one; nothing was done, so ask again.")
}

func limitedFor(wait time.Duration, code, detail string) *Problem {
	p := newProblem(http.StatusTooManyRequests, code, detail)
	p.header = http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))}}
	return p
}

func authUnavailable(cause error) *Problem {
	p := newProblem(http.StatusServiceUnavailable, "auth_unavailable", "Credentials cannot be checked now; try again shortly.")
	p.cause = cause
	return p
}

func internal(cause error) *Problem {
	p := newProblem(http.StatusInternalServerError, "internal", "Something went wrong inside Earshot; the log has it.")
	p.cause = cause
	return p
}

// ofStatus is the answer where only the status is known: from huma, from net/http's router, from the WebSocket handshake.
func ofStatus(status int) *Problem {
	switch status {
	case http.StatusBadRequest:
		return newProblem(status, "malformed_request", "The request could not be read. Where a body is taken it is one JSON object; /openapi.json describes it.")
	case http.StatusForbidden:
		return newProblem(status, "foreign_origin", "Pages of another host may not open the event stream; the administrator can allow that host.")
	case http.StatusNotFound:
		return newProblem(status, "no_such_path", "There is nothing at this path; /openapi.json lists what there is.")
	case http.StatusMethodNotAllowed:
		return newProblem(status, "method_not_allowed", "This path does not take that method; the header Allow lists those it takes.")
	case http.StatusRequestTimeout:
		return newProblem(status, "body_timeout", "The body did not arrive in time.")
	case http.StatusRequestEntityTooLarge:
		p := newProblem(status, "body_too_large", "The body is too large; a list of clients may have 4 MiB, and no other request needs more than a few hundred bytes.")
		p.header = http.Header{"Connection": {"close"}} // what is left of it is not read
		return p
	case http.StatusUnsupportedMediaType:
		return newProblem(status, "unsupported_media_type", "Send the body as Content-Type: application/json, in UTF-8 and not compressed.")
	case http.StatusUnprocessableEntity:
		return newProblem(status, "invalid_request", "The request makes no sense; /openapi.json describes what is taken.")
	case http.StatusUpgradeRequired:
		return newProblem(status, "websocket_required", "This path is a WebSocket: connect with a WebSocket client (RFC 6455) over HTTP/1.1.")
	case http.StatusInternalServerError:
		return internal(nil)
	}
	return newProblem(status, "http_error", "The request could not be served.")
}

// place says which parameter huma could not take. It has the name from the operation and the value from the client, of which the value is not told.
func (p *Problem) place(errs []*huma.ErrorDetail) {
	if p.Status != http.StatusUnprocessableEntity || len(errs) == 0 {
		return
	}
	if name, ok := strings.CutPrefix(errs[0].Location, "query."); ok {
		p.Detail = "The query parameter " + name + " is missing or has a value that is not taken; /openapi.json describes it."
	}
}

// write sends the problem where no part of huma does.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Content-Type", problemType)
	h.Del("Content-Length")
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"code":"internal"}`) // cannot be: a Problem is strings and a number
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // who has gone away needs no answer
}
