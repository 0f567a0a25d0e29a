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
	f.table.Apply(ev)
	for i := range since {
		if since[i].Seen.IsZero() {
			since[i].Seen = now
		}
		f.table.Apply(&since[i])
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
