package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

func TestTheSameSeedIsTheSamePlan(t *testing.T) {
	same := func(a, b []deed) bool {
		return slices.EqualFunc(a, b, func(a, b deed) bool {
			return a.number == b.number && a.at == b.at && a.kind == b.kind && a.choices == b.choices && slices.Equal(a.who, b.who)
		})
	}
	for n := range 5 {
		if !same(round(7, n, 100), round(7, n, 100)) {
			t.Errorf("round %d is another the second time", n)
		}
		if same(round(7, n, 100), round(8, n, 100)) {
			t.Errorf("round %d is the same by another seed", n)
		}
	}
}

func TestEveryKindIsDoneAndFindsItsPhones(t *testing.T) {
	seen := map[string]int{}
	for n := range 300 {
		free := map[string]time.Duration{}
		for _, d := range round(1, n, 0) {
			seen[d.kind]++
			if deeds[d.kind] == nil {
				t.Fatalf("nobody knows how to do %q", d.kind)
			}
			for _, who := range d.who {
				if free[who] > d.at {
					t.Errorf("round %d: %s is to do %q at %v, and is busy until %v", n, who, d.kind, d.at, free[who])
				}
				for _, k := range kinds {
					if k.name == d.kind {
						free[who] = d.at + k.takes
					}
				}
			}
		}
	}
	for _, k := range slices.Concat(kinds, outages) {
		if seen[k.name] == 0 {
			t.Errorf("%q is never done", k.name)
		}
	}
	if len(seen) != len(deeds) {
		t.Errorf("%d kinds are planned and %d known", len(seen), len(deeds))
	}
}

func TestTheKeptRoundsHaveWhatTheyAreKeptFor(t *testing.T) {
	all, err := kept()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d are kept: %v", len(all), err)
	}
	for _, p := range all {
		plan := round(p.seed, p.round, 0)
		for _, kind := range p.deeds {
			if !slices.ContainsFunc(plan, func(d deed) bool { return d.kind == kind }) {
				t.Errorf("round %d of seed %d has no %q", p.round, p.seed, kind)
			}
		}
	}
}

