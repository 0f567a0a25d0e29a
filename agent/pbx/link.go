// Package pbx is the link to Asterisk: it keeps ARI and AMI up, translates what they tell into the events of package call, takes a snapshot
// after every connect, and carries out orders.
//
// Its invariant: what is handed on is in order and begins with a whole snapshot; between the loss of a connection and the next snapshot
// nothing is handed on at all; an event that cannot be read is such a loss. ARI is the truth. AMI, whose text others can forge, only adds facts that ARI does not tell.
package pbx

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Prefix begins the unique id of every leg and bridge that an order makes, so that Earshot knows its own after a restart.
const Prefix = "earshot-"

// markers are the bridges that exist for a moment to tell where in the stream of events a snapshot was taken.
const markers = Prefix + "sync-"

// markerTime is how long after a snapshot the event of its marker may come. Events are late when Asterisk has much to do; while they are, the
// state is not known.
const markerTime = 30 * time.Second

// disallowed are the events that Asterisk shall not send: most of all events, and nothing for the table in them. Those of the dialplan come
// where somebody wants to be told of applications.
var disallowed = []string{ari.TypeChannelVarset, ari.TypeChannelDialplan}

// ErrReplaced means that another Earshot has taken the Stasis application. There can be one only, so this one has to stop.
var ErrReplaced = errors.New("another Earshot has connected to this PBX under the same application name; stop one of them, or give it another pbx.ari.application and PBX")

// Sink takes what the link hands on. feed.Feed is the real one.
type Sink interface {
	// Ingest takes one event; each is later than the one before.
	Ingest(*call.Event)
	// Resync takes a snapshot and the events since it was begun, as one step.
	Resync(s *call.Snapshot, since []call.Event)
	// LinkLost says that nothing is known until the next Resync.
	LinkLost()
	// RequestResync asks for a snapshot as soon as one may be taken; the sink calls Link.Resync then.
	RequestResync()
}

// Config is what a Link is made of.
type Config struct {
	ARI         ari.Config
	Application string
	AMI         ami.Config // OnEvent, OnDown and the pings are the link's own
	Sink        Sink
	Entered     func(call.LegID)         // told of each own leg that enters the application
	Asked       func(Request)            // told of each leg that the dialplan sends into the application with a request; nil: they are left alone
	Pressed     func(call.LegID, string) // told of each key that is pressed on any leg; nil: nobody wants to know
	Silenced    func(call.LegID)         // told of each tone that Asterisk plays no more, by its leg, which may be there still; nil: nobody wants to know
	Queues      func(queue.Event)        // told of the PBX's queues, in order and beginning with all of them after each connect; it must not wait. nil: they are not asked about
	Played      func(Played)             // told how what each Play order plays goes on, until it is over; it must not wait; nil: nobody wants to know
	Recorded    func(Recording)          // told of the beginning and end of each of ARI's recordings; it must not wait; nil: nobody wants to know
	Tells       func(app string) bool    // which of the dialplan's applications a leg's beginning and end of is handed on; nil: none
	Pulse       time.Duration            // how often Asterisk is asked for a sign of life, and how long that may take; zero means 5 s
	Registerer  prometheus.Registerer
	Log         zerolog.Logger
}

// Link is the connection to one PBX. It is safe for concurrent use.
type Link struct {
	cfg    Config
	log    zerolog.Logger
	rest   *ari.Client
	met    *metrics
	resync chan struct{}
	marker atomic.Uint64
	ari    atomic.Bool
	known  atomic.Bool
	begun  atomic.Bool // a snapshot has been handed on since ARI connected
	behind atomic.Bool // its answers may be older than its events: see behindTime
	rights rights
	queues queues

	playbacks playbacks // what Play orders play

	pressing chan struct{} // of one; whoever has sent presses a digit, until he has received

	in map[call.LegID]struct{} // legs that are in an application that is handed on; the session's own

	mu       sync.Mutex // guards what follows
	ami      *ami.Client
	entering map[call.LegID]chan struct{} // own legs that somebody waits for, closed when one enters the application
	tones    map[call.LegID]string        // what is played on the tones' legs, by the id that it has in ARI
	playing  map[string]chan<- bool       // those of them that somebody waits for: whether Asterisk plays it
	plays    int                          // how many there have been, for their ids

	strange    zerolog.Logger // says at most once a second that AMI said what does not fit: somebody may send much of it
	markerTime time.Duration  // for tests: the constant of that name

	facts sync.Mutex   // guards early, and that known becomes true
	early []call.Event // what AMI told while the state was not known
}

