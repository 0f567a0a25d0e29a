package redis

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
)

// quiet is how long the channel may say nothing before it is asked whether it is still there. What it fails to tell is found
// by polling, so this bounds only how long a dead connection is kept.
const quiet = 5 * time.Second

// listen turns what is told on the channel into looks, and comes back when the connection is lost.
func (c *Cache) listen(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-retry.C:
		}
		sub := c.client.Subscribe(ctx)
		closed := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { // it reads without a look at the context
			defer close(closed)
			_ = sub.Close()
		})
		c.receive(ctx, sub)
		c.setHearing(false)
		if stop() {
			_ = sub.Close()
		} else {
			<-closed
		}
		retry.Reset(min(c.cfg.Poll, time.Second))
	}
}

// receive returns when the connection is lost.
func (c *Cache) receive(ctx context.Context, sub *goredis.PubSub) {
	if err := sub.Subscribe(ctx, c.channel); err != nil {
		return
	}
	asked := false
	for ctx.Err() == nil {
		message, err := sub.ReceiveTimeout(ctx, quiet)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && !asked {
			asked = true
			if sub.Ping(ctx) == nil {
				continue
			}
		}
		if err != nil {
			return
		}
		asked = false
		switch m := message.(type) {
		case *goredis.Subscription:
			// What was to be forgotten while nobody listened was not heard.
			c.local.ForgetAll()
			c.setHearing(true)
			c.look()
		case *goredis.Message:
			c.hear(m.Payload)
		}
	}
}

// hear takes one hint. It may come from anybody who can publish, so the worst it can do is have something read again.
func (c *Cache) hear(hint string) {
	if rest, ok := strings.CutPrefix(hint, "forget "); ok {
		sender, rest, _ := strings.Cut(rest, " ")
		if table, key, ok := strings.Cut(rest, " "); ok && sender != c.name { // it has forgotten its own, and may know better by now
			_ = c.local.Forget(context.Background(), cache.Table{Name: table}, key) // in memory; it does not fail
		}
		return
	}
	switch hint {
	case hintRows:
		c.lookAt(lookRows)
	case hintDocuments:
		c.lookAt(lookDocuments)
	case hintPost:
		c.lookAt(lookMembers)
	default:
		c.lookAt(lookSessions)
	}
}

// Hints of what there is to look at. Any other means sessions and overlays.
const (
	hintRows      = "rows"
	hintDocuments = "documents"
	hintPost      = "post"
)
