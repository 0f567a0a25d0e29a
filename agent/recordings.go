package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/prometheus/client_golang/prometheus"
)

// Recordings is where recordings are, and who else is asked for them.
type Recordings struct {
	Spools []recording.SpoolConfig `yaml:"spools"` // none: no recordings are served
	Links  Links                   `yaml:"links"`
	Second recording.SecondConfig  `yaml:"second"`
}

// Links are addresses at which a recording can be heard for a while.
type Links struct {
	TTL     time.Duration `yaml:"ttl"`      // how long one is good; 10m, at most 1h
	KeyFile string        `yaml:"key_file"` // a secret that makes them, alone; none: one that is new with every start, which ends them
}

func standardRecordings() Recordings {
	return Recordings{
		Spools: []recording.SpoolConfig{}, Links: Links{TTL: 10 * time.Minute},
		Second: recording.SecondConfig{Users: []recording.UnixUser{}, Timeout: 2 * time.Second, TTL: 30 * time.Second, Breaker: recording.Breaker{Failures: 5, Pause: 10 * time.Second}},
	}
}

func (r *Recordings) validate(journal string, bad func(key, format string, args ...any)) {
	names, ari := map[string]bool{}, false
	for i, s := range r.Spools {
		key := fmt.Sprintf("recordings.spools[%d]", i)
		switch {
		case !isSpool(s.Name):
			bad(key+".name", "recordings.spools.name is lower-case letters, digits and hyphens")
		case names[s.Name]:
			bad(key+".name", "recordings.spools.name is there twice")
		}
		names[s.Name] = true
		if s.Path == "" {
			bad(key+".path", "recordings.spools.path is required: the folder with the recordings")
		}
		if err := recording.CheckPattern(s.Pattern); err != nil {
			bad(key+".pattern", "recordings.spools.pattern: %v", err)
		}
		if s.ARI && ari {
			bad(key+".ari", "recordings.spools.ari is true of another spool already: ARI's recordings go to one folder")
		}
		ari = ari || s.ARI
	}
	if len(r.Spools) > 0 && journal == "" {
		bad("recordings.spools", "recordings belong to calls of the journal, and journal.file is missing")
	}
	if r.Links.TTL < time.Second || r.Links.TTL > time.Hour {
		bad("recordings.links.ttl", "recordings.links.ttl must be between 1s and 1h")
	}
	for _, f := range r.Second.Faults() {
		bad("recordings.second."+f.Key, "recordings.second.%s: %s", f.Key, f.Message)
	}
}

func isSpool(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 40
}

func (r *Recordings) paths() (all []*string) {
	for i := range r.Spools {
		all = append(all, &r.Spools[i].Path)
	}
	return append(all, &r.Links.KeyFile, &r.Second.HeadersFile)
}

// archive is what the agent has of recordings; the zero value is none.
type archive struct {
	spools *recording.Spools
	keeper *recording.Keeper
}

// openRecordings opens the spools, if there are any; the journal is open. It returns what the gate needs, or nil.
func (a *Agent) openRecordings() (*gate.Recordings, error) {
	c := &a.cfg.Recordings
	if len(c.Spools) == 0 || a.journal == nil {
		return nil, nil
	}
	var key Secret
	var err error
	if c.Links.KeyFile != "" {
		if key, err = ReadSecret(c.Links.KeyFile); err != nil {
			return nil, err
		}
	}
	spools, err := recording.OpenSpools(c.Spools)
	if err != nil {
		return nil, err
	}
	second, err := recording.NewSecond(c.Second, spools)
	if err != nil {
		return nil, errors.Join(err, spools.Close())
	}
	a.archive.spools = spools
	a.archive.keeper = recording.NewKeeper(recording.KeeperConfig{
		Spools: spools, Book: book{a.journal, a.scribe}, Variable: func(ctx context.Context, leg, name string) (string, error) {
			return a.link.Variable(ctx, call.LegID(leg), name)
		},
		Runs:    a.recordsStill,
		OnError: func(err error) { a.log.Error().Err(err).Msg("a recording was not taken in; it is tried again") },
		OnTurn:  a.spoolTurned,
	})
	a.reg.MustRegister(recordingCollector{a.archive.keeper, spools})
	r := &gate.Recordings{Book: a.journal, Spools: spools, Second: second, TTL: c.Links.TTL, Resume: a.proofs().Resume, Taped: a.taped}
	if key != "" {
		r.Key = []byte(key)
	}
	return r, nil
}

