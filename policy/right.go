package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	rightMapKeys = []string{"to", "only", "allow", "show", "except"}
	scopeWords   = scopeNames[:scopeList]
	modeNames    = []string{"spy", "whisper", "barge"}
)

// right reads the value of a right: true or false, a scope, a list, or a map. It reports false for a key that is no
// right. A value with a mistake is returned as far as it could be read, so that the names in it are checked too.
func (r *reader) right(key word, n *yaml.Node, p place) (rightEntry, bool) {
	i := slices.Index(rightNames[:], key.text)
	if i < 0 {
		return rightEntry{}, false
	}
	e := rightEntry{key: right(i), at: key.at, allow: rightActions[i], listAt: at(n)}
	switch {
	case !r.plain(n, p):
	case n.Kind == yaml.MappingNode:
		r.rightMap(&e, n, p)
	case n.Kind == yaml.ScalarNode && n.Tag == "!!bool":
		e.scope = tick(e.key, n.Value)
	case e.key == rightObserve && n.Kind == yaml.ScalarNode && n.Value == showKind:
		e.scope, e.allow = scopeAny, setOf(ObserveKind)
	default:
		r.scope(&e, n, p, "write true or false")
	}
	if e.scope == scopeOwn && e.key != rightObserve && e.key != rightIntercept {
		r.warnf(e.listAt, "nobody supervises himself: name whom it is on", "%s: own gives nothing here", p)
	}
	return e, true
}

// tick is the scope that the plain tick of a panel means: any colleague, or one's own clients.
func tick(key right, value string) scope {
	// YAML's core schema has true, True and TRUE; everything else that it calls a truth value is a false.
	switch {
	case !strings.EqualFold(value, "true"):
		return scopeNone
	case key == rightIntercept:
		return scopeOwn
	}
	return scopeAny
}

// scope reads a scope word or a list of people.
func (r *reader) scope(e *rightEntry, n *yaml.Node, p place, emptyHint string) {
	e.listAt = at(n)
	if n.Kind == yaml.SequenceNode {
		if len(n.Content) == 0 {
			r.errorf(at(n), emptyHint, "%s: an empty list names nobody", p)
		}
		e.scope, e.list = scopeList, r.selectors(n, p, false)
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		r.errorf(at(n), emptyHint, "%s is empty", p)
		return
	}
	w, ok := r.text(n, p)
	if !ok {
		return
	}
	switch i := slices.Index(scopeWords, w.text); {
	case i >= 0:
		e.scope = scope(i)
	case slices.Contains([]string{"yes", "on", "y"}, strings.ToLower(w.text)):
		r.errorf(w.at, "did you mean true?", "%s: unknown scope %q", p, w.text)
	case slices.Contains([]string{"no", "off", "n"}, strings.ToLower(w.text)):
		r.errorf(w.at, "did you mean false?", "%s: unknown scope %q", p, w.text)
	default:
		words := scopeWords
		if e.key == rightObserve && p.sub == "" {
			words = append(words[:len(words):len(words)], showKind)
		}
		hint := r.guess(w.text, words)
		if e.key == rightObserve && w.text == showKind {
			hint = "write show: kind"
		}
		if hint == "" {
			hint = "none, own, department, subtree, any, or a list in square brackets"
		}
		r.errorf(w.at, hint, "%s: unknown scope %q", p, w.text)
	}
}

func (r *reader) rightMap(e *rightEntry, n *yaml.Node, p place) {
	outer := p
	var to, only position
	r.mapping(n, outer, func(key word, value *yaml.Node) {
		p.sub = key.text
		switch key.text {
		case "to":
			to = key.at
			if value.Kind == yaml.ScalarNode && value.Tag == "!!bool" {
				r.errorf(at(value), "did you mean any?", "%s must be a scope, not true or false", p)
				return
			}
			r.scope(e, value, p, "leave it out for any, or name somebody")
		case "only":
			only = key.at
			if value.Kind != yaml.SequenceNode {
				r.list(value, p, nil)
				return
			}
			r.scope(e, value, p, "write "+rightNames[e.key]+": true or "+rightNames[e.key]+": false")
		case "allow":
			r.allow(e, key, value, p)
		case "show":
			r.show(e, key, value, p)
		case "except":
			e.exceptAt = key.at
			e.except = r.selectors(value, p, false)
		default:
			r.unknown(key, outer, rightMapKeys)
		}
	})
	switch {
	case to != position{} && only != position{}:
		r.errorf(only, "only is short for to with a list: keep one", "%s: both to and only", outer)
	case to == position{} && only == position{}:
		e.scope = scopeAny
		if e.key == rightIntercept {
			r.warnf(e.at, "write to: own for one's own clients, or to: any", "%s: without to it takes any ringing call", outer)
		}
	}
}

