package cache

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// members is what a Memory holds of them: all are of this process.
type members struct {
	mu     sync.RWMutex
	byName map[string]*memoryMember
	sent   uint64
}

// Join implements Members.
func (m *Memory) Join(name string) (Member, error) {
	if err := CheckMember(name); err != nil {
		return nil, err
	}
	m.members.mu.Lock()
	defer m.members.mu.Unlock()
	if m.members.byName[name] != nil {
		return nil, errors.New("cache: the name is taken by another member of this process")
	}
	if m.members.byName == nil {
		m.members.byName = make(map[string]*memoryMember)
	}
	v := &memoryMember{m: m, name: name, rows: make(map[string]string), bell: make(chan struct{}, 1), gone: make(chan struct{})}
	m.members.byName[name] = v
	m.hub.tell(Change{Kind: ChangeMember, Owner: name})
	return v, nil
}

// AppendMembers implements Members.
func (m *Memory) AppendMembers(dst []string) []string {
	from := len(dst)
	m.members.mu.RLock()
	dst = slices.AppendSeq(dst, maps.Keys(m.members.byName))
	m.members.mu.RUnlock()
	slices.Sort(dst[from:])
	return dst
}

// Row implements Members.
func (m *Memory) Row(member, key string) (string, bool) {
	m.members.mu.RLock()
	defer m.members.mu.RUnlock()
	v := m.members.byName[member]
	if v == nil {
		return "", false
	}
	value, ok := v.rows[key]
	return value, ok
}

