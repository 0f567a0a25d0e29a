package pbxtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// Clock is the wall clock of a PBX, which a test may set while it runs, as somebody does who sets a machine's: what measures time that goes by is not touched.
// It is a C library between Asterisk and the kernel, libfaketime, out of the same release of Debian as Asterisk.
type Clock struct {
	root    *debian.Root
	library string
	file    string
}

// clockRead is how often the library looks how the clock is set.
const clockRead = time.Second

// NewClock gets one that is right. What it says is kept in the folder.
func NewClock(ctx context.Context, folder string, progress func(string)) (*Clock, error) {
	root, err := debian.Fetch(ctx, debian.Bundle{Name: "clock", Suite: releases[0].suite, Packages: []string{"libfaketime"}, Progress: progress})
	if err != nil {
		return nil, fmt.Errorf("get a clock that can be set: %w", err)
	}
	library := root.Path("usr/lib/*/faketime/libfaketimeMT.so.1")
	found, _ := filepath.Glob(library)
	if len(found) == 0 {
		return nil, errors.Join(fmt.Errorf("there is no %s", library), root.Close())
	}
	c := &Clock{root: root, library: found[0], file: filepath.Join(folder, "clock")}
	if err := c.write(0); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return c, nil
}

// Close gives the library back, when the PBX has ended.
func (c *Clock) Close() error { return c.root.Close() }

// Set has the clock be ahead of the real one by so much, in whole seconds; behind it when that is negative. It returns when the PBX has it.
func (c *Clock) Set(ctx context.Context, ahead time.Duration) error {
	if err := c.write(ahead); err != nil {
		return err
	}
	select {
	case <-time.After(2 * clockRead):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Clock) write(ahead time.Duration) error {
	next := c.file + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%+d\n", int64(ahead/time.Second)), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.file) // who reads it meanwhile has the one or the other
}

// environment has a program go by the clock.
func (c *Clock) environment() []string {
	if c == nil {
		return nil
	}
	return []string{
		"LD_PRELOAD=" + c.library, "FAKETIME_TIMESTAMP_FILE=" + c.file, fmt.Sprintf("FAKETIME_CACHE_DURATION=%d", int(clockRead/time.Second)),
		"FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1",
	}
}
