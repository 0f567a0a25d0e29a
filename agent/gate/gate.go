// Package gate is the one place where a request is decided, recorded and carried out, and the one through which anything of a call is shown.
//
// Its invariant: nothing is done that was not first decided over everybody on the call and written to the audit log, and nothing that was
// begun outlives the ground on which it was decided. Doors call it with a subject that auth has proven; they see masked forms only: the board (Watch),
// and for doors that speak the PBX's own protocols the same as channels and what happens to them (WatchChannels).
package gate

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/rs/zerolog"
)

// PBX carries out what the gate has decided. pbx.Link is the real one.
type PBX interface {
	Ring(ctx context.Context, o pbx.Ring) error
	Tap(ctx context.Context, o pbx.Tap) error
	Swap(ctx context.Context, o pbx.Swap) error
	// Tone returns when the PBX plays it; when it fails nothing of it is left. The gate's Silenced is told when it ends.
	Tone(ctx context.Context, o pbx.Tone) error
	// KeepTone renews the lease of one; pbx.ErrNotPlayed says that it is played no more.
	KeepTone(ctx context.Context, o pbx.Tone) error
	Renew(ctx context.Context, lease time.Duration, legs ...call.LegID) error
	// Received is how many packets of audio the PBX has had from a leg's phone; an error where that cannot be told.
	Received(ctx context.Context, leg call.LegID) (packets uint64, err error)
	// Record returns when the PBX records; when it fails nothing runs of it. What it makes is to be dropped like other legs.
	Record(ctx context.Context, o pbx.Record) error
	PauseRecording(ctx context.Context, name string) error
	ResumeRecording(ctx context.Context, name string) error
	Take(ctx context.Context, o pbx.Take) error
	Join(ctx context.Context, o pbx.Join) error
	QueueAdd(ctx context.Context, o pbx.QueueMember) error
	QueueRemove(ctx context.Context, o pbx.QueueMember) error
	QueuePenalty(ctx context.Context, o pbx.QueueMember) error
	QueuePause(ctx context.Context, o pbx.QueueMember) error
	Call(ctx context.Context, o pbx.Call) error
	Seat(ctx context.Context, o pbx.Seat) error
	Send(ctx context.Context, o pbx.Send) error
	// Return sends another's leg to ring a phone; pbx.ErrNoInclude says that the dialplan has no place for that, and nothing was done.
	Return(ctx context.Context, o pbx.Return) error
	// Fetch rings a phone to which a caller comes once it is answered, and returns when it is being rung; pbx.ErrNoInclude is as of Return.
	Fetch(ctx context.Context, o pbx.Fetch) error
	// What somebody does with a call of his own. pbx.ErrGone, ErrNoRight, ErrNoExtension and ErrNoInclude say that nothing was done.
	Redirect(ctx context.Context, o pbx.Redirect) error
	Transfer(ctx context.Context, o pbx.Transfer) error
	Consult(ctx context.Context, o pbx.Consult) error
	Park(ctx context.Context, o pbx.Park) error
	Connect(ctx context.Context, o pbx.Connect) error
	Mute(ctx context.Context, o pbx.Mute) error
	Press(ctx context.Context, o pbx.Press) error
	// What a Stasis does with its legs and bridges. pbx.ErrGone says that the leg, the bridge or the playback is there no more, or the leg not yet in the
	// application.
	CreateBridge(ctx context.Context, bridge call.BridgeID) error // a mixing bridge, that Drop removes
	// Enter puts legs into a bridge, out of others too, and returns when they are in it. First it waits for what is played to each of them, which may have
	// no end; so does Tap for the supervisor's leg.
	Enter(ctx context.Context, o pbx.Enter) error
	Leave(ctx context.Context, o pbx.Enter) error               // they stay in the application
	Hold(ctx context.Context, leg call.LegID, on bool) error    // puts its phone on hold, or takes it off
	Ringing(ctx context.Context, leg call.LegID, on bool) error // its phone hears ringing
	Silence(ctx context.Context, leg call.LegID, on bool) error // its phone hears silence
	Music(ctx context.Context, o pbx.Music) error               // music on hold for a leg, or for all in a bridge
	Play(ctx context.Context, o pbx.Play) error                 // returns when it is queued; the gate's Played is told of the rest
	// StopPlay and ControlPlay say by pbx.ErrUncontrolled that it goes on as it was: it does not play just now, or what does cannot be controlled.
	StopPlay(ctx context.Context, id string) error // of one that has not begun as well
	ControlPlay(ctx context.Context, id, operation string) error
	// Drop hangs up own legs and removes an own bridge; what is gone already is no error.
	Drop(ctx context.Context, bridge call.BridgeID, legs ...call.LegID) error
}

