package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The tour is the proof that the main job works from end to end; it checks itself and fails when anything differs.
func TestTheTourFindsEverythingAsItShouldBe(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "earshot")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../earshot").CombinedOutput(); err != nil {
		t.Fatalf("build earshot: %v\n%s", err, out)
	}
	if err := run(ctx, true, binary, false); err != nil {
		t.Fatal(err)
	}
}

// A tour that cannot fail proves nothing: a refusal that does not come ends it.
func TestTheTourFailsWhenARefusalDoesNotCome(t *testing.T) {
	d := &demo{}
	err := d.steps(t.Context(), []step{
		{"a step that is as it should be", func(context.Context) error { return nil }},
		{"a request that should have been refused and was not", func(context.Context) error { return refused(nil, "no_right") }},
	}, func(context.Context) error { return nil })
	if err == nil {
		t.Fatal("the tour went through although a refusal did not come")
	}
}
