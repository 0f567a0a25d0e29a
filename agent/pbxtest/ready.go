package pbxtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// pollEvery is the pause between two looks at a port that does not answer yet.
const pollEvery = 20 * time.Millisecond

func (s Site) ariURL() string { return "http://" + address(s.HTTP) + "/ari" }

// errPortTaken says that somebody took a port between the look and the bind.
var errPortTaken = errors.New("a port was taken")

// portTaken looks for a refused bind in the log: without SIP or HTTP an Asterisk boots all the same.
func (s *scratch) portTaken() error {
	raw, err := os.ReadFile(s.path("log/messages"))
	if err == nil && strings.Contains(string(raw), "Address already in use") {
		return errPortTaken
	}
	return nil
}

// waitUp returns when AMI has said FullyBooted, ARI answers and every port is bound; with an error when ctx ends, when
// the process ended, or when a port was taken.
func (p *PBX) waitUp(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
			cancel(errors.New("the process ended"))
		case <-stop:
		}
	}()
	defer func() { close(stop); <-watched }()
	if err := poll(ctx, p.scratch.portTaken, func() error { return fullyBooted(ctx, p.site) }); err != nil {
		return fmt.Errorf("wait for FullyBooted on AMI: %w", err)
	}
	if err := poll(ctx, p.scratch.portTaken, func() error { return ariAnswers(ctx, p.site) }); err != nil {
		return fmt.Errorf("wait for ARI: %w", err)
	}
	return p.scratch.portTaken()
}

// poll calls f until it succeeds, hopeless tells why it never will, or ctx ends.
func poll(ctx context.Context, hopeless, f func() error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if why := hopeless(); why != nil {
			return why
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// fullyBooted logs in and waits a while for the event FullyBooted, which a session that logs in later gets at once
// (Asterisk's main/manager.c). A few lines by hand, so that the rig does not rest on what it is there to test.
func fullyBooted(ctx context.Context, s Site) error {
	// Somebody else's server on that port may accept and say nothing.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address(s.AMI))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	unwatch := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer unwatch()
	if _, err := fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n", s.Admin.User, s.Admin.Password); err != nil {
		return err
	}
	for sc := bufio.NewScanner(conn); ; {
		if !sc.Scan() {
			return errors.Join(io.ErrUnexpectedEOF, sc.Err())
		}
		switch line := strings.TrimSpace(sc.Text()); line {
		case "Event: FullyBooted":
			return nil
		case "Response: Error":
			return errors.New("the manager refused the login")
		}
	}
}

func ariAnswers(ctx context.Context, s Site) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ariURL()+"/asterisk/info", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.Earshot.User, s.Earshot.Password)
	// A transport of its own: no connection stays open behind the caller's back.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
