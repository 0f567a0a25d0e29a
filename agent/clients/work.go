package clients

import (
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/earshot-pbx/earshot/cache"
)

// errForgotten stops an answer that was asked for before its number was forgotten.
var errForgotten = errors.New("forgotten meanwhile")

// work asks about one number.
func (r *Remote) work(ctx context.Context, f *flight) {
	e, err := cache.Entry{}, error(errForgotten)
	if !r.forgotten(f) {
		e, err = r.learn(ctx, f)
	}
	if err != nil && ctx.Err() != nil {
		err = fail(kindStopped, "the look-up was called off")
	}
	k := kindOf(err)
	r.mu.Lock()
	if r.flights[f.number] == f {
		delete(r.flights, f.number)
		if k != "" && k != kindOpen && k != kindStopped { // with the breaker open nothing was asked
			r.rest(f.number)
		}
	}
	forgotten := f.forgotten
	r.mu.Unlock()
	if k == kindStopped || errors.Is(err, errForgotten) {
		return
	}
	r.report(err)
	if err == nil && !forgotten && (f.kept.Expires.IsZero() || e.Found != f.kept.Found || e.Value != f.kept.Value) {
		r.env.OnChange(f.number)
	}
}

func (r *Remote) forgotten(f *flight) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f.forgotten
}

// rest leaves a number alone for a while; the caller holds the lock.
func (r *Remote) rest(number string) {
	if len(r.resting) >= maxResting {
		clear(r.resting) // to ask once too often is better than to hold as many numbers as callers care to claim
	}
	r.resting[number] = time.Now().Add(rest)
}

// learn gets an answer into the cache.
func (r *Remote) learn(ctx context.Context, f *flight) (cache.Entry, error) {
	table, err := r.eras.learn(ctx)
	if err != nil {
		return cache.Entry{}, failureOfCache(err)
	}
	load := func(ctx context.Context) (cache.Entry, error) { return r.request(ctx, f.number) }
	if !f.kept.Expires.IsZero() && table.Name == f.table.Name {
		// What is known stays known until there is something newer: it is forgotten only then, and Find goes by f.kept for the moment in between.
		fresh, err := load(ctx)
		if err != nil {
			return cache.Entry{}, err
		}
		load = func(context.Context) (cache.Entry, error) {
			if r.forgotten(f) {
				return cache.Entry{}, errForgotten
			}
			return fresh, nil
		}
		if r.forgotten(f) {
			return cache.Entry{}, errForgotten
		}
		_ = r.env.Cache.Forget(ctx, table, f.number) // other sidecars may go by what they have until it expires
	}
	for range 2 {
		e, err := r.env.Cache.Fill(ctx, table, f.number, load)
		if err != nil {
			return cache.Entry{}, failureOfCache(err)
		}
		if _, known := r.env.Cache.Lookup(table, f.number); known {
			return e, nil
		}
		// It was the answer of another flight, which was forgotten meanwhile and is not remembered. Nobody would ask again by himself.
		if r.forgotten(f) {
			return cache.Entry{}, errForgotten
		}
	}
	return cache.Entry{}, fail(kindCache, "the cache does not keep what it answered")
}

// request asks the system, unless the breaker is open.
func (r *Remote) request(ctx context.Context, number string) (cache.Entry, error) {
	e, err := r.breaker.Execute(func() (cache.Entry, error) {
		began := time.Now()
		c, found, err := r.endpoint.Load().ask(ctx, number)
		r.met.asked(time.Since(began))
		switch {
		case err != nil && ctx.Err() != nil:
			return cache.Entry{}, fail(kindStopped, "the look-up was called off")
		case err != nil:
			return cache.Entry{}, err
		case !found:
			return cache.Entry{}, nil
		default:
			return cache.Entry{Value: encode(c), Found: true}, nil
		}
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = fail(kindOpen, "it failed too often and is left alone for a while")
	}
	r.met.answered(e.Found, kindOf(err))
	return e, err
}

// failureOfCache tells what the cache itself says apart from what came through it.
func failureOfCache(err error) error {
	if errors.Is(err, errForgotten) || errors.As(err, new(*failure)) {
		return err
	}
	return fail(kindCache, "the cache: %v", err)
}

// kindOf is why something failed; empty for nil and for what is no failure.
func kindOf(err error) kind {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f.kind
	}
	return ""
}

// report tells when the system begins to fail and when it answers again.
func (r *Remote) report(err error) {
	r.reporting.Lock()
	defer r.reporting.Unlock()
	if failing := err != nil; failing != r.failing {
		r.failing = failing
		if failing {
			err = &sourceError{r.name, err}
		}
		r.env.Report(r.name, err)
	}
}

// sourceError is a failure with the name of its source.
type sourceError struct {
	source string
	err    error
}

func (e *sourceError) Error() string { return "clients: " + e.source + ": " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }
