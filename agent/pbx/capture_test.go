package pbx

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// TestCapture plays every scenario on a real Asterisk with real phones and judges what was recorded. With -update it is written to
// testdata/streams, where TestReplay and others find it.
func TestCapture(t *testing.T) {
	r := record(t, openOffice(t))
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			tape := r.play(t, ctx, scenarios[name])
			if *update {
				if err := writeTape(filepath.Join(streams, name+".jsonl"), tape); err != nil {
					t.Fatal(err)
				}
			}
			judge(t, tape)
		})
	}
}

// play records one scenario.
func (r *recorder) play(t *testing.T, ctx context.Context, play func(*scene)) []entry {
	t.Helper()
	r.mu.Lock()
	r.fresh, r.brief = true, nil
	r.mu.Unlock()
	defer r.office.hangupAll(t)
	r.mark(t, ctx, "nobody is on a call")
	play(&scene{T: t, ctx: ctx, r: r})
	r.office.hangupAll(t)
	if err := r.until(ctx, func() bool {
		legs := 0
		r.feed.Read(func(table *call.Table) { legs = table.Len() })
		return legs == 0
	}); err != nil {
		t.Errorf("legs are left: %v", err)
	}
	r.mark(t, ctx, "all have hung up")
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tape
}
