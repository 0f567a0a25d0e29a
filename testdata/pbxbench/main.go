package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// byHand is the ARI application of what is done by hand.
const byHand = "hand"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	where := flag.String("where", onEarshot, "")
	rate := flag.Float64("rate", 2, "")
	n := flag.Int("calls", 20, "")
	panels := flag.Int("panels", 200, "")
	sound := flag.Bool("sound", false, "")
	flag.Parse()
	if err := run(ctx, *where, *panels, traffic{rate: *rate, talk: 3 * time.Second, calls: *n, sound: *sound}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, where string, panels int, t traffic) error {
	root, err := repository()
	if err != nil {
		return err
	}
	program := filepath.Join(root, "bin/earshot")
	c, err := openCompany(ctx, 500, program)
	if err != nil {
		return err
	}
	defer c.close()
	for _, w := range []string{nowhere, onAsterisk, onEarshot} {
		s, err := c.stream(ctx, w, panels, 200, t)
		fmt.Printf("%+v\n", s)
		if err != nil {
			return err
		}
		if err := c.empty(ctx); err != nil {
			return err
		}
	}
	return nil
}
