package auditstream_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auditstream"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = audit.Key("0123456789abcdef0123456789abcdef")

const stream = "{earshot}:log:audit"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs f until the test ends, or until end is called.
func run(t testing.TB, f func(context.Context) error) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// house is a log, and a Redis beside it.
type house struct {
	testing.TB
	path  string
	log   *audit.Log
	redis *redistest.Server
	store *redis.Cache
	*auditstream.Stream
	end     func()      // of the Stream
	told    chan string // each trouble, and "" when there is none any more
	written int         // how many entries were appended by add
}

func build(t testing.TB) *house {
	t.Helper()
	h := &house{TB: t, path: filepath.Join(t.TempDir(), "audit.jsonl"), redis: redistest.Start(t)}
	h.open()
	cfg, err := redis.Parse("redis://"+h.redis.Addr+"?poll=50ms&timeout=500ms", "")
	must(t, err)
	h.store, err = redis.Open(cfg)
	must(t, err)
	run(t, h.store.Run)
	return h
}

func (h *house) open() {
	h.Helper()
	var err error
	h.log, err = audit.Open(h.path, audit.Options{Key: key})
	must(h, err)
	h.Cleanup(func() { must(h, h.log.Close()) })
}

// start runs a stream that keeps so many.
func (h *house) start(keep int) {
	h.Helper()
	h.told = make(chan string, 1000)
	h.Stream = auditstream.New(auditstream.Config{
		Log: h.log, Store: h.store, Name: "audit", Keep: keep, Retry: 20 * time.Millisecond,
		Tell: func(s auditstream.Status) { h.told <- string(s.Trouble) },
	})
	h.end = run(h, func(ctx context.Context) error { h.Run(ctx); return nil })
}

// add appends so many entries to the log.
func (h *house) add(n int) {
	h.Helper()
	for range n {
		must(h, h.log.Append(h.Context(), entry(h.written)))
		h.written++
	}
}

func entry(n int) audit.Entry {
	return audit.Entry{
		ID: fmt.Sprintf("act%d", n), Phase: audit.Decided, Outcome: audit.Deny, Subject: "irina", Action: "spy",
		Targets: []string{"anna"}, Reason: "not_granted", Generation: 7, Door: "http",
	}
}

func (h *house) rotate() {
	h.Helper()
	_, err := h.log.Rotate()
	must(h, err)
}

// await waits until the condition holds.
func (h *house) await(what string, holds func() bool) {
	h.Helper()
	deadline, tick := time.NewTimer(20*time.Second), time.NewTicker(2*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			h.Fatalf("%s: %+v", what, h.Status())
		}
	}
}

// complete waits until the stream has the line that the log ends with.
func (h *house) complete() {
	h.Helper()
	h.await("the stream does not become complete", func() bool {
		s := h.Status()
		return s.Known && s.Behind == 0 && s.Trouble == ""
	})
	if s := h.Status(); s.Last != h.log.Last().Seq || s.Age != 0 {
		h.Errorf("complete, and %+v", s)
	}
}

// waitTold waits until a trouble is told, or that there is none.
func (h *house) waitTold(trouble auditstream.Trouble) {
	h.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case got := <-h.told:
			if got == string(trouble) {
				return
			}
		case <-deadline.C:
			h.Fatalf("%q is not told: %+v", trouble, h.Status())
		}
	}
}

// streamed is what a collector reads that begins behind a number: each number and line.
func (h *house) streamed(behind uint64) (numbers []uint64, lines []string) {
	h.Helper()
	got, err := h.redis.Admin.XRange(h.Context(), stream, fmt.Sprintf("(%d", behind), "+").Result()
	must(h, err)
	for _, m := range got {
		var n, part uint64
		if _, err := fmt.Sscanf(m.ID, "%d-%d", &n, &part); err != nil || part != 0 || len(m.Values) != 1 {
			h.Fatalf("entry %s has %d fields (%v)", m.ID, len(m.Values), err)
		}
		text, _ := m.Values["entry"].(string)
		if !strings.HasPrefix(text, fmt.Sprintf(`{"seq":%d,`, n)) {
			h.Fatalf("entry %s is not line %d", m.ID, n)
		}
		numbers, lines = append(numbers, n), append(lines, text+"\n")
	}
	return numbers, lines
}

// wantStream wants exactly the lines from one number to another, as they stand in the files.
func (h *house) wantStream(from, to uint64) {
	h.Helper()
	numbers, lines := h.streamed(0)
	if !slices.Equal(numbers, span(from, to)) {
		h.Fatalf("the stream has the lines %v, not %d to %d", numbers, from, to)
	}
	h.verify(lines, from, to)
	files, err := audit.Files(h.path)
	must(h, err)
	var log strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(h, err)
		_, _ = log.Write(b)
	}
	if !strings.HasSuffix(log.String(), strings.Join(lines, "")) {
		h.Error("the lines are not the bytes of the files")
	}
}

// verify verifies what was collected, as earshot audit verify --part does.
func (h *house) verify(lines []string, from, to uint64) {
	h.Helper()
	path := filepath.Join(h.TempDir(), "collected")
	must(h, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
	rep, err := audit.VerifyPart(key, path)
	if err != nil || !rep.OK() || rep.First != from || rep.Last.Seq != to {
		h.Errorf("what was collected is %+v (%v, %v)", rep, rep.Fault, err)
	}
}

func span(from, to uint64) (all []uint64) {
	for ; from <= to; from++ {
		all = append(all, from)
	}
	return all
}
