package policy

import (
	"iter"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/policy/internal/schema"
	"go.yaml.in/yaml/v3"
)

// A Notice says how an employee is told that somebody supervises his call. The zero Notice tells him in every way, and so does one of a request
// that makes no sense: nobody is kept in the dark because something went wrong.
type Notice struct {
	how     ways
	decided bool
	// Rule is the first rule that wants him told; zero when none does, or when the subject may do it unnoticed.
	Rule RuleID
}

// Panel reports whether he is told while it lasts, by his panel.
func (n Notice) Panel() bool { return n.has(wayPanel) }

// Tone reports whether he is told while it lasts, by a tone in his ear.
func (n Notice) Tone() bool { return n.has(wayTone) }

// ToneToBoth reports whether everybody on the call is to hear that tone, whoever the other side is. Where he is not to be told by one, nobody is.
func (n Notice) ToneToBoth() bool { return n.has(wayToneBoth) }

// After reports whether he is told when it is over.
func (n Notice) After() bool { return n.has(wayAfter) }

// Both reports whether the other side is to be told too by panel or after, as far as employees are on it: each by a Notice of his own.
func (n Notice) Both() bool { return n.has(wayBoth) }

// Any reports whether he is told at all.
func (n Notice) Any() bool { return n.Panel() || n.Tone() || n.After() }

func (n Notice) has(w ways) bool { return !n.decided || n.how&w != 0 }

// Notice answers how the employee who is the request's Target is told of spy, whisper or barge by its Subject. As with a reason, every rule that
// binds the subject counts, whichever of his rights it stands under and whichever lets him do it, and he is told in each way that one of them
// wants. The right unnoticed on the target lifts them all. Like Decide it allocates nothing and takes no lock.
func (s *Set) Notice(req *Request) Notice {
	if s == nil || s.tables == nil || req == nil || !req.Action.Supervises() || !s.known(req.Subject) || !s.known(req.Target) {
		return Notice{}
	}
	n := Notice{decided: true}
	for t := range s.tellings(req.Subject) {
		if t.allow.has(req.Action) && t.how != 0 {
			if n.how |= t.how; n.Rule == 0 {
				n.Rule = t.rule
			}
		}
	}
	if n.how != 0 && s.unnoticed(req) {
		return Notice{decided: true}
	}
	return n
}

// unnoticed reports whether the subject may supervise the target without his being told.
func (s *Set) unnoticed(req *Request) bool {
	return s.decideOther(&Request{Subject: req.Subject, Action: Unnoticed, Target: req.Target}).Allowed
}

// tellings yields what binds an employee at the Set's moment, and the assignment that brings it.
func (s *Set) tellings(who Ref) iter.Seq2[telling, RuleID] {
	return func(yield func(telling, RuleID) bool) {
		if len(s.told) > 0 {
			for _, t := range s.told[who.n-1] {
				if !yield(t, 0) {
					return
				}
			}
		}
		if len(s.roleTold) == 0 {
			return
		}
		set := s.roleSets[s.people[who.n-1].roleSet]
		for _, item := range s.setItems[set.start : set.start+set.grants] {
			a := s.assigned[item]
			if !s.open[a.window] {
				continue
			}
			for _, t := range s.roleTold[a.role] {
				if !yield(t, a.rule) {
					return
				}
			}
		}
	}
}

// telling is one rule that wants the supervised told.
type telling struct {
	allow actionSet
	how   ways
	rule  RuleID
}

// ways are the ways in which somebody is told.
type ways uint8

const (
	wayPanel ways = 1 << iota
	wayTone
	wayAfter
	wayBoth     // the other side too, by panel or after
	wayToneBoth // the other side too, by a tone: a rule that wants both told otherwise does not make a customer hear one
)

// wordNone is the word of notify for not at all.
const wordNone = "none"

var (
	wayWords   = []string{wordNone, "panel", "tone", "after"}
	notifyKeys = []string{"how", "to"}
	notifyWhom = []string{"employee", "both"}
)

