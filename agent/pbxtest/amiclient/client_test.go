package amiclient_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/amiclient"
	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatALibraryHandsOverIsReadAsAMI(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `read connect
echo "$connect" >order
echo '{"say":"in"}'
read list
echo '{"say":"answer","id":"earshot-1","ok":true,"fields":{"ActionID":"7"}}'
echo '{"say":"event","fields":{"Event":"Row","ActionID":"7","Chan Variable":["a=1","b=2"]}}'
echo '{"say":"event","fields":{"Event":"Foreign","ActionID":"8"}}'
echo '{"say":"event","fields":{"Event":"RowComplete","ActionID":"7","EventList":"Complete"}}'
read list
echo '{"say":"answer","id":"earshot-2","ok":true,"fields":{},"rows":[{"Event":"Row"},{"EventList":"complete"}]}'
read action
echo '{"say":"answer","id":"earshot-3","ok":false,"fields":{"Message":"Permission denied"}}'
echo '{"say":"out"}'
echo '{"say":"in"}'
read more
`)
	cmd.Dir = dir
	p, err := library.Run(library.Library{Name: "made up"}, cmd, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	c, ctx := &amiclient.Client{Process: p}, t.Context()
	if err := c.Connect(ctx, amiclient.Login{Addr: "127.0.0.1:5038", User: "anna", Secret: "s", Again: true}); err != nil {
		t.Fatal(err)
	}
	order, err := os.ReadFile(filepath.Join(dir, "order"))
	if want := `{"again":true,"do":"connect","host":"127.0.0.1","port":5038,"secret":"s","user":"anna"}`; err != nil || strings.TrimSpace(string(order)) != want {
		t.Errorf("the order is %s, %v", order, err)
	}
	for _, want := range [][]amiclient.Fields{
		{{"event": "Row", "actionid": "7", "chan variable": "a=1\nb=2"}}, // rows as events
		{{"event": "Row"}}, // rows with the answer
	} {
		if a, err := c.List(ctx, map[string]string{"Action": "Rows"}); err != nil || !a.OK || !reflect.DeepEqual(a.Rows, want) {
			t.Errorf("the list is %v, %v", a, err)
		}
	}
	since := c.Seen()
	if a, err := c.Do(ctx, map[string]string{"Action": "Command"}); err != nil || a.OK || a.Message() != "Permission denied" {
		t.Errorf("the answer is %v, %v", a, err)
	}
	if err := c.Back(ctx, since); err != nil {
		t.Error(err)
	}
	if e, err := c.WaitEvent(ctx, 0, "it is told", func(f amiclient.Fields) bool { return f["event"] == "Foreign" }); err != nil || e["actionid"] != "8" {
		t.Errorf("the event is %v, %v", e, err)
	}
	if n := len(c.Events(0)); n != 3 {
		t.Errorf("%d events, in %s", n, c.Text())
	}
}
