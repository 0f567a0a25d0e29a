package pbx

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// settle is how long after a step the board may take to say what it should.
const settle = 3 * time.Second

// A scene is one scenario under way: real phones on the real PBX.
type scene struct {
	*testing.T
	stage
	name      string
	ctx       context.Context
	office    *office
	admin     *ari.Client
	on        floor
	silent    bool // phones send no sound
	unhurried bool // any time may pass between two steps
}

// A stage is who follows the calls of a scene.
type stage interface {
	// mark is told that a step is over, and what a person would say then. It returns when the next one may begin.
	mark(s *scene, text string, board []string)
	// meanwhile is told what is so for a moment before the next mark.
	meanwhile(board []string)
	// until waits until something is so. It is looked at whenever something happens.
	until(ctx context.Context, so func() bool) error
	read(look func(*call.Table))
	// earshot is the link that carries out orders, and hasEntered reports which of its legs have entered its application.
	earshot() *Link
	hasEntered(id call.LegID) bool
}

// abandoned is what a scene panics with that cannot go on, or is not to.
type abandoned struct{}

// run plays a scene and hangs up whatever it leaves.
func (s *scene) run(play func(*scene)) {
	defer func() {
		if why := recover(); why != nil && why != (abandoned{}) {
			panic(why)
		}
	}()
	play(s)
}

