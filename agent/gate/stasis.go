package gate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// Stasis is what one client that steers calls itself has under its hand, as an application of Asterisk's REST interface has: legs of its subject's own
// phones that stay in Earshot's Stasis application, bridges into which it puts them, what it plays there, and supervisions that have one of those legs
// for their ear. Nobody else has a way to it, and nothing else is in it. Its legs have a lease, as those of a supervision have, so that none outlives
// Earshot. It is safe for concurrent use.
//
// Ids are handles: those of legs are the ones that the subject knows his own channels by; those of bridges and playbacks are its own.
// Whatever is not in it, is there no more or never was has one answer.
type Stasis struct {
	gate    *Gate
	subject auth.Subject
	door    string

	ctx  context.Context // of its orders; ends when it has to
	stop context.CancelFunc
	done chan struct{} // closed when it is over: all is hung up, and told

	// turn has room for one: who changes who is in which bridge of the PBX sends, and receives when what he did is in the model. The gate's lock is never
	// held while one waits for it.
	turn chan struct{}

	news    stasisNews     // what is to be told
	orders  sync.WaitGroup // those that are under way; added to under the gate's lock unless it has ended
	renews  chan struct{}  // has room for one: the lease of a leg is to be renewed soon
	settles chan struct{}  // the same: legs may have to be put back into their bridges

	// The gate's lock guards what follows.
	ended     bool
	legs      []*stasisLeg      // in the order in which they were asked for
	snoops    []*stasisSnoop    // the same
	bridges   []*stasisBridge   // the same
	playbacks []*stasisPlayback // the same
	expiry    *time.Timer       // of the credential
}

// StasisEvent is one thing that has happened to a Stasis.
type StasisEvent struct {
	Kind     StasisKind
	Channel  *mask.Channel // of a leg as it is now; of a snoop ID, Linked and State alone, with Snoop
	Snoop    string        // the id of the supervision that Channel is the snoop of; empty of a phone's leg
	Bridge   StasisBridge
	Playback StasisPlayback
	Digit    string // StasisPressed
	Reason   string // StasisEnded of a snoop: why the supervision is over, one of the reasons of mask.Supervision
}

// StasisKind says what has happened.
type StasisKind uint8

// The kinds. Each names what it uses of StasisEvent beside Kind.
const (
	StasisBegan      StasisKind = iota + 1 // Channel, Snoop: the phone was answered, or the snoop is there
	StasisEnded                            // Channel, Snoop, Reason
	StasisBridgeMade                       // Bridge
	StasisBridgeGone                       // Bridge, as it was
	StasisEntered                          // Channel, Snoop, Bridge as it is now
	StasisLeft                             // Channel, Snoop, Bridge as it is now
	StasisPressed                          // Channel, Digit: a key of its phone
	StasisPlaying                          // Playback
	StasisNextPlayed                       // Playback: its next medium plays
	StasisPlayed                           // Playback: it is over
)

// StasisBridge is one of its bridges.
type StasisBridge struct {
	ID       string
	Channels []string // handles of legs and ids of snoops, in the order in which they came
}

// StasisPlayback is what it plays.
type StasisPlayback struct {
	ID      string
	Channel string // where: the one or
	Bridge  string // the other
	Media   []string
	Playing int    // which of Media
	State   string // "queued", "playing", "paused", "done" or "failed"
}

// StasisView is what a Stasis has.
type StasisView struct {
	Channels  []mask.Channel     // phones' legs, also such as ring yet
	Snoops    []mask.Supervision // supervisions, also such as wait for a leg; its id is that of the channel that the client puts into a bridge
	Bridges   []StasisBridge     //
	Playbacks []StasisPlayback   //
}

// stasisBook is how the gate finds what is in anybody's Stasis. It is guarded by the gate's lock.
type stasisBook struct {
	open  []*Stasis // in the order in which they were made
	legs  map[call.LegID]*stasisLeg
	rooms map[call.BridgeID]*stasisBridge
	plays map[string]*stasisPlayback // by the id that the PBX has
}

func newStasisBook() stasisBook {
	return stasisBook{legs: map[call.LegID]*stasisLeg{}, rooms: map[call.BridgeID]*stasisBridge{}, plays: map[string]*stasisPlayback{}}
}

// The most of each that one Stasis has, and that all of one subject's have together.
const (
	maxStasisLegs      = 8
	maxStasisBridges   = 8
	maxStasisPlaybacks = 16

	maxSubjectStasis    = 8
	maxSubjectLegs      = 16
	maxSubjectBridges   = 16
	maxSubjectPlaybacks = 32
)

