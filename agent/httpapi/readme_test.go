package httpapi_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// What the README shows of AuthZEN is what the policy of Earshot's README answers while a customer talks to anna, to a panel that asks for everyone.
func TestTheReadmeShowsWhatIsAnswered(t *testing.T) {
	fenced := func(file, heading, kind string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(b), "\n## "+heading+"\n")
		_, after, _ = strings.Cut(after, "```"+kind+"\n")
		text, _, ok := strings.Cut(after, "```")
		if !ok {
			t.Fatalf("%s has no %s", heading, kind)
		}
		return text
	}
	w := newWorldOver(t, func(c *gate.Config) {
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
	})
	w.gate.SetPolicy(w.policy(fenced("../../README.md", "The policy in five minutes", "yaml")))
	w.panel("readme", auth.Everyone)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	shown := regexp.MustCompile(`(?ms)^\$ ask (\S+) '(.*?)'\n(.*?)\n?(?:\z|^\$)`)
	text, n := fenced("README.md", "The same policy for other software", "console"), 0
	for {
		at := shown.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		a := w.ask("readme", http.MethodPost, "/access/v1/"+text[at[2]:at[3]], text[at[4]:at[5]])
		a.is(t, text[at[2]:at[5]], 200, strings.TrimSpace(text[at[6]:at[7]]))
		text, n = text[at[7]:], n+1
	}
	if n != 3 {
		t.Errorf("%d questions were found", n)
	}
}

// Whoever writes a client learns what the codes about other PBXs mean from the description and from the README.
func TestTheCodesAboutOtherPBXsAreDescribed(t *testing.T) {
	w := newWorld(t)
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	if err := json.Unmarshal(w.ask("", http.MethodGet, "/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	code := doc.Components.Schemas["Problem"].Properties["code"].Description
	for _, is := range []string{"other_pbx", "other_pbx_unreachable", "outcome_unknown", "timeout"} {
		if !strings.Contains(code, is+" (") {
			t.Errorf("the description of code does not name %s: %s", is, code)
		}
		if !strings.Contains(string(readme), "`"+is+"`") {
			t.Errorf("the README does not name %s", is)
		}
	}
}
