package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// killed ends Earshot without warning while a supervision runs.
func (d *demo) killed(ctx context.Context) error {
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := d.talk(ctx, vera, "anna")
	if err != nil {
		return err
	}
	_, sup, err := d.supervise(ctx, w, "irina", "anna", "spy")
	if err != nil {
		return err
	}
	anna := d.site.Phones["anna"].Tone()
	if err := d.hears(ctx, "irina", sup, anna, vera.tone); err != nil {
		return err
	}
	d.earshot.Kill()
	at := time.Now()
	say("Earshot is killed; the lease in this demo is 6 s")
	wait, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	if err := sup.WaitEnded(wait); err != nil {
		return fmt.Errorf("the supervision outlived its lease: %w", err)
	}
	say("the supervisor's phone was hung up by the PBX after %.1f s", time.Since(at).Seconds())
	if _, err := t.inside.WaitHears(ctx, vera.tone); err != nil {
		return fmt.Errorf("the call itself should go on: %w", err)
	}
	say("the call itself goes on")
	if d.earshot, err = d.site.Run(ctx, d.binary, d.log); err != nil {
		return err
	}
	say("Earshot is started again and ready")
	if _, err = d.row(ctx, "irina", "anna", "talking", "spy", "whisper", "barge"); err != nil {
		return err
	}
	return d.takenUp(ctx, t)
}

// takenUp kills Earshot again and starts it at once: what has its ground still is heard longer than the lease would have allowed.
func (d *demo) takenUp(ctx context.Context, t *talk) error {
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	s, sup, err := d.supervise(ctx, w, "irina", "anna", "whisper")
	if err != nil {
		return err
	}
	anna, irina := t.inside.Tone(), sup.Tone()
	if err := d.hears(ctx, "irina", sup, anna, vera.tone); err != nil {
		return err
	}
	d.earshot.Kill()
	at := time.Now()
	if d.earshot, err = d.site.Run(ctx, d.binary, d.log); err != nil {
		return err
	}
	say("Earshot is killed again, and started and ready after %.1f s", time.Since(at).Seconds())
	if err := sup.HearsOnly(ctx, 7*time.Second-time.Since(at), anna, vera.tone); err != nil {
		return fmt.Errorf("the supervision should go on: %w", err)
	}
	if err := d.hears(ctx, "anna", t.inside, vera.tone, irina); err != nil {
		return err
	}
	say("7 s after the kill it goes on, as the same supervision")
	return d.clients["irina"].End(ctx, s.ID)
}

// recorded has the audit log verified, and an altered copy of it.
func (d *demo) recorded(ctx context.Context) error {
	log, err := os.ReadFile(d.site.Path("audit.jsonl"))
	if err != nil {
		return err
	}
	for _, secret := range []string{vera.number[1:], stranger.number[1:], vera.name, stranger.name, "Vera Client"} {
		if bytes.Contains(log, []byte(secret)) {
			return errors.New("a number or a name of an outside party is in the audit log")
		}
	}
	out, err := exec.CommandContext(ctx, d.binary, "audit", "verify", d.site.Path("audit.jsonl")).CombinedOutput()
	say("earshot audit verify: %s", strings.TrimSpace(string(out)))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "earshot-altered-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	altered := filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(altered, bytes.Replace(log, []byte(`"outcome":"deny"`), []byte(`"outcome":"allow"`), 1), 0o600); err != nil {
		return err
	}
	head, err := os.ReadFile(d.site.Path("audit.jsonl.head"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(altered+".head", head, 0o600); err != nil {
		return err
	}
	out, err = exec.CommandContext(ctx, d.binary, "audit", "verify", altered).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return fmt.Errorf("an altered log should have been found: %w: %s", err, out)
	}
	say("with one word altered:  %s", strings.TrimSpace(string(out)))
	return nil
}

// gauge waits until the metrics have a line.
func (d *demo) gauge(ctx context.Context, line string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.site.Admin+"/metrics", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		if strings.Contains("\n"+string(body), "\n"+line+"\n") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", line, ctx.Err())
		case <-tick.C:
		}
	}
}
