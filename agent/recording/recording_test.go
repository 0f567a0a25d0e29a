package recording

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, configs ...SpoolConfig) *Spools {
	t.Helper()
	s, err := OpenSpools(configs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestNothingButRecordingsInTheFolderIsOpened(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	write(t, filepath.Join(in, "a.wav"), "sound")
	write(t, filepath.Join(in, "2026/11/b.WAV"), "sound")
	write(t, filepath.Join(in, "notes.txt"), "text")
	write(t, filepath.Join(in, "key"), "text")
	write(t, filepath.Join(dir, "out.wav"), "secret")
	write(t, filepath.Join(dir, "there/out.wav"), "secret")
	for _, l := range [][2]string{{"../out.wav", "link.wav"}, {filepath.Join(dir, "out.wav"), "absolute.wav"}, {"../there", "there"}, {"a.wav", "same.wav"}} {
		if err := os.Symlink(l[0], filepath.Join(in, l[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(in, "pipe.wav"), 0o600), os.Mkdir(filepath.Join(in, "folder.wav"), 0o700)); err != nil {
		t.Fatal(err)
	}
	s := open(t, SpoolConfig{Name: "main", Path: in})
	for name, there := range map[string]bool{
		"a.wav": true, "2026/11/b.WAV": true,
		"notes.txt": false, "key": false, "link.wav": false, "absolute.wav": false, "there/out.wav": false, "same.wav": false, "pipe.wav": false, "folder.wav": false, "": false, ".": false,
		"../out.wav": false, "2026/../a.wav": false, "./a.wav": false, "/a.wav": false, "//a.wav": false, "a.wav/": false, "a.wav\x00": false, "a\\b.wav": false, "..\\out.wav": false, "a.wav\n": false, "none.wav": false,
		filepath.Join(dir, "out.wav"): false, filepath.Join(in, "a.wav"): false,
	} {
		f, err := s.Open("main", name)
		if (err == nil) != there || err != nil && (!errors.Is(err, ErrNoFile) || strings.Contains(err.Error(), dir)) {
			t.Errorf("%q: %v", name, err)
		}
		if err == nil {
			if got, _ := io.ReadAll(f); string(got) != "sound" {
				t.Errorf("%q is %q", name, got)
			}
			_ = f.Close()
		}
		if there {
			continue
		}
		if err := s.Remove("main", name); !errors.Is(err, ErrNoFile) {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "out.wav"), filepath.Join(in, "link.wav"), filepath.Join(in, "notes.txt")} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s was removed", filepath.Base(path))
		}
	}
	if _, err := s.Open("other", "a.wav"); !errors.Is(err, ErrNoSpool) {
		t.Errorf("another spool: %v", err)
	}
	if err := s.Remove("main", "a.wav"); err != nil {
		t.Error(err)
	}
	if _, err := s.Open("main", "a.wav"); !errors.Is(err, ErrNoFile) {
		t.Errorf("what was removed: %v", err)
	}
}

func TestUniqueIDsAreFoundInNames(t *testing.T) {
	for _, tc := range []struct{ pattern, name, want string }{
		{"", "external-101-79161234567-20261122-102233-1763790000.12.wav", "102233-1763790000.12 1763790000.12"}, // FreePBX
		{"", "mikopbx-1763790000.12_Xy3.mp3", "mikopbx-1763790000.12 1763790000.12"},                             // MikoPBX
		{"", "1763790000.12.wav", "1763790000.12"},
		{"", "q-100-1763790000.12-1763790009.15.wav", "12-1763790009.15 1763790009.15"},
		{"", "79161234567-in.wav", ""},
		{"", "17637900001234567890.12.wav", ""},
		{"*-{uniqueid}-*", "a-1763790000.12-b.wav", "a-1763790000.12 1763790000.12"},
		{"{uniqueid}-*", "1763790000.12-1763790009.15.wav", "1763790000.12"}, // where the pattern says, the last one or not
		{"*-{uniqueid}-*", "1763790000.12.wav", ""},
		{"{uniqueid}.wav", "x1763790000.12.wav", ""},
		{"{uniqueid}.*", "1763790000.12.wav", "1763790000.12"},
	} {
		p, err := parsePattern(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ids(tc.name); !slices.Equal(got, strings.Fields(tc.want)) {
			t.Errorf("%q in %s: %v, want %s", tc.pattern, tc.name, got, tc.want)
		}
	}
	for _, bad := range []string{"*", "{uniqueid}{uniqueid}", "{id}"} {
		if CheckPattern(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// ledger is a book in memory.
type ledger struct {
	mu      sync.Mutex
	calls   map[string]string
	entries map[Place]Entry
	ended   map[Place]int64
	changed chan struct{}
	busy    error // that it answers to whatever would be written
}

func newLedger(calls map[string]string) *ledger {
	return &ledger{calls: calls, entries: map[Place]Entry{}, ended: map[Place]int64{}, changed: make(chan struct{}, 100)}
}

func (l *ledger) CallOf(_ context.Context, leg string, _ time.Time) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy != nil {
		return "", l.busy
	}
	if c, ok := l.calls[leg]; ok {
		return c, nil
	}
	return "", ErrNoCall
}

func (l *ledger) Find(_ context.Context, at Place) (string, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.entries[at]
	_, ended := l.ended[at]
	if !ok {
		return "", false, nil
	}
	return at.File, ended, nil
}

func (l *ledger) Add(_ context.Context, e Entry) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := Place{e.Spool, e.File}
	if _, ok := l.entries[at]; ok {
		return "", ErrKnown
	}
	l.entries[at] = e
	l.changed <- struct{}{}
	return e.File, nil
}

func (l *ledger) End(_ context.Context, id string, _ time.Time, size int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.entries {
		if at.File == id {
			l.ended[at] = size
		}
	}
	l.changed <- struct{}{}
	return nil
}

func (l *ledger) entry(at Place) (e Entry, size int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[at], l.ended[at]
}

// until waits until a recording is complete.
func (l *ledger) until(t *testing.T, at Place) Entry {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		if e, size := l.entry(at); size > 0 {
			return e
		}
		select {
		case <-l.changed:
		case <-late:
			t.Fatalf("%v is not there", at)
		}
	}
}

func TestRecordingsAreFoundAsTheyAreMadeAndFromBefore(t *testing.T) {
	main, aris := filepath.Join(t.TempDir(), "main"), filepath.Join(t.TempDir(), "aris")
	write(t, filepath.Join(main, "2026/old-1763790000.1.wav"), "sound")
	write(t, filepath.Join(main, "nobodys-1763790000.9.wav"), "sound")
	write(t, filepath.Join(main, "readme.txt"), "text")
	write(t, filepath.Join(aris, "x"), "")
	long := time.Now().Add(-time.Hour)
	for _, f := range []string{"2026/old-1763790000.1.wav", "nobodys-1763790000.9.wav"} {
		if err := os.Chtimes(filepath.Join(main, f), long, long); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, SpoolConfig{Name: "main", Path: main, PBXPath: "/var/spool/asterisk/monitor"}, SpoolConfig{Name: "ari", Path: aris, ARI: true})
	l := newLedger(map[string]string{"1763790000.1": "one", "1763790000.2": "two", "1763790000.3": "three", "1763790000.4": "four"})
	k := NewKeeper(KeeperConfig{
		Spools: s, Book: l, Settle: 50 * time.Millisecond, OnError: func(err error) { t.Error(err) },
		Variable: func(_ context.Context, leg, name string) (string, error) {
			if leg != "1763790000.3" || name != "MIXMONITOR_FILENAME" {
				return "", errors.New("there is none")
			}
			return "/var/spool/asterisk/monitor/2027/bound.wav", nil
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()

	if e := l.until(t, Place{"main", "2026/old-1763790000.1.wav"}); e.Call != "one" || e.Source != "spool" {
		t.Errorf("from before: %+v", e)
	}
	write(t, filepath.Join(main, "2026/12/01/new-1763790000.2.wav"), "sound") // in folders that are new too
	if e := l.until(t, Place{"main", "2026/12/01/new-1763790000.2.wav"}); e.Call != "two" {
		t.Errorf("as it is made: %+v", e)
	}
	bound := Place{"main", "2027/bound.wav"}
	k.Began("1763790000.3", time.Now())
	write(t, filepath.Join(main, "2027/bound.wav"), "sound")
	late := time.After(20 * time.Second)
	for e, _ := l.entry(bound); e.Call == ""; e, _ = l.entry(bound) {
		select {
		case <-l.changed:
		case <-late:
			t.Fatal("what MixMonitor began is not in the book")
		}
	}
	if e, size := l.entry(bound); e.Call != "three" || e.Source != "mixmonitor" || size != 0 {
		t.Errorf("bound while it is made: %+v %d", e, size)
	}
	k.Ended("1763790000.3")
	l.until(t, bound)
	k.ARIBegan("1763790000.4", "talk", "wav", time.Now())
	write(t, filepath.Join(aris, "talk.wav"), "sound")
	k.ARIEnded("talk")
	if e := l.until(t, Place{"ari", "talk.wav"}); e.Call != "four" || e.Source != "ari" {
		t.Errorf("ARI's: %+v", e)
	}
	if s := k.Stats(); s.Kept != 4 || s.Unmatched != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	if len(l.entries) != 4 {
		t.Errorf("%d are in the book", len(l.entries))
	}
}

func TestACopyIsFoundInEverySpool(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, f := range []string{a + "/x/1.wav", a + "/x/1.mp3", a + "/1.wav", b + "/x/1.wav", b + "/x/1.txt", b + "/x/11.wav"} {
		write(t, f, "sound")
	}
	got, err := open(t, SpoolConfig{Name: "a", Path: a}, SpoolConfig{Name: "b", Path: b}).Copies("a", "x/1.wav")
	if want := []Place{{"a", "x/1.mp3"}, {"b", "x/1.wav"}}; !slices.Equal(got, want) || err != nil {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}
