package decisiontest

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/internal/node"
)

// test reads one test.
func (r *reader) test(n *yaml.Node) {
	t, keys := test{at: at(n)}, map[string]word{}
	var to *yaml.Node
	whole := r.mapping(n, "tests", func(key word, value *yaml.Node) {
		where := "tests." + key.text
		keys[key.text] = key
		switch key.text {
		case "name":
			t.name = r.text(value, where).text
		case "who":
			t.who = r.texts(value, where, node.Text)
		case "may", "may_not":
			t.want = key.text == "may"
			t.does = r.actions(value, where)
		case "to":
			to = value // which may be employees or numbers
		case "line":
			t.lines = r.texts(value, where, node.Text)
		case "with":
			t.with = r.texts(value, where, node.Text)
		case "client_of":
			t.clientOf = r.text(value, where)
		case "access":
			t.access = r.texts(value, where, node.Text)
		case "client":
			t.client = r.truth(value, where)
		case "party":
			t.party = r.truth(value, where)
		case "locked":
			t.locked = r.truth(value, where)
		case "unknown_phone":
			t.unknownPhone = r.truth(value, where)
		case "protected_number":
			t.protectedNumber = r.truth(value, where)
		case "reason":
			t.reason = r.text(value, where).text != ""
		case "at":
			t.moment = r.moment(value, where)
		case "because":
			t.because = r.because(value, where)
		case "by":
			t.by = r.text(value, where)
		default:
			r.errorf(key.at, r.guess(key.text, testKeys), "tests: unknown key %q", key.text)
		}
	})
	if to != nil {
		kind := node.Text
		if slices.Contains(t.actions(), policy.Dial) {
			kind = node.Quoted
		}
		t.to = r.texts(to, "tests.to", kind)
	}
	if n.Kind == yaml.MappingNode {
		r.fits(&t, keys, whole)
	}
	r.file.tests = append(r.file.tests, t)
}

// actions reads what somebody may or may not do.
func (r *reader) actions(n *yaml.Node, where string) []word {
	return slices.DeleteFunc(r.texts(n, where, node.Text), func(w word) bool {
		if _, ok := policy.ParseAction(w.text); ok {
			return false
		}
		hint := map[string]string{"listen": "say which: spy, whisper, barge", "recordings": "say which: play, download, delete", "all": "name the actions"}[w.text]
		if hint == "" {
			hint = r.guess(w.text, names(func(policy.Action) bool { return true }))
		}
		r.errorf(w.at, hint, "%s: unknown action %q", where, w.text)
		return true
	})
}

func (r *reader) because(n *yaml.Node, where string) word {
	w := r.text(n, where)
	if w.text == "" {
		return w
	}
	if !slices.Contains(codes(), w.text) {
		r.errorf(w.at, r.guess(w.text, codes()), "%s: unknown reason %q", where, w.text)
		return word{}
	}
	return w
}

// fits reports what is missing and what does not go together. Of a test with other mistakes nothing is said to be missing.
func (r *reader) fits(t *test, keys map[string]word, whole bool) {
	has := func(key string) bool { return keys[key].text != "" }
	if whole && !has("who") {
		r.errorf(t.at, "add who: with the id of an employee", "tests: nobody asks")
	}
	switch {
	case has("may") && has("may_not"):
		r.errorf(keys["may_not"].at, "make two tests of it", "tests: both may and may_not")
	case whole && !has("may") && !has("may_not"):
		r.errorf(t.at, "add may: or may_not: with an action", "tests: nothing is asked")
	}
	actions := t.actions()
	if len(actions) > 1 && slices.Contains(actions, policy.Dial) {
		r.errorf(t.does[slices.Index(actions, policy.Dial)].at, "make a test of its own", "tests: dial is about numbers, and the other actions are not")
		return
	}
	for _, key := range testKeys {
		f, some := fits[key]
		if !some || !has(key) {
			continue
		}
		for _, a := range actions {
			if !f.has(a) {
				r.errorf(keys[key].at, f.hint, "tests.%s: it means nothing for %s", key, a)
				break
			}
		}
	}
	for _, a := range actions {
		for _, key := range needs(a) {
			if !has(key) {
				r.errorf(t.at, "add "+key+":", "tests: %s is about nothing without %s", a, key)
			}
		}
	}
	r.contradicts(t, keys)
}

// contradicts reports keys of which one takes away the meaning of another.
func (r *reader) contradicts(t *test, keys map[string]word) {
	if keys["client"].text != "" && t.clientOf.text != "" {
		r.errorf(keys["client"].at, "leave client out", "tests.client: client_of says so already")
	}
	for _, key := range wholeLine {
		alien := func(a policy.Action) bool { return !fits[key].has(a) } // which has been told
		if k := keys[key]; len(t.lines) > 0 && keys["to"].text == "" && k.text != "" && !slices.ContainsFunc(t.actions(), alien) {
			r.errorf(k.at, "add to: with an employee of the conversation", "tests.%s: it is about a conversation of the line, and not about the whole line", key)
		}
	}
	if t.because.text == "" {
		return
	}
	if allowed := allows(reasons()[slices.Index(codes(), t.because.text)]); allowed != t.want && len(t.does) > 0 {
		r.errorf(t.because.at, "", "tests.because: nothing is %s because of %s", map[bool]string{true: "allowed", false: "refused"}[t.want], t.because.text)
	}
}
