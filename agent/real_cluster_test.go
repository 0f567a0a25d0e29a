package agent_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// branchRules is houseRules for the company with three PBXs; anna may lock, and sellers have their phones dial.
func branchRules() string {
	return strings.NewReplacer(
		`numbers: ["101"], department: sales}`, `numbers: ["101"], department: sales, lock: true}`,
		"seller: {intercept: true}", "seller: {intercept: true, dial: {clients: own, employees: true}}",
	).Replace(site.Spread(houseRules))
}

// branches is the company with three PBXs, for one test: in each office the calls and phones of one, and panels there. Beside north and south an
// Earshot runs in the test, beside west the program, which can be killed.
type branches struct {
	*testing.T
	*site.Branches
	at   map[string]*office
	west *site.Process
	ctx  context.Context
}

func openBranches(t *testing.T) *branches {
	t.Helper()
	start, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first one on a machine downloads Asterisk
	defer cancel()
	b := &branches{T: t, at: map[string]*office{}, ctx: t.Context()}
	var err error
	b.Branches, err = site.StartBranches(start, site.Options{Policy: branchRules(), Clients: directory, Lease: lease.String(), RingTimeout: "10s"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	tokens := map[string]string{}
	for _, e := range site.Employees {
		token, hash := auth.NewToken()
		b.must(auth.AddToken(b.Sites[site.PBXs[0]].Path("tokens.yaml"), auth.Entry{Employee: e.ID, Hash: hash, Label: e.ID, Created: time.Now()}))
		tokens[e.ID] = token
	}
	b.must(b.ShareTokens())
	for _, name := range site.PBXs {
		s := b.Sites[name]
		account := s.PBX.Site().Admin
		admin, err := ari.New(ari.Config{BaseURL: s.PBX.ARI(), Username: account.User, Password: account.Password})
		b.must(err)
		t.Cleanup(admin.Close)
		o := &office{T: t, company: &company{Site: s, tokens: tokens, admin: admin}, ctx: t.Context(), log: &journal{}}
		b.at[name] = o
		if name == "west" {
			b.west = o.start()
			t.Cleanup(func() { b.west.Stop() }) // which may be another by then
			continue
		}
		cfg, err := agent.LoadConfig(o.Path("earshot.yaml"))
		b.must(err)
		a, err := agent.New(cfg, zerolog.New(o.log).Level(zerolog.DebugLevel), "test")
		b.must(err)
		o.run(a)
	}
	return b
}

func (b *branches) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// scene runs one part of the test, with everybody known and idle on every board at its beginning and at its end; none after one that has failed,
// which may have left anything.
func (b *branches) scene(name string, f func(b *branches)) {
	b.Helper()
	if b.Failed() {
		return
	}
	b.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s := &branches{T: t, Branches: b.Branches, at: map[string]*office{}, west: b.west, ctx: ctx}
		for name, o := range b.at {
			s.at[name] = &office{T: t, company: o.company, ctx: ctx, agent: o.agent, log: o.log}
		}
		defer func() {
			b.west = s.west
			for _, o := range s.at {
				o.clear()
			}
			if !t.Failed() {
				s.idle()
			}
		}()
		s.idle()
		f(s)
	})
}

func (b *branches) idle() {
	b.Helper()
	for _, name := range site.PBXs {
		b.shows(name, "irina", "everybody is known and idle", func(s *site.Stream) bool {
			for _, r := range s.Rows {
				if r.State != "idle" || r.Unknown {
					return false
				}
			}
			return s.Known
		})
	}
}

// shows waits until an employee's panel at a PBX shows something.
func (b *branches) shows(pbx, watcher, what string, shown func(*site.Stream) bool) *site.Stream {
	b.Helper()
	w := b.at[pbx].watch(watcher)
	if err := w.Until(b.ctx, what, shown); err != nil {
		b.Fatalf("%s's panel at %s: %v; it shows %+v", watcher, pbx, err, w.Rows)
	}
	return w
}

// state waits until irina's panels show a colleague in a state with one call, or none; of those who may see with whom a call is, she is one.
func (b *branches) state(employee, state string, pbxs ...string) {
	b.Helper()
	for _, name := range pbxs {
		b.shows(name, "irina", employee+" is "+state, func(s *site.Stream) bool {
			r := s.Rows[employee]
			return !r.Unknown && r.State == state && (len(r.Calls) == 1) == (state != "idle")
		}).Close()
	}
}

// unknown waits until irina's panel at a PBX shows that nothing is known of a colleague: whom one may still have one's phone call.
func (b *branches) unknown(employee string, pbxs ...string) {
	b.Helper()
	for _, name := range pbxs {
		b.shows(name, "irina", employee+" is unknown", func(s *site.Stream) bool {
			r := s.Rows[employee]
			return r.Unknown && len(r.Calls) == 0 && !slices.ContainsFunc(r.Can, func(button string) bool { return button != "dial" })
		}).Close()
	}
}

// office is the one of an employee's phone.
func (b *branches) office(employee string) *office { return b.at[b.Of(employee)] }

// supervises has a supervisor ask at a panel, answer his phone, wherever it is, and waits until the supervision is active.
func (b *branches) supervises(pbx, who, target, mode string) (*site.Stream, site.Supervision, *phone.Call) {
	b.Helper()
	w, o := b.at[pbx].watch(who), b.office(who)
	o.Phones[who].SetReaction(phone.Reaction{Answer: true})
	s, err := b.at[pbx].as(who).Supervise(b.ctx, target, mode)
	b.must(err)
	c := o.rings(who)
	s, err = w.UntilAct(b.ctx, s.ID, "active")
	b.must(err)
	return w, s, c
}

// refused makes sure that a request was refused so.
func (b *branches) refused(err error, status int, code string) {
	b.Helper()
	_ = (&office{T: b.T}).refused(err, status, code)
}

// Three real PBXs with an Earshot beside each and a real Redis: one test, so that they are started once.
func TestSeveralEarshotsActAsOne(t *testing.T) {
	b := openBranches(t)
	b.scene("one board", (*branches).oneBoard)
	b.scene("a click at another PBX than the phone's", (*branches).clicks)
	b.scene("listening from another PBX", (*branches).listens)
	b.scene("taking a call from another PBX", (*branches).takes)
	b.scene("a lock is everywhere", (*branches).locks)
	b.scene("a policy change ends what runs elsewhere", (*branches).edits)
	b.scene("an exclusion reaches over a trunk", (*branches).excludes)
	b.scene("a lock reaches over a trunk", (*branches).locksOver)
	b.scene("who barges in is excluded over a trunk", (*branches).excludesOver)
	b.scene("an Earshot is killed and started again", (*branches).killsWest)
	b.scene("an Earshot hangs and goes on", (*branches).hangs)
	b.scene("Redis is emptied", (*branches).emptied)
	b.scene("Redis is full", func(b *branches) { b.away((*branches).fill, (*branches).widen, 12*time.Second) }) // until what is not renewed counts as held back
	b.scene("Redis hangs", func(b *branches) { b.away((*branches).pause, (*branches).resume, 4*time.Second) })
	b.scene("Redis is killed and replaced", func(b *branches) { b.away((*branches).kill, (*branches).replace, 4*time.Second) })
}
