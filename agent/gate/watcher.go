package gate

import (
	"context"
	"sync"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

const (
	// queue is how many messages a watcher may be behind before he is cut off.
	queue = 512
	// handful is how many of them his reader takes at once.
	handful = 32
)

// Watcher is one open event stream. Wait, Append and Next are for one goroutine; Close may be called by any.
type Watcher struct {
	subject auth.Subject
	reader  // of the goroutine that reads, as the next two

	taken  []item // out of the queue, and not given out yet
	number uint64 // of the last message that was given out
	buffer [handful]item

	// Under the gate's lock.
	cut   error
	me    policy.Ref
	shown []glance

	wake chan struct{} // tells one who waits that there is something, or that the stream is over

	mu      sync.Mutex // guards what follows; taken inside the gate's lock too, and held for nothing that waits
	items   []item
	waiting bool
	over    error // the stream ends after the items
}

// item is one message in a queue: a row or a board, which are made into messages by who reads them, or another message.
type item struct {
	row     *form
	board   *picture
	message *Message
}

// push queues a message. It reports whether there was room.
func (w *Watcher) push(it item) bool {
	w.mu.Lock()
	if len(w.items) == queue {
		w.mu.Unlock()
		return false
	}
	w.items = append(w.items, it)
	waiting := w.waiting
	w.waiting = false
	w.mu.Unlock()
	if waiting {
		w.rouse()
	}
	return true
}

// end ends the stream behind what is queued.
func (w *Watcher) end(why error) {
	w.mu.Lock()
	w.over, w.waiting = why, false
	w.mu.Unlock()
	w.rouse()
}

func (w *Watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take gets up to n messages out of the queue. When there are none it tells why the stream is over, or notes whether somebody waits.
func (w *Watcher) take(n int, wait bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.items) == 0 {
		w.waiting = wait && w.over == nil
		return w.over
	}
	n = copy(w.buffer[:n], w.items)
	rest := copy(w.items, w.items[n:])
	clear(w.items[rest:])
	w.items, w.taken = w.items[:rest], w.buffer[:n]
	return nil
}

// Wait returns nil once there is a message to be had from Append or Next, one of the Cut errors when there is none any more, and ctx's error
// when that is over first. A message that is there already is to be had whatever ctx says.
func (w *Watcher) Wait(ctx context.Context) error { return w.await(ctx, handful) }

func (w *Watcher) await(ctx context.Context, n int) error {
	for len(w.taken) == 0 {
		err := w.take(n, true)
		if err != nil || len(w.taken) > 0 {
			return err
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Append appends the next message to dst, as encoding/json would write it, and reports whether there was one. It does not wait.
func (w *Watcher) Append(dst []byte) ([]byte, bool) {
	it, ok := w.pop()
	if !ok {
		return dst, false
	}
	switch {
	case it.row != nil:
		dst = append(dst, `{"type":"`+MessageEmployee+`","seq":`...)
		dst = mask.AppendUint(dst, w.number)
		dst = w.appendRow(append(dst, `,"employee":`...), it.row)
	case it.board != nil:
		dst = append(dst, `{"type":"`+MessageSnapshot+`","seq":`...)
		dst = mask.AppendUint(dst, w.number)
		dst = w.appendBoard(append(dst, `,"board":`...), it.board)
	default:
		dst = mask.AppendString(append(dst, `{"type":`...), it.message.Type)
		dst = mask.AppendUint(append(dst, `,"seq":`...), w.number)
		if s := it.message.Supervision; s != nil {
			dst = s.AppendJSON(append(dst, `,"supervision":`...))
		}
		if i := it.message.Intercept; i != nil {
			dst = i.AppendJSON(append(dst, `,"intercept":`...))
		}
	}
	return append(dst, '}'), true
}

// Next waits for the next message. It returns what Wait returns when there is none.
func (w *Watcher) Next(ctx context.Context) (Message, error) {
	if err := w.await(ctx, 1); err != nil {
		return Message{}, err
	}
	it, _ := w.pop()
	var m Message
	switch {
	case it.row != nil:
		row := w.row(it.row)
		m = Message{Type: MessageEmployee, Employee: &row}
	case it.board != nil:
		b := w.reader.board(it.board)
		m = Message{Type: MessageSnapshot, Board: &b}
	default:
		m = *it.message
	}
	m.Seq = w.number
	return m, nil
}

// pop gives out one message that has been taken from the queue, or is there to be taken.
func (w *Watcher) pop() (it item, ok bool) {
	if len(w.taken) == 0 && (w.take(handful, false) != nil || len(w.taken) == 0) {
		return item{}, false
	}
	it = w.taken[0]
	w.taken[0] = item{}
	w.taken = w.taken[1:]
	w.number++
	w.gate.met.deliveries.Inc()
	return it, true
}

// Close ends the stream.
func (w *Watcher) Close() {
	w.gate.locked(func(*call.Table) { w.gate.cut(w, context.Canceled) })
}
