package amiproxy

import (
	"context"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

const (
	faultCause     fault = "Cause is a number from 1 to 127."
	faultContext   fault = "Context is a plain name."
	faultPriority  fault = "Priority is 1."
	faultExtension fault = "Exten not specified"
	faultOneCall   fault = "Channel and ExtraChannel are the two sides of one call of your own."
	faultTwoCalls  fault = "Channel1 and Channel2 are calls of your own."
	faultDigit     fault = "Digit is one of 0 to 9, A to D, * and #."
	faultReceive   fault = "A digit is not received from a channel here."
	faultMute      fault = "Direction is in, out or all, and State on or off."
	faultParking   fault = "Where a call is parked is the PBX's to say."
)

// act does something with a call of the subject's own, and answers.
func (x *exchange) act(do func(context.Context, auth.Subject, gate.OwnAsk) error, ask gate.OwnAsk, words string) error {
	ask.Door = doorName
	return x.done(words, do(x.ctx, x.who, ask))
}

// mine reads which call of the subject's own a header means, and on which side of it the channel is. Who is named on the other side has to be there yet when
// it is decided. Of a channel that the subject is not shown the answer is that there is none.
func (x *exchange) mine(header string) (gate.OwnAsk, error) {
	all, err := x.channels()
	if err != nil {
		return gate.OwnAsk{}, err
	}
	name := x.m.Get(header)
	if name == "" {
		return gate.OwnAsk{}, faultUnsaid
	}
	c, ok := x.find(all, name)
	if !ok {
		return gate.OwnAsk{}, faultNoChannel
	}
	call, side, ok := x.ownCall(all, c)
	if !ok {
		return gate.OwnAsk{}, faultNotOwn
	}
	ask := gate.OwnAsk{Call: call, Side: side}
	if side == gate.SideOther {
		ask.With = c.ID
	}
	return ask, nil
}

// myLeg is mine, of the subject's own leg alone.
func (x *exchange) myLeg() (gate.OwnAsk, error) {
	ask, err := x.mine("Channel")
	if err == nil && ask.Side != gate.SideOwn {
		return ask, faultNotOwn
	}
	return ask, err
}

// hangup is Hangup, of the subject's own leg: that by which he supervises, or by which he talks. Why is Earshot's to say.
func (x *exchange) hangup() error {
	if c := x.m.Get("Cause"); len(c) > 3 || strings.Trim(c, "0123456789") != "" {
		return faultCause
	}
	ask, err := x.myLeg()
	if err != nil {
		return err
	}
	return x.act(x.cfg.Gate.HangUp, ask, "Channel Hungup")
}

// place looks at where in the dialplan a call is to go. Only the number says that: the context is Earshot's, and what begins at another priority is no
// number's beginning.
func (x *exchange) place() (number string, err error) {
	for _, side := range []string{"", "Extra"} {
		if c := x.m.Get(side + "Context"); strings.Trim(c, letters+"0123456789_.-") != "" {
			return "", faultContext
		}
		if n := x.m.Get(side + "Priority"); n != "" && n != "1" {
			return "", faultPriority
		}
	}
	if number = x.m.Get("Exten"); number == "" {
		return "", faultExtension
	}
	return number, nil
}

// redirect is Redirect, by which panels transfer: Channel is the other side's, and goes to the number; or one's own; or both are named and both go.
func (x *exchange) redirect() error {
	number, err := x.place()
	if err != nil {
		return err
	}
	ask, err := x.mine("Channel")
	if err != nil {
		return err
	}
	ask.Number = number
	if x.m.Get("ExtraChannel") != "" {
		other, err := x.mine("ExtraChannel")
		if err != nil {
			return err
		}
		if extra := x.m.Get("ExtraExten"); other.Call != ask.Call || other.Side == ask.Side || extra != "" && extra != number {
			return faultOneCall
		}
		ask.Side, ask.With = gate.SideBoth, ask.With+other.With // one of the two is named
	}
	return x.act(x.cfg.Gate.Redirect, ask, "Redirect successful")
}

// blindTransfer is BlindTransfer.
func (x *exchange) blindTransfer() error {
	return x.transfer(x.cfg.Gate.Transfer, "Transfer succeeded")
}

// atxfer is Atxfer.
func (x *exchange) atxfer() error {
	return x.transfer(x.cfg.Gate.AttendedTransfer, "Atxfer successfully queued")
}

// transfer has who is on the other side of one's own leg go to the number.
func (x *exchange) transfer(do func(context.Context, auth.Subject, gate.OwnAsk) error, words string) error {
	number, err := x.place()
	if err != nil {
		return err
	}
	ask, err := x.myLeg()
	if err != nil {
		return err
	}
	ask.Number = number
	return x.act(do, ask, words)
}

// cancelAtxfer is CancelAtxfer.
func (x *exchange) cancelAtxfer() error {
	ask, err := x.myLeg()
	if err != nil {
		return err
	}
	return x.act(x.cfg.Gate.CancelTransfer, ask, "Atxfer successfully canceled")
}

// park is Park, of the other side: Channel is its channel, or one's own with that of the other side announced to, as panels have it. Where it is parked and
// who is told is not the client's to say.
func (x *exchange) park() error {
	for _, header := range []string{"Parkinglot", "ParkingSpace"} {
		if x.m.Get(header) != "" {
			return faultParking
		}
	}
	ask, err := x.mine("Channel")
	if err != nil {
		return err
	}
	for _, header := range []string{"TimeoutChannel", "AnnounceChannel", "Channel2"} {
		if x.m.Get(header) == "" {
			continue
		}
		if other, err := x.mine(header); err != nil {
			return err
		} else if other.Call != ask.Call || ask.With != "" && other.With != "" && other.With != ask.With {
			return faultNotOwn
		} else if ask.With == "" {
			ask.With = other.With
		}
	}
	return x.act(x.cfg.Gate.Park, ask, "Park successful")
}

// bridge is Bridge: who is on the other sides of two calls of one's own is put together.
func (x *exchange) bridge() error {
	one, err := x.mine("Channel1")
	if err != nil {
		return err
	}
	two, err := x.mine("Channel2")
	if err != nil {
		return err
	}
	if one.Call == two.Call {
		return faultTwoCalls
	}
	one.Other, one.OtherWith = two.Call, two.With
	return x.act(x.cfg.Gate.Connect, one, "Bridged channels")
}

// muteAudio is MuteAudio, of one's own leg.
func (x *exchange) muteAudio() error {
	direction := fold(x.m.Get("Direction"))
	on, ok := map[string]bool{"on": true, "off": false}[fold(x.m.Get("State"))]
	if !ok || direction != "in" && direction != "out" && direction != "all" {
		return faultMute
	}
	ask, err := x.myLeg()
	if err != nil {
		return err
	}
	ask.Direction, ask.On = direction, on
	return x.act(x.cfg.Gate.Mute, ask, "")
}

// playDTMF is PlayDTMF: one digit, to the other side of one's own call. How long it sounds is the PBX's to say.
func (x *exchange) playDTMF() error {
	digit := x.m.Get("Digit")
	if len(digit) != 1 || !strings.Contains("0123456789ABCDabcd*#", digit) {
		return faultDigit
	}
	if received := x.m.Get("Receive"); received != "" && truth[fold(received)] {
		return faultReceive
	}
	ask, err := x.mine("Channel")
	if err != nil {
		return err
	}
	ask.Digits = strings.ToUpper(digit)
	return x.act(x.cfg.Gate.Press, ask, "DTMF successfully queued")
}
