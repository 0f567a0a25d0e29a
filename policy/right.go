package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A right is a key of an employee or a role that gives actions.
type right uint8

const (
	rightObserve right = iota
	rightListen
	rightSpy
	rightWhisper
	rightBarge
	rightIntercept
	rightDial
	rightAll
	rightRecordings
	rightPlay
	rightDownload
	rightDelete
	rightRecord
	rightJournal
	rightGrade
	rightStatistics
	rightSettingsUser
	rightUnnoticed
	rightLock
	rightSettingsTelephony
	rightSettingsNumbers
	rightSettingsPermissions
	rightLineView
	rightLineConnect
	rightLineChange
	rightLineStatistics
	rightLineHistory
	rightLineJoin
	rightLineGrade
	rightLineReplies

	rightEnd
)

// rightSpec is what may be written under a right.
type rightSpec struct {
	name    string
	actions actionSet // what it is about: an exception beside it bars all of them
	given   actionSet // what it gives where nothing else is said
	modes   []string  // what may stand under allow; nil: there is nothing to choose from
	people  bool      // it is about people or lines, so that it has scopes, lists and exceptions
	lines   bool      // lines may stand in its lists
	reason  bool      // a reason may be required
	notify  bool      // the employee can be told
	noOwn   bool      // own gives nothing: nobody does this to himself
}

// rightSpecs is indexed by right. Listen and recordings are short for rights that can also be given one by one; recordings gives to delete
// only where that is asked for, since it is for good.
var rightSpecs = func() (specs [rightEnd]rightSpec) {
	one := func(a Action) actionSet { return setOf(a) }
	specs[rightObserve] = rightSpec{actions: setOf(Observe, ObserveKind), people: true}
	specs[rightListen] = rightSpec{actions: setOf(Spy, Whisper, Barge), modes: []string{"spy", "whisper", "barge"}, people: true, reason: true, notify: true, noOwn: true}
	specs[rightRecordings] = rightSpec{
		actions: setOf(Play, Download, Delete), given: setOf(Play, Download), modes: []string{"play", "download", "delete"}, people: true, reason: true,
	}
	specs[rightIntercept] = rightSpec{actions: one(Intercept), people: true}
	specs[rightDial] = rightSpec{actions: one(Dial)}
	for a := Spy; a < actionEnd; a++ {
		specs[rightAll].actions |= one(a)
	}
	specs[rightAll].actions |= setOf(Observe, ObserveKind)
	specs[rightAll].people, specs[rightAll].lines, specs[rightAll].reason = true, true, true
	for r, s := range specs {
		if s.actions != 0 {
			specs[r].name = [...]string{rightObserve: "observe", rightListen: "listen", rightIntercept: "intercept", rightDial: "dial", rightAll: "all", rightRecordings: "recordings"}[r]
			continue
		}
		a := rightAction(right(r))
		s = rightSpec{name: a.String(), actions: one(a), people: a.Matter() != MatterNothing, lines: a.Matter() == MatterLine}
		s.noOwn, s.notify = a.Supervises() || a == Unnoticed, a.Supervises()
		s.reason = reasonable.has(a)
		specs[r] = s
	}
	for r := range specs {
		if specs[r].given == 0 {
			specs[r].given = specs[r].actions
		}
	}
	return specs
}()

// reasonable are the actions for which a reason can be required: whoever asks for one of them can give it.
var reasonable = setOf(Spy, Whisper, Barge, Play, Download, Delete)

// rightAction is the one action of a right that is named after it.
func rightAction(r right) Action {
	return [rightEnd]Action{
		rightSpy: Spy, rightWhisper: Whisper, rightBarge: Barge,
		rightPlay: Play, rightDownload: Download, rightDelete: Delete, rightRecord: Record, rightJournal: Journal, rightGrade: Grade,
		rightStatistics: Statistics, rightSettingsUser: SettingsUser, rightUnnoticed: Unnoticed, rightLock: Lock, rightSettingsTelephony: SettingsTelephony,
		rightSettingsNumbers: SettingsNumbers, rightSettingsPermissions: SettingsPermissions, rightLineView: LineView,
		rightLineConnect: LineConnect, rightLineChange: LineChange, rightLineStatistics: LineStatistics, rightLineHistory: LineHistory,
		rightLineJoin: LineJoin, rightLineGrade: LineGrade, rightLineReplies: LineReplies,
	}[r]
}

func (r right) spec() *rightSpec { return &rightSpecs[r] }

func (r right) String() string { return rightSpecs[r].name }

// rightNames are the keys, indexed by right.
var rightNames = func() []string {
	names := make([]string, rightEnd)
	for r := range names {
		names[r] = rightSpecs[r].name
	}
	return names
}()

// Rights returns the keys by which an entry of an employee or a role gives rights, in a fixed order, in a slice of the caller's own.
func Rights() []string { return slices.Clone(rightNames) }

