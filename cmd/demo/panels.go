package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// panels are open event streams at every PBX.
type panels []*panel

type panel struct {
	pbx, employee string
	stream        *site.Stream
	at            time.Time // when it showed what was waited for last
}

// panels opens one of each employee at each PBX.
func (c *cluster) panels(ctx context.Context, employees ...string) (panels, error) {
	var out panels
	for _, name := range site.PBXs {
		for _, e := range employees {
			w, err := c.at[name].clients[e].Watch(ctx)
			if err != nil {
				out.close()
				return nil, fmt.Errorf("a panel of %s at %s: %w", e, name, err)
			}
			out = append(out, &panel{pbx: name, employee: e, stream: w})
		}
	}
	return out, nil
}

func (ps panels) close() {
	for _, p := range ps {
		p.stream.Close()
	}
}

// when waits for something on all of them, from before the cause on, and tells when the last one at a PBX that pbx is about showed it.
func (ps panels) when(ctx context.Context, what string, shows func(*site.Stream) bool) (wait func() (seen, error)) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	errs := make([]error, len(ps))
	var wg sync.WaitGroup
	for i, p := range ps {
		wg.Go(func() {
			errs[i] = p.stream.Until(ctx, what, shows)
			p.at = time.Now()
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s's panel at %s: %w", p.employee, p.pbx, errs[i])
			}
		})
	}
	return func() (seen, error) {
		wg.Wait()
		cancel()
		return seen(ps), errors.Join(errs...)
	}
}

// seen is panels that have shown something.
type seen panels

// last is when the last one at a PBX that fits showed it, first when the first did.
func (s seen) last(fits func(pbx string) bool) time.Time {
	return slices.MaxFunc(s.times(fits), time.Time.Compare)
}

func (s seen) first(fits func(pbx string) bool) time.Time {
	return slices.MinFunc(s.times(fits), time.Time.Compare)
}

func (s seen) times(fits func(pbx string) bool) (out []time.Time) {
	for _, p := range s {
		if fits(p.pbx) {
			out = append(out, p.at)
		}
	}
	return out
}

func only(pbx string) func(string) bool { return func(p string) bool { return p == pbx } }

func but(pbx string) func(string) bool { return func(p string) bool { return p != pbx } }
