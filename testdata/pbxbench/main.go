// Pbxbench measures, on a real Asterisk, what Earshot saves it and what it costs: `make bench-pbx`. It is a module of its own, so that what draws
// the pictures is no dependency of Earshot's.
//
// Everything runs on this machine: Asterisk and Earshot as processes of their own, whose processor time is read from /proc, and phones and panels in
// this process, which is in no figure but slows both alike. A panel that is cut off, an event that does not come, a call that does not come about
// and a supervision that ends by itself end the run with an error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// byHand is the ARI application of what is done by hand.
const byHand = "hand"

var parts = []string{"cpu", "audio", "end", "memory", "growth"}

func main() {
	part := flag.String("part", "", "one of "+strings.Join(parts, ", ")+"; all of them when empty")
	quick := flag.Bool("quick", false, "small sizes, to see that it works: the figures mean little")
	plots := flag.String("plots", "", "the folder for the pictures of the growth; none when empty")
	out := flag.String("out", "", "the folder for the raw figures (pbxbench.json) and the table (pbxbench.md); required")
	program := flag.String("earshot", "", "the earshot program; required")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *part, *quick, *plots, *out, *program); err != nil {
		fmt.Fprintln(os.Stderr, "pbxbench:", err)
		stop()
		os.Exit(1)
	}
}

// full are the sizes that the README's figures are of.
func full() sizes {
	return sizes{
		panels: 200, employees: 200, traffic: traffic{rate: 2, talk: 5 * time.Second, calls: 40, sound: true},
		morePanels: []int{50, 100, 200}, moreEmployees: []int{200, 1000, 10000}, rates: []float64{1, 2, 3}, growthCalls: 30,
		rounds: 2, audioRounds: 25, endCalls: 200, endSupervisions: 100, ends: 4,
		tables: []int{100, 1000, 10000}, policies: []int{100, 1000, 10000}, live: []int{0, 50, 100, 200},
	}
}

func small() sizes {
	z := full()
	z.panels, z.morePanels, z.moreEmployees, z.rates = 20, []int{5, 10, 20}, []int{200, 400, 1000}, []float64{1, 2, 3}
	z.traffic.calls, z.traffic.talk, z.growthCalls = 10, time.Second, 6
	z.rounds = 1
	z.audioRounds, z.endCalls, z.endSupervisions, z.ends = 3, 20, 10, 1
	z.tables, z.policies, z.live = []int{10, 100}, []int{100, 1000}, []int{0, 10, 20}
	return z
}

func run(ctx context.Context, part string, quick bool, plots, out, program string) (err error) {
	if part != "" && !slices.Contains(parts, part) {
		return fmt.Errorf("there is no part %q, only %s", part, strings.Join(parts, ", "))
	}
	if out == "" || program == "" {
		return errors.New("-out and -earshot are required")
	}
	z := full()
	if quick {
		z = small()
	}
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	r := &report{Command: command(part, quick), Date: began.UTC().Format("2006-01-02 15:04 UTC"), Machine: machine(), LoadBefore: load()}
	say("a company with an Asterisk and %d phones is started", phonesOf(z))
	c, err := openCompany(ctx, phonesOf(z), program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	r.Asterisk = c.PBX.Version()
	for _, p := range []struct {
		name, what string
		do         func() error
	}{
		{"cpu", "the same calls without panels, with panels on Asterisk, and with panels on Earshot", func() error { return c.cpu(ctx, z, r, say) }},
		{"audio", "from a supervisor's request to what he hears, through Earshot and by hand in turns", func() error {
			m, err := c.audio(ctx, z.audioRounds)
			if err == nil {
				r.Audio = &m
			}
			return err
		}},
		{"end", "how soon supervisions end, and how much there may be at once", func() error {
			m, err := c.ending(ctx, z.endCalls, z.endSupervisions, z.ends, z.traffic.sound, say)
			if err == nil {
				r.End = &m
			}
			return err
		}},
		{"memory", "memory by calls and employees", func() error {
			m, err := c.memory(ctx, z.tables, z.policies, z.live, say)
			if err == nil {
				r.Memory = &m
			}
			return err
		}},
		{"growth", "growth with panels, calls and employees", func() (err error) { r.Growth, err = c.grow(ctx, z, say); return err }},
	} {
		if part != "" && part != p.name {
			continue
		}
		say("%s: %s", p.name, p.what)
		if err := p.do(); err != nil {
			// What was measured before is told all the same; it is kept in no file.
			return errors.Join(r.print(os.Stdout), fmt.Errorf("%s: %w", p.name, err))
		}
	}
	r.LoadAfter = load()
	return errors.Join(r.print(os.Stdout), r.keep(out, plots))
}

// cpu is the same calls with panels nowhere, on Asterisk and on Earshot: without sound, of which panels are told nothing, and with it.
func (c *company) cpu(ctx context.Context, z sizes, r *report, say func(string, ...any)) error {
	for range z.rounds {
		for _, sound := range []bool{false, true} {
			for _, where := range []string{nowhere, onAsterisk, onAsteriskCalls, onEarshot} {
				if sound && where == onAsteriskCalls {
					continue
				}
				t := z.traffic
				t.sound = sound
				s, err := c.stream(ctx, where, z.panels, z.employees, t)
				if err != nil {
					return err
				}
				say("%s, %s", soundOrNot(sound), s.line())
				r.CPU = append(r.CPU, s)
				if err := c.empty(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func phonesOf(z sizes) int { return max(2*z.endCalls+z.endSupervisions, z.panels, 60) }

func command(part string, quick bool) string {
	s := "make bench-pbx"
	if part != "" {
		s += " PART=" + part
	}
	if quick {
		s += " QUICK=1"
	}
	return s
}

// keep writes what was measured: the raw figures and the table into one folder, the pictures into another.
func (r *report) keep(out, plots string) error {
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"pbxbench.json": string(raw) + "\n", "pbxbench.md": r.markdown()} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if plots == "" {
		return nil
	}
	for _, g := range r.Growth {
		if err := g.draw(plots, fmt.Sprintf("%s, %s", r.Command, r.Date)); err != nil {
			return err
		}
	}
	return nil
}