// String names the ways, as they are written.
func (w ways) String() string {
	var words []string
	for i, word := range wayWords[1:] {
		if w&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	text := strings.Join(words, " and ")
	if w&(wayBoth|wayToneBoth) != 0 {
		text += ", both sides"
	}
	return text
}

// notify reads how somebody is told: a word, a list of words, or a map of how and to.
func (r *reader) notify(e *rightEntry, n *yaml.Node, p place) {
	if !r.plain(n, p) {
		return
	}
	if n.Kind != yaml.MappingNode {
		e.how = r.ways(n, p)
		return
	}
	said, both := false, false
	outer := p
	r.mapping(n, outer, func(key word, value *yaml.Node) {
		q := outer
		q.sub += "." + key.text
		switch key.text {
		case "how":
			said = true
			e.how = r.ways(value, q)
		case "to":
			w, ok := r.text(value, q)
			if ok && !slices.Contains(notifyWhom, w.text) {
				hint := r.guess(w.text, notifyWhom)
				if hint == "" {
					hint = "employee or both"
				}
				r.errorf(w.at, hint, "%s: unknown value %q", q, w.text)
			}
			both = w.text == "both"
		default:
			r.unknown(key, outer, notifyKeys)
		}
	})
	if !said {
		r.errorf(at(n), "write how: panel, tone, after, or several in a list", "%s does not say how", outer)
	}
	if both && e.how&(wayPanel|wayAfter) != 0 {
		e.how |= wayBoth
	}
	if both && e.how&wayTone != 0 {
		e.how |= wayToneBoth
	}
}

// ways reads one word or a list of them.
func (r *reader) ways(n *yaml.Node, p place) (out ways) {
	if n.Kind != yaml.SequenceNode {
		w, _ := r.way(n, p)
		return w
	}
	if len(n.Content) == 0 {
		r.errorf(at(n), "write none, or leave it out", "%s: an empty list tells nothing", p)
	}
	r.list(n, p, func(item *yaml.Node) {
		w, ok := r.way(item, p)
		if ok && w == 0 && len(n.Content) > 1 {
			r.errorf(at(item), "", "%s: none stands alone", p)
		}
		out |= w
	})
	return out
}

func (r *reader) way(n *yaml.Node, p place) (ways, bool) {
	w, ok := r.text(n, p)
	if !ok {
		return 0, false
	}
	switch i := slices.Index(wayWords, w.text); {
	case i > 0:
		return 1 << (i - 1), true
	case i == 0:
		return 0, true
	}
	hint := r.guess(w.text, wayWords)
	if hint == "" {
		hint = "none, panel, tone or after"
	}
	r.errorf(w.at, hint, "%s: unknown way %q", p, w.text)
	return 0, false
}

// notices compiles what wants the supervised told. A notify that says none is nothing: it takes nothing from what others want.
func (c *compiler) notices() {
	c.told, c.roleTold = map[uint32][]telling{}, map[uint32][]telling{}
	owner, role := uint32(0), uint32(0)
	put := func(into map[uint32][]telling, file int, rights []rightEntry, owner uint32, kind ruleKind) {
		for i := range rights {
			if r := &rights[i]; r.how != 0 {
				into[owner] = append(into[owner], telling{r.key.spec().actions, r.how, c.rule(file, r.notifyAt, kind, owner, r.key)})
			}
		}
	}
	for file, f := range c.sources {
		for i := range f.employees {
			put(c.told, file, f.employees[i].rights, owner, ruleEmployeeNotify)
			owner++
		}
		for _, r := range f.roles {
			put(c.roleTold, file, r.rights, role, ruleRoleNotify)
			role++
		}
	}
}

// notifySchema is what may stand under notify.
func notifySchema() schema.Schema {
	word := schema.Words(wayWords...)
	how := schema.Any(word, schema.List(schema.Words(wayWords[1:]...), 1), schema.List(schema.Words(wordNone), 1).And(schema.Schema{"maxItems": 1}))
	return schema.Any(how, schema.Object(notifyKeys, map[string]schema.Schema{
		"how": how.About("In which ways."),
		"to":  schema.Words(notifyWhom...).About("Whom: the employee, which it is when left out, or both sides of the call: by panel and after the employees there, by a tone everybody."),
	}, "how"))
}
