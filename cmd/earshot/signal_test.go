package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// SIGHUP reads the files anew, SIGTERM ends the program in good order; a PBX that is away hinders neither.
func TestRunObeysItsSignals(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"policy.yaml": "version: 1\nemployees:\n  anna: {name: Anna}\n", "tokens.yaml": "[]\n", "secret": "s3cret\n",
		"earshot.yaml": `policy: policy.yaml
tokens: tokens.yaml
audit: {file: audit.jsonl}
http: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
pbx:
  ami: {address: "127.0.0.1:1", username: earshot, secret_file: secret}
  ari: {url: "http://127.0.0.1:1/ari", username: earshot, password_file: secret}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run([]string{"run", "--config", filepath.Join(dir, "earshot.yaml")}, streams{io.Discard, out})
		_ = out.Close()
	}()
	lines := bufio.NewScanner(log)
	all := new(strings.Builder)
	wait := func(words string) {
		t.Helper()
		for lines.Scan() {
			fmt.Fprintln(all, lines.Text())
			if strings.Contains(lines.Text(), words) {
				return
			}
		}
		t.Fatalf("no log line has %q:\n%s", words, all)
	}
	send := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	wait("earshot listens")
	send(syscall.SIGHUP)
	wait("\"reloaded\"")
	if err := os.WriteFile(filepath.Join(dir, "tokens.yaml"), []byte("- oops\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	send(syscall.SIGHUP)
	wait("tokens.yaml:1:3: ")
	send(syscall.SIGTERM)
	wait("earshot stops")
	_, _ = io.Copy(all, log)
	if got := <-code; got != exitOK {
		t.Fatalf("exit code %d:\n%s", got, all)
	}
	if strings.Contains(all.String(), "s3cret") {
		t.Fatalf("the log tells a secret:\n%s", all)
	}
}
