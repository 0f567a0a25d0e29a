package site

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/cache/redisserver"
)

// PBXs are the company's, when it has several. The first gives the policy to the others.
var PBXs = []string{"north", "south", "west"}

// Branches is the company with a PBX for each department, trunks between them, files for an Earshot beside each, and the Redis that these share.
type Branches struct {
	Redis *redisserver.Server
	Sites map[string]*Site // by PBX
}

// StartBranches starts Redis, PBXs and phones and writes the Earshots' files; these are started by the caller. Stop ends it all. Of the options,
// what differs from PBX to PBX, and Plan, are not looked at; Policy, when empty, is the demo's with the PBX of each employee.
func StartBranches(ctx context.Context, o Options) (*Branches, error) {
	b := &Branches{Sites: map[string]*Site{}}
	if err := b.open(ctx, o); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

func (b *Branches) open(ctx context.Context, o Options) error {
	var err error
	if o.Policy == "" {
		if o.Policy, err = Sample("policy.yaml"); err != nil {
			return err
		}
		o.Policy = Spread(o.Policy)
	}
	if b.Redis, err = redisserver.Start(); err != nil {
		return fmt.Errorf("start a Redis: %w", err)
	}
	key, plans := rand.Text()+rand.Text(), pbxtest.Branches()
	for i, name := range PBXs { // one after the other: the first may have to fetch an Asterisk
		plan := plans[name]
		o.Plan, o.Share = &plan, &Share{PBX: name, Redis: b.Redis.Addr, Key: key, Gives: i == 0}
		if b.Sites[name], err = Start(ctx, o); err != nil {
			delete(b.Sites, name)
			return fmt.Errorf("PBX %s: %w", name, err)
		}
	}
	for name, s := range b.Sites {
		others := map[string]string{}
		for other, o := range b.Sites {
			if other != name {
				others[other] = o.PBX.SIP()
			}
		}
		if err := s.PBX.Reach(ctx, others); err != nil {
			return fmt.Errorf("PBX %s: %w", name, err)
		}
	}
	return nil
}

var phonesOf = regexp.MustCompile(`(?m)(^ +)?phones: \[PJSIP/([123])`)

// Spread is a policy of the demo's employees with the PBX of each, and the trunks between the PBXs.
func Spread(policy string) string {
	pbx := map[string]string{"1": "north", "2": "south", "3": "west"}
	policy = phonesOf.ReplaceAllStringFunc(policy, func(found string) string {
		m := phonesOf.FindStringSubmatch(found)
		end := ", "
		if m[1] != "" { // a line of its own
			end = "\n" + m[1]
		}
		return m[1] + "pbx: " + pbx[m[2]] + end + strings.TrimPrefix(found, m[1])
	})
	return strings.Replace(policy, "trunks: [PJSIP/trunk]", "trunks: [PJSIP/trunk, PJSIP/"+strings.Join(PBXs, ", PJSIP/")+"]", 1)
}

// Of names the PBX of an employee's phone.
func (b *Branches) Of(employee string) string {
	for name, s := range b.Sites {
		if s.Phones[employee] != nil {
			return name
		}
	}
	return ""
}

// Phone is an employee's.
func (b *Branches) Phone(employee string) *phone.Phone {
	return b.Sites[b.Of(employee)].Phones[employee]
}

// ShareTokens has what proves somebody to the first Earshot prove him to all.
func (b *Branches) ShareTokens() error {
	text, err := os.ReadFile(b.Sites[PBXs[0]].Path("tokens.yaml"))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range PBXs[1:] {
		errs = append(errs, b.Sites[name].Write("tokens.yaml", string(text)))
	}
	return errors.Join(errs...)
}

// Stop ends phones, PBXs and Redis and removes the files.
func (b *Branches) Stop() error {
	var errs []error
	for _, s := range b.Sites {
		errs = append(errs, s.Stop())
	}
	if b.Redis != nil {
		errs = append(errs, b.Redis.Stop())
	}
	return errors.Join(errs...)
}
