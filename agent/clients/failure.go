package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
)

// kind is why a foreign system gave no answer. It is a label of the metrics too.
type kind string

const (
	kindTimeout   kind = "timeout"
	kindConnect   kind = "connect"
	kindTLS       kind = "tls"
	kindRedirect  kind = "redirect"
	kindStatus    kind = "status"
	kindType      kind = "content_type"
	kindSize      kind = "size"
	kindMalformed kind = "malformed"
	kindBroken    kind = "broken_off"
	kindOpen      kind = "breaker_open"
	kindCache     kind = "cache"
	kindStopped   kind = "stopped"
)

// kinds are all of them.
var kinds = []kind{kindTimeout, kindConnect, kindTLS, kindRedirect, kindStatus, kindType, kindSize, kindMalformed, kindBroken, kindOpen, kindCache, kindStopped}

// failure is why a look-up failed. What net/http says has the address in it, and so the number; a failure repeats neither, nor what
// was answered.
type failure struct {
	kind   kind
	detail string
}

func (f *failure) Error() string { return f.detail }

func fail(k kind, format string, args ...any) *failure {
	return &failure{k, fmt.Sprintf(format, args...)}
}

// errRedirect stops the client at a redirect that is not followed.
var errRedirect = errors.New("redirect")

// transportFailure makes a failure of what net/http returned.
func transportFailure(err error) *failure {
	var (
		known     *failure
		dns       *net.DNSError
		op        *net.OpError
		errno     syscall.Errno
		untrusted *tls.CertificateVerificationError
		alert     tls.AlertError
		record    tls.RecordHeaderError
		host      x509.HostnameError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, errRedirect):
		return fail(kindRedirect, "it answers with a redirect elsewhere; configure the address itself")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fail(kindTimeout, "it did not answer in time")
	case errors.Is(err, context.Canceled):
		return fail(kindStopped, "the look-up was called off")
	case errors.As(err, &host):
		return fail(kindTLS, "its certificate is for another host")
	case errors.As(err, &untrusted):
		return fail(kindTLS, "its certificate is not one to be trusted; ca_file names the authority of an own one")
	case errors.As(err, &alert), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fail(kindTLS, "it does not speak the TLS that is needed")
	case errors.As(err, &dns):
		return fail(kindConnect, "the name of its host is not known")
	case errors.As(err, &op) && op.Op == "dial" && errors.As(err, &errno):
		return fail(kindConnect, "no connection to it: %v", errno)
	case errors.As(err, &op) && op.Op == "dial":
		return fail(kindConnect, "no connection to it")
	default:
		return fail(kindBroken, "the answer broke off")
	}
}
