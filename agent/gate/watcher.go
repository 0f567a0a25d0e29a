package gate

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// backlog is how many messages may wait for a watcher, beside those that his reader has taken already, before he is cut off.
const backlog = 512

// Watcher is one open event stream. Wait, Append and Next are for one goroutine; Leave and Close may be called by any.
type Watcher struct {
	// Under the gate's lock.
	cut   error
	me    policy.Ref
	shown []glance
	lines map[policy.LineRef]*mask.Line // those that he may view, as he was shown them last

	mu      sync.Mutex // guards what follows; taken inside the gate's lock too, and held for nothing that waits
	waiting bool
	left    bool  // the reader wants no more
	over    error // the stream ends after the items
	items   []item
	wake    chan struct{} // tells one who waits that there is something, or that the stream is over

	// Of the goroutine that reads.
	taken  []item // out of the queue
	next   int    // the first of them that was not given out yet
	number uint64 // of the last message that was given out
	digits []byte // the same as text
	reader

	subject auth.Subject
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
	if len(w.items) == backlog {
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

// Leave ends the stream for who reads it: Wait returns context.Canceled from now on, though messages may be there. It does not wait and needs no
// lock of the gate; Close is to follow.
func (w *Watcher) Leave() {
	w.mu.Lock()
	w.left, w.waiting = true, false
	w.mu.Unlock()
	w.rouse()
}

func (w *Watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take gets what is in the queue, all that was taken before having been given out. When nothing is there it tells why the stream is over, or
// notes whether somebody waits.
func (w *Watcher) take(wait bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left {
		return context.Canceled
	}
	if len(w.items) == 0 {
		w.waiting = wait && w.over == nil
		return w.over
	}
	w.items, w.taken, w.next = w.taken[:0], w.items, 0
	w.gate.met.deliveries.Add(float64(len(w.taken)))
	return nil
}

// ready reports whether there is a message that was taken and not given out.
func (w *Watcher) ready() bool { return w.next < len(w.taken) }

// Wait returns nil once there is a message to be had from Append or Next, one of the Cut errors when there is none any more, and
// context.Canceled after Leave or Close.
func (w *Watcher) Wait() error {
	for !w.ready() {
		if err := w.take(true); err != nil {
			return err
		}
		if !w.ready() {
			<-w.wake // and no context beside it: that would cost as much as all the rest
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
		dst = append(dst, w.digits...)
		dst = w.appendRow(append(dst, `,"employee":`...), it.row)
	case it.board != nil:
		dst = append(dst, `{"type":"`+MessageSnapshot+`","seq":`...)
		dst = append(dst, w.digits...)
		dst = w.appendBoard(append(dst, `,"board":`...), it.board)
	default:
		dst = mask.AppendString(append(dst, `{"type":`...), it.message.Type)
		dst = append(append(dst, `,"seq":`...), w.digits...)
		if s := it.message.Supervision; s != nil {
			dst = s.AppendJSON(append(dst, `,"supervision":`...))
		}
		if i := it.message.Intercept; i != nil {
			dst = i.AppendJSON(append(dst, `,"intercept":`...))
		}
		if i := it.message.Incoming; i != nil {
			dst = i.AppendJSON(append(dst, `,"incoming":`...))
		}
		if s := it.message.Supervised; s != nil {
			dst = s.AppendJSON(append(dst, `,"supervised":`...))
		}
		if l := it.message.Line; l != nil {
			dst = appendPlain(append(dst, `,"line":`...), l)
		}
		if j := it.message.Join; j != nil {
			dst = appendPlain(append(dst, `,"join":`...), j)
		}
		if r := it.message.Recording; r != nil {
			dst = appendPlain(append(dst, `,"recording":`...), r)
		}
	}
	return append(dst, '}'), true
}

// appendPlain appends what is told too seldom to be written without reflection.
func appendPlain[T mask.Line | mask.Join | mask.Taping](dst []byte, v *T) []byte {
	b, _ := json.Marshal(v) // none has anything on which it could fail
	return append(dst, b...)
}

// Next waits for the next message. When there is none any more it returns what Wait returns, and ctx's error when that is over first; a message
// that is there already is to be had whatever ctx says.
func (w *Watcher) Next(ctx context.Context) (Message, error) {
	for !w.ready() {
		if err := w.take(true); err != nil {
			return Message{}, err
		}
		if w.ready() {
			break
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
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
	if !w.ready() && (w.take(false) != nil || !w.ready()) {
		return item{}, false
	}
	it = w.taken[w.next]
	w.taken[w.next] = item{}
	w.next++
	w.count()
	return it, true
}

// count gives the next message its number.
func (w *Watcher) count() {
	w.number++
	i := len(w.digits) - 1
	for ; i >= 0 && w.digits[i] == '9'; i-- {
		w.digits[i] = '0'
	}
	if i < 0 {
		w.digits = append(w.digits, '0')
		w.digits[0] = '1'
		return
	}
	w.digits[i]++
}

// Close ends the stream.
func (w *Watcher) Close() {
	w.gate.locked(func(*call.Table) { w.gate.cut(w, context.Canceled) })
}
