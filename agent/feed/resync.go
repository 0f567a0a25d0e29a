package feed

import "github.com/earshot-pbx/earshot/agent/call"

// Resync takes a snapshot and what has happened since it was begun as one fact. The snapshot was taken piece by piece while calls went on, so
// some of these events tell what it holds already, and the states in between never were; only the last is, and only that is told. The table makes nothing of
// a recording and of parking, so they would be lost with it: the hook is told of those of legs that are there.
func (f *Feed) Resync(s *call.Snapshot, since []call.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	ev := &call.Event{Kind: call.Resynced, At: now, Seen: now, Snapshot: s}
	spies := f.spies()
	f.table.Apply(ev)
	for i := range since {
		if since[i].Seen.IsZero() {
			since[i].Seen = now
		}
		f.table.Apply(&since[i])
	}
	for i := range spies {
		f.table.Apply(&spies[i])
	}
	f.tell(ev, []call.Change{{Kind: call.Resynced}})
	for i := range since {
		switch ev := &since[i]; ev.Kind {
		case call.RecordingBegan, call.RecordingEnded, call.Parked, call.Unparked:
			if f.table.Leg(ev.Channel.ID) != nil {
				f.tell(ev, nil)
			}
		default:
		}
	}
	f.release()
	f.rouse()
}

// spies is who spies by the dialplan on whom, as facts. While the state is known that goes on: but a snapshot does not say it, and of a leg that was made behind its list ARI
// tells again in what has happened since, which AMI does not.
func (f *Feed) spies() (facts []call.Event) {
	if !f.table.Known() {
		return nil
	}
	for _, l := range f.table.All(nil) {
		if on := l.Spied(); on != nil && l.Kind() != call.KindSnoop {
			facts = append(facts, call.Event{Kind: call.SpyBegan, Channel: call.Channel{ID: l.ID()}, Peer: call.Channel{ID: on.ID()}})
		}
	}
	return facts
}
