package ami

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
)

// read is the reading goroutine: it owns the reader and the pinging goroutine, and is the only one to complete calls
// with what arrived.
func (c *Client) read() {
	pinging := make(chan struct{})
	go func() {
		defer close(pinging)
		c.keepAlive()
	}()
	c.fail(c.receive())
	<-pinging
	close(c.done)
}

// receive reads until the connection ends and returns why.
func (c *Client) receive() (cause error) {
	defer func() {
		if p := recover(); p != nil {
			cause = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	for {
		m, err := c.reader.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%w: nothing came for %s", ErrSilent, c.cfg.PingInterval+c.cfg.PingTimeout)
		}
		if err != nil {
			return err
		}
		if err := c.dispatch(m); err != nil {
			return err
		}
	}
}

// dispatch gives a message to whom it belongs: an answer or a row to the action with its id, any other event to OnEvent.
func (c *Client) dispatch(m *Message) error {
	p, id := c.belongsTo(m)
	switch {
	case p != nil && m.Response() != nil:
		c.patient.heard()
		c.answer(p, id, m)
	case p != nil && p.response != nil:
		c.patient.heard()
		c.row(p, id, m)
	case m.Response() != nil:
		c.stray.Add(1)
	case c.loggedIn: // nothing before it is Asterisk's: it sends events to no one unknown
		return c.cfg.OnEvent(m)
	}
	return nil
}

// belongsTo finds the call whose id the message carries.
func (c *Client) belongsTo(m *Message) (*call, string) {
	if c.open.Load() == 0 {
		return nil, ""
	}
	id, ok := m.Lookup("ActionID")
	if !ok {
		return nil, ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pending[string(id)]
	if p == nil {
		return nil, ""
	}
	return p, string(id)
}

// answer takes the answer to a call; a second one with the same id is stray.
func (c *Client) answer(p *call, id string, m *Message) {
	if p.response != nil {
		c.stray.Add(1)
		return
	}
	p.response = m.Clone()
	refused := equalFold(m.Response(), "Error")
	if p.login {
		c.loggedIn = !refused
	}
	mode, _ := m.Lookup("EventList")
	starts := equalFold(mode, "start") && !refused
	if !starts { // else the rows are still to come, wanted or not
		c.forget(id) // before its caller goes on
	}
	switch {
	case refused:
		p.finish(&RefusedError{Action: p.action, Message: m.Get("Message")})
	case !p.list:
		p.finish(nil)
	case !starts:
		p.final = p.response
		p.finish(nil)
	}
}

// row takes an event that carries the id of a list action (main/manager.c, astman_send_list_complete: the last one has
// "EventList: Complete").
func (c *Client) row(p *call, id string, m *Message) {
	mode, last := m.Lookup("EventList")
	if last {
		c.forget(id)
	}
	if p.finished {
		return
	}
	switch {
	case last && !equalFold(mode, "Complete"):
		p.finish(ErrListBroken)
	case last:
		p.final = m.Clone()
		p.finish(nil)
	case len(p.rows) == c.cfg.MaxRows || len(m.Raw()) > c.cfg.MaxList-p.size:
		p.rows = nil
		p.finish(ErrListTooLong)
	default:
		p.rows, p.size = append(p.rows, m.Clone()), p.size+len(m.Raw())
	}
}

func (p *call) finish(err error) {
	p.err = err
	p.finished = true
	close(p.done)
}

func (c *Client) forget(id string) {
	c.mu.Lock()
	delete(c.pending, id)
	c.open.Store(int64(len(c.pending)))
	c.mu.Unlock()
}
