//go:build faults

package agent_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// A clerk stands before the PBX's ARI and holds requests, or the answers to them, when told so.
type clerk struct {
	*httptest.Server
	lies
	target string // of the PBX
	proxy  *httputil.ReverseProxy

	holding sync.Mutex
	holds   []*hold
}

// hold is one request that is held.
type hold struct {
	method, path string // the path ends so
	body         string // and the body or the query holds this; empty: whatever they are
	answer       bool   // it is carried out, and what is held is the answer
	skip         int    // so many that are like it go by

	reached  chan struct{}
	released chan struct{}
	taken    bool
	lost     bool // it is not carried out when it is released
}

// clerk puts one between Earshot and the PBX, in Earshot's configuration. It is the office's until it closes.
func (o *office) clerk() *clerk {
	o.Helper()
	target, err := url.Parse(strings.TrimSuffix(o.PBX.ARI(), "/ari"))
	o.must(err)
	c := &clerk{target: target.String(), proxy: httputil.NewSingleHostReverseProxy(target)}
	c.proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	c.Server = httptest.NewServer(c)
	o.Cleanup(func() {
		c.release()
		c.CloseClientConnections()
		c.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	o.must(o.Edit("earshot.yaml", o.PBX.ARI(), c.URL+"/ari"))
	return c
}

// hold has a request held. reached is closed when it is.
func (c *clerk) hold(h hold) *hold {
	h.reached, h.released = make(chan struct{}), make(chan struct{})
	c.holding.Lock()
	defer c.holding.Unlock()
	c.holds = append(c.holds, &h)
	return &h
}

// release lets everything go on that is held.
func (c *clerk) release() {
	c.holding.Lock()
	defer c.holding.Unlock()
	for _, h := range c.holds {
		close(h.released)
	}
	c.holds = nil
}

// loses is release for what never reaches the PBX: it had not been sent.
func (c *clerk) loses() {
	c.holding.Lock()
	for _, h := range c.holds {
		h.lost = true
	}
	c.holding.Unlock()
	c.release()
}

func (c *clerk) match(r *http.Request, body string) *hold {
	c.holding.Lock()
	defer c.holding.Unlock()
	for _, h := range c.holds {
		if !h.taken && h.method == r.Method && strings.HasSuffix(r.URL.Path, h.path) && strings.Contains(r.URL.Path+"?"+r.URL.RawQuery+" "+body, h.body) {
			if h.skip > 0 {
				h.skip--
				return nil
			}
			h.taken = true
			return h
		}
	}
	return nil
}

// ServeHTTP carries a request out, even when who asked is gone: what has been sent arrives.
func (c *clerk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		c.stream(w, r, c.target)
		return
	}
	if c.note(r); c.instead(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	detached := r.WithContext(context.WithoutCancel(r.Context()))
	h := c.match(r, string(body))
	if h == nil {
		c.proxy.ServeHTTP(w, detached)
		return
	}
	if !h.answer {
		close(h.reached)
		if <-h.released; !h.lost {
			c.proxy.ServeHTTP(w, detached)
		}
		return
	}
	answer := httptest.NewRecorder()
	c.proxy.ServeHTTP(answer, detached)
	close(h.reached)
	<-h.released
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
