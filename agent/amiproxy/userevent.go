package amiproxy

import (
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/ami"
)

// A UserEvent has a name and fields of the client's own, so many and so long at most.
const (
	maxEventName  = 64
	maxEventField = 32
	maxEventValue = 256
)

const (
	faultEventName  fault = "UserEvent is a name of letters, digits, dots, hyphens and underscores."
	faultEventField fault = "A header of this event is reserved, is no plain name, or is too long."
)

// codeOwnSessions is by what right a UserEvent is sent: it is between sessions of the sender's own.
const codeOwnSessions = "own_sessions"

// userEvent is UserEvent: to all sessions of the same panel, or of the same employee where no panel is between, and to nobody else. Nothing of it reaches
// Asterisk, and the record has who sent one and nothing of what is in it. A field of a name by which a reader would take the event for another one is refused.
func (x *exchange) userEvent() error {
	name := x.m.Get("UserEvent")
	if !plainName(name, maxEventName) {
		return faultEventName
	}
	event := ami.NewEvent("UserEvent", ami.ClassUser).Append("UserEvent", name)
	fields, size := 0, len(name)
	for i := range x.m.Len() {
		field, value := x.m.Field(i)
		if ours(string(field)) {
			continue
		}
		if fields++; fields > maxEventField || !plainName(string(field), maxEventName) || reservedField(string(field)) || len(value) > maxEventValue {
			return faultEventField
		}
		size += len(field) + len(value)
		event.Append(string(field), string(value))
	}
	p, err := ami.Prepare(event)
	if err != nil {
		return faultEventField
	}
	if !x.client.share.told.AllowN(time.Now(), size) {
		return faultTooOften
	}
	sent := gate.DoorRefusal{Door: doorName, Action: x.table["userevent"].name, Code: codeOwnSessions, Panel: x.client.panel}
	if err := x.cfg.Gate.SentAtDoor(x.who, sent); err != nil {
		return err
	}
	x.mu.Lock()
	for session, c := range x.clients {
		if c.panel == x.client.panel && (c.panel != "" || c.subject.Employee() == x.client.subject.Employee()) {
			session.Send(p)
		}
	}
	x.mu.Unlock()
	return x.session.Success(x.m, "Event Sent")
}

// ours reports whether a header is the action's own.
func ours(header string) bool {
	for _, own := range []string{"Action", "ActionID", "UserEvent", namesEmployee} {
		if strings.EqualFold(header, own) {
			return true
		}
	}
	return false
}

// reservedField reports whether a field means something in every event: what it is, to whom it goes, and what it is tied to.
func reservedField(field string) bool {
	field = fold(field)
	for _, end := range []string{"channel", "uniqueid", "linkedid", "event", "response", "privilege", "actionid", "message", "timestamp"} {
		if strings.HasSuffix(field, end) {
			return true
		}
	}
	return false
}

// plainName reports whether s is letters, digits, dots, hyphens and underscores, and begins with a letter.
func plainName(s string, longest int) bool {
	if s == "" || len(s) > longest || strings.Trim(s[:1], letters) != "" {
		return false
	}
	return strings.Trim(s, letters+"0123456789._-") == ""
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
