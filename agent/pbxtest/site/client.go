package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Client talks to Earshot's HTTP door as one employee, as a panel does.
type Client struct {
	Base  string // http://host:port
	Token string
}

// Peer is the other side of a call as the door shows it.
type Peer struct{ Number, Name, Employee string }

// Call is one call of a row.
type Call struct {
	ID, Direction, State string
	Since                time.Time
	Hidden, Locked       bool
	Peer                 *Peer
	Supervision, Kind    string
}

// Row is one employee on the board.
type Row struct {
	ID, Name, Department, State string
	Since                       *time.Time
	Calls                       []Call
	Can                         []string
	Unknown                     bool // what he does is not known: the Earshot beside his PBX is out of reach
}

// Supervision is a supervision, or an intercept, as its subject sees it.
type Supervision struct {
	ID, Target, Mode, Call, Phone, State, Reason, Text string

	PeerSilent bool `json:"peer_silent"`
}

// Incoming is a client's call that rings at others.
type Incoming struct {
	ID, State, Target, Call string

	Client    struct{ Name, Number string }
	CanAccept bool `json:"can_accept"`
}

// Board is the whole board.
type Board struct {
	Known        bool
	Generation   uint64
	Me           struct{ ID, Name string }
	Employees    []Row
	Supervisions []Supervision
	Incoming     []Incoming
	Joins        []Supervision
}

// Message is one message of the event stream.
type Message struct {
	Type        string
	Seq         uint64
	Board       *Board
	Employee    *Row
	Supervision *Supervision
	Intercept   *Supervision
	Incoming    *Incoming
	Line        *Line
	Join        *Supervision
}

// Line is a line that the watcher may view.
type Line struct {
	ID      string
	Known   bool
	Waiting int
	Members []struct {
		Employee, State string
		Queued, Paused  bool
		Penalty         int
	}
}

// Problem is an answer that is not a success (RFC 9457).
type Problem struct {
	Status             int
	Code, Detail, Rule string
}

// Error gives status and code.
func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail) }

// Do sends a request; in is sent as JSON unless nil, the answer is read into out unless nil. A refusal is a *Problem.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		p := &Problem{Status: resp.StatusCode}
		if err := json.Unmarshal(b, p); err != nil {
			return fmt.Errorf("%s %s: status %d without a problem: %q", method, path, resp.StatusCode, b)
		}
		return p
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// Row asks for the board and gives one employee's row.
func (c *Client) Row(ctx context.Context, employee string) (Row, error) {
	var b Board
	if err := c.Do(ctx, http.MethodGet, "/v1/employees", nil, &b); err != nil {
		return Row{}, err
	}
	for _, r := range b.Employees {
		if r.ID == employee {
			return r, nil
		}
	}
	return Row{}, fmt.Errorf("no employee %q on the board", employee)
}

// Supervise asks for a supervision.
func (c *Client) Supervise(ctx context.Context, target, mode string) (Supervision, error) {
	var s Supervision
	err := c.Do(ctx, http.MethodPost, "/v1/supervisions", map[string]string{"target": target, "mode": mode}, &s)
	return s, err
}

// Change changes the mode of a supervision.
func (c *Client) Change(ctx context.Context, id, mode string) (Supervision, error) {
	var s Supervision
	err := c.Do(ctx, http.MethodPatch, "/v1/supervisions/"+id, map[string]string{"mode": mode}, &s)
	return s, err
}

// Intercept asks for a ringing call.
func (c *Client) Intercept(ctx context.Context, target string) (Supervision, error) {
	var s Supervision
	err := c.Do(ctx, http.MethodPost, "/v1/intercepts", map[string]string{"target": target}, &s)
	return s, err
}

// OnLine asks for a colleague's conversation on a line; how is joins or takeovers.
func (c *Client) OnLine(ctx context.Context, line, how, target string) (Supervision, error) {
	var s Supervision
	err := c.Do(ctx, http.MethodPost, "/v1/lines/"+line+"/"+how, map[string]string{"target": target}, &s)
	return s, err
}

// Lock locks the employee's own call.
func (c *Client) Lock(ctx context.Context) (id string, err error) {
	var lock struct{ ID string }
	err = c.Do(ctx, http.MethodPost, "/v1/locks", map[string]string{}, &lock)
	return lock.ID, err
}

// Call has the employee's own phone call a number.
func (c *Client) Call(ctx context.Context, number string) error {
	return c.Do(ctx, http.MethodPost, "/v1/calls", map[string]string{"number": number}, nil)
}

