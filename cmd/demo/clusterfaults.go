package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// offTheBoard is how long a dead Earshot's calls may stay on the boards of the others.
const offTheBoard = 3 * time.Second

// knows waits until a watcher's panel at a PBX knows or does not know of an employee, and in which state he is.
func (c *cluster) knows(ctx context.Context, pbx, watcher, employee string, known bool, state string) (time.Time, error) {
	w, err := c.at[pbx].clients[watcher].Watch(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err = w.Until(ctx, fmt.Sprintf("it is %v at %s that %s is known and %s", known, pbx, employee, state), func(s *site.Stream) bool {
		r := s.Rows[employee]
		return r.Unknown != known && (!known && len(r.Calls) == 0 || known && r.State == state)
	})
	at := time.Now()
	if err == nil && !known {
		state = "not known"
	}
	if err == nil {
		say("%s at %s sees:  %-8s %s", watcher, pbx, employee, state)
	}
	return at, err
}

func (c *cluster) sidecarKilled(ctx context.Context) error {
	west := c.at["west"]
	t, err := west.talk(ctx, stranger, "gleb")
	if err != nil {
		return err
	}
	if _, err := c.knows(ctx, "north", "irina", "gleb", true, "talking"); err != nil {
		return err
	}
	west.earshot.Kill()
	killed := time.Now()
	say("the Earshot at west is killed")
	for _, pbx := range []string{"north", "south"} {
		at, err := c.knows(ctx, pbx, "irina", "gleb", false, "")
		if err != nil {
			return err
		}
		c.measured.gone = max(c.measured.gone, at.Sub(killed))
	}
	say("%s after the kill", ms(c.measured.gone))
	if c.measured.gone > offTheBoard {
		return fmt.Errorf("a dead Earshot's calls should leave the boards within %s, and it took %s", offTheBoard, c.measured.gone)
	}
	if _, err := c.knows(ctx, "north", "irina", "anna", true, "idle"); err != nil {
		return err
	}
	if _, err := t.inside.WaitHears(ctx, stranger.tone); err != nil {
		return fmt.Errorf("the call itself should go on: %w", err)
	}
	say("the call itself goes on")
	began := time.Now()
	if west.earshot, err = west.site.Run(ctx, west.binary, west.log); err != nil {
		return err
	}
	for _, pbx := range site.PBXs {
		at, err := c.knows(ctx, pbx, "irina", "gleb", true, "talking")
		if err != nil {
			return err
		}
		c.measured.back = max(c.measured.back, at.Sub(began))
	}
	return nil
}

func (c *cluster) redisKilled(ctx context.Context) error {
	north := c.at["north"]
	t, err := north.talk(ctx, vera, "boris")
	if err != nil {
		return err
	}
	if _, err := c.at["west"].talk(ctx, stranger, "gleb"); err != nil {
		return err
	}
	if _, err := c.knows(ctx, "north", "irina", "gleb", true, "talking"); err != nil {
		return err
	}
	w, s, sup, err := c.listens(ctx, "north", "irina", "boris", "spy", t.inside.Tone(), vera.tone)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := c.Redis.Kill(); err != nil {
		return err
	}
	killed := time.Now()
	say("Redis is killed")
	at, err := c.knows(ctx, "north", "irina", "gleb", false, "")
	if err != nil {
		return err
	}
	say("%s after the kill", ms(at.Sub(killed)))
	began := time.Now()
	if s, err = north.clients["irina"].Change(ctx, s.ID, "whisper"); err != nil {
		return err
	}
	say("irina, at north: %s, asked and done in %s", s.Mode, ms(time.Since(began)))
	if err := north.hears(ctx, "boris", t.inside, vera.tone, sup.Tone()); err != nil {
		return err
	}
	say("irina asks, at south, to listen to boris on north")
	began = time.Now()
	_, err = c.at["south"].clients["irina"].Supervise(ctx, "boris", "spy")
	if err := refused(err, "other_pbx_unreachable"); err != nil {
		return err
	}
	say("answered in %s", ms(time.Since(began)))
	if err := c.Redis.Run(); err != nil {
		return err
	}
	say("Redis is started again, empty")
	for _, pbx := range site.PBXs {
		if _, err := c.knows(ctx, pbx, "irina", "gleb", true, "talking"); err != nil {
			return err
		}
		if _, err := c.knows(ctx, pbx, "irina", "boris", true, "talking"); err != nil {
			return err
		}
	}
	if err := north.hears(ctx, "boris", t.inside, vera.tone, sup.Tone()); err != nil {
		return err
	}
	if err := north.clients["irina"].End(ctx, s.ID); err != nil {
		return err
	}
	return north.over(ctx, w, s.ID, sup, "ended_by_supervisor")
}

// second starts another Earshot for north.
func (c *cluster) second(ctx context.Context) error {
	north := c.Sites["north"]
	text, err := os.ReadFile(north.Path("earshot.yaml"))
	if err != nil {
		return err
	}
	config := strings.NewReplacer(north.HTTP, site.AnyPort, north.Admin, site.AnyPort, "audit.jsonl", "second.jsonl").Replace(string(text))
	if err := north.Write("second.yaml", config); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, c.at["north"].binary, "run", "--config", north.Path("second.yaml")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || ctx.Err() != nil {
		return fmt.Errorf("the second Earshot should have ended by itself: %w; it said:\n%s", errors.Join(err, ctx.Err()), out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	say("exit code %d: %s", exit.ExitCode(), last)
	if !strings.Contains(last, "north") {
		return fmt.Errorf("it should say that another Earshot is beside north")
	}
	_, err = c.knows(ctx, "south", "irina", "anna", true, "idle")
	return err
}
