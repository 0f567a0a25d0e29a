package pbxtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// pollEvery is the pause between two looks at a port that does not answer yet.
const pollEvery = 20 * time.Millisecond

func (s Site) ariURL() string { return "http://" + address(s.HTTP) + "/ari" }

// waitUp returns when AMI has said FullyBooted and ARI answers; with an error when ctx ends or the process does.
func waitUp(ctx context.Context, s Site, ended <-chan struct{}) error {
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
	if err := poll(ctx, func() error { return fullyBooted(ctx, s) }); err != nil {
		return fmt.Errorf("wait for FullyBooted on AMI: %w", err)
	}
	if err := poll(ctx, func() error { return ariAnswers(ctx, s) }); err != nil {
		return fmt.Errorf("wait for ARI: %w", err)
	}
	return nil
}

// poll calls f until it succeeds or ctx ends.
func poll(ctx context.Context, f func() error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// fullyBooted logs in and waits for the event FullyBooted, which a session that logs in later gets at once
// (Asterisk's main/manager.c). A few lines by hand, so that the rig does not rest on what it is there to test.
func fullyBooted(ctx context.Context, s Site) error {
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
