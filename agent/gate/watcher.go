package gate

import (
	"context"
	"encoding/json"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Watcher is one open event stream. Wait, Append and Next are for one goroutine; Leave and Close may be called by any.
type Watcher struct {
	// Under the gate's lock.
	cut   error
	me    policy.Ref
	shown []glance
	lines map[policy.LineRef]*mask.Line // those that he may view, as he was shown them last

	mailbox[item]

	// Of the goroutine that reads.
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
	if err := w.await(ctx); err != nil {
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

// pop gives out one message and its number.
func (w *Watcher) pop() (it item, ok bool) {
	if it, ok = w.mailbox.pop(); ok {
		w.count()
	}
	return it, ok
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
