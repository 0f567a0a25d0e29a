//go:build faults

package agent_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// crowd are connections of strangers to one address, from many of loopback's, who say nothing.
type crowd struct {
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup
	open   atomic.Int64 // connections
	ended  atomic.Int64 // that the other side has ended
	failed atomic.Int64 // that could not be made
}

// gather connects n times; who comes again after an end keeps a place taken.
func gather(addr string, n int, again bool) *crowd {
	c := &crowd{}
	c.ctx, c.stop = context.WithCancel(context.Background())
	for i := range n {
		c.wg.Go(func() {
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i%50), 1)}, Timeout: 30 * time.Second}
			for first := true; (first || again) && c.ctx.Err() == nil; first = false {
				conn, err := from.DialContext(c.ctx, "tcp", addr)
				if err != nil {
					c.failed.Add(1)
					continue
				}
				c.open.Add(1)
				stop := context.AfterFunc(c.ctx, func() { _ = conn.Close() })
				_, _ = io.Copy(io.Discard, conn)
				if stop() {
					c.ended.Add(1)
				}
				_ = conn.Close()
				c.open.Add(-1)
			}
		})
	}
	return c
}

func (c *crowd) disperse() {
	c.stop()
	c.wg.Wait()
}

const strangers = 10_000

// Ten thousand strangers connect to each door in turn and say nothing. The door keeps few of them, lets all go in time, and costs little memory; who is known notices
// nothing, and who logs in meanwhile does.
func TestFaultCrowdAtEachDoor(t *testing.T) {
	descriptors(t, strangers+1000)
	o := enter(t)
	d := o.configure()
	o.runs(limited(t, 4096))
	for _, door := range []struct {
		name, addr string
		most       float64 // strangers that are kept
		login      func(o *office) error
	}{
		{"http", o.HTTP, 512, func(o *office) error { return fresh(o, "http://"+o.HTTP+"/v1/me", "Bearer "+o.tokens["irina"]) }},
		{"ami", d.ami, 50, func(o *office) error { return o.logsIn(d.ami) }},
		{"ari", d.ari, 256, func(o *office) error {
			return fresh(o, "http://"+d.ari+"/ari/asterisk/ping?api_key=irina:"+o.tokens["irina"], "")
		}},
		{"admin", o.Admin, 128, func(o *office) error { return fresh(o, "http://"+o.Admin+"/healthz", "") }},
	} {
		o.scene(door.name, func(o *office) {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			o.ctx = ctx
			w := o.watch("irina")
			calm := o.delay(w, 5)
			files, memory := o.taken("open_fds"), o.taken("resident_memory_bytes")
			c := gather(door.addr, strangers, false)
			defer c.disperse()
			most, heavy := 0.0, 0.0
			look := func() {
				most, heavy = max(most, o.taken("open_fds")-files), max(heavy, o.taken("resident_memory_bytes")-memory)
			}
			o.until("they have come", func() error {
				if look(); c.open.Load()+c.ended.Load()+c.failed.Load() < strangers {
					return fmt.Errorf("%d are there", c.open.Load())
				}
				return nil
			})
			busy := o.delay(w, 5)
			look()
			o.must(door.login(o))
			o.until("all are let go", func() error {
				if look(); c.open.Load() > 0 {
					return fmt.Errorf("%d are there", c.open.Load())
				}
				return nil
			})
			if n := c.failed.Load(); n > 0 {
				o.Errorf("%d could not connect", n)
			}
			o.Logf("%s: %g file descriptors and %.1f MB more at most; from a call to its panel %v, and %v before", door.name, most, heavy/1e6, busy, calm)
			if most > door.most+100 {
				o.Errorf("%g strangers were kept, and %g belong there", most, door.most)
			}
			if heavy > 128<<20 {
				o.Errorf("it took %.1f MB", heavy/1e6)
			}
			o.must(door.login(o))
		})
	}
	if t.Failed() {
		t.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}

// fresh asks on a connection of its own.
func fresh(o *office, url, authorization string) error {
	req, err := http.NewRequestWithContext(o.ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered by %d", resp.StatusCode)
	}
	return nil
}

// logsIn logs irina in at the AMI door, and out.
func (o *office) logsIn(addr string) error {
	conn, err := (&net.Dialer{}).DialContext(o.ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(conn, "Action: Login\r\nUsername: irina\r\nSecret: %s\r\n\r\nAction: Logoff\r\n\r\n", o.tokens["irina"]); err != nil {
		return err
	}
	if text, err := io.ReadAll(conn); err != nil || !strings.Contains(string(text), "Authentication accepted") {
		return fmt.Errorf("answered by %q, %w", text, err)
	}
	return nil
}

// delay is the median of the times from a phone that is asked to hang up until the panel shows the end.
func (o *office) delay(w *site.Stream, n int) time.Duration {
	o.Helper()
	var all []time.Duration
	for range n {
		out, in := o.chat("sergei", "gleb")
		_, err := w.UntilState(o.ctx, "gleb", "talking")
		o.must(err)
		began := time.Now()
		o.must(out.Hangup(o.ctx))
		_, err = w.UntilState(o.ctx, "gleb", "idle")
		o.must(err)
		all = append(all, time.Since(began))
		o.must(in.WaitEnded(o.ctx))
	}
	median, _ := spread(all)
	return median.Round(time.Millisecond)
}

// Earshot has no file descriptor left, for strangers who come again and again have them. It does not spin and does not drown its log; what runs goes on and is watched, and
// ends on record with the call; what it could not read it reads when they are gone.
func TestFaultCrowdTakesAllFileDescriptors(t *testing.T) {
	descriptors(t, 4096)
	o := enter(t)
	o.configure()
	binary := limited(t, 128)
	p := o.runs(binary)
	o.scene("none is left", func(o *office) {
		ctx, cancel := context.WithTimeout(context.Background(), faultPatience)
		defer cancel()
		o.ctx = ctx
		outside, anna := o.talk(stranger, "anna")
		client, boris := o.talk(vera, "boris")
		wi, wo := o.watch("irina"), o.watch("olga")
		first, irina := o.supervises(wi, "irina", "anna", "spy")
		second, olga := o.supervises(wo, "olga", "boris", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{irina: {outside.Tone(), anna.Tone()}, olga: {client.Tone(), boris.Tone()}})

		c := gather(o.HTTP, 600, true)
		defer c.disperse()
		refused := o.above(`earshot_accept_errors_total{door="http"}`, 3)
		// A policy that cannot be read now is, later.
		o.must(o.Edit("policy.yaml", "department: support\n    listen: {to: any, allow: [spy, whisper]}", "department: support"))
		o.above(`earshot_policy_reloads_total{result="broken"}`, 0)
		began, used := time.Now(), cpu(t, binary)
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{irina: {outside.Tone(), anna.Tone()}})
		share := (cpu(t, binary) - used).Seconds() / time.Since(began).Seconds()
		o.Logf("%g connections could not be taken; it uses %.0f %% of a core", refused, share*100)
		if share > .6 {
			o.Errorf("it uses %.0f %% of a core", share*100)
		}
		o.must(outside.Hangup(o.ctx))
		o.over(wi, first.ID, irina, "call_ended")
		o.until("its end is on record", func() error {
			if got := o.lastOf(first.ID); got != "ended call_ended" {
				return fmt.Errorf("%q is", got)
			}
			return nil
		})
		c.disperse()
		gone := time.Now()
		o.over(wo, second.ID, olga, "no_right")
		o.Logf("the policy that was changed meanwhile is in force %v after they went", time.Since(gone).Round(time.Millisecond))
		o.must(fresh(o, "http://"+o.HTTP+"/v1/me", "Bearer "+o.tokens["irina"]))
		again, maria := o.supervises(o.watch("maria"), "maria", "boris", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{maria: {client.Tone(), boris.Tone()}})
		o.must(o.as("maria").End(o.ctx, again.ID))
		if n := o.logged("connections cannot be taken"); n < 1 || n > 4 {
			o.Errorf("that is in the log %d times", n)
		}
		if n := strings.Count(o.log.unusual(), "\n"); n > 50 {
			o.Errorf("its log has %d lines of it:\n%s", n, o.log.unusual())
		}
	})
	select {
	case <-p.Done():
		t.Error("it has ended")
	default:
	}
	o.verified()
	if t.Failed() {
		t.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}
