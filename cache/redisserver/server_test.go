package redisserver_test

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache/redisserver"
)

func TestLoadTellsWhatWasAskedAndNotWhatItAskedItself(t *testing.T) {
	s, err := redisserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	load := func() redisserver.Load {
		t.Helper()
		l, err := s.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	before := load()
	const times, size = 7, 1000
	for range times {
		if err := client.Set(t.Context(), "key", make([]byte, size), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	after := load().Since(before)
	if after.Total() != times || after.Commands["set"] != times {
		t.Errorf("%d commands %v, want %d", after.Total(), after.Commands, times)
	}
	if after.In < times*size || after.In > 2*times*size {
		t.Errorf("%d bytes came in with %d values of %d", after.In, times, size)
	}
	if err := s.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := client.DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("%d keys are left when it is empty: %v", n, err)
	}
}

func TestAServerIsBackAtItsAddressAfterAKill(t *testing.T) {
	s, err := redisserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	ask := func() error {
		client := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: -1})
		defer func() { _ = client.Close() }()
		return client.Ping(context.Background()).Err()
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if ask() == nil {
		t.Error("it answers when it is killed")
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
}
