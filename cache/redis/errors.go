package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
)

// trouble is what an error of the client means: the state it puts the cache into and a fixed phrase for people.
type trouble struct {
	state  cache.State
	reason string
	before bool // the request was refused, or never left: nothing was written
}

// answers are the errors by which Redis refuses, by what they contain: through a script it stands in front or further back, by version.
var answers = []struct {
	text string
	trouble
}{
	{"OOM command not allowed", trouble{cache.Refusing, "out of memory", true}},
	{"READONLY ", trouble{cache.Refusing, "read-only replica", true}},
	{"MISCONF ", trouble{cache.Refusing, "cannot save to its disk", true}},
	{"NOREPLICAS ", trouble{cache.Refusing, "too few replicas", true}},
	{"NOAUTH ", trouble{cache.Away, "credentials refused", true}},
	{"WRONGPASS ", trouble{cache.Away, "credentials refused", true}},
	{"invalid password", trouble{cache.Away, "credentials refused", true}},
	{"without any password configured", trouble{cache.Away, "credentials refused", true}},
	{"NOPERM ", trouble{cache.Away, "the account lacks a right", true}},
	{"LOADING ", trouble{cache.Away, "loading its data", true}},
	{"BUSY ", trouble{cache.Away, "busy with a script", true}},
	{"MASTERDOWN ", trouble{cache.Away, "its master is down", true}},
	{"CLUSTERDOWN ", trouble{cache.Away, "the cluster is down", true}},
	{"max number of clients reached", trouble{cache.Away, "too many clients", true}},
}

func diagnose(err error) trouble {
	var answer goredis.Error
	if errors.As(err, &answer) {
		for _, a := range answers {
			if strings.Contains(err.Error(), a.text) {
				return a.trouble
			}
		}
		return trouble{cache.Away, "unexpected answer", false}
	}
	var dial *net.OpError
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.Is(err, errSecret):
		return trouble{cache.Away, "its secret file cannot be read", true}
	case errors.As(err, &cert), errors.As(err, &unknown):
		return trouble{cache.Away, "its certificate is not trusted", true}
	case errors.Is(err, goredis.ErrPoolTimeout):
		return trouble{cache.Away, "timeout", true}
	case errors.As(err, &dial) && dial.Op == "dial":
		return trouble{cache.Away, "unreachable", true}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return trouble{cache.Away, "timeout", false}
	}
	return trouble{cache.Away, "unreachable", false}
}

// writeError is the error of a write that the Redis or the way to it failed. It does not repeat what the client said, which may hold
// keys and addresses.
func writeError(op string, err error) error {
	for _, known := range []error{cache.ErrClosed, cache.ErrReplaced, cache.ErrFull, cache.ErrDeleted, errNotConnected} {
		if errors.Is(err, known) {
			return &cache.WriteError{Op: op, Err: err}
		}
	}
	t := diagnose(err)
	e := &cache.WriteError{Op: op, MayBeDone: !t.before, Err: &causeError{cache.ErrAway, t.reason, nil}}
	switch {
	case t.state == cache.Refusing:
		e.Err = &causeError{cache.ErrFull, t.reason, nil}
	case errors.Is(err, context.Canceled):
		e.Err = &causeError{cache.ErrAway, "given up", context.Canceled}
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = &causeError{cache.ErrAway, t.reason, context.DeadlineExceeded}
	}
	return e
}

// causeError is a known error with a phrase, and the context's error if that ended it.
type causeError struct {
	known  error
	reason string
	ctx    error
}

func (e *causeError) Error() string { return e.known.Error() + ": " + e.reason }

func (e *causeError) Unwrap() []error {
	if e.ctx == nil {
		return []error{e.known}
	}
	return []error{e.known, e.ctx}
}

var errNotConnected = &causeError{cache.ErrAway, "not connected yet", nil}