// AppendRows implements Members.
func (m *Memory) AppendRows(dst []Row, member string) []Row {
	from := len(dst)
	m.members.mu.RLock()
	if v := m.members.byName[member]; v != nil {
		for key, value := range v.rows {
			dst = append(dst, Row{key, value})
		}
	}
	m.members.mu.RUnlock()
	slices.SortFunc(dst[from:], func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
	return dst
}

// RowsAge implements Members: what nobody else shows is never old.
func (m *Memory) RowsAge() time.Duration { return 0 }

// memoryMember is a member of a Memory. All of it is under the lock of members.
type memoryMember struct {
	m     *Memory
	name  string
	rows  map[string]string
	bytes int

	queue []*memoryCommand
	taken map[string]*memoryCommand
	bell  chan struct{} // capacity 1: there is a command
	gone  chan struct{} // closed by Leave
	left  bool
}

type memoryCommand struct {
	Command
	answer chan string // capacity 1
	taken  bool
}

// Standing implements Member.
func (v *memoryMember) Standing() Standing {
	v.m.members.mu.RLock()
	defer v.m.members.mu.RUnlock()
	if v.left {
		return Left
	}
	return Joined
}

// Lease implements Member: it holds until it is left.
func (*memoryMember) Lease() uint64 { return 1 }

// Show implements Member.
func (v *memoryMember) Show(key, value string) error {
	v.m.members.mu.Lock()
	defer v.m.members.mu.Unlock()
	old, had := v.rows[key]
	count, bytes := len(v.rows), v.bytes
	if had {
		count, bytes = count-1, bytes-len(key)-len(old)
	}
	if err := CheckRow(key, value, count, bytes); err != nil {
		return err
	}
	if v.left || had && old == value {
		return nil
	}
	v.rows[key], v.bytes = value, bytes+len(key)+len(value)
	v.m.hub.tell(Change{Kind: ChangeRow, Owner: v.name, ID: key})
	return nil
}

// Hide implements Member.
func (v *memoryMember) Hide(key string) {
	v.m.members.mu.Lock()
	defer v.m.members.mu.Unlock()
	if old, had := v.rows[key]; had {
		delete(v.rows, key)
		v.bytes -= len(key) + len(old)
		v.m.hub.tell(Change{Kind: ChangeRow, Owner: v.name, ID: key})
	}
}

// Send implements Member.
func (v *memoryMember) Send(ctx context.Context, to, body string) (string, error) {
	fail := func(mayBeDone bool, err error) (string, error) {
		return "", &WriteError{Op: "command", MayBeDone: mayBeDone, Err: err}
	}
	unsent := func(err error) (string, error) { return "", &WriteError{Op: "command", Unsent: true, Err: err} }
	if err := CheckBody(body); err != nil {
		return unsent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, MaxCommandTime)
	defer cancel()
	until, _ := ctx.Deadline()
	s := &v.m.members
	s.mu.Lock()
	target := s.byName[to]
	switch {
	case v.left:
		s.mu.Unlock()
		return unsent(ErrNotJoined)
	case target == nil:
		s.mu.Unlock()
		return unsent(ErrNoMember)
	case len(target.queue) >= MaxCommands:
		s.mu.Unlock()
		return unsent(ErrFull)
	}
	s.sent++
	c := &memoryCommand{Command: Command{ID: strconv.FormatUint(s.sent, 10), From: v.name, Body: body, Deadline: until}, answer: make(chan string, 1)}
	target.queue = append(target.queue, c)
	s.mu.Unlock()
	target.ring()
	why := ErrNoMember
	select {
	case answer := <-c.answer:
		return answer, nil
	case <-ctx.Done():
		why = ErrLate
	case <-target.gone:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case answer := <-c.answer: // just now
		return answer, nil
	default:
	}
	if c.taken {
		delete(target.taken, c.ID)
		return fail(true, ErrUnanswered)
	}
	target.queue = slices.DeleteFunc(target.queue, func(q *memoryCommand) bool { return q == c })
	return fail(false, why)
}

func (v *memoryMember) ring() {
	select {
	case v.bell <- struct{}{}:
	default:
	}
}

// Next implements Member.
func (v *memoryMember) Next(ctx context.Context) (Command, error) {
	for {
		v.m.members.mu.Lock()
		if v.left {
			v.m.members.mu.Unlock()
			return Command{}, ErrClosed
		}
		if len(v.queue) > 0 {
			c := v.queue[0]
			v.queue = v.queue[1:]
			c.taken = true
			if v.taken == nil {
				v.taken = make(map[string]*memoryCommand)
			}
			v.taken[c.ID] = c
			if len(v.queue) > 0 {
				v.ring() // for another who waits
			}
			v.m.members.mu.Unlock()
			return c.Command, nil
		}
		v.m.members.mu.Unlock()
		select {
		case <-v.bell:
		case <-v.gone:
		case <-ctx.Done():
			return Command{}, context.Cause(ctx)
		}
	}
}

// Answer implements Member.
func (v *memoryMember) Answer(_ context.Context, id, answer string) error {
	if err := CheckBody(answer); err != nil {
		return &WriteError{Op: "command", Err: err}
	}
	v.m.members.mu.Lock()
	defer v.m.members.mu.Unlock()
	c := v.taken[id]
	if c == nil {
		return &WriteError{Op: "command", Err: ErrLate}
	}
	delete(v.taken, id)
	c.answer <- answer
	return nil
}

// TakeBack implements Member: an answer is had at once.
func (v *memoryMember) TakeBack(_ context.Context, id string) (bool, error) {
	v.m.members.mu.Lock()
	defer v.m.members.mu.Unlock()
	_, unanswered := v.taken[id]
	delete(v.taken, id)
	return unanswered, nil
}

// Leave implements Member. It does not fail.
func (v *memoryMember) Leave(context.Context) error {
	v.m.members.mu.Lock()
	defer v.m.members.mu.Unlock()
	if v.left {
		return nil
	}
	v.left = true
	delete(v.m.members.byName, v.name)
	close(v.gone)
	v.m.hub.tell(Change{Kind: ChangeMember, Owner: v.name})
	v.m.hub.tell(Change{Kind: ChangeStanding, Owner: v.name})
	return nil
}
