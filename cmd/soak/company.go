package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/earshot-pbx/earshot/cache/redisserver"
)

// lease is the shortest that there is: a killed Earshot's supervisions end while a round lasts.
const lease = 3 * time.Second

// company is the PBX with its phones, the Redis, and the files of an Earshot.
type company struct {
	*site.Site
	binary string
	phones map[string]*phone.Phone
	tokens map[string]string
	admin  *ari.Client // looks at the PBX past Earshot
	redis  *redisserver.Server

	mu   sync.Mutex // held by who starts or ends Earshot
	proc *site.Process
	log  *logFile
}

func openCompany(ctx context.Context, binary, dir string, h *hidden, told func(string, identity, string)) (c *company, err error) {
	c = &company{binary: binary, phones: map[string]*phone.Phone{}, tokens: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.log, err = newLogFile(filepath.Join(dir, "earshot.log"), h, told); err != nil {
		return c, err
	}
	if c.redis, err = redisserver.Start(); err != nil {
		return c, fmt.Errorf("start a Redis: %w", err)
	}
	p := plan()
	c.Site, err = site.Start(ctx, site.Options{
		Plan: &p, Policy: rules(modes, "the first"), Clients: "region: RU\nclients: []\n", Lease: lease.String(), RingTimeout: "3s",
		Journal: true, AMI: site.AnyPort, ARI: site.AnyPort, Progress: func(s string) { fmt.Println("  " + s) },
	})
	if err != nil {
		return c, err
	}
	if err := c.configure(); err != nil {
		return c, err
	}
	if err := c.furnish(ctx); err != nil {
		return c, err
	}
	account := c.PBX.Site().Admin
	c.admin, err = ari.New(ari.Config{BaseURL: c.PBX.ARI(), Username: account.User, Password: account.Password})
	return c, err
}

// configure sets what the site leaves to its defaults.
func (c *company) configure() error {
	for _, e := range [][2]string{
		{fmt.Sprintf("http: {listen: %q}\n", c.HTTP), fmt.Sprintf("http: {listen: %q, max_per_employee: 100, limits: {commands: {per_minute: 6000, burst: 1000}, reads: {per_minute: 60000, burst: 10000}}}\n", c.HTTP)},
		{fmt.Sprintf("ami: {listen: %q}\n", c.AMI), fmt.Sprintf("ami: {listen: %q, max_per_employee: 100}\n", c.AMI)},
		{fmt.Sprintf("ari: {listen: %q}\n", c.ARI), fmt.Sprintf("ari: {listen: %q, max_per_employee: 100}\n", c.ARI)},
		{"audit: {file: audit.jsonl}\n", "audit: {file: audit.jsonl, stream: {keep: 100000}}\n"},
		{"recordings: {spools: [", fmt.Sprintf("recordings: {spools: [{name: ari, path: %q, ari: true}, ", filepath.Join(c.PBX.Dir(), "spool", "recording"))},
		{"log: {level: info, format: json}\n", fmt.Sprintf("log: {level: debug, format: json}\ncache: {redis: \"redis://%s\"}\nwatchdog: {pickup: report}\nshadow: {policy: next.yaml, file: differences.jsonl}\n", c.redis.Addr)},
	} {
		if err := c.Edit("earshot.yaml", e[0], e[1]); err != nil {
			return err
		}
	}
	return c.Write("next.yaml", rules("spy", "the shadow"))
}

// furnish registers the phones beside the site's, and makes tokens.
func (c *company) furnish(ctx context.Context) error {
	for _, e := range site.Employees {
		c.phones[e.ID] = c.Phones[e.ID]
	}
	plan := c.PBX.Plan()
	for i, who := range sorted(extra) {
		secret, _ := plan.Secret(extra[who])
		p, err := phone.Listen(phone.Config{User: extra[who], Password: secret, Server: c.PBX.SIP(), Tone: phone.Tone(10 + i)})
		if err != nil {
			return err
		}
		c.phones[who] = p
	}
	if err := c.register(ctx); err != nil {
		return err
	}
	for _, who := range append(sorted(c.phones), "karl") {
		token, err := c.Token(ctx, c.binary, who)
		if err != nil {
			return err
		}
		c.tokens[who] = token
	}
	return nil
}

// register makes all phones known, again after a restart of the PBX.
func (c *company) register(ctx context.Context) error {
	errs := []error{c.Register(ctx)}
	for who := range extra {
		errs = append(errs, c.phones[who].Register(ctx))
	}
	return errors.Join(errs...)
}

func (c *company) as(who string) *site.Client {
	return &site.Client{Base: "http://" + c.HTTP, Token: c.tokens[who]}
}

// start starts Earshot, while mu is held, and waits until it is ready.
func (c *company) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	var err error
	c.proc, err = c.Run(ctx, c.binary, c.log)
	return err
}

func (c *company) close() error {
	var errs []error
	if c.proc != nil {
		c.proc.Stop()
	}
	if c.admin != nil {
		c.admin.Close()
	}
	for who := range extra {
		if p := c.phones[who]; p != nil {
			_ = p.Close()
		}
	}
	if c.Site != nil {
		errs = append(errs, c.Stop())
	}
	if c.redis != nil {
		errs = append(errs, c.redis.Stop())
	}
	http.DefaultClient.CloseIdleConnections()
	if c.log != nil {
		errs = append(errs, c.log.file.Close())
	}
	return errors.Join(errs...)
}

// logFile is Earshot's own log, in which nobody outside may stand either.
type logFile struct {
	mu   sync.Mutex
	file *os.File
	ear  *ear
	bad  []complaint // lines of the level error
}

func newLogFile(path string, h *hidden, told func(string, identity, string)) (*logFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &logFile{file: f, ear: &ear{name: "Earshot's log", of: h, told: told, heard: map[string]int{}}}, nil
}

// A complaint is an error in Earshot's log.
type complaint struct {
	at   time.Time
	line string
}

func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(b), `"level":"error"`) || strings.Contains(string(b), "panic") || strings.Contains(string(b), "DATA RACE") {
		l.bad = append(l.bad, complaint{time.Now(), strings.TrimSpace(string(b))})
	}
	_, _ = l.ear.Write(b)
	return l.file.Write(b)
}
