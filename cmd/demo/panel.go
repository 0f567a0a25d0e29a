package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ami"
)

// wall is the panel that the policy has an entry for: it names nobody, and sees what the entry may.
const wall = "wall"

// panel has a call listed and watched over the AMI door, by a panel and by an employee who may not know who is on the other side.
func (d *demo) panel(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	watched, hidden := make(events, 256), make(events, 256)
	screen, err := d.manager(ctx, wall, d.wall, watched)
	if err != nil {
		return err
	}
	defer screen.Close()
	olga, err := d.manager(ctx, "olga", d.clients["olga"].Token, hidden)
	if err != nil {
		return err
	}
	defer olga.Close()
	t, err := d.talk(ctx, stranger, "anna")
	if err != nil {
		return err
	}
	for _, at := range []struct {
		who   string
		c     *ami.Client
		rings events
		sees  bool
	}{{wall, screen, watched, true}, {"olga", olga, hidden, false}} {
		// The list and the events are made of the same board, which has the call when the event has come.
		if err := at.rings.until(ctx, "Newchannel", phoneOf("anna", d.site.Phones)); err != nil {
			return fmt.Errorf("%s: %w", at.who, err)
		}
		list, _, err := at.c.List(ctx, ami.NewAction("CoreShowChannels"))
		if err != nil {
			return err
		}
		var anna *ami.Message
		for _, r := range list {
			if strings.HasPrefix(r.Get("Channel"), phoneOf("anna", d.site.Phones)) {
				anna = r
			}
		}
		if anna == nil {
			return fmt.Errorf("%s should have a channel of anna's listed", at.who)
		}
		other := anna.Get("ConnectedLineNum")
		say("%-9s lists anna with %s", at.who, other)
		if (other == stranger.number) != at.sees {
			return fmt.Errorf("whether %s is told who is on the other side should be %v", at.who, at.sees)
		}
	}
	if err := t.outside.Hangup(ctx); err != nil {
		return err
	}
	if err := watched.until(ctx, "Hangup", phoneOf("anna", d.site.Phones)); err != nil {
		return err
	}
	say("%-9s hears that it is over", wall)
	return nil
}

// phoneOf is how the names of an employee's channels begin.
func phoneOf(employee string, phones map[string]*phone.Phone) string {
	return "PJSIP/" + phones[employee].User() + "-"
}

// manager logs in at the AMI door.
func (d *demo) manager(ctx context.Context, who, token string, to events) (*ami.Client, error) {
	return ami.Dial(ctx, ami.Config{Addr: d.site.AMI, Username: who, Secret: ami.Secret(token), PlainLogin: true, OnEvent: func(m *ami.Message) error {
		select {
		case to <- m.Clone():
			return nil
		default:
			return errors.New("more events came than one call has")
		}
	}})
}

// events are what an AMI client is told.
type events chan *ami.Message

// until waits for an event about a channel.
func (e events) until(ctx context.Context, name, channel string) error {
	for {
		select {
		case m := <-e:
			if string(m.Event()) == name && strings.HasPrefix(m.Get("Channel"), channel) {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("no %s of %s came: %w", name, channel, ctx.Err())
		}
	}
}
