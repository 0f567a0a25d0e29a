package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// cluster is the demo of a company with several PBXs: a demo around each, whose clients are panels at the Earshot there.
type cluster struct {
	*site.Branches
	at       map[string]*demo // by PBX
	measured figures
}

// runCluster is run with three PBXs, an Earshot beside each, and a Redis.
func runCluster(ctx context.Context, tour bool, binary string, verbose bool) error {
	if err := built(binary); err != nil {
		return err
	}
	fmt.Println("Starting a Redis and three Asterisks with three phones and a trunk each (the first time they are fetched from Debian, about 80 MB) …")
	c := &cluster{at: map[string]*demo{}}
	var err error
	o := site.Options{Progress: progress, Lease: "6s"}
	if !tour { // which measures what the Redis is asked for the panels alone
		o.Stream = 10000
	}
	if c.Branches, err = site.StartBranches(ctx, o); err != nil {
		return err
	}
	defer func() { _ = c.Stop() }()
	var log io.Writer
	if verbose {
		log = os.Stderr
	}
	if err := c.open(ctx, binary, log); err != nil {
		return err
	}
	defer c.close()
	for _, name := range site.PBXs {
		fmt.Printf("  %-5s Asterisk %s; panel API http://%s/v1, metrics http://%s/metrics\n", name, c.Sites[name].PBX.Version(), c.Sites[name].HTTP, c.Sites[name].Admin)
	}
	if !tour {
		return ending(c.live(ctx))
	}
	tourCtx, cancel := context.WithTimeout(ctx, 6*time.Minute)
	defer cancel()
	err = c.tour(tourCtx)
	for _, name := range site.PBXs {
		if d := c.at[name]; err != nil && d.earshot != nil {
			err = fmt.Errorf("%w\n\nWhat the Earshot at %s complained of:\n%s", err, name, complaints(d.earshot.Log()))
		}
	}
	return err
}

// complaints are the lines of a log that tell of something gone wrong.
func complaints(log string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool { return strings.Contains(line, `"level":"info"`) }), "\n")
}

// open makes the tokens and starts an Earshot beside each PBX.
func (c *cluster) open(ctx context.Context, binary string, log io.Writer) error {
	tokens, voices := map[string]string{}, map[phone.Tone]string{}
	for _, e := range site.Employees {
		var err error
		if tokens[e.ID], err = c.Sites[site.PBXs[0]].Token(ctx, binary, e.ID); err != nil {
			return err
		}
		voices[c.Phone(e.ID).Tone()] = e.ID
	}
	if err := c.ShareTokens(); err != nil {
		return err
	}
	for _, name := range site.PBXs { // the first gives the policy to the others
		d := &demo{pbx: name, site: c.Sites[name], binary: binary, log: log, clients: map[string]*site.Client{}, tones: voices}
		for employee, token := range tokens {
			d.clients[employee] = &site.Client{Base: "http://" + d.site.HTTP, Token: token}
		}
		var err error
		if d.earshot, err = d.site.Run(ctx, binary, log); err != nil {
			c.close()
			return fmt.Errorf("PBX %s: %w", name, err)
		}
		c.at[name] = d
	}
	return nil
}

func (c *cluster) close() {
	for _, d := range c.at {
		d.earshot.Stop()
	}
}

