package pbx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
)

// What somebody does with a call of his own. ARI moves and mutes only legs that are in a Stasis application, so these are AMI's: Redirect with two
// channels is the only thing in Asterisk that takes both out of one bridge without one of them being hung up for it, and BlindTransfer and Park are told
// of as a phone's own are. They need the write class call. A channel is named by its unique id where Asterisk takes that whole, and by its whole name
// where it takes beginnings.

// Place is a number, and the context of the dialplan in which it is looked for.
type Place struct {
	Context string
	Number  call.Number // digits, "+", "*" and "#" only; anything else is refused
}

// Redirect is the order to send a leg, and perhaps the one in its bridge too, to a number.
type Redirect struct {
	Leg  call.LegID
	With call.LegID // goes to the same place at the same time; empty: nobody
	To   Place
}

// Transfer is the order to send whoever is in a leg's bridge to a number, as the phone itself would by a blind transfer.
type Transfer struct {
	Leg call.LegID
	To  Place
}

// Consult is the order to have one leg wait with music while the other, which is in its bridge, calls a number by a Local channel. The include does the
// rest by itself, whatever becomes of who gave the order: see [ExtenAsks], [ExtenMeets] and [ExtenWaits].
type Consult struct {
	Asks, Waits         call.LegID
	AsksName, WaitsName string // the channels' whole names
	To                  Place
}

// Park is the order to park a leg that is in a bridge with another, at whose phone it rings again when nobody fetches it.
type Park struct {
	Leg    call.LegID
	ByName string // the other channel's whole name
}

// Connect is the order to put two legs together, each out of the bridge that it is in. Asterisk takes beginnings of names there, so they are whole ones.
type Connect struct{ OneName, OtherName string }

// Mute is the order to mute a leg, or to unmute it.
type Mute struct {
	Leg       call.LegID
	Direction string // "in", "out" or "all"
	On        bool
}

// Press is the order to send digits out to a leg's phone or trunk.
type Press struct {
	Leg    call.LegID
	Digits string // 0 to 9, A to D, * and #
}

// Where in the include an attended transfer is.
const (
	ExtenAsks  = "asks"  // who transfers: calls the number, and has who waits back when that is over
	ExtenMeets = "meets" // the number's side, when who transfers has hung up: joins who waits
	ExtenWaits = "waits" // who waits: goes to the number himself when who transfers is gone and nobody has come

	HereVariable    = "EARSHOT_HERE"    // shared, of who waits: when he last did
	AsksVariable    = "EARSHOT_ASKS"    // on who waits: the name of who transfers
	WaitsVariable   = "EARSHOT_WAITS"   // on who transfers, and on the Local channel by which he calls: the name of who waits
	NumberVariable  = "EARSHOT_NUMBER"  // on both: where to
	ContextVariable = "EARSHOT_CONTEXT" // and from which context
)

var (
	// ErrNoRight means that Earshot's AMI account lacks the write class call.
	ErrNoRight = errors.New("the AMI account has no write class call")
	// ErrNoExtension means that the dialplan has no such number where calls begin.
	ErrNoExtension = errors.New("the dialplan has no such extension")
)

// digitTime is how long a digit is pressed, and the pause after it. Asterisk's AMI connection is busy while one is pressed, so that what comes by it, the
// watchdog's events above all, is late by so much; there is one at a time for all, and in the pause goes out what has waited.
const digitTime = 100 * time.Millisecond

// Redirect carries out a Redirect order. ErrNoExtension, ErrGone and ErrNoRight say that nothing was done.
func (l *Link) Redirect(ctx context.Context, o Redirect) error {
	if err := l.leads(ctx, o.Leg, o.To); err != nil {
		return err
	}
	return l.redirect(ctx, o.Leg, o.To.Context, o.To.Number.Digits(), o.With, o.To.Context, o.To.Number.Digits())
}

// redirect sends one or two legs somewhere.
func (l *Link) redirect(ctx context.Context, leg call.LegID, place, exten string, with call.LegID, withPlace, withExten string) error {
	m := ami.NewAction("Redirect").Append("Channel", string(leg)).Append("Context", place).Append("Exten", exten).Append("Priority", "1")
	if with != "" {
		m.Append("ExtraChannel", string(with)).Append("ExtraContext", withPlace).Append("ExtraExten", withExten).Append("ExtraPriority", "1")
	}
	return l.command(ctx, m)
}

// Transfer carries out a Transfer order. The errors are those of Redirect.
func (l *Link) Transfer(ctx context.Context, o Transfer) error {
	if err := l.leads(ctx, o.Leg, o.To); err != nil {
		return err
	}
	return l.command(ctx, ami.NewAction("BlindTransfer").Append("Channel", string(o.Leg)).Append("Context", o.To.Context).Append("Exten", o.To.Number.Digits()))
}

