package ari

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// ListenOptions say what a Stream is to bring. The zero value is good for an application that controls its own calls.
type ListenOptions struct {
	// SubscribeAll brings the events of every channel, bridge, endpoint and device, not only of those in the
	// application.
	SubscribeAll bool
	// Disallow are the types of events that Asterisk shall not send (SetEventFilter). Events that were sent before
	// the filter was set still arrive.
	Disallow []string
	// MaxEvent is the largest event accepted, in bytes. Zero means 1 MiB.
	MaxEvent int64
	// PingInterval is how often Asterisk is asked for a sign of life, PingTimeout how long it may take. Zero means
	// 15 s and 10 s.
	PingInterval time.Duration
	PingTimeout  time.Duration
}

const (
	defaultMaxEvent     = 1 << 20
	defaultPingInterval = 15 * time.Second
	defaultPingTimeout  = 10 * time.Second
)

// Stream is the connection of one application. Next and Close belong to one goroutine each; they may be different
// ones. The events have to be read: Asterisk drops a connection whose reader stands still for long.
type Stream struct {
	conn  *websocket.Conn
	app   string
	event Event
	buf   []byte

	// patience is for how long Next has waited for the socket. A ping that has no answer proves nothing while nobody reads.
	patience patience
	latency  atomic.Int64 // what the last answer to a ping took
	pinging  atomic.Int64 // when the one that has no answer yet was sent, since patience was born; 0: none is on its way

	mu  sync.Mutex // protects err
	err error      // why the stream has ended; the first reason counts

	live   context.Context // ends when the connection is to be cut without a word
	cut    context.CancelFunc
	closed context.CancelFunc // ends the pings
	tasks  sync.WaitGroup     // the pings, a call of Next, and a farewell that goes on after it has returned
}

// farewell is how long Asterisk may take to answer a closing when a context has ended.
const farewell = 250 * time.Millisecond

// Listen registers an application with Asterisk and opens its stream (WebSocket /events). ctx bounds the opening, not
// the stream. An application of that name that somebody else has connected is taken from him; Asterisk tells him with
// ApplicationReplaced. The caller has to call Close.
func (c *Client) Listen(ctx context.Context, app string, options ListenOptions) (*Stream, error) {
	const op = "listen"
	if app == "" || strings.Contains(app, ",") { // a comma would make two applications
		return nil, &RequestError{Op: op, Err: errors.New("application name is empty or has a comma in it")}
	}
	if options.MaxEvent < 0 || options.PingInterval < 0 || options.PingTimeout < 0 {
		return nil, &RequestError{Op: op, Err: errors.New("negative limit")}
	}
	query := url.Values{"app": {app}}
	if options.SubscribeAll {
		query.Set("subscribeAll", "true")
	}
	address, err := c.address([]string{"events"}, query)
	if err != nil {
		return nil, &RequestError{Op: op, Err: err}
	}
	dialCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	sent := false
	dialCtx = httptrace.WithClientTrace(dialCtx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }})
	conn, resp, err := websocket.Dial(dialCtx, address, &websocket.DialOptions{
		HTTPClient: c.http,
		HTTPHeader: http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.username+":"+c.password))}},
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &StatusError{Op: op, Status: resp.StatusCode, Message: refusal(resp.Body)}
		}
		return nil, &RequestError{Op: op, Sent: sent, Err: withoutURL(err)}
	}
	conn.SetReadLimit(orDefault(options.MaxEvent, defaultMaxEvent))
	if len(options.Disallow) > 0 {
		if err := c.SetEventFilter(ctx, app, options.Disallow...); err != nil {
			_ = conn.CloseNow() // the reason to give is err
			return nil, err
		}
	}
	s := &Stream{conn: conn, app: app, patience: patience{born: time.Now()}}
	s.live, s.cut = context.WithCancel(context.Background())
	pingCtx, closed := context.WithCancel(s.live)
	s.closed = closed
	s.tasks.Go(func() {
		s.ping(pingCtx, orDefault(options.PingInterval, defaultPingInterval), orDefault(options.PingTimeout, defaultPingTimeout))
	})
	return s, nil
}

func orDefault[T ~int64](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// Next waits for the next event. The Event and what it points to are valid until the next call; its strings for ever.
//
// A *DecodeError is about one event alone: the stream goes on, but whoever keeps a state by it should take a new
// snapshot. Every other error ends the stream and is given again by each later call: ErrReplaced when somebody has taken the
// application, ErrClosed after Close, ErrTooLarge for an event over the limit, ctx's error. When ctx ends during the call, the
// stream ends with it, because half an event may have been read.
func (s *Stream) Next(ctx context.Context) (*Event, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.leave(ctx.Err()) })
	defer func() {
		if stop() {
			s.tasks.Done() // leave will not
		}
	}()
	s.patience.begins()
	err := s.read()
	s.patience.ends()
	if err != nil {
		return nil, s.end(err)
	}
	if err := s.event.Decode(string(s.buf)); err != nil {
		return nil, err
	}
	if s.event.Type == TypeApplicationReplaced && s.event.Application == s.app {
		return nil, s.end(ErrReplaced)
	}
	return &s.event, nil
}

// enter counts a call of Next among the tasks, unless the stream has ended. Both happen under the lock, so that Close,
// which ends the stream first, waits for every call that was let in.
func (s *Stream) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.tasks.Add(1)
	}
	return s.err
}

// leave ends the stream because a context has ended. The connection is closed as the protocol wants it, since Asterisk
// logs a warning otherwise, but nobody waits long for that.
func (s *Stream) leave(err error) {
	defer s.tasks.Done()
	_ = s.end(err)
	timer := time.AfterFunc(farewell, s.cut)
	defer timer.Stop()
	_ = s.conn.Close(websocket.StatusNormalClosure, "") // whatever comes of it, it is closed
}

// read gets one message into s.buf.
func (s *Stream) read() error {
	_, r, err := s.conn.Reader(s.live)
	if err != nil {
		return streamError(err)
	}
	s.buf = s.buf[:0]
	for {
		if len(s.buf) == cap(s.buf) {
			s.buf = append(s.buf, make([]byte, max(4096, cap(s.buf)))...)[:len(s.buf)]
		}
		n, err := r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return streamError(err)
		}
	}
}

func streamError(err error) error {
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return fmt.Errorf("ari: events: %w", ErrTooLarge)
	}
	return fmt.Errorf("ari: events: %w", err)
}

// end notes why the stream has ended and gives the first reason.
func (s *Stream) end(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	return s.err
}

// Err gives the error that has ended the stream, nil while it goes on. It is safe for concurrent use.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the stream and with it the application's registration, and waits until nothing of it runs any more: at
// once, or some seconds if Asterisk has died without anybody having noticed. Next gives ErrClosed then. Calling it again does nothing.
func (s *Stream) Close() {
	_ = s.end(ErrClosed)
	s.closed()
	_ = s.conn.Close(websocket.StatusNormalClosure, "") // whatever comes of it, it is closed
	s.cut()
	s.tasks.Wait()
}
