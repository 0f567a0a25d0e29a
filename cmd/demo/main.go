// Command demo runs Earshot beside a real Asterisk with real SIP phones: a company of nine employees, and customers who keep calling. With
// -tour it walks through what Earshot is for by itself, and fails if anything differs from what it should be. With -cluster the company has three
// PBXs, an Earshot beside each, and a Redis.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tour := flag.Bool("tour", false, "walk through the main job and end; exit 1 if anything is not as it should be")
	several := flag.Bool("cluster", false, "three PBXs with an Earshot beside each, and a Redis")
	binary := flag.String("earshot", "bin/earshot", "the earshot program")
	verbose := flag.Bool("log", false, "show Earshot's own log")
	fetch := flag.Bool("fetch", false, "only get an Asterisk, from the cache or from Debian, and say which")
	keep := flag.String("keep", "", "only start an Asterisk for the tests, which stays below this `folder`, and say how they find it")
	end := flag.String("end", "", "only end what is kept below this `folder`")
	flag.Parse()
	start := run
	if *several {
		start = runCluster
	}
	do := func() error { return start(ctx, *tour, *binary, *verbose) }
	if *fetch {
		do = func() error { return get(ctx) }
	}
	switch {
	case *keep != "":
		do = func() error { return leave(ctx, *keep) }
	case *end != "":
		do = func() error { return pbxtest.EndKept(*end) }
	}
	if err := do(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		stop()
		os.Exit(1)
	}
}

// get makes sure that there is an Asterisk, so that what follows need not wait for it in silence.
func get(ctx context.Context) error {
	a, err := pbxtest.Find(ctx, progress)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	fmt.Printf("Asterisk %s\n", a.Version)
	return nil
}

// leave starts an Asterisk that goes on when this program has ended.
func leave(ctx context.Context, home string) error {
	if err := os.Setenv(pbxtest.EnvKeep, home); err != nil {
		return err
	}
	p, err := pbxtest.Start(ctx, pbxtest.Options{Plan: pbxtest.Demo(), Progress: func(s string) { fmt.Fprintln(os.Stderr, s) }})
	if err != nil {
		return err
	}
	fmt.Printf("export %s=%s\n", pbxtest.EnvKeep, home)
	return p.Stop()
}

func progress(s string) { fmt.Println("  " + s) }

func run(ctx context.Context, tour bool, binary string, verbose bool) error {
	if err := built(binary); err != nil {
		return err
	}
	fmt.Println("Starting an Asterisk with nine phones and a trunk (the first time it is fetched from Debian, about 80 MB) …")
	o := site.Options{Progress: progress, Lease: "6s", Journal: true, AMI: site.AnyPort, ARI: site.AnyPort}
	if !tour {
		o.AMI, o.ARI = cmp.Or(preferred("127.0.0.1:5039"), o.AMI), cmp.Or(preferred("127.0.0.1:8089"), o.ARI)
		o.HTTP, o.Admin = preferred("127.0.0.1:8080"), preferred("127.0.0.1:9090")
	}
	d := &demo{binary: binary, tones: map[phone.Tone]string{}}
	var err error
	if d.site, err = site.Start(ctx, o); err != nil {
		return err
	}
	defer func() { _ = d.site.Stop() }()
	fmt.Printf("  Asterisk %s\n", d.site.PBX.Version())
	d.clients = map[string]*site.Client{}
	for _, e := range site.Employees {
		token, err := d.site.Token(ctx, binary, e.ID)
		if err != nil {
			return err
		}
		d.clients[e.ID] = &site.Client{Base: "http://" + d.site.HTTP, Token: token}
		d.tones[d.site.Phones[e.ID].Tone()] = e.ID
	}
	if d.wall, err = d.site.PanelToken(ctx, binary, wall, wall); err != nil {
		return err
	}
	if verbose {
		d.log = os.Stderr
	}
	if d.earshot, err = d.site.Run(ctx, binary, d.log); err != nil {
		return err
	}
	defer func() { d.earshot.Stop() }()
	fmt.Printf("  Earshot is ready: panel API http://%s/v1, metrics http://%s/metrics, AMI door %s, ARI door %s\n", d.site.HTTP, d.site.Admin, d.site.AMI, d.site.ARI)
	if tour {
		tourCtx, cancel := context.WithTimeout(ctx, 4*time.Minute)
		defer cancel()
		if err := d.tour(tourCtx); err != nil {
			return fmt.Errorf("%w\n\nEarshot's log:\n%s", err, d.earshot.Log())
		}
		return nil
	}
	if err := d.invite(); err != nil {
		return err
	}
	return ending(d.live(ctx))
}

// ending says that the demo ends where somebody has asked for it.
func ending(err error) error {
	if errors.Is(err, context.Canceled) {
		fmt.Println("\nending …")
	}
	return err
}

// built tells where there is no program.
func built(binary string) error {
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("there is no program %s; `make demo` builds it, or give its path with -earshot", binary)
	}
	return nil
}

// demo is the running demo, or the part of it around one PBX.
type demo struct {
	pbx     string // its name, where there are several
	site    *site.Site
	earshot *site.Process
	binary  string
	log     io.Writer // where Earshot's own log goes, nil for nowhere
	clients map[string]*site.Client
	wall    string                // the token of the policy's panel
	tones   map[phone.Tone]string // whose voice a tone is
}

// preferred is the address if its port is free, and otherwise nothing, which lets the site take any.
func preferred(addr string) string {
	l, err := listen(addr)
	if err != nil {
		return ""
	}
	_ = l.Close()
	return addr
}
