package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// How often what is measured is done.
const (
	policyChanges = 25
	measuredCalls = 20
)

// idleTime is how long is measured what Redis has without calls.
const idleTime = 3 * time.Second

// figures are what the tour measures.
type figures struct {
	panels               int             // that were open at the policy's changes
	policyOwn, policyAll []time.Duration // from the file's change to the last panel at the PBX that gives it, and to the last of all
	policySpread         []time.Duration // from the first panel at the PBX that gives it to the last of all
	callOwn, callOthers  []time.Duration // from what a phone did to the last panel beside its own PBX, and beside the others
	callSpread           []time.Duration // from the first panel beside its own PBX to the last beside the others
	commands, in, out    float64         // that Redis had for a call, beside what it has anyway
	idleCommands, idleIn float64         // that it has anyway, in a second
	calls                int
	gone, back           time.Duration // until a killed Earshot's calls are off all boards, and on them when it is started again
}

// everybody is all employees.
func everybody() (out []string) {
	for _, e := range site.Employees {
		out = append(out, e.ID)
	}
	return out
}

// policyChange changes the policy where it is given and waits until every panel shows it.
func (c *cluster) policyChange(ctx context.Context) error {
	ps, err := c.panels(ctx, everybody()...)
	if err != nil {
		return err
	}
	defer ps.close()
	giver := site.PBXs[0]
	m := &c.measured
	m.panels = len(ps)
	name := "Boris Orlov"
	for i := range policyChanges {
		next := fmt.Sprintf("Boris %d", i)
		if i == policyChanges-1 {
			next = "Boris Orlov"
		}
		wait := ps.when(ctx, "boris is "+next, func(s *site.Stream) bool { return s.Rows["boris"].Name == next })
		saved := time.Now()
		if err := c.Sites[giver].Edit("policy.yaml", "{name: "+name+",", "{name: "+next+","); err != nil {
			return err
		}
		shown, err := wait()
		if err != nil {
			return err
		}
		name = next
		own, all := shown.last(only(giver)), shown.last(but(""))
		m.policyOwn = append(m.policyOwn, own.Sub(saved))
		m.policyAll = append(m.policyAll, all.Sub(saved))
		m.policySpread = append(m.policySpread, all.Sub(shown.first(only(giver))))
	}
	say("boris was renamed in %s's policy %d times: each time %d panels at three PBXs showed it, at the median %s after the file was saved, %s at %s itself",
		giver, policyChanges, len(ps), ms(middle(m.policyAll)), ms(middle(m.policyOwn)), giver)
	return nil
}

