package redisserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Load is what a server has been asked for since it started.
type Load struct {
	Commands map[string]uint64 // how often it has carried out each, by name in lower case
	In, Out  uint64            // bytes that it got and sent
}

// Total is all commands together.
func (l Load) Total() (n uint64) {
	for _, times := range l.Commands {
		n += times
	}
	return n
}

// Since is what was asked after an earlier Load of the same run.
func (l Load) Since(earlier Load) Load {
	out := Load{Commands: map[string]uint64{}, In: l.In - earlier.In, Out: l.Out - earlier.Out}
	for name, times := range l.Commands {
		if times > earlier.Commands[name] {
			out.Commands[name] = times - earlier.Commands[name]
		}
	}
	return out
}

// Load asks the server, over a connection of its own. What this costs is in the bytes and, as info, hello and client, in the commands that are
// left out here.
func (s *Server) Load(ctx context.Context) (l Load, err error) {
	admin := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1})
	defer func() { err = errors.Join(err, admin.Close()) }()
	text, err := admin.Info(ctx, "stats", "commandstats").Result()
	if err != nil {
		return Load{}, fmt.Errorf("ask redis-server what it was asked: %w", err)
	}
	return parseLoad(text)
}

// own are the commands of Load itself.
var own = map[string]bool{"info": true, "hello": true, "client|setinfo": true}

func parseLoad(text string) (Load, error) {
	l := Load{Commands: map[string]uint64{}}
	found := 0
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		command, isCommand := strings.CutPrefix(name, "cmdstat_")
		if isCommand {
			value, _, _ = strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		}
		var to *uint64
		switch {
		case name == "total_net_input_bytes":
			to = &l.In
		case name == "total_net_output_bytes":
			to = &l.Out
		case !isCommand || own[command]:
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return Load{}, fmt.Errorf("what redis-server says of %s: %w", name, err)
		}
		if to == nil {
			l.Commands[command] = n
			continue
		}
		*to = n
		found++
	}
	if found != 2 {
		return Load{}, errors.New("redis-server does not say how many bytes it got and sent")
	}
	return l, nil
}

// Limit bounds the server's memory, as "512mb": what would need more is refused to who writes. "0" is no bound.
func (s *Server) Limit(ctx context.Context, bytes string) (err error) {
	admin := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1})
	defer func() { err = errors.Join(err, admin.Close()) }()
	return admin.ConfigSet(ctx, "maxmemory", bytes).Err()
}

// Empty has the server forget everything (FLUSHALL).
func (s *Server) Empty(ctx context.Context) (err error) {
	admin := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1})
	defer func() { err = errors.Join(err, admin.Close()) }()
	return admin.FlushAll(ctx).Err()
}