// Fatal ends the scene. It may be called on any goroutine.
func (s *scene) Fatal(args ...any) {
	s.Helper()
	s.Error(append([]any{s.name + ":"}, args...)...)
	panic(abandoned{})
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// now marks a step.
func (s *scene) now(text string, board ...string) {
	s.Helper()
	slices.Sort(board)
	s.mark(s, text, board)
}

// shows waits until the board of the floor says what a person would say.
func (s *scene) shows(text string, want []string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, settle)
	defer cancel()
	var got []string
	if err := s.until(ctx, func() bool {
		var settled bool
		s.read(func(t *call.Table) { got, settled = s.on.board(t), s.on.bridged(t) })
		return settled && slices.Equal(got, want)
	}); err != nil {
		s.Errorf("%s: %s: the board says\n\t%s\nand should say\n\t%s", s.name, text, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// forgiving is what the board of the floor says, and what it should where it is not known who has put a call on hold, as after a snapshot that
// was taken since: what a person would say, but for what no snapshot tells. The leg of a phone on which there is no call any more, and whose
// channel Asterisk keeps, is not looked at.
func (s *scene) forgiving(t *call.Table, unheld, want []string) (got, should []string) {
	got = slices.DeleteFunc(s.on.board(t), func(line string) bool {
		who, _, _ := strings.Cut(line, " ")
		return len(s.phone(who).Calls()) == 0
	})
	for _, line := range want {
		other := turned[s.name+" "+line]
		if other == "" && slices.ContainsFunc(unheld, func(who string) bool { return strings.HasPrefix(line, who) }) {
			other = strings.Replace(line, " held", " talking", 1)
		}
		if !slices.Contains(got, line) && slices.Contains(got, other) {
			line = other
		}
		should = append(should, line)
	}
	slices.Sort(should)
	return got, should
}

// holders are who has put a call on hold, by a board: "101 held in".
func holders(board []string) []string {
	var who []string
	for _, line := range board {
		if words := strings.Fields(line); words[1] == "held" {
			who = append(who, strings.Join(words[:3], " "))
		}
	}
	return who
}

// still are those of unheld who hold their calls still.
func still(unheld, board []string) []string {
	held := holders(board)
	return slices.DeleteFunc(unheld, func(who string) bool { return !slices.Contains(held, who) })
}

// briefly says what is so for a moment before the next mark.
func (s *scene) briefly(board ...string) { s.meanwhile(board) }

func (s *scene) phone(id string) *phone.Phone { return s.office.phones[string(s.on)+id] }

func (s *scene) endpoint(id string) string { return "PJSIP/" + string(s.on) + id }

func (s *scene) taken(c *phone.Call, err error) *phone.Call {
	s.Helper()
	s.must(err)
	c.Silence(s.silent)
	return c
}

func (s *scene) dial(from, number string, options ...phone.DialOption) *phone.Call {
	s.Helper()
	return s.taken(s.phone(from).Dial(s.ctx, s.on.number(number), options...))
}

// client is a call from outside; the number and the name are claimed by the trunk.
func (s *scene) client(number string) *phone.Call {
	s.Helper()
	return s.dial("trunk", number, phone.As("+79161234567", "Ivan Client"))
}

// rings returns the call that comes in at a phone.
func (s *scene) rings(at string) *phone.Call {
	s.Helper()
	return s.taken(s.phone(at).Incoming(s.ctx))
}

func (s *scene) answer(c *phone.Call) { s.Helper(); s.must(c.Answer(s.ctx)) }
func (s *scene) hangup(c *phone.Call) { s.Helper(); s.must(c.Hangup(s.ctx)) }

// keys presses keys within a call: a feature's, or a number. Asterisk may end the call on the last one.
func (s *scene) keys(c *phone.Call, keys string) {
	s.Helper()
	if keys[0] >= '0' && keys[0] <= '9' {
		keys = s.on.number(keys)
	}
	if err := c.DTMF(s.ctx, keys); err != nil && c.State() != phone.Ended {
		s.Fatal(err)
	}
}

func (s *scene) transfer(c *phone.Call, number string) {
	s.Helper()
	s.must(c.Transfer(s.ctx, s.on.number(number)))
}

// talk makes one phone call another, which answers.
func (s *scene) talk(from, to string) (a, b *phone.Call) {
	s.Helper()
	a = s.dial(from, to)
	b = s.rings(to)
	s.answer(b)
	s.must(a.WaitAnswered(s.ctx))
	return a, b
}

// inbound makes a client call a phone, which answers.
func (s *scene) inbound(to string) (a, b *phone.Call) {
	s.Helper()
	a = s.client("74950000" + to)
	b = s.rings(to)
	s.now("a client calls "+to, "trunk dialling out with "+to, to+" ringing in with trunk")
	s.answer(b)
	s.must(a.WaitAnswered(s.ctx))
	s.now(to+" answers", "trunk talking out with "+to, to+" talking in with trunk")
	return a, b
}

// react changes how a phone takes calls for the rest of the scenario.
func (s *scene) react(id string, how phone.Reaction) {
	p := s.phone(id)
	p.SetReaction(how)
	s.Cleanup(func() { p.SetReaction(phone.Reaction{}) })
}

// noLocals waits until no Local channel is left.
func (s *scene) noLocals() {
	s.Helper()
	s.must(s.until(s.ctx, func() bool {
		none := true
		s.read(func(t *call.Table) {
			none = !slices.ContainsFunc(t.All(nil), func(l *call.Leg) bool { return strings.HasPrefix(l.Name(), "Local/"+string(s.on)) })
		})
		return none
	}))
}

// leg is the one leg of a phone.
func (s *scene) leg(of string) call.LegID {
	s.Helper()
	var id call.LegID
	s.read(func(t *call.Table) {
		if legs := t.LegsOf(nil, s.endpoint(of)); len(legs) == 1 {
			id = legs[0].ID()
		}
	})
	if id == "" {
		s.Fatal("there is not one leg of " + of)
	}
	return id
}

// spied waits until somebody spies on a phone.
func (s *scene) spied(on string) {
	s.Helper()
	id := s.leg(on)
	s.must(s.until(s.ctx, func() bool {
		var n int
		s.read(func(t *call.Table) {
			if l := t.Leg(id); l != nil {
				n = len(l.Spies(nil))
			}
		})
		return n > 0
	}))
}

// bridge makes sure that a supervision's bridge is there. An Earshot that comes takes away what an earlier one has left empty, and here the
// supervision goes on all the same.
func (s *scene) bridge(id call.BridgeID) {
	s.Helper()
	_, err := s.admin.GetBridge(s.ctx, string(id))
	if errors.Is(err, ari.ErrNotFound) {
		_, err = s.admin.CreateBridge(s.ctx, ari.BridgeRequest{ID: string(id), Type: ari.BridgeMixing})
	}
	s.must(err)
}

// hangupAll ends what is left on the floor.
func (s *scene) hangupAll(ctx context.Context) error {
	var all error
	for id, p := range s.office.phones {
		if floorOf("PJSIP/"+id) != s.on {
			continue
		}
		for _, c := range p.Calls() {
			all = errors.Join(all, c.Hangup(ctx))
		}
	}
	return all
}

// left reports whether anybody on the floor has a leg.
func (s *scene) left() bool {
	left := false
	s.read(func(t *call.Table) {
		left = slices.ContainsFunc(t.All(nil), func(l *call.Leg) bool { return floorOf(l.Name()) == s.on })
	})
	return left
}
