package ariproxy

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// stasis is what the door does with a [gate.Stasis], which says what each is.
type stasis interface {
	Close()
	Over() bool
	View() gate.StasisView
	Originate(ctx context.Context, ask gate.StasisAsk) (channel string, err error)
	Snoop(ctx context.Context, ask gate.Ask) (mask.Supervision, error)
	HangUp(ctx context.Context, channel string) error
	Has(channel string) (there, up bool)
	CreateBridge(ctx context.Context) (id string, err error)
	DestroyBridge(ctx context.Context, bridge string) error
	Add(ctx context.Context, bridge string, channels ...string) error
	Remove(ctx context.Context, bridge string, channels ...string) error
	Hold(ctx context.Context, channel string, on bool) error
	Mute(ctx context.Context, channel, direction string, on bool) error
	Ring(ctx context.Context, channel string, on bool) error
	Silence(ctx context.Context, channel string, on bool) error
	Music(ctx context.Context, on string, begin bool) error
	Press(ctx context.Context, channel, digits string) error
	Play(ctx context.Context, on string, media []gate.StasisMedium) (gate.StasisPlayback, error)
	StopPlayback(ctx context.Context, id string) error
	ControlPlayback(ctx context.Context, id, operation string) error
}

// openStasis has the gate make one.
func (s *Server) openStasis(who auth.Subject, tell func(gate.StasisEvent)) (stasis, error) {
	return s.cfg.Gate.OpenStasis(who, doorName, tell)
}

// stasis is what the client has under its hand, for one of its own applications that is connected; with an empty name for any, which bridges are made
// for. All applications of a client have one in common, so that it may put the leg of one into a bridge with another's; what is told of a leg or a snoop as
// the application's own, StasisStart and StasisEnd, is told to the one that launch named. It is made when it is first asked for, goes on while the client
// connects again, Config.Grace, and is closed then, when the credential holds no more, or with the door.
func (x *exchange) stasis(app string) (stasis, error) {
	e := x.estate()
	if e.connected(app) == nil {
		return nil, faultForeign
	}
	return e.open()
}

// holder is what the client has under its hand, if a channel is in it (a leg or a snoop, by its id and not by an alias), and whether that is up: its
// phone has been answered. Otherwise it is nil.
func (x *exchange) holder(channel string) (st stasis, up bool) {
	st = x.held()
	if st == nil {
		return nil, false
	}
	there, up := st.Has(channel)
	if !there {
		return nil, false
	}
	return st, up
}

// held is what the client has under its hand; nil where it has had nothing yet.
func (x *exchange) held() stasis { return x.estate().stasis() }

// claim is an object that is about to be made, for which the client may have chosen an id. From the moment that one is taken until bind or release the
// client's streams stand still, so that it is told of the object by that id from the beginning. What a request has neither bound nor released is
// released when it has been answered.
type claim struct {
	estate *estate
	kind   idKind
	alias  string // empty: none was chosen
	app    *application
	args   []string
	begun  bool // it is pending
}

// claim begins to make a bridge, a playback or a recording. Chosen is the id that the client has chosen; empty for none. The errors are faults: an id that
// cannot be one (400), or one that is taken (409). The client has to have an application: see stasis.
func (x *exchange) claim(kind idKind, chosen string) (*claim, error) {
	return x.begin(&claim{estate: x.estate(), kind: kind, alias: chosen})
}

// launch begins to make a channel in one of the client's applications that is connected: a leg, by Originate, or a snoop. Args are what it is started
// with, as the client wrote it; StasisStart has it, and nothing else.
func (x *exchange) launch(app, args, chosen string) (*claim, error) {
	e := x.estate()
	own := e.connected(app)
	if app == "" || own == nil {
		return nil, faultForeign
	}
	return x.begin(&claim{estate: e, kind: idChannel, alias: chosen, app: own, args: splitArgs(args)})
}

func (x *exchange) begin(c *claim) (*claim, error) {
	if c.estate == nil {
		return nil, faultNoApplication
	}
	if c.alias != "" {
		f := c.estate.claim(c.kind, c.alias)
		if c.kind == idChannel && (f == faultTaken || f == faultManyIDs) {
			x.freeDialled(c.estate)
			f = c.estate.claim(c.kind, c.alias)
		}
		if f != nil {
			return nil, f
		}
	}
	if c.alias == "" && c.app == nil {
		return c, nil // nothing waits for its id
	}
	c.begun = true
	c.estate.halt()
	x.claims = append(x.claims, c)
	return c, nil
}

// bind says which object it has become, by its id.
func (c *claim) bind(real string) {
	if !c.begun {
		return
	}
	c.begun = false
	if c.app != nil {
		c.estate.launched(real, c.app, c.args) // first: what has an alias and was not launched has been dialled
	}
	if c.alias != "" {
		c.estate.bind(c.kind, c.alias, real)
	}
	c.estate.resume()
}

// release gives it up: nothing has been made.
func (c *claim) release() {
	if !c.begun {
		return
	}
	c.begun = false
	if c.alias != "" {
		c.estate.release(c.kind, c.alias)
	}
	c.estate.resume()
}

// releaseAll releases what a request has neither bound nor released.
func releaseAll(claims []*claim) {
	for _, c := range claims {
		c.release()
	}
}

// resolve is the id of the object that the client means by an id or by an alias of its own. It may be that there is none.
func (x *exchange) resolve(kind idKind, id string) string {
	return x.estate().names().resolve(kind, id)
}

// shown is what the client knows an object by: the alias, where it has one.
func (x *exchange) shown(kind idKind, real string) string {
	return x.estate().names().shown(kind, real)
}

// christen gives one of the client's bridges the name that it wants to have it called. It is shown to this client and nobody else.
func (x *exchange) christen(bridge, name string) {
	if e := x.estate(); e != nil {
		e.christen(bridge, name)
	}
}

// maxArgs is how many arguments a channel is started with (apps/app_stasis.c); the last has whatever is left.
const maxArgs = 128

// splitArgs splits what a channel is started with at its commas, as Asterisk does (main/app.c, __ast_app_separate_args): not within brackets or quotes,
// which are dropped as a backslash is that stands before what is taken as it is.
func splitArgs(text string) (all []string) {
	if text == "" {
		return nil
	}
	var one strings.Builder
	parens, brackets, quoted, from := 0, 0, false, 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '(':
			parens++
		case ')':
			parens = max(parens-1, 0)
		case '[':
			brackets++
		case ']':
			brackets = max(brackets-1, 0)
		case '"':
			quoted = !quoted
			continue
		case '\\':
			if i++; i == len(text) {
				continue
			}
			c = text[i]
		case ',':
			if parens > 0 || brackets > 0 || quoted {
				break
			}
			all, from = append(all, one.String()), i+1
			if one.Reset(); len(all) == maxArgs-1 {
				return append(all, text[i+1:])
			}
			continue
		}
		one.WriteByte(c)
	}
	all = append(all, one.String())
	if one.Len() == 0 && 0 < from && from < len(text) { // Asterisk has one more behind empty quotes
		all = append(all, "")
	}
	return all
}

// Faults of ids and of what is steered.
var (
	faultID      = &fault{http.StatusBadRequest, "An id that you choose has letters, digits and ._:- alone, at most 64, and is none of Earshot's", "id_not_readable"}
	faultTaken   = &fault{http.StatusConflict, "An object of yours has that id already", "id_taken"}
	faultManyIDs = &fault{http.StatusConflict, "You have chosen " + strconv.Itoa(maxAliases) + " ids of that kind, as many as may be; some of what has them has to go first", "too_many_ids"}
)
