package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/ami"
)

// talk is a call between two of the phones.
type talk struct{ caller, called *leg }

// call has phone i call phone j, as a panel's click does: Asterisk rings the one, and when it answers, the other.
func (c *company) call(ctx context.Context, i, j int) (talk, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	a := ami.NewAction("Originate").Append("Channel", "PJSIP/"+number(i)).Append("Context", "phones").Append("Exten", number(j)).
		Append("Priority", "1").Append("Async", "true").Append("Timeout", "30000")
	if _, err := c.driver.Do(ctx, a); err != nil {
		return talk{}, fmt.Errorf("begin a call: %w", err)
	}
	caller, err := c.fakes.next(ctx, number(i))
	if err != nil {
		return talk{}, err
	}
	called, err := c.fakes.next(ctx, number(j))
	return talk{caller, called}, err
}

// end has the caller hang up and waits until both sides are.
func (c *company) end(ctx context.Context, t talk) error {
	if err := c.fakes.hangUp(ctx, t.caller); err != nil {
		return err
	}
	select {
	case <-t.called.down:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("phone %s is not hung up: %w", t.called.user, ctx.Err())
	}
}

// traffic is calls that are begun at a fixed pace and last for a fixed time each.
type traffic struct {
	rate  float64 // begun in a second
	talk  time.Duration
	calls int
	sound bool
}

// lines is how many pairs of phones it needs.
func (t traffic) lines() int { return int(t.rate*(t.talk.Seconds()+1)) + 4 }

// play makes the calls. The pace is kept whatever the PBX does; a phone that is still busy when it is its turn again ends it with an error.
func (c *company) play(ctx context.Context, t traffic) error {
	if 2*t.lines() > c.phones {
		return fmt.Errorf("%d phones are too few for %d calls at a time", c.phones, t.lines())
	}
	c.fakes.audio.speak(t.sound)
	free := make(chan int, t.lines())
	for i := range cap(free) {
		free <- i
	}
	var wg sync.WaitGroup
	errs := make(chan error, t.calls)
	began := time.Now()
	for n := range t.calls {
		due := began.Add(time.Duration(float64(n) / t.rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case i := <-free:
			wg.Go(func() {
				over, err := c.call(ctx, 2*i, 2*i+1)
				if err == nil {
					select {
					case <-time.After(t.talk):
					case <-ctx.Done():
					}
					err = c.end(ctx, over)
				}
				if err != nil {
					errs <- err
				}
				free <- i
			})
		default:
			errs <- fmt.Errorf("call %d of %d: the PBX does not keep up with %g calls a second: no phone is free", n+1, t.calls, t.rate)
		}
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		if all = append(all, err); len(all) == 5 {
			break
		}
	}
	return errors.Join(all...)
}
