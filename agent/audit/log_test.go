package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// holdVar makes this test binary a process that opens the log named by it, and says so.
const holdVar = "EARSHOT_TEST_HOLD_LOG"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVar); path != "" {
		_, err := audit.Open(path, audit.Options{})
		switch {
		case errors.Is(err, audit.ErrLocked):
			fmt.Print("locked")
		case err != nil:
			fmt.Print(err)
		default:
			fmt.Print("open")
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var testKey = audit.Key("0123456789abcdef0123456789abcdef")

func entry(n int) audit.Entry {
	return audit.Entry{
		ID: fmt.Sprintf("act%d", n), Phase: audit.Decided, Outcome: audit.Allow, Subject: "irina", Credential: "token:1a2b3c4d5e6f",
		Action: "spy", Targets: []string{"anna"}, Employees: []string{"anna", "boris"}, Reason: "allowed",
		Rule: audit.Rule{File: "policy.yaml", Line: n}, Generation: 7, Door: "http",
	}
}

func clock() time.Time { return time.Date(2026, 10, 1, 9, 0, 0, 123456789, time.UTC) }

func mustOpen(t testing.TB, path string, o audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, l)
	return l
}

func mustOpenFaulty(t testing.TB, path string, f *audit.Faults) *audit.Log {
	t.Helper()
	l, err := audit.OpenFaulty(path, audit.Options{Clock: clock}, f)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, l)
	return l
}

func closeAtEnd(t testing.TB, l *audit.Log) {
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func mustAppend(t testing.TB, l *audit.Log, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// mustWrite makes a closed log of n entries.
func mustWrite(t testing.TB, path string, o audit.Options, n int) {
	t.Helper()
	l := mustOpen(t, path, o)
	for i := range n {
		mustAppend(t, l, entry(i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustPut(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantGood verifies the log with its head and returns its entries.
func wantGood(t testing.TB, k audit.Key, paths ...string) []audit.Entry {
	t.Helper()
	rep, err := audit.VerifyFiles(k, paths...)
	if err != nil || !rep.OK() {
		t.Fatalf("verify: %v, fault %v", err, rep.Fault)
	}
	var all []audit.Entry
	for e, err := range audit.Read(k, paths...) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if len(all) != rep.Lines {
		t.Fatalf("%d entries read, %d verified", len(all), rep.Lines)
	}
	return all
}

func ids(entries []audit.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s ", e.ID)
	}
	return strings.TrimSpace(b.String())
}

func TestALogThatIsOpenedAgainContinuesTheChain(t *testing.T) {
	for name, key := range map[string]audit.Key{"plain": nil, "with a key": testKey} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			o := audit.Options{Key: key, Clock: clock}
			for range 3 {
				mustWrite(t, path, o, 2)
			}
			all := wantGood(t, key, path)
			if got := ids(all); got != "act0 act1 act0 act1 act0 act1" {
				t.Fatalf("ids %s", got)
			}
			last := all[5]
			want := entry(1)
			want.Seq, want.Time, want.Prev, want.Hash = 6, clock(), last.Prev, last.Hash
			if fmt.Sprintf("%+v", last) != fmt.Sprintf("%+v", want) || last.Prev != all[4].Hash {
				t.Fatalf("read back\n%+v, written\n%+v", last, want)
			}
		})
	}
}

func TestALineIsWhatTheDocumentationSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	mustWrite(t, path, audit.Options{Clock: clock}, 1)
	const want = `{"seq":1,"time":"2026-10-01T09:00:00.123456789Z","id":"act0","phase":"decided","subject":"irina","credential":"token:1a2b3c4d5e6f",` +
		`"action":"spy","targets":["anna"],"employees":["anna","boris"],"outcome":"allow","reason":"allowed","rule":{"file":"policy.yaml","line":0},` +
		`"generation":7,"door":"http","prev":"0000000000000000000000000000000000000000000000000000000000000000",` +
		`"hash":"`
	if got := string(mustRead(t, path)); !strings.HasPrefix(got, want) || len(got) != len(want)+64+len("\"}\n") {
		t.Fatalf("line\n%s\nwant\n%s", got, want)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
}

func TestAnEntryThatMayNotStandInTheLogIsRefusedAndItsContentIsNotRepeated(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "audit.log"), audit.Options{})
	for name, spoil := range map[string]func(*audit.Entry){
		"no phase":              func(e *audit.Entry) { e.Phase = "" },
		"unknown phase":         func(e *audit.Entry) { e.Phase = "+79161234567" },
		"no outcome":            func(e *audit.Entry) { e.Outcome = "" },
		"unknown outcome":       func(e *audit.Entry) { e.Outcome = "+79161234567" },
		"no id":                 func(e *audit.Entry) { e.ID = "" },
		"no action":             func(e *audit.Entry) { e.Action = "" },
		"number as detail":      func(e *audit.Entry) { e.Detail = "+79161234567" },
		"digits as detail":      func(e *audit.Entry) { e.Detail = "79161234567" },
		"number as reason":      func(e *audit.Entry) { e.Reason = "79161234567" },
		"text as detail":        func(e *audit.Entry) { e.Detail = "Ivan 79161234567" },
		"line break in subject": func(e *audit.Entry) { e.Subject = "a\n79161234567" },
		"bad text in target":    func(e *audit.Entry) { e.Targets = []string{"\xff79161234567"} },
		"empty employee":        func(e *audit.Entry) { e.Employees = []string{""} },
		"long code":             func(e *audit.Entry) { e.Mode = strings.Repeat("x", 129) },
		"negative line":         func(e *audit.Entry) { e.Rule.Line = -1 },
		"long reason":           func(e *audit.Entry) { e.Given = strings.Repeat("<", 501) },
		"too long": func(e *audit.Entry) {
			for i := range 200 {
				e.Employees = append(e.Employees, fmt.Sprintf("%0128d", i))
			}
		},
	} {
		e := entry(1)
		spoil(&e)
		err := l.Append(t.Context(), e)
		if !errors.Is(err, audit.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		} else if strings.Contains(err.Error(), "7916") {
			t.Errorf("%s: the error repeats the content: %v", name, err)
		}
	}
	mustAppend(t, l, entry(1))
	if got := l.Last().Seq; got != 1 {
		t.Fatalf("%d lines, want the one good entry", got)
	}
}

// What is longest in bytes: a sign outside the basic plane, and one that JSON escapes.
func TestAReasonOfAnyScriptStandsInTheLog(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "audit.jsonl"), audit.Options{})
	for _, sign := range []string{"x", "щ", "\U0001f4de", "<"} {
		e := entry(1)
		e.Given = strings.Repeat(sign, audit.MaxReason)
		mustAppend(t, l, e)
	}
}

