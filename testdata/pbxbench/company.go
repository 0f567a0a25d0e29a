package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
)

const (
	firstPhone = 5000 // the number of the first phone that costs nothing, and its endpoint
	unknown    = "4999"
)

func number(i int) string { return fmt.Sprint(firstPhone + i) }

// company is what is measured: a real Asterisk with phones, and the files of an Earshot beside it, which is started where it is wanted.
type company struct {
	*site.Site
	fakes   *fakes
	phones  int
	program string            // earshot
	tokens  map[string]string // by employee
	admin   *ari.Client
	driver  *ami.Client // begins calls; it is told of no events
	earshot *site.Process
}

func openCompany(ctx context.Context, phones int, program string) (c *company, err error) {
	c = &company{phones: phones, program: program, tokens: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.fakes, err = newFakes(); err != nil {
		return c, err
	}
	plan := pbxtest.Demo()
	for i := range phones {
		plan.Phones = append(plan.Phones, pbxtest.Phone{ID: number(i), Contact: c.fakes.addr()})
	}
	plan.Phones = append(plan.Phones, pbxtest.Phone{ID: unknown, Contact: c.fakes.addr()})
	plan.Extra = map[string]string{"manager.conf": "[general](+)\ntimestampevents=yes"} // when Asterisk wrote an event stands in it then
	if c.Site, err = site.Start(ctx, site.Options{Plan: &plan, Policy: policyOf(phones, ""), AMI: site.AnyPort}); err != nil {
		return c, err
	}
	// The rig's own ports are enough for 390 legs. One that somebody else has is passed over.
	rtp := filepath.Join(c.PBX.Dir(), "etc/rtp.conf")
	if err := os.WriteFile(rtp, []byte("[general]\nrtpstart=10000\nrtpend=31998\nicesupport=no\n"), 0o600); err != nil {
		return c, err
	}
	if _, err := c.PBX.Command(ctx, "module reload res_rtp_asterisk.so"); err != nil {
		return c, err
	}
	config, err := os.ReadFile(c.Path("earshot.yaml"))
	if err != nil {
		return c, err
	}
	// One supervisor asks more often than a person does; and what is done by hand is done by an application that is trusted.
	text := strings.Replace(string(config), fmt.Sprintf("http: {listen: %q}", c.HTTP), fmt.Sprintf("http: {listen: %q, limits: {commands: {per_minute: 6000, burst: 1000}, reads: {per_minute: 60000, burst: 10000}}}", c.HTTP), 1)
	if err := c.Write("earshot.yaml", text+"watchdog: {applications: ["+byHand+"]}\n"); err != nil {
		return c, err
	}
	account := c.PBX.Site().Admin
	if c.admin, err = ari.New(ari.Config{BaseURL: c.PBX.ARI(), Username: account.User, Password: account.Password}); err != nil {
		return c, err
	}
	c.driver, err = ami.Dial(ctx, ami.Config{Addr: c.PBX.AMI(), Username: account.User, Secret: ami.Secret(account.Password), Events: "off"})
	return c, err
}

func (c *company) close() error {
	c.leave()
	if c.driver != nil {
		c.driver.Close()
	}
	if c.admin != nil {
		c.admin.Close()
	}
	var err error
	if c.Site != nil {
		err = c.Stop()
	}
	if c.fakes != nil {
		c.fakes.close()
	}
	return err
}

// policyOf is that of a company of n employees who all see all calls, so that every panel is told everything, as Asterisk tells it, and who may listen
// where extra does not say otherwise.
func policyOf(n int, extra string) string {
	var b strings.Builder
	b.WriteString("version: 1\ndepartments:\n")
	for d := range n/50 + 1 {
		fmt.Fprintf(&b, "  d%d: {name: Department %d}\n", d, d)
	}
	b.WriteString("employees:\n")
	for _, e := range site.Employees {
		fmt.Fprintf(&b, "  %s: {name: %s, phones: [PJSIP/%s], numbers: [%q], department: d0}\n", e.ID, strings.ToUpper(e.ID), e.Phone, e.Phone)
	}
	for i := range n {
		fmt.Fprintf(&b, "  e%d: {name: Employee %d, phones: [PJSIP/%s], numbers: [%q], department: d%d}\n", i, i, number(i), number(i), i/50)
	}
	if extra == "" {
		extra = "roles: {worker: {observe: true, listen: true}}\nassign: [{role: worker, to: [everyone]}]\n"
	}
	b.WriteString(extra)
	b.WriteString("trunks: [PJSIP/trunk]\n")
	return b.String()
}

// know makes tokens for the first n employees and irina.
func (c *company) know(n int) error {
	c.tokens = map[string]string{}
	var b strings.Builder
	who := []string{"irina", "anna"}
	for i := range n {
		who = append(who, fmt.Sprint("e", i))
	}
	for _, id := range who {
		token, hash := auth.NewToken()
		c.tokens[id] = token
		fmt.Fprintf(&b, "- {employee: %s, hash: %q, label: bench, created: %s}\n", id, hash, time.Now().UTC().Format(time.RFC3339))
	}
	return c.Write("tokens.yaml", b.String())
}

// enter starts an Earshot with so many employees.
func (c *company) enter(ctx context.Context, employees int) error {
	c.leave()
	if err := errors.Join(c.Write("policy.yaml", policyOf(employees, "")), c.know(min(employees, 1000))); err != nil {
		return err
	}
	var err error
	c.earshot, err = c.Run(ctx, c.program, nil)
	return err
}

func (c *company) leave() {
	if c.earshot != nil {
		c.earshot.Stop()
		c.earshot = nil
	}
}

func (c *company) as(employee string) *site.Client {
	return &site.Client{Base: "http://" + c.HTTP, Token: c.tokens[employee]}
}

// empty waits until no channel is left on the PBX.
func (c *company) empty(ctx context.Context) error { return c.left(ctx, 0) }

// left waits until no more than so many channels are left, for half a minute.
func (c *company) left(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		left, err := c.admin.ListChannels(ctx)
		if err == nil && len(left) <= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d channels are left on the PBX: %w", len(left), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
