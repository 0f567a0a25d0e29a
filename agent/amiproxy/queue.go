package amiproxy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// queue is a line that the subject may view, under the name of its Asterisk queue.
type queue struct {
	name string
	mask.Line
}

// queues are all whose state is known, or the one that is named.
func (x *exchange) queues(named string) ([]queue, gate.Phonebook, error) {
	var lines []mask.Line
	err := x.client.share.look(x.ctx, func() (err error) {
		lines, err = x.cfg.Gate.Lines(x.who)
		return err
	})
	book := x.cfg.Gate.Phonebook()
	var all []queue
	for _, l := range lines {
		for _, q := range book.Queues {
			if q.Line == l.ID && l.Known && (named == "" || strings.EqualFold(named, q.Queue)) {
				all = append(all, queue{q.Queue, l})
			}
		}
	}
	return all, book, err
}

// queueStatus is QueueStatus. What Earshot does not keep count of is 0, as in a queue that was reset.
func (x *exchange) queueStatus() error {
	all, book, err := x.queues(x.m.Get("Queue"))
	if err != nil {
		return err
	}
	o, err := x.look()
	if err != nil {
		return err
	}
	member, now, doing := x.m.Get("Member"), x.cfg.Clock(), o.presences()
	answer := x.session.List(x.m, "Queue status will follow")
	for i := range all {
		q := &all[i]
		answer.RowTail(ami.NewEvent("QueueParams", 0).Append("Queue", q.name).Append("Max", "0").Append("Strategy", "").Append("Calls", strconv.Itoa(q.Waiting)).
			Append("Holdtime", "0").Append("TalkTime", "0").Append("Completed", "0").Append("Abandoned", "0").Append("ServiceLevel", "0").
			Append("ServicelevelPerf", "0.0").Append("ServicelevelPerf2", "0.0").Append("Weight", "0"))
		for k := range q.Members {
			m := &q.Members[k]
			who, ok := colleagueOf(book, m.Employee)
			if !ok || !m.Queued || len(who.Phones) == 0 || member != "" && !strings.EqualFold(member, who.Phones[0]) && member != m.Name {
				continue
			}
			answer.RowTail(memberRow(q.name, who.Phones[0], m, doing[m.Employee], o.serves(m.Employee, q.name)))
		}
		for k := range q.Callers {
			answer.RowTail(o.callerRow(q.name, k+1, &q.Callers[k], now))
		}
	}
	return answer.Complete(ami.NewEvent("QueueStatusComplete", 0))
}

// memberRow is an employee in a queue.
func memberRow(queue, phone string, m *mask.LineMember, p presence, serves bool) *ami.Message {
	membership := "dynamic"
	if m.Fixed {
		membership = "static"
	}
	return ami.NewEvent("QueueMember", 0).Append("Queue", queue).Append("Name", printable(m.Name)).Append("Location", phone).Append("StateInterface", phone).
		Append("Membership", membership).Append("Penalty", strconv.Itoa(m.Penalty)).Append("CallsTaken", "0").Append("LastCall", "0").
		Append("LastPause", "0").Append("LoginTime", "0").Append("InCall", digit(serves)).Append("Status", p.member).
		Append("Paused", digit(m.Paused)).Append("PausedReason", "").Append("Wrapuptime", "0")
}

// serves reports whether an employee is shown to talk to somebody whom the queue has brought him.
func (o *office) serves(employee, queue string) bool {
	for i := range o.view.All {
		if c := &o.view.All[i]; c.Employee == employee && c.Queue == queue && !c.Out && c.Bridge != "" {
			return true
		}
	}
	return false
}

func digit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// unknownInQueue is what app_queue writes for a number or a name that it does not have.
const unknownInQueue = "unknown"

// callerRow is who waits: by the channel that the subject is shown for him, or under a name that tells nothing. It is the one that events have for him.
func (o *office) callerRow(queue string, position int, c *mask.LineCaller, now time.Time) *ami.Message {
	w := channel{waiter(queue, c.ID, c.Endpoint)}
	number, name, other, otherName := unknownInQueue, unknownInQueue, unknownInQueue, unknownInQueue
	if c.Peer != nil {
		number, name = orUnknownInQueue(c.Peer.Number), orUnknownInQueue(c.Peer.Name)
		if at := slices.IndexFunc(o.view.All, func(s mask.Channel) bool { return s.ID == c.ID }); at >= 0 && o.view.All[at].Peer != nil {
			other, otherName = orUnknownInQueue(o.view.All[at].Peer.Number), orUnknownInQueue(o.view.All[at].Peer.Name)
		}
	}
	return ami.NewEvent("QueueEntry", 0).Append("Queue", queue).Append("Position", strconv.Itoa(position)).Append("Channel", w.name()).Append("Uniqueid", w.ID).
		Append("CallerIDNum", number).Append("CallerIDName", name).Append("ConnectedLineNum", other).Append("ConnectedLineName", otherName).
		Append("Wait", strconv.Itoa(seconds(now, c.Since))).Append("Priority", "0")
}

func orUnknownInQueue(s string) string {
	if s == "" {
		return unknownInQueue
	}
	return printable(s)
}

// queueSummary is QueueSummary.
func (x *exchange) queueSummary() error {
	all, _, err := x.queues(x.m.Get("Queue"))
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "Queue summary will follow")
	for i := range all {
		q := &all[i]
		in, free, longest := 0, 0, 0
		for _, m := range q.Members {
			if m.Queued {
				in++
			}
			if m.Queued && !m.Paused && m.State == mask.Idle {
				free++
			}
		}
		if q.Since != nil {
			longest = seconds(x.cfg.Clock(), *q.Since)
		}
		answer.RowTail(ami.NewEvent("QueueSummary", 0).Append("Queue", q.name).Append("LoggedIn", strconv.Itoa(in)).Append("Available", strconv.Itoa(free)).
			Append("Callers", strconv.Itoa(q.Waiting)).Append("HoldTime", "0").Append("TalkTime", "0").Append("LongestHoldTime", strconv.Itoa(longest)))
	}
	return answer.Complete(ami.NewEvent("QueueSummaryComplete", 0))
}
