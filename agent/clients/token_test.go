package clients_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

func TestOnlyTheTokenInTheFileIsTheCRMs(t *testing.T) {
	const first, second = "the-f1rst-t0ken-of-it", "the-s3cond-t0ken-of-it"
	path := file(t, first+"\r\n")
	c := clients.Config{Region: "RU", Sources: []clients.SourceConfig{
		{Name: "crm", Pushed: clients.PushedConfig{File: filepath.Join(t.TempDir(), "pushed.jsonl"), TokenFile: path}},
	}}
	s, _ := openSources(t, c, clients.Environment{})
	p := s.Pushed()
	if p.Name() != "crm" || len(s.Files()) != 1 || s.Files()[0].Path != path {
		t.Fatalf("%q, watched %v", p.Name(), s.Files())
	}
	trusts := func(good string) {
		t.Helper()
		for _, token := range []string{first, second, "", first + "\n", first[1:], first + " ", strings.ToUpper(first)} {
			if p.Trusts(token) != (token == good) {
				t.Errorf("%q is believed: %v", token, p.Trusts(token))
			}
		}
	}
	trusts(first)
	for name, text := range map[string]string{
		"nothing": "", "two lines": "one-l1ne-of-a-token\nanother\n", "a short one": "fifteen-letters\n", "spaces": "a token with spaces in it\n",
		"what no header has": "токен-который-длинный\n", "a control": "a-t0ken\twith-a-tab-in-it\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Reload()
		if err == nil || !strings.HasPrefix(err.Error(), "clients: crm: pushed.token_file: "+path+": ") || text != "" && strings.Contains(err.Error(), strings.TrimSpace(text)) {
			t.Errorf("%s: %v", name, err)
		}
		trusts(first)
		if _, err := c.Check(); err == nil || !strings.Contains(err.Error(), "pushed.token_file: "+path) {
			t.Errorf("%s is checked: %v", name, err)
		}
		if s, err := clients.New(clients.Config{Sources: []clients.SourceConfig{{Name: "crm", Pushed: clients.PushedConfig{File: filepath.Join(t.TempDir(), "p"), TokenFile: path}}}}, clients.Environment{}); err == nil || s != nil {
			t.Errorf("%s is opened", name)
		}
	}
	if err := os.WriteFile(path, []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	trusts(second)
	none := openPushed(t, filepath.Join(t.TempDir(), "pushed.jsonl"), 0, clients.Environment{})
	defer none.Close()
	if none.Trusts("") || none.Trusts(second) {
		t.Error("without a token somebody is believed")
	}
}

func TestAChangeTellsWhatItHasChanged(t *testing.T) {
	p := openPushed(t, filepath.Join(t.TempDir(), "pushed.jsonl"), 3, staff)
	defer p.Close()
	do := func(want clients.Counts, c clients.Change, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if _, a := p.Find("103"); a != clients.Stranger {
			t.Error("what is only checked is done")
		}
		if got, err := c.Do(context.Background()); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	c, err := p.Putting([]clients.Client{{Number: "101", Name: "A"}, {Number: "102", Name: "B"}})
	do(clients.Counts{Added: 2, Total: 2}, c, err)
	c, err = p.Putting([]clients.Client{{Number: "101", Name: "A"}, {Number: "102", Name: "C"}, {Number: "104", Name: "D"}})
	do(clients.Counts{Added: 1, Changed: 1, Unchanged: 1, Total: 3}, c, err)
	c, err = p.Putting([]clients.Client{{Number: "101", Name: "A"}})
	do(clients.Counts{Unchanged: 1, Total: 3}, c, err)
	c, err = p.Deleting([]string{"1-0-1", "101", "109", "102", "109"})
	do(clients.Counts{Deleted: 2, Unchanged: 1, Total: 1}, c, err)
	c, err = p.Deleting([]string{"101"})
	do(clients.Counts{Unchanged: 1, Total: 1}, c, err)
	if c, err = p.Putting([]clients.Client{{Number: "105", Name: "E"}, {Number: "106", Name: "F"}, {Number: "107", Name: "G"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Do(context.Background()); !errors.Is(err, clients.ErrFull) || got != (clients.Counts{}) || p.Len() != 1 {
		t.Errorf("too many: %+v, %v", got, err)
	}
	for name, token := range map[string]string{form: event("ONCRMCONTACTUPDATE", "82", "t0ken"), js: `{"token": "t0ken", "all": true}`} {
		if got, err := clients.HookToken(name, []byte(token)); err != nil || got != "t0ken" {
			t.Errorf("%s presents %q, %v", name, got, err)
		}
	}
	if _, err := clients.HookToken(js, []byte(`{"token": "t0ken"}`)); !errors.Is(err, clients.ErrWebhook) {
		t.Errorf("%v", err)
	}
}
