package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

func init() {
	for kind, f := range map[string]func(context.Context, *turn) error{
		"earshot-stop": earshotEnds((*soak).stopEarshot), "earshot-kill": earshotEnds((*soak).killEarshot), "earshot-pause": earshotPause,
		"pbx-restart": pbxRestart, "pbx-kill": pbxKill, "pbx-pause": pbxPause, "pbx-reload": pbxReload,
		"redis-kill": redisKill, "redis-pause": redisPause, "redis-empty": redisEmpty,
		"policy": editPolicy, "rotate": rotate,
	} {
		deeds[kind] = func(ctx context.Context, t *turn) error {
			t.count(kind)
			return f(ctx, t)
		}
		explains[kind] = []string{"nothing"} // what ends a part has to bring it back
	}
	explains["rotate"] = []string{partEarshot}
	explains["policy"] = []string{partEarshot}
}

// count counts what was done to the parts.
func (t *turn) count(kind string) {
	t.past.mu.Lock()
	defer t.past.mu.Unlock()
	t.outages[kind]++
}

func (s *soak) stopEarshot() { s.proc.Stop() }
func (s *soak) killEarshot() { s.proc.Kill() }

// earshotEnds ends Earshot, leaves it away for some time, shorter or longer than the lease, and starts it again.
func earshotEnds(end func(*soak)) func(context.Context, *turn) error {
	return func(ctx context.Context, t *turn) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		policies.Lock() // it does not start with a broken one
		defer policies.Unlock()
		back := t.ledger.away(partEarshot, t.kind)
		end(t.soak)
		if t.r.IntN(3) == 0 { // what ran has no ground any more, or one again, when it comes back
			defer t.ledger.away(partPolicy, "a policy is saved while Earshot is away")()
			if err := t.goodPolicy(); err != nil {
				return err
			}
		}
		if t.r.IntN(3) > 0 {
			t.pause(ctx, 0, lease+2*time.Second)
		}
		err := t.start(ctx)
		back()
		t.lives = append(t.lives, &life{})
		return err
	}
}

// earshotPause has Earshot hang for shorter than its panels notice.
func earshotPause(ctx context.Context, t *turn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ledger.away(partEarshot, t.kind)()
	if err := t.proc.Pause(); err != nil {
		return err
	}
	t.pause(ctx, 200*time.Millisecond, 2*lease)
	err := t.proc.Continue()
	return errors.Join(err, t.ready(ctx))
}

// ready waits until Earshot says that it is.
func (s *soak) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	return s.WaitReady(ctx, s.proc.Done())
}

func pbxRestart(ctx context.Context, t *turn) error {
	return t.pbxAgain(ctx, func() error { return nil })
}

func pbxKill(ctx context.Context, t *turn) error {
	return t.pbxAgain(ctx, func() error {
		err := t.PBX.Kill()
		t.pause(ctx, 0, 2*time.Second)
		return err
	})
}

// pbxAgain ends the PBX and starts it, with all that was said on it gone.
func (t *turn) pbxAgain(ctx context.Context, end func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ledger.away(partPBX, t.kind)()
	if err := end(); err != nil {
		return err
	}
	if err := t.PBX.Restart(ctx); err != nil {
		return err
	}
	var up sync.WaitGroup // nobody else ends what the PBX has forgotten
	defer up.Wait()
	for _, p := range t.everybody() {
		for _, c := range p.Calls() {
			up.Go(func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
				defer cancel()
				_ = c.Hangup(ctx)
			})
		}
	}
	return errors.Join(t.register(ctx), t.ready(ctx))
}

// pbxPause stops the PBX for some seconds, as when its machine hangs.
func pbxPause(ctx context.Context, t *turn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ledger.away(partPBX, t.kind)()
	if err := t.PBX.Pause(); err != nil {
		return err
	}
	t.pause(ctx, 500*time.Millisecond, 6*time.Second)
	err := t.PBX.Continue()
	return errors.Join(err, t.ready(ctx))
}

// pbxReload is nothing that a call would notice.
func pbxReload(ctx context.Context, t *turn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ledger.note("the PBX reads its configuration anew")
	_, err := t.PBX.Command(ctx, "core reload")
	return err
}

func redisKill(ctx context.Context, t *turn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ledger.away(partRedis, t.kind)()
	if err := t.redis.Kill(); err != nil {
		return err
	}
	t.pause(ctx, 200*time.Millisecond, 3*time.Second)
	return t.redis.Run()
}

func redisPause(ctx context.Context, t *turn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ledger.away(partRedis, t.kind)()
	if err := t.redis.Pause(); err != nil {
		return err
	}
	t.pause(ctx, 200*time.Millisecond, 3*time.Second)
	return t.redis.Resume()
}

func redisEmpty(ctx context.Context, t *turn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ledger.away(partRedis, t.kind)()
	return t.redis.Empty(ctx)
}

// policies are written one after the other.
var policies sync.Mutex

// editPolicy saves another policy, or a broken one and the good one again; also the one that is only tried.
func editPolicy(ctx context.Context, t *turn) error {
	policies.Lock()
	defer policies.Unlock()
	if t.r.IntN(4) == 0 {
		return t.Write("next.yaml", rules([]string{"spy", modes, "whisper"}[t.r.IntN(3)], fmt.Sprintf("the shadow by deed %d", t.deed.number)))
	}
	defer t.ledger.away(partPolicy, "a policy is saved")()
	var noticed error
	if t.r.IntN(3) == 0 {
		if err := t.Write("policy.yaml", broken[t.r.IntN(len(broken))]); err != nil {
			return err
		}
		noticed = t.gauge(ctx, "earshot_policy_last_reload_successful", 0)
	}
	if err := errors.Join(t.goodPolicy(), noticed); err != nil {
		return err
	}
	return t.gauge(ctx, "earshot_policy_last_reload_successful", 1)
}

// goodPolicy saves one, which lets olga listen in this way or that.
func (t *turn) goodPolicy() error {
	return t.Write("policy.yaml", rules([]string{modes, "spy, whisper", "spy", modes}[t.r.IntN(4)], fmt.Sprintf("by deed %d", t.deed.number)))
}

// gauge waits until a series has a value.
func (s *soak) gauge(ctx context.Context, series string, want float64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return eventually(ctx, func() error {
		m, err := s.metrics(ctx)
		if err == nil && m[series] != want {
			err = fmt.Errorf("%s is %g and not %g", series, m[series], want)
		}
		return err
	})
}

// rotate has Earshot put its audit log away.
func rotate(ctx context.Context, t *turn) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.Admin+"/-/rotate", strings.NewReader(""))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("it is answered %s", resp.Status)
	}
	return nil
}