// OpenStasis makes one. What happens is told to tell, in order and never at the same time as another; it must not block, and not call the gate. It lasts
// until Close, or until the subject's credential holds no more, when all that it has is hung up. Either way Close has to be called.
func (g *Gate) OpenStasis(s auth.Subject, door string, tell func(StasisEvent)) (*Stasis, error) {
	st := &Stasis{
		gate: g, subject: s, door: door, turn: make(chan struct{}, 1), done: make(chan struct{}), news: newStasisNews(tell),
		renews: make(chan struct{}, 1), settles: make(chan struct{}, 1),
	}
	st.ctx, st.stop = context.WithCancel(g.ctx)
	var p *Problem
	g.locked(func(*call.Table) {
		_, known := g.policy.Load().Employee(s.Employee())
		mine := 0
		for _, o := range g.stasis.open {
			if o.subject.Employee() == s.Employee() {
				mine++
			}
		}
		switch {
		case g.closed:
			p = stateUnknown()
		case !g.holds(s):
			p = credentialEnded()
		case !known:
			p = refusedSubject()
		case mine >= maxSubjectStasis:
			p = stasisFull()
		}
		if p != nil {
			return
		}
		g.stasis.open = append(g.stasis.open, st)
		g.running.Add(1)
		if at := s.Expires(); !at.IsZero() {
			st.expiry = time.AfterFunc(time.Until(at), func() {
				g.locked(func(*call.Table) {
					if !g.holds(s) { // or it was given a later end, which is looked for whenever the lease is renewed
						st.end()
					}
				})
			})
		}
	})
	if p != nil {
		st.stop()
		return nil, p
	}
	go st.news.run()
	go func() {
		defer g.running.Done()
		st.keep()
	}()
	return st, nil
}

// Close hangs up what it has, and returns when the PBX has been told and nothing is told of it any more.
func (st *Stasis) Close() {
	st.gate.locked(func(*call.Table) { st.end() })
	<-st.done
}

// Over reports whether it has ended, by Close or by itself: nothing more can be done with it.
func (st *Stasis) Over() (over bool) {
	st.gate.locked(func(*call.Table) { over = st.ended })
	return over
}

// end has it be over: its goroutine takes it apart. Caller holds the gate's lock.
func (st *Stasis) end() {
	if st.ended {
		return
	}
	st.ended = true
	if st.expiry != nil {
		st.expiry.Stop()
	}
	for _, s := range st.snoops {
		s.act.finish(ending{reason: reasonBySupervisor})
	}
	st.stop()
}

// View is what it has.
func (st *Stasis) View() (v StasisView) {
	g := st.gate
	g.locked(func(t *call.Table) {
		for _, l := range st.legs {
			if l.rung {
				v.Channels = append(v.Channels, *l.look(t))
			}
		}
		for _, s := range st.snoops {
			v.Snoops = append(v.Snoops, s.act.view())
		}
		for _, b := range st.bridges {
			v.Bridges = append(v.Bridges, b.view())
		}
		for _, p := range st.playbacks {
			v.Playbacks = append(v.Playbacks, p.view())
		}
	})
	return v
}

// Has reports whether a channel is in it, also a snoop, and whether its phone has been answered.
func (st *Stasis) Has(channel string) (there, up bool) {
	st.gate.locked(func(*call.Table) {
		if l := st.leg(channel); l != nil {
			there, up = l.rung, l.rung && l.up
		} else if st.snoop(channel) != nil {
			there, up = true, true
		}
	})
	return there, up
}

// may says whether its subject may do anything with it now. Caller holds the gate's lock.
func (st *Stasis) may() *Problem {
	g := st.gate
	switch {
	case st.ended && g.holds(st.subject), g.closed:
		return stateUnknown() // whoever asks has closed it, or is about to learn that it is
	case !g.holds(st.subject):
		return credentialEnded()
	case !g.known:
		return stateUnknown()
	}
	if _, ok := g.policy.Load().Employee(st.subject.Employee()); !ok {
		return refusedSubject()
	}
	return nil
}

// has is how many of something all of a subject's have. Caller holds the gate's lock.
func (g *Gate) has(subject auth.Subject, count func(*Stasis) int) (n int) {
	for _, st := range g.stasis.open {
		if st.subject.Employee() == subject.Employee() {
			n += count(st)
		}
	}
	return n
}

// dealing is an operation of a client's on what is his: prepare finds what it is about, under the gate's lock, and do has the PBX do it, without. It is
// counted under its word.
type dealing struct {
	word    ownWord
	turn    bool // it changes who is in which bridge, and waits for its turn
	noted   bool // do counts it, and writes it down
	prepare func(t *call.Table) *Problem
	do      func(ctx context.Context) error
}

// deal carries one out.
func (st *Stasis) deal(ctx context.Context, x dealing) error {
	g := st.gate
	if x.turn {
		select {
		case st.turn <- struct{}{}:
			defer func() { <-st.turn }()
		case <-ctx.Done():
			return ctx.Err()
		case <-st.ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var p *Problem
	g.locked(func(t *call.Table) {
		if p = st.may(); p == nil {
			p = x.prepare(t)
		}
		if p == nil {
			g.running.Add(1)
			st.orders.Add(1)
		}
	})
	if p != nil {
		outcome := audit.Deny
		if p.Kind == Unavailable {
			outcome = "error"
		}
		g.met.decision(x.word, string(outcome), p.Code)
		return p
	}
	defer g.running.Done()
	defer st.orders.Done()
	if !x.noted {
		g.met.decision(x.word, string(audit.Allow), ownCallCode)
	}
	ctx, cancel := st.order(ctx)
	defer cancel()
	if err := x.do(ctx); err != nil {
		if q := (*Problem)(nil); errors.As(err, &q) {
			return q
		}
		if !errors.Is(err, pbx.ErrGone) && ctx.Err() == nil {
			g.log.Warn().Err(err).Str("action", x.word.String()).Msg("the PBX did not do what a client wanted with its own calls")
		}
		return undone("", err)
	}
	return nil
}

// order is the context of an order: what has been begun is carried out though who asked is gone, but not when all is over.
func (st *Stasis) order(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownTime)
	stop := context.AfterFunc(st.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
