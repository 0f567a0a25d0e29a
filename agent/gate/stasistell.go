package gate

import (
	"sync"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// stasisNews is what is to be told to a Stasis's client. It is queued under the gate's lock, and told without it by one goroutine: in order, and never at the
// same time as another.
type stasisNews struct {
	tell func(StasisEvent)

	mu     sync.Mutex
	queue  []StasisEvent
	over   bool          // nothing more comes
	wake   chan struct{} // has room for one
	silent chan struct{} // closed when all has been told
}

func newStasisNews(tell func(StasisEvent)) stasisNews {
	return stasisNews{tell: tell, wake: make(chan struct{}, 1), silent: make(chan struct{})}
}

// add queues an event.
func (n *stasisNews) add(e StasisEvent) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return
	}
	n.queue = append(n.queue, e)
	nudge(n.wake)
}

// close says that nothing more comes.
func (n *stasisNews) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	nudge(n.wake)
}

// run tells what is queued until nothing more comes.
func (n *stasisNews) run() {
	defer close(n.silent)
	for range n.wake {
		n.mu.Lock()
		queue, over := n.queue, n.over
		n.queue = nil
		n.mu.Unlock()
		for _, e := range queue {
			n.tell(e)
		}
		if over {
			return
		}
	}
}

// say queues an event. Caller holds the gate's lock.
func (st *Stasis) say(e StasisEvent) { st.news.add(e) }

// of makes an event one of a leg or a snoop, as it is now as far as that is known here.
func (e StasisEvent) of(m stasisMember) StasisEvent {
	c := mask.Channel{}
	if m.snoop != nil {
		c, e.Snoop = m.snoop.channel(), m.snoop.act.id
	} else {
		c = m.leg.last
	}
	e.Channel = &c
	return e
}
