package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Where the panels are.
const (
	nowhere    = "no panels"
	onAsterisk = "panels on Asterisk"
	// They ask Asterisk for the class call alone, and are spared the dialplan's steps and variables.
	onAsteriskCalls = "panels on Asterisk, of the class call alone"
	onEarshot       = "panels on Earshot"
)

// streamed is what one run of calls with panels has cost.
type streamed struct {
	Where     string
	Panels    int
	Employees int
	Rate      float64 // calls begun in a second
	Calls     int
	Sound     bool

	Wall              float64 // seconds
	Asterisk, Earshot float64 // processor seconds
	Resident          float64 // bytes of Earshot, at the end
	Resting           float64 // bytes of Earshot, before the first panel logged in
	P50, P99, Most    float64 // of the delay, in milliseconds
	Events            int64   // to all panels
	Bytes             int64   // to all panels
	Missing, CutOff   int
}

// stream runs the calls with the panels there. A panel that is cut off and an event that does not come are an error.
func (c *company) stream(ctx context.Context, where string, panels, employees int, t traffic) (s streamed, err error) {
	s = streamed{Where: where, Panels: panels, Employees: employees, Rate: t.rate, Calls: t.calls, Sound: t.sound}
	if where == nowhere {
		s.Panels = 0
	}
	if where != onEarshot {
		s.Employees = 0
		c.leave()
	} else if err := c.enter(ctx, employees); err != nil {
		return s, err
	} else if s.Resting, _, err = resident(c.earshot.PID()); err != nil {
		return s, err
	}
	account := c.PBX.Site().Admin
	said, err := dial(ctx, c.PBX.AMI(), account.User, account.Password, false, true, "on")
	if err != nil {
		return s, err
	}
	defer said.client.Close()
	var all []*panel
	if where != nowhere {
		if all, err = c.panels(ctx, panels, where); err != nil {
			return s, err
		}
		defer hangUpAll(all)
	}
	if err := still(ctx, append(all, said)); err != nil {
		return s, err
	}
	for _, p := range append(all, said) {
		p.forget()
	}
	if s.Asterisk, err = used(c.PBX.PID()); err != nil {
		return s, err
	}
	if where == onEarshot {
		if s.Earshot, err = used(c.earshot.PID()); err != nil {
			return s, err
		}
	}
	began := time.Now()
	if err := c.play(ctx, t); err != nil {
		return s, fmt.Errorf("%s: %w", where, err)
	}
	if err := c.settled(ctx, said, t.calls); err != nil {
		return s, err
	}
	patience, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	said.mu.Lock()
	total := said.count
	said.mu.Unlock()
	var faults []error
	for i, p := range all {
		if err := p.caughtUp(patience, total); err != nil {
			faults = append(faults, fmt.Errorf("%s: panel %d: %w", where, i, err))
		}
	}
	s.Wall = time.Since(began).Seconds()
	after, err := used(c.PBX.PID())
	if err != nil {
		return s, err
	}
	s.Asterisk = after - s.Asterisk
	if where == onEarshot {
		if after, err = used(c.earshot.PID()); err != nil {
			return s, err
		}
		s.Earshot = after - s.Earshot
		if s.Resident, _, err = resident(c.earshot.PID()); err != nil {
			return s, err
		}
	}
	var delays []time.Duration
	for _, p := range all {
		var missing int
		delays, missing = p.compare(said, delays)
		s.Missing += missing
		s.Bytes += p.bytes.Load()
		s.Events += p.events.Load()
		select {
		case <-p.client.Done():
			s.CutOff++
		default:
		}
	}
	s.P50, s.P99, s.Most = ms(at(delays, 0.5)), ms(at(delays, 0.99)), ms(at(delays, 1))
	if len(faults) > 0 {
		return s, errors.Join(faults[:min(3, len(faults))]...)
	}
	if s.Missing > 0 || s.CutOff > 0 {
		return s, fmt.Errorf("%s: %d events did not come, %d panels were cut off", where, s.Missing, s.CutOff)
	}
	return s, nil
}

// still waits until nobody has been told anything for a second: what the log-ins have begun, and calls before, is over and told.
func still(ctx context.Context, all []*panel) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for before := int64(-1); ; pause(ctx, time.Second) {
		if ctx.Err() != nil {
			return fmt.Errorf("wait until there are no events any more: %w", ctx.Err())
		}
		now := int64(0)
		for _, p := range all {
			now += p.events.Load()
		}
		if now == before {
			return nil
		}
		before = now
	}
}

// settled waits until Asterisk has said of all calls that they are over.
func (c *company) settled(ctx context.Context, said *panel, calls int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		said.mu.Lock()
		over := 0
		for a, times := range said.heard {
			if uint32(a)>>24 == followed["Hangup"].kind {
				over += len(times)
			}
		}
		said.mu.Unlock()
		if over == 2*calls {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the end of %d legs of %d has been told by Asterisk: %w", over, 2*calls, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
