package phone

import (
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// route tells sipgo what to do with each request. Handlers run on goroutines
// of sipgo's, one each; one for INVITE lasts as long as the call rings.
func (p *Phone) route(s *sipgo.Server) {
	handle := func(method sip.RequestMethod, h sipgo.RequestHandler) {
		s.OnRequest(method, func(req *sip.Request, tx sip.ServerTransaction) {
			if !p.enter() {
				return
			}
			defer p.running.Done()
			h(req, tx)
		})
	}
	handle(sip.INVITE, p.onInvite)
	handle(sip.ACK, p.onAck)
	handle(sip.BYE, p.onBye)
	handle(sip.UPDATE, p.onUpdate)
	handle(sip.REFER, p.onRefer)
	handle(sip.NOTIFY, p.onNotify)
	handle(sip.OPTIONS, func(req *sip.Request, tx sip.ServerTransaction) { p.reply(req, tx, 200, "OK") })
	handle(sip.INFO, func(req *sip.Request, tx sip.ServerTransaction) { p.reply(req, tx, 200, "OK") })
	handle(sip.CANCEL, func(req *sip.Request, tx sip.ServerTransaction) {
		p.reply(req, tx, 481, "Call/Transaction Does Not Exist") // one that matches never gets here
	})
	s.OnNoRoute(func(req *sip.Request, tx sip.ServerTransaction) { p.reply(req, tx, 405, "Method Not Allowed") })
}

// reply answers a request outside any call. A reply that cannot be sent is
// like one lost on the way: the peer asks again.
func (p *Phone) reply(req *sip.Request, tx sip.ServerTransaction, status int, reason string) {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	res.AppendHeader(p.contact())
	res.AppendHeader(sip.NewHeader("Allow", allow))
	_ = tx.Respond(res)
}

func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, 100, "Trying", nil))
	if to := req.To(); to != nil && to.Params.Has("tag") {
		c := p.call(req)
		if c == nil || c.State() == Ended {
			p.reply(req, tx, 481, "Call/Transaction Does Not Exist")
			return
		}
		c.onReinvite(req, tx)
		return
	}
	if req.From() == nil || req.Contact() == nil || req.CallID() == nil {
		p.reply(req, tx, 400, "Bad Request")
		return
	}
	offer, err := parseSession(req.Body())
	if err != nil && len(req.Body()) > 0 {
		p.reply(req, tx, 488, "Not Acceptable Here")
		return
	}
	var replaced *Call
	if h := req.GetHeader("Replaces"); h != nil {
		if replaced = p.replaced(h.Value()); replaced == nil {
			p.reply(req, tx, 481, "Call/Transaction Does Not Exist")
			return
		}
	}
	c, err := p.incomingCall(req)
	if err != nil {
		p.reply(req, tx, 500, "Server Internal Error")
		return
	}
	dropped := Ending{Status: sip.StatusRequestTerminated, Reason: "Request Terminated", Remote: true}
	if !tx.OnCancel(func(*sip.Request) { c.finish(dropped) }) { // sipgo sends 487 after this
		c.finish(dropped) // CANCEL was faster
	}
	if offer.audio.IsValid() {
		c.media.direct(offer, recvonly)
	}
	c.ring(req, tx, offer, replaced)
}

func (p *Phone) incomingCall(req *sip.Request) (*Call, error) {
	c, err := p.newCall(req.CallID().Value(), true, req.Recipient.User, p.cfg.Tone)
	if err != nil {
		return nil, err
	}
	from, to := req.From(), req.To()
	c.mu.Lock()
	c.state = Ringing
	close(c.ringing)
	c.peer = party{name: from.DisplayName, uri: *from.Address.Clone()}
	c.peer.tag, _ = from.Params.Get("tag")
	c.local.name, c.local.uri = to.DisplayName, *to.Address.Clone()
	c.target = *req.Contact().Address.Clone()
	c.remote = Identity{Name: from.DisplayName, Number: from.Address.User}
	c.mu.Unlock()
	c.show(req)
	return c, nil
}

// ring lets an incoming call ring until it is answered, refused or dropped.
func (c *Call) ring(req *sip.Request, tx sip.ServerTransaction, offer session, replaced *Call) {
	reaction := c.phone.reactionTo(c)
	if reaction.Tone != 0 {
		c.SetTone(reaction.Tone)
	}
	if replaced != nil {
		reaction = Reaction{Answer: true, Silent: true} // RFC 3891 3: answered as the call that it replaces
	}
	var after <-chan time.Time
	if reaction.Answer || reaction.Reject != 0 {
		timer := time.NewTimer(reaction.After)
		defer timer.Stop()
		after = timer.C
	}
	if !reaction.Silent && (reaction.Reject == 0 || reaction.After > 0) {
		_ = tx.Respond(c.response(req, 180, "Ringing"))
	}
	c.phone.offer(c)

	var d decision
	select {
	case d = <-c.decide:
	case <-after:
		d.reject = reaction.Reject
	case <-tx.Done():
		c.finish(Ending{Status: sip.StatusRequestTimeout, Reason: "transaction ended", Remote: true})
		return
	case <-c.done: // by CANCEL, then this is the 487 that sipgo has sent already; or by BYE
		_ = tx.Respond(c.response(req, 487, "Request Terminated"))
		return
	}
	if d.reject != 0 {
		reason := reasons[d.reject]
		// Ended here before the caller can know, or Incoming might still return it to
		// somebody who waits for the next call.
		c.finish(Ending{Status: d.reject, Reason: reason})
		_ = tx.Respond(c.response(req, d.reject, reason))
		return
	}
	c.take(req, tx, offer, replaced)
}

// reasons are the phrases of the statuses a user would refuse with.
var reasons = map[int]string{
	404: "Not Found", 480: "Temporarily Unavailable", 486: "Busy Here", 500: "Server Internal Error",
	503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}

func (p *Phone) reactionTo(c *Call) Reaction {
	if p.cfg.React != nil {
		return p.cfg.React(c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaction
}

// take answers an incoming call, and ends the one that it replaces.
func (c *Call) take(req *sip.Request, tx sip.ServerTransaction, offer session, replaced *Call) {
	if offer.audio.IsValid() {
		c.offered(offer)
	}
	c.mu.Lock()
	c.sdp.direction = offer.direction.answer(c.wanted())
	body := c.sdp.bytes()
	c.mu.Unlock()
	c.media.start()
	ack, err := c.accept(req, tx, body)
	if err != nil {
		c.finish(Ending{Status: sip.StatusRequestTimeout, Reason: err.Error(), Remote: true})
		return
	}
	if !offer.audio.IsValid() { // the offer was ours, the answer is in the ACK (RFC 3261 13.2.1)
		if answer, err := parseSession(ack.Body()); err == nil {
			c.agreed(answer)
		}
	}
	c.reach(Up)
	if replaced != nil {
		_ = replaced.Hangup(c.phone.life) // the replaced call's peer may be gone already
	}
}

func (p *Phone) onAck(req *sip.Request, _ sip.ServerTransaction) {
	c := p.call(req)
	if c == nil || req.CSeq() == nil {
		return
	}
	c.mu.Lock()
	acks := c.acks[req.CSeq().SeqNo]
	c.mu.Unlock()
	select {
	case acks <- req:
	default: // repetitions that nobody waits for
	}
}

func (p *Phone) onBye(req *sip.Request, tx sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		p.reply(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	var reason string
	if h := req.GetHeader("Reason"); h != nil {
		reason = h.Value()
	}
	c.finish(Ending{Reason: reason, Remote: true})
	_ = tx.Respond(c.response(req, 200, "OK"))
}