// An identity is found in whatever form it stands and however it was cut, once for each time that it is said; others are not.
func TestAnEarFindsIdentitiesInWhateverPieces(t *testing.T) {
	h := &hidden{known: map[string]identity{}}
	r := rand.New(rand.NewPCG(1, 1))
	a, b := h.fresh(r), h.fresh(r)
	text := `{"number":"` + a.number + `","name":"` + b.name + `"} 8` + b.tail() + ` Local/7` + a.tail() + `@x and ` + a.name[:len(a.name)-1] + "- 1763860493.123456"
	for size := 1; size <= len(text); size++ {
		var told []string
		e := &ear{name: "somebody", of: h, heard: map[string]int{}, told: func(_ string, i identity, _ string) { told = append(told, i.number) }}
		for piece := range slices.Chunk([]byte(text), size) {
			if _, err := e.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{a.number, b.number, b.number, a.number}; !slices.Equal(told, want) {
			t.Fatalf("in pieces of %d: told of %v and not of %v", size, told, want)
		}
		if bytes, n := e.figures(); bytes != int64(len(text)) || n != 2 || !e.knows(a) {
			t.Fatalf("in pieces of %d: %d bytes, %d identities", size, bytes, n)
		}
	}
	e := &ear{of: h, heard: map[string]int{}}
	_, _ = e.Write([]byte(a.number[:8]))
	e.cut()
	_, _ = e.Write([]byte(a.number[8:]))
	if e.knows(a) {
		t.Error("what stands in two answers was taken for one")
	}
}

func TestWhatGrowsIsFound(t *testing.T) {
	first := size{"round 0", 80, 40, 8e6, 50e6}
	if err := (size{"round 9", 80 + moreGoroutines, 40 + moreFDs, 8e6 + moreHeap, 50e6 + moreResident}).grown(first); err != nil {
		t.Error(err)
	}
	for what, z := range map[string]size{
		"goroutines": {"round 9", 81 + moreGoroutines, 40, 8e6, 50e6}, "open files": {"round 9", 80, 41 + moreFDs, 8e6, 50e6},
		"bytes of heap": {"round 9", 80, 40, 8e6 + moreHeap + 1, 50e6}, "resident bytes": {"round 9", 80, 40, 8e6, 50e6 + moreResident + 1},
	} {
		if err := z.grown(first); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// journalled is a run with one call of anna's, from second 10 to second 30 of the run, and rows of a journal.
func journalled(t *testing.T, change func(*soak, *part, *row)) []string {
	t.Helper()
	l, err := newLedger(filepath.Join(t.TempDir(), "deeds.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.file.Close() })
	s := &soak{ledger: l}
	s.faults.note = l.note
	at := func(second int) time.Time {
		return l.began.Truncate(time.Second).Add(time.Duration(second) * time.Second)
	}
	time10, time15, time30 := at(10), at(15), at(30)
	id := identity{"+79161234567", "ZQXBCDFGHJK"}
	p := &part{who: "anna", direction: "in", outcome: "answered", outside: id, whole: true, began: between{time10, time10}, answered: between{time15, time15}, ended: between{time30, time30}}
	r := &row{Employee: "anna", Direction: "in", Outcome: "answered", Began: time10, Answered: &time15, Ended: &time30, Wait: 5, Talk: 15, Peer: &person{Number: "+79161234567"}}
	change(s, p, r)
	rows := []*row{r}
	if r.Employee == "" {
		rows = nil
	}
	s.comparePart(p, rows)
	return s.faults.all()
}

func TestTheJournalIsHeldAgainstWhatWasDialled(t *testing.T) {
	later := func(t time.Time, seconds int) time.Time { return t.Add(time.Duration(seconds) * time.Second) }
	for name, tc := range map[string]struct {
		change func(*soak, *part, *row)
		want   string
	}{
		"as it was":                {func(*soak, *part, *row) {}, ""},
		"no row":                   {func(_ *soak, _ *part, r *row) { *r = row{} }, "has not"},
		"another's number":         {func(_ *soak, _ *part, r *row) { r.Peer.Number = "+79161234568" }, "has not"},
		"another outcome":          {func(_ *soak, _ *part, r *row) { r.Outcome = "missed" }, "outcome"},
		"a gap":                    {func(_ *soak, _ *part, r *row) { r.Gap = true }, "gap"},
		"begun too early":          {func(_ *soak, _ *part, r *row) { r.Began = later(r.Began, -1) }, "began"},
		"never answered":           {func(_ *soak, _ *part, r *row) { r.Answered = nil }, "answered"},
		"ended too late":           {func(_ *soak, _ *part, r *row) { *r.Ended = later(*r.Ended, 3) }, "ended"},
		"talk that does not fit":   {func(_ *soak, _ *part, r *row) { r.Talk = 3 }, "talk"},
		"a transfer less":          {func(_ *soak, p *part, _ *row) { p.transfers = 1 }, "transfers"},
		"no row, over an outage":   {func(s *soak, p *part, r *row) { *r = row{}; outage(s, p.began[0], p.ended[0]) }, ""},
		"no row, though it was up": {func(s *soak, p *part, r *row) { *r = row{}; outage(s, p.ended[0], p.ended[0]) }, "though Earshot saw"},
		"a gap, and the machine stood still": {func(s *soak, p *part, r *row) {
			r.Gap = true
			s.ledger.spans = append(s.ledger.spans, &span{partMachine, "it stood still", later(p.answered[0], 3), later(p.answered[0], 9)})
		}, ""},
		"a gap over a kill": {func(s *soak, p *part, r *row) {
			r.Gap = true
			outage(s, later(p.answered[0], 3), later(p.answered[0], 6))
		}, ""},
		"no gap over a kill": {func(s *soak, p *part, _ *row) { outage(s, later(p.answered[0], 3), later(p.answered[0], 6)) }, "does not say that Earshot was away"},
	} {
		got := journalled(t, tc.change)
		if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], tc.want)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Who was in two conferences within two seconds has two rows that fit the first of them, which are told apart by their order. The rows and what the
// phones knew are those of deeds 3173 and 3174 of an hour of seed 2313, between rounds 69 and 70.
func TestWhatSomebodyDidTwiceWithinMomentsIsHeldAgainstItsOwnRow(t *testing.T) {
	l, err := newLedger(filepath.Join(t.TempDir(), "deeds.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.file.Close() })
	at := func(ms int) time.Time {
		return time.Date(2026, 11, 23, 8, 2, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
	}
	met := func(deed int, who string, began, answered, ended int) *part {
		b := between{at(began), at(answered)}
		return &part{by: deed, who: who, direction: "out", outcome: "answered", any: true, whole: true, began: b, answered: b, ended: between{at(began), at(ended)}}
	}
	told := func(who string, began, ended int, others ...string) *row {
		from, to := at(began*1000), at(ended*1000)
		r := &row{Employee: who, Direction: "out", Outcome: "answered", Began: from, Answered: &from, Ended: &to, Talk: ended - began}
		for _, o := range others {
			r.Others = append(r.Others, person{Employee: o})
		}
		return r
	}
	judge := func(change func(parts []*part, rows []*row) ([]*part, []*row)) (*soak, []string) {
		s := &soak{ledger: l}
		s.faults.note = l.note
		parts, rows := change([]*part{
			met(3173, "t5", 8952, 8980, 9800), met(3173, "t1", 8956, 8980, 9800), met(3173, "t6", 8958, 8983, 9800),
			met(3174, "t1", 10325, 10354, 11198), met(3174, "t4", 10328, 10354, 11198), met(3174, "nina", 10331, 10356, 11198),
		}, []*row{
			told("nina", 10, 11, "t1", "t4"), told("t4", 10, 11, "t1", "nina"), told("t1", 10, 11, "t4", "nina"),
			told("t6", 8, 9, "t5", "t1"), told("t1", 8, 9, "t5", "t6"), told("t5", 8, 9, "t1", "t6"),
		})
		s.past.add(parts...)
		s.hold(rows)
		return s, s.faults.all()
	}
	orders := map[string]func([]*part, []*row) ([]*part, []*row){
		"the last row first": func(p []*part, r []*row) ([]*part, []*row) { return p, r },
		"the first row first": func(p []*part, r []*row) ([]*part, []*row) {
			slices.Reverse(r)
			return p, r
		},
		"the last deed first": func(p []*part, r []*row) ([]*part, []*row) {
			slices.Reverse(p)
			return p, r
		},
		"both turned round": func(p []*part, r []*row) ([]*part, []*row) {
			slices.Reverse(p)
			slices.Reverse(r)
			return p, r
		},
	}
	for name, order := range orders {
		if s, faults := judge(order); len(faults) > 0 || s.past.found != 6 {
			t.Errorf("%s: %d of 6 are found: %q", name, s.past.found, faults)
		}
		for i := range 6 {
			s, faults := judge(func(p []*part, r []*row) ([]*part, []*row) { return order(p, slices.Delete(r, i, i+1)) })
			if len(faults) != 1 || !strings.Contains(faults[0], "has not") || s.past.found != 5 {
				t.Errorf("%s, without row %d: %d are found: %q", name, i, s.past.found, faults)
			}
			s, faults = judge(func(p []*part, r []*row) ([]*part, []*row) { return order(slices.Delete(p, i, i+1), r) })
			if len(faults) != 1 || !strings.Contains(faults[0], "nobody dialled") || s.past.found != 5 {
				t.Errorf("%s, without part %d: %d are found: %q", name, i, s.past.found, faults)
			}
		}
	}
	s, faults := judge(func(p []*part, _ []*row) ([]*part, []*row) { // of a PBX that was late, so that the first row fits the second conference too
		return []*part{p[3], p[1]}, []*row{told("t1", 11, 12, "t4", "nina"), told("t1", 10, 11, "t5", "t6")}
	})
	if len(faults) > 0 || s.past.found != 2 {
		t.Errorf("told late: %d of 2 are found: %q", s.past.found, faults)
	}
}

func outage(s *soak, from, to time.Time) {
	s.ledger.spans = append(s.ledger.spans, &span{partEarshot, "earshot-kill", from, to})
}

// What is broken is broken, and every policy that is put in force is one.
func TestThePoliciesAreWhatTheyAreTakenFor(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "earshot")
	if out, err := exec.Command("go", "build", "-o", binary, "../earshot").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check := func(text string) error {
		file := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(binary, "check", "--policy", file).Run()
	}
	for _, listens := range []string{modes, "spy, whisper", "spy", "whisper"} {
		if err := check(rules(listens, "a test")); err != nil {
			t.Errorf("%s: %v", listens, err)
		}
	}
	for _, text := range broken {
		if check(text) == nil {
			t.Errorf("it is good: %q", text)
		}
	}
	employees := append(slices.Clone(talkers), supervisors...)
	for _, e := range site.Employees {
		if !slices.Contains(append(employees, "boris", "sergei", excluded, taker), e.ID) {
			t.Errorf("%s has nothing to do", e.ID)
		}
	}
}