// Recorder writes the audit log; audit.Log is the real one. Append returns once the entry is on disk.
type Recorder interface {
	Append(ctx context.Context, e audit.Entry) error
}

// Directory tells whose client a number is; clients.Sources is the real one.
type Directory interface {
	// Find answers at once, from memory: it is asked under the gate's lock. Unknown means that nobody can say yet.
	Find(number string) (clients.Client, clients.Answer)
}

// Config is what a Gate is made of. All parts but Files, Settings, Shadow, Metrics, Intake, Journal and Minutes are required; the zero durations take the
// defaults of DESIGN.
type Config struct {
	Feed     *feed.Feed
	PBX      PBX
	Audit    Recorder
	Clients  Directory
	Intake   Intake // nil: nobody may change clients
	Policy   *policy.Set
	Files    PolicyFiles // by which the policy is changed; nil: by nobody who asks here
	Settings Settings    // of employees' telephones; the zero value has none
	Shadow   *Shadow     // a second policy to be compared with it; nil: none
	Metrics  *Metrics
	Log      zerolog.Logger

	Journal Journal // what has been, to be read; nil: nothing is kept
	Minutes Minutes // takes down who supervises which call; nil: nobody does

	Dialling Dialling

	// Sounds and Tones are what clients that steer calls themselves may have played, by whole names: sounds of the PBX and, of Tones, what its indications have.
	Sounds, Tones []string

	Watchdog *Watchdog // what is done about who goes past the gate; nil: nobody looks

	// Holds reports whether a subject's credential still does; nil: until it expires. It is asked once more when what he wants is begun, since a request
	// may have taken its time on the way, and when the end comes that it had then, since it may have been given a later one. It is called under the gate's lock and must not wait.
	// For another PBX a voucher holds, which has the end that the credential had.
	Holds func(auth.Subject) bool

	Recordings *Recordings // recordings and what is known of them; nil: there are none

	Cluster Cluster // the sidecars beside other PBXs; nil: there are none

	Notices []audit.Entry // Notice's entries of an Earshot before this one, oldest first

	Estate Estate // what an Earshot before this one has left; taken up at the first resync

	// How long what was begun here by the word of another sidecar goes on while that one is within reach and does not say that the credential holds, 5 s; and
	// while it is not within reach, 5 min.
	VouchGrace, VouchStale time.Duration

	Lease       time.Duration // how long a supervision may outlive Earshot; 30 s
	RingTimeout time.Duration // how long a supervisor's phone rings; 25 s
	// SnoopTimeout is how long a supervision that a client has begun which steers calls itself waits for one of that client's legs; 1 min.
	SnoopTimeout time.Duration
	Grace        time.Duration // how long a lost other side may stay away before the call counts as over; 250 ms
	WaitsAfter   time.Duration // how long a client who has called in is with nobody until he counts as waiting; 1 s
	LinesEvery   time.Duration // how soon, and at most how often, the watchers of a line are told that it has changed; 250 ms
	ToneEvery    time.Duration // how often the tone is heard by which the supervised are told; 15 s
	Listening    time.Duration // how often it is looked whether the other side of a supervised call sends audio; 2 s
}

