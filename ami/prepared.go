package ami

import "errors"

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

// Prepared is an event in the form in which it goes over the wire, encoded once and sent to any number of sessions. It
// is not changed any more and safe for concurrent use.
type Prepared struct {
	wire  []byte
	name  string
	class Class
}

// Prepare encodes an event, under the rules of [Message.AppendTo]. Its class is what its Privilege field says.
func Prepare(m *Message) (*Prepared, error) {
	name := m.Event()
	if len(name) == 0 {
		return nil, ErrNoEvent
	}
	wire, err := m.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	privilege, _ := m.Lookup("Privilege")
	return &Prepared{wire: wire, name: string(name), class: classOf(privilege)}, nil
}

// Len returns the bytes that the event has on the wire.
func (p *Prepared) Len() int { return len(p.wire) }