// changes has an outside party call Gleb a number of times, and measures how soon each change of the call is on the panels of two watchers, one
// who sees with whom and one who does not, at each PBX; and what Redis was asked meanwhile.
func (c *cluster) changes(ctx context.Context) error {
	const target, pbx = "gleb", "west"
	ps, err := c.panels(ctx, "irina", "olga")
	if err != nil {
		return err
	}
	defer ps.close()
	m := &c.measured
	idle, err := c.asked(ctx, func() error {
		select {
		case <-time.After(idleTime):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	m.idleCommands, m.idleIn = idle.commands/idle.seconds, idle.in/idle.seconds
	busy, err := c.asked(ctx, func() error {
		for range measuredCalls {
			if err := c.measuredCall(ctx, ps, target, pbx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.calls = measuredCalls
	share := busy.seconds / idle.seconds
	m.commands, m.in, m.out = (busy.commands-share*idle.commands)/measuredCalls, (busy.in-share*idle.in)/measuredCalls, (busy.out-share*idle.out)/measuredCalls
	say("%d calls at %s, %d changes: each on %d panels at three PBXs, at the median %s after the phone's act at %s itself, %s at the others", measuredCalls, pbx, len(m.callOwn), len(ps),
		ms(middle(m.callOwn)), pbx, ms(middle(m.callOthers)))
	return nil
}

// load is what Redis was asked in some time.
type load struct{ commands, in, out, seconds float64 }

func (c *cluster) asked(ctx context.Context, during func() error) (load, error) {
	before, err := c.Redis.Load(ctx)
	if err != nil {
		return load{}, err
	}
	began := time.Now()
	if err := during(); err != nil {
		return load{}, err
	}
	after, err := c.Redis.Load(ctx)
	l := after.Since(before)
	return load{float64(l.Total()), float64(l.In), float64(l.Out), time.Since(began).Seconds()}, err
}

// measuredCall is one call that rings, is answered, held, taken up again and ended.
func (c *cluster) measuredCall(ctx context.Context, ps panels, target, pbx string) error {
	d, p := c.at[pbx], c.Phone(target)
	var outside, inside *phone.Call
	heard := func() error { _, err := inside.WaitHears(ctx, stranger.tone); return err } // the PBX has nothing to say to the phone any more
	for _, change := range []struct {
		state   string
		act     func() error
		settled func() error
	}{
		{"ringing", func() (err error) {
			if outside, err = d.site.Trunk.Dial(ctx, "74950000"+p.User(), phone.As(stranger.number, stranger.name), phone.WithTone(stranger.tone)); err == nil {
				inside, err = p.Incoming(ctx)
			}
			return err
		}, nil},
		{"talking", func() error { return inside.Answer(ctx) }, heard},
		{"held", func() error { return inside.Hold(ctx) }, nil},
		{"talking", func() error { return inside.Unhold(ctx) }, heard},
		{"idle", func() error { return outside.Hangup(ctx) }, func() error { return inside.WaitEnded(ctx) }},
	} {
		wait := ps.when(ctx, target+" is "+change.state, func(s *site.Stream) bool { return s.Rows[target].State == change.state })
		began := time.Now()
		acted := change.act()
		shown, err := wait()
		if acted != nil {
			return acted
		}
		if err != nil {
			return err
		}
		own, others := shown.last(only(pbx)), shown.last(but(pbx))
		m := &c.measured
		m.callOwn, m.callOthers = append(m.callOwn, own.Sub(began)), append(m.callOthers, others.Sub(began))
		m.callSpread = append(m.callSpread, others.Sub(shown.first(only(pbx))))
		if change.settled != nil {
			if err := change.settled(); err != nil {
				return err
			}
		}
	}
	return nil
}

// table prints what was measured.
func (m *figures) table() {
	fmt.Printf("\nMeasured just now, everything on this machine of %d processors:\n", runtime.NumCPU())
	line := func(what string, d []time.Duration) {
		fmt.Printf("  %-80s %8s %8s %5d\n", what, ms(middle(d)), ms(slices.Max(d)), len(d))
	}
	fmt.Printf("  %-80s %8s %8s %5s\n", "", "median", "worst", "of")
	line(fmt.Sprintf("the policy's file is saved, until the last of %d panels at three PBXs shows it", m.panels), m.policyAll)
	line("  until the last panel beside the PBX that gives it does", m.policyOwn)
	line("  from the first panel there to the last of all", m.policySpread)
	line("a phone does something, until the last panel beside its own PBX shows it", m.callOwn)
	line("  until the last panel beside the other PBXs does", m.callOthers)
	line("  from the first panel beside its own PBX to the last beside the others", m.callSpread)
	fmt.Printf("  a call of five changes (rings, talks, is held, talks, ends) costs Redis %.0f commands,\n    those within scripts counted too, %.0f bytes in and %.0f out, at the mean of %d\n", m.commands, m.in, m.out, m.calls)
	fmt.Printf("  without calls it has %.0f commands and %.0f bytes a second from the three together\n", m.idleCommands, m.idleIn)
	fmt.Printf("  a killed Earshot's calls were off all boards after %s, and back %s after it was started again\n", ms(m.gone), ms(m.back))
}

func middle(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func ms(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond)), ".") + " ms"
}