// End ends a supervision.
func (c *Client) End(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, "/v1/supervisions/"+id, nil, nil)
}

// Stream is an open event stream. It keeps the board as the messages build it. It belongs to one goroutine.
type Stream struct {
	conn *websocket.Conn
	// Rows, Acts are what the messages have told so far: rows by employee, supervisions, intercepts and what is done on lines by id.
	Rows map[string]Row
	Acts map[string]Supervision
	// Offers are the calls of the watcher's clients that ring at others, by id.
	Offers map[string]Incoming
	Known  bool
	// Lines are those that the watcher may view, by id.
	Lines map[string]Line
	seq   uint64
}

// Watch opens the event stream and takes the snapshot.
func (c *Client) Watch(ctx context.Context) (*Stream, error) {
	conn, resp, err := websocket.Dial(ctx, "ws"+c.Base[len("http"):]+"/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + c.Token}}})
	if err != nil {
		return nil, err
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	conn.SetReadLimit(16 << 20)
	s := &Stream{conn: conn, Acts: map[string]Supervision{}, Lines: map[string]Line{}}
	if _, err := s.Next(ctx); err != nil {
		return nil, errors.Join(err, conn.CloseNow())
	}
	return s, nil
}

// Next waits for the next message and takes it into the board.
func (s *Stream) Next(ctx context.Context) (Message, error) {
	_, b, err := s.conn.Read(ctx)
	if err != nil {
		return Message{}, err
	}
	var m Message
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("a message of the event stream: %w", err)
	}
	if m.Seq != s.seq+1 {
		return m, fmt.Errorf("the event stream went from message %d to %d", s.seq, m.Seq)
	}
	s.seq = m.Seq
	switch {
	case m.Board != nil:
		s.Rows, s.Known = map[string]Row{}, m.Board.Known
		for _, r := range m.Board.Employees {
			s.Rows[r.ID] = r
		}
		s.Offers = map[string]Incoming{}
		for _, i := range m.Board.Incoming {
			s.Offers[i.ID] = i
		}
		for _, a := range append(m.Board.Supervisions, m.Board.Joins...) {
			s.Acts[a.ID] = a
		}
	case m.Employee != nil:
		s.Rows[m.Employee.ID] = *m.Employee
	case m.Supervision != nil:
		s.Acts[m.Supervision.ID] = *m.Supervision
	case m.Join != nil:
		s.Acts[m.Join.ID] = *m.Join
	case m.Line != nil:
		s.Lines[m.Line.ID] = *m.Line
	case m.Intercept != nil:
		s.Acts[m.Intercept.ID] = *m.Intercept
	case m.Incoming != nil && m.Incoming.State == "ended":
		delete(s.Offers, m.Incoming.ID)
	case m.Incoming != nil:
		s.Offers[m.Incoming.ID] = *m.Incoming
	case m.Type == "unknown":
		s.Known = false
	}
	return m, nil
}

// Until reads messages until what they have built satisfies done.
func (s *Stream) Until(ctx context.Context, what string, done func(*Stream) bool) error {
	for !done(s) {
		if _, err := s.Next(ctx); err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
	}
	return nil
}

// UntilAct waits until an act is in a state and returns it.
func (s *Stream) UntilAct(ctx context.Context, id, state string) (Supervision, error) {
	err := s.Until(ctx, "it is "+state, func(s *Stream) bool { return s.Acts[id].State == state || s.Acts[id].State == "ended" })
	a := s.Acts[id]
	if err == nil && a.State != state {
		err = fmt.Errorf("it ended (%s) instead of becoming %s", a.Reason, state)
	}
	return a, err
}

// UntilOffer waits until a client's call is offered that fits, and returns it.
func (s *Stream) UntilOffer(ctx context.Context, fits func(Incoming) bool) (found Incoming, err error) {
	err = s.Until(ctx, "a client's call is offered", func(s *Stream) bool {
		for _, i := range s.Offers {
			if fits(i) {
				found = i
				return true
			}
		}
		return false
	})
	return found, err
}

// UntilState waits until an employee's row is in a state and returns it.
func (s *Stream) UntilState(ctx context.Context, employee, state string) (Row, error) {
	err := s.Until(ctx, employee+" is "+state, func(s *Stream) bool { return s.Rows[employee].State == state })
	return s.Rows[employee], err
}

// Close ends the stream.
func (s *Stream) Close() { _ = s.conn.CloseNow() }