// Gate decides, records and carries out. It is safe for concurrent use.
type Gate struct {
	cfg    Config
	log    zerolog.Logger
	met    *Metrics
	secret secret // makes the handles opaque that are the same in the whole cluster: those of subjects, rows and their legs
	late   late   // what could not be recorded

	private secret // the same of all else, which is of this PBX: what is in the journal, and who is outside

	archive *archive // serves recordings; nil: there are none

	policy atomic.Pointer[policy.Set]

	byNumber atomic.Pointer[numberedBy]              // of the policy that was asked about last
	replies  atomic.Pointer[map[string][]mask.Reply] // by line
	running  sync.WaitGroup                          // what Close waits for; added to under mu, unless closed
	ctx      context.Context                         // of every order; ends when Close gives up waiting
	stop     context.CancelFunc

	forwarding chan struct{}          // whoever sends is the only one who changes forwardings, until he has received
	doubtful   map[string]audit.Entry // by extension, the end of a forwarding that the PBX has not confirmed, to be recorded when it is seen to be gone; his who is at forwarding
	ended      map[string]struct{}    // by the act that set it, of which forwardings with a mark the end was handed to the record; his too

	quiet quiet // who is not to be disturbed

	doors doors // what they refuse

	waiting sync.Mutex // guards awaited
	awaited awaited

	// mu guards what follows. It is only ever taken inside the feed's lock, so that what it guards always fits the table.
	mu           sync.Mutex
	known        bool
	closed       bool
	acts         map[string]*act
	byLeg        map[call.LegID]*act     // own legs
	past         []call.LegID            // own legs of acts that are over, oldest first
	kept         map[call.LegID]struct{} // own legs that have taken a call, for as long as they are there: their owners' from then on
	estate       []call.LegID            // how the unique ids of those begin that an Earshot before has left
	hearing      map[call.LegID][]*act   // which acts' ground rests on a leg
	board        map[policy.Ref]*entry
	bells        map[*entry]struct{}      // rows at which a client's call rings
	offers       map[call.LegID]*offer    // by the caller's leg
	outsiders    map[call.LegID]*outsider // clients who have called in
	locks        map[string]*lock
	sealed       map[call.LegID][]*lock       // which locks lie on a leg
	taped        map[call.LegID]*act          // by the leg, the recording that Earshot makes of it
	stale        map[string]struct{}          // employees to whom something is told or not any more, and whose rows do not show it yet
	notices      map[string][]mask.Supervised // by employee, what he is told afterwards, oldest first
	parts        map[call.LegID]*part         // of the legs that are on some row, and of others
	clicked      map[call.LegID]click         // legs that are rung for their owners to call somebody
	parked       map[call.LegID]*parking      // legs that are parked
	transfers    []transfer                   // of a moment ago, oldest first
	transferSeen chan struct{}                // closed, and made anew, with each
	consults     consults                     // attended transfers that are under way, by the leg of who transfers
	watchers     []*Watcher                   // in the order in which they came
	others       map[string]*otherPBX         // by its name, what the sidecar beside it shows
	showing      showing                      // what is shown to them
	cross        crossing                     // what runs there, and for whom it is vouched
	chart        *chart                       // nil while nobody watches channels
	scratch      scratch
	dog          watchdog
	queues       queue.Table
	stasis       stasisBook
	lines        *time.Timer // runs from a change of a line until the watchers are told; nil otherwise
	review       *time.Timer // runs until forwardings are looked at; nil otherwise
	reviewFailed bool        // they could not be, and that has been said
}

