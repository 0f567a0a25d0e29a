package gate

import (
	"context"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/policy"
)

// Codes are the feature codes by which a desk phone asks Earshot for something. A colleague's number follows all but GroupPickup and Lock; an empty
// one is none.
type Codes struct {
	Spy         string
	Whisper     string
	Barge       string
	Pickup      string
	GroupPickup string
	Lock        string
}

// CodeAsk is a request by what a phone would dial.
type CodeAsk struct {
	Extension string
	Phone     string // the own phone that is to ring for it; for Lock the one that would dial
	Reason    string // why he asks, for Spy, Whisper and Barge; see [Ask]
	Door      string
}

// Rung is what a request by a code has begun: its id, and the phone that rings for it. Both are empty where none does.
type Rung struct{ ID, Phone string }

// Dialled carries out what an extension asks for that is one of the codes: the command that the code stands for, decided and recorded as that, for which no phone
// need dial anything. It reports whether the extension is such a code; all other extensions are numbers.
func (c *Codes) Dialled(ctx context.Context, g *Gate, s auth.Subject, ask CodeAsk) (v Rung, is bool, err error) {
	switch ask.Extension {
	case "":
		return v, false, nil
	case c.GroupPickup:
		i, err := g.InterceptOldest(ctx, s, Ask{Phone: ask.Phone, Door: ask.Door})
		return Rung{i.ID, i.Phone}, true, err
	case c.Lock:
		return v, true, g.switchLocks(ctx, s, ask)
	}
	if number, ok := after(ask.Extension, c.Pickup); ok {
		i, err := g.Intercept(ctx, s, Ask{Number: number, Phone: ask.Phone, Door: ask.Door})
		return Rung{i.ID, i.Phone}, true, err
	}
	for _, o := range [...]struct {
		code string
		mode policy.Action
	}{{c.Spy, policy.Spy}, {c.Whisper, policy.Whisper}, {c.Barge, policy.Barge}} {
		if number, ok := after(ask.Extension, o.code); ok {
			a, err := g.Supervise(ctx, s, Ask{Number: number, Mode: o.mode.String(), Phone: ask.Phone, Reason: ask.Reason, Door: ask.Door})
			return Rung{a.ID, a.Phone}, true, err
		}
	}
	return v, false, nil
}

// after is the number that follows a code.
func after(exten, code string) (number string, ok bool) {
	number, ok = strings.CutPrefix(exten, code)
	return number, ok && code != "" && number != "" && strings.Trim(number, "0123456789") == ""
}

// switchLocks takes the subject's locks off, or locks the call that he is on where he has none.
func (g *Gate) switchLocks(ctx context.Context, s auth.Subject, ask CodeAsk) error {
	if me, _ := g.Colleague(s.Employee()); !slices.Contains(me.Phones, ask.Phone) {
		return notYourPhone()
	}
	locks, err := g.Locks(s)
	if err != nil {
		return err
	}
	for _, l := range locks {
		if err := g.Unlock(ctx, s, l.ID); err != nil {
			return err
		}
	}
	if len(locks) == 0 {
		_, err = g.Lock(ctx, s, LockAsk{Door: ask.Door})
	}
	return err
}
