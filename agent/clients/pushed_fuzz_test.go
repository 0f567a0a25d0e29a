package clients_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
)

// A file of pushed clients is taken as a whole but for a last line that was not written to its end, or it is refused and stays as it is; what is taken is
// there again the next time.
func FuzzPushedFile(f *testing.F) {
	const head = `{"earshot":"clients","version":1}` + "\n"
	for _, lines := range []string{
		"", head, head[:9], head + `{"put":[{"number":"+79161234567","name":"Acme","responsible":"anna","access":["boris"]}]}` + "\n", head + `{"delete":["+79161234567"]}` + "\n",
		head + `{"put":[{"number":"101","name":"A"}]}` + "\n" + `{"put":[{"num`, head + `{"put":[{"number":"8 916","name":"A"}]}` + "\n", head + "{}\n\n", head + `{"Put":[]}` + "\n", "x\n", head + `{"put":[{"number":"101","name":"\u0000"}]}` + "\n",
	} {
		f.Add([]byte(lines))
	}
	path := filepath.Join(f.TempDir(), "pushed.jsonl")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var p *clients.Pushed
		var err error
		limit := 4<<20 + uint64(len(data))*1000
		if n := allocation.Least(limit, func() {
			if p != nil {
				_ = p.Close()
			}
			p, err = clients.OpenPushed("pushed", "RU", clients.PushedConfig{File: path}, staff)
		}); n > limit {
			t.Errorf("%d bytes have taken %d", len(data), n)
		}
		after, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil {
			if p != nil || string(after) != string(data) {
				t.Fatalf("refused, and changed: %v", err)
			}
			return
		}
		n := p.Len()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if len(after) > max(len(data), len(head)) || len(data) >= len(head) && string(after) != string(data[:len(after)]) {
			t.Fatalf("%q became %q", data, after)
		}
		again, err := clients.OpenPushed("pushed", "RU", clients.PushedConfig{File: path}, staff)
		if err != nil || again.Len() != n {
			t.Fatalf("opened again it is %v", err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
