package pbx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// collection is a snapshot under way, and the events that have come since it was begun.
//
// A snapshot takes several requests while calls go on. So the events are kept from before the first request until a marker, a bridge made
// after the last one, is seen to be created: they hold everything that the requests may have seen a part of. Replayed over the snapshot they
// end in the state at the marker, because each of them sets what it tells anew.
type collection struct {
	marker   string
	snapshot chan *call.Snapshot
	failed   chan error
	have     *call.Snapshot
	late     <-chan time.Time // when the marker can no longer be waited for
	seen     bool
	missed   bool // an event could not be read since it was begun
	events   []call.Event
	over     []string // what Play orders play no more, when events have been missed before it
}

// behindTime is how much older than the events that it has sent what an old Asterisk answers may be. A 16 answers from a cache of bridges and
// channels that goes after its events, up to 3 ms after them on a machine that had other work to do; a 22 never did. What is told in this time
// before the first request is among the events of the snapshot.
const behindTime = 100 * time.Millisecond

// upToDate is the first major version whose answers are not known to be behind: those between 16 and 20 have not been looked at.
const upToDate = 20

// askVersion asks Asterisk for its version. One that cannot be told may be an old one.
func (l *Link) askVersion(ctx context.Context) error {
	info, err := l.rest.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the version of Asterisk: %w", err)
	}
	digits, _, _ := strings.Cut(info.Version, ".")
	major, err := strconv.Atoi(digits)
	l.behind.Store(err != nil || major < upToDate)
	return nil
}

// catchUp waits until what Asterisk answers is no older than what it had told when the wait began.
func (l *Link) catchUp(ctx context.Context) error {
	if !l.behind.Load() {
		return nil
	}
	timer := time.NewTimer(behindTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errNameless: what is listed so is no state that anything could be decided by.
var errNameless = errors.New("it lists channels or bridges without an id or a name")

// requests is how many questions about single channels are asked at once.
const requests = 8

func (l *Link) collect(ctx context.Context, wg *sync.WaitGroup) *collection {
	c := &collection{
		marker:   markers + strconv.FormatUint(l.marker.Add(1), 10) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		snapshot: make(chan *call.Snapshot, 1), failed: make(chan error, 1),
	}
	missed := l.begun.Load() && !l.known.Load()
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		err := l.catchUp(ctx)
		if err == nil && missed {
			c.over, err = l.playedUnseen(ctx)
		}
		var s *call.Snapshot
		if err == nil {
			s, err = l.snapshot(ctx)
		}
		if err == nil {
			_, err = l.rest.CreateBridge(ctx, ari.BridgeRequest{ID: c.marker})
		}
		if err != nil {
			c.failed <- err
			return
		}
		c.snapshot <- s
		if err := l.rest.DestroyBridge(ctx, c.marker); err != nil && !errors.Is(err, ari.ErrNotFound) {
			l.log.Warn().Err(err).Msg("a marker bridge was left behind")
		}
	})
	return c
}

// snapshot asks for everything there is.
func (l *Link) snapshot(ctx context.Context) (*call.Snapshot, error) {
	channels, err := l.rest.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	bridges, err := l.rest.ListBridges(ctx)
	if err != nil {
		return nil, err
	}
	for i := range channels {
		if channels[i].ID == "" || channels[i].Name == "" {
			return nil, errNameless
		}
	}
	for i := range bridges {
		if bridges[i].ID == "" {
			return nil, errNameless
		}
	}
	s := &call.Snapshot{Linked: map[call.LegID]call.LegID{}, AnsweredAt: map[call.LegID]time.Time{}}
	bridged := map[string]bool{}
	for i := range bridges {
		b := &bridges[i]
		if strings.HasPrefix(b.ID, markers) {
			l.removeEmpty(ctx, b.ID) // this snapshot's own marker is not made yet
			continue
		}
		s.Bridges = append(s.Bridges, bridge(b))
		for _, id := range b.Channels {
			bridged[id] = true
		}
		if strings.HasPrefix(b.ID, Prefix) && len(b.Channels) == 0 {
			l.removeEmpty(ctx, b.ID)
		}
	}
	for i := range channels {
		s.Channels = append(s.Channels, channel(&channels[i]))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var firstErr error
	slots := make(chan struct{}, requests)
	ask := func(id, name string, keep func(string)) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			v, err := l.rest.Variable(ctx, id, name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				keep(v)
			case errors.Is(err, ari.ErrNotFound): // gone meanwhile, or without a record of its own
			case firstErr == nil:
				firstErr = fmt.Errorf("read %s: %w", name, err)
			}
		})
	}
	for i := range s.Channels {
		c := &s.Channels[i]
		id := string(c.ID)
		if !bridged[id] {
			ask(id, "CHANNEL(linkedid)", func(v string) { s.Linked[c.ID] = call.LegID(v) })
		}
		if c.State == call.StateUp {
			ask(id, "CDR(answer,u)", func(v string) {
				if t, ok := epoch(v); ok {
					s.AnsweredAt[c.ID] = t
				}
			})
		}
	}
	wg.Wait()
	return s, firstErr
}

// lastMoment is the last second that a time can be written of.
const lastMoment = 253402300799

// epoch reads what CDR(answer,u) gives: seconds and microseconds since 1970; "0.000000" for never. What is no such moment, a board could not be
// written with.
func epoch(v string) (time.Time, bool) {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f > 0 && f <= lastMoment) {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(f * 1e6)).UTC(), true
}

// removeEmpty takes away an own bridge that an earlier Earshot left behind.
func (l *Link) removeEmpty(ctx context.Context, id string) {
	if l.begun.Load() {
		return // of this one: a supervision's bridge waits empty while its phone rings
	}
	if err := l.rest.DestroyBridge(ctx, id); err != nil && !errors.Is(err, ari.ErrNotFound) {
		l.log.Warn().Err(err).Msg("an empty bridge of an earlier Earshot was left behind")
	}
}
