package phone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// State is where a call stands.
type State uint8

// A call goes through these in order, and may leave any out.
const (
	Dialling State = iota + 1 // INVITE sent, no 180 yet
	Ringing                   // 180 received, or an incoming call not yet answered
	Up                        // answered and acknowledged
	Ended
)

// String gives the state's name in lower case.
func (s State) String() string {
	switch s {
	case Dialling:
		return "dialling"
	case Ringing:
		return "ringing"
	case Up:
		return "up"
	case Ended:
		return "ended"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Identity is a party as it is shown on a display. It is only claimed.
type Identity struct {
	Name, Number string
}

// Ending says how a call ended.
type Ending struct {
	Status int    // SIP status that ended it; 0 for BYE and for a phone that was closed
	Reason string // its reason phrase, or the BYE's Reason header
	Remote bool   // the other side ended it
}

// An EndedError is returned by a wait that the end of the call made pointless.
type EndedError struct{ Ending }

func (e *EndedError) Error() string {
	who := "this side"
	if e.Remote {
		who = "the other side"
	}
	if e.Status == 0 {
		return strings.TrimSpace("call ended by " + who + " " + e.Reason)
	}
	return fmt.Sprintf("call ended by %s: %d %s", who, e.Status, e.Reason)
}

var (
	errHungUp    = errors.New("call has ended")
	errNotUp     = errors.New("call is not up")
	errNoRinging = errors.New("call is not an incoming one that rings")
)

// party is one side of a dialog (RFC 3261 12).
type party struct {
	name string
	uri  sip.Uri
	tag  string
}

// Call is one call of a phone. All methods are safe for concurrent use, and
// what was heard stays readable after the call has ended.
type Call struct {
	phone    *Phone
	id       string
	incoming bool
	called   string
	media    *media

	ringing, answered, done chan struct{}

	decide   chan decision // incoming: what the user does; room for one
	giveUp   chan struct{} // outgoing: the user hangs up before the answer
	turn     chan struct{} // holds a token while an offer is under way (RFC 3264 4)
	progress chan int      // statuses that NOTIFY tells of a transfer

	giveUpOnce sync.Once

	mu       sync.Mutex
	state    State
	ending   Ending
	remote   Identity
	local    party
	peer     party
	target   sip.Uri // where requests in the dialog go
	cseq     uint32
	sdp      session                      // ours, as sent last
	held     bool                         // by us
	heldByIt bool                         // by the other side
	offers   bool                         // a re-INVITE of ours is under way
	acks     map[uint32]chan *sip.Request // by sequence number, who waits for the ACK of our 2xx: they may overtake one another
}

type decision struct {
	reject int // 0: answer
}

func newCallID() string { return sip.GenerateTagN(24) }

func (p *Phone) newCall(id string, incoming bool, called string, tone Tone) (*Call, error) {
	m, err := openMedia(p.cfg.Host, tone)
	if err != nil {
		return nil, err
	}
	c := &Call{
		phone:    p,
		id:       id,
		incoming: incoming,
		called:   called,
		media:    m,
		ringing:  make(chan struct{}),
		answered: make(chan struct{}),
		done:     make(chan struct{}),
		decide:   make(chan decision, 1),
		giveUp:   make(chan struct{}),
		turn:     make(chan struct{}, 1),
		acks:     make(map[uint32]chan *sip.Request),
		progress: make(chan int, 16),
		state:    Dialling,
		local:    party{tag: sip.GenerateTagN(16)},
		cseq:     1 + rand.Uint32N(1000),
		sdp:      session{id: rand.Uint64N(1 << 40), audio: m.local(), event: payloadEvent},
	}
	if err := p.add(c); err != nil {
		m.close()
		return nil, err
	}
	return c, nil
}

// ID is the SIP Call-ID.
func (c *Call) ID() string { return c.id }

// Phone is the phone whose call it is.
func (c *Call) Phone() *Phone { return c.phone }

// Incoming reports whether the phone was called.
func (c *Call) Incoming() bool { return c.incoming }

// Called is the number dialled: by the phone, or by whoever called it (the
// user part of the request URI).
func (c *Call) Called() string { return c.called }

// State is where the call stands now.
func (c *Call) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Remote is the other side as the phone's display shows it: P-Asserted-Identity
// or Remote-Party-ID where the PBX sends one, else From, else what was dialled.
// A PBX changes it during the call.
func (c *Call) Remote() Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// Held reports whether this phone holds the call.
func (c *Call) Held() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

// HeldByOther reports whether the other side has told this phone that it holds.
// A PBX usually keeps that to itself and plays music instead.
func (c *Call) HeldByOther() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heldByIt
}

// Done is closed when the call has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Ending says how the call ended; it is zero before.
func (c *Call) Ending() Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// WaitRinging waits until the call rings (or is up). The error is an
// [*EndedError] if it ends before.
func (c *Call) WaitRinging(ctx context.Context) error { return c.wait(ctx, c.ringing, "ring") }

// WaitAnswered waits until the call is up. The error is an [*EndedError] if
// it ends before.
func (c *Call) WaitAnswered(ctx context.Context) error { return c.wait(ctx, c.answered, "be answered") }

// WaitEnded waits until the call has ended.
func (c *Call) WaitEnded(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s waiting for the call to end: %w", c, ctx.Err())
	}
}

