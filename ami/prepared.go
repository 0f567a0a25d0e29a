package ami

import (
	"bytes"
	"errors"
	"slices"
)

// ErrNoEvent means that a message whose first field is not Event was to be an event.
var ErrNoEvent = errors.New("ami: the first field is not Event")

// NewEvent makes an event of this name, such as "Newchannel", with the Privilege field that Asterisk gives to events of
// this class. Class zero makes one without the field: such an event (the row of a list, an answer that comes later)
// passes every event mask.
func NewEvent(name string, class Class) *Message {
	m := new(Message).Append("Event", name)
	if class != 0 {
		m.Append("Privilege", class.String())
	}
	return m
}

// NewResponse makes an answer of this kind: "Success", "Error" or "Goodbye".
func NewResponse(kind string) *Message { return new(Message).Append("Response", kind) }

// ErrHoles means that a [Holes] finds one that is not within the event, or of no length.
var ErrHoles = errors.New("ami: a hole that is not in the event")

// Prepared is an event in the form in which it goes over the wire, encoded once and sent to any number of sessions; from a
// [Builder] it is some of them, that go one behind the other with no other event between them. It is not changed any more
// and safe for concurrent use.
type Prepared struct {
	wire  []byte
	parts []part // one for each event
	class Class  // of all of them
	holes []hole
	width int // of each hole
	fills int // bytes that it takes to fill the last one
}

// part is one event.
type part struct {
	end   int // in the wire
	holes int // how many are up to there
	class Class
}

// hole is a place whose bytes are each session's own.
type hole struct {
	at   int // in the wire
	from int // in what the holes are filled with
}

// Holes says where the holes are in an event that is the same for many sessions but for some bytes, such as ids of which
// each session has its own. The zero value finds none.
type Holes struct {
	Width int                                    // bytes of each
	Next  func(text []byte) (at, i int, ok bool) // finds the first one in a text, and with which part of the fills it is filled
}

// Builder makes one [Prepared] of events, one after another. Its memory is used again for the next. The zero value makes
// events without holes; with [Session.SendFilled] a session's own bytes come into the holes. It is not safe for concurrent
// use.
type Builder struct {
	Holes Holes
	made  Prepared
}

// Prepare encodes an event, under the rules of [Message.AppendTo]. Its class is what its Privilege field says.
func Prepare(m *Message) (*Prepared, error) {
	var b Builder
	b.made.wire = make([]byte, 0, len(m.buf)+m.Len()+2) // a blank for each field that has none
	if err := b.Add(m); err != nil {
		return nil, err
	}
	return &b.made, nil
}

// Add encodes an event behind those that were added, as [Prepare] does. When it fails nothing is added.
func (b *Builder) Add(m *Message) error {
	if len(m.Event()) == 0 {
		return ErrNoEvent
	}
	p := &b.made
	start, before := len(p.wire), len(p.holes)
	wire, err := m.AppendTo(p.wire)
	if err != nil {
		return err
	}
	fills, err := b.find(wire, start)
	if err != nil {
		p.holes = p.holes[:before]
		return err
	}
	privilege, _ := m.Lookup("Privilege")
	class := classOf(privilege)
	p.wire, p.fills, p.width, p.class = wire, fills, b.Holes.Width, p.class|class
	p.parts = append(p.parts, part{end: len(wire), holes: len(p.holes), class: class})
	return nil
}

// find notes the holes of what has been added to the wire, and returns how many bytes it takes to fill all.
func (b *Builder) find(wire []byte, at int) (fills int, err error) {
	p, width := &b.made, b.Holes.Width
	for fills = p.fills; b.Holes.Next != nil; at += width {
		skip, i, ok := b.Holes.Next(wire[at:])
		if !ok {
			break
		}
		if at += skip; skip < 0 || i < 0 || width <= 0 || at+width > len(wire) {
			return 0, ErrHoles
		}
		p.holes = append(p.holes, hole{at, i * width})
		fills = max(fills, (i+1)*width)
	}
	return fills, nil
}

// Done returns what has been made of the events that were added, and begins with none; it is nil when none were.
func (b *Builder) Done() *Prepared {
	p := &b.made
	if len(p.parts) == 0 {
		return nil
	}
	done := &Prepared{wire: bytes.Clone(p.wire), parts: slices.Clone(p.parts), class: p.class, holes: slices.Clone(p.holes), width: p.width, fills: p.fills}
	*p = Prepared{wire: p.wire[:0], parts: p.parts[:0], holes: p.holes[:0]}
	return done
}

// Len returns the bytes that the events have on the wire.
func (p *Prepared) Len() int { return len(p.wire) }

// Fills returns how many bytes it takes to fill the holes.
func (p *Prepared) Fills() int { return p.fills }

// Class returns the event's class, of several all that they have; zero is that of an event which passes every mask.
func (p *Prepared) Class() Class { return p.class }

// passes reports whether c as a mask lets an event of some class through.
func (c Class) passes(class Class) bool { return c&class == class }

// Append appends the events as they go over the wire to dst, with their holes filled as by [Session.SendFilled]. It panics
// when fills is too short.
func (p *Prepared) Append(dst, fills []byte) []byte {
	start := len(dst)
	dst = append(dst, p.wire...)
	p.fill(dst[start:], p.holes, 0, fills)
	return dst
}

// fill fills holes of a piece of the wire that begins somewhere.
func (p *Prepared) fill(piece []byte, holes []hole, begin int, fills []byte) {
	for _, h := range holes {
		copy(piece[h.at-begin:h.at-begin+p.width], fills[h.from:h.from+p.width])
	}
}

// appendPassing is Append of those events that a mask and filters let through, and says how many those are.
func (p *Prepared) appendPassing(dst, fills []byte, mask Class, filters *filterSet) (_ []byte, events int) {
	from := part{}
	for _, to := range p.parts {
		if mask.passes(to.class) {
			start := len(dst)
			dst = append(dst, p.wire[from.end:to.end]...)
			p.fill(dst[start:], p.holes[from.holes:to.holes], from.end, fills)
			if filters.pass(dst[start:]) {
				events++
			} else {
				dst = dst[:start]
			}
		}
		from = to
	}
	return dst, events
}

// weigh returns the bytes of those events that a mask lets through, how many holes they have, and whether there are any.
func (p *Prepared) weigh(mask Class) (wire, holes int, any bool) {
	if mask.passes(p.class) {
		return len(p.wire), len(p.holes), true
	}
	from := part{}
	for _, to := range p.parts {
		if mask.passes(to.class) {
			wire, holes, any = wire+to.end-from.end, holes+to.holes-from.holes, true
		}
		from = to
	}
	return wire, holes, any
}
