package clients_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

var staff = clients.Environment{Known: func(id string) bool { return slices.Contains([]string{"anna", "boris", "vera"}, id) }}

func openPushed(t testing.TB, path string, limit int, env clients.Environment) *clients.Pushed {
	t.Helper()
	p, err := clients.OpenPushed("pushed", "RU", clients.PushedConfig{File: path, Max: limit}, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func put(t testing.TB, p *clients.Pushed, list ...clients.Client) {
	t.Helper()
	if err := p.Put(context.Background(), list); err != nil {
		t.Fatal(err)
	}
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func TestWhatIsPushedIsThereAndThereAgainAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	var changes []string
	env := staff
	env.OnChange = func(number string) { changes = append(changes, number) }
	p := openPushed(t, path, 0, env)
	acme := clients.Client{Number: "8 (916) 123-45-67", Name: "Acme", Responsible: "anna", Access: []string{"boris", "anna", "boris"}}
	put(t, p, acme, clients.Client{Number: "2205", Name: "Branch"})
	put(t, p, clients.Client{Number: "+79261112233", Name: "Bolt", Responsible: "vera"})
	before := size(t, path)
	put(t, p, acme) // the same again
	if err := p.Delete(context.Background(), []string{"+79269999999"}); err != nil {
		t.Fatal(err)
	}
	if after := size(t, path); after != before || len(changes) != 3 {
		t.Errorf("what changes nothing wrote %d bytes and told of %q", after-before, changes)
	}
	put(t, p, clients.Client{Number: "79261112233", Name: "Bolt & Nut"})
	if err := p.Delete(context.Background(), []string{"2205", "22-05"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{vera, "2205", stranger, stranger, "2205"}; !slices.Equal(changes[:4], want[:4]) || changes[4] != "2205" {
		t.Errorf("told of %q", changes)
	}
	for range 2 {
		for _, number := range []string{vera, "89161234567", "9161234567"} {
			c, a := p.Find(number)
			if a != clients.Found || c.Number != vera || c.Name != "Acme" || c.Responsible != "anna" || !slices.Equal(c.Access, []string{"boris"}) {
				t.Errorf("%s: %v, %q, %q", number, a, c.Name, c.Access)
			}
		}
		if c, a := p.Find(stranger); a != clients.Found || c.Name != "Bolt & Nut" || c.Responsible != "" {
			t.Errorf("%v, %q", a, c.Name)
		}
		for _, number := range []string{"2205", "anonymous", "+79269999999", ""} {
			if c, a := p.Find(number); a != clients.Stranger || c.Name != "" {
				t.Errorf("%s: %v", number, a)
			}
		}
		if p.Len() != 2 {
			t.Errorf("%d clients", p.Len())
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p = openPushed(t, path, 0, clients.Environment{}) // whoever left since
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	p.Close()
	if err := p.Put(context.Background(), []clients.Client{{Number: "101", Name: "A"}}); !errors.Is(err, clients.ErrDisk) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOfABatchWithAFaultNothingIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	p := openPushed(t, path, 3, staff)
	defer p.Close()
	put(t, p, clients.Client{Number: "101", Name: "A"})
	before := size(t, path)
	ok := clients.Client{Number: vera, Name: "Acme"}
	for name, tc := range map[string]struct {
		bad  clients.Client
		want string
	}{
		"no number":           {clients.Client{Number: "+7916FLOWERS", Name: "B"}, "clients[1]: this is no possible telephone number"},
		"the same number":     {clients.Client{Number: "8 916 1234567", Name: "B"}, "clients[1]: clients[0] has the same number"},
		"no name":             {clients.Client{Number: "102"}, "clients[1]: a name has 1 to 256 bytes, all printable"},
		"a name with a break": {clients.Client{Number: "102", Name: "a\nb"}, "clients[1]: a name has 1 to 256 bytes, all printable"},
		"an unknown employee": {clients.Client{Number: "102", Name: "B", Responsible: "eve"}, "clients[1]: responsible is no employee's id in the policy; add the employee there first, or leave it empty"},
		"unknown access":      {clients.Client{Number: "102", Name: "B", Access: []string{"anna", "eve"}}, "clients[1]: access has an id that is no employee's in the policy; add the employee there first, or leave the id out"},
		"access of nobody":    {clients.Client{Number: "102", Name: "B", Access: []string{""}}, "clients[1]: access has an id that is no employee's in the policy; add the employee there first, or leave the id out"},
		"access of too many":  {clients.Client{Number: "102", Name: "B", Access: make([]string, 101)}, "clients[1]: at most 100 have access"},
	} {
		err := p.Put(context.Background(), []clients.Client{ok, tc.bad})
		if fault := (*clients.EntryError)(nil); err == nil || err.Error() != tc.want || !errors.As(err, &fault) || fault.Index != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.Put(context.Background(), []clients.Client{ok, {Number: "102", Name: "B"}, {Number: "103", Name: "C"}}); !errors.Is(err, clients.ErrFull) {
		t.Errorf("too many: %v", err)
	}
	if err := p.Put(context.Background(), make([]clients.Client, 10_001)); err == nil || err.Error() != "clients[10000]: at most 10000 at a time" {
		t.Errorf("too many at a time: %v", err)
	}
	if err := p.Delete(context.Background(), []string{"101", "nobody"}); err == nil || err.Error() != "clients[1]: this is no possible telephone number" {
		t.Errorf("delete: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Put(ctx, []clients.Client{ok}); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
	if p.Len() != 1 || size(t, path) != before {
		t.Errorf("%d clients, %d bytes more", p.Len(), size(t, path)-before)
	}
	put(t, p, ok, clients.Client{Number: "102", Name: "B"}) // as many as there may be
	put(t, p, clients.Client{Number: "101", Name: "C"}, ok)
}

func TestAFileThatACrashLeftIsReadUpToTheLastWholeLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	p := openPushed(t, path, 0, staff)
	put(t, p, clients.Client{Number: "101", Name: "A"})
	kept := size(t, path)
	put(t, p, clients.Client{Number: "101", Name: "B"}, clients.Client{Number: "102", Name: "C"})
	p.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range int64(len(whole)) {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		p := openPushed(t, path, 0, staff)
		c, a := p.Find("101")
		if want := cut >= kept; (a == clients.Found) != want || want && c.Name != "A" {
			t.Fatalf("cut at %d: %v, %q", cut, a, c.Name)
		}
		if n := size(t, path); cut >= kept && n != kept {
			t.Fatalf("cut at %d the file has %d bytes, want %d", cut, n, kept)
		}
		if _, a := p.Find("102"); a != clients.Stranger {
			t.Fatalf("cut at %d a part of a batch is there", cut)
		}
		if cut%16 != 0 { // every byte of what follows waits for the disk
			p.Close()
			continue
		}
		put(t, p, clients.Client{Number: "103", Name: "D"})
		p.Close()
		p = openPushed(t, path, 0, staff)
		if c, _ := p.Find("103"); c.Name != "D" {
			t.Fatalf("cut at %d nothing can be written after it", cut)
		}
		p.Close()
	}
}

func TestADamagedFileIsNotTaken(t *testing.T) {
	const head = `{"earshot":"clients","version":1}` + "\n"
	for name, tc := range map[string]struct{ text, want string }{
		"another file":         {"number,name\n101,A\n", ":1: this is no file of pushed clients; name another, or move this one away"},
		"another version":      {`{"earshot":"clients","version":2}` + "\n", ":1: this is no file of pushed clients; name another, or move this one away"},
		"another file's start": {"number", ":1: this is no file of pushed clients; name another, or move this one away"},
		"a damaged line":       {head + `{"put":[{"number":"101","name":"A"}]}` + "\n{x\n{}\n", ":3: this line is damaged; put the file back from a backup, or delete the line and have the CRM send its clients again"},
		"an unknown key":       {head + `{"puts":[]}` + "\n", ":2: this line is damaged; put the file back from a backup, or delete the line and have the CRM send its clients again"},
		"no number":            {head + `{"put":[{"number":"89161234567","name":"A"}]}` + "\n", ":2: this is no client as Earshot writes him"},
		"too many":             {head + `{"put":[{"number":"101","name":"A"},{"number":"102","name":"A"}]}` + "\n", ":2: there are more than 1 clients; raise max"},
	} {
		path := file(t, tc.text)
		_, err := clients.OpenPushed("pushed", "RU", clients.PushedConfig{File: path, Max: 1}, staff)
		if err == nil || err.Error() != "clients: "+path+tc.want {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != tc.text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	p := openPushed(t, path, 0, staff)
	defer p.Close()
	if _, err := clients.OpenPushed("pushed", "RU", clients.PushedConfig{File: path}, staff); err == nil || !strings.HasSuffix(err.Error(), "another Earshot has this file open") {
		t.Errorf("opened twice: %v", err)
	}
}

func TestAFileThatIsMostlyOutOfDateIsWrittenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	p := openPushed(t, path, 0, staff)
	list := make([]clients.Client, 400)
	largest := int64(0)
	for round := range 30 {
		for i := range list {
			list[i] = clients.Client{Number: fmt.Sprintf("+7916%07d", i), Name: fmt.Sprintf("Client %d of round %d %s", i, round, strings.Repeat("x", 200)), Responsible: "anna"}
		}
		put(t, p, list...)
		largest = max(largest, size(t, path))
	}
	if largest > 3<<19 {
		t.Errorf("the file grew to %d bytes", largest)
	}
	p.Close()
	p = openPushed(t, path, 0, staff)
	defer p.Close()
	if c, a := p.Find(list[399].Number); a != clients.Found || c.Name != list[399].Name || p.Len() != 400 {
		t.Errorf("%v, %q, %d clients", a, c.Name, p.Len())
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}

func TestManyPushWhileManyAsk(t *testing.T) {
	p := openPushed(t, filepath.Join(t.TempDir(), "pushed.jsonl"), 0, staff)
	defer p.Close()
	put(t, p, clients.Client{Number: vera, Name: "Vera"})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for n := range 20 {
				if err := p.Put(context.Background(), []clients.Client{{Number: fmt.Sprintf("+7916%d00%04d", w, n), Name: "N"}}); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 2000 {
				if _, a := p.Find("89161234567"); a != clients.Found {
					t.Error("the client is lost")
				}
			}
		})
	}
	wg.Wait()
	if p.Len() != 61 {
		t.Errorf("%d clients", p.Len())
	}
}

func BenchmarkPushed(b *testing.B) {
	p := openPushed(b, filepath.Join(b.TempDir(), "pushed.jsonl"), 0, clients.Environment{})
	defer p.Close()
	list := make([]clients.Client, many)
	for i := range list {
		list[i] = clients.Client{Number: fmt.Sprintf("+7916%07d", i), Name: fmt.Sprintf("Client %d", i), Responsible: "anna"}
	}
	for part := range slices.Chunk(list, 10_000) {
		put(b, p, part...)
	}
	b.Run("look-up", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i = (i + 1) % many {
			if _, a := p.Find(list[i].Number); a != clients.Found {
				b.Fatal(a)
			}
		}
	})
	b.Run("put one", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			put(b, p, clients.Client{Number: list[i%many].Number, Name: fmt.Sprint("Anew ", i)})
		}
	})
}