// live tells what there is to try, and keeps customers calling on every PBX until ctx ends.
func (c *cluster) live(ctx context.Context) error {
	north := c.at[site.PBXs[0]]
	var env strings.Builder
	for _, name := range site.PBXs {
		fmt.Fprintf(&env, "%s=http://%s\n%[1]s_ADMIN=http://%[3]s\n", strings.ToUpper(name), c.Sites[name].HTTP, c.Sites[name].Admin)
	}
	fmt.Fprintf(&env, "REDIS=redis://%s\n", c.Redis.Addr)
	fmt.Println("\nTokens, each the right of one employee, on every PBX's panel alike:")
	for _, e := range site.Employees {
		fmt.Printf("  %-7s phone %s on %-5s %s\n", e.ID, e.Phone, c.Of(e.ID), north.clients[e.ID].Token)
		fmt.Fprintf(&env, "%s=%s\n", strings.ToUpper(e.ID), north.clients[e.ID].Token)
	}
	if err := north.site.Write("demo.env", env.String()); err != nil {
		return err
	}
	fmt.Println("\nThe panel page of each, with any of the tokens; its admin address; its configuration:")
	for _, name := range site.PBXs {
		s := c.Sites[name]
		fmt.Printf("  %-5s http://%s/  http://%s  %s\n", name, s.HTTP, s.Admin, s.Path("earshot.yaml"))
	}
	fmt.Printf(`
In another terminal, after  . %s
  curl -sH "Authorization: Bearer $IRINA" $WEST/v1/employees                       who talks, on all three, and with whom
  curl -sH "Authorization: Bearer $IRINA" -H 'Content-Type: application/json' \
       -d '{"target":"boris","mode":"spy"}' $SOUTH/v1/supervisions                 listen on north, asked at south, while boris talks: nearly always
                                                                                   (irina's phone answers by itself)
  curl -sH "Authorization: Bearer $IRINA" -H 'Content-Type: application/json' \
       -d '{"target":"nina","mode":"spy"}' $NORTH/v1/supervisions                  refused: her phone is not on nina's PBX
  curl -s $SOUTH_ADMIN/readyz; curl -s $SOUTH_ADMIN/metrics                        is it well, and the figures
  redis-cli -u $REDIS --scan                                                       what the three share in the Redis at %s
  redis-cli -u $REDIS XREVRANGE '{earshot}:log:audit.north' + - COUNT 3            the end of north's record; south and west have theirs
The policy that all three follow is %s: edit it, and see what ends.
Kill an Earshot, and see what the others show. Ctrl-C ends everything.

`, north.site.Path("demo.env"), c.Redis.Addr, north.site.Path("policy.yaml"))
	var wg sync.WaitGroup
	for _, d := range c.at {
		d.answer(ctx, &wg)
		wg.Go(func() { d.tellEnd(ctx) })
	}
	for pbx, day := range days {
		d := c.at[pbx]
		wg.Go(func() { d.keepCalling(ctx, &day.customer, brisk, day.number) })
		if day.pair[0] != "" {
			wg.Go(func() { d.colleagues(ctx, brisk, day.pair) })
		}
	}
	wg.Wait()
	return ctx.Err()
}

// days are who calls on each PBX: a customer one employee, and a colleague another on a second PBX. Each employee stands in them once, and so has
// one call at most: of several Earshot would not know which to listen to. Irina and Pavel, who listen, are left out.
var days = map[string]struct {
	customer caller
	number   string
	pair     [2]string // none where its first is empty
}{
	"north": {vera, "102", [2]string{"anna", "303"}},
	"south": {stranger, "201", [2]string{"olga", "301"}},
	"west":  {customers[4], "302", [2]string{}},
}

// brisk has somebody who calls talk nearly always.
var brisk = rhythm{pause: [2]int{1, 4}, talk: [2]int{45, 90}}

// tellEnd tells when the Earshot has ended, and how it is had back. The PBX and its calls go on.
func (d *demo) tellEnd(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-d.earshot.Done():
		fmt.Printf("%s  the Earshot at %s has ended; to have it back:  %s run --config %s\n", clock(), d.pbx, d.binary, d.site.Path("earshot.yaml"))
	}
}

// quiet ends every call and waits until all is known and idle on every board.
func (c *cluster) quiet(ctx context.Context) error {
	for _, d := range c.at {
		if err := d.hangUp(ctx); err != nil {
			return err
		}
	}
	return c.everywhere(ctx, "irina", "everybody is idle", func(s *site.Stream) bool {
		for _, r := range s.Rows {
			if r.State != "idle" || r.Unknown {
				return false
			}
		}
		return s.Known
	})
}

// everywhere waits until an employee's panel at each PBX shows something.
func (c *cluster) everywhere(ctx context.Context, employee, what string, shows func(*site.Stream) bool) error {
	p, err := c.panels(ctx, employee)
	if err != nil {
		return err
	}
	defer p.close()
	_, err = p.when(ctx, what, shows)()
	return err
}
