package redis

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// remember is how long after its deadline an answered command is known, so that a Redis that was set back brings none a second time.
const remember = time.Minute

// maxTaken bounds the commands that are known, answered ones too: a thousand a second.
const maxTaken = 100_000

// Send implements cache.Member.
func (m *member) Send(ctx context.Context, to, body string) (string, error) {
	fail := func(mayBeDone bool, err error) (string, error) {
		return "", &cache.WriteError{Op: "command", MayBeDone: mayBeDone, Err: err}
	}
	unsent := func(err error) (string, error) { return "", &cache.WriteError{Op: "command", Unsent: true, Err: err} }
	if err := cache.CheckBody(body); err != nil {
		return unsent(err)
	}
	c := m.c
	target := c.incarnationOf(to)
	if target == "" {
		return unsent(cache.ErrNoMember)
	}
	ctx, cancel := context.WithTimeout(ctx, cache.MaxCommandTime)
	defer cancel()
	until, _ := ctx.Deadline()
	// Some of the time is kept for taking it back.
	patience := time.Until(until)
	patience -= min(c.cfg.Timeout, patience/4)
	over := time.NewTimer(patience)
	defer over.Stop()
	s := &sent{name: to, to: target, answer: make(chan result, 1)}
	id := rand.Text()
	m.mu.Lock()
	incarnation := m.incarnation
	if m.stands() != cache.Joined {
		m.mu.Unlock()
		return unsent(cache.ErrNotJoined)
	}
	m.sent[id] = s // before it leaves, so that no answer is missed
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.sent, id)
		m.mu.Unlock()
	}()
	ends, known := c.storeTime(patience)
	if !known {
		return unsent(errNotConnected)
	}
	// The end is by the clock of the Redis and was fixed before the request left, so one that a stopped Redis carries out
	// when it goes on, after the sender has given up, is refused there.
	word, err := call(ctx, c, func(ctx context.Context) (string, error) {
		return sendScript.Run(ctx, c.client, c.memberKeys(), c.known(), c.tag, to, target, id, incarnation, m.name, ends, body, c.channel, cache.MaxCommands).Text()
	})
	if err != nil {
		c.look()
		return "", writeError("command", err)
	}
	switch word {
	case "ok":
	case "late":
		return fail(false, cache.ErrLate)
	case "full":
		return fail(false, cache.ErrFull)
	case "replaced":
		c.look()
		return fail(false, cache.ErrReplaced)
	default: // it has gone, or come back as another, which the copy does not know yet
		c.lookAt(lookRows)
		return fail(false, cache.ErrNoMember)
	}
	var r result
	select {
	case r = <-s.answer:
	case <-over.C:
		r = m.withdraw(ctx, id, target, incarnation, cache.ErrLate)
	case <-ctx.Done(): // who sent it has given up and does not wait for more
		r = result{err: &causeError{cache.ErrUnanswered, "given up", ctx.Err()}, maybe: true}
	}
	if r.done {
		return r.answer, nil
	}
	return fail(r.maybe, r.err)
}

// withdraw takes a command back whose time is over or whose receiver is gone, which why says, and tells what came of it.
func (m *member) withdraw(ctx context.Context, id, target, incarnation string, why error) result {
	c := m.c
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return withdrawScript.Run(ctx, c.client, c.memberKeys(), c.tag, target, id, incarnation).Slice()
	})
	unknown := result{err: cache.ErrUnanswered, maybe: true}
	if err != nil {
		return unknown
	}
	switch str(out, 0) {
	case "answer":
		return parseAnswer(str(out, 1))
	case "withdrawn":
		return result{err: why}
	}
	return unknown
}

// Forms of what stands in the hash of answers.
const (
	answered = "+"    // and the answer
	tooLate  = "late" // its time was over before anybody had it
)

func parseAnswer(raw string) result {
	switch {
	case raw == tooLate:
		return result{err: cache.ErrLate}
	case len(raw) > 0 && raw[:1] == answered:
		return result{answer: raw[1:], done: true}
	}
	return result{err: cache.ErrUnanswered, maybe: true}
}

// Next implements cache.Member.
func (m *member) Next(ctx context.Context) (cache.Command, error) {
	for {
		m.mu.Lock()
		if m.left {
			m.mu.Unlock()
			return cache.Command{}, cache.ErrClosed
		}
		// Who was stopped for longer than the lease begins with nothing that its sender has given up meanwhile.
		for len(m.queue) > 0 && m.stands() == cache.Joined {
			cmd := m.queue[0]
			m.queue = m.queue[1:]
			if len(m.queue) > 0 {
				m.ring() // for another who waits
			}
			if t := m.taken[cmd.ID]; t != nil {
				t.queued = false
			}
			if m.c.now().Before(cmd.Deadline) { // the sender has given it up otherwise
				m.mu.Unlock()
				return cmd, nil
			}
		}
		m.mu.Unlock()
		select {
		case <-m.bell:
		case <-m.gone:
		case <-ctx.Done():
			return cache.Command{}, context.Cause(ctx)
		}
	}
}

func (m *member) ring() {
	select {
	case m.bell <- struct{}{}:
	default:
	}
}

