package ami

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Secret is a manager user's secret. Printing, logging or marshalling it gives "[secret]".
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Config says how to connect and what to do with events. Only Addr and Username have to be set.
type Config struct {
	Addr     string // host:port, such as "127.0.0.1:5038"
	Username string // the section in manager.conf
	Secret   Secret

	// TLS, when not nil, makes the connection a TLS one. ServerName is taken from Addr when empty.
	TLS *tls.Config

	// DialContext, when not nil, opens the connection instead of a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// PlainLogin sends the secret as it is instead of answering an MD5 challenge. For use with TLS, where Asterisk's MD5
	// is not wanted.
	PlainLogin bool

	// Events is the event mask of the log-in: "on", "off" or classes such as "call,agent". Empty means "on" when OnEvent
	// is set and "off" otherwise.
	Events string

	// OnEvent gets every event after the log-in, one by one and in order, except the rows of lists. It runs on the
	// client's reading goroutine: nothing is read while it runs, so it must be quick, and it must not call Do, List or
	// Close of the client. The message is valid during the call. An error ends the connection with this error as cause.
	OnEvent func(*Message) error

	Limits  Limits // what is taken in
	MaxRows int    // rows of one list; default 100,000
	MaxList int    // bytes of all of them together; default 64 MiB

	LoginTimeout time.Duration // for all of Dial; default 10 s
	WriteTimeout time.Duration // for sending one action; default 5 s
	PingInterval time.Duration // default 15 s
	// The peer counts as gone when it has not answered a ping for PingTimeout, the time in OnEvent left out, or when nothing came at all for PingInterval and
	// PingTimeout; default 10 s. It runs actions one after the other, so the time begins anew with each answer and each row of a list that arrives in between, and an
	// action that blocks there (Originate without "Async: true", WaitEvent) must take less than PingTimeout.
	PingTimeout time.Duration

	// For Run: the pause before the second and later attempts grows from RetryMin (default 250 ms) to RetryMax (default
	// 5 s), each time with up to half of it added or taken away; after ErrAuth it is RetryAuth (default 30 s).
	RetryMin, RetryMax, RetryAuth time.Duration

	// OnDown, when not nil, is told by Run of every attempt that did not work and every connection that was lost, with the
	// cause and the pause before the next attempt.
	OnDown func(cause error, retry time.Duration)
}

// maxActionLine and maxActionFields are what Asterisk takes in one action. A line of exactly 1,023 bytes loses its LF,
// which then ends the message, and the fields after it are run as an action of their own (main/manager.c, get_input);
// AST_MAX_MANHEADERS is 128.
const (
	maxActionLine   = 1022
	maxActionFields = 128
)

// withDefaults fills in what is zero, after looking for what cannot be meant.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Addr == "" && c.DialContext == nil {
		errs = append(errs, errors.New("no Addr"))
	}
	if c.Username == "" {
		errs = append(errs, errors.New("no Username"))
	}
	if c.MaxRows < 0 {
		errs = append(errs, errors.New("MaxRows is negative"))
	}
	if c.MaxList < 0 {
		errs = append(errs, errors.New("MaxList is negative"))
	}
	if c.MaxRows == 0 {
		c.MaxRows = 100_000
	}
	if c.MaxList == 0 {
		c.MaxList = 64 << 20
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"LoginTimeout", &c.LoginTimeout, 10 * time.Second},
		{"WriteTimeout", &c.WriteTimeout, 5 * time.Second},
		{"PingInterval", &c.PingInterval, 15 * time.Second},
		{"PingTimeout", &c.PingTimeout, 10 * time.Second},
		{"RetryMin", &c.RetryMin, 250 * time.Millisecond},
		{"RetryMax", &c.RetryMax, 5 * time.Second},
		{"RetryAuth", &c.RetryAuth, 30 * time.Second},
	} {
		if *d.v < 0 {
			errs = append(errs, fmt.Errorf("%s is negative", d.name))
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if c.Events == "" {
		c.Events = "off"
		if c.OnEvent != nil {
			c.Events = "on"
		}
	}
	if c.OnEvent == nil {
		c.OnEvent = func(*Message) error { return nil }
	}
	c.RetryMax = max(c.RetryMax, c.RetryMin)
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("ami: configuration: %w", err)
	}
	return c, nil
}
