package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/cache"
)

func TestWhatOneShowsComesToTheOthers(t *testing.T) {
	m := memory(t)
	a := starts(t, m, "pbx-a", nil)
	a.Show("leg/1", []byte("ringing"))
	a.Show("leg/2", []byte("up"))
	b := starts(t, m, "pbx-b", nil)
	b.sees("pbx-a", "leg/1", "ringing", "leg/2", "up")
	a.sees("pbx-b")
	a.Show("leg/1", []byte("up"))
	a.Hide("leg/2")
	a.Hide("leg/3")
	a.Show("leg/2", []byte{})
	b.sees("pbx-a", "leg/1", "up", "leg/2", "")
	if s := b.Status(); s.Standing != cache.Joined || strings.Join(s.Known, " ") != "pbx-a" || len(s.Gone)+len(s.Foreign) > 0 {
		t.Errorf("%+v", s)
	}
	a.stop()
	b.loses("pbx-a")
	if s := b.Status(); strings.Join(s.Gone, " ") != "pbx-a" || len(s.Known) > 0 {
		t.Errorf("%+v", s)
	}
	again := starts(t, m, "pbx-a", nil) // as another run
	again.Show("leg/1", []byte("new"))
	b.sees("pbx-a", "leg/1", "new")
	again.sees("pbx-b")
	if n := b.log.count("has come"); n != 2 {
		t.Errorf("it was told %d times that it has come", n)
	}
	if n := b.log.count("has gone"); n != 1 {
		t.Errorf("it was told %d times that it has gone", n)
	}
	if strings.Contains(b.told(), "pbx-b") {
		t.Error("it was told of itself")
	}
}

func TestTheLastOfManyChangesIsWhatIsKnownAndNoneGoesBack(t *testing.T) {
	m := memory(t)
	a, b := starts(t, m, "pbx-a", nil), starts(t, m, "pbx-b", nil)
	b.sees("pbx-a")
	const keys, rounds = 40, 200 // more than a watcher holds
	var wg sync.WaitGroup
	for k := range keys {
		wg.Go(func() {
			for i := range rounds {
				if i%7 == 6 {
					a.Hide(fmt.Sprint(k))
				}
				a.Show(fmt.Sprint(k), fmt.Append(nil, i))
			}
		})
	}
	wg.Wait()
	var want []string
	for k := range keys {
		want = append(want, fmt.Sprint(k), fmt.Sprint(rounds-1))
	}
	b.sees("pbx-a", want...)
	last := make(map[string]int)
	for line := range strings.Lines(b.told()) {
		var pbx, row string
		var v int
		if _, err := fmt.Sscan(line, &pbx, &row); err != nil || strings.HasPrefix(row, "-") {
			continue
		}
		k, value, ok := strings.Cut(row, "=")
		if _, err := fmt.Sscan(value, &v); !ok || err != nil {
			continue
		}
		if v < last[k] {
			t.Fatalf("%s goes back from %d to %d", k, last[k], v)
		}
		last[k] = v
	}
	if len(last) != keys {
		t.Errorf("%d of %d keys were told", len(last), keys)
	}
}

func TestWhatIsStoredTellsNothing(t *testing.T) {
	m := memory(t)
	a, b := starts(t, m, "pbx-a", nil), starts(t, m, "pbx-b", nil)
	a.Show("leg/79161234567", []byte("anna talks to 79161234567"))
	b.sees("pbx-a", "leg/79161234567", "anna talks to 79161234567")
	rows := m.AppendRows(nil, "pbx-a")
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if strings.Contains(r.Key+r.Value, "7916") || strings.Contains(r.Key+r.Value, "anna") || strings.Contains(r.Key, "leg") {
			t.Error("it can be read")
		}
	}
	if x, y := a.Secret("handles"), b.Secret("handles"); x != y || x == a.Secret("other") || x == ([32]byte{}) {
		t.Error("the secret is not the same at both, or for all purposes")
	}
	if _, err := cluster.New(cluster.Config{PBX: "pbx-c", Key: key[1:], Store: m}); !errors.Is(err, cluster.ErrKey) {
		t.Errorf("%v", err)
	}
	if _, err := cluster.New(cluster.Config{PBX: "pbx a", Key: key, Store: m}); err == nil {
		t.Error("a name of two words is taken")
	}
	if a.PBX() != "pbx-a" {
		t.Error(a.PBX())
	}
}