// Consult carries out a Consult order. ErrNoInclude says that nothing was done, and the errors of Redirect too.
func (l *Link) Consult(ctx context.Context, o Consult) error {
	if err := l.leads(ctx, o.Asks, o.To); err != nil {
		return err
	}
	for _, exten := range [...]string{ExtenAsks, ExtenMeets, ExtenWaits} {
		if err := l.hasPlace(ctx, o.Asks, exten); err != nil {
			return err
		}
	}
	if !isWhole(o.AsksName) || !isWhole(o.WaitsName) {
		return errUnnamed
	}
	for _, v := range [...]struct {
		leg         call.LegID
		name, value string
	}{
		{o.Waits, AsksVariable, o.AsksName}, {o.Waits, NumberVariable, o.To.Number.Digits()}, {o.Waits, ContextVariable, o.To.Context},
		{o.Asks, "_" + WaitsVariable, o.WaitsName}, // the channel that it dials has it too
		{o.Asks, NumberVariable, o.To.Number.Digits()}, {o.Asks, ContextVariable, o.To.Context},
	} {
		if err := l.setvar(ctx, v.leg, v.name, v.value); err != nil {
			return err
		}
	}
	return l.redirect(ctx, o.Asks, BackContext, ExtenAsks, o.Waits, BackContext, ExtenWaits)
}

// Park carries out a Park order, into the lot that Asterisk's configuration has for the leg. ErrGone and ErrNoRight say that nothing was done.
func (l *Link) Park(ctx context.Context, o Park) error {
	if !isWhole(o.ByName) {
		return errUnnamed
	}
	return l.command(ctx, ami.NewAction("Park").Append("Channel", string(o.Leg)).Append("TimeoutChannel", o.ByName))
}

// Connect carries out a Connect order. ErrGone and ErrNoRight say that nothing was done.
func (l *Link) Connect(ctx context.Context, o Connect) error {
	if !isWhole(o.OneName) || !isWhole(o.OtherName) {
		return errUnnamed
	}
	return l.command(ctx, ami.NewAction("Bridge").Append("Channel1", o.OneName).Append("Channel2", o.OtherName).Append("Tone", "no"))
}

// Mute carries out a Mute order. AMI's MuteAudio needs the class system, by which one may stop Asterisk; the function that it calls needs call alone.
func (l *Link) Mute(ctx context.Context, o Mute) error {
	if o.Direction != "in" && o.Direction != "out" && o.Direction != "all" {
		return errors.New("pbx: there is no such direction to mute")
	}
	return l.setvar(ctx, o.Leg, "MUTEAUDIO("+o.Direction+")", map[bool]string{true: "on", false: "off"}[o.On])
}

// Press carries out a Press order, one digit after the other; those of several orders take turns. An error says that not all were sent.
func (l *Link) Press(ctx context.Context, o Press) error {
	if o.Digits == "" || strings.Trim(o.Digits, "0123456789ABCD*#") != "" {
		return errors.New("pbx: what is to be pressed are no digits")
	}
	for _, digit := range o.Digits {
		if err := l.press(ctx, o.Leg, digit); err != nil {
			return err
		}
	}
	return nil
}

// press sends one digit when it is its turn, and leaves the turn to the next after the pause.
func (l *Link) press(ctx context.Context, leg call.LegID, digit rune) error {
	select {
	case l.pressing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := l.command(ctx, ami.NewAction("PlayDTMF").Append("Channel", string(leg)).Append("Digit", string(digit)).Append("Duration", fmt.Sprint(digitTime.Milliseconds())))
	time.AfterFunc(digitTime, func() { <-l.pressing })
	return err
}

// errUnnamed: a leg's name is none that may stand where Asterisk takes beginnings of names.
var errUnnamed = errors.New("pbx: a leg's name cannot be given to Asterisk; it is not a whole one")

// isWhole reports whether s is the whole name of a phone's channel or of half a Local one, and no beginning of another's.
func isWhole(s string) bool {
	if isChannel(s) {
		return true
	}
	rest, local := strings.CutPrefix(s, "Local/")
	place, half := strings.CutSuffix(rest, ";1")
	if !half {
		place, half = strings.CutSuffix(rest, ";2")
	}
	i := strings.LastIndexByte(place, '-')
	return local && half && i > 0 && len(place)-i > 8 && isName(place[:i], "+*#@._-") && strings.Trim(place[i+1:], "0123456789abcdef") == ""
}

// leads asks whether the dialplan has a number for a leg.
func (l *Link) leads(ctx context.Context, leg call.LegID, to Place) error {
	number := to.Number.Digits()
	if number == "" || strings.Trim(number, "0123456789+*#") != "" || !isName(to.Context, "-_") {
		return errors.New("pbx: where a leg is to go is no number")
	}
	err := l.exists(ctx, leg, to.Context, number)
	if errors.Is(err, ErrNoInclude) {
		return ErrNoExtension
	}
	return err
}

// setvar sets a variable, or has a function set something, on any leg.
func (l *Link) setvar(ctx context.Context, leg call.LegID, name, value string) error {
	return l.command(ctx, ami.NewAction("Setvar").Append("Channel", string(leg)).Append("Variable", name).Append("Value", value))
}

// command sends an action, and says by ErrNoRight and ErrGone why Asterisk did nothing of it.
func (l *Link) command(ctx context.Context, m *ami.Message) error {
	c, err := l.manager()
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, m)
	refused := (*ami.RefusedError)(nil)
	switch {
	case !errors.As(err, &refused):
		return err
	case refused.Message == "Permission denied":
		return ErrNoRight
	case strings.Contains(strings.ToLower(refused.Message), "no such channel"), strings.Contains(refused.Message, "does not exist"), strings.Contains(refused.Message, "not found"):
		return ErrGone // without Asterisk's words, which name the channel
	}
	return err
}
