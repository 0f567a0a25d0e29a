package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ami"
)

// ends are how long it took until supervisors' phones were hung up, in milliseconds from the cause.
type ends struct {
	Calls, Supervisions int
	Sound               bool
	Load                []loaded
	Taken15, TakenAll   []float64 // a right was taken in the policy's file
	Locked              []float64 // the target locked his call
	Watchdog            []float64 // somebody else's ChanSpy, from Asterisk's word of it
}

// loaded is what the PBX has to do with so many calls.
type loaded struct {
	Calls, Supervisions int
	Asterisk, Earshot   float64 // processors that are busy with it
	Late                int     // frames that the phones could not send in time
}

// listeners is whose right the policies are about.
func listening(supervisors, first, without int) string {
	var with, out []string
	for i := range supervisors {
		id := fmt.Sprint("e", first+i)
		if i < without {
			out = append(out, id)
		} else {
			with = append(with, id)
		}
	}
	text := "roles: {worker: {lock: true, observe: true}, listener: {listen: true}, other: {listen: false}}\n" +
		"assign:\n  - {role: worker, to: [everyone]}\n"
	for role, who := range map[string][]string{"listener": with, "other": out} {
		if len(who) > 0 {
			text += fmt.Sprintf("  - {role: %s, to: [%s]}\n", role, strings.Join(who, ", "))
		}
	}
	return text
}

type supervision struct {
	id  string
	leg *leg
}

// ending measures ends with so many calls and supervisions on the PBX.
func (c *company) ending(ctx context.Context, calls, supervisions, rounds int, sound bool, say func(string, ...any)) (m ends, err error) {
	m = ends{Calls: calls, Supervisions: supervisions, Sound: sound}
	first := 2 * calls
	if first+supervisions > c.phones {
		return m, fmt.Errorf("%d phones are too few", c.phones)
	}
	if err := c.enter(ctx, c.phones); err != nil {
		return m, err
	}
	if err := c.change(ctx, listening(supervisions, first, 0), supervisions, first); err != nil {
		return m, err
	}
	c.fakes.audio.speak(sound)
	var talks []talk
	defer func() {
		var wg sync.WaitGroup
		for _, t := range talks {
			wg.Go(func() { _ = c.end(ctx, t) })
		}
		wg.Wait()
		err = errors.Join(err, c.empty(ctx))
	}()
	for _, share := range []int{calls / 4, calls / 2, calls} {
		for i := len(talks); i < share; i++ {
			t, err := c.call(ctx, 2*i, 2*i+1)
			if err != nil {
				return m, fmt.Errorf("call %d of %d: %w", i+1, calls, err)
			}
			talks = append(talks, t)
		}
		if err := c.weigh(ctx, &m, share, 0, say); err != nil {
			return m, err
		}
	}
	running := make([]supervision, supervisions)
	begin := func(which ...int) error {
		return each(8, which, func(i int) (err error) { running[i], err = c.supervise(ctx, first+i, 2*i); return err })
	}
	all := make([]int, supervisions)
	for i := range all {
		all[i] = i
	}
	if err := begin(all...); err != nil {
		return m, err
	}
	if err := c.weigh(ctx, &m, calls, supervisions, say); err != nil {
		return m, err
	}
	for round := range rounds {
		for _, s := range []struct {
			what  string
			cut   int
			times *[]float64
		}{{"15", min(15, supervisions), &m.Taken15}, {"all", supervisions, &m.TakenAll}} {
			if s.what == "all" && round >= (rounds+1)/2 { // they take long to begin again
				continue
			}
			since := time.Now()
			if err := c.Write("policy.yaml", policyOf(c.phones, listening(supervisions, first, s.cut))); err != nil {
				return m, err
			}
			for i := range s.cut {
				d, err := running[i].over(ctx, since)
				if err != nil {
					return m, err
				}
				*s.times = append(*s.times, d)
			}
			for i := s.cut; i < supervisions; i++ {
				if running[i].ended() {
					return m, fmt.Errorf("supervision %d ended with another's right", i)
				}
			}
			if err := c.change(ctx, listening(supervisions, first, 0), supervisions, first); err != nil {
				return m, err
			}
			if err := begin(all[:s.cut]...); err != nil {
				return m, err
			}
		}
		say("taken from some and all, round %d of %d", round+1, rounds)
	}
	for i := range min(4*rounds, supervisions) {
		since := time.Now()
		var lock struct{ ID string }
		target := c.as(fmt.Sprint("e", 2*i))
		if err := target.Do(ctx, http.MethodPost, "/v1/locks", map[string]string{}, &lock); err != nil {
			return m, err
		}
		d, err := running[i].over(ctx, since)
		if err != nil {
			return m, err
		}
		m.Locked = append(m.Locked, d)
		if err := target.Do(ctx, http.MethodDelete, "/v1/locks/"+lock.ID, nil, nil); err != nil {
			return m, err
		}
		if err := begin(i); err != nil {
			return m, err
		}
	}
	say("locked %d times", len(m.Locked))
	if m.Watchdog, err = c.watchdog(ctx, 5*rounds, 2*supervisions); err != nil {
		return m, err
	}
	say("a foreign spy %d times", len(m.Watchdog))
	for i, s := range running {
		if s.ended() {
			return m, fmt.Errorf("supervision %d of %d is gone, and nobody ended it", i+1, supervisions)
		}
	}
	return m, nil
}

