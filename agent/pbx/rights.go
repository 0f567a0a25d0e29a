package pbx

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/ami"
)

// rights watches whether Earshot's AMI account may do what it needs to, as far as Asterisk lets that be known: it lists the actions of its write
// classes, but keeps silent about the events of read classes that are missing.
type rights struct {
	heard     atomic.Bool  // an event of the class call has come by the AMI connection
	unheard   atomic.Int32 // legs that ARI has seen end while none had
	connected atomic.Bool
	booted    atomic.Bool // Asterisk has said so on this connection
}

// boots is how long a starting Asterisk has to load what offers the actions, where it lets somebody log in before. It does not tell when it has.
const boots = 20 * time.Second

// enough is how many legs may end unheard before the account is blamed, since the first may have ended as AMI connected.
const enough = 3

// begin takes note of a new connection.
func (r *rights) begin() {
	r.heard.Store(false)
	r.unheard.Store(0)
	r.connected.Store(true)
}

// lost takes note that it is gone.
func (r *rights) lost() {
	r.connected.Store(false)
	r.booted.Store(false)
}

// check asks for the actions that the account may use. One that may not originate can take no call, one without call moves
// nobody's own, and one without agent and reporting changes no settings; all else goes by ARI.
func (r *rights) check(ctx context.Context, l *Link, c *ami.Client) {
	may, err := offered(ctx, c)
	if err == nil && !r.booted.Load() { // which comes before the answer, where it has
		wait := time.NewTimer(boots)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		may, err = offered(ctx, c)
	}
	if err != nil {
		l.log.Warn().Err(err).Msg("Asterisk did not list what Earshot's AMI account may do")
		return
	}
	if may.Get("QueuePause") == "" || may.Get("Getvar") == "" {
		l.log.Warn().Msg("Earshot's AMI account may not pause members of queues, or read the AstDB, so employees' settings are out of its reach: give it write = originate,call,agent,reporting in manager.conf and reload Asterisk's manager")
	}
	if may.Get("Redirect") == "" {
		l.log.Warn().Msg("Earshot's AMI account may not move calls, so nobody transfers or parks his own by a panel: give it write = originate,call,agent,reporting in manager.conf and reload Asterisk's manager")
	}
	if may.Get("Originate") == "" {
		l.log.Warn().Msg("Earshot's AMI account may not originate, so no ringing call can be intercepted and no conversation joined: give it write = originate,call,agent,reporting in manager.conf and reload Asterisk's manager")
	}
}

func offered(ctx context.Context, c *ami.Client) (*ami.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return c.Do(ctx, ami.NewAction("ListCommands"))
}

// event takes note of an AMI event other than the connection's own.
func (r *rights) event(name []byte) {
	if string(name) == "FullyBooted" {
		r.booted.Store(true)
	}
	if !r.heard.Load() && string(name) != "FullyBooted" && !bytes.HasPrefix(name, []byte("Queue")) && !bytes.HasPrefix(name, []byte("Agent")) {
		r.heard.Store(true)
	}
}

// ended takes note that ARI has told of a leg's end.
func (r *rights) ended(l *Link) {
	if r.connected.Load() && !r.heard.Load() && r.unheard.Add(1) == enough {
		l.log.Warn().Msg("Earshot's AMI account hears of no calls, so a ChanSpy or a pickup by others goes unseen: give it read = call in manager.conf and reload Asterisk's manager")
	}
}
