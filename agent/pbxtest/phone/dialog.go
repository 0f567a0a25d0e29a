package phone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// request begins a request of the call: dialog headers with the next sequence number
// (RFC 3261 12.2.1.1), Contact, no Via yet.
func (c *Call) request(method sip.RequestMethod) *sip.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cseq++
	return c.build(method, c.cseq)
}

// build makes a request with a given sequence number; the lock is held.
func (c *Call) build(method sip.RequestMethod, seq uint32) *sip.Request {
	req := sip.NewRequest(method, *c.target.Clone())
	from := &sip.FromHeader{DisplayName: c.local.name, Address: *c.local.uri.Clone()}
	from.Params.Add("tag", c.local.tag)
	to := &sip.ToHeader{DisplayName: c.peer.name, Address: *c.peer.uri.Clone()}
	if c.peer.tag != "" {
		to.Params.Add("tag", c.peer.tag)
	}
	id := sip.CallIDHeader(c.id)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(&hops)
	req.AppendHeader(c.phone.contact())
	return req
}

// send does a request inside the dialog, other than INVITE, and waits for its
// final response.
func (c *Call) send(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	res, last, err := c.phone.roundTrip(ctx, req)
	c.sent(last)
	return res, err
}

// sent notes the sequence number of a request that was sent again with credentials.
func (c *Call) sent(req *sip.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cseq = max(c.cseq, req.CSeq().SeqNo)
}

// reinvite sends an INVITE inside the dialog and acknowledges its 2xx.
func (c *Call) reinvite(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	tx, err := c.phone.client.TransactionRequest(ctx, req, c.phone.outgoing)
	if err != nil {
		return nil, err
	}
	res, err := final(ctx, tx)
	if err == nil && challenged(res) && c.phone.cfg.Password != "" {
		req = req.Clone()
		if tx, err = c.phone.authorise(ctx, req, res); err != nil {
			return nil, err
		}
		c.sent(req)
		res, err = final(ctx, tx)
	}
	if err != nil {
		tx.Terminate()
		return nil, err
	}
	if res.IsSuccess() {
		return res, c.ack(req, tx, res)
	}
	return res, nil
}

// ack acknowledges a 2xx, and each repetition of it (RFC 3261 13.2.2.4).
func (c *Call) ack(inv *sip.Request, tx sip.ClientTransaction, res *sip.Response) error {
	seq := inv.CSeq().SeqNo
	c.mu.Lock()
	if contact := res.Contact(); contact != nil {
		c.target = *contact.Address.Clone() // target refresh, 12.2.1.2
	}
	c.mu.Unlock()
	write := func() error {
		c.mu.Lock()
		ack := c.build(sip.ACK, seq)
		c.mu.Unlock()
		return c.phone.client.WriteRequest(ack, c.phone.outgoing)
	}
	tx.OnRetransmission(func(*sip.Response) { _ = write() }) // the next repetition is another try
	if err := write(); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// bye ends a call that is up.
func (c *Call) bye(ctx context.Context) error {
	c.Silence(true)
	res, err := c.send(ctx, c.request(sip.BYE))
	// Whatever comes of it, the phone's side of the call is over (RFC 3261 15.1.1).
	c.finish(Ending{})
	switch {
	case err != nil:
		return fmt.Errorf("%s: hang up: %w", c, err)
	case !res.IsSuccess() && res.StatusCode != 481: // 481: the other side was first
		return &StatusError{Method: "BYE", Status: res.StatusCode, Reason: res.Reason}
	}
	return nil
}

var errNoAck = errors.New("no ACK")

// accept answers an INVITE with 200 and waits for the ACK, repeating the
// answer until it comes (RFC 3261 13.3.1.4). The ACK is returned.
func (c *Call) accept(inv *sip.Request, tx sip.ServerTransaction, body []byte) (*sip.Request, error) {
	res := c.response(inv, 200, "OK")
	res.AppendHeader(sip.NewHeader("Allow", allow))
	res.AppendHeader(sip.NewHeader("Supported", "replaces"))
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res.SetBody(body)
	seq := inv.CSeq().SeqNo
	acks := make(chan *sip.Request, 1)
	c.mu.Lock()
	c.acks[seq] = acks
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.acks, seq)
		c.mu.Unlock()
	}()
	if err := tx.Respond(res); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	const t1, t2 = 500 * time.Millisecond, 4 * time.Second
	wait := t1
	repeat := time.NewTimer(wait)
	defer repeat.Stop()
	enough := time.NewTimer(64 * t1)
	defer enough.Stop()
	for {
		select {
		case ack := <-acks:
			return ack, nil
		case <-repeat.C:
			if err := tx.Respond(res); err != nil {
				return nil, fmt.Errorf("answer: %w", err)
			}
			wait = min(2*wait, t2)
			repeat.Reset(wait)
		case <-enough.C:
			return nil, errNoAck
		case <-c.done:
			return nil, errHungUp
		case <-tx.Done():
			return nil, errors.Join(errNoAck, tx.Err())
		}
	}
}

// response begins an answer to a request of the call, with the call's own tag
// and Contact.
func (c *Call) response(req *sip.Request, status int, reason string) *sip.Response {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	if to := res.To(); to != nil && status > 100 {
		to.Params.Add("tag", c.local.tag)
	}
	res.AppendHeader(c.phone.contact())
	return res
}

const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY, UPDATE"
