package pbx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// missedEvery is how often at most a snapshot is begun because an event could not be read. A PBX of which every second one cannot is not to be asked for
// everything all the time; nothing is known of it, and that is said.
const missedEvery = time.Second

// missed takes note of an event of ARI that could not be read. It may have told anything: that somebody has come to a call, or that a hold is over, which no
// snapshot has. So it is as when a connection is lost: nothing is known until a snapshot that was begun after it is there, calls are marked as cut by a gap, and the table
// keeps nothing that only events tell. The connection stays, or more would be missed, and whoever the dialplan sends into the application meanwhile be turned away.
func (l *Link) missed() {
	l.met.faults.Inc()
	l.strange.Warn().Msg("an event of ARI could not be read, and nobody knows what it told; taking a new snapshot")
	clear(l.in)
	l.facts.Lock()
	known := l.known.Swap(false)
	l.facts.Unlock()
	if known {
		l.cfg.Sink.LinkLost()
	}
}

// wanting reports whether an event does not say what it is, or not about which leg or bridge it is, where one of its kind does and the table needs it. A member
// of another type is as if absent. Asterisk leaves none of these out; kinds that nobody knows are a newer one's.
func wanting(e *ari.Event) bool {
	leg := func(c *ari.Channel) bool { return c != nil && c.ID != "" }
	bridge := func(b *ari.Bridge) bool { return b != nil && b.ID != "" }
	switch e.Type {
	case "":
		return true
	case ari.TypeChannelCreated, ari.TypeChannelStateChange, ari.TypeChannelCallerID, ari.TypeChannelConnectedLine, ari.TypeStasisStart, ari.TypeStasisEnd,
		ari.TypeChannelDestroyed, ari.TypeChannelHangupRequest, ari.TypeChannelHold, ari.TypeChannelUnhold, ari.TypeBridgeBlindTransfer:
		return !leg(e.Channel)
	case ari.TypeDial:
		return !leg(e.Peer)
	case ari.TypeBridgeCreated, ari.TypeBridgeDestroyed:
		return !bridge(e.Bridge)
	case ari.TypeBridgeMerged:
		return !bridge(e.Bridge) || !bridge(e.BridgeFrom)
	case ari.TypeChannelEnteredBridge, ari.TypeChannelLeftBridge:
		return !bridge(e.Bridge) || !leg(e.Channel)
	case ari.TypeBridgeAttendedTransfer:
		return e.Transfer == nil || !leg(e.Transfer.FirstLeg) || !leg(e.Transfer.SecondLeg)
	}
	return false
}

// relay reads events and passes each on, in order, nil for one that cannot be read or is wanting; the next when that one has been taken. It returns why it can no longer.
func relay(ctx context.Context, s *ari.Stream, events chan<- *ari.Event, taken <-chan struct{}) error {
	for {
		e, err := s.Next(ctx)
		var undecodable *ari.DecodeError
		switch {
		case errors.As(err, &undecodable), err == nil && wanting(e):
			e = nil
		case err != nil:
			return err
		}
		select {
		case events <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follow takes a snapshot, and events as they come, until a fault, or the end of ctx. Snapshots are taken by begin.
func (l *Link) follow(ctx context.Context, events <-chan *ari.Event, taken chan<- struct{}, fault <-chan error, begin func() *collection) error {
	var begun time.Time        // when the last snapshot was
	var pending *collection    // that snapshot, while it is being taken
	var again <-chan time.Time // when one is to be begun in the place of what an event is missing from
	take := func() { pending, begun, again = begin(), time.Now(), nil }
	take()
	for {
		var snapshot chan *call.Snapshot
		var failed chan error
		var late <-chan time.Time
		var resync chan struct{}
		if pending != nil {
			snapshot, failed, late = pending.snapshot, pending.failed, pending.late
		} else {
			resync = l.resync
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-fault:
			return err
		case err := <-failed:
			return fmt.Errorf("take a snapshot of the PBX: %w", err)
		case <-resync:
			l.met.resyncs.WithLabelValues("asked").Inc()
			take()
		case <-again:
			take()
		case <-late:
			return errors.New("take a snapshot of the PBX: its events do not come up to the snapshot; is Asterisk overloaded?")
		case sn := <-snapshot:
			pending.have = sn
			pending.late = time.After(l.markerTime)
		case e := <-events:
			switch {
			case e != nil:
				l.take(e, pending)
			case pending != nil:
				l.missed()
				pending.missed = true
			default:
				l.missed()
				again = time.After(missedEvery - time.Since(begun))
			}
			select {
			case taken <- struct{}{}:
			case <-ctx.Done(): // the reading goroutine may have gone
			}
		}
		switch {
		case pending == nil || pending.have == nil:
		case pending.missed: // it may have been the marker's event, too
			pending, again = nil, time.After(missedEvery-time.Since(begun))
		case pending.seen:
			l.taken(pending)
			for _, id := range pending.over {
				l.playedOut(id)
			}
			l.log.Info().Int("channels", len(pending.have.Channels)).Int("bridges", len(pending.have.Bridges)).Msg("state of the PBX taken")
			pending = nil
		}
	}
}
