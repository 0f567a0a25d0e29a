package auditstream_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/cache/redisserver"
)

// What the page says is typed into a shell, with the redis-cli of the server's package.
func TestTheReadmeShowsHowToCollect(t *testing.T) {
	page, err := os.ReadFile("README.md")
	must(t, err)
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		commands = append(commands, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	h := build(t)
	h.start(1000)
	h.add(17)
	h.complete()
	dir := t.TempDir()
	root, err := redisserver.Fetch()
	must(t, err)
	cli, err := root.Command(t.Context(), "redis-cli", "-h", host(h), "-p", port(h))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "redis-cli"), []byte(fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", strings.Join(cli.Args, "' '"))), 0o700))
	n := 0
	for _, line := range commands {
		if strings.HasPrefix(line, "earshot ") {
			continue // what was collected is verified below
		}
		if strings.Contains(line, " 17 ") {
			h.add(5)
			h.complete()
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, append(cli.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d commands", n)
	}
	rep, err := audit.VerifyPart(key, filepath.Join(dir, "collected.jsonl"))
	if err != nil || !rep.OK() || rep.First != 1 || rep.Last.Seq != 22 {
		t.Errorf("what was collected is %+v (%v)", rep, err)
	}
	collector := h.redis.Admin.Conn()
	defer func() { must(t, collector.Close()) }()
	must(t, collector.AuthACL(t.Context(), "collector", "another password").Err())
	if err := collector.Do(t.Context(), "XREAD", "STREAMS", stream, "0").Err(); err != nil {
		t.Error(err)
	}
	for _, forbidden := range [][]any{{"DEL", stream}, {"HGETALL", "{earshot}:sessions"}, {"XADD", stream, "99-0", "entry", "x"}} {
		if err := collector.Do(t.Context(), forbidden...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("the collector may %v: %v", forbidden, err)
		}
	}
}

func host(h *house) string { name, _, _ := strings.Cut(h.redis.Addr, ":"); return name }

func port(h *house) string { _, number, _ := strings.Cut(h.redis.Addr, ":"); return number }