// allow reads the modes that a listen grants. It narrows the grant only: the except beside it holds for every mode.
func (r *reader) allow(e *rightEntry, key word, n *yaml.Node, p place) {
	if e.key != rightListen {
		r.errorf(key.at, "only listen has modes", "%s: there is nothing to choose from", p)
		return
	}
	var set actionSet
	ok := r.list(n, p, func(item *yaml.Node) {
		w, ok := r.text(item, p)
		if !ok {
			return
		}
		if !slices.Contains(modeNames, w.text) {
			hint := r.guess(w.text, modeNames)
			if hint == "" {
				hint = "spy, whisper or barge"
			}
			r.errorf(w.at, hint, "%s: unknown mode %q", p, w.text)
			return
		}
		a, _ := ParseAction(w.text)
		set |= setOf(a)
	})
	if ok && len(n.Content) == 0 {
		r.errorf(at(n), "leave it out for all, or write to: none", "%s: an empty list allows nothing", p)
	}
	e.allow = set
}

// showKind is the word for an observer who sees of which kind the other side is, and not who.
const showKind = "kind"

var showNames = []string{"peer", showKind}

// show reads how much an observer sees. Like allow it narrows the grant only: who is excepted beside it shows nothing.
func (r *reader) show(e *rightEntry, key word, n *yaml.Node, p place) {
	if e.key != rightObserve {
		r.errorf(key.at, "only observe shows something", "%s: there is nothing to choose from", p)
		return
	}
	w, ok := r.text(n, p)
	if !ok {
		return
	}
	switch w.text {
	case "peer": // which is what observe without it does
	case showKind:
		e.allow = setOf(ObserveKind)
	default:
		hint := r.guess(w.text, showNames)
		if hint == "" {
			hint = "peer or kind"
		}
		r.errorf(w.at, hint, "%s: unknown value %q", p, w.text)
	}
}

// selectors reads a list of people. Everyone and heads mean something only where a role is assigned.
func (r *reader) selectors(n *yaml.Node, p place, assigning bool) []selector {
	var all []selector
	if n.Kind == yaml.SequenceNode {
		all = make([]selector, 0, len(n.Content))
	}
	r.list(n, p, func(item *yaml.Node) {
		w, ok := r.text(item, p)
		if !ok {
			return
		}
		prefix, name, found := strings.Cut(w.text, ":")
		kind, known := selectorPrefixes[prefix]
		switch {
		case found && !known:
			hint := r.guess(prefix, sortedKeys(selectorPrefixes))
			if hint == "" {
				hint = "a list holds employees, department:ID, subtree:ID and group:ID"
			}
			r.errorf(w.at, hint, "%s: unknown kind %q", p, prefix)
			return
		case found && name == "":
			r.errorf(w.at, "", "%s: the name after %s: is missing", p, prefix)
			return
		case found:
		case w.text == "everyone" || w.text == "heads":
			if !assigning {
				hint := "name departments or groups"
				if w.text == "everyone" {
					hint = "the scope any means everybody"
				}
				r.errorf(w.at, hint, "%s: %q is for assigning roles", p, w.text)
				return
			}
			kind, name = selectEveryone, ""
			if w.text == "heads" {
				kind = selectHeads
			}
		case slices.Contains(scopeWords, w.text):
			r.errorf(w.at, "write it without the brackets", "%s: %q is a scope and stands alone", p, w.text)
			return
		default:
			kind, name = selectEmployee, w.text
		}
		all = append(all, selector{kind, name, w.at})
	})
	return all
}
