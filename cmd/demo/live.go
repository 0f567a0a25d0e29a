package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// customers are who keeps calling. The first two are clients of the directory, the last is a protected number.
var customers = []caller{
	vera, {number: "+79162223344", name: "OLEG CUST", tone: 24}, stranger, {number: "+74993330011", name: "SHOP", tone: 25}, {number: "+4915550001", name: "BERLIN", tone: 26}, secret,
}

// reached is what they dial: two lines, and some employees' own numbers.
var reached = []string{"100", "200", "101", "102", "201", "202", "302"}

// supervisors are the phones that Earshot rings for who may listen; they answer by themselves, and the demo tells what they hear.
var supervisors = []string{"irina", "pavel"}

func listen(addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
}

// rhythm is how calls follow each other: from how many to how many seconds are between two, and are talked in each.
type rhythm struct{ pause, talk [2]int }

// invite tells what there is to try.
func (d *demo) invite() error {
	var env strings.Builder
	fmt.Fprintf(&env, "EARSHOT=http://%s\nADMIN=http://%s\n", d.site.HTTP, d.site.Admin)
	fmt.Println("\nTokens, each the right of one employee:")
	for _, e := range site.Employees {
		fmt.Printf("  %-7s phone %s  %s\n", e.ID, e.Phone, d.clients[e.ID].Token)
		fmt.Fprintf(&env, "%s=%s\n", strings.ToUpper(e.ID), d.clients[e.ID].Token)
	}
	fmt.Printf("  %-7s           %s  (a panel's own, for the AMI and ARI doors)\n", wall, d.wall)
	host, port, err := net.SplitHostPort(d.site.AMI)
	if err != nil {
		return err
	}
	fmt.Fprintf(&env, "AMI='%s %s'\nARI=http://%s/ari\nWALL=%s\n", host, port, d.site.ARI, d.wall)
	if err := d.site.Write("demo.env", env.String()); err != nil {
		return err
	}
	fmt.Printf(`
In another terminal, after  . %s
  curl -sH "Authorization: Bearer $IRINA" $EARSHOT/v1/employees                    who talks, and with whom
  curl -sH "Authorization: Bearer $OLGA"  $EARSHOT/v1/employees                    the same without the right to see it
  curl -sH "Authorization: Bearer $IRINA" -H 'Content-Type: application/json' \
       -d '{"target":"anna","mode":"spy"}' $EARSHOT/v1/supervisions                listen (irina's phone answers by itself)
  curl -sH "Authorization: Bearer $IRINA" $EARSHOT/v1/supervisions                 what runs; DELETE …/{id} ends it
  curl -sH "Authorization: Bearer $ANNA"  -H 'Content-Type: application/json' \
       -d '{"target":"boris"}' $EARSHOT/v1/intercepts                              take a ringing call of one's client
  curl -sH "Authorization: Bearer $IRINA" $EARSHOT/v1/journal?limit=5              what has been, with whom; $OLGA reads it without
  curl -sH "Authorization: Bearer $IRINA" -H 'Accept: text/csv' $EARSHOT/v1/journal   the same as CSV
  (printf 'Action: Login\r\nUsername: wall\r\nSecret: %%s\r\n\r\nAction: CoreShowChannels\r\n\r\n' $WALL; cat) | nc $AMI
                                                                                   as a panel of Asterisk's: the calls, and what happens; an
                                                                                   employee logs in alike, as irina with $IRINA, with her sight
  curl -su irina:$IRINA -X POST "$ARI/channels?endpoint=PJSIP/103&extension=*50101"  as an application of Asterisk's: listen to anna by the code
  curl -s $ADMIN/metrics                                                           the figures
The files are in %s: edit policy.yaml there and see what ends; audit.jsonl is the record.
Ctrl-C ends everything.

`, d.site.Path("demo.env"), d.site.Dir)
	return nil
}

