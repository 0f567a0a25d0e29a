package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = []byte(strings.Repeat("k", cluster.MinKey))

// station is a sidecar with what it was told of the others.
type station struct {
	*cluster.Cluster
	t    testing.TB
	stop func()
	log  lines

	mu      sync.Mutex
	bell    chan struct{} // closed at each news
	known   map[string]bool
	partial map[string]bool // not all is shown
	board   map[string]map[string]string
	news    []string
}

// lines is a log.
type lines struct {
	mu   *sync.Mutex
	text *strings.Builder
}

func (l lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// starts starts a sidecar. change may alter its configuration.
func starts(t testing.TB, store cluster.Store, pbx string, change func(*cluster.Config)) *station {
	t.Helper()
	s := &station{t: t, bell: make(chan struct{}), known: make(map[string]bool), partial: make(map[string]bool), board: make(map[string]map[string]string), log: lines{new(sync.Mutex), new(strings.Builder)}}
	cfg := cluster.Config{PBX: pbx, Key: key, Store: store, News: s.takes, Log: zerolog.New(s.log), Perform: func(_ context.Context, from string, request []byte) ([]byte, func()) {
		return fmt.Appendf(nil, "%s to %s: %s", from, pbx, request), nil
	}}
	if change != nil {
		change(&cfg)
	}
	var err error
	s.Cluster, err = cluster.New(cfg)
	must(t, err)
	s.stop = run(t, func(ctx context.Context) error {
		err := s.Run(ctx)
		_ = s.Leave(context.WithoutCancel(ctx)) // what leaves after its cache has gone cannot say so
		return err
	})
	return s
}

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

// takes keeps the board as the contract of News says.
func (s *station) takes(n cluster.News) {
	pbx, known, whole, rows := n.PBX, n.Known, n.Whole, n.Rows
	s.mu.Lock()
	defer s.mu.Unlock()
	if known != s.known[pbx] && !(known == whole) {
		s.t.Errorf("%s: %v after %v, whole: %v", pbx, known, s.known[pbx], whole)
	}
	if whole || !known {
		s.board[pbx] = make(map[string]string)
	}
	s.known[pbx], s.partial[pbx] = known, n.Partial
	s.news = append(s.news, fmt.Sprintf("%s %v %v", pbx, known, whole))
	for _, r := range rows {
		if r.Value == nil {
			if _, had := s.board[pbx][r.Key]; !had {
				s.t.Errorf("%s: %s is gone and was not there", pbx, r.Key)
			}
			delete(s.board[pbx], r.Key)
			s.news = append(s.news, pbx+" -"+r.Key)
			continue
		}
		s.board[pbx][r.Key] = string(r.Value)
		s.news = append(s.news, pbx+" "+r.Key+"="+string(r.Value))
	}
	close(s.bell)
	s.bell = make(chan struct{})
}

// until waits until what is known of the others holds.
func (s *station) until(what string, holds func() bool) {
	s.t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		s.mu.Lock()
		ok, bell := holds(), s.bell
		news := strings.Join(s.news, ", ")
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-bell:
		case <-limit.C:
			s.t.Fatalf("it does not come to %s: %s", what, news)
		}
	}
}

// sees waits until another PBX is known with exactly these rows, as key and value after one another.
func (s *station) sees(pbx string, rows ...string) {
	s.t.Helper()
	want := make(map[string]string)
	for i := 0; i < len(rows); i += 2 {
		want[rows[i]] = rows[i+1]
	}
	s.until(fmt.Sprintf("%s with %v", pbx, want), func() bool { return s.known[pbx] && maps.Equal(s.board[pbx], want) })
}

func (s *station) loses(pbx string) {
	s.t.Helper()
	s.until(pbx+" not known", func() bool { known, told := s.known[pbx]; return told && !known })
}

// told are the news so far.
func (s *station) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.news, "\n")
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for what nobody tells.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := within(t, 30*time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.Done():
			t.Fatalf("it does not come to %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// isDone holds of an error whether it was carried out: no, or nobody knows.
func isDone(t testing.TB, err error, mayBe bool, why error) {
	t.Helper()
	var w *cache.WriteError
	if !errors.As(err, &w) || w.MayBeDone != mayBe || why != nil && !errors.Is(err, why) {
		t.Errorf("%v; want %v, may be done: %v", err, why, mayBe)
	}
}

// memory is a cache of one process that runs.
func memory(t testing.TB) *cache.Memory {
	t.Helper()
	m := cache.NewMemory(cache.Options{})
	run(t, m.Run)
	return m
}