// spoolTurned is told what has become of a spool's folder.
func (a *Agent) spoolTurned(t recording.Turn) {
	switch {
	case t.Err != nil:
		a.log.Warn().Err(t.Err).Str("spool", t.Spool).Str("key", "recordings.spools").Msg("a folder of recordings cannot be read; what is in it is served to nobody until it can, and everything else goes on")
	case t.Replaced:
		a.log.Warn().Str("spool", t.Spool).Msg("another folder has come into the place of a folder of recordings; it is looked through from now on")
	default:
		a.log.Info().Str("spool", t.Spool).Msg("a folder of recordings can be read again")
	}
}

func (a *Agent) closeRecordings() error {
	if a.archive.spools == nil {
		return nil
	}
	return a.archive.spools.Close()
}

// tellKeeper tells of each fact about MixMonitor, under the feed's lock.
func (a *Agent) tellKeeper(ev *call.Event, ch []call.Change) {
	k := a.archive.keeper
	if k == nil {
		return
	}
	if ev.Kind == call.Resynced {
		k.Resumed()
	}
	switch ev.Kind {
	case call.RecordingBegan:
		k.Began(string(ev.Channel.ID), ev.At)
	case call.RecordingEnded:
		k.Ended(string(ev.Channel.ID))
	default:
		for i := range ch {
			if ch[i].Kind == call.LegGone {
				k.Ended(string(ch[i].Leg))
			}
		}
	}
}

// recorded is told of ARI's recordings.
func (a *Agent) recorded(r pbx.Recording) {
	k := a.archive.keeper
	switch {
	case k == nil:
	case r.Over:
		k.ARIEnded(r.Name)
	default:
		var leg call.LegID
		a.feed.Read(func(t *call.Table) { leg = talker(t, r) })
		k.ARIBegan(string(leg), r.Name, r.Format, r.At)
	}
}

// taped is told of each recording that Earshot makes: nothing in its name would tell whose it is, should what the PBX says of it be lost.
func (a *Agent) taped(leg call.LegID, name string, at time.Time) {
	a.archive.keeper.ARIBegan(string(leg), name, pbx.RecordFormat, at)
}

var errOutOfSight = errors.New("the PBX is out of sight")

// recordsStill reports whether something goes on to be recorded: one of ARI's recordings as long as ARI has it, what MixMonitor records as long as its leg
// is there.
func (a *Agent) recordsStill(ctx context.Context, source, of string) (runs bool, err error) {
	if source == recording.SourceARI {
		return a.link.Records(ctx, of)
	}
	a.feed.Read(func(t *call.Table) {
		if runs = t.Leg(call.LegID(of)) != nil; !t.Known() {
			err = errOutOfSight
		}
	})
	return runs, err
}

// talker is a party's leg on the call that is recorded: of a snoop that on which it spies, of a bridge one that is in it. Empty: nobody's is known.
func talker(t *call.Table, r pbx.Recording) call.LegID {
	of := []*call.Leg{t.Leg(r.Leg)}
	if r.Bridge != "" {
		of = t.BridgeLegs(nil, r.Bridge)
		// Where a snoop is, what it spies on is heard, and who listens is no party to that.
		slices.SortStableFunc(of, func(a, b *call.Leg) int { return cmp.Compare(b.Kind(), a.Kind()) })
	}
	const far = 4 // a snoop may be of a snoop
	for _, l := range of {
		for range far {
			if l == nil || l.Kind() != call.KindSnoop {
				break
			}
			l = l.Spied()
		}
		if l != nil && (l.Kind() == call.KindPhone || l.Kind() == call.KindLocal) {
			return l.ID()
		}
	}
	return r.Leg
}

