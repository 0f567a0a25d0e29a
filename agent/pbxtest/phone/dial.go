package phone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// DialOption changes one call that a phone makes.
type DialOption func(*dialled)

type dialled struct {
	name, number string
	server       string
	tone         Tone
	headers      []sip.Header
}

// As calls with another identity in From, as the far side of a trunk does. A
// phone that registers is known by its own and would be refused.
func As(number, name string) DialOption {
	return func(d *dialled) { d.number, d.name = number, name }
}

// WithTone calls with another voice.
func WithTone(t Tone) DialOption { return func(d *dialled) { d.tone = t } }

// At calls a user agent directly at host:port instead of the phone's server.
func At(hostport string) DialOption { return func(d *dialled) { d.server = hostport } }

// WithHeader adds a header to the INVITE.
func WithHeader(name, value string) DialOption {
	return func(d *dialled) { d.headers = append(d.headers, sip.NewHeader(name, value)) }
}

// Dial calls a number and returns when the INVITE has been sent; ctx has no
// hold over the call after that.
func (p *Phone) Dial(ctx context.Context, number string, options ...DialOption) (*Call, error) {
	d := dialled{name: p.cfg.Name, number: p.cfg.User, server: p.cfg.Server, tone: p.cfg.Tone}
	for _, o := range options {
		o(&d)
	}
	if d.server == "" {
		return nil, errors.New("dial: no server")
	}
	host, port, err := sip.ParseAddr(d.server)
	if err != nil {
		return nil, fmt.Errorf("dial: server address: %w", err)
	}
	c, err := p.dial(ctx, number, sip.Uri{Scheme: "sip", User: escapeUser(number), Host: host, Port: port}, d)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return c, nil
}

func (p *Phone) dial(ctx context.Context, number string, target sip.Uri, d dialled) (*Call, error) {
	c, err := p.newCall(newCallID(), false, number, d.tone)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.local.name = d.name
	c.local.uri = sip.Uri{Scheme: "sip", User: escapeUser(d.number), Host: target.Host}
	c.peer.uri, c.target = target, target
	c.remote = Identity{Number: number}
	body := c.sdp.bytes()
	c.mu.Unlock()

	inv := c.request(sip.INVITE)
	inv.AppendHeader(sip.NewHeader("Allow", allow))
	inv.AppendHeader(sip.NewHeader("Supported", "replaces"))
	inv.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	for _, h := range d.headers {
		inv.AppendHeader(h)
	}
	inv.SetBody(body)
	if !p.enter() {
		c.finish(Ending{})
		return nil, errClosed
	}
	tx, err := p.client.TransactionRequest(ctx, inv, p.outgoing)
	if err != nil {
		p.running.Done()
		c.finish(Ending{})
		return nil, err
	}
	go func() {
		defer p.running.Done()
		c.follow(inv, tx)
	}()
	return c, nil
}

// follow sees an outgoing call through until it is answered or over.
func (c *Call) follow(inv *sip.Request, tx sip.ClientTransaction) {
	var proceeding, authorised, cancelled bool
	giveUp := c.giveUp
	for {
		select {
		case res := <-tx.Responses():
			switch {
			case res.IsProvisional():
				proceeding = true
				c.early(res)
			case res.IsSuccess():
				c.accepted(inv, tx, res, giveUp == nil)
				return
			case challenged(res) && !authorised && c.phone.cfg.Password != "":
				tx.Terminate()
				next := inv.Clone()
				again, err := c.phone.authorise(c.phone.life, next, res)
				if err != nil {
					c.finish(Ending{Reason: err.Error()})
					return
				}
				inv, tx, authorised, proceeding = next, again, true, false
				c.sent(inv)
			default:
				c.finish(Ending{Status: res.StatusCode, Reason: res.Reason, Remote: !cancelled})
				return
			}
		case <-giveUp:
			giveUp = nil
		case <-c.done:
			return
		case <-tx.Done():
			reason := "no answer"
			if err := tx.Err(); err != nil {
				reason = err.Error()
			}
			c.finish(Ending{Status: sip.StatusRequestTimeout, Reason: reason})
			return
		}
		// CANCEL may only follow a provisional response (RFC 3261 9.1).
		if giveUp == nil && proceeding && !cancelled {
			cancelled = true
			c.cancel(inv)
		}
	}
}

// early takes in a provisional response: ringing, and audio before the answer.
func (c *Call) early(res *sip.Response) {
	c.show(res)
	if to := res.To(); to != nil {
		if tag, ok := to.Params.Get("tag"); ok { // a 100 has none
			c.mu.Lock()
			c.peer.tag = tag // of the early dialog, which a Replaces may name
			c.mu.Unlock()
		}
	}
	if s, err := parseSession(res.Body()); err == nil {
		c.media.direct(s, recvonly)
	}
	if res.StatusCode == sip.StatusRinging {
		c.reach(Ringing)
	}
}

// accepted completes the dialog with the 2xx. A call given up meanwhile is
// ended at once.
func (c *Call) accepted(inv *sip.Request, tx sip.ClientTransaction, res *sip.Response, givenUp bool) {
	c.mu.Lock()
	if to := res.To(); to != nil {
		c.peer.tag, _ = to.Params.Get("tag")
	}
	c.mu.Unlock()
	c.show(res)
	if err := c.ack(inv, tx, res); err != nil {
		c.finish(Ending{Reason: err.Error()})
		return
	}
	answer, err := parseSession(res.Body())
	if err != nil || givenUp {
		_ = c.bye(c.phone.life) // bye finishes the call in any case
		return
	}
	c.agreed(answer)
	c.media.start()
	c.reach(Up)
}

// cancel sends CANCEL for an INVITE (RFC 3261 9.1): its request URI, its
// Via and its sequence number.
func (c *Call) cancel(inv *sip.Request) {
	req := sip.NewRequest(sip.CANCEL, *inv.Recipient.Clone())
	req.AppendHeader(sip.HeaderClone(inv.Via()))
	req.AppendHeader(sip.HeaderClone(inv.From()))
	req.AppendHeader(sip.HeaderClone(inv.To()))
	req.AppendHeader(sip.HeaderClone(inv.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: inv.CSeq().SeqNo, MethodName: sip.CANCEL})
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.SetBody(nil)
	req.SetTransport("UDP")
	req.Laddr = c.phone.laddr
	c.phone.running.Add(1) // the caller, follow, is counted, so Close still waits
	go func() {
		defer c.phone.running.Done()
		tx, err := c.phone.client.TransactionRequest(c.phone.life, req, asIs)
		if err != nil {
			return // the INVITE's own time-out ends the call
		}
		defer tx.Terminate()
		res, err := final(c.phone.life, tx)
		if err == nil && res.IsSuccess() {
			return // the outcome is the INVITE's 487
		}
		// Nobody knows the call any more, as after a restart of the PBX, and so the INVITE is never answered either; unless its answer is on its way.
		select {
		case <-c.done:
		case <-time.After(time.Second):
			c.finish(Ending{Status: sip.StatusRequestTimeout, Reason: "given up"})
		}
	}()
}

// asIs is the option for requests that are complete.
func asIs(*sipgo.Client, *sip.Request) error { return nil }
