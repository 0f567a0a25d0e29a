package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// text is a policy as an administrator would edit it.
type text struct {
	root  *yaml.Node // of the mapping
	model *model     // who is in which list
}

func edited(t *rapid.T, m *model, s string) *text {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(s), &doc); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	return &text{doc.Content[0], m}
}

func (x *text) String() string {
	out, err := yaml.Marshal(x.root)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func parsed(s string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(s), &doc); err != nil {
		panic(err)
	}
	return doc.Content[0]
}

func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	drop(n, key)
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

func drop(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// spelled turns a right into the map that it is short for.
func spelled(key string, n *yaml.Node) *yaml.Node {
	to := func(s string) *yaml.Node { return parsed("{to: " + s + "}") }
	switch {
	case n == nil:
		return to("none")
	case n.Kind == yaml.MappingNode:
		if only := child(n, "only"); only != nil {
			drop(n, "only")
			put(n, "to", only)
		}
	case n.Kind == yaml.SequenceNode:
		out := parsed("{to: []}")
		out.Content[1] = n
		n = out
	case key == "all" && n.Value == "true":
		n = parsed("{}")
	case n.Value == "true" && key == "intercept":
		n = to("own")
	case n.Value == "true":
		n = to("any")
	case n.Value == "false":
		n = to("none")
	case n.Value == "kind":
		n = parsed("{to: any, show: kind}")
	default:
		n = to(n.Value)
	}
	if value := child(n, "to"); key == "dial" && value != nil {
		switch {
		case value.Kind == yaml.SequenceNode:
			drop(n, "to")
			put(n, "numbers", value)
		case strings.HasPrefix(value.Value, "clients") || value.Value == "employees":
			drop(n, "to")
			for kind := range strings.SplitSeq(value.Value, "+") {
				put(n, kind, parsed("true"))
			}
		}
	}
	return n
}

// above finds the mapping that holds the last key of the path, and makes what is missing on the way.
func (x *text) above(path []string) *yaml.Node {
	n := x.root
	for i, key := range path[:len(path)-1] {
		next := child(n, key)
		switch {
		case i == 2:
			next = spelled(key, next)
		case next == nil:
			next = parsed("{}")
		}
		put(n, key, next)
		n = next
	}
	return n
}

// carry does what an edit says and returns the request as it is then, and the moment.
func (x *text) carry(t *rapid.T, e policy.Edit, req *policy.Request, at *time.Time) {
	last := ""
	var n *yaml.Node
	if e.Kind != policy.EditAsk {
		last, n = e.Path[len(e.Path)-1], x.above(e.Path)
	}
	switch e.Kind {
	case policy.EditTakeOut:
		x.takeOut(t, n, e)
	case policy.EditRemove:
		if child(n, last) == nil {
			t.Fatalf("there is nothing at %v", e.Path)
		}
		drop(n, last)
	case policy.EditAdd:
		list := child(n, last)
		if list == nil {
			list = parsed("[]")
			put(n, last, list)
		}
		if last == "numbers" && len(e.Path) == 4 {
			drop(n, "to")
		}
		for _, name := range e.Names {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Style: yaml.DoubleQuotedStyle})
		}
	case policy.EditSet:
		put(n, last, parsed(e.Value))
	case policy.EditAssign:
		list := child(x.root, "assign")
		if list == nil {
			list = parsed("[]")
			put(x.root, "assign", list)
		}
		list.Content = append(list.Content, parsed(e.Value))
	case policy.EditAsk:
		switch e.Path[0] {
		case "reason":
			req.ReasonGiven = true
		case "locked":
			req.Locked = false
		case "protected_number":
			req.ProtectedNumber = false
		case "unknown_phone":
			req.UnknownPhone = false
		case "at":
			moment, err := time.Parse(time.RFC3339, e.Value)
			if err != nil {
				t.Fatal(err)
			}
			*at = moment
		default:
			t.Fatalf("nobody can ask otherwise in %v", e.Path)
		}
	}
}

