package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ari"
)

// appName is what both call theirs: they are two.
const appName = "desk"

// application has a call listened to over the ARI door, by applications of who may and who may not.
func (d *demo) application(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	t, err := d.talk(ctx, stranger, "anna")
	if err != nil {
		return err
	}
	boris, err := d.applies(ctx, "boris")
	if err != nil {
		return err
	}
	defer boris.close()
	var refusal *ari.StatusError
	if _, err := boris.snoop(ctx, phoneOf("anna", d.site.Phones)); !errors.As(err, &refusal) || refusal.Status != 403 {
		return fmt.Errorf("boris's snoop should have been refused, and came to %w", err)
	}
	say("boris asks for a snoop of anna: refused, %d %s", refusal.Status, refusal.Message)

	irina, err := d.applies(ctx, "irina")
	if err != nil {
		return err
	}
	defer irina.close()
	own := d.site.Phones["irina"]
	own.SetReaction(phone.Reaction{Answer: true})
	leg, err := irina.client.Originate(ctx, ari.OriginateRequest{Endpoint: "PJSIP/" + own.User(), App: appName})
	if err != nil {
		return err
	}
	heard, err := own.Incoming(ctx)
	if err != nil {
		return err
	}
	snoop, err := irina.snoop(ctx, phoneOf("anna", d.site.Phones))
	if err != nil {
		return err
	}
	if err := irina.until(ctx, "StasisStart", leg.ID, snoop.ID); err != nil {
		return err
	}
	bridge, err := irina.client.CreateBridge(ctx, ari.BridgeRequest{Type: ari.BridgeMixing})
	if err != nil {
		return err
	}
	if err := irina.client.AddChannel(ctx, bridge.ID, []string{snoop.ID, leg.ID}, ari.AddOptions{}); err != nil {
		return err
	}
	if err := errors.Join(d.hears(ctx, "irina", heard, t.inside.Tone(), stranger.tone), d.hears(ctx, "anna", t.inside, stranger.tone)); err != nil {
		return err
	}
	if err := t.outside.Hangup(ctx); err != nil {
		return err
	}
	if err := irina.until(ctx, "StasisEnd", snoop.ID); err != nil {
		return err
	}
	say("%-9s is told that the snoop is over with the call, and keeps her own phone", "irina")
	return irina.client.Hangup(ctx, leg.ID, "")
}

// applied is an application of an employee's.
type applied struct {
	client *ari.Client
	stream *ari.Stream
}

// applies opens one at the ARI door.
func (d *demo) applies(ctx context.Context, who string) (*applied, error) {
	client, err := ari.New(ari.Config{BaseURL: "http://" + d.site.ARI + "/ari", Username: who, Password: d.clients[who].Token})
	if err != nil {
		return nil, err
	}
	stream, err := client.Listen(ctx, appName, ari.ListenOptions{})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &applied{client, stream}, nil
}

func (a *applied) close() {
	a.stream.Close()
	a.client.Close()
}

// snoop asks for one of the only channel whose name begins so.
func (a *applied) snoop(ctx context.Context, name string) (*ari.Channel, error) {
	channels, err := a.client.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		if strings.HasPrefix(c.Name, name) {
			return a.client.Snoop(ctx, ari.SnoopRequest{Channel: c.ID, Spy: ari.DirectionBoth, App: appName})
		}
	}
	return nil, fmt.Errorf("no channel of %s is on the list", name)
}

// until waits for an event about each of some channels.
func (a *applied) until(ctx context.Context, kind string, channels ...string) error {
	left := map[string]bool{}
	for _, id := range channels {
		left[id] = true
	}
	for len(left) > 0 {
		e, err := a.stream.Next(ctx)
		if err != nil {
			return fmt.Errorf("wait for %s of %d channels: %w", kind, len(left), err)
		}
		if e.Type == kind && e.Channel != nil {
			delete(left, e.Channel.ID)
		}
	}
	return nil
}
