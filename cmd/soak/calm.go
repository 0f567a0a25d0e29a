package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// calm ends everything that the deeds have left and looks at what has to be so then: nobody talks on the PBX and on the board, nothing of Earshot's is
// left, and Earshot is as big as it was.
func (s *soak) calm(ctx context.Context, when string) error {
	s.ledger.note("calm after %s", when)
	for _, p := range s.phones {
		p.SetReaction(phone.Reaction{})
	}
	for _, p := range s.everybody() {
		for _, c := range p.Calls() {
			s.faults.add("after %s %v is left at a phone, %v", when, c, c.State())
			_ = c.Hangup(ctx)
		}
	}
	limit, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	wrong := eventually(limit, func() error { return s.still(limit) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrong != nil {
		s.faults.add("after %s: %v", when, wrong)
		s.inspect(ctx)
	}
	s.lastRow(limit)
	if err := s.measure(limit, when); err != nil {
		s.faults.add("after %s Earshot cannot be measured: %v", when, err)
	}
	return ctx.Err()
}

// everybody are all phones.
func (s *soak) everybody() []*phone.Phone {
	all := []*phone.Phone{s.Trunk}
	for _, who := range sorted(s.phones) {
		all = append(all, s.phones[who])
	}
	return all
}

// still says what goes on yet on the PBX and on the board.
func (s *soak) still(ctx context.Context) error {
	channels, bridges, err := s.onPBX(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range channels {
		errs = append(errs, fmt.Errorf("the PBX has the channel %s (%s)", c.Name, c.ID))
	}
	for _, b := range bridges {
		if b.Class != "parking" { // the lot, which stays once it was used
			errs = append(errs, fmt.Errorf("the PBX has the bridge %s (%s, of %s)", b.ID, b.Technology, b.Creator))
		}
	}
	calls, known := s.panels.board.calls()
	if !known {
		errs = append(errs, errors.New("the board is not known"))
	}
	for _, who := range sorted(calls) {
		if calls[who] > 0 {
			errs = append(errs, fmt.Errorf("the board has %d calls of %s", calls[who], who))
		}
	}
	var board struct {
		Lines []struct {
			ID    string
			Known bool
		}
	}
	if err := s.as(seeing).Do(ctx, http.MethodGet, "/v1/lines", nil, &board); err != nil {
		errs = append(errs, err)
	} else if len(board.Lines) != 1 || !board.Lines[0].Known {
		errs = append(errs, fmt.Errorf("of the line is known: %+v", board.Lines))
	}
	return errors.Join(errs...)
}

func (s *soak) onPBX(ctx context.Context) ([]ari.Channel, []ari.Bridge, error) {
	channels, err := s.admin.ListChannels(ctx)
	if err != nil {
		return nil, nil, err
	}
	bridges, err := s.admin.ListBridges(ctx)
	return channels, bridges, err
}

// inspect writes down how it is.
func (s *soak) inspect(ctx context.Context) {
	out, _ := s.PBX.Command(ctx, "core show channels verbose")
	s.ledger.note("%s", out)
	out, _ = s.PBX.Command(ctx, "bridge show all")
	s.ledger.note("%s", out)
}

// eventually asks until nothing is wrong.
func eventually(ctx context.Context, wrong func() error) error {
	for {
		err := wrong()
		if err == nil {
			return nil
		}
		if rest(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}

// A life is that of one Earshot process, with how big it was whenever it was calm.
type life struct {
	pid     int
	records []size
}

// size is how big Earshot was.
type size struct {
	when       string
	goroutines float64
	fds        float64
	heap       float64 // after a collection
	resident   float64
}

// Growth that is no leak: Asterisk's and the Redis's connections come and go as requests overlap, each with two goroutines; maps and pools are as big as
// they were needed; the journal's cache fills.
const (
	moreGoroutines = 30
	moreFDs        = 20
	moreHeap       = 16 << 20
	moreResident   = 64 << 20
)

// grown says what of a later size is too much.
func (z size) grown(first size) error {
	var errs []error
	for _, m := range []struct {
		what        string
		now, before float64
		more        float64
	}{{"goroutines", z.goroutines, first.goroutines, moreGoroutines}, {"open files", z.fds, first.fds, moreFDs}, {"bytes of heap", z.heap, first.heap, moreHeap}, {"resident bytes", z.resident, first.resident, moreResident}} {
		if m.now > m.before+m.more {
			errs = append(errs, fmt.Errorf("%.0f %s after %s, which were %.0f after %s", m.now, m.what, z.when, m.before, first.when))
		}
	}
	return errors.Join(errs...)
}

// measure takes Earshot's size, with the same panels there as every time, and compares it with that of the second calm of its life: the first is of one that
// has done nothing yet. What is larger for a moment, since something has not ended that is about to, is not so to the end of patience.
func (s *soak) measure(ctx context.Context, when string) error {
	now := s.lives[len(s.lives)-1]
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var z size
	var failed error
	grown := eventually(limit, func() error {
		if z, failed = s.size(ctx, when); failed != nil || len(now.records) < 2 {
			return nil
		}
		return z.grown(now.records[1])
	})
	if failed != nil {
		return failed
	}
	now.records = append(now.records, z)
	s.ledger.note("after %s: %.0f goroutines, %.0f open files, %.1f MB heap, %.1f MB resident", when, z.goroutines, z.fds, z.heap/1e6, z.resident/1e6)
	if grown != nil {
		s.faults.add("Earshot has grown: %v", grown)
		s.dump(when)
	}
	return nil
}

// size is how big Earshot is.
func (s *soak) size(ctx context.Context, when string) (z size, err error) {
	http.DefaultClient.CloseIdleConnections()
	var m map[string]float64
	collected := -1.0
	for range 400 { // reading them has the collector run
		if m, err = s.metrics(ctx); err != nil {
			return size{}, err
		}
		if collected < 0 {
			collected = m["go_gc_duration_seconds_count"]
		}
		if m["go_gc_duration_seconds_count"] >= collected+2 {
			break
		}
	}
	return size{when, m["go_goroutines"], m["process_open_fds"], m["go_memstats_heap_alloc_bytes"], m["process_resident_memory_bytes"]}, nil
}

// dump has Earshot's metrics written beside the log.
func (s *soak) dump(when string) {
	resp, err := http.Get("http://" + s.Admin + "/metrics") //nolint:noctx // it is on this machine
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	_ = os.WriteFile(filepath.Join(s.dir, "metrics-"+strings.ReplaceAll(when, " ", "-")), b, 0o600)
}

// metrics are Earshot's series by their names, and no identity is among them.
func (s *soak) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	of := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		if of[line[:at]], err = strconv.ParseFloat(line[at+1:], 64); err != nil {
			return nil, err
		}
	}
	if len(of) == 0 {
		return nil, errors.New("there are no metrics")
	}
	return of, nil
}
