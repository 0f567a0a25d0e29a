package ami

import (
	"context"
	"strconv"
	"time"
)

// call is an action that waits for its answer. The reading goroutine fills in response, rows, final and err, then closes
// done; the caller reads them after that.
type call struct {
	action string
	list   bool // rows are wanted
	login  bool // its success lets events through

	response *Message
	rows     []*Message
	size     int // of rows, in bytes
	final    *Message
	err      error
	done     chan struct{}
	finished bool // owned by the reading goroutine: done is closed
}

// Do sends an action and returns its answer. The client adds an ActionID of its own; m must not have one, is not changed
// and not kept. "Response: Error" is a *[RefusedError]; no answer at all is an *[ActionError], which says whether the
// action may have reached Asterisk. Sending may outlast ctx by Config.WriteTimeout, since half an action on the wire
// would make the next one unreadable.
//
// Asterisk runs the actions of one connection one after the other. One that takes its time there (Originate without
// "Async: true", WaitEvent) holds up events and pings too, and the client may take the peer for gone after PingTimeout.
//
// Do returns the first answer; rows that follow the answer to a list action are dropped. Use List for those.
func (c *Client) Do(ctx context.Context, m *Message) (*Message, error) {
	done, err := c.send(ctx, m, &call{})
	if err != nil {
		return nil, err
	}
	return done.response, nil
}

// List sends a list action, such as CoreShowChannels or QueueStatus, and returns the events that carry its rows, in
// order, and the final one ("EventList: Complete"). When Asterisk answers without starting a list there are no rows and
// the final message is the answer. Errors are those of Do, and [ErrListBroken] and [ErrListTooLong]. The context bounds
// the whole list.
func (c *Client) List(ctx context.Context, m *Message) (rows []*Message, final *Message, err error) {
	done, err := c.send(ctx, m, &call{list: true})
	if err != nil {
		return nil, nil, err
	}
	return done.rows, done.final, nil
}

// send carries one call through: registered, written, waited for.
func (c *Client) send(ctx context.Context, m *Message, p *call) (*call, error) {
	p.action = string(m.Action())
	p.done = make(chan struct{})
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, &ActionError{Action: p.action, Err: ctx.Err()}
	case <-c.closing:
		return nil, &ActionError{Action: p.action, Err: c.Err()}
	}
	sent, err := c.write(ctx, m, p)
	<-c.writing
	if err != nil {
		return nil, &ActionError{Action: p.action, Sent: sent, Err: err}
	}
	select {
	case <-p.done:
		return p, p.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.closing:
		err = c.Err()
	}
	// The call stays registered until Asterisk is through with it: what still comes for it must not look like an event.
	select {
	case <-p.done: // the answer came at the same moment: it is worth more than the reason to give up
		return p, p.err
	default:
		return nil, &ActionError{Action: p.action, Sent: true, Err: err}
	}
}

// write registers the call and sends the action. It holds the writing token. When it returns an error, sent reports
// whether bytes may have left.
func (c *Client) write(ctx context.Context, m *Message, p *call) (sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	id, err := c.encode(m)
	if err != nil {
		return false, err
	}
	// Registered before the first byte leaves: the answer may be there before Write returns.
	if err := c.register(id, p); err != nil {
		return false, err
	}
	err = c.conn.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
	if err == nil {
		var n int
		n, err = c.conn.Write(c.out)
		sent = n > 0 || c.secure // a failed TLS write does not tell what left
	}
	if err != nil {
		c.fail(err) // what is on the wire is half a message
		return sent, err
	}
	return true, nil
}

// encode puts the action with a new ActionID into c.out.
func (c *Client) encode(m *Message) (id string, err error) {
	if len(m.Action()) == 0 {
		return "", ErrEmpty
	}
	if _, ok := m.Lookup("ActionID"); ok {
		return "", ErrActionID
	}
	if m.Len() >= maxActionFields {
		return "", &LimitError{What: "fields", Limit: maxActionFields - 1}
	}
	for i := range m.Len() {
		if len(m.rawLine(i)) > maxActionLine { // with its line end: on the safe side
			return "", &LimitError{What: "line", Limit: maxActionLine}
		}
	}
	c.out, err = m.AppendTo(c.out[:0])
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.lastID++
	id = c.idPrefix + strconv.FormatUint(c.lastID, 10)
	c.mu.Unlock()
	c.out = append(c.out[:len(c.out)-2], "ActionID: "...) // before the empty line
	c.out = append(c.out, id...)
	c.out = append(c.out, "\r\n\r\n"...)
	return id, nil
}

func (c *Client) register(id string, p *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.pending[id] = p
	c.open.Store(int64(len(c.pending)))
	return nil
}
