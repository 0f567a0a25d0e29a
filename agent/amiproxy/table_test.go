package amiproxy_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/ami"
)

// captured is what ListCommands answered on an Asterisk 22.10 with the modules of the tests.
func captured(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/listcommands-22.10.txt")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, what, ok := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		if !ok {
			t.Fatalf("%q is no line of the list", line)
		}
		of[name] = what
	}
	if len(of) < 100 {
		t.Fatalf("the list has %d actions", len(of))
	}
	return of
}

// answered says what became of an action: its words where it was refused.
func answered(t *testing.T, c *ami.Client, m *ami.Message) string {
	t.Helper()
	_, err := c.Do(t.Context(), m)
	var no *ami.RefusedError
	if errors.As(err, &no) {
		return no.Message
	}
	if err != nil {
		t.Fatal(err)
	}
	return "ok"
}

func TestEveryActionOfAsteriskIsAnsweredOrRefusedByName(t *testing.T) {
	w := newWorld(t)
	olga := w.as("olga")
	listed, err := olga.Do(t.Context(), act("ListCommands"))
	if err != nil {
		t.Fatal(err)
	}
	done, refused := 0, 0
	for name, what := range captured(t) {
		if slices.Contains([]string{"Login", "Logoff", "Challenge"}, name) {
			continue // the session's own
		}
		words := answered(t, olga, act(name))
		got, ok := listed.Lookup(name)
		switch {
		case strings.HasPrefix(words, "Invalid/unknown command"):
			t.Errorf("%s has no row", name)
		case ok && words == "Permission denied":
			t.Errorf("%s is listed and refused by name", name)
		case ok && regexp.MustCompile(`\s+`).ReplaceAllString(what, " ") != regexp.MustCompile(`\s+`).ReplaceAllString(string(got), " "):
			t.Errorf("%s is listed as %q, and by Asterisk as %q", name, got, what)
		case ok:
			done++
		case words != "Permission denied":
			t.Errorf("%s is not listed, and answered by %q", name, words)
		default:
			refused++
		}
	}
	if done < 15 || refused < 50 {
		t.Errorf("%d are done, %d refused", done, refused)
	}
	if words := answered(t, olga, act("Originate2")); !strings.HasPrefix(words, "Invalid/unknown command: Originate2. ") {
		t.Errorf("what Asterisk does not have is answered by %q", words)
	}
}

func TestNamesOfActionsAreTakenInAnyCase(t *testing.T) {
	w := newWorld(t)
	olga := w.as("olga")
	if got := answered(t, olga, act("coreSHOWchannels")); got != "ok" {
		t.Error(got)
	}
	if got := answered(t, olga, act("cOMMAND", "Command", "core show version")); got != "Permission denied" {
		t.Error(got)
	}
}

func TestAHeaderThatIsNotTakenIsSaidSo(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "", "+4915550001", "PJSIP/210")
	olga := w.as("olga")
	spy := []string{"Channel", "PJSIP/300", "Application", "ChanSpy", "Data", "PJSIP/210-,q"}
	for name, m := range map[string]*ami.Message{
		"functions of Status":       act("Status", "Variables", "IMPORT(x,CALLERID(all))"),
		"all variables of Status":   act("Status", "AllVariables", "true"),
		"an id of an Originate":     act("Originate", append(spy, "ChannelId", "1.1")...),
		"a routine of an Originate": act("Originate", append(spy, "PreDialGoSub", "x,1,1")...),
		"a word of the door's own":  act("CoreShowChannels", "X-Earshot-Other", "alice"),
	} {
		if got := answered(t, olga, m); got != "A header of this action is not taken here." {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := answered(t, olga, act("CoreShowChannels", "Anything", "1")); got != "ok" {
		t.Errorf("a list with what Asterisk passes over: %q", got)
	}
	if got := w.pbx.taken(); len(got) > 0 {
		t.Errorf("the PBX was asked for %v", got)
	}
	if got := answered(t, olga, act("Originate", append(spy, "Timeout", "30000", "CallerID", "x <1>", "Async", "true", "Account", "1", "Variable", "crm_id=1,lead=a b")...)); got != "ok" {
		t.Errorf("with the headers that are taken: %q", got)
	}
}
