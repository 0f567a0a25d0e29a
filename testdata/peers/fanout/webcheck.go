package fanout

import (
	"bytes"
	"fmt"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// CheckWeb tells all panels of changes, and holds each message against a reference that follows the day by hand: whose row it is, his one call or none,
// its state, who called for whoever may observe, and for all others nothing that he is known by.
func CheckWeb(changes int) (messages int, err error) {
	o, addr, err := newWeb()
	if err != nil {
		return 0, err
	}
	defer o.close()
	panels := make([]func() (gate.Message, []byte, error), Panels)
	for i := range panels {
		if panels[i], err = watch(o, addr, fmt.Sprint("e", i)); err != nil {
			return 0, err
		}
		if m, _, err := panels[i](); err != nil || m.Type != gate.MessageSnapshot {
			return 0, fmt.Errorf("panel %d begins with %q: %w", i, m.Type, err)
		}
	}
	d := newDay()
	o.ingest(d.waiting...)
	for step := range changes {
		round := step / 3
		who, state := round%len(d.calls), mask.Ringing
		switch {
		case step%3 == 1:
			state = mask.Talking
		case step%3 == 2 && round < 10:
			state = mask.Held
		case step%3 == 2:
			who, state = (round-10)%len(d.calls), mask.Idle
		}
		o.ingest(d.next()...)
		for i, next := range panels {
			m, text, err := next()
			if err != nil {
				return 0, fmt.Errorf("panel %d: %w", i, err)
			}
			if m.Type != gate.MessageEmployee || m.Seq != uint64(step+2) || m.Employee == nil || !right(m.Employee, text, i%2 == 0, who, state) {
				return 0, fmt.Errorf("panel %d is told, of the call of caller %d that is %s,\n%s", i, who, state, text)
			}
			messages++
		}
	}
	return messages, nil
}

// right reports whether a row is what a panel may know of the call of a caller.
func right(row *mask.Row, text []byte, observes bool, who int, state string) bool {
	if row.ID != fmt.Sprint("e", 2*who) || row.State != state {
		return false
	}
	name, number := fmt.Sprintf("Caller %d", who), fmt.Sprintf("7916%07d", who)
	if state == mask.Idle {
		return len(row.Calls) == 0 && !bytes.Contains(text, []byte(number))
	}
	if len(row.Calls) != 1 || row.Calls[0].State != state || row.Calls[0].Hidden == observes {
		return false
	}
	if peer := row.Calls[0].Peer; observes {
		return peer != nil && peer.Name == name && peer.Number == "+"+number
	} else if peer != nil {
		return false
	}
	return !bytes.Contains(text, []byte(number)) && !bytes.Contains(text, []byte(name))
}
