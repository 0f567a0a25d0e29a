package feed

import "github.com/earshot-pbx/earshot/agent/call"

// Resync takes a snapshot and what has happened since it was begun as one fact. The snapshot was taken piece by piece while calls went on, so
// some of these events tell what it holds already, and the states in between never were; only the last is, and only that is told.
func (f *Feed) Resync(s *call.Snapshot, since []call.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	ev := &call.Event{Kind: call.Resynced, At: now, Seen: now, Snapshot: s}
	f.wanted = false
	f.table.Apply(ev)
	for i := range since {
		if since[i].Seen.IsZero() {
			since[i].Seen = now
		}
		f.table.Apply(&since[i])
	}
	f.tell(ev, []call.Change{{Kind: call.Resynced}})
	f.release()
	f.rouse()
}