var scopeWords = scopeNames[:scopeList]

// keys are what may stand in the map of a right.
func (s *rightSpec) keys() []string {
	keys := []string{"during", "from", "until"}
	if s.people {
		keys = append(keys, "to", "except")
	}
	if s.people && s != rightAll.spec() {
		keys = append(keys, "only")
	}
	if s.modes != nil {
		keys = append(keys, "allow")
	}
	if s == rightObserve.spec() {
		keys = append(keys, "show")
	}
	if s.reason {
		keys = append(keys, "reason")
	}
	if s.notify {
		keys = append(keys, "notify")
	}
	return keys
}

// right reads the value of a right: true or false, a scope, a list, or a map. It reports false for a key that is no
// right. A value with a mistake is returned as far as it could be read, so that the names in it are checked too.
func (r *reader) right(key word, n *yaml.Node, p place) (rightEntry, bool) {
	i := slices.Index(rightNames, key.text)
	if i < 0 {
		return rightEntry{}, false
	}
	e := rightEntry{key: right(i), at: key.at, allow: right(i).spec().given, listAt: at(n)}
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
	if e.scope == scopeOwn && e.key.spec().noOwn {
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
	spec := e.key.spec()
	whole := !spec.people && e.key != rightDial || e.key == rightAll // it is had or not; dial comes here for its parts only
	if n.Kind == yaml.SequenceNode && whole {
		r.errorf(at(n), e.key.wholeHint(), "%s is about nobody by name", p)
		return
	}
	if n.Kind == yaml.SequenceNode {
		if len(n.Content) == 0 {
			r.errorf(at(n), emptyHint, "%s: an empty list names nobody", p)
		}
		e.scope, e.list = scopeList, r.selectors(n, p, spec.listed()|listScope)
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
	words := scopeWords
	if whole {
		words = []string{scopeNames[scopeNone], scopeNames[scopeAny]}
	}
	switch i := slices.Index(scopeWords, w.text); {
	case i >= 0 && slices.Contains(words, w.text):
		e.scope = scope(i)
	case i >= 0:
		r.errorf(w.at, "write any or none", "%s: %q means nothing here", p, w.text)
	case slices.Contains([]string{"yes", "on", "y"}, strings.ToLower(w.text)):
		r.errorf(w.at, "did you mean true?", "%s: unknown scope %q", p, w.text)
	case slices.Contains([]string{"no", "off", "n"}, strings.ToLower(w.text)):
		r.errorf(w.at, "did you mean false?", "%s: unknown scope %q", p, w.text)
	case w.text == "all" || w.text == "everyone" || w.text == "everybody":
		r.errorf(w.at, "did you mean any?", "%s: unknown scope %q", p, w.text)
	default:
		if e.key == rightObserve && p.sub == "" {
			words = append(words[:len(words):len(words)], showKind)
		}
		hint := r.guess(w.text, words)
		if e.key == rightObserve && w.text == showKind {
			hint = "write show: kind"
		}
		if hint == "" && whole {
			hint = "any or none"
		} else if hint == "" {
			hint = "none, own, department, subtree, any, or a list in square brackets"
		}
		r.errorf(w.at, hint, "%s: unknown scope %q", p, w.text)
	}
}

// listed says what may stand in a list of the right.
func (s *rightSpec) listed() listing {
	if s.lines {
		return listPeople | listLines
	}
	return listPeople
}

func (r *reader) rightMap(e *rightEntry, n *yaml.Node, p place) {
	outer, spec := p, e.key.spec()
	keys := spec.keys()
	var to, only position
	r.mapping(n, outer, func(key word, value *yaml.Node) {
		p.sub = key.text
		if !slices.Contains(keys, key.text) {
			r.notHere(e, key, outer, keys)
			return
		}
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
			r.scope(e, value, p, "write "+e.key.String()+": true or "+e.key.String()+": false")
		case "allow":
			r.allow(e, value, p)
		case "show":
			r.show(e, value, p)
		case "except":
			e.exceptAt = key.at
			e.except = r.selectors(value, p, spec.listed())
		case "reason":
			e.reasonAt = key.at
			r.reason(e, value, p)
		case "notify":
			e.notifyAt = key.at
			r.notify(e, value, p)
		case "during":
			e.when.during = r.during(value, p)
		case "from":
			e.when.from = r.date(value, p)
		case "until":
			e.when.until = r.date(value, p)
		}
	})
	switch {
	case to != position{} && only != position{}:
		r.errorf(only, "only is short for to with a list: keep one", "%s: both to and only", outer)
	case to == position{} && only == position{}:
		e.scope = scopeAny
		if e.key == rightIntercept {
			r.warnf(e.at, "write to: own for one's own clients, or to: any", "%s: without to it takes any ringing call", outer)
		} else {
			r.emptyMap(e.key, n, outer)
		}
	}
	r.whenOrder(e.when, outer)
}

// emptyMap warns of a map with nothing in it, which looks like nothing and grants the whole right.
func (r *reader) emptyMap(key right, n *yaml.Node, p place) {
	if len(n.Content) > 0 {
		return
	}
	hint, means := "write true if that is meant, or false", "true"
	switch {
	case key == rightDial:
		hint, means = "write true if that is meant, or whom he may call", "any number"
	case key.spec().people && key != rightAll:
		hint, means = "write true if that is meant, or a scope such as department", "everybody"
	}
	r.warnf(at(n), hint, "%s: an empty map means %s", p, means)
}

// wholeHint says what to write for a right that is had or not.
func (r right) wholeHint() string {
	if r.spec().people {
		return "write true, or name under except on whom not"
	}
	return "write true or false"
}

// notHere says why a key cannot stand under this right.
func (r *reader) notHere(e *rightEntry, key word, p place, keys []string) {
	switch key.text {
	case "allow":
		r.errorf(key.at, "only listen and recordings have modes", "%s.allow: there is nothing to choose from", p)
	case "show":
		r.errorf(key.at, "only observe shows something", "%s.show: there is nothing to choose from", p)
	case "reason":
		r.errorf(key.at, "it is for listen, recordings, what they are short for, and all", "%s.reason: no reason can be given for this", p)
	case "notify":
		r.errorf(key.at, "it is for listen, spy, whisper and barge", "%s.notify: nobody is told of this", p)
	case "to", "only", "except":
		r.errorf(key.at, e.key.wholeHint(), "%s.%s: it is about nobody by name", p, key.text)
	default:
		r.unknown(key, p, keys)
	}
}

// allow reads the modes that a right grants. It narrows the grant only: the except beside it holds for every mode.
func (r *reader) allow(e *rightEntry, n *yaml.Node, p place) {
	modes := e.key.spec().modes
	var set actionSet
	ok := r.list(n, p, func(item *yaml.Node) {
		w, ok := r.text(item, p)
		if !ok {
			return
		}
		if !slices.Contains(modes, w.text) {
			hint := r.guess(w.text, modes)
			if hint == "" {
				hint = strings.Join(modes[:len(modes)-1], ", ") + " or " + modes[len(modes)-1]
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
func (r *reader) show(e *rightEntry, n *yaml.Node, p place) {
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

// reason reads about whom a reason must be given: true for all, or a list.
func (r *reader) reason(e *rightEntry, n *yaml.Node, p place) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" && r.plain(n, p) {
		e.reasonAll = strings.EqualFold(n.Value, "true")
		if !e.reasonAll {
			e.reasonAt = position{}
		}
		return
	}
	if n.Kind != yaml.SequenceNode {
		if r.plain(n, p) {
			r.errorf(at(n), "write true, or a list of those for whom one must be given", "%s must be true or a list, not %s", p, kindName(n))
		}
		return
	}
	if len(n.Content) == 0 {
		r.errorf(at(n), "write true for everybody, or leave it out", "%s: an empty list names nobody", p)
	}
	e.reason = r.selectors(n, p, listPeople) // nothing that is done to a line asks for one
}

// listing says what may stand in a list, beside employees, departments and groups.
type listing uint8

const (
	listPeople listing = 1 << iota
	listAssign         // everyone and heads, which mean something only where a role is assigned
	listLines
	listScope // it stands where a scope may stand
)

// selectors reads a list of people, and of lines where those may stand.
func (r *reader) selectors(n *yaml.Node, p place, may listing) []selector {
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
				if may&listLines != 0 {
					hint += ", and here line:ID"
				}
			}
			r.errorf(w.at, hint, "%s: unknown kind %q", p, prefix)
			return
		case found && name == "":
			r.errorf(w.at, "", "%s: the name after %s: is missing", p, prefix)
			return
		case found && kind == selectLine && may&listLines == 0:
			r.errorf(w.at, "lines are for the rights that begin with line, and for all", "%s: a line cannot stand here", p)
			return
		case found:
		case w.text == "everyone" || w.text == "heads":
			if may&listAssign == 0 {
				hint := "name departments or groups"
				if w.text == "everyone" && may&listScope != 0 {
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
			switch {
			case may&listScope != 0:
				r.errorf(w.at, "write it without the brackets", "%s: %q is a scope and stands alone", p, w.text)
			case may&listAssign != 0:
				r.errorf(w.at, "name departments or groups, or everyone or heads", "%s: %q is a scope and stands in no list", p, w.text)
			default:
				r.errorf(w.at, "name departments or groups", "%s: %q is a scope and stands in no list", p, w.text)
			}
			return
		default:
			kind, name = selectEmployee, w.text
		}
		all = append(all, selector{kind, name, w.at})
	})
	return all
}
