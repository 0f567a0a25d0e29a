package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

func repliesOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replies.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestQuickRepliesAreReadByLine(t *testing.T) {
	path := repliesOf(t, `replies:
  - {line: [sales, support], id: hello, title: Greeting, text: "Good day."}
  - {line: sales, id: price, text: "I will send you the price list."}
  - {line: support, id: price, text: "Ask sales."}
`)
	of, err := loadReplies(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(of) != 2 || len(of["sales"]) != 2 || of["sales"][0].Title != "Greeting" || of["sales"][1].Title != "price" || of["support"][1].Text != "Ask sales." {
		t.Fatalf("%+v", of)
	}
	set, _, err := policy.Load("p.yaml", []byte("version: 1\nemployees: {anna: {}}\nlines: {sales: {members: [anna]}}\n"), time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if w := replyStrangers(path, of, set); len(w) != 1 || !strings.Contains(w[0], `"support"`) {
		t.Fatal(w)
	}
}

func TestAFaultInQuickRepliesIsToldAtItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"replies:\n  - {id: a, text: b}\n":                                              "replies.yaml:2:5: line: ",
		"replies:\n  - {line: s, text: b}\n":                                            "replies.yaml:2:5: id: ",
		"replies:\n  - {line: s, id: a}\n":                                              "replies.yaml:2:5: text: ",
		"replies:\n  - {line: s, id: a, text: b}\n  - {line: [x, s], id: a, text: c}\n": "replies.yaml:3:24: id: another",
		"replies:\n  - {line: s, id: a, txt: b}\n":                                      `replies.yaml:2:22: unknown key; did you mean "text"?`,
		"answers: []\n": "replies.yaml:1:1: unknown key",
	} {
		if _, err := loadReplies(repliesOf(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s%v", text, err)
		}
	}
}
