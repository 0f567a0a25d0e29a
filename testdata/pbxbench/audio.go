package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// heard is how long it took from a supervisor's request until his phone had the first 20 ms of the target's voice, in milliseconds.
type heard struct {
	Earshot, ByHand []float64
	Ratio           float64 // of the medians
}

// hand does by hand over ARI what Earshot does: the same steps in the same order with the same settings, and nothing else.
type hand struct {
	rest   *ari.Client
	mu     sync.Mutex
	waits  map[string]chan struct{} // by channel: closed when it has entered the application
	closed chan error
}

func newHand(ctx context.Context, rest *ari.Client) (*hand, *ari.Stream, error) {
	h := &hand{rest: rest, waits: map[string]chan struct{}{}, closed: make(chan error, 1)}
	stream, err := rest.Listen(ctx, byHand, ari.ListenOptions{})
	if err != nil {
		return nil, nil, err
	}
	go func() {
		for {
			e, err := stream.Next(ctx)
			if err != nil {
				h.closed <- err
				return
			}
			if e.Type == "StasisStart" {
				close(h.wait(e.Channel.ID))
			}
		}
	}()
	return h, stream, nil
}

func (h *hand) wait(id string) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.waits[id]
	if c == nil {
		c = make(chan struct{})
		h.waits[id] = c
	}
	return c
}

func (h *hand) entered(ctx context.Context, id string) error {
	select {
	case <-h.wait(id):
		return nil
	case err := <-h.closed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s did not enter the application: %w", id, ctx.Err())
	}
}

func both(a, b func() error) error {
	done := make(chan error, 1)
	go func() { done <- a() }()
	err := b()
	return errors.Join(err, <-done)
}

// listen has an endpoint listen to a channel. The ids begin with name.
func (h *hand) listen(ctx context.Context, name, endpoint, target string) error {
	const lease = "TIMEOUT(absolute)"
	sup, snoop, bridge := name+"-supervisor", name+"-snoop", name+"-bridge"
	err := both(
		func() error {
			_, err := h.rest.CreateBridge(ctx, ari.BridgeRequest{ID: bridge, Type: ari.BridgeMixing})
			return err
		},
		func() error {
			_, err := h.rest.Originate(ctx, ari.OriginateRequest{Endpoint: endpoint, App: byHand, ChannelID: sup, CallerID: `"By hand" <>`, Timeout: 25 * time.Second,
				Variables: map[string]string{lease: "30"}})
			return err
		})
	if err != nil {
		return err
	}
	if err := h.entered(ctx, sup); err != nil {
		return err
	}
	if _, err := h.rest.Snoop(ctx, ari.SnoopRequest{Channel: target, SnoopID: snoop, Spy: ari.DirectionBoth, App: byHand}); err != nil {
		return err
	}
	if err := h.entered(ctx, snoop); err != nil {
		return err
	}
	if err := both(func() error { return h.rest.SetVariable(ctx, snoop, lease, "30") }, func() error { return h.rest.SetVariable(ctx, sup, lease, "30") }); err != nil {
		return err
	}
	return h.rest.AddChannel(ctx, bridge, []string{sup, snoop}, ari.AddOptions{AbsorbDTMF: true})
}

func (h *hand) end(ctx context.Context, name string) error {
	err := both(func() error { return h.rest.Hangup(ctx, name+"-supervisor", "normal") }, func() error { return h.rest.Hangup(ctx, name+"-snoop", "normal") })
	return errors.Join(err, h.rest.DestroyBridge(ctx, name+"-bridge"))
}

// audio measures, in turns, how soon a supervisor hears the target through Earshot and by hand.
func (c *company) audio(ctx context.Context, rounds int) (m heard, err error) {
	if err := c.enter(ctx, 200); err != nil {
		return m, err
	}
	outside, err := c.Trunk.Dial(ctx, "74950000101", phone.As("+78125550101", "STRANGER"), phone.WithTone(21))
	if err != nil {
		return m, err
	}
	anna, err := c.Phones["anna"].Incoming(ctx)
	if err != nil {
		return m, err
	}
	if err := anna.Answer(ctx); err != nil {
		return m, err
	}
	if _, err := anna.WaitHears(ctx, 21); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, outside.Hangup(ctx), c.empty(ctx)) }()
	target, err := c.channel(ctx, "PJSIP/101")
	if err != nil {
		return m, err
	}
	h, stream, err := newHand(ctx, c.admin)
	if err != nil {
		return m, err
	}
	defer stream.Close()
	c.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
	irina := c.as("irina")
	ways := []func(i int) error{
		func(i int) error {
			began := time.Now()
			s, err := irina.Supervise(ctx, "anna", "spy")
			if err != nil {
				return err
			}
			d, call, err := c.first(ctx, began, anna.Tone())
			if err != nil {
				return err
			}
			m.Earshot = append(m.Earshot, ms(d))
			if err := irina.End(ctx, s.ID); err != nil {
				return err
			}
			return call.WaitEnded(ctx)
		},
		func(i int) error {
			name := fmt.Sprint("hand-", i)
			began := time.Now()
			if err := h.listen(ctx, name, "PJSIP/103", target); err != nil {
				return err
			}
			d, call, err := c.first(ctx, began, anna.Tone())
			if err != nil {
				return err
			}
			m.ByHand = append(m.ByHand, ms(d))
			if err := h.end(ctx, name); err != nil {
				return err
			}
			return call.WaitEnded(ctx)
		},
	}
	for i := range rounds + 1 { // the first one opens connections and does not count
		for j := range ways {
			if err := ways[(i+j)%2](i); err != nil {
				return m, err
			}
			if err := c.left(ctx, 2); err != nil {
				return m, err
			}
			pause(ctx, time.Duration(37*i%200)*time.Millisecond) // at any moment of the 20 ms of a frame
		}
		if i == 0 {
			m.Earshot, m.ByHand = nil, nil
		}
	}
	m.Ratio = at(m.Earshot, 0.5) / at(m.ByHand, 0.5)
	return m, nil
}

// first waits until irina's phone hears a tone, and tells how long after began the first frame with it came.
func (c *company) first(ctx context.Context, began time.Time, tone phone.Tone) (time.Duration, *phone.Call, error) {
	call, err := c.Phones["irina"].Incoming(ctx)
	if err != nil {
		return 0, nil, err
	}
	if _, err := call.WaitHears(ctx, tone); err != nil {
		return 0, nil, err
	}
	late, early := time.Now(), began
	for late.Sub(early) > 100*time.Microsecond {
		middle := early.Add(late.Sub(early) / 2)
		if call.Frames(tone, began, middle) > 0 {
			late = middle
		} else {
			early = middle
		}
	}
	return late.Sub(began), call, nil
}

func (c *company) channel(ctx context.Context, endpoint string) (string, error) {
	all, err := c.admin.ListChannels(ctx)
	if err != nil {
		return "", err
	}
	for _, ch := range all {
		if len(ch.Name) > len(endpoint) && ch.Name[:len(endpoint)+1] == endpoint+"-" {
			return ch.ID, nil
		}
	}
	return "", fmt.Errorf("%s is on no call", endpoint)
}