func TestARequestIsPerformedAndAnswered(t *testing.T) {
	m := memory(t)
	a, b := starts(t, m, "pbx-a", nil), starts(t, m, "pbx-b", nil)
	a.sees("pbx-b")
	b.sees("pbx-a")
	for i := range 3 {
		answer, err := a.Send(within(t, 20*time.Second), "pbx-b", fmt.Append(nil, i))
		if err != nil || string(answer) != fmt.Sprintf("pbx-a to pbx-b: %d", i) {
			t.Errorf("%q %v", answer, err)
		}
	}
	_, err := a.Send(t.Context(), "pbx-c", nil)
	isDone(t, err, false, cache.ErrNoMember)
	_, err = a.Send(t.Context(), "pbx-a", nil)
	isDone(t, err, false, cache.ErrNoMember)
	_, err = a.Send(t.Context(), "pbx-b", make([]byte, cache.MaxValue))
	isDone(t, err, false, cache.ErrTooLarge)
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	_, err = a.Send(over, "pbx-b", nil)
	isDone(t, err, false, nil)
	b.stop()
	_, err = a.Send(t.Context(), "pbx-b", nil)
	isDone(t, err, false, nil)
}

func TestNoMoreThanSixtyFourArePerformedAtOnceAndTheOthersWaitForTheirDeadlines(t *testing.T) {
	m := memory(t)
	var now, most atomic.Int64
	release := make(chan struct{})
	full := make(chan struct{})
	var once sync.Once
	a := starts(t, m, "pbx-a", nil)
	b := starts(t, m, "pbx-b", func(c *cluster.Config) {
		c.Perform = func(context.Context, string, []byte) ([]byte, func()) {
			n := now.Add(1)
			defer now.Add(-1)
			if most.Store(max(most.Load(), n)); n == 64 {
				once.Do(func() { close(full) })
			}
			<-release
			return []byte("done"), nil
		}
	})
	a.sees("pbx-b")
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if answer, err := a.Send(within(t, 25*time.Second), "pbx-b", nil); err != nil || string(answer) != "done" {
				t.Errorf("%q %v", answer, err)
			}
		})
	}
	<-full
	for range 3 {
		if _, err := a.Send(within(t, 200*time.Millisecond), "pbx-b", nil); err == nil {
			t.Error("one more was carried out")
		}
	}
	eventually(t, "three that were not begun with", func() bool {
		return testutil.ToFloat64(b.Refusals("command", "late")) == 3
	})
	close(release)
	wg.Wait()
	if most.Load() != 64 {
		t.Errorf("%d at once", most.Load())
	}
	if answer, err := a.Send(within(t, 20*time.Second), "pbx-b", nil); err != nil || string(answer) != "done" {
		t.Errorf("%q %v", answer, err)
	}
}

func TestWhatCannotBeAnsweredIsUndone(t *testing.T) {
	m := memory(t)
	undone := make(chan string, 10)
	large := make([]byte, cache.MaxValue)
	a := starts(t, m, "pbx-a", nil)
	b := starts(t, m, "pbx-b", func(c *cluster.Config) {
		c.Perform = func(ctx context.Context, _ string, request []byte) ([]byte, func()) {
			undo := func() { undone <- string(request) }
			switch string(request) {
			case "large":
				return large, undo
			case "late":
				<-ctx.Done()
			}
			return []byte("done"), undo
		}
	})
	a.sees("pbx-b")
	if answer, err := a.Send(within(t, 20*time.Second), "pbx-b", []byte("quick")); err != nil || string(answer) != "done" {
		t.Errorf("%q %v", answer, err)
	}
	for _, what := range []string{"large", "late"} {
		_, err := a.Send(within(t, 300*time.Millisecond), "pbx-b", []byte(what))
		isDone(t, err, true, nil)
		if got := <-undone; got != what {
			t.Errorf("%q was undone", got)
		}
	}
	b.stop()
	select {
	case what := <-undone:
		t.Errorf("%q was undone", what)
	default:
	}
}

