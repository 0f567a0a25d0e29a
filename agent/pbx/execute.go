package pbx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
)

// timeout is the dialplan function that hangs a channel up by itself (Asterisk: func_timeout; seconds from when it is set).
const timeout = "TIMEOUT(absolute)"

// enterTime is how long a new snoop may take to enter the application, and what is undone may take: it is known by an event, which may be late, and so may answers.
const enterTime = 5 * time.Second

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// ErrUnreachable means that Asterisk has no way to ring a phone: mostly, none is registered for the endpoint.
var ErrUnreachable = errors.New("asterisk cannot ring the phone; is it registered?")

// Ring carries out a Ring order. ErrUnreachable says that there is no phone.
func (l *Link) Ring(ctx context.Context, o Ring) error {
	return both(
		func() error {
			if o.Bridge == "" {
				return nil
			}
			return l.CreateBridge(ctx, o.Bridge)
		},
		func() error {
			_, err := l.rest.Originate(ctx, ari.OriginateRequest{
				Endpoint: o.Endpoint, App: l.cfg.Application, ChannelID: string(o.Leg), CallerID: `"` + spoken(o.Display) + `" <>`,
				Timeout: o.Timeout, Variables: map[string]string{timeout: seconds(o.Lease)},
			})
			return unreachable(err)
		},
	)
}

// unreachable says of a channel that Asterisk could not make that it is a phone it cannot ring. ARI has no better word for it than 500.
func unreachable(err error) error {
	if refused := (*ari.StatusError)(nil); errors.As(err, &refused) && refused.Status == http.StatusInternalServerError {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// Tap carries out a Tap order. The snoop has its lease before it joins the bridge, so that there is no moment at which it could outlive Earshot.
// First Tap waits for what Play orders play to the supervisor's leg to end.
func (l *Link) Tap(ctx context.Context, o Tap) error {
	if err := l.playbacks.over(ctx, o.Supervisor); err != nil {
		return err
	}
	if err := l.snoop(ctx, l.snoopRequest(o.Snoop, o.Target, o.Voice)); err != nil {
		return err
	}
	if err := l.Renew(ctx, o.Lease, o.Snoop, o.Supervisor); err != nil {
		return err
	}
	return l.rest.AddChannel(ctx, string(o.Bridge), []string{string(o.Supervisor), string(o.Snoop)}, ari.AddOptions{AbsorbDTMF: true})
}

// snoop makes a snoop and waits until it has entered the application. Asterisk answers before it has, and until then refuses everything that
// is asked of it (ARI: 409, 422). That takes milliseconds, and more on a busy machine.
func (l *Link) snoop(ctx context.Context, r ari.SnoopRequest) error {
	entered, done := l.expect(call.LegID(r.SnoopID))
	defer done()
	if _, err := l.rest.Snoop(ctx, r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, enterTime)
	defer cancel()
	select {
	case <-entered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a snoop to enter the application: %w", ctx.Err())
	}
}

// Renew sets the lease of legs anew.
func (l *Link) Renew(ctx context.Context, lease time.Duration, legs ...call.LegID) error {
	do := make([]func() error, len(legs))
	for i, id := range legs {
		do[i] = func() error { return l.lease(ctx, id, seconds(lease)) }
	}
	return both(do...)
}

// lease sets the lease of a leg. Asterisk does nothing else on one that it plays something to (ARI: the variable's request waits for the end), but AMI sets
// a variable all the same. Where Earshot has no right to that there, the wait is all that is left.
func (l *Link) lease(ctx context.Context, leg call.LegID, lease string) error {
	if l.playbacks.on(leg) {
		if err := l.setvar(ctx, leg, timeout, lease); err == nil || errors.Is(err, ErrGone) {
			return err
		}
	}
	return l.rest.SetVariable(ctx, string(leg), timeout, lease)
}

// headStart is how long the other legs of a Drop wait for the first: each request is a few milliseconds, and an Asterisk that is stuck over one
// must not keep the others.
const headStart = 50 * time.Millisecond

// Drop hangs legs up and removes a bridge. What is gone already is no error. The first leg goes first: where many supervisions end at once, no
// supervisor's leg waits for what it needs no more than another's.
func (l *Link) Drop(ctx context.Context, bridge call.BridgeID, legs ...call.LegID) error {
	first := make(chan struct{})
	do := make([]func() error, 0, len(legs))
	for i, id := range legs {
		l.unheeded(id)
		do = append(do, func() error {
			if i == 0 {
				defer close(first)
			} else {
				select {
				case <-first:
				case <-time.After(headStart):
				}
			}
			return unlessGone(l.rest.Hangup(ctx, string(id), "normal"))
		})
	}
	err := both(do...)
	if bridge != "" {
		err = errors.Join(err, unlessGone(l.rest.DestroyBridge(ctx, string(bridge))))
	}
	return err
}

// Take carries out a Take order: PickupChan with a unique id, which matches that channel alone, run by the taker's phone once it is answered.
func (l *Link) Take(ctx context.Context, o Take) error {
	if err := takable(o.Ringing); err != nil {
		return err
	}
	c, err := l.manager()
	if err != nil {
		return err
	}
	m := ami.NewAction("Originate").
		Append("Channel", o.Endpoint).
		Append("Application", "PickupChan").
		Append("Data", string(o.Ringing)).
		Append("CallerID", `"`+spoken(o.Display.Name)+`" <`+dialable(o.Display.Number)+`>`).
		Append("Timeout", strconv.FormatInt(o.Timeout.Milliseconds(), 10)).
		Append("ChannelId", string(o.Leg)).
		Append("Async", "true")
	_, err = c.Do(ctx, m)
	return err
}

// takable reports whether a unique id can be given to PickupChan as it is.
func takable(ringing call.LegID) error {
	if strings.ContainsAny(string(ringing), "-&@,") {
		// A hyphen makes PickupChan read its argument as the beginning of a name, the others as a list, a mark or an option.
		return errors.New("pbx: the unique id of the ringing channel cannot be given to PickupChan; remove systemname from asterisk.conf")
	}
	return nil
}

func unlessGone(err error) error {
	if errors.Is(err, ari.ErrNotFound) {
		return nil
	}
	return err
}

// both does several things at once and joins what went wrong.
func both(do ...func() error) error {
	errs := make([]error, len(do))
	var wg sync.WaitGroup
	for i, f := range do {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// spoken makes a name fit for a caller id: what could end the quoted part, or be evaluated by Asterisk, is left out.
func spoken(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || strings.ContainsRune(`"\<>$;,`, r) {
			return -1
		}
		return r
	}, name)
}

// dialable keeps of a number what a caller id number is made of.
func dialable(n call.Number) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' || r == '*' || r == '#' {
			return r
		}
		return -1
	}, n.Digits())
}

// Received returns how many RTP packets Asterisk has had from a leg's phone. It is an error where the leg has no RTP of its own.
func (l *Link) Received(ctx context.Context, leg call.LegID) (uint64, error) {
	s, err := l.rest.RTPStatistics(ctx, string(leg))
	if err != nil {
		return 0, err
	}
	return s.Received, nil
}