func TestCallersThatComeWhileTheDiskIsBusyShareASync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	synctest.Test(t, func(t *testing.T) {
		f := &audit.Faults{Space: 1 << 20}
		l := mustOpenFaulty(t, path, f)
		busy, free := make(chan struct{}), make(chan struct{})
		var once sync.Once
		f.Set(func(f *audit.Faults) {
			f.OnSync = func() { once.Do(func() { close(busy); <-free }) }
		})
		var wg sync.WaitGroup
		put := func(n int) {
			wg.Go(func() {
				if err := l.Append(t.Context(), entry(n)); err != nil {
					t.Error(err)
				}
			})
		}
		put(0)
		<-busy
		for n := range 20 {
			put(n + 1)
		}
		synctest.Wait() // all wait for their answer
		if got := l.Queued(); got != 20 {
			t.Errorf("%d queued", got)
		}
		close(free)
		wg.Wait()
		if got := l.Stats(); got.Commits != 2 || got.Written != 21 {
			t.Errorf("%+v, want 21 entries in 2 commits", got)
		}
	})
	if got := len(wantGood(t, nil, path)); got != 21 {
		t.Fatalf("%d entries", got)
	}
}

func TestACallerWhoGivesUpIsWithdrawnOrToldThatHeMayBeRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	synctest.Test(t, func(t *testing.T) {
		f := &audit.Faults{Space: 1 << 20}
		l := mustOpenFaulty(t, path, f)
		busy, free := make(chan struct{}), make(chan struct{})
		var once sync.Once
		f.Set(func(f *audit.Faults) {
			f.OnSync = func() { once.Do(func() { close(busy); <-free }) }
		})
		ctx, cancel := context.WithCancel(t.Context())
		errs := make([]error, 2)
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = l.Append(ctx, entry(0)) })
		<-busy
		wg.Go(func() { errs[1] = l.Append(ctx, entry(1)) })
		synctest.Wait()
		cancel()
		wg.Wait()
		for i, want := range []string{"audit: perhaps not recorded: context canceled", "audit: not recorded: context canceled"} {
			if !errors.Is(errs[i], context.Canceled) || errs[i].Error() != want {
				t.Errorf("caller %d: %v, want %s", i, errs[i], want)
			}
		}
		if err := l.Append(ctx, entry(2)); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
		close(free)
		mustAppend(t, l, entry(3))
	})
	if got := ids(wantGood(t, nil, path)); got != "act0 act3" {
		t.Fatalf("entries %s", got)
	}
}

func TestManyWritersMakeOneChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 30, NoSync: true}
	l := mustOpenFaulty(t, path, f)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := range 50 {
				if err := l.Append(t.Context(), entry(w*50+n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Add(1)
	go func() { // whoever looks meanwhile sees a good log
		defer wg.Done()
		for range 20 {
			if rep, err := audit.VerifyFiles(nil, path); err != nil || !rep.OK() {
				t.Errorf("while it is written: %v, %v", err, rep.Fault)
			}
		}
	}()
	wg.Wait()
	seen := make(map[string]int)
	for _, e := range wantGood(t, nil, path) {
		seen[e.ID]++
	}
	for n := range 800 {
		if id := fmt.Sprintf("act%d", n); seen[id] != 1 {
			t.Errorf("%s stands there %d times", id, seen[id])
		}
	}
}

func TestALogIsOpenedByOneProcessOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{})
	mustAppend(t, l, entry(1))
	if _, err := audit.Open(path, audit.Options{}); !errors.Is(err, audit.ErrLocked) {
		t.Errorf("a second time in this process: %v", err)
	}
	link := filepath.Join(t.TempDir(), "other-name.log")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if got := otherProcess(t, name); got != "locked" {
			t.Errorf("another process, as %s: %s", filepath.Base(name), got)
		}
	}
	mustAppend(t, l, entry(2))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := otherProcess(t, path); got != "open" {
		t.Errorf("after Close: %s", got)
	}
	wantGood(t, nil, path)
}

func otherProcess(t *testing.T, path string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), holdVar+"="+path, "GORACE=atexit_sleep_ms=0") // the race detector would wait a second
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestALogThatIsMovedOrWrittenToFromOutsideRefusesUntilItIsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{})
	mustAppend(t, l, entry(1))
	good := mustRead(t, path)

	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), entry(2)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("moved away: %v", err)
	}
	mustPut(t, path, good) // the same bytes in another file
	if err := l.Append(t.Context(), entry(2)); !errors.Is(err, audit.ErrChanged) {
		t.Fatalf("replaced: %v", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{len(good) - 1, len(good) + 1} {
		if err := os.Truncate(path, int64(size)); err != nil {
			t.Fatal(err)
		}
		if err := l.Append(t.Context(), entry(2)); !errors.Is(err, audit.ErrChanged) {
			t.Fatalf("%d bytes instead of %d: %v", size, len(good), err)
		}
	}
	mustPut(t, path, good) // written into the same file
	mustAppend(t, l, entry(3))
	if got := ids(wantGood(t, nil, path)); got != "act1 audit act3" {
		t.Fatalf("entries %s", got)
	}
}

func TestAfterCloseNothingIsTaken(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "audit.log"), audit.Options{})
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(t.Context(), entry(1)); !errors.Is(err, audit.ErrClosed) {
		t.Fatal(err)
	}
}

func TestAKeyIsLongEnoughAndIsNotPrinted(t *testing.T) {
	if _, err := audit.Open(filepath.Join(t.TempDir(), "audit.log"), audit.Options{Key: audit.Key("short")}); err == nil {
		t.Error("a key of 5 bytes is taken")
	}
	if got := fmt.Sprintf("%v %s %x %+v", testKey, testKey, testKey, audit.Options{Key: testKey}.Key); strings.Trim(got, "[]key ") != "" {
		t.Errorf("a key prints as %s", got)
	}
}
