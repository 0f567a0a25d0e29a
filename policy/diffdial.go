package policy

import (
	"maps"
	"slices"
	"strings"
)

// dialling is what somebody may call at a moment, without what something else in it comes to.
type dialling struct {
	any, anyClient, own RuleID
	clients, people     bitset
	clientsBy, peopleBy RuleID
	numbers             map[string]RuleID

	barred        bitset
	barredBy      RuleID
	barredNumbers map[string]RuleID
	vias          map[RuleID]Rule
}

// grants reports whether there is anything that he may call.
func (d *dialling) grants() bool {
	return d.any != 0 || d.anyClient != 0 || d.own != 0 || !d.people.empty() || len(d.numbers) > 0
}

func (s side) dialling(size int) *dialling {
	d := &dialling{
		clients: newBitset(size), people: newBitset(size), barred: newBitset(size),
		numbers: map[string]RuleID{}, barredNumbers: map[string]RuleID{}, vias: map[RuleID]Rule{},
	}
	if s.who < 0 {
		return d
	}
	who := uint32(s.who)
	own, role := s.dialRights(s.Set.ref(who))
	for _, c := range slices.Concat(own.grants, role.grants) {
		if s.open[c.window] {
			d.vias[c.rule] = s.via(c.clause)
			s.addDial(d, &c, who)
		}
	}
	if !d.grants() {
		return d
	}
	for _, c := range slices.Concat(own.exclusions, role.exclusions) {
		d.vias[c.rule] = s.via(c.clause)
		if c.kind == dialNumbers {
			addNumbers(d.barredNumbers, s.patternsOf(&c), c.rule)
			continue
		}
		s.addReached(d.barred, &c.clause, who)
		d.barredBy = first(d.barredBy, c.rule)
	}
	if d.any != 0 {
		d.anyClient, d.own, d.people, d.clients = 0, 0, newBitset(size), newBitset(size)
		maps.DeleteFunc(d.numbers, func(n string, _ RuleID) bool { return !code(n) })
	}
	if d.anyClient != 0 {
		d.own, d.clients = 0, newBitset(size)
	}
	narrow(d.numbers)
	narrow(d.barredNumbers)
	return d
}

func (s side) addDial(d *dialling, c *dialClause, who uint32) {
	switch {
	case c.kind == dialAny:
		d.any = first(d.any, c.rule)
	case c.kind == dialNumbers:
		addNumbers(d.numbers, s.patternsOf(c), c.rule)
	case c.kind == dialEmployees:
		s.addReached(d.people, &c.clause, who)
		d.peopleBy = first(d.peopleBy, c.rule)
	case c.scope == scopeAny:
		d.anyClient = first(d.anyClient, c.rule)
	default:
		d.own = first(d.own, c.rule)
		s.addReached(d.clients, &c.clause, who)
		d.clients.remove(s.place[who])
		d.clientsBy = first(d.clientsBy, c.rule)
	}
}

func first(a, b RuleID) RuleID {
	if a != 0 {
		return a
	}
	return b
}

func addNumbers(all map[string]RuleID, patterns []string, rule RuleID) {
	for _, p := range patterns {
		all[p] = first(all[p], rule)
	}
}

// code reports whether the pattern is a feature code, which only its name grants.
func code(pattern string) bool { return pattern[0] == '*' || pattern[0] == '#' }

// narrow takes out the patterns that fit nothing but what another fits.
func narrow(all map[string]RuleID) {
	for p := range all {
		for other := range all {
			begin, prefix := strings.CutSuffix(other, "*")
			if p != other && prefix && !code(other) && !code(p) && strings.HasPrefix(p, begin) {
				delete(all, p)
				break
			}
		}
	}
}

// dial compares which numbers one may call.
func (x *comparison) dial() {
	size := len(x.company.ids)
	was, is := x.old.dialling(size), x.now.dialling(size)
	for _, gained := range [...]bool{true, false} {
		from, to := was, is
		if !gained {
			from, to = is, was
		}
		// What to has and from has not. Where one may call any number there is nothing but codes to be had beside it.
		say := func(rule RuleID, text string) { x.sayDial(gained, to.vias, rule, text) }
		covered := from.any != 0
		if to.any != 0 && !covered {
			say(to.any, "any number"+x.beside(from, to))
		}
		if to.anyClient != 0 && from.anyClient == 0 && !covered {
			say(to.anyClient, "any client"+x.beside(from, to))
		}
		clients := covered || from.anyClient != 0
		if to.own != 0 && from.own == 0 && !clients {
			say(to.own, "own clients"+x.beside(from, to))
		}
		if of := to.clients.without(from.clients); !of.empty() && !clients {
			say(to.clientsBy, "clients of "+x.company.text(of, x.company.all, x.place))
		}
		if of := to.people.without(from.people); !of.empty() && !covered {
			say(to.peopleBy, "numbers of "+x.company.text(of, x.company.all, x.place)+x.beside(from, to))
		}
		for _, n := range sortedKeys(to.numbers) {
			if from.numbers[n] == 0 && (!covered || code(n)) {
				say(to.numbers[n], n+x.beside(from, to))
			}
		}
		// An exception that goes is a gain, if there was something to except it from.
		if !from.grants() || !to.grants() {
			continue
		}
		if of := from.barred.without(to.barred); !of.empty() {
			x.sayDial(gained, from.vias, from.barredBy, "excepted numbers of "+x.company.text(of, x.company.all, x.place))
		}
		for _, n := range sortedKeys(from.barredNumbers) {
			if to.barredNumbers[n] == 0 {
				x.sayDial(gained, from.vias, from.barredNumbers[n], "excepted "+n)
			}
		}
	}
}

// beside tells the exceptions that come with a grant to somebody who had none.
func (x *comparison) beside(from, to *dialling) string {
	if from.grants() {
		return ""
	}
	out := sortedKeys(to.barredNumbers)
	if !to.barred.empty() {
		out = append(out, "numbers of "+x.company.text(to.barred, x.company.all, x.place))
	}
	if len(out) == 0 {
		return ""
	}
	return " but " + list(out)
}

// sayDial adds the change, with the rule of the policy that has it: a grant, or an exception.
func (x *comparison) sayDial(gained bool, vias map[RuleID]Rule, rule RuleID, text string) {
	c := Change{Kind: ChangeDial, Action: Dial, From: MarkYes, To: MarkNo, Since: x.since, text: text}
	if gained {
		c.From, c.To = MarkNo, MarkYes
	}
	if excepted := strings.HasPrefix(text, "excepted "); gained != excepted {
		c.Is = Ground{x.now.Rule(rule), vias[rule]}
	} else {
		c.Was = Ground{x.old.Rule(rule), vias[rule]}
	}
	if key := c.To.String() + text; !x.words[key] {
		x.words[key] = true
		x.changes = append(x.changes, c)
	}
}