// takeOut takes the names out of a list, and wants to have been told of every entry that goes.
func (x *text) takeOut(t *rapid.T, n *yaml.Node, e policy.Edit) {
	last := e.Path[len(e.Path)-1]
	list := child(n, last)
	kept := list.Content[:0]
	for _, item := range list.Content {
		gone := false
		for _, name := range e.Names {
			switch {
			case last == "numbers":
				gone = gone || fits([]string{item.Value}, name)
			case strings.HasPrefix(name, "line:") || strings.HasPrefix(item.Value, "line:"):
				gone = gone || item.Value == name
			default:
				gone = gone || x.model.in([]string{item.Value}, name)
			}
		}
		if !gone {
			kept = append(kept, item)
		} else if last != "numbers" && !strings.HasPrefix(item.Value, "subtree:") && !slices.Contains(e.Through, item.Value) {
			t.Fatalf("%s must go too, and only %v was told", item.Value, e.Through)
		}
	}
	if len(kept) == len(list.Content) {
		t.Fatalf("none of %v is in %v", e.Names, e.Path)
	}
	list.Content = kept
	if last == "reason" && len(kept) == 0 {
		drop(n, last)
	}
}

// richer adds to a company what the naive evaluator has its own generator for: all rights, lines, reasons and times.
func richer(t *rapid.T, m *model) *text {
	var ids []string
	for _, p := range m.people {
		ids = append(ids, p.id)
	}
	some := func(label string) string { return rapid.SampledFrom(ids).Draw(t, label) }
	keys := []string{
		"all", "recordings", "play", "delete", "record", "journal", "grade", "statistics", "settings.user", "lock", "settings.permissions",
		"line.view", "line.connect", "line.change", "line.history", "line.join", "line.grade", "listen", "spy",
	}
	add := func(rights []modelRight) []modelRight {
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 3, rapid.ID[string]).Draw(t, "more rights") {
			if slices.ContainsFunc(rights, func(r modelRight) bool { return r.key == key }) {
				continue
			}
			value := rapid.SampledFrom([]string{"true", "false", "none"}).Draw(t, "had")
			if whole := key == "lock" || key == "settings.permissions"; !whole && key != "all" {
				value = rapid.SampledFrom([]string{"own", "department", "subtree", "[" + some("on") + "]", "map", "map", "map"}).Draw(t, "scope")
				if strings.HasPrefix(key, "line.") && rapid.Bool().Draw(t, "a line") {
					value = "[line:l0]"
				}
			} else if key == "all" {
				value = "map"
			}
			if value == "map" {
				parts := []string{}
				if key != "all" {
					parts = append(parts, "to: "+rapid.SampledFrom([]string{"none", "own", "department", "any", flow([]string{some("to")})}).Draw(t, "to"))
				}
				if rapid.Bool().Draw(t, "excepts") {
					parts = append(parts, "except: "+flow([]string{some("excepted")}))
				}
				if slices.Contains([]string{"all", "recordings", "play", "delete", "listen", "spy"}, key) && rapid.Bool().Draw(t, "reasoned") {
					parts = append(parts, "reason: "+rapid.SampledFrom([]string{"true", flow([]string{some("about")})}).Draw(t, "reason"))
				}
				if rapid.Bool().Draw(t, "timed") {
					parts = append(parts, "during: "+rapid.SampledFrom([]string{"office", "night"}).Draw(t, "time"))
				}
				value = "{" + strings.Join(parts, ", ") + "}"
			}
			rights = append(rights, modelRight{key: key, value: value})
		}
		dial := func(r modelRight) bool { return r.key == "dial" }
		if !slices.ContainsFunc(rights, dial) && rapid.IntRange(0, 3).Draw(t, "timed dial") == 0 {
			rights = append(rights, modelRight{key: "dial", value: "{to: " + rapid.SampledFrom([]string{"any", "clients"}).Draw(t, "whom") + ", during: night}"})
		}
		return rights
	}
	for i := range m.people {
		m.people[i].rights = add(m.people[i].rights)
	}
	for _, id := range []string{"r0", "r1"} {
		m.roles[id] = add(m.roles[id])
	}
	m.times = append(m.times, modelTime{id: "office", days: []string{"mon-fri"}, hours: []string{"09:00-18:00"}}, modelTime{id: "night", hours: []string{"22:00-06:00"}})
	for _, id := range []string{"l0", "l1"} {
		if m.line(id) == nil {
			m.lines = append(m.lines, modelLine{id: id, members: []string{some("works")}})
		}
	}
	x := edited(t, m, m.yaml(false)+emergencyYAML)
	if rapid.Bool().Draw(t, "assigned for a time") {
		x.carry(t, policy.Edit{
			Kind: policy.EditAssign, Path: []string{"assign"},
			Value: fmt.Sprintf("{role: %s, to: [%s], during: %s}", rapid.SampledFrom([]string{"r0", "r1"}).Draw(t, "timed role"), some("to"), rapid.SampledFrom([]string{"office", "night"}).Draw(t, "when")),
		}, nil, nil)
	}
	return x
}

