// Command soak has a company live for hours as fast as it can: on a real Asterisk, with real phones and a real Redis, people call, transfer, listen,
// lock and record, panels come and go at every door, policies are edited, and every part is restarted, killed and paused, all by a seed. What has to be
// true of Earshot whatever happens is looked at all along and after each round. It ends with 1 if anything was not.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	binary := flag.String("earshot", "bin/earshot", "the earshot `program`")
	lasts := flag.Duration("for", time.Hour, "how long; the last round is finished")
	seed := flag.String("seed", "", "from which all that is done follows; a random one if empty; kept: the rounds in seeds.txt")
	dir := flag.String("dir", "", "`folder` for the log of what was done and Earshot's own; a new one if empty, which is removed when all was well")
	first := flag.Int("round", 0, "begin with this round of the seed")
	flag.Parse()
	of, name, err := places(*seed, *first)
	if err == nil {
		err = run(ctx, *binary, *dir, name, of, *lasts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nsoak:", err)
		stop()
		os.Exit(1)
	}
}

func seedOf(text string) (n uint64, err error) {
	if text == "" || text == "random" {
		return rand.Uint64N(1_000_000_000), nil //nolint:gosec // nothing secret
	}
	_, err = fmt.Sscanf(text, "%d", &n)
	return n, err
}

func run(ctx context.Context, binary, dir, seed string, of func(int) place, lasts time.Duration) (err error) {
	fmt.Printf("soak: SEED=%s SOAK=%v\n", seed, lasts)
	kept := dir != ""
	if !kept {
		if dir, err = os.MkdirTemp("", "earshot-soak-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := begin(ctx, binary, dir, seed)
	if err != nil {
		return err
	}
	err = s.live(ctx, of, lasts)
	if len(s.faults.all()) > 0 || err != nil {
		err = errors.Join(err, s.keep())
	}
	s.report()
	err = errors.Join(err, s.close())
	faults := s.faults.all()
	fmt.Printf("\nsoak: SEED=%s: %d faults\n", seed, len(faults))
	if len(faults) > 0 || err != nil {
		for i, f := range faults {
			if i == 40 {
				fmt.Printf("  and %d more\n", len(faults)-i)
				break
			}
			fmt.Println("  " + f)
		}
		return errors.Join(err, fmt.Errorf("what was done is in %s; make soak SEED=%s does it again", filepath.Join(dir, "deeds.log"), seed))
	}
	if !kept {
		return os.RemoveAll(dir)
	}
	return nil
}

// sorted are the keys of a map in their order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
