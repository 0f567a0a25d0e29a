package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
)

// A container's health is what the running Earshot says of itself, by the address in the configuration.
func TestCheckAsksTheRunningOne(t *testing.T) {
	status, body := http.StatusOK, "ready\n"
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer admin.Close()
	_, port, err := net.SplitHostPort(admin.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1")
	check := func(listen string) (int, string, string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "earshot.yaml")
		text := "policy: p\ntokens: t\naudit: {file: a}\nadmin: {listen: \"" + listen + "\"}\npbx:\n  ami: {username: e, secret_file: s}\n  ari: {username: e, password_file: s}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs strings.Builder
		code := run([]string{"check", "--running", "--config", file}, streams{&out, &errs})
		return code, out.String(), errs.String()
	}
	// It asks the machine that it is on, where the listener is on every address.
	for _, listen := range []string{"127.0.0.1:" + port, "0.0.0.0:" + port, ":" + port} {
		if code, out, errs := check(listen); code != exitOK || out != "ready\n" || errs != "" {
			t.Errorf("%s: exit code %d, %q, %q", listen, code, out, errs)
		}
	}
	status, body = http.StatusServiceUnavailable, "not ready:\nami: no connection\n"
	if code, out, errs := check("127.0.0.1:" + port); code != exitNo || out != body || errs != "" {
		t.Errorf("not ready: exit code %d, %q, %q", code, out, errs)
	}
	admin.Close()
	if code, out, _ := check("127.0.0.1:" + port); code != exitNo || !strings.HasPrefix(out, "not running: dial tcp 127.0.0.1:"+port) {
		t.Errorf("nobody there: exit code %d, %q", code, out)
	}
	if code, out, errs := check("127.0.0.1:0"); code != exitError || out != "" || !strings.Contains(errs, "leaves the port to the system") {
		t.Errorf("port 0: exit code %d, %q, %q", code, out, errs)
	}
	var out, errs strings.Builder
	if code := run([]string{"check", "--running", "--policy", "p"}, streams{&out, &errs}); code != exitError || !strings.Contains(errs.String(), "--running needs --config") {
		t.Errorf("a policy: exit code %d, %q", code, errs.String())
	}
}

// Who writes the audit log puts it away.
func TestTheRunningOneIsToldToRotate(t *testing.T) {
	status, body := http.StatusOK, "/var/lib/earshot/audit.jsonl.000000000007\n"
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/-/rotate" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer admin.Close()
	file := filepath.Join(t.TempDir(), "earshot.yaml")
	text := "policy: p\ntokens: t\naudit: {file: a}\nadmin: {listen: \"" + admin.Listener.Addr().String() + "\"}\npbx:\n  ami: {username: e, secret_file: s}\n  ari: {username: e, password_file: s}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{exitOK, exitNo} {
		var out, errs strings.Builder
		if code := run([]string{"audit", "rotate", "--config", file}, streams{&out, &errs}); code != want || out.String() != body || errs.String() != "" {
			t.Errorf("exit code %d, %q, %q", code, out.String(), errs.String())
		}
		status, body = http.StatusInternalServerError, "audit: rotate: no space left on device\n"
	}
}

// One that does not answer is not taken for one that does not run, and what it was told to do may be done.
func TestOneThatDoesNotAnswerMayHaveDoneIt(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	file := filepath.Join(t.TempDir(), "earshot.yaml")
	text := "policy: p\ntokens: t\naudit: {file: a}\nadmin: {listen: \"" + mute.Addr().String() + "\"}\npbx:\n  ami: {username: e, secret_file: s}\n  ari: {username: e, password_file: s}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{http.MethodGet: "within 5s\n", http.MethodPost: "within 5s; it may be done all the same\n"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		var out, errs strings.Builder
		err := ask(ctx, streams{&out, &errs}, file, method, "/")
		cancel()
		if exitCode(err) != exitNo || out.String() != "no answer from admin.listen ("+mute.Addr().String()+") "+want || errs.String() != "" {
			t.Errorf("%s: %v, %q, %q", method, err, out.String(), errs.String())
		}
	}
}

// systemd starts again what fails, but not who was replaced.
func TestTheExitCodeSaysWhetherToStartAgain(t *testing.T) {
	for want, err := range map[int]error{
		exitOK: nil, exitNo: fmt.Errorf("x: %w", refusal{}), exitError: errors.New("x"), exitReplaced: fmt.Errorf("run: %w", agent.ErrReplaced),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: %d", err, got)
		}
	}
	if got := exitCode(fmt.Errorf("run: %w", agent.ErrTaken)); got != exitReplaced {
		t.Errorf("of a name that is taken: %d", got)
	}
}
