//go:build faults

package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// faultTime bounds one scene of a fault: the longest stands still for half a minute.
const faultTime = 4 * time.Minute

// noticeTime is how long Earshot may take to notice that a PBX has fallen silent: it asks each 5 s and waits for 5 s. What is over it is the machine's.
const noticeTime = 10*time.Second + slack

// slack is what a busy machine may add to a time that is promised.
const slack = 3 * time.Second

// apart gives a test a company of its own, so that it may run beside others.
func apart(t *testing.T) *office {
	t.Helper()
	t.Parallel()
	return found(t, nil)
}

// found starts a company whose PBX goes by a clock; nil: by the machine's.
func found(t *testing.T, clock *pbxtest.Clock) *office {
	t.Helper()
	start, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first one on a machine downloads Asterisk
	defer cancel()
	c, err := startCompany(start, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return &office{T: t, company: c, ctx: t.Context(), log: &journal{}}
}

// fault is a scene that takes longer.
func (o *office) fault(name string, f func(o *office)) {
	o.Helper()
	o.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), faultTime)
		defer cancel()
		s := &office{T: t, company: o.company, ctx: ctx, agent: o.agent, log: o.log}
		defer s.clear()
		f(s)
	})
}

// within makes sure that something took no longer than it may, and tells how long it took.
func (o *office) within(what string, since time.Time, most time.Duration) {
	o.Helper()
	took := time.Since(since)
	o.Logf("%s: %d ms", what, took.Milliseconds())
	if took > most {
		o.Errorf("%s took %v and may take %v", what, took, most)
	}
}

// unheard makes sure that a call has not heard a tone since.
func (o *office) unheard(who string, c *phone.Call, since time.Time, tones ...phone.Tone) {
	o.Helper()
	for _, t := range tones {
		if n := len(c.HeardBetween(t, since, time.Now())); n > 0 {
			o.Errorf("%s heard %v in %d windows", who, t, n)
		}
	}
}

// visited are the calls that come in at an employee's phone, which answers them, until stop is called.
func (o *office) visited(employee string) (stop func() []*phone.Call) {
	o.Helper()
	p := o.Phones[employee]
	p.SetReaction(phone.Reaction{Answer: true})
	ctx, cancel := context.WithCancel(o.ctx)
	all := make(chan []*phone.Call, 1)
	go func() {
		var calls []*phone.Call
		for {
			c, err := p.Incoming(ctx)
			if err != nil {
				all <- calls
				return
			}
			calls = append(calls, c)
		}
	}()
	return func() []*phone.Call {
		cancel()
		return <-all
	}
}
