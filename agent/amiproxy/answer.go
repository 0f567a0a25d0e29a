package amiproxy

import (
	"context"
	"time"

	"github.com/earshot-pbx/earshot/ami"
)

// What Asterisk says of an Originate (main/manager.c, action_originate and fast_originate). The reasons are the control frames with which dialling ended.
const (
	queued                  = "Originate successfully queued"
	faultOriginate    fault = "Originate failed"
	reasonAnswered          = "4"
	reasonNotAnswered       = "3" // it rang, and nobody answered
)

// answerTime is how long it is waited for a phone to be answered: longer than any rings.
const answerTime = time.Minute

// originated is an Originate whose phone rings.
type originated struct{ id, phone, app, exten string }

// rings answers an Originate that has begun. As with Asterisk, with Async that is answered at once, and an event tells who asked, and nobody else, whether
// the phone was answered; without, the answer waits for that, and so does all that the client asks for next.
func (x *exchange) rings(o originated, err error) error {
	if err != nil {
		return err
	}
	if !truth[fold(x.m.Get("Async"))] {
		ctx, cancel := context.WithTimeout(x.ctx, answerTime)
		defer cancel()
		if up, _ := x.cfg.Gate.Answered(ctx, x.who, o.id); !up {
			return faultOriginate
		}
		return x.session.Success(x.m, queued)
	}
	if err := x.session.Success(x.m, queued); err != nil {
		return err
	}
	later := &exchange{Server: x.Server, ctx: x.ctx, session: x.session, client: x.client, m: x.m.Clone(), who: x.who}
	x.streams.Go(func() { later.response(o) })
	return nil
}

// response sends what became of an Originate. The client's ActionID is in it, since it answers his own action, and nothing else that he sent but the
// number, which the gate has taken for one.
func (x *exchange) response(o originated) {
	ctx, cancel := context.WithTimeout(x.ctx, answerTime)
	defer cancel()
	up, err := x.cfg.Gate.Answered(ctx, x.who, o.id)
	if x.ctx.Err() != nil {
		return // the session is over
	}
	kind, reason := "Failure", reasonNotAnswered
	if up && err == nil {
		kind, reason = "Success", reasonAnswered
	}
	event := ami.NewEvent("OriginateResponse", ami.ClassCall)
	if id := x.m.Get("ActionID"); id != "" {
		event.Append("ActionID", id)
	}
	book := office{book: x.cfg.Gate.Phonebook()}
	me, _ := book.colleague(x.who.Employee())
	number := unknown
	if len(me.Numbers) > 0 {
		number = me.Numbers[0]
	}
	rung, id := o.phone, "<null>"
	if all, err := x.channels(); up && err == nil {
		if c, ok := find(all, x.cfg.Gate.RungChannel(x.who, o.id)); ok {
			rung, id = c.name(), c.ID
		}
	}
	event.Append("Response", kind).Append("Channel", rung)
	if o.app == "" {
		event.Append("Context", x.cfg.Context).Append("Exten", printable(o.exten))
	} else {
		event.Append("Application", o.app).Append("Data", "")
	}
	event.Append("Reason", reason).Append("Uniqueid", id).Append("CallerIDNum", number).Append("CallerIDName", orUnknown(me.Name))
	if p, err := ami.Prepare(event); err == nil { // nothing in it could be wrong: names of the policy are text
		x.session.Send(p)
	}
}