// New checks the configuration and makes a Link. It does no I/O.
func New(cfg Config) (*Link, error) {
	rest, err := ari.New(cfg.ARI)
	if err != nil {
		return nil, err
	}
	if cfg.Pulse == 0 {
		cfg.Pulse = defaultPulse
	}
	return &Link{
		cfg: cfg, log: cfg.Log, rest: rest, met: newMetrics(cfg.Registerer), resync: make(chan struct{}, 1), entering: map[call.LegID]chan struct{}{}, tones: map[call.LegID]string{}, playing: map[string]chan<- bool{}, pressing: make(chan struct{}, 1),
		playbacks: playbacks{of: map[string]*playback{}, ended: make(chan struct{})}, queues: queues{wanted: make(chan struct{}, 1)}, strange: cfg.Log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}), markerTime: markerTime,
	}, nil
}

// Run keeps both connections until ctx ends. It returns ErrReplaced when another Earshot has come.
func (l *Link) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		cfg := l.cfg.AMI
		cfg.OnEvent = l.witness
		cfg.PingInterval, cfg.PingTimeout = l.cfg.Pulse, l.cfg.Pulse
		cfg.OnDown = func(err error, retry time.Duration) {
			l.setAMI(nil)
			l.rights.lost()
			l.log.Warn().Str("cause", advice("AMI", err)).Dur("retry", retry).Msg("no AMI connection")
		}
		err := ami.Run(ctx, cfg, func(ctx context.Context, c *ami.Client) error {
			l.setAMI(c)
			l.log.Info().Msg("AMI connected")
			l.rights.begin()
			var checking sync.WaitGroup
			checking.Go(func() { l.rights.check(ctx, l, c) })
			l.followQueues(ctx, c)
			checking.Wait()
			l.setAMI(nil)
			return nil
		})
		if ctx.Err() == nil {
			cancel(err)
		}
	})
	wg.Go(func() {
		err := l.keepARI(ctx)
		if errors.Is(err, ari.ErrReplaced) {
			cancel(ErrReplaced)
		} else if ctx.Err() == nil {
			cancel(err)
		}
	})
	<-ctx.Done()
	wg.Wait()
	l.rest.Close()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (l *Link) setAMI(c *ami.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ami == nil && c != nil {
		l.met.up.WithLabelValues("ami").Set(1)
	} else if c == nil {
		l.met.up.WithLabelValues("ami").Set(0)
	}
	l.ami = c
}

func (l *Link) manager() (*ami.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ami == nil {
		return nil, errors.New("pbx: no AMI connection")
	}
	return l.ami, nil
}

// Down names the links that are not up, "ami" and "ari", and "state" while the snapshot is being taken; none when all is well.
func (l *Link) Down() []string {
	var down []string
	if _, err := l.manager(); err != nil {
		down = append(down, "ami")
	}
	if !l.ari.Load() {
		down = append(down, "ari")
	} else if !l.known.Load() {
		down = append(down, "state")
	}
	return down
}

// Resync asks for a new snapshot. Asking again before it is there asks for nothing more.
func (l *Link) Resync() {
	select {
	case l.resync <- struct{}{}:
	default:
	}
}

// session reads one ARI connection: a snapshot first, then events as they come.
func (l *Link) session(ctx context.Context, s *ari.Stream) error {
	l.ari.Store(true)
	l.met.up.WithLabelValues("ari").Set(1)
	l.log.Info().Msg("ARI connected")
	clear(l.in)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel()
		wg.Wait()
		l.rest.Close() // what is idle may be as dead as this one
		l.ari.Store(false)
		l.known.Store(false)
		l.begun.Store(false)
		l.met.up.WithLabelValues("ari").Set(0)
		l.met.unanswered()
		l.cfg.Sink.LinkLost()
	}()
	if err := l.spareDevices(ctx); err != nil {
		return err
	}
	if err := l.askVersion(ctx); err != nil {
		return err
	}
	if err := l.lookPlayed(ctx); err != nil {
		return err
	}
	// events passes from the reading goroutine to this one, the only one that hands on. It is unbuffered: the socket is the queue.
	events := make(chan *ari.Event)
	taken := make(chan struct{})
	fault := make(chan error, 2)
	wg.Go(func() { fault <- l.attend(ctx, s) })
	wg.Go(func() { fault <- relay(ctx, s, events, taken) })
	return l.follow(ctx, events, taken, fault, func() *collection { return l.collect(ctx, &wg) })
}

