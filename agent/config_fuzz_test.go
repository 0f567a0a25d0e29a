package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
)

// placed is how every fault of a configuration begins.
var placed = regexp.MustCompile(`^.*earshot\.yaml(:[1-9][0-9]*:[1-9][0-9]*)?: `)

// A configuration is taken as a whole or not at all, each fault at a place; what is taken says the same when it is read again, is refused when its end is
// broken, opens no door of AMI or ARI to a network without saying so, and takes no more memory than its length explains.
func FuzzConfig(f *testing.F) {
	f.Add(minimal)
	for _, more := range []string{
		"http: {listen: \":80\"}\n", "http: {listen: \"127.0.0.1:9090\"}\n", "supervision: {lease: 30s}\n", "log: {level: debug, format: console}\n", "x: 1\n",
		"policy: [a, b]\n", "journal: {file: j, keep: 1h}\n", "ami: {listen: \"127.0.0.1:5039\"}\n", "ari: {listen: \"0.0.0.0:8088\"}\n", "cluster: {pbx: a}\n",
		"&a {<<: *a}\n", "cache: {redis: \"redis://a:1?x=y\"}\n", "publication: {role: follow, key_file: k, copy: c}\n", "recordings: {spools: [{name: a, path: b, pattern: \"*{uniqueid}*\"}]}\n",
		"dialling: {context: \"a b\"}\n", "phone: {codes: {spy: \"*50\"}}\n", "directory: {sources: [{name: crm, http: {url: \"http://127.0.0.1/{number}\"}}]}\n",
	} {
		f.Add(minimal + more)
	}
	sample, err := os.ReadFile(filepath.Join("..", "deploy", "earshot.example.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	dir := f.TempDir()
	path := filepath.Join(dir, "earshot.yaml")
	read := func(t *testing.T, text string) (*agent.Config, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return agent.LoadConfig(path)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var cfg *agent.Config
		var err error
		limit := 8<<20 + uint64(len(text))*16<<10
		if n := allocation.Least(limit, func() { cfg, err = read(t, text) }); n > limit {
			t.Errorf("%d bytes of text have taken %d", len(text), n)
		}
		if err != nil {
			if cfg != nil {
				t.Fatal("a configuration beside an error")
			}
			for line := range strings.Lines(err.Error()) {
				if !placed.MatchString(line) {
					t.Fatalf("a fault without a place: %q", line)
				}
			}
			return
		}
		again, err := read(t, text)
		if err != nil || fmt.Sprint(*again) != fmt.Sprint(*cfg) || !reflect.DeepEqual(again, cfg) {
			t.Fatalf("read again it says something else: %v", err)
		}
		if broken, err := read(t, text+"\nunheard_of: 1\n"); err == nil || broken != nil {
			t.Fatal("a file with a broken end is taken")
		}
		if cfg.Tokens == "" || cfg.Audit.File == "" || cfg.PBX.AMI.SecretFile == "" || cfg.PBX.ARI.PasswordFile == "" || cfg.HTTP.Listen == cfg.Admin.Listen && !strings.HasSuffix(cfg.Admin.Listen, ":0") {
			t.Fatalf("what has to be there is not: %+v", cfg)
		}
	})
}
