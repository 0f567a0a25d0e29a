package ami

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Session is one client's connection to a [Server]. Its methods are safe for concurrent use.
//
// What it writes is generated, from messages that the application made: [Message.AppendTo] refuses what would read as
// something else, and of what the client sent nothing is written but its ActionID, in the answers to that action.
type Session struct {
	srv    *Server
	conn   net.Conn
	raw    net.Conn // below TLS: closing that one waits for nothing
	secure bool
	ctx    context.Context
	cancel context.CancelCauseFunc
	out    *outbox

	place place // with the server's limits; guarded by the server's lock

	username  string // set before loggedIn, like the next
	principal any
	challenge string // owned by the reading goroutine
	loggedIn  atomic.Bool
	mask      atomic.Uint32
	filters   atomic.Pointer[filterSet] // changed by the reading goroutine alone
	looked    filterClock               // owned by the writing goroutine

	once    sync.Once
	err     error     // why it ended; set before ended is closed, like the next
	last    time.Time // until when what waits may be written
	ended   chan struct{}
	drained chan struct{} // closed when nothing more is written
	done    chan struct{} // closed when the connection is closed and the handler is back
}

// Principal returns what the [Authenticator] gave for this client.
func (s *Session) Principal() any { return s.principal }

// Username returns the name as the client gave it when it logged in.
func (s *Session) Username() string { return s.username }

// Addr returns the client's address.
func (s *Session) Addr() net.Addr { return s.conn.RemoteAddr() }

// Secure reports whether the connection is a TLS one.
func (s *Session) Secure() bool { return s.secure }

// Queued returns the bytes that wait to be written, what was sent at a time counted with a little for its place in the queue.
func (s *Session) Queued() int { return s.out.queued() }

// Done is closed when the session is over: the connection is closed and its handler has returned.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended, and nil as long as it has not: io.EOF when the client went, [ErrLogoff], [ErrAuth],
// [ErrLoginTime], [ErrCrowded], [ErrSlow], [ErrFilters], [ErrServerClosed], [ErrFills], a [ParseError], [PanicError], the cause given to End, or an error of the
// connection.
func (s *Session) Err() error {
	select {
	case <-s.ended:
		return s.err
	default:
		return nil
	}
}

// End ends the session for this cause, ErrServerClosed when it is nil: what waits to be written is written, as far as the
// client takes it within [ServerConfig.WriteTimeout], but for events that filters have not looked at, and then the
// connection is closed. End does not wait for that. Once a session is ending, further causes are passed over.
func (s *Session) End(cause error) {
	if cause == nil {
		cause = ErrServerClosed
	}
	s.end(cause, true)
}

// end is End; without flush the connection is closed at once.
func (s *Session) end(cause error, flush bool) {
	s.once.Do(func() {
		s.err, s.last = cause, time.Now().Add(s.srv.cfg.WriteTimeout)
		close(s.ended)
		s.out.close()
		s.cancel(cause)
		// The reading goroutine sits in Read, and sees to the rest.
		_ = s.conn.SetReadDeadline(longAgo)
	})
	if !flush {
		_ = s.raw.Close() // what could be lost is lost by intent
	}
}

// Send queues an event, when the session's event mask lets it through, and reports whether the session is still there.
// It does not block: a client that lets more than [ServerConfig.MaxQueue] bytes of events pile up is cut off with
// [ErrSlow]. Before the log-in nothing is sent.
//
// The session's filters are tried by its own writing, so that costly ones hold up nobody else.
func (s *Session) Send(p *Prepared) bool {
	if len(p.holes) != 0 {
		s.End(ErrFills)
		return false
	}
	one := [1]*Prepared{p}
	return s.queue(nil, one[:])
}

// SendFilled is Send for events with holes, one behind the other with no other event between them. Hole i of each is
// filled with the i-th part of fills, whose parts have the holes' length; fills may be used again when SendFilled is
// back. Fills that are too short, or have a byte in them which cannot stand in a field, end the session with [ErrFills].
func (s *Session) SendFilled(fills []byte, events ...*Prepared) bool {
	for _, p := range events {
		if len(fills) < p.fills {
			s.End(ErrFills)
			return false
		}
	}
	if bytes.IndexByte(fills, '\r') >= 0 || bytes.IndexByte(fills, '\n') >= 0 || bytes.IndexByte(fills, 0) >= 0 {
		s.End(ErrFills)
		return false
	}
	return s.queue(fills, events)
}

// queue queues events.
func (s *Session) queue(fills []byte, events []*Prepared) bool {
	if !s.loggedIn.Load() {
		return s.Err() == nil
	}
	ok, full := s.out.event(events, fills, Class(s.mask.Load()), s.filters.Load())
	if full {
		s.end(ErrSlow, false)
	}
	return ok
}

