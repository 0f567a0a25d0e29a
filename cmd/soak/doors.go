package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ami"
)

func init() {
	for kind, f := range map[string]func(context.Context, *turn) error{"ami-spy": amiSpy, "ari-own": ariOwn} {
		deeds[kind] = f
		explains[kind] = []string{partPBX, partEarshot, partPolicy}
	}
}

// amiSpy is a panel made for Asterisk's manager that has its employee listen, and hangs up, and is refused what it may not.
func amiSpy(ctx context.Context, t *turn) error {
	target, who := t.who[0], t.who[1]
	_, out, in, p, err := t.called(ctx, target)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e := t.ear(who, "own AMI")
	c, err := ami.Dial(wait, ami.Config{Addr: t.AMI, Username: who, Secret: ami.Secret(t.tokens[who]), PlainLogin: true, OnEvent: func(m *ami.Message) error {
		for i := range m.Len() {
			name, value := m.Field(i)
			_, _ = e.Write([]byte(string(name) + ": " + string(value) + "\n"))
		}
		return nil
	}})
	if err != nil {
		return err
	}
	defer c.Close()
	t.phones[who].SetReaction(phone.Reaction{Answer: true})
	listen := func(phoneOf, options string) error {
		m := ami.NewAction("Originate")
		for _, f := range [][2]string{{"Channel", "PJSIP/" + t.number(phoneOf)}, {"Application", "ChanSpy"}, {"Data", "PJSIP/" + t.number(target) + "," + options}, {"Async", "true"}} {
			m.Append(f[0], f[1])
		}
		_, err := c.Do(wait, m)
		return err
	}
	if err := eventually(wait, func() error { return listen(who, "q") }); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	sup, err := t.next(ctx, who)
	if err != nil {
		return err
	}
	for _, tone := range []phone.Tone{in.Tone(), out.Tone()} {
		if _, err := sup.WaitHears(wait, tone); err != nil {
			return err
		}
	}
	var refused *ami.RefusedError
	switch err := listen(taker, "q"); { // by another's phone
	case err == nil:
		t.faults.add("deed %d: %s had another's phone listen", t.deed.number, who)
	case !errors.As(err, &refused):
		return err
	}
	if err := sup.Hangup(ctx); err != nil {
		return err
	}
	return t.hangUp(ctx, out, in, p)
}

// ariOwn is an application at the ARI door that calls from its employee's own phone, and hangs up.
func ariOwn(ctx context.Context, t *turn) error {
	who := t.who[0]
	app := fmt.Sprintf("own-%d", t.deed.number)
	stream, cancel := context.WithCancel(ctx)
	defer cancel()
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		_ = t.panels.stream(stream, who, app, &ear{name: "an application's", of: t.hidden, heard: map[string]int{}})
	}()
	defer func() { cancel(); <-opened }()
	t.phones[who].SetReaction(phone.Reaction{Answer: true})
	wait, end := context.WithTimeout(ctx, patience)
	defer end()
	p := &part{who: who, direction: "out", outcome: "answered", any: true, by: t.deed.number}
	t.past.add(p)
	at := time.Now()
	query := url.Values{"endpoint": {"PJSIP/" + t.number(who)}, "app": {app}}
	err := eventually(wait, func() error { // once the stream is there
		req, err := http.NewRequestWithContext(wait, http.MethodPost, "http://"+t.ARI+"/ari/channels?"+query.Encode(), strings.NewReader(""))
		if err != nil {
			return err
		}
		req.SetBasicAuth(who, t.tokens[who])
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the ARI door answers %s", resp.Status)
		}
		return nil
	})
	if err != nil {
		return err
	}
	own, err := t.next(ctx, who)
	if err != nil {
		return err
	}
	if err := own.WaitAnswered(wait); err != nil {
		return err
	}
	p.began, p.answered = since(at), since(at)
	t.pause(ctx, 100*time.Millisecond, time.Second)
	if t.r.IntN(2) == 0 {
		cancel() // the application goes first
		<-opened
	}
	at = time.Now()
	if err := own.Hangup(ctx); err != nil {
		return err
	}
	err = over(ctx, own)
	p.ended, p.whole = since(at), err == nil
	return err
}
