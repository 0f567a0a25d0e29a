package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// errAnswer: there is an answer, and not of whom was asked.
var errAnswer = errors.New("the answer cannot be read")

// What an answer begins with.
const (
	answerDone = iota // and what Perform returned
	answerLate        // it was not begun with, and will not be
)

// commandHead is what stands before a request: the revision of the receiver's hello that the sender has seen, and for how many milliseconds
// it counts.
const commandHead = 8 + 4

// Send has another PBX's sidecar perform a request and returns its answer. The error is a *cache.WriteError, and unless its MayBeDone is set,
// it was not carried out and never will be: it never left, or that other one has said so.
func (c *Cluster) Send(ctx context.Context, pbx string, request []byte) ([]byte, error) {
	begun := time.Now()
	answer, err := c.send(ctx, pbx, request)
	var w *cache.WriteError
	outcome := "answered"
	switch {
	case errors.As(err, &w) && w.MayBeDone:
		outcome = "unknown"
	case err != nil:
		outcome = "not_done"
	}
	c.met.command("sent", outcome, time.Since(begun))
	return answer, err
}

func (c *Cluster) send(ctx context.Context, pbx string, request []byte) ([]byte, error) {
	fail := func(mayBeDone bool, err error) ([]byte, error) {
		return nil, &cache.WriteError{Op: "command", MayBeDone: mayBeDone, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, cache.MaxCommandTime)
	defer cancel()
	until, _ := ctx.Deadline()
	left := time.Until(until).Milliseconds()
	if left <= 0 {
		return fail(false, cache.ErrLate)
	}
	plain := binary.BigEndian.AppendUint32(make([]byte, 8, commandHead+len(request)), uint32(left)) // #nosec G115 -- it is from 1 to MaxCommandTime
	plain = append(plain, request...)
	c.mu.Lock()
	to, known := c.peers[pbx]
	var body string
	if known {
		binary.BigEndian.PutUint64(plain, to.hello)
		body = c.sealCmd.seal(plain, pbx, string(to.of[:]))
	}
	c.mu.Unlock()
	if !known {
		return fail(false, cache.ErrNoMember)
	}
	raw, err := c.member.Send(ctx, pbx, body)
	if err != nil {
		// What has left can be taken out of the store by whoever writes there, be missed by it, and be put back while it counts.
		var w *cache.WriteError
		if errors.As(err, &w) {
			return fail(!w.Unsent, w.Err)
		}
		return fail(true, err)
	}
	of, _, ok := head(raw)
	if ok && of == to.of {
		sum := sha256.Sum256([]byte(body))
		answer, err := open(c.keys.aead(answerKind, pbx, of), answerKind, pbx, raw, string(sum[:]))
		if err == nil && len(answer) > 0 {
			switch answer[0] {
			case answerDone:
				return answer[1:], nil
			case answerLate:
				return fail(false, cache.ErrLate)
			}
		}
	}
	c.refuse(pbx, answerKind, unreadable)
	return fail(true, errAnswer)
}

// serve takes commands until ctx ends, and returns when those that it has taken are over.
func (c *Cluster) serve(ctx context.Context) {
	var wg sync.WaitGroup // of no more than the cache lets wait
	defer wg.Wait()
	for {
		cmd, err := c.member.Next(ctx)
		if err != nil {
			return
		}
		t, ok := c.open(cmd)
		if !ok {
			continue
		}
		wg.Go(func() { c.carry(ctx, t) })
	}
}

// task is a command that was taken.
type task struct {
	cache.Command
	as      *life // whom it asks
	request []byte
	until   time.Time // when it must have been begun with
}

// open opens a command and takes it as taken. It may ask an incarnation before the present one: it is this very sidecar's, so that nobody else
// can have carried it out, and it is as new and as little repeated as any.
func (c *Cluster) open(cmd cache.Command) (task, bool) {
	t := task{Command: cmd}
	of, _, well := head(cmd.Body)
	if !well {
		c.refuse(cmd.From, commandKind, unreadable)
		return t, false
	}
	c.mu.Lock()
	lives := slices.Clone(c.lives)
	c.mu.Unlock()
	aead := c.keys.aead(commandKind, cmd.From, of)
	var plain []byte
	for _, l := range slices.Backward(lives) {
		var err error
		if plain, err = open(aead, commandKind, cmd.From, cmd.Body, c.pbx, string(l.of[:])); err == nil {
			t.as = l
			break
		}
	}
	if t.as == nil || len(plain) < commandHead {
		c.refuse(cmd.From, commandKind, unreadable)
		return t, false
	}
	t.request = plain[commandHead:]
	now := c.now()
	seen := binary.BigEndian.Uint64(plain)
	left := min(time.Duration(binary.BigEndian.Uint32(plain[8:]))*time.Millisecond, cache.MaxCommandTime)
	c.mu.Lock()
	defer c.mu.Unlock()
	// How old a command is, no clock of another machine says, nor that of the store: but it names a hello of this very sidecar.
	for _, h := range t.as.hellos {
		if h.revision == seen {
			t.until = h.at.Add(c.slack() + left)
		}
	}
	if !now.Before(t.until) {
		c.refuseLocked(cmd.From, commandKind, older)
		return t, false
	}
	id := cmd.Body[:headLength]
	if _, again := c.carried[id]; again {
		c.refuseLocked(cmd.From, commandKind, repeated)
		return t, false
	}
	c.carried[id] = t.until
	if cmd.Deadline.Before(t.until) {
		t.until = cmd.Deadline
	}
	return t, true
}

// carry carries out a command when it is its turn, and answers.
func (c *Cluster) carry(ctx context.Context, t task) {
	due, cancel := context.WithDeadline(ctx, t.until)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-due.Done():
	}
	if due.Err() != nil {
		c.met.refused(commandKind, late)
		_ = c.answer(ctx, t, answerLate, nil) // who does not learn it takes it for unanswered
		c.met.command("performed", "not_done", 0)
		return
	}
	begun := time.Now()
	answer, undo := c.cfg.Perform(due, t.From, t.request)
	outcome := "answered"
	if given, sure := c.give(ctx, t, answer); !given {
		outcome = "unanswered"
		if sure && undo != nil {
			outcome = "undone"
			undo()
		}
	}
	c.met.command("performed", outcome, time.Since(begun))
}

// give answers that it was carried out, and tells whether the answer was given, and whether that is sure: one of which the store did not say so
// is taken back, or found to have been had, until the sender waits no more.
func (c *Cluster) give(ctx context.Context, t task, answer []byte) (given, sure bool) {
	if !c.now().Before(t.until) {
		return false, true
	}
	err := c.answer(ctx, t, answerDone, answer)
	var w *cache.WriteError
	if err == nil || !errors.As(err, &w) || !w.MayBeDone {
		return err == nil, true
	}
	for {
		try, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		inTime, err := c.member.TakeBack(try, t.ID)
		cancel()
		if err == nil {
			return !inTime, true
		}
		if errors.Is(err, cache.ErrNotJoined) || !c.now().Before(t.until) {
			return false, false
		}
		select {
		case <-ctx.Done():
			return false, false
		case <-time.After(lookAgain):
		}
	}
}

// answerTime is for an answer while this sidecar stops.
const answerTime = time.Second

func (c *Cluster) answer(ctx context.Context, t task, what byte, text []byte) error {
	sum := sha256.Sum256([]byte(t.Body))
	c.mu.Lock()
	body := t.as.answers.seal(append([]byte{what}, text...), string(sum[:]))
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	return c.member.Answer(ctx, t.ID, body)
}