// Answer implements cache.Member.
func (m *member) Answer(ctx context.Context, id, answer string) error {
	if err := cache.CheckBody(answer); err != nil {
		return &cache.WriteError{Op: "command", Err: err}
	}
	m.mu.Lock()
	t, incarnation := m.taken[id], m.incarnation
	if t == nil || t.queued || t.answered {
		m.mu.Unlock()
		return &cache.WriteError{Op: "command", Err: cache.ErrLate}
	}
	t.answered = true
	m.open--
	m.mu.Unlock()
	c := m.c
	word, err := call(ctx, c, func(ctx context.Context) (string, error) {
		return answerScript.Run(ctx, c.client, c.memberKeys(), c.tag, incarnation, t.entry, id, t.from, answered+answer, c.channel).Text()
	})
	if err != nil {
		c.look()
		return writeError("command", err)
	}
	if word != "ok" {
		return &cache.WriteError{Op: "command", Err: cache.ErrLate}
	}
	return nil
}

// TakeBack implements cache.Member.
func (m *member) TakeBack(ctx context.Context, id string) (bool, error) {
	m.mu.Lock()
	t, incarnation := m.taken[id], m.incarnation
	m.mu.Unlock()
	if t == nil { // of a lease that is over, or so old that nothing is known of it
		return false, &cache.WriteError{Op: "command", Err: cache.ErrNotJoined}
	}
	c := m.c
	word, err := call(ctx, c, func(ctx context.Context) (string, error) {
		return takeBackScript.Run(ctx, c.client, c.memberKeys(), c.tag, incarnation, t.entry, id, t.from).Text()
	})
	if err != nil {
		return false, writeError("command", err)
	}
	return word == "back", nil
}

// fetch renews the lease and fetches commands for this member and answers to what it has sent.
func (m *member) fetch(ctx context.Context, polled bool) error {
	c := m.c
	m.mu.Lock()
	incarnation := m.incarnation
	args := []any{c.tag, m.name, incarnation, c.lease.Milliseconds(), c.channel}
	for id, s := range m.sent {
		args = append(args, id, s.name, s.to)
	}
	m.mu.Unlock()
	if incarnation == "" {
		return nil
	}
	sentAt, at := c.moment(), c.now()
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return fetchScript.Run(ctx, c.client, c.memberKeys(), args...).Slice()
	})
	if err != nil {
		return err
	}
	holds := str(out, 0) == "ok"
	if holds {
		c.setClock(num(out, 1), at)
		m.take(incarnation, list(out, 2), num(out, 1), at)
		m.settle(ctx, list(out, 3), list(out, 4))
	}
	m.heard(incarnation, holds, sentAt)
	if polled {
		m.forgetOld()
	}
	return nil
}

// take queues the commands that are new: Redis gives all that were taken and not answered, so that none is lost with an answer of
// Redis that did not arrive.
func (m *member) take(incarnation string, entries []any, now int64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.incarnation != incarnation {
		return
	}
	for i := 0; i+entryFields <= len(entries); i += entryFields {
		cmd, t, ok := parseEntry(entries[i:i+entryFields], now, at)
		if !ok || m.taken[cmd.ID] != nil || m.open >= 2*cache.MaxCommands || len(m.taken) >= maxTaken {
			continue // it stays taken, and the sender hears nothing of it
		}
		m.taken[cmd.ID] = t
		m.open++
		m.queue = append(m.queue, cmd)
		m.ring()
	}
}

// entryFields is how many members of an answer are one command: entry, id, incarnation and name of the sender, deadline, body.
const entryFields = 6

// parseEntry reads a command as the stream has it. now is the time by Redis at the local time at, or a little later.
func parseEntry(e []any, now int64, at time.Time) (cache.Command, *taken, bool) {
	cmd := cache.Command{ID: str(e, 1), From: str(e, 3), Body: str(e, 5)}
	ends, ok := milliseconds(str(e, 4))
	left := min(time.Duration(ends-now)*time.Millisecond, cache.MaxCommandTime)
	if !ok || left <= 0 || cmd.ID == "" || len(cmd.ID) > cache.MaxWord || cache.CheckMember(cmd.From) != nil || cache.CheckBody(cmd.Body) != nil || str(e, 0) == "" || str(e, 2) == "" {
		return cache.Command{}, nil, false
	}
	cmd.Deadline = at.Add(left)
	return cmd, &taken{entry: str(e, 0), from: str(e, 2), queued: true, forget: cmd.Deadline.Add(remember)}, true
}

// settle takes answers, as pairs of id and answer, and which of the commands have lost their receiver.
func (m *member) settle(ctx context.Context, answers, lost []any) {
	for i := 0; i+1 < len(answers); i += 2 {
		m.mu.Lock()
		s := m.sent[str(answers, i)]
		m.mu.Unlock()
		if s != nil {
			s.tell(parseAnswer(str(answers, i+1)))
		}
	}
	for i := range lost {
		id := str(lost, i)
		m.mu.Lock()
		s, incarnation := m.sent[id], m.incarnation
		m.mu.Unlock()
		if s != nil {
			s.tell(m.withdraw(ctx, id, s.to, incarnation, cache.ErrNoMember))
		}
	}
}

func (m *member) forgetOld() {
	now := m.c.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, t := range m.taken {
		if !now.Before(t.forget) {
			delete(m.taken, id)
			if !t.answered {
				m.open--
			}
		}
	}
}