func TestWhatIsUnderWayEndsWhenItStops(t *testing.T) {
	m := memory(t)
	begun := make(chan struct{})
	a := starts(t, m, "pbx-a", nil)
	b := starts(t, m, "pbx-b", func(c *cluster.Config) {
		c.Perform = func(ctx context.Context, _ string, _ []byte) ([]byte, func()) {
			close(begun)
			<-ctx.Done()
			return []byte("stopped"), nil
		}
	})
	a.sees("pbx-b")
	done := make(chan []byte, 1)
	go func() {
		answer, err := a.Send(within(t, 25*time.Second), "pbx-b", nil)
		if err != nil {
			t.Error(err)
		}
		done <- answer
	}()
	<-begun
	b.stop()
	if answer := <-done; string(answer) != "stopped" {
		t.Errorf("%q", answer)
	}
	a.loses("pbx-b")
}

func TestWhatDoesNotFitIsNotShownAndTold(t *testing.T) {
	m := memory(t)
	a, b := starts(t, m, "pbx-a", nil), starts(t, m, "pbx-b", nil)
	a.Show("1", []byte("small"))
	b.sees("pbx-a", "1", "small")
	for range 3 {
		a.Show("1", bytes.Repeat([]byte("x"), cache.MaxValue))
	}
	b.sees("pbx-a")
	if n := a.log.count("is not shown"); n != 1 {
		t.Errorf("told %d times", n)
	}
	partly := func(want bool) {
		t.Helper()
		b.until("all is shown, or not", func() bool { return b.partial["pbx-a"] == want })
	}
	partly(true)
	a.Show("1", []byte("small"))
	b.sees("pbx-a", "1", "small")
	partly(false)
}

func TestWhatDidNotFitIsShownWhenThereIsRoomAndTheOthersKnowMeanwhile(t *testing.T) {
	m := memory(t)
	hasty := func(c *cluster.Config) { c.Beat = 50 * time.Millisecond }
	a, b := starts(t, m, "pbx-a", hasty), starts(t, m, "pbx-b", nil)
	b.sees("pbx-a")
	large := bytes.Repeat([]byte("x"), cache.MaxValue-1000)
	const n = cache.MaxRowBytes/(cache.MaxValue-1000) + 5
	for i := range n {
		a.Show(fmt.Sprint(i), large)
	}
	is := func(what string, partial bool, rows int) {
		t.Helper()
		b.until(what, func() bool { return b.partial["pbx-a"] == partial && len(b.board["pbx-a"]) == rows })
	}
	is("what fits", true, n-5)
	// The hello finds room whatever is shown: who comes later is named in it, and knows of what is lacking.
	for i := range 300 {
		a.Show(fmt.Sprint("small", i), bytes.Repeat([]byte("y"), 3000))
	}
	c := starts(t, m, "pbx-c", nil)
	c.until("a part", func() bool { return c.known["pbx-a"] && c.partial["pbx-a"] })
	for i := range 300 {
		a.Hide(fmt.Sprint("small", i))
	}
	for i := range 5 {
		a.Hide(fmt.Sprint(i))
	}
	is("the rest", false, n-5)
	a.Hide("5")
	is("less", false, n-6)
	c.until("all", func() bool { return !c.partial["pbx-a"] && len(c.board["pbx-a"]) == n-6 })
}

