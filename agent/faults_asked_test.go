//go:build faults

package agent_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// askings are the stages before anything has reached the PBX.
var askings = []progress{
	{"asked, and not decided", "boris", func(s *staged) {
		s.must(half(s.ctx, s.Cleanup, s.HTTP, s.tokens[s.who]))
	}},
	{"decided, and nothing sent", "irina", func(s *staged) {
		s.d.answer = false // the PBX has neither of the two
		bridge, leg := s.hold("POST", "/bridges", "-bridge", 0), s.hold("POST", "/channels", "PJSIP/103", 0)
		s.ask()
		s.held(bridge)
		s.held(leg)
	}},
}

// half sends the head of a request for a supervision, and returns when the door has looked at it and waits for the rest, which never comes.
func half(ctx context.Context, cleanup func(func()), addr, token string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "POST /v1/supervisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+
		"\r\nContent-Type: application/json\r\nContent-Length: 32\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.Contains(line, " 100 ") {
		err = fmt.Errorf("the door answers %q", line)
	}
	if err == nil {
		_, err = io.WriteString(conn, `{"target":"anna",`)
	}
	return err
}

// The same while a supervision is asked for: before it is decided nothing is on record and nothing happens, and what was decided, and had not reached the PBX when
// Earshot ended, has failed.
func TestFaultAnEarshotThatEndsAsItIsAsked(t *testing.T) { demised(t, askings, "") }

// Nobody can hold an Earshot between a request and its record, so it is killed at so many moments after the request that some are there.
func TestFaultAnEarshotThatEndsAroundADecision(t *testing.T) {
	o := apart(t)
	o.must(o.Write("policy.yaml", openHouse))
	o.fault("at each moment", func(o *office) {
		p := o.start()
		began := time.Now()
		peer, target := o.talk(stranger, "anna")
		visits := o.visited("olga")
		unrecorded, decided, rang := 0, 0, 0
		const moments, step = 8, 150 * time.Microsecond
		for i := range moments {
			w := o.watch("olga")
			_, err := w.UntilState(o.ctx, "anna", "talking")
			o.must(err)
			before := o.decided()
			asked := make(chan error, 1)
			go func() {
				_, err := o.as("olga").Supervise(o.ctx, "anna", "spy")
				asked <- err
			}()
			var failed error
			if i < moments-1 {
				time.Sleep(time.Duration(i) * step) // the fault itself
				p.Kill()
				failed = <-asked
			} else { // and once surely behind the record
				failed = <-asked
				o.must(failed)
				p.Kill()
			}
			told := failed == nil
			on := o.decided() - before
			last := ""
			if on > 0 {
				last = o.lastOf(o.entries()[before].ID)
			}
			switch left, err := o.admin.ListChannels(o.ctx); {
			case err != nil:
				o.Fatal(err)
			case on > 1 || told && on == 0:
				o.Errorf("%d decisions are on record, and who asked was told so: %v", on, told)
			case on == 0:
				unrecorded++
				for _, c := range left {
					if strings.HasPrefix(c.ID, "earshot-") {
						o.Errorf("%s is on the PBX, and not on record", c.Name)
					}
				}
			case last != string(audit.Decided)+" allowed":
				rang++
			default:
				decided++
			}
			w.Close()
			p = o.start()
			o.until("each decision has an outcome", o.decidedHaveOutcomes)
			o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		}
		o.Logf("killed %d times within %v of a request and once behind its answer: %d times before the record, %d times behind it, %d times when it ran", moments-1, (moments-1)*step, unrecorded, decided, rang)
		for _, c := range visits() { // by the requests that had been sent
			o.must(c.WaitEnded(o.ctx))
			o.unheard("the customer", peer, began, c.Tone())
		}
		o.unheard("the customer", peer, began, o.tone("olga"))
		o.unheard("the employee", target, began, o.tone("olga"))
		o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
		o.verified()
		p.Stop()
	})
}

// What a kill leaves that cuts in between the making of a snoop and its lease, of which the PBX is told one after the other because it takes no other way: a snoop in no
// bridge, which nobody hears, and which stays until its call ends or the next Earshot comes. All else ends by its lease.
func TestFaultASnoopThatWasNotGivenItsLease(t *testing.T) {
	o := apart(t)
	c := o.clerk()
	o.must(o.Write("policy.yaml", openHouse))
	o.fault("killed between the two", func(o *office) {
		p := o.start()
		began := time.Now()
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s := &staged{office: o, clerk: c, who: "irina", w: w}
		s.comes(func() *hold { return s.hold("POST", s.id+"-snoop/variable", "", 0) })
		p.Kill()
		gone := time.Now()
		c.loses()
		o.must(s.call.WaitEnded(o.ctx))
		o.within("the supervisor's phone was hung up after", gone, lease+slack)
		time.Sleep(time.Until(gone.Add(2*lease + time.Second))) // longer than any lease
		o.must(o.attended())
		if left := o.leftover(); left != "1 snoops without a bridge, 1 bridges" {
			o.Errorf("left are %s", left)
		}
		p = o.start()
		ready := time.Now()
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		o.within("the next Earshot has ended it after", ready, lease+slack)
		o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
		o.unheard("the supervisor", s.call, began, target.Tone(), peer.Tone())
		o.unheard("the customer", peer, began, o.tone("irina"))
		if got := o.recorded(s.id); len(got) != 2 || got[1] != "failed outcome_unknown" {
			o.Errorf("on record is %q", got)
		}

		// Without another Earshot it goes with its call.
		s = &staged{office: o, clerk: c, who: "irina", w: o.watch("irina")}
		s.comes(func() *hold { return s.hold("POST", s.id+"-snoop/variable", "", 0) })
		p.Kill()
		c.loses()
		o.must(s.call.WaitEnded(o.ctx))
		o.must(target.Hangup(o.ctx))
		o.must(peer.WaitEnded(o.ctx))
		ended := time.Now()
		o.until("the snoop has gone with its call", func() error { return o.attended() })
		o.until("no snoop is left", func() error {
			if left := o.leftover(); left != "0 snoops without a bridge, 1 bridges" {
				return fmt.Errorf("left are %s", left)
			}
			return nil
		})
		o.Logf("the snoop had gone %d ms after its call", time.Since(ended).Milliseconds())
		p = o.start() // and takes the bridge away
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		o.verified()
		p.Stop()
	})
}