// Wants reports whether the session's event mask lets events of this class through: when not, an event need not be made
// for it.
func (s *Session) Wants(c Class) bool {
	return s.loggedIn.Load() && Class(s.mask.Load())&c == c
}

// Respond answers an action. The ActionID of m, when it has one that is not empty, is put behind the first field of the
// answer, which is Response; see [NewResponse]. It waits while too many answers are still to be written. It fails when
// the answer cannot be written, with nothing sent, or when the session is over.
func (s *Session) Respond(m, answer *Message) error {
	wire, err := appendAnswer(nil, m, answer)
	if err != nil {
		return err
	}
	if !s.out.answer(wire) {
		return s.Err()
	}
	return nil
}

// Success answers "Response: Success" with these words; with none the answer has no Message field.
func (s *Session) Success(m *Message, words string) error {
	return s.Respond(m, withMessage(NewResponse("Success"), words))
}

// Error answers "Response: Error" with these words.
func (s *Session) Error(m *Message, words string) error {
	return s.Respond(m, withMessage(NewResponse("Error"), words))
}

// Denied answers as Asterisk does when the user has no right to the action.
func (s *Session) Denied(m *Message) error { return s.Error(m, "Permission denied") }

// Unknown answers as Asterisk does when it has no such action. The answer repeats the action's name, as much of it as
// fits in the 511 bytes that Asterisk writes (main/manager.c, process_message).
func (s *Session) Unknown(m *Message) error {
	words := "Invalid/unknown command: " + string(m.Action()) + ". Use Action: ListCommands to show available commands."
	return s.Error(m, words[:min(len(words), 511)])
}

func withMessage(m *Message, words string) *Message {
	if words != "" {
		m.Append("Message", words)
	}
	return m
}

// appendAnswer appends the answer with the ActionID of m, and more fields, behind its first field.
func appendAnswer(dst []byte, m, answer *Message, more ...[2]string) ([]byte, error) {
	if answer.Len() == 0 {
		return dst, ErrEmpty
	}
	whole := new(Message)
	name, value := answer.Field(0)
	whole.Append(string(name), string(value))
	if id := m.Get("ActionID"); id != "" {
		whole.Append("ActionID", id)
	}
	for _, field := range more {
		whole.Append(field[0], field[1])
	}
	whole.badName = answer.badName
	for i := 1; i < answer.Len(); i++ {
		whole.appendLine(answer.rawLine(i), answer.lines[i].name)
	}
	return whole.AppendTo(dst)
}

// List is the answer to a list action while it is made. It goes out as a whole, so no event comes between its rows. It
// is used by one goroutine.
type List struct {
	session *Session
	action  *Message
	wire    []byte
	rows    int
	err     error
}

// List begins the answer to a list action: "Response: Success", "EventList: start" and these words, such as "Channels
// will follow". Nothing is sent before [List.Complete], until which m has to stay valid.
func (s *Session) List(m *Message, words string) *List {
	l := &List{session: s, action: m}
	l.wire, l.err = appendAnswer(nil, m, withMessage(NewResponse("Success"), words), [2]string{"EventList", "start"})
	return l
}

// Row adds a row, such as a CoreShowChannel event; the ActionID is put behind its first field.
func (l *List) Row(event *Message) {
	if l.err == nil {
		l.rows++
		l.wire, l.err = appendAnswer(l.wire, l.action, event)
	}
}

// RowTail is Row with the ActionID behind the last field, where Asterisk has it in the rows of Status, of ParkedCalls, of Agents and of the lists of
// queues (main/manager.c, res/parking/parking_manager.c, apps/app_agent_pool.c, apps/app_queue.c).
func (l *List) RowTail(event *Message) {
	if id := l.action.Get("ActionID"); id != "" {
		event.Append("ActionID", id)
	}
	if l.err == nil {
		l.rows++
		l.wire, l.err = event.AppendTo(l.wire)
	}
}

// Complete ends the list with this event, such as CoreShowChannelsComplete, whose further fields, when it has some, come
// behind "EventList: Complete" and ListItems, and sends all of it. It returns the first error of the list; nothing is
// sent then.
func (l *List) Complete(event *Message) error {
	if l.err == nil {
		l.wire, l.err = appendAnswer(l.wire, l.action, event, [2]string{"EventList", "Complete"}, [2]string{"ListItems", strconv.Itoa(l.rows)})
	}
	if l.err != nil {
		return l.err
	}
	if !l.session.out.answer(l.wire) {
		return l.session.Err()
	}
	return nil
}