const membersHelp = `
# HELP earshot_cluster_members Earshots beside other PBXs: known, gone (they cannot be reached, and the policy names their PBXs, or it names none and they were known since the start), or foreign (what they show is not sealed with this key).
# TYPE earshot_cluster_members gauge
`

func TestTheGaugesTell(t *testing.T) {
	m := memory(t)
	a, b := starts(t, m, "pbx-a", nil), starts(t, m, "pbx-b", nil)
	a.sees("pbx-b")
	b.sees("pbx-a")
	a.Show("1", nil)
	want := membersHelp + `earshot_cluster_members{state="foreign"} 0
earshot_cluster_members{state="gone"} %d
earshot_cluster_members{state="known"} %d
# HELP earshot_cluster_rows What this Earshot shows to the others.
# TYPE earshot_cluster_rows gauge
earshot_cluster_rows 1
# HELP earshot_cluster_standing 1 for how this Earshot stands to the others: joined, taken by another under the same name, waiting for the Redis, or left.
# TYPE earshot_cluster_standing gauge
earshot_cluster_standing{standing="joined"} 1
earshot_cluster_standing{standing="left"} 0
earshot_cluster_standing{standing="taken"} 0
earshot_cluster_standing{standing="waiting"} 0
`
	names := []string{"earshot_cluster_members", "earshot_cluster_rows", "earshot_cluster_standing"}
	if err := testutil.CollectAndCompare(a, strings.NewReader(fmt.Sprintf(want, 0, 1)), names...); err != nil {
		t.Error(err)
	}
	b.stop()
	a.loses("pbx-b")
	if err := testutil.CollectAndCompare(a, strings.NewReader(fmt.Sprintf(want, 1, 0)), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(a); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestWhoIsExpectedIsMissedAlsoIfItNeverCameAndWhoIsNotIsNot(t *testing.T) {
	m := memory(t)
	var named atomic.Pointer[[]string]
	name := func(pbxs ...string) { named.Store(&pbxs) }
	name("pbx-a", "pbx-b", "pbx-d")
	a := starts(t, m, "pbx-a", func(c *cluster.Config) {
		c.Stale, c.Silence = 50*time.Millisecond, 300*time.Millisecond
		c.Beat, c.Expected = 20*time.Millisecond, func() []string { return *named.Load() }
	})
	quick := func(c *cluster.Config) { c.Beat = 20 * time.Millisecond }
	b, given := starts(t, m, "pbx-b", quick), starts(t, m, "pbx-c", quick)
	a.sees("pbx-b")
	a.sees("pbx-c")
	eventually(t, "a line about who never came", func() bool { return a.log.count("no Earshot has come for it") > 0 })
	if s := a.Status(); strings.Join(s.Missing, " ") != "pbx-d" || len(s.Gone) > 0 {
		t.Errorf("%+v", s)
	}
	given.stop() // the policy has no phones there
	b.stop()
	a.loses("pbx-c")
	a.loses("pbx-b")
	if s := a.Status(); strings.Join(s.Missing, " ") != "pbx-d" || strings.Join(s.Gone, " ") != "pbx-b" {
		t.Errorf("%+v", s)
	}
	gauges := func(gone int) {
		t.Helper()
		want := fmt.Sprintf("%searshot_cluster_members{state=\"foreign\"} 0\nearshot_cluster_members{state=\"gone\"} %d\nearshot_cluster_members{state=\"known\"} 0\n", membersHelp, gone)
		must(t, testutil.CollectAndCompare(a, strings.NewReader(want), "earshot_cluster_members"))
	}
	gauges(2)
	name("pbx-a", "pbx-b")
	gauges(1)
	name() // nobody says who has to be there
	if s := a.Status(); strings.Join(s.Gone, " ") != "pbx-b pbx-c" || len(s.Missing) > 0 {
		t.Errorf("%+v", s)
	}
	if n := a.log.count("no Earshot has come for it"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
}
