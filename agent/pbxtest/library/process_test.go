package library_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// begin starts a shell script in the place of a driver.
func begin(t *testing.T, script string) (p *library.Process, dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	p, err := library.Run(library.Library{Name: "made up"}, cmd, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, dir
}

func TestWhatADriverSaysIsHandedOver(t *testing.T) {
	p, dir := begin(t, `read connect
echo "$connect" >orders
echo 'what the library prints'
echo '{"say":"in"}'
read ask
echo "$ask" >>orders
echo '{"say":"event","fields":{"n":1}}'
echo '{"say":"answer","id":"another","ok":true}'
echo '{"say":"answer","id":"earshot-1","ok":true,"rows":[{"n":2}]}'
read leave
echo '{"say":"left","why":"Goodbye"}'
read more
`)
	ctx := t.Context()
	if err := p.Connect(ctx, map[string]any{"user": "anna"}); err != nil {
		t.Fatal(err)
	}
	since := p.Seen()
	if a, err := p.Ask(ctx, "send", "Ping", map[string]any{"what": "Ping"}); err != nil || !a.OK || len(a.Rows) != 1 || a.Rows[0]["n"] != 2.0 {
		t.Errorf("the answer is %v, %v", a, err)
	}
	orders, err := os.ReadFile(filepath.Join(dir, "orders"))
	if want := `{"do":"connect","user":"anna"}` + "\n" + `{"do":"send","id":"earshot-1","what":"Ping"}` + "\n"; err != nil || string(orders) != want {
		t.Errorf("the orders are %s, %v", orders, err)
	}
	if s, err := p.Wait(ctx, since, "it is told", func(s *library.Said) bool { return s.Say == "event" }); err != nil || s.Fields["n"] != 1.0 {
		t.Errorf("the event is %v, %v", s, err)
	}
	if n := len(p.Said(since)); n != 3 || strings.Contains(p.Text(), "what the library prints") {
		t.Errorf("%d were said, in %s", n, p.Text())
	}
	if word, err := p.Leave(ctx); err != nil || word != "Goodbye" {
		t.Errorf("it left with %q, %v", word, err)
	}
}

func TestARefusalAndAnEndAreTold(t *testing.T) {
	p, _ := begin(t, `read connect
echo '{"say":"refused","why":"Authentication failed"}'
read action
echo 'Traceback' >&2
exit 3
`)
	ctx := t.Context()
	var refused *library.Refused
	if err := p.Connect(ctx, nil); !errors.As(err, &refused) || refused.Why != "Authentication failed" {
		t.Errorf("the log-in: %v", err)
	}
	_, err := p.Ask(ctx, "send", "Ping", nil)
	for _, part := range []string{"made up", "Ping", "has ended", "exit status 3", "Traceback", "Authentication failed"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}

	quiet, _ := begin(t, "read connect; read more")
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := quiet.Connect(short, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a library that says nothing: %v", err)
	}
}
