package agent

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
)

// A file with quick replies is taken as a whole or not at all, each fault at a place; what is taken is what a plain reading finds, of bounded length and no
// more than there may be, with each id once on a line.
func FuzzReplies(f *testing.F) {
	for _, text := range []string{
		"replies:\n  - {line: [sales, support], id: hello, title: Greeting, text: \"Good day.\"}\n  - {line: sales, id: price, text: p}\n", "replies: []\n", "", "{}", "replies:\n  - {id: a, text: b}\n",
		"replies:\n  - {line: s, id: a, text: b}\n  - {line: [x, s], id: a, text: c}\n", "replies:\n  - {line: [s, s], id: a, text: b}\n", "replies: [{line: s, id: 1, text: 2}]\n", "replies: ~\n",
		"replies: [&a {line: s, id: a, text: b}, {<<: *a, id: c}]\n", "answers: []\n", "replies:\n  - {line: s, id: a, text: |\n", "---\nreplies: []\n---\n", "replies: [{line: \"\", id: \"\\0\", text: \"\\u2028\"}]\n",
	} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "replies.yaml")
	placed := regexp.MustCompile(`^replies\.yaml:[1-9][0-9]*:[1-9][0-9]*: .`)
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var of map[string][]mask.Reply
		var err error
		limit := 4<<20 + uint64(len(text))*16<<10
		if n := allocation.Least(limit, func() { of, err = loadReplies(path) }); n > limit {
			t.Errorf("%d bytes of text have taken %d", len(text), n)
		}
		if err != nil {
			if of != nil {
				t.Fatal("replies beside an error")
			}
			for line := range strings.Lines(err.Error()) {
				if !placed.MatchString(line) {
					t.Fatalf("a fault without a place: %q", line)
				}
			}
			return
		}
		var plain struct {
			Replies []struct {
				Line            yaml.Node
				ID, Title, Text string
			}
		}
		if err := yaml.Unmarshal([]byte(text), &plain); err != nil {
			t.Fatalf("it is taken and is not YAML: %v", err)
		}
		want, wanted := map[string][]mask.Reply{}, 0
		for _, r := range plain.Replies {
			nodes := []*yaml.Node{&r.Line}
			if r.Line.Kind == yaml.AliasNode {
				nodes[0] = r.Line.Alias
			}
			if nodes[0].Kind == yaml.SequenceNode {
				nodes = nodes[0].Content
			}
			for _, n := range nodes {
				if n.Kind == yaml.AliasNode {
					n = n.Alias
				}
				var line string
				if err := n.Decode(&line); err != nil {
					t.Fatal(err)
				}
				title := r.Title
				if title == "" {
					title = r.ID
				}
				want[line] = append(want[line], mask.Reply{ID: r.ID, Title: title, Text: r.Text})
				wanted++
			}
		}
		got := 0
		for line, replies := range of {
			seen := map[string]bool{}
			for i, r := range replies {
				if seen[r.ID] || r.ID == "" || r.Text == "" || len(r.Text) > maxReplyText || i >= len(want[line]) || r != want[line][i] {
					t.Fatalf("the line %q has %+v, want %+v", line, replies, want[line])
				}
				seen[r.ID], got = true, got+1
			}
		}
		if got != wanted || len(plain.Replies) > maxReplies {
			t.Fatalf("%d replies of %d", got, wanted)
		}
		if err := os.WriteFile(path, []byte(text+"\nunheard_of: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if of, err := loadReplies(path); err == nil || of != nil {
			t.Fatal("a file with a broken end is taken")
		}
	})
}
