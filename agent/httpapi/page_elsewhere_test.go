package httpapi_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
)

// southern is the way to a sidecar beside another PBX, which nobody answers by: the test tells the gate what is shown there.
type southern struct{}

func (southern) PBX() string                    { return "south" }
func (southern) Secret(purpose string) [32]byte { return sha256.Sum256([]byte(purpose)) }
func (southern) Show(string, []byte)            {}
func (southern) Hide(string)                    {}
func (southern) Send(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.New("nobody is there")
}

func TestNobodyIsCalledFreeWhoseOtherPBXIsAway(t *testing.T) {
	text := strings.Replace(officePolicy, "name: Fred Voss, ", "name: Fred Voss, pbx: north, ", 1)
	o := newBureauOver(t, func(c *gate.Config) {
		set, _, err := policy.Load("policy.yaml", []byte(text), start)
		if err != nil {
			t.Fatal(err)
		}
		c.Cluster, c.Policy = southern{}, set.Beside("south")
	})
	shown := func(key, value string) gate.News {
		return gate.News{PBX: "north", Known: true, Shown: []gate.Shown{{Key: key, Value: []byte(value)}}}
	}
	p := o.signIn(t, "carl")
	p.Says(row("fred"), "Unknown")
	p.Says(row("fred"), "The PBX of these phones is out of reach")
	p.Says(row("anna"), "Free")
	p.Says("#count", "11 colleagues, 0 on calls")
	if body := string(o.ask("carl", http.MethodGet, "/v1/employees", "").body); strings.Count(body, `"state":"unknown"`) != 1 || strings.Count(body, `"unknown":true`) != 1 {
		t.Errorf("%s", body)
	}
	o.gate.Elsewhere(shown("state", `{"v":1,"known":true}`))
	p.Says(row("fred"), "Free")
	o.gate.Elsewhere(shown("leg/1", `{"v":1,"e":"fred","d":"in","ph":"talking","o":"2","p":{"n":"+442071838750","m":"J. Smith"},"in":["fred"]}`))
	p.Says(row("fred"), "J. Smith · +442071838750")
	o.gate.Elsewhere(shown("leg/2", `{"v":2,"e":"fred"}`))
	p.Says(row("fred")+" .flag", "perhaps not the only call")
	p.Click("#tab-board")
	choose(p, "#language", "ru")
	p.Says(row("fred")+" .flag", "возможно, не единственный разговор")
	o.gate.Elsewhere(gate.News{PBX: "north"})
	p.Says(row("fred"), "АТС с этими телефонами недоступна")
	p.Lacks(row("fred") + ` [data-act="spy"]`)
}
