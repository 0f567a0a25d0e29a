package pbx

import (
	"slices"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Every event of a queue that a real Asterisk writes fits what is expected, and the table that is made of them is what Asterisk says when it is
// asked once more.
func TestTheQueuesOfARealAsterisk(t *testing.T) {
	o := openOffice(t)
	var mu sync.Mutex
	var table queue.Table
	kinds := map[queue.Kind]int{}
	var r *runner
	began := make(chan struct{}) // closed when r is there
	r = run(t, o, func(c *Config) {
		c.AMI.Events = "call,agent"
		c.Queues = func(ev queue.Event) {
			<-began
			r.happened(func() {
				mu.Lock()
				defer mu.Unlock()
				kinds[ev.Kind]++
				table.Apply(&ev)
			})
		}
	}, nil)
	close(began)
	r.up()
	defer o.hangupAll(t)
	is := func(what string, f func(q *queue.State) bool) {
		t.Helper()
		r.until(what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			q, ok := table.Queue("sales")
			return ok && f(q)
		})
	}
	member := func(of string) func(q *queue.State) (queue.Member, bool) {
		return func(q *queue.State) (queue.Member, bool) {
			i := slices.IndexFunc(q.Members, func(m queue.Member) bool { return m.Interface == of })
			if i < 0 {
				return queue.Member{}, false
			}
			return q.Members[i], true
		}
	}
	guest := member("PJSIP/303")
	is("the list", func(q *queue.State) bool { return len(q.Members) == 2 && q.Members[0].Fixed })
	order := QueueMember{Queue: "sales", Interface: "PJSIP/303", Penalty: 4}
	r.must(r.link.QueueAdd(r.ctx, order))
	is("added", func(q *queue.State) bool { m, ok := guest(q); return ok && m.Penalty == 4 && !m.Fixed })
	order.Penalty, order.Paused = 1, true
	r.must(r.link.QueuePenalty(r.ctx, order))
	is("another penalty", func(q *queue.State) bool { m, _ := guest(q); return m.Penalty == 1 })
	r.must(r.link.QueuePause(r.ctx, order))
	is("paused", func(q *queue.State) bool { m, _ := guest(q); return m.Paused })
	c, err := o.phones["trunk"].Dial(r.ctx, outsideNumber+"100")
	r.must(err)
	is("waits", func(q *queue.State) bool { return len(q.Callers) == 1 })
	r.link.queues.ask() // a list while he waits
	taken := func() int {
		mu.Lock()
		defer mu.Unlock()
		return kinds[queue.Taken]
	}
	r.until("asked again", func() bool { return taken() > 1 })
	is("waits still", func(q *queue.State) bool {
		return len(q.Callers) == 1 && q.Callers[0].Channel != "" && len(q.Members) == 3
	})
	r.must(c.Hangup(r.ctx))
	is("nobody waits", func(q *queue.State) bool { return len(q.Callers) == 0 })
	r.must(r.link.QueueRemove(r.ctx, order))
	is("removed", func(q *queue.State) bool { _, ok := guest(q); return !ok })
	if err := r.link.QueueRemove(r.ctx, QueueMember{Queue: "sales", Interface: "PJSIP/101"}); err == nil {
		t.Error("who stands in queues.conf was removed")
	}
	if n := testutil.ToFloat64(r.link.met.faults); n != 0 {
		t.Errorf("%g did not fit:\n%s", n, r.said())
	}
	mu.Lock()
	defer mu.Unlock()
	for _, k := range []queue.Kind{queue.MemberSeen, queue.MemberGone, queue.CallerJoined, queue.CallerLeft} {
		if kinds[k] == 0 {
			t.Errorf("nothing of kind %d was told", k)
		}
	}
}