// flips chooses a way for each need, does what it says, and wants the other answer.
func flips(t *rapid.T, x *text, was policy.Explanation, seen map[policy.EditKind]int, again func(set *policy.Set, req *policy.Request) policy.Explanation, req policy.Request) {
	for _, n := range was.Needs {
		if len(n.Ways) == 0 {
			if n.Text == "" {
				t.Fatalf("neither a way nor a word why:\n%s", was)
			}
			return
		}
	}
	if len(was.Needs) == 0 {
		t.Fatalf("nothing is said of the other answer:\n%s", was)
	}
	before := x.String()
	if was.Decision.Allowed {
		refuses(t, x, was, seen, again, req)
	}
	y, at := edited(t, x.model, before), day
	for _, n := range was.Needs {
		for _, e := range rapid.SampledFrom(n.Ways).Draw(t, "way").Edits {
			y.carry(t, e, &req, &at)
			seen[e.Kind]++
			if e.Text == "" {
				t.Fatalf("an edit without words: %+v", e)
			}
		}
	}
	set, _, err := policy.Load("policy.yaml", []byte(y.String()), at)
	if err != nil {
		t.Fatalf("%v\nafter\n%s\n%s\n%s", err, was, before, y)
	}
	if now := again(set, &req); now.Decision.Allowed == was.Decision.Allowed {
		t.Fatalf("it stays\n%s\nand after that\n%s\n%s\n---\n%s", was, now, before, y)
	}
}

func enough(t *testing.T, seen map[policy.EditKind]int, kinds ...policy.EditKind) {
	t.Helper()
	for _, k := range kinds {
		if seen[k] < 20 {
			t.Errorf("%s came %d times: the companies drawn are one-sided", k, seen[k])
		}
	}
}

var editKinds = []policy.EditKind{policy.EditTakeOut, policy.EditRemove, policy.EditAdd, policy.EditSet, policy.EditAssign, policy.EditAsk}

// What an explanation says that the other answer needs, brings it.
func TestTheOtherAnswerComesAsTold(t *testing.T) {
	seen := map[policy.EditKind]int{}
	rapid.Check(t, func(t *rapid.T) {
		m := anyCompany(t).m
		x := richer(t, m)
		set := mustLoad(t, x.String())
		for range 10 {
			who := func(set *policy.Set, id string) policy.Ref { r, _ := set.Employee(id); return r }
			some := func(label string) string { return m.people[rapid.IntRange(0, len(m.people)-1).Draw(t, label)].id }
			action := rapid.SampledFrom(policy.Actions()).Draw(t, "action")
			if action == policy.Dial {
				continue
			}
			few := rapid.IntRange(0, 3)
			subject, target, with, responsible := some("subject"), some("target"), some("with"), some("responsible")
			req := policy.Request{
				Action: action, Party: few.Draw(t, "party") == 0, ProtectedNumber: few.Draw(t, "number") == 0, UnknownPhone: few.Draw(t, "phone") == 0,
				Locked: few.Draw(t, "locked") == 0, ReasonGiven: rapid.Bool().Draw(t, "reason"),
			}
			bare, alone, client := rapid.Bool().Draw(t, "bare"), rapid.Bool().Draw(t, "alone"), few.Draw(t, "client") == 0
			again := func(set *policy.Set, req *policy.Request) policy.Explanation {
				req.Subject = who(set, subject)
				if action.Matter() != policy.MatterNothing && (action.Matter() != policy.MatterLine || !bare) {
					req.Target = who(set, target)
					if !alone {
						req.With = []policy.Ref{who(set, with)}
					}
				}
				if client {
					req.Responsible = who(set, responsible)
				}
				if action.Matter() == policy.MatterLine {
					req.Line, _ = set.Line("l0")
				}
				return set.Explain(*req)
			}
			flips(t, x, again(set, &req), seen, again, req)
		}
	})
	enough(t, seen, editKinds...)
}

func TestTheOtherAnswerToDiallingComesAsTold(t *testing.T) {
	seen := map[policy.EditKind]int{}
	rapid.Check(t, func(t *rapid.T) {
		m := models(t)
		x := richer(t, m)
		set := mustLoad(t, x.String())
		for _, q := range dialQuestions(t, m)[:15] {
			again := func(set *policy.Set, _ *policy.Request) policy.Explanation {
				return set.ExplainDial(q.destination(set))
			}
			flips(t, x, again(set, nil), seen, again, policy.Request{})
		}
	})
	enough(t, seen, editKinds...)
}
