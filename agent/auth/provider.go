package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/strict"
)

// provider has the keys of one who signs tokens. Those that were loaded last stay in force until others have been loaded, so reading them
// takes no lock and waits for nobody.
type provider struct {
	load    func(ctx context.Context) ([]byte, error)
	salt    string
	timeout time.Duration
	pause   time.Duration // between two loads, at least
	clock   func() time.Time
	told    func(error)

	set atomic.Pointer[keySet]

	mu     sync.Mutex // guards what follows
	next   time.Time  // before it nothing is loaded
	flight chan struct{}
	err    error // of the last load
}

// key returns the key for a token. Where none fits, the provider may have a new one, and is asked; but not more often than once in a pause,
// whatever strangers present, and by one at a time.
func (p *provider) key(ctx context.Context, kid, algorithm string) (publicKey, error) {
	if set := p.set.Load(); set != nil {
		if k, ok := set.find(kid, algorithm); ok {
			return k, nil
		}
	}
	p.refresh(ctx, context.WithoutCancel(ctx)) // others may wait for it too when this one's client has gone
	set := p.set.Load()
	if set == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		return publicKey{}, fmt.Errorf("auth: the keys of the issuer of JSON web tokens are not to be had: %w", errors.Join(p.err, ctx.Err()))
	}
	if k, ok := set.find(kid, algorithm); ok {
		return k, nil
	}
	return publicKey{}, ErrDenied
}

// refresh loads the keys within load, unless that was done just now; when it is being done it waits for it, as long as ctx lasts.
func (p *provider) refresh(ctx, load context.Context) {
	p.mu.Lock()
	if flight := p.flight; flight != nil {
		p.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
		}
		return
	}
	now := p.clock()
	if now.Before(p.next) {
		p.mu.Unlock()
		return
	}
	p.next = now.Add(p.pause)
	flight := make(chan struct{})
	p.flight = flight
	p.mu.Unlock()

	load, cancel := context.WithTimeout(load, p.timeout)
	defer cancel()
	err := p.reload(load)
	p.mu.Lock()
	p.flight = nil
	p.mu.Unlock()
	close(flight)
	p.told(err)
}

// reload loads the keys now. When that fails, those that were loaded before stay in force.
func (p *provider) reload(ctx context.Context) error {
	data, err := p.load(ctx)
	if err == nil {
		var set *keySet
		if set, err = parseKeySet(data, p.salt); err == nil {
			p.set.Store(set)
		}
	}
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	return err
}

// keyURL checks where keys may be fetched: whoever can change them on the way is everybody.
func keyURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it must be an address such as https://login.example.com/jwks")
	case u.User != nil:
		return errors.New("it must hold no credentials")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("it must be https, or whoever is on the way could put keys of his own there")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// fetcher returns a function that fetches a key set. It follows no redirect: the address that was configured is the one that is trusted.
func fetcher(address string, transport http.RoundTripper) func(context.Context) ([]byte, error) {
	client := &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it answers with a redirect; configure the address itself")
		},
	}
	return func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, fmt.Errorf("fetch keys: %w", err)
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("fetch keys: %w", err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			_, _ = io.CopyN(io.Discard, resp.Body, 4096)
			return nil, fmt.Errorf("fetch keys: %s answers with status %d", req.URL.Redacted(), resp.StatusCode)
		}
		data, err := strict.ReadAll(resp.Body, maxKeySet)
		if err == nil {
			err = ctx.Err() // the transport may take an answer that was cut off by it for a whole one
		}
		if err != nil {
			return nil, fmt.Errorf("fetch keys: %w", err)
		}
		return data, nil
	}
}
