package policyfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// However a policy is split over files and folders, and in whatever order they are given, it decides as the one file does.
func TestASplitPolicyDecidesAsTheOneFile(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("..", "..", "testdata", "policies", "good", "*.yaml"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) {
			data, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			one, _, err := policyfile.Load([]string{sample}, at)
			if err != nil {
				t.Fatal(err)
			}
			want := decisions(one)
			for _, allowed := range []bool{true, false} {
				if !slices.ContainsFunc(want, func(d decision) bool { return d.Allowed == allowed }) {
					t.Fatalf("no decision is %t, so this sample shows nothing", allowed)
				}
			}
			scratch := t.TempDir()
			rapid.Check(t, func(t *rapid.T) {
				dir, err := os.MkdirTemp(scratch, "")
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				set, _, err := policyfile.Load(split(t, dir, data), at)
				if err != nil {
					t.Fatal(err)
				}
				if got := decisions(set); !slices.Equal(got, want) {
					for i := range min(len(got), len(want)) {
						if got[i] != want[i] {
							t.Fatalf("split: %+v\none file: %+v", got[i], want[i])
						}
					}
					t.Fatalf("%d decisions, want %d", len(got), len(want))
				}
			})
		})
	}
}

// decision is one, with what was asked; the rule, which is at another place in other files, left out.
type decision struct {
	subject, action, on string
	variant             int // of the same question
	policy.Decision
}

// decisions are those of a policy about everything that can be asked about one subject and one target or number, in the order of the
// employees' ids.
func decisions(set *policy.Set) []decision {
	var all []decision
	note := func(subject policy.Ref, action policy.Action, on string, variant int, d policy.Decision) {
		d.Rule = 0
		all = append(all, decision{set.ID(subject), action.String(), on, variant, d})
	}
	numbers := []string{"112", "103", "101", "301", "*98", "+74951112233", "+79161112233", "+79160000301", "880055", "112233"}
	everybody := slices.SortedFunc(set.Employees(), func(a, b policy.Ref) int { return strings.Compare(set.ID(a), set.ID(b)) })
	for _, subject := range everybody {
		others := slices.DeleteFunc(slices.Clone(everybody), func(r policy.Ref) bool { return r == subject })
		for _, number := range numbers {
			to := set.Destination(number)
			for i, client := range []bool{false, true} {
				to.Client = client
				note(subject, policy.Dial, number, i, set.DecideDial(subject, &to))
			}
		}
		for _, target := range everybody {
			for _, action := range policy.Actions() {
				for i, req := range []policy.Request{{}, {Responsible: subject}, {Party: true}, {ProtectedNumber: true}, {UnknownPhone: true}, {With: others}} {
					req.Subject, req.Action, req.Target = subject, action, target
					note(subject, action, set.ID(target), i, set.Decide(&req))
				}
			}
		}
	}
	return all
}

// split writes a policy, entry by entry, into files and folders as they come, and returns the paths that lead to all of them.
func split(t *rapid.T, dir string, data []byte) (paths []string) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	places := []string{"a.yaml", "b.yml", "c/a.yaml", "c/d/e.yaml", "c/d/f.yml", "g/a.yaml"}
	places = places[:rapid.IntRange(1, len(places)).Draw(t, "files")]
	files := make(map[string]*yaml.Node)
	for _, place := range places {
		files[place] = &yaml.Node{Kind: yaml.MappingNode}
		add(files[place], "version", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "1"})
	}
	deal(files, places, doc.Content[0], func() string { return rapid.SampledFrom(places).Draw(t, "place") })
	for place, node := range files {
		text, err := yaml.Marshal(node)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, place)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if rapid.Bool().Draw(t, "by one folder") {
		return []string{dir}
	}
	// Each file by its own name or by a folder that it is in, so that some are reached twice.
	for _, place := range places {
		path := filepath.Join(dir, place)
		if parent := filepath.Dir(path); parent != dir && rapid.Bool().Draw(t, "by its folder") {
			path = parent
		}
		paths = append(paths, path)
	}
	return rapid.Permutation(paths).Draw(t, "order")
}

// deal puts each entry of each section into a file that is drawn for it. What is one word goes into one file.
func deal(files map[string]*yaml.Node, places []string, root *yaml.Node, draw func() string) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, section := root.Content[i].Value, root.Content[i+1]
		into := make(map[string]*yaml.Node)
		part := func() *yaml.Node {
			place := draw()
			if into[place] == nil {
				into[place] = &yaml.Node{Kind: section.Kind, Tag: section.Tag}
			}
			return into[place]
		}
		switch {
		case key == "version":
			continue
		case section.Kind == yaml.ScalarNode:
			into[draw()] = section
		case key == "protected": // its parts are lists, whose items are the entries
			parts := make(map[string]*yaml.Node)
			for _, place := range places {
				parts[place] = &yaml.Node{Kind: yaml.MappingNode}
			}
			deal(parts, places, section, draw)
			for _, place := range places {
				if len(parts[place].Content) > 0 {
					into[place] = parts[place]
				}
			}
		case section.Kind == yaml.MappingNode:
			for j := 0; j+1 < len(section.Content); j += 2 {
				p := part()
				p.Content = append(p.Content, section.Content[j], section.Content[j+1])
			}
		default:
			for _, item := range section.Content {
				p := part()
				p.Content = append(p.Content, item)
			}
		}
		for _, place := range places {
			if into[place] != nil {
				add(files[place], key, into[place])
			}
		}
	}
}

func add(to *yaml.Node, key string, value *yaml.Node) {
	to.Content = append(to.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}
