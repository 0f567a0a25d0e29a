package ariclient_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/ariclient"
	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatALibraryHandsOverIsReadAsARI(t *testing.T) {
	p, err := library.Run(library.Library{Name: "made up"}, exec.CommandContext(t.Context(), "sh", "-c", `read connect
echo "$connect" >&2
echo '{"say":"in"}'
read do
echo "$do" >&2
echo '{"say":"event","fields":{"type":"StasisStart","channel":{"id":"1"}}}'
echo '{"say":"answer","id":"earshot-1","ok":true,"fields":{"id":"1","caller":{"number":"101"}}}'
read do
echo '{"say":"answer","id":"earshot-2","ok":true,"rows":[{"id":"1"},{"id":"2"}]}'
read do
echo '{"say":"answer","id":"earshot-3","ok":false,"why":"Channel not found"}'
read do
`), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	c, ctx := &ariclient.Client{Process: p}, t.Context()
	if err := c.Connect(ctx, ariclient.Login{URL: "http://127.0.0.1:8089", User: "anna", Secret: "s", App: "desk"}); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Do(ctx, "originate", map[string]string{"endpoint": "PJSIP/101"}); err != nil || o.At("id") != "1" || o.At("caller", "number") != "101" || o.At("connected", "number") != "" {
		t.Errorf("the answer is %v, %v", o, err)
	}
	if all, err := c.List(ctx, "channels"); err != nil || len(all) != 2 || all[1].At("id") != "2" {
		t.Errorf("the list is %v, %v", all, err)
	}
	var refusal *ariclient.Refusal
	if _, err := c.Do(ctx, "hangup", nil); !errors.As(err, &refusal) || refusal.Why != "Channel not found" {
		t.Errorf("the refusal is %v", err)
	}
	if e, err := c.WaitEvent(ctx, 0, "it is told", func(e ariclient.Object) bool { return e.At("channel", "id") == "1" }); err != nil || e.At("type") != "StasisStart" || len(c.Events(0)) != 1 {
		t.Errorf("the event is %v, %v, of %v", e, err, c.Events(0))
	}
	_, err = c.Do(ctx, "channels", nil) // what it was told stands in the complaints
	for _, order := range []string{`{"app":"desk","do":"connect","secret":"s","url":"http://127.0.0.1:8089","user":"anna"}`, `{"do":"do","given":{"endpoint":"PJSIP/101"},"id":"earshot-1","what":"originate"}`} {
		if err == nil || !strings.Contains(err.Error(), order) {
			t.Errorf("%s is not in %v", order, err)
		}
	}
}
