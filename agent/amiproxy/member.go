package amiproxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
)

const (
	faultQueue     fault = "Queue not specified."
	faultInterface fault = "Interface not specified."
	faultPenalty   fault = "Penalty is a whole number of 0 or more."
	faultPaused    fault = "Paused is true or false."
	faultNoMember  fault = "Interface not found"
)

// member reads whom an action about a queue is about, and which line's queue it is: the interface is an employee's phone, and nothing else can be put
// into a queue.
func (x *exchange) member() (gate.MemberAsk, error) {
	name := x.m.Get("Queue")
	if name == "" {
		return gate.MemberAsk{}, faultQueue
	}
	book := x.cfg.Gate.Phonebook()
	ask, err := x.memberIn(&book)
	for _, q := range book.Queues {
		if strings.EqualFold(q.Queue, name) {
			ask.Line = q.Line
		}
	}
	return ask, err
}

// memberIn is member without the line.
func (x *exchange) memberIn(book *gate.Phonebook) (gate.MemberAsk, error) {
	ask, device := gate.MemberAsk{Door: doorName}, x.m.Get("Interface")
	if device == "" {
		return ask, faultInterface
	}
	for _, c := range book.Colleagues {
		if _, ok := c.Phone(device); ok { // also by a number of his: Local/201@phones/n
			ask.Employee = c.ID
		}
		for _, p := range c.Phones {
			if strings.EqualFold(p, device) {
				ask.Employee = c.ID
			}
		}
	}
	return ask, nil
}

// change carries out what was read of an action about queues in each of them, and each counts as a command. As in Asterisk, it is done where it was done in
// one at least; the answer says in how many it was not, and each refusal is in the record.
func (x *exchange) change(words string, asks ...gate.MemberAsk) error {
	var penalty *int
	var paused *bool
	if p := x.m.Get("Penalty"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return faultPenalty
		}
		penalty = &n
	}
	if p := x.m.Get("Paused"); p != "" {
		yes, ok := truth[fold(p)]
		if !ok {
			return faultPaused
		}
		paused = &yes
	}
	var first error
	refused := 0
	for i, ask := range asks {
		ask.Penalty, ask.Paused, ask.Why = penalty, paused, x.m.Get("Reason")
		if err := x.changeOne(ask, i > 0); err != nil {
			if refused++; first == nil {
				first = err
			}
		}
	}
	switch refused {
	case 0:
		return x.session.Success(x.m, words)
	case len(asks):
		return first
	}
	return x.session.Success(x.m, fmt.Sprintf("%s in %d of %d queues, refused in the others", words, len(asks)-refused, len(asks)))
}

// changeOne is one of several. The first of an action is counted already.
func (x *exchange) changeOne(ask gate.MemberAsk, count bool) error {
	if count && x.cfg.Command != nil && !x.cfg.Command(x.who) {
		x.note(x.session, x.who, x.table[fold(string(x.m.Action()))].name, codeOf(faultTooOften))
		return faultTooOften
	}
	return x.cfg.Gate.ChangeMember(x.ctx, x.who, ask)
}

// truth are the words of ast_true and ast_false (main/utils.c).
var truth = map[string]bool{
	"yes": true, "true": true, "y": true, "t": true, "1": true, "on": true,
	"no": false, "false": false, "n": false, "f": false, "0": false, "off": false,
}

// queueAdd is QueueAdd. What the member is called in the queue is Earshot's to say.
func (x *exchange) queueAdd() error {
	ask, err := x.member()
	if err != nil {
		return err
	}
	return x.change("Added interface to queue", ask)
}

// queueRemove is QueueRemove.
func (x *exchange) queueRemove() error {
	ask, err := x.member()
	if err != nil {
		return err
	}
	ask.Remove = true
	return x.change("Removed interface from queue", ask)
}

// present is member for what is done to one who is in the queue, as far as the subject is shown that: the gate would put another into it. Where no queue is
// named it is done in every one in which he is, as in Asterisk.
func (x *exchange) present() (asks []gate.MemberAsk, err error) {
	all, book, err := x.queues(x.m.Get("Queue"))
	if err != nil {
		return nil, err
	}
	ask, err := x.memberIn(&book)
	if err != nil {
		return nil, err
	}
	for _, q := range all {
		for _, m := range q.Members {
			if m.Queued && m.Employee == ask.Employee {
				ask.Line = q.ID
				asks = append(asks, ask)
			}
		}
	}
	if len(asks) == 0 {
		return nil, faultNoMember
	}
	return asks, nil
}

// queuePause is QueuePause.
func (x *exchange) queuePause() error {
	if x.m.Get("Paused") == "" {
		return faultPaused
	}
	asks, err := x.present()
	if err != nil {
		return err
	}
	words := "Interface unpaused successfully"
	if truth[fold(x.m.Get("Paused"))] {
		words = "Interface paused successfully"
	}
	return x.change(words, asks...)
}

// queuePenalty is QueuePenalty.
func (x *exchange) queuePenalty() error {
	if x.m.Get("Penalty") == "" {
		return faultPenalty
	}
	asks, err := x.present()
	if err != nil {
		return err
	}
	return x.change("Interface penalty set successfully", asks...)
}