// New makes a gate over the feed, whose OnApply is to be the gate's Applied. Nothing is started.
func New(cfg Config) *Gate {
	if cfg.Lease == 0 {
		cfg.Lease = 30 * time.Second
	}
	if cfg.RingTimeout == 0 {
		cfg.RingTimeout = 25 * time.Second
	}
	if cfg.SnoopTimeout == 0 {
		cfg.SnoopTimeout = time.Minute
	}
	if cfg.Grace == 0 {
		cfg.Grace = 250 * time.Millisecond
	}
	if cfg.WaitsAfter == 0 {
		cfg.WaitsAfter = time.Second
	}
	if cfg.Listening == 0 {
		cfg.Listening = 2 * time.Second
	}
	if cfg.LinesEvery == 0 {
		cfg.LinesEvery = 250 * time.Millisecond
	}
	if cfg.VouchGrace == 0 {
		cfg.VouchGrace = 5 * time.Second
	}
	if cfg.VouchStale == 0 {
		cfg.VouchStale = 5 * time.Minute
	}
	if cfg.ToneEvery == 0 {
		cfg.ToneEvery = 15 * time.Second
	}
	if cfg.Holds == nil {
		cfg.Holds = func(s auth.Subject) bool { return s.Expires().IsZero() || time.Now().Before(s.Expires()) }
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Gate{
		cfg: cfg, log: cfg.Log, met: cfg.Metrics, secret: handlesOf(cfg.Cluster), private: newSecret(), ctx: ctx, stop: stop, archive: newArchive(cfg.Recordings),
		forwarding: make(chan struct{}, 1), doubtful: map[string]audit.Entry{}, ended: cfg.Estate.forwards(), quiet: quiet{asks: make(chan struct{}, 1)}, awaited: awaited{}, transferSeen: make(chan struct{}),
		acts: map[string]*act{}, byLeg: map[call.LegID]*act{}, kept: map[call.LegID]struct{}{}, hearing: map[call.LegID][]*act{},
		board: map[policy.Ref]*entry{}, bells: map[*entry]struct{}{}, outsiders: map[call.LegID]*outsider{}, parts: map[call.LegID]*part{},
		locks: map[string]*lock{}, sealed: map[call.LegID][]*lock{}, taped: map[call.LegID]*act{},
		clicked: map[call.LegID]click{}, consults: consults{}, stale: map[string]struct{}{}, notices: noticesOf(cfg.Notices),
		others: map[string]*otherPBX{}, showing: showing{legs: map[call.LegID]shownLeg{}}, stasis: newStasisBook(), cross: newCrossing(cfg.Estate.Resume),
	}
	g.dog = watchdog{
		cfg: cfg.Watchdog, placed: map[call.LegID]place{}, returned: map[call.LegID]struct{}{}, fetched: map[call.LegID]struct{}{}, steps: map[call.LegID]step{}, rings: map[call.LegID][]string{},
		takes: map[call.LegID]call.LegID{},
	}
	for i := range cfg.Estate.Acts {
		g.estate = append(g.estate, call.LegID(pbx.Prefix+cfg.Estate.Acts[i].ID))
	}
	g.scratch.reach = call.Reach{Phone: g.isPhone, Spy: g.spyMode}
	g.policy.Store(cfg.Policy)
	g.rebuild(nil)
	return g
}

// locked runs f with the table and the gate's own state, both standing still.
func (g *Gate) locked(f func(t *call.Table)) {
	g.cfg.Feed.Read(func(t *call.Table) {
		g.mu.Lock()
		defer g.mu.Unlock()
		f(t)
		g.showTold(t)
	})
}

// Policy is the policy in force.
func (g *Gate) Policy() *policy.Set { return g.policy.Load() }

// SetPolicy puts another policy in force: every running act is decided anew and every watcher is shown the board afresh before it returns.
func (g *Gate) SetPolicy(set *policy.Set) { g.locked(func(t *call.Table) { g.enforce(t, set) }) }

// Refresh makes the board anew and decides again what runs, after something other than the policy has changed on which they rest: the
// directory of clients.
func (g *Gate) Refresh() { g.locked(func(t *call.Table) { g.enforce(t, g.policy.Load()) }) }

func (g *Gate) enforce(t *call.Table, set *policy.Set) {
	was := g.policy.Swap(set)
	g.recheckLocks(set)
	for _, a := range g.acts {
		g.reconsider(t, a)
	}
	g.enforceStasis()
	g.rebuild(t)
	for i := range g.dog.rang {
		g.dog.rang[i].translate(was, set)
	}
	if g.dog.cfg != nil && g.known && !g.closed {
		g.reguard(t, nil)
	}
	g.resnap(t)
	g.retellChannels(t)
	clear(g.stale)
	g.reviewForwards(reviewSoon)
}

// Recheck ends what runs on the strength of a credential that no longer holds, here and elsewhere; auth.Authenticator has holds.
func (g *Gate) Recheck(holds func(auth.Subject) bool) {
	g.locked(func(*call.Table) {
		for _, a := range g.acts {
			if a.subject.Origin() == "" && !holds(a.subject) {
				a.finish(ending{reason: reasonCredential, revoked: true, at: time.Now()})
			}
		}
		for _, st := range g.stasis.open {
			if st.subject.Origin() == "" && !holds(st.subject) {
				st.end()
			}
		}
		g.recheckVouched()
	})
}

// Close ends everything that runs and waits until it has ended; when ctx is over it gives up its orders to the PBX, and what is left there
// dies with its lease.
func (g *Gate) Close(ctx context.Context) error {
	g.locked(func(*call.Table) {
		if g.dog.cfg != nil && !g.closed {
			g.over(time.Now(), func(*trespass) bool { return true })
		}
		g.closed = true
		for _, timer := range [...]*time.Timer{g.lines, g.review} {
			if timer != nil {
				timer.Stop()
			}
		}
		for _, a := range g.acts {
			a.finish(ending{reason: reasonShutdown})
		}
		for _, st := range g.stasis.open {
			st.end()
		}
		for _, w := range g.watchers {
			g.cut(w, CutShutdown)
		}
		g.cutAllChannels(CutShutdown)
	})
	g.doors.close(g)
	done := make(chan struct{})
	go func() { g.running.Wait(); close(done) }()
	select {
	case <-done:
		g.stop()
		return nil
	case <-ctx.Done():
		g.stop()
		<-done
		return ctx.Err()
	}
}
