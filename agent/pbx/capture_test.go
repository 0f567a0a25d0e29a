package pbx

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// TestCapture plays every scenario on a real Asterisk with real phones and judges what was recorded. With -update it is written to
// testdata/streams, where TestReplay and others find it.
func TestCapture(t *testing.T) {
	r := record(t, openOffice(t))
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			tape := r.play(t, ctx, name)
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
func (r *recorder) play(t *testing.T, ctx context.Context, name string) []entry {
	t.Helper()
	r.mu.Lock()
	r.fresh, r.brief = true, nil
	r.mu.Unlock()
	s := &scene{T: t, stage: r, name: name, ctx: ctx, office: r.office, admin: r.admin}
	defer r.office.hangupAll(t)
	s.run(func(s *scene) {
		s.now("nobody is on a call")
		scenarios[name](s)
		s.must(s.hangupAll(ctx))
		if err := r.until(ctx, func() bool { return !s.left() }); err != nil {
			s.Errorf("legs are left: %v", err)
		}
		s.now("all have hung up")
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tape
}