func (c *Call) wait(ctx context.Context, reached <-chan struct{}, what string) error {
	select {
	case <-reached:
		return nil
	default:
	}
	select {
	case <-reached:
		return nil
	case <-c.done:
		// The state may have been reached just before the end.
		select {
		case <-reached:
			return nil
		default:
			return &EndedError{c.Ending()}
		}
	case <-ctx.Done():
		return fmt.Errorf("%s waiting for the call to %s: %w", c, what, ctx.Err())
	}
}

// String names the call by the phone and the direction, for messages of tests.
func (c *Call) String() string {
	if c.incoming {
		return c.phone.cfg.User + "'s incoming call (" + c.State().String() + ")"
	}
	return c.phone.cfg.User + "'s call to " + c.called + " (" + c.State().String() + ")"
}

// Silence stops (or resumes) sending RTP altogether, as a phone with voice
// activity detection or a broken line does.
func (c *Call) Silence(on bool) {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	c.media.silent = on
}

// SetTone changes the voice of this call.
func (c *Call) SetTone(t Tone) {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	c.media.tone = t
}

// Tone is the voice of this call.
func (c *Call) Tone() Tone {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.tone
}

// Audio gives the addresses between which audio flows: the phone's own, and
// the one that the other side named last. When both phones of a call name each other's,
// audio bypasses the PBX.
func (c *Call) Audio() (own, other netip.AddrPort) {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.local(), c.media.remote
}

// DTMF sends digits (0-9, *, #, A-D) as telephone-events (RFC 4733) and
// returns when the last one was sent, about a quarter of a second each.
func (c *Call) DTMF(ctx context.Context, digits string) error {
	if c.State() != Up {
		return fmt.Errorf("%s: %w", c, errNotUp)
	}
	return c.media.press(ctx, digits)
}

// Digits are the DTMF digits received as telephone-events so far.
func (c *Call) Digits() string {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.heard.String()
}

// Answer accepts an incoming call and returns when the other side has
// acknowledged it.
func (c *Call) Answer(ctx context.Context) error {
	if err := c.choose(decision{}); err != nil {
		return err
	}
	return c.WaitAnswered(ctx)
}

// Reject refuses an incoming call with a SIP status, such as 486 or 603.
func (c *Call) Reject(ctx context.Context, status int) error {
	if err := c.choose(decision{reject: status}); err != nil {
		return err
	}
	return c.WaitEnded(ctx)
}

func (c *Call) choose(d decision) error {
	if !c.incoming || c.State() != Ringing {
		return fmt.Errorf("%s: %w", c, errNoRinging)
	}
	select {
	case c.decide <- d:
		return nil
	default:
		return fmt.Errorf("%s: answered or rejected already", c)
	}
}

// Hangup ends the call as fits its state: CANCEL, 603 or BYE. It returns when
// the call has ended, and nil if it had before.
func (c *Call) Hangup(ctx context.Context) error {
	switch state := c.State(); {
	case state == Ended:
		return nil
	case state == Up:
		return c.bye(ctx)
	case c.incoming:
		// A choice made before is as good: answered, the call is ended below.
		_ = c.choose(decision{reject: 603})
	default:
		c.giveUpOnce.Do(func() { close(c.giveUp) })
	}
	select {
	case <-c.done:
		return nil
	case <-c.answered:
		return c.bye(ctx)
	case <-ctx.Done():
		return fmt.Errorf("%s: hang up: %w", c, ctx.Err())
	}
}

// reach moves the call forward to a state; it never moves back.
func (c *Call) reach(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= s {
		return
	}
	if c.state < Ringing {
		close(c.ringing)
	}
	if s == Up {
		close(c.answered)
	}
	c.state = s
}

// finish ends the call; only the first ending counts.
func (c *Call) finish(e Ending) {
	c.mu.Lock()
	if c.state == Ended {
		c.mu.Unlock()
		return
	}
	c.state, c.ending = Ended, e
	c.mu.Unlock()
	c.phone.remove(c)
	c.media.close()
	close(c.done)
}

// show takes over who the other side says it is, if it says so.
func (c *Call) show(msg interface{ GetHeader(string) sip.Header }) {
	for _, name := range [...]string{"P-Asserted-Identity", "Remote-Party-ID"} {
		if h := msg.GetHeader(name); h != nil {
			if id, ok := parseIdentity(h.Value()); ok {
				c.mu.Lock()
				c.remote = id
				c.mu.Unlock()
				return
			}
		}
	}
}

func parseIdentity(value string) (Identity, bool) {
	var uri sip.Uri
	var params sip.HeaderParams
	name, err := sip.ParseAddressValue(value, &uri, &params)
	if err != nil {
		return Identity{}, false
	}
	return Identity{Name: name, Number: uri.User}, true
}
