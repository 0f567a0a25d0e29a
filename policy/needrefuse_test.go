package policy_test

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// The words of what refuses, as an administrator takes them who knows no more of them than he reads.
var (
	wordsWrite = regexp.MustCompile(`^write (\S+): (.+?)(, which bars .*|, for everybody .*)?$`)
	wordsName  = regexp.MustCompile(`^add ([^ ,]+) to (\S+), which bars whatever grants there are$`)
	wordsTake  = regexp.MustCompile(`^take policy.yaml:\d+:\d+: (\S+?)( \((\w+)\))? away(, for everybody .*)?$`)
	wordsReach = regexp.MustCompile(`^let policy.yaml:\d+:\d+: (\S+) reach none(, for everybody .*)?$`)
)

// keysOf are the keys of a path in words, where those of settings and lines have a dot of their own.
func keysOf(path string) []string {
	keys := strings.Split(path, ".")
	if len(keys) > 3 && (keys[2] == "settings" || keys[2] == "line") {
		keys = append(append(keys[:2:2], keys[2]+"."+keys[3]), keys[4:]...)
	}
	return keys
}

// at is what stands at a path, exactly as it is written there.
func (x *text) at(t *rapid.T, path []string) *yaml.Node {
	n := x.root
	for _, key := range path {
		if n = child(n, key); n == nil {
			t.Fatalf("there is no %s in\n%s", strings.Join(path, "."), x)
		}
	}
	return n
}

// follow does what the words say and nothing else. It must need no guess: a right that is to be added to must be a map.
func (x *text) follow(t *rapid.T, words string) {
	if m := wordsWrite.FindStringSubmatch(words); m != nil {
		path := keysOf(m[1])
		put(x.at(t, path[:len(path)-1]), path[len(path)-1], parsed(m[2]))
		return
	}
	if m := wordsName.FindStringSubmatch(words); m != nil {
		path := keysOf(m[2])
		n := x.at(t, path[:3])
		for _, key := range path[3:] {
			if n.Kind != yaml.MappingNode {
				t.Fatalf("%s: that stands in no map\n%s", words, x)
			}
			next := child(n, key)
			if next == nil {
				next = parsed(map[bool]string{true: "[]", false: "{}"}[key == path[len(path)-1]])
				put(n, key, next)
			}
			n = next
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: m[1], Style: yaml.DoubleQuotedStyle})
		return
	}
	if m := wordsReach.FindStringSubmatch(words); m != nil {
		n := x.at(t, keysOf(m[1]))
		if n.Kind != yaml.MappingNode {
			t.Fatalf("%s: that is no map\n%s", words, x)
		}
		drop(n, "only")
		put(n, "to", parsed("none"))
		return
	}
	m := wordsTake.FindStringSubmatch(words)
	if m == nil {
		t.Fatalf("who knows what to do by %q?", words)
	}
	path := keysOf(m[1])
	n, up, last := x.at(t, path), x.at(t, path[:len(path)-1]), path[len(path)-1]
	switch {
	case m[3] == "":
		drop(up, last)
	case n.Kind == yaml.ScalarNode: // clients+employees
		put(up, last, parsed(strings.Trim(strings.Replace(n.Value, m[3], "", 1), "+")))
	case child(n, "to") != nil:
		n = child(n, "to")
		n.Value = strings.Trim(strings.Replace(n.Value, m[3], "", 1), "+")
	default:
		drop(n, m[3])
	}
}

// refuses wants of each way to refuse, carried out by its edits and by its words, that it refuses and gives nobody anything.
func refuses(t *rapid.T, x *text, was policy.Explanation, seen map[policy.EditKind]int, again func(set *policy.Set, req *policy.Request) policy.Explanation, req policy.Request) {
	before := x.String()
	had, _, err := policy.Load("policy.yaml", []byte(before), day)
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range was.Needs[0].Ways {
		byEdits, byWords := edited(t, x.model, before), edited(t, x.model, before)
		for _, e := range way.Edits {
			seen[e.Kind]++
			byEdits.carry(t, e, nil, nil)
			byWords.follow(t, e.Text)
		}
		for _, y := range []*text{byEdits, byWords} {
			set, _, err := policy.Load("policy.yaml", []byte(y.String()), day)
			if err != nil {
				t.Fatalf("%v\nafter\n%s\n%s\n%s", err, way, before, y)
			}
			asked := req
			if again(set, &asked).Decision.Allowed {
				t.Fatalf("%s: it stays\n%s\n---\n%s", way, before, y)
			}
			for p := range policy.Compare(had, set, day).People() {
				for i := range p.Changes {
					if c := &p.Changes[i]; c.Gained() && c.Kind != policy.ChangeDial { // which is told by words, and asked for below
						t.Fatalf("%s: gives %s %s on %s\n%s\n---\n%s", way, p.ID, c.Action, c.Text(), before, y)
					}
				}
			}
			for who := range had.Employees() {
				for _, number := range slices.Concat(shortNumbers, longNumbers, []string{"100", "109", "250", "+74951112233", "+78120000000", "*98"}) {
					was, is := had.Destination(number), set.Destination(number)
					if now, _ := set.Employee(had.ID(who)); set.DecideDial(now, &is).Allowed && !had.DecideDial(who, &was).Allowed {
						t.Fatalf("%s: lets %s dial %s\n%s\n---\n%s", way, had.ID(who), number, before, y)
					}
				}
			}
		}
	}
}