// live keeps customers calling until ctx ends.
func (d *demo) live(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	d.answer(ctx, &wg)
	for i := range customers {
		wg.Go(func() {
			d.keepCalling(ctx, &customers[i], rhythm{pause: [2]int{1, 12}, talk: [2]int{15, 45}}, reached...)
		})
	}
	pairs := [][2]string{{"nina", "303"}, {"maria", "101"}, {"gleb", "302"}, {"sergei", "202"}, {"boris", "203"}}
	wg.Go(func() { d.colleagues(ctx, rhythm{pause: [2]int{5, 20}, talk: [2]int{15, 45}}, pairs...) })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.earshot.Done():
		return fmt.Errorf("earshot has ended; its log:\n%s", d.earshot.Log())
	}
}

// answer has the phones answer by themselves, and tells what the supervisors' hear until ctx ends.
func (d *demo) answer(ctx context.Context, wg *sync.WaitGroup) {
	for _, p := range d.site.Phones {
		p.SetReaction(phone.Reaction{Answer: true, After: 4 * time.Second})
	}
	for _, id := range supervisors {
		if d.site.Phones[id] == nil { // it is on another PBX
			continue
		}
		d.site.Phones[id].SetReaction(phone.Reaction{Answer: true, After: 300 * time.Millisecond})
		wg.Go(func() { d.report(ctx, id) })
	}
}

// keepCalling is the day of one customer, who has one call at a time.
func (d *demo) keepCalling(ctx context.Context, who *caller, r rhythm, numbers ...string) {
	for pause(ctx, r.pause[0], r.pause[1]) {
		c, err := d.site.Trunk.Dial(ctx, "74950000"+numbers[rand.IntN(len(numbers))], phone.As(who.number, who.name), phone.WithTone(who.tone)) //nolint:gosec // nothing depends on it
		if err != nil {
			continue
		}
		hold(ctx, c, r.talk[0], r.talk[1])
	}
}

// colleagues call each other now and then, one pair after the other: an employee, and the number that he dials.
func (d *demo) colleagues(ctx context.Context, r rhythm, pairs ...[2]string) {
	for i := 0; pause(ctx, r.pause[0], r.pause[1]); i++ {
		c, err := d.site.Phones[pairs[i%len(pairs)][0]].Dial(ctx, pairs[i%len(pairs)][1])
		if err != nil {
			continue
		}
		hold(ctx, c, r.talk[0], r.talk[1])
	}
}

// hold lets a call last a while, from one number of seconds to another, and ends it.
func hold(ctx context.Context, c *phone.Call, from, to int) {
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if c.WaitAnswered(wait) == nil {
		talk, stop := context.WithTimeout(ctx, time.Duration(from+rand.IntN(to-from))*time.Second) //nolint:gosec // nothing depends on it
		defer stop()
		_ = c.WaitEnded(talk) // whichever comes first
	}
	_ = c.Hangup(context.WithoutCancel(ctx)) // an outside party that hangs up twice does no harm
}

// report tells what a supervisor's phone hears.
func (d *demo) report(ctx context.Context, id string) {
	for {
		c, err := d.site.Phones[id].Incoming(ctx)
		if err != nil {
			return
		}
		fmt.Printf("%s  %s's phone rings: %s\n", clock(), id, c.Remote().Name)
		tick := time.NewTicker(500 * time.Millisecond)
		last := ""
		for on := true; on; {
			select {
			case <-ctx.Done():
				on = false
			case <-c.Done():
				fmt.Printf("%s  %s's phone is hung up\n", clock(), id)
				on = false
			case <-tick.C:
				if now := d.names(c.Hearing()); now != last && c.State() == phone.Up {
					fmt.Printf("%s  %s hears %s\n", clock(), id, now)
					last = now
				}
			}
		}
		tick.Stop()
	}
}

func clock() string { return time.Now().Format("15:04:05") }

// pause waits some seconds, and reports whether ctx goes on.
func pause(ctx context.Context, from, to int) bool {
	t := time.NewTimer(time.Duration(from*1000+rand.IntN((to-from)*1000)) * time.Millisecond) //nolint:gosec // nothing depends on it
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
