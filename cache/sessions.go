package cache

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"time"
)

// sessions holds those that run and remembers those that were deleted until their time would have been over, so that no late
// message or old backup brings one back. It refuses at its bound instead of driving one out: an evicted session would log somebody
// out at random.
type sessions struct {
	max, maxBytes int

	mu      sync.RWMutex // protects what follows
	byID    map[string]*record
	byOwner map[string]map[string]*record
	deleted map[string]*record
	ends    ends // of byID
	graves  ends // of deleted
	bytes   int
	refused uint64
}

type record struct {
	Session
	place int // in its heap
}

// recordCost is about what a session takes beside its strings.
const recordCost = 256

func (r *record) size() int { return recordCost + len(r.ID) + len(r.Owner) + len(r.Value) }

func (s *sessions) get(id string, now time.Time) (Session, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.byID[id]
	if r == nil || !now.Before(r.Expires) {
		return Session{}, false
	}
	return r.Session, true
}

func (s *sessions) appendOwned(dst []Session, owner string, now time.Time) []Session {
	from := len(dst)
	s.mu.RLock()
	for _, r := range s.byOwner[owner] {
		if now.Before(r.Expires) {
			dst = append(dst, r.Session)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(dst[from:], func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	return dst
}

// put reports whether anything changed.
func (s *sessions) put(v Session, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if s.deleted[v.ID] != nil {
		return false, ErrDeleted
	}
	r := &record{Session: v}
	old := s.byID[v.ID]
	count, bytes := len(s.byID)+1, s.bytes+r.size()
	if old != nil {
		count, bytes = count-1, bytes-old.size()
	}
	if count > s.max || bytes > s.maxBytes {
		s.refused++
		return false, ErrFull
	}
	if old != nil {
		if old.Session == v {
			return false, nil
		}
		s.drop(old)
	}
	s.byID[v.ID] = r
	owned := s.byOwner[v.Owner]
	if owned == nil {
		owned = make(map[string]*record)
		s.byOwner[v.Owner] = owned
	}
	owned[v.ID] = r
	s.bytes += r.size()
	heap.Push(&s.ends, r)
	return true, nil
}

func (s *sessions) expire(id string, at, now time.Time) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byID[id]
	if r == nil || !now.Before(r.Expires) {
		return Session{}, false
	}
	r.Expires = at
	heap.Fix(&s.ends, r.place)
	return r.Session, true
}

func (s *sessions) delete(id string, now time.Time) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	r := s.byID[id]
	if r == nil {
		return Session{}, false
	}
	s.drop(r)
	for len(s.deleted) >= s.max { // the one whose time is over first is forgotten first
		delete(s.deleted, heap.Pop(&s.graves).(*record).ID)
	}
	grave := &record{Session: Session{ID: id, Expires: r.Expires}}
	s.deleted[id] = grave
	heap.Push(&s.graves, grave)
	return r.Session, true
}

// sweep drops what has expired; the caller holds the lock.
func (s *sessions) sweep(now time.Time) {
	for len(s.ends) > 0 && !now.Before(s.ends[0].Expires) {
		s.drop(s.ends[0])
	}
	for len(s.graves) > 0 && !now.Before(s.graves[0].Expires) {
		delete(s.deleted, heap.Pop(&s.graves).(*record).ID)
	}
}

func (s *sessions) drop(r *record) {
	heap.Remove(&s.ends, r.place)
	delete(s.byID, r.ID)
	owned := s.byOwner[r.Owner]
	if delete(owned, r.ID); len(owned) == 0 {
		delete(s.byOwner, r.Owner)
	}
	s.bytes -= r.size()
}

func (s *sessions) wasDeleted(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.deleted[id] != nil
}

func (s *sessions) appendIDs(dst []string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id := range s.byID {
		dst = append(dst, id)
	}
	return dst
}

// ends is a heap of records, the first to end on top.
type ends []*record

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].Expires.Before(e[j].Expires) }
func (e ends) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i, j
}

// Push is for package heap.
func (e *ends) Push(x any) {
	r := x.(*record)
	r.place = len(*e)
	*e = append(*e, r)
}

// Pop is for package heap.
func (e *ends) Pop() any {
	last := len(*e) - 1
	r := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return r
}
