package amiproxy_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestAnEmployeeLogsInByHisIdAndHisToken(t *testing.T) {
	w := newWorld(t)
	if _, err := w.as("alice").Do(t.Context(), act("CoreSettings")); err != nil {
		t.Error(err)
	}
	stranger := "ear_" + strings.Repeat("a", 43)
	for name, cfg := range map[string]ami.Config{
		"another's token":          {Username: "alice", Secret: ami.Secret(w.token["bob"]), PlainLogin: true},
		"a panel's under his name": {Username: "alice", Secret: ami.Secret(w.token["crm"]), PlainLogin: true},
		"his as a panel's":         {Username: "crm", Secret: ami.Secret(w.token["alice"]), PlainLogin: true},
		"nobody's":                 {Username: "alice", Secret: ami.Secret(stranger), PlainLogin: true},
		"a challenge":              {Username: "alice", Secret: ami.Secret(w.token["alice"])},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each refusal takes a second
			cfg.Addr = w.addr
			c, err := ami.Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, ami.ErrAuth) {
				t.Errorf("the log-in ends with %v", err)
			}
			if !cfg.PlainLogin && !strings.Contains(w.log.String(), `"challenge":true`) {
				t.Errorf("the log does not say that it was by challenge: %s", w.log)
			}
		})
	}
}

func TestWhoLogsInIsToldThatThePBXIsUp(t *testing.T) {
	w := newWorld(t)
	events := make(chan string, 8)
	c, err := ami.Dial(t.Context(), ami.Config{Addr: w.addr, Username: "alice", Secret: ami.Secret(w.token["alice"]), PlainLogin: true, OnEvent: func(m *ami.Message) error {
		events <- string(m.Event())
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case e := <-events:
		if e != "FullyBooted" {
			t.Errorf("the first event is %s", e)
		}
	case <-time.After(10 * time.Second):
		t.Error("no event came")
	}
}

func TestASessionEndsWithItsCredential(t *testing.T) {
	w := newWorld(t)
	alice, panel := w.as("alice"), w.login("crm", w.token["crm"])
	w.door.Recheck()
	for _, c := range []*ami.Client{alice, panel} {
		if _, err := c.Do(t.Context(), act("Ping")); err != nil {
			t.Fatalf("while the credential holds: %v", err)
		}
	}
	w.now.Store(time.Now().Add(2 * time.Hour).Unix())
	w.door.Recheck()
	for _, c := range []*ami.Client{alice, panel} {
		select {
		case <-c.Done():
			if !errors.Is(c.Err(), io.EOF) {
				t.Errorf("the session ended with %v", c.Err())
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the session goes on")
		}
	}
}

func TestAnActionAfterTheEndOfTheCredentialIsNotDone(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "", "+4915550001", "PJSIP/210")
	carol := w.as("carol")
	w.now.Store(time.Now().Add(2 * time.Hour).Unix()) // and nobody has called Recheck
	if _, err := carol.Do(t.Context(), act("Originate", "Channel", "PJSIP/120", "Application", "ChanSpy", "Data", "PJSIP/210-,q", "Async", "true")); err == nil {
		t.Error("it was done")
	}
	if got := w.pbx.taken(); len(got) > 0 {
		t.Errorf("the PBX was asked for %v", got)
	}
}

func TestAPanelNamesTheEmployeeForWhomItAsks(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "", "+4915550001", "PJSIP/210")
	panel := w.login("crm", w.token["crm"])
	sees := func(who string) bool {
		list := rows(t, panel, "CoreShowChannels", "X-Earshot-Employee", who)
		return len(list) == 2 && list[0].Get("ConnectedLineNum") == "+4915550001"
	}
	if !sees("olga") || sees("alice") {
		t.Error("the panel does not see what the employee sees whom it names")
	}
	words := map[string]string{}
	for name, m := range map[string]*ami.Message{
		"one for whom it may not": act("CoreShowChannels", "X-Earshot-Employee", "carol"),
		"one who is not there":    act("CoreShowChannels", "X-Earshot-Employee", "ghost"),
		"none":                    act("CoreShowChannels"),
	} {
		_, err := panel.Do(t.Context(), m)
		var no *ami.RefusedError
		if !errors.As(err, &no) {
			t.Errorf("naming %s is answered by %v", name, err)
			continue
		}
		words[name] = no.Message
	}
	if words["one for whom it may not"] != words["one who is not there"] {
		t.Errorf("the answers tell who is there: %q", words)
	}
	if _, err := panel.Do(t.Context(), act("CoreStatus")); err != nil {
		t.Errorf("what needs no employee: %v", err)
	}
	alice := w.as("alice")
	if _, err := alice.Do(t.Context(), act("CoreShowChannels", "X-Earshot-Employee", "olga")); err == nil {
		t.Error("an employee asks for another")
	}
	if _, err := alice.Do(t.Context(), act("CoreShowChannels", "X-Earshot-Employee", "alice")); err != nil {
		t.Errorf("an employee names himself: %v", err)
	}
}

func TestWhoAsksTooOftenIsToldSo(t *testing.T) {
	asked := 0
	w := newWorld(t, func(c *amiproxy.Config) { c.Command = func(auth.Subject) bool { asked++; return asked == 1 } })
	w.talks("1", "", "+4915550001", "PJSIP/210")
	carol := w.as("carol")
	spy := func() error {
		_, err := carol.Do(t.Context(), act("Originate", "Channel", "PJSIP/120", "Application", "ChanSpy", "Data", "PJSIP/210-,q", "Async", "true"))
		return err
	}
	rows(t, carol, "CoreShowChannels") // to look is no command
	if err := spy(); err != nil {
		t.Fatalf("the first: %v", err)
	}
	if err := spy(); err == nil || !strings.Contains(err.Error(), "Too many commands") {
		t.Errorf("the second: %v", err)
	}
}

func TestTheDoorCountsAndLogsWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	olga := w.as("olga")
	for _, m := range []*ami.Message{
		act("Originate", "Channel", "PJSIP/300", "Exten", "0049155599", "Context", "x", "Priority", "1"),
		act("Originate", "Channel", "PJSIP/300", "Application", "ChanSpy", "Data", "PJSIP/210-,q", "Async", "true"),
		act("Command", "Command", "core show channels"), act("Invented-4915550001"),
	} {
		_, _ = olga.Do(t.Context(), m)
	}
	want := `
# HELP earshot_ami_door_actions_total Actions at the AMI door, by action and what came of it; what is not in the door's table has the action none.
# TYPE earshot_ami_door_actions_total counter
earshot_ami_door_actions_total{action="Command",outcome="refused"} 1
earshot_ami_door_actions_total{action="Originate",outcome="bad_number"} 1
earshot_ami_door_actions_total{action="Originate",outcome="ok"} 1
earshot_ami_door_actions_total{action="none",outcome="unknown"} 1
`
	if err := testutil.GatherAndCompare(w.reg, strings.NewReader(want), "earshot_ami_door_actions_total"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.log.String(), `"action":"Originate"`) {
		t.Errorf("the log does not have the command: %s", w.log)
	}
	for _, secret := range []string{w.token["olga"], "4915550001", "Ivanov", "0049155599"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has a secret: %s", w.log)
		}
	}
}