// runRecordings begins to look for recordings. What it returns ends that.
func (a *Agent) runRecordings(ctx context.Context) (end func()) {
	if a.archive.keeper == nil {
		return func() {}
	}
	run, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.archive.keeper.Run(run); !errors.Is(err, context.Canceled) {
			a.log.Error().Err(err).Msg("new recordings are not found any more; start Earshot anew")
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// book is the journal as the keeper of recordings writes into it.
type book struct {
	store  *journal.Store
	scribe *journal.Scribe
}

// CallOf implements [recording.Book]. Of a call that goes on the store is told first.
func (b book) CallOf(ctx context.Context, leg string, at time.Time) (string, error) {
	if id, ok := b.scribe.CallOf(call.LegID(leg)); ok {
		return id, b.scribe.Sync(ctx)
	}
	id, err := b.store.CallOf(ctx, call.LegID(leg), at)
	if errors.Is(err, journal.ErrNoCall) && b.scribe.Stats().Unsaved > 0 { // it may be one that could not be written yet
		if err := b.scribe.Sync(ctx); err != nil {
			return "", err
		}
		id, err = b.store.CallOf(ctx, call.LegID(leg), at)
	}
	return id, named(err)
}

// Find implements [recording.Book].
func (b book) Find(ctx context.Context, at recording.Place) (id string, complete bool, err error) {
	r, err := b.store.RecordingOf(ctx, at.Spool, at.File)
	if errors.Is(err, journal.ErrNoRecording) {
		return "", false, nil
	}
	return r.ID, !r.Ended.IsZero(), err
}

// Add implements [recording.Book].
func (b book) Add(ctx context.Context, e recording.Entry) (string, error) {
	r, err := b.store.AddRecording(ctx, journal.Recording{Call: e.Call, Leg: call.LegID(e.Leg), Spool: e.Spool, File: e.File, Source: e.Source, Began: e.Began})
	return r.ID, named(err)
}

// End implements [recording.Book].
func (b book) End(ctx context.Context, id string, ended time.Time, size int64) error {
	return b.store.EndRecording(ctx, id, ended, size)
}

// named gives the journal's errors the names that the keeper knows.
func named(err error) error {
	switch {
	case errors.Is(err, journal.ErrNoCall):
		return recording.ErrNoCall
	case errors.Is(err, journal.ErrRecordingKnown):
		return recording.ErrKnown
	}
	return err
}

// recordingCollector tells what has become of the files in the spools.
type recordingCollector struct {
	keeper *recording.Keeper
	spools *recording.Spools
}

var (
	recordingsKept      = prometheus.NewDesc("earshot_recordings_kept_total", "Recordings found and written into the journal.", nil, nil)
	recordingsUnmatched = prometheus.NewDesc("earshot_recordings_unmatched_total", "Files of recordings that belong to no call of the journal, and so are shown to nobody.", nil, nil)
	recordingsWaiting   = prometheus.NewDesc("earshot_recordings_waiting", "Files of recordings whose call or end is awaited.", nil, nil)
	recordingsDropped   = prometheus.NewDesc("earshot_recordings_dropped_total", "Facts about recordings that came too fast; the files are found when the spools are looked through.", nil, nil)
	recordingsSpoolUp   = prometheus.NewDesc("earshot_recordings_spool_up", "Whether the folder of that spool could be read when it was last tried, each 30 s: 1 or 0.", []string{"spool"}, nil)
)

// Describe sends the descriptions.
func (recordingCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordingsKept, recordingsUnmatched, recordingsWaiting, recordingsDropped, recordingsSpoolUp} {
		to <- d
	}
}

// Collect sends the figures of now.
func (c recordingCollector) Collect(to chan<- prometheus.Metric) {
	s := c.keeper.Stats()
	to <- prometheus.MustNewConstMetric(recordingsKept, prometheus.CounterValue, float64(s.Kept))
	to <- prometheus.MustNewConstMetric(recordingsUnmatched, prometheus.CounterValue, float64(s.Unmatched))
	to <- prometheus.MustNewConstMetric(recordingsWaiting, prometheus.GaugeValue, float64(s.Waiting))
	to <- prometheus.MustNewConstMetric(recordingsDropped, prometheus.CounterValue, float64(s.Dropped))
	for name, up := range c.spools.Up() {
		value := 0.0
		if up {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(recordingsSpoolUp, prometheus.GaugeValue, value, name)
	}
}
