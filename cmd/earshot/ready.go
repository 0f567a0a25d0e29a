package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent"
)

// askTime is how long a running Earshot may take to say how it is.
const askTime = 5 * time.Second

// running asks the Earshot that runs with the configuration whether it is ready.
func (c *checkCmd) running(ctx context.Context, s streams) error {
	if c.Config == "" {
		return errors.New("--running needs --config, which names the admin listener")
	}
	return ask(ctx, s, c.Config, http.MethodGet, "/readyz")
}

// ask has the running Earshot answer, by the admin listener that the configuration names, from the machine or the container that it listens on, and
// prints what it says. An answer that is not good is a refusal.
func ask(ctx context.Context, s streams, config, method, path string) error {
	cfg, err := agent.LoadConfig(config)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(cfg.Admin.Listen)
	if err != nil {
		return err
	}
	if port == "0" {
		return errors.New("admin.listen leaves the port to the system, so nobody knows where to ask")
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	// Whatever proxy the environment names, the way to this machine does not lead through it.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) { // somebody is there, or what is between drops everything
		after := ""
		if method != http.MethodGet {
			after = "; it may be done all the same"
		}
		_, _ = fmt.Fprintf(s.out, "no answer from admin.listen (%s) within %v%s\n", req.URL.Host, askTime, after)
		return refusal{}
	}
	if err != nil {
		_, _ = fmt.Fprintln(s.out, "not running:", errors.Unwrap(err)) // without the URL, which the cause repeats
		return refusal{}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("ask the running Earshot: %w", err)
	}
	_, _ = fmt.Fprintln(s.out, strings.TrimRight(string(body), "\n"))
	if resp.StatusCode != http.StatusOK {
		return refusal{}
	}
	return nil
}
