package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const (
	inForce = "version: 1\nemployees:\n  anna: {name: Anna, phones: [PJSIP/101]}\n"
	tried   = "version: 1\nemployees:\n  anna: {name: Anna, phones: [PJSIP/101], dial: any}\n"
)

// trying is an agent that tries a policy, which is not there yet.
func trying(t *testing.T) (*Agent, string, lines) {
	t.Helper()
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	write(t, filepath.Join(dir, "policy.yaml"), inForce)
	a, log := reopen(t, dir, "http: {listen: \"127.0.0.1:0\"}\nshadow: {policy: next.yaml, file: differences.jsonl}\n")
	return a, dir, log
}

func (a *Agent) shadowGauges() (good, generation float64) {
	return testutil.ToFloat64(a.met.files.WithLabelValues("shadow")), testutil.ToFloat64(a.shadow.generation)
}

func TestAShadowPolicyIsTriedAndNeverHinders(t *testing.T) {
	a, dir, log := trying(t)
	next, told := filepath.Join(dir, "next.yaml"), filepath.Join(dir, "differences.jsonl")
	log.wait(t, "the shadow policy is broken, so nothing is compared")
	if good, generation := a.shadowGauges(); good != 0 || generation != 0 {
		t.Errorf("of no policy the gauges say %v and %v", good, generation)
	}
	token, hash := auth.NewToken()
	write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: anna, hash: \""+hash+"\"}\n")
	if err := a.Reload(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "shadow policy: ") || !known(t, a, token) {
		t.Errorf("reloading says %v; is the token known: %t", err, known(t, a, token))
	}

	a.shadow.again = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	log.wait(t, "earshot listens")
	write(t, next, tried)
	log.wait(t, "shadow policy compared with the one in force")
	if good, generation := a.shadowGauges(); good != 1 || generation != 1 {
		t.Errorf("of the first the gauges say %v and %v", good, generation)
	}
	write(t, next, "version: 1\nemploees: {}\n")
	log.wait(t, "the last good one is compared")
	if good, generation := a.shadowGauges(); good != 0 || generation != 1 {
		t.Errorf("of a broken one the gauges say %v and %v", good, generation)
	}
	if err := a.Reload(); err == nil || !strings.Contains(err.Error(), "next.yaml:2:") {
		t.Errorf("reloading says %v", err)
	}

	anna, err := a.tokens.Authenticate(ctx, auth.Credential{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.gate.Dial(ctx, anna, gate.DialAsk{Number: "+74951112233", Door: "test"}); gate.AsProblem(err).Code != "no_right" {
		t.Errorf("what is refused is answered with %v", err)
	}
	write(t, next, tried+"  boris: {}\n")
	log.wait(t, "shadow policy compared with the one in force")
	if err := a.Reload(); err != nil {
		t.Error(err)
	}
	if good, generation := a.shadowGauges(); good != 1 || generation != 2 {
		t.Errorf("of the second the gauges say %v and %v", good, generation)
	}
	if _, err := a.gate.Dial(ctx, anna, gate.DialAsk{Number: "+74951112233", Door: "test"}); gate.AsProblem(err).Code != "no_right" {
		t.Errorf("what is refused is answered with %v", err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}

	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(all) != 2 || strings.Contains(string(text), "4951112233") {
		t.Fatalf("written is\n%s", text)
	}
	for i, line := range all {
		var d gate.Difference
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		if d.Change != gate.Gained || d.Subject != "anna" || d.Shadow.Generation != uint64(i+1) || d.Shadow.Rule.File != next || d.Shadow.Rule.Line != 3 {
			t.Errorf("%s", line)
		}
	}
	if info, err := os.Stat(told); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestDifferencesThatCannotBeWrittenAreAnError(t *testing.T) {
	s := &shadow{cfg: Shadow{File: filepath.Join(t.TempDir(), "away", "differences.jsonl")}}
	if err := s.write(gate.Difference{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	s.cfg.File = "/dev/full"
	if err := s.write(gate.Difference{}); err == nil {
		t.Error("a full disk is no error")
	}
}
