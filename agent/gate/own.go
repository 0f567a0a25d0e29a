package gate

import (
	"context"
	"fmt"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// What somebody does with a call of his own needs no right: his telephone can do it. So the policy has no actions for it, and the record has these
// words. Where a number is dialled for it, that is decided as dial; whoever may not call somebody does not have him called by sending others there.
//
// A lock is against supervision and bars nobody from a call of his own; it goes where the locked legs go. Who is protected may be hung up, transferred
// and parked by who talks to him.

// ownWord is what is done with a call of one's own, in the record and the metrics; empty for nothing of the kind.
type ownWord string

// The words.
const (
	wordHangUp   ownWord = "call.hangup"
	wordTransfer ownWord = "call.transfer"
	wordAttended ownWord = "call.attended_transfer"
	wordCancel   ownWord = "call.cancel_transfer"
	wordRedirect ownWord = "call.redirect"
	wordPark     ownWord = "call.park"
	wordConnect  ownWord = "call.connect"
	wordMute     ownWord = "call.mute"
	wordPress    ownWord = "call.press"
)

// ownCallCode is why it is permitted, in the record and the metrics.
const ownCallCode = "own_call"

// What a client that steers calls itself does with the subject's own phones. Ringing one is in the record, as hanging up is; the rest is counted.
const (
	wordOriginate ownWord = "stasis.originate"
	wordBridge    ownWord = "stasis.bridge" // makes and removes bridges, puts legs into them and takes them out
	wordLeg       ownWord = "stasis.leg"    // holds, mutes, rings, silences, presses digits
	wordPlay      ownWord = "stasis.play"   // plays, and music
)

// ownPhoneCode is why a phone may be rung.
const ownPhoneCode = "own_phone"

// String is the word.
func (w ownWord) String() string { return string(w) }

// doing is what an act is about, by the name that it has in the record and the metrics.
func (a *act) doing() fmt.Stringer {
	if a.word != "" {
		return a.word
	}
	return a.action
}

// Side says which leg of a call of one's own is meant. The zero value is none.
type Side string

// The sides.
const (
	SideOwn   Side = "own"   // one's own phone's
	SideOther Side = "other" // the one that it talks to
	SideBoth  Side = "both"
)

// The directions of Mute.
const (
	MuteIn  = "in"  // what one's own phone sends
	MuteOut = "out" // what it hears
	MuteAll = "all"
)

// OwnAsk is a request about a call that one is on oneself.
type OwnAsk struct {
	Call      string // its handle, on one's own row; required
	Other     string // Connect: the handle of the second call, on one's own row
	With      string // the handle, as that of a channel, of who is on the other side: if he is not there any more nothing is done; empty: whoever is
	OtherWith string // Connect: the same, of the second call
	Number    string // Transfer, AttendedTransfer, Redirect: where to, as one would dial it
	Side      Side   // Redirect: who goes there
	Digits    string // Press: 0 to 9, A to D, * and #, at most MaxDigits
	Direction string // Mute: MuteIn, MuteOut or MuteAll
	On        bool   // Mute: whether it is muted, or no more
	Reason    string // why he asks, in his own words, for the record
	Door      string // which door it came in by, for the record
}

// MaxDigits is how many digits are pressed at once.
const MaxDigits = 20

// HangUp hangs the subject's own leg up, whatever it does; one by which he supervises is EndSupervision's. It returns when Asterisk has been told.
func (g *Gate) HangUp(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	if id := g.supervisionOn(s, ask.Call); id != "" {
		return g.EndSupervision(ctx, s, id)
	}
	k := g.newDeed(s, wordHangUp, ask)
	k.need = needLeg
	return g.deal(ctx, k, func(ctx context.Context) error { return g.cfg.PBX.Drop(ctx, "", k.one.leg) })
}

// Transfer sends who is on the other side to a number that the subject may call himself, and so takes his own phone out of the call.
func (g *Gate) Transfer(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	k := g.newDeed(s, wordTransfer, ask)
	k.need, k.leads = needOther, true
	return g.deal(ctx, k, func(ctx context.Context) error {
		return g.cfg.PBX.Transfer(ctx, pbx.Transfer{Leg: k.one.leg, To: g.place(k)})
	})
}

// AttendedTransfer has who is on the other side wait with music while the subject's own phone calls a number that he may call. When he hangs up, the two
// others talk; if that number has not answered by then, whoever waits calls it. When it does not answer, hangs up or is given up by CancelTransfer, the
// subject has back who waits.
func (g *Gate) AttendedTransfer(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	k := g.newDeed(s, wordAttended, ask)
	k.need, k.leads = needOther, true
	return g.deal(ctx, k, func(ctx context.Context) error {
		err := g.cfg.PBX.Consult(ctx, pbx.Consult{
			Asks: k.one.leg, Waits: k.one.mate, AsksName: k.one.name, WaitsName: k.one.mateName, To: g.place(k),
		})
		if err != nil {
			g.locked(func(*call.Table) { delete(g.consults, k.one.leg) })
		}
		return err
	})
}

// CancelTransfer ends the call to the number of an AttendedTransfer, and so gives the subject back who waits.
func (g *Gate) CancelTransfer(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	k := g.newDeed(s, wordCancel, ask)
	k.need = needConsult
	return g.deal(ctx, k, func(ctx context.Context) error { return g.cfg.PBX.Drop(ctx, "", k.one.mate) })
}

// Redirect sends the subject's own leg, the other side or both to a number that he may call. Who is left alone has no call any more.
func (g *Gate) Redirect(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	k := g.newDeed(s, wordRedirect, ask)
	k.need, k.leads, k.mode = needOther, true, string(ask.Side)
	switch ask.Side {
	case SideOther, SideBoth:
	case SideOwn:
		k.need = needUp
	default:
		return badSide()
	}
	return g.deal(ctx, k, func(ctx context.Context) error {
		legs := k.moved()
		o := pbx.Redirect{Leg: legs[0], To: g.place(k)}
		if len(legs) > 1 {
			o.With = legs[1]
		}
		return g.cfg.PBX.Redirect(ctx, o)
	})
}

// Park parks who is on the other side, in the lot that Asterisk's configuration has for him. The subject's phone is told the space and hung up. Whoever
// dials the space has him; when nobody does in time he rings at that phone again.
func (g *Gate) Park(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	k := g.newDeed(s, wordPark, ask)
	k.need = needOther
	return g.deal(ctx, k, func(ctx context.Context) error {
		return g.cfg.PBX.Park(ctx, pbx.Park{Leg: k.one.mate, ByName: k.one.name})
	})
}

// Connect puts together who is on the other sides of two calls of the subject's own, and so takes his phone out of both. He has to be one who could have
// transferred the one to the other: who may call either of the two. Nobody is called by the number that he claims himself.
func (g *Gate) Connect(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	k := g.newDeed(s, wordConnect, ask)
	k.need, k.joins = needOther, true
	return g.deal(ctx, k, func(ctx context.Context) error {
		return g.cfg.PBX.Connect(ctx, pbx.Connect{OneName: k.one.mateName, OtherName: k.two.mateName})
	})
}

// Mute mutes the subject's own leg, or unmutes it.
func (g *Gate) Mute(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	if ask.Direction != MuteIn && ask.Direction != MuteOut && ask.Direction != MuteAll {
		return badDirection()
	}
	k := g.newDeed(s, wordMute, ask)
	k.need, k.mode = needUp, ask.Direction+"_off"
	if ask.On {
		k.mode = ask.Direction + "_on"
	}
	return g.deal(ctx, k, func(ctx context.Context) error {
		return g.cfg.PBX.Mute(ctx, pbx.Mute{Leg: k.one.leg, Direction: ask.Direction, On: ask.On})
	})
}

// Press sends the other side digits, as if the subject had pressed them. They go out to its telephone or trunk and not into the call, so that they are no
// feature code of this PBX, whatever they are. It returns when all have been sent. What they are is not recorded.
func (g *Gate) Press(ctx context.Context, s auth.Subject, ask OwnAsk) error {
	if !areDigits(ask.Digits) {
		return badDigits()
	}
	k := g.newDeed(s, wordPress, ask)
	k.need = needOther
	return g.deal(ctx, k, func(ctx context.Context) error {
		return g.cfg.PBX.Press(ctx, pbx.Press{Leg: k.one.other, Digits: ask.Digits})
	})
}
