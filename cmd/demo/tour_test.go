package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The tours are the proof that the main job works from end to end, beside one PBX and beside several; they check themselves and fail when anything
// differs.
func TestTheToursFindEverythingAsItShouldBe(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "earshot")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../earshot").CombinedOutput(); err != nil {
		t.Fatalf("build earshot: %v\n%s", err, out)
	}
	t.Run("both", func(t *testing.T) { // which waits for them, with the program and the context
		for name, tour := range map[string]func(context.Context, bool, string, bool) error{"one PBX": run, "several PBXs": runCluster} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if err := tour(ctx, true, binary, false); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// A tour that cannot fail proves nothing: a refusal that does not come ends it.
func TestTheTourFailsWhenARefusalDoesNotCome(t *testing.T) {
	err := walk(t.Context(), []step{
		{"a step that is as it should be", func(context.Context) error { return nil }},
		{"a request that should have been refused and was not", func(context.Context) error { return refused(nil, "no_right") }},
	}, func(context.Context) error { return nil })
	if err == nil {
		t.Fatal("the tour went through although a refusal did not come")
	}
}