// taken hands a snapshot on, with what has happened since it was begun; and what AMI told while nothing was known, which is about legs that are
// in the snapshot or gone.
func (l *Link) taken(c *collection) {
	l.facts.Lock()
	defer l.facts.Unlock()
	l.cfg.Sink.Resync(c.have, append(c.events, l.early...))
	l.early = nil
	again := l.begun.Swap(true)
	if known := l.known.Swap(true); !known && again {
		l.met.resyncs.WithLabelValues("missed").Inc()
	} else if !known {
		l.met.resyncs.WithLabelValues("connected").Inc()
	}
}

// spareDevices gives up the events of device states, which subscribeAll brings and nobody here needs. With them Asterisk 22 blocks for good when
// a connection ends while one is on its way: it holds the connection's lock while it waits for the subscription to end, and the event, for
// which the subscription waits, needs that lock. From then on no application can connect until Asterisk is restarted.
func (l *Link) spareDevices(ctx context.Context) error {
	app, err := l.rest.Unsubscribe(ctx, l.cfg.Application, "deviceState:")
	if err == nil && len(app.DeviceNames) > 0 {
		// An Asterisk 16 says yes to that and goes on sending: it wants the name that it has for all devices.
		var named []string
		for _, name := range app.DeviceNames {
			named = append(named, "deviceState:"+name)
		}
		_, err = l.rest.Unsubscribe(ctx, l.cfg.Application, named...)
	}
	if errors.Is(err, ari.ErrUnprocessable) {
		return nil // not subscribed
	}
	return err
}

// take translates one event and hands it on: to the table when the state is known, and to the collection while a snapshot is being taken.
func (l *Link) take(e *ari.Event, pending *collection) {
	if e.Bridge != nil && strings.HasPrefix(e.Bridge.ID, markers) {
		if pending != nil && e.Type == ari.TypeBridgeCreated && e.Bridge.ID == pending.marker {
			pending.seen = true
		}
		return
	}
	switch e.Type {
	case ari.TypeChannelDestroyed:
		l.rights.ended(l)
	case ari.TypeChannelDTMFReceived:
		l.pressed(e)
		return
	case ari.TypePlaybackStarted, ari.TypePlaybackContinuing, ari.TypePlaybackFinished:
		l.played(e)
		return
	case ari.TypeRecordingStarted, ari.TypeRecordingFinished, ari.TypeRecordingFailed:
		l.recorded(e)
		return
	}
	ev, ok := translate(e)
	if !ok || !l.tells(&ev) {
		return
	}
	if pending != nil {
		pending.events = append(pending.events, ev)
	}
	if l.known.Load() {
		l.cfg.Sink.Ingest(&ev)
	}
	switch {
	case e.Type != ari.TypeStasisStart:
	case len(e.Args) > 0:
		l.asked(e, ev.Channel)
	case strings.HasPrefix(string(ev.Channel.ID), Prefix):
		l.entered(ev.Channel.ID)
	default:
		l.asked(e, ev.Channel) // for nothing: it is not to wait for ever
	}
}

// expect returns what is closed when an own leg enters the application, and what to call when nobody waits any more.
func (l *Link) expect(id call.LegID) (entered <-chan struct{}, done func()) {
	c := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entering[id] = c
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.entering, id)
	}
}

func (l *Link) entered(id call.LegID) {
	l.mu.Lock()
	c := l.entering[id]
	delete(l.entering, id)
	l.mu.Unlock()
	if c != nil {
		close(c)
	}
	if l.cfg.Entered != nil {
		l.cfg.Entered(id)
	}
}

// advice says in one sentence what is wrong with a connection and what to do.
func advice(link string, err error) string {
	switch {
	case errors.Is(err, ami.ErrAuth):
		return "Asterisk refused Earshot's AMI account: compare pbx.ami.username and the secret file with manager.conf, and its permit lines with this host"
	case errors.Is(err, ari.ErrUnauthorized):
		return "Asterisk refused Earshot's ARI account: compare pbx.ari.username and the password file with ari.conf"
	case errors.Is(err, ari.ErrForbidden):
		return "Earshot's ARI account may only read: remove read_only in ari.conf"
	case errors.Is(err, ari.ErrNotFound):
		return "there is no ARI at pbx.ari.url: is res_ari loaded, enabled=yes in ari.conf, and the prefix of http.conf part of the address?"
	case err != nil && strings.Contains(err.Error(), "connection refused"):
		return link + ": nothing listens at that address: is Asterisk running, and is " + link + " enabled (enabled=yes in " + map[string]string{"AMI": "manager.conf", "ARI": "http.conf and ari.conf"}[link] + ")?"
	case err == nil:
		return link + ": the connection ended"
	default:
		return err.Error()
	}
}