// weigh looks for some seconds what all that goes on costs.
func (c *company) weigh(ctx context.Context, m *ends, calls, supervisions int, say func(string, ...any)) error {
	const window = 3 * time.Second
	l := loaded{Calls: calls, Supervisions: supervisions}
	read := func() (a, e float64, err error) {
		if a, err = used(c.PBX.PID()); err == nil {
			e, err = used(c.earshot.PID())
		}
		return a, e, err
	}
	pause(ctx, time.Second)
	a, e, err := read()
	if err != nil {
		return err
	}
	late, began := c.fakes.audio.lateSoFar(), time.Now()
	pause(ctx, window)
	a2, e2, err := read()
	if err != nil {
		return err
	}
	wall := time.Since(began).Seconds()
	l.Asterisk, l.Earshot, l.Late = (a2-a)/wall, (e2-e)/wall, c.fakes.audio.lateSoFar()-late
	m.Load = append(m.Load, l)
	say("%d calls, %d supervisions: Asterisk keeps %.2f processors busy, Earshot %.2f", calls, supervisions, l.Asterisk, l.Earshot)
	return nil
}

// change writes a policy and waits until it is in force.
func (c *company) change(ctx context.Context, rules string, supervisors, first int) error {
	if err := c.Write("policy.yaml", policyOf(c.phones, rules)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	last := c.as(fmt.Sprint("e", first+supervisors-1))
	one := c.as(fmt.Sprint("e", first))
	for {
		may := 0
		for _, who := range []*site.Client{one, last} {
			var me struct{ Actions []string }
			if err := who.Do(ctx, http.MethodGet, "/v1/me", nil, &me); err != nil {
				return err
			}
			for _, can := range me.Actions {
				if can == "spy" {
					may++
				}
			}
		}
		if may == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the policy is not in force: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// supervise has an employee listen to another, until he does.
func (c *company) supervise(ctx context.Context, who, target int) (supervision, error) {
	client := c.as(fmt.Sprint("e", who))
	s, err := client.Supervise(ctx, fmt.Sprint("e", target), "spy")
	if err != nil {
		return supervision{}, err
	}
	l, err := c.fakes.next(ctx, number(who))
	if err != nil {
		return supervision{}, err
	}
	for {
		var now site.Supervision
		if err := client.Do(ctx, http.MethodGet, "/v1/supervisions/"+s.ID, nil, &now); err != nil {
			return supervision{}, err
		}
		if now.State == "active" {
			return supervision{s.ID, l}, nil
		}
		select {
		case <-ctx.Done():
			return supervision{}, fmt.Errorf("a supervision is %s: %w", now.State, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s supervision) ended() bool {
	select {
	case <-s.leg.down:
		return true
	default:
		return false
	}
}

// over waits until the supervisor's phone is hung up.
func (s supervision) over(ctx context.Context, since time.Time) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case <-s.leg.down:
		return ms(s.leg.downAt.Sub(since)), nil
	case <-ctx.Done():
		return 0, errors.New("a supervision whose ground is gone goes on")
	}
}

// watchdog has a phone that nobody knows run ChanSpy on a call that nobody supervises, past Earshot. (Who is supervised where a stranger listens too loses
// the supervision: a spy that Earshot has not begun may speak, and nobody may listen to a stranger.)
func (c *company) watchdog(ctx context.Context, times, target int) (took []float64, err error) {
	account := c.PBX.Site().Admin
	began := make(chan time.Time, 16)
	watch, err := ami.Dial(ctx, ami.Config{Addr: c.PBX.AMI(), Username: account.User, Secret: ami.Secret(account.Password), Events: "call", OnEvent: func(m *ami.Message) error {
		if string(m.Event()) == "ChanSpyStart" && strings.HasPrefix(m.Get("SpyerChannel"), "PJSIP/"+unknown+"-") {
			at, err := stamped(m)
			if err != nil {
				return err
			}
			began <- at
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	for range times {
		a := ami.NewAction("Originate").Append("Channel", "PJSIP/"+unknown).Append("Application", "ChanSpy").Append("Data", "PJSIP/"+number(target)+"-,qES").Append("Async", "true")
		if _, err := c.driver.Do(ctx, a); err != nil {
			return nil, err
		}
		spy, err := c.fakes.next(ctx, unknown)
		if err != nil {
			return nil, err
		}
		var since time.Time
		select {
		case since = <-began:
		case <-time.After(10 * time.Second):
			return nil, errors.New("the foreign spy did not begin")
		}
		d, err := supervision{leg: spy}.over(ctx, since)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
		pause(ctx, 200*time.Millisecond)
	}
	return took, nil
}

// each does something for several at a time.
func each(width int, which []int, do func(i int) error) error {
	slots := make(chan struct{}, width)
	errs := make(chan error, len(which))
	var wg sync.WaitGroup
	for _, i := range which {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(i); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}
