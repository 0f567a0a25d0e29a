package phone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Hold puts the other side on hold: a re-INVITE with sendonly (RFC 3264 8.4).
// The phone sends no audio while it holds.
func (c *Call) Hold(ctx context.Context) error { return c.hold(ctx, true) }

// Unhold takes the call back.
func (c *Call) Unhold(ctx context.Context) error { return c.hold(ctx, false) }

func (c *Call) hold(ctx context.Context, on bool) error {
	if c.State() != Up {
		return fmt.Errorf("%s: hold: %w", c, errNotUp)
	}
	c.mu.Lock()
	before := c.held
	c.held = on
	c.mu.Unlock()
	if err := c.offerAgain(ctx); err != nil {
		c.mu.Lock()
		c.held = before
		c.mu.Unlock()
		return fmt.Errorf("%s: hold: %w", c, err)
	}
	return nil
}

// takeTurn waits until no other offer is under way in the call (RFC 3264 4).
func (c *Call) takeTurn(ctx context.Context, until <-chan time.Time) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-until:
		return context.DeadlineExceeded
	case <-c.done:
		return errHungUp
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Call) passTurn() { <-c.turn }

// offerAgain sends a re-INVITE with the phone's present direction. When both
// sides offer at once (491) it tries again.
func (c *Call) offerAgain(ctx context.Context) error {
	const tries = 10
	for try := 1; ; try++ {
		err := c.offerOnce(ctx)
		var refused *StatusError
		if !errors.As(err, &refused) || refused.Status != sip.StatusRequestPending || try == tries {
			return err
		}
		if err := c.standBack(ctx); err != nil {
			return err
		}
	}
}

func (c *Call) offerOnce(ctx context.Context) error {
	if err := c.takeTurn(ctx, nil); err != nil {
		return err
	}
	defer c.passTurn()
	c.offering(true)
	defer c.offering(false)
	c.mu.Lock()
	c.sdp.version++
	c.sdp.direction = c.wanted()
	body := c.sdp.bytes()
	c.mu.Unlock()
	req := c.request(sip.INVITE)
	req.AppendHeader(sip.NewHeader("Allow", allow))
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(body)
	res, err := c.reinvite(ctx, req)
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return &StatusError{Method: "INVITE", Status: res.StatusCode, Reason: res.Reason}
	}
	c.show(res)
	answer, err := parseSession(res.Body())
	if err != nil {
		return fmt.Errorf("answer to re-INVITE: %w", err)
	}
	c.agreed(answer)
	return nil
}

func (c *Call) offering(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offers = on
}

// standBack lets the other side's offer through before the next try. Who made
// the call waits longer (RFC 3261 14.1), so the two do not meet again.
func (c *Call) standBack(ctx context.Context) error {
	pause := time.Duration(rand.IntN(100)) * time.Millisecond
	if !c.incoming {
		pause += 150 * time.Millisecond
	}
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-c.done:
		return errHungUp
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wanted is the direction the phone would have, given who holds; the lock is held.
func (c *Call) wanted() direction {
	switch {
	case c.held && c.heldByIt:
		return inactive
	case c.held:
		return sendonly
	case c.heldByIt:
		return recvonly
	}
	return sendrecv
}

// offered takes in the other side's offer, which says whether it holds.
func (c *Call) offered(theirs session) {
	c.mu.Lock()
	c.heldByIt = !theirs.direction.receives()
	c.mu.Unlock()
	c.agreed(theirs)
}

// agreed takes in where audio goes from now on, by the other side's offer or
// answer: a direct-media move changes the address, a hold stops it.
func (c *Call) agreed(theirs session) {
	c.mu.Lock()
	flows := sendrecv
	if c.held || !theirs.direction.receives() {
		flows = recvonly
	}
	c.mu.Unlock()
	c.media.direct(theirs, flows)
}

// onReinvite answers an offer in the call, or makes one if it brings none.
func (c *Call) onReinvite(req *sip.Request, tx sip.ServerTransaction) {
	c.mu.Lock()
	collides := c.offers
	c.mu.Unlock()
	// The ACK of their last offer may have been overtaken by this one, so wait a
	// moment; an offer of ours is a collision (RFC 3261 14.2).
	patience := time.NewTimer(300 * time.Millisecond)
	defer patience.Stop()
	if collides || c.takeTurn(c.phone.life, patience.C) != nil {
		_ = tx.Respond(c.response(req, sip.StatusRequestPending, "Request Pending"))
		return
	}
	defer c.passTurn()
	body, offered, ok := c.answerTo(req, tx)
	if !ok {
		return
	}
	ack, err := c.accept(req, tx, body)
	if err == nil && !offered {
		if answer, err := parseSession(ack.Body()); err == nil {
			c.agreed(answer)
		}
	}
}

func (p *Phone) onUpdate(req *sip.Request, tx sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		p.reply(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	if len(req.Body()) == 0 { // a change of connected line or a session refresh
		c.show(req)
		_ = tx.Respond(c.response(req, 200, "OK"))
		return
	}
	body, _, ok := c.answerTo(req, tx)
	if !ok {
		return
	}
	res := c.response(req, 200, "OK")
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res.SetBody(body)
	_ = tx.Respond(res)
}

// answerTo takes in a request with an offer and returns the phone's session
// description to send back. Without ok the request was refused.
func (c *Call) answerTo(req *sip.Request, tx sip.ServerTransaction) (body []byte, offered, ok bool) {
	offer, err := parseSession(req.Body())
	if err != nil && len(req.Body()) > 0 {
		_ = tx.Respond(c.response(req, 488, "Not Acceptable Here"))
		return nil, true, false
	}
	c.show(req)
	if err == nil {
		c.offered(offer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if contact := req.Contact(); contact != nil {
		c.target = *contact.Address.Clone()
	}
	want := c.wanted()
	if err == nil {
		want = offer.direction.answer(want)
	}
	if want != c.sdp.direction {
		c.sdp.version++
		c.sdp.direction = want
	}
	return c.sdp.bytes(), err == nil, true
}
