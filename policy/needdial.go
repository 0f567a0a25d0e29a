package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialIf is a call to a number, for what its other answer needs.
type dialIf struct {
	set     *Set
	subject Ref
	to      *Destination
	form    numberForm
}

// dialNeeds is needs for dialling.
func (s *Set) dialNeeds(subject Ref, to *Destination, allowed bool) []Need {
	if rule := s.emergencyRule(to.Number); rule != 0 {
		return []Need{impossible(ReasonEmergency, "everybody may call a number that stands under emergency, at "+s.Rule(rule).String())}
	}
	form, reason := s.identifyDial(subject, to)
	if reason != ReasonAllowed {
		return []Need{impossible(reason, unjudged[reason])}
	}
	d := &dialIf{set: s, subject: subject, to: to, form: form}
	if allowed {
		return d.refuse()
	}
	if form == formCode && !nameable(to.Number) {
		return []Need{impossible(ReasonBadNumber, "a feature code is named whole by a policy, and one of this form cannot be")}
	}
	bars := d.bars(s)
	var all []Need
	for _, b := range bars {
		all = append(all, Need{Reason: ReasonExcluded, Ways: []Way{one(b)}})
	}
	if len(d.granting(s)) == 0 {
		all = append(all, Need{Reason: s.DecideDial(subject, to).Reason, Ways: d.grant(bars)})
		if last := &all[len(all)-1]; last.Reason == ReasonExcluded {
			last.Reason = ReasonNoRight
		}
	}
	return all
}

// unjudged says why a call cannot be judged at all.
var unjudged = map[Reason]string{
	ReasonUnknownSubject: "the subject is no employee of this policy",
	ReasonBadNumber:      "the number cannot be judged: it must be a plus and 7 to 15 digits, beginning with the country code, or up to six digits",
	ReasonUnknownTarget:  "the number is that of somebody who is no employee of this policy",
}

// nameable reports whether a list can name the feature code, which a star at its end or digits before it would make something else.
func nameable(code string) bool {
	return (code[0] == '*' || code[0] == '#') && code != "*" && (code[len(code)-1] != '*' || !strings.ContainsAny(code, "0123456789"))
}

// bars returns what takes the number out of each exception that binds the subject at the moment of the Set.
func (d *dialIf) bars(s *Set) (all []Edit) {
	own, role := s.dialRights(d.subject)
	for _, c := range slices.Concat(own.exclusions, role.exclusions) {
		if e, ok := d.lift(&c); ok && !slices.ContainsFunc(all, func(o Edit) bool { return o.Rule == e.Rule }) {
			all = append(all, e)
		}
	}
	return all
}

func (d *dialIf) lift(c *dialClause) (Edit, bool) {
	s := d.set
	if _, bars := s.bars(c, d.to, d.form); !bars {
		return Edit{}, false
	}
	if c.kind == dialEmployees {
		who := s.AppendByNumber(nil, d.to.Number)
		if !d.to.Employee.IsZero() {
			who = appendNew(who, d.to.Employee)
		}
		var in []uint32
		for _, r := range who {
			if s.contains(c.list, r.n-1) {
				in = append(in, r.n-1)
			}
		}
		if s.rules[c.rule-1].key == rightAll {
			return s.takeOut(c.rule, c.list, in), true
		}
		return s.takeOut(c.rule, c.list, in, dialKeys[dialEmployees]), true
	}
	e := Edit{Kind: EditTakeOut, Rule: s.Rule(c.rule), Path: s.path(c.rule, dialKeys[dialNumbers]), Names: []string{d.to.Number}}
	e.Text = "take whatever the number fits out of " + e.Rule.String() + s.ofRole(c.rule)
	return e, true
}

// granting returns the rules that let the subject call the number at the moment of the Set.
func (d *dialIf) granting(s *Set) (all []dialClause) {
	own, role := s.dialRights(d.subject)
	for _, c := range slices.Concat(own.grants, role.grants) {
		if s.open[c.window] && s.lets(&c, d.subject, d.to, d.form) && !slices.ContainsFunc(all, func(o dialClause) bool { return o.rule == c.rule }) {
			all = append(all, c)
		}
	}
	return all
}

// part is the keys that lead to what grants: a part of the map, or the whole right.
func (d *dialIf) part(c *dialClause) []string {
	if d.set.rules[c.rule-1].key == rightDial && c.kind != dialAny {
		return d.set.path(c.rule, dialKeys[c.kind])
	}
	return d.set.path(c.rule)
}

// grant returns the ways to let the subject call the number, the one that gives the least first.
func (d *dialIf) grant(now []Edit) (ways []Way) {
	s := d.set
	if t, ok := d.opens(now); ok {
		ways = append(ways, wait(t, s.Location()))
	}
	number := strconv.Quote(d.to.Number)
	own, role := s.dialRights(d.subject)
	e := Edit{Kind: EditSet, Path: []string{"employees", s.ID(d.subject), rightDial.String()}, Value: inBrackets(number)}
	if len(own.grants)+len(own.exclusions) == 0 {
		e.Text = "write " + strings.Join(e.Path, ".") + ": " + e.Value
		ways = append(ways, one(e))
	} else if len(own.grants) > 0 && s.open[own.grants[0].window] && s.rules[own.grants[0].rule-1].key == rightDial {
		e.Kind, e.Value, e.Names, e.Path = EditAdd, "", []string{d.to.Number}, append(e.Path, dialKeys[dialNumbers])
		e.Text = "add " + number + " to " + strings.Join(e.Path, ".")
		ways = append(ways, one(e))
	}
	var all []ranked
	for _, c := range slices.Concat(own.grants, role.grants) {
		if e, power, ok := d.widen(&c); ok && s.open[c.window] {
			all = append(all, ranked{one(e), power * s.holders(c.rule)})
		}
	}
	all = append(all, d.roles()...)
	slices.SortStableFunc(all, func(x, y ranked) int { return cmp.Compare(x.power, y.power) })
	for _, r := range all[:min(len(all), maxWays-1)] {
		ways = append(ways, r.way)
	}
	if len(ways) == 0 {
		ways = append(ways, s.byNewRole(d.subject, rightDial.String(), "{dial: "+inBrackets(number)+"}"))
	}
	return ways
}

// widen lets a grant to call clients or employees reach those of this number.
func (d *dialIf) widen(c *dialClause) (e Edit, power int, ok bool) {
	s, who := d.set, d.to.Employee
	if c.kind == dialClients {
		who = d.to.Responsible
	}
	if d.form == formCode || c.kind != dialEmployees && (c.kind != dialClients || !d.to.Client) || s.lets(c, d.subject, d.to, d.form) {
		return e, 0, false
	}
	e = Edit{Kind: EditSet, Rule: s.Rule(c.rule), Path: d.part(c)}
	text := "let " + e.Rule.String() + " reach "
	switch {
	case c.scope == scopeList && s.known(who):
		e.Kind, e.Names, power = EditAdd, []string{s.ID(who)}, 1
		e.Text = "add " + s.ID(who) + " to " + e.Rule.String()
	case c.scope == scopeList, c.kind == dialEmployees && who.IsZero():
		return e, 0, false
	default:
		wider := *c
		for wider.scope++; wider.scope < scopeAny && !s.lets(&wider, d.subject, d.to, d.form); wider.scope++ {
		}
		e.Value, power = scopeNames[wider.scope], s.reach(&wider.clause, d.subject)
		e.Text = text + e.Value + " instead of " + scopeNames[c.scope]
	}
	e.Text += " (" + dialKeys[c.kind] + ")" + s.ofRole(c.rule)
	return e, power, true
}

// roles are those that would let the subject call the number and do not bar it.
func (d *dialIf) roles() (all []ranked) {
	s := d.set
	for i, at := range s.roleDials[:min(len(s.roleDials), s.written())] {
		rules := dialRulesOf(s.allDials, at)
		if slices.ContainsFunc(rules.exclusions, func(c dialClause) bool { _, bars := s.bars(&c, d.to, d.form); return bars }) {
			continue
		}
		power, ground := 0, RuleID(0)
		for _, c := range rules.grants {
			power += s.reach(&c.clause, d.subject)
			if c.kind == dialAny {
				power += s.Len()
			}
			if s.open[c.window] && s.lets(&c, d.subject, d.to, d.form) {
				ground = c.rule
			}
		}
		if ground != 0 {
			e := s.assignment(s.roleNames[i], d.subject)
			e.Text += ", for " + s.Rule(ground).String()
			all = append(all, ranked{one(e), power})
		}
	}
	return all
}

// opens returns the next moment at which the number may be called with no more standing against it than now.
func (d *dialIf) opens(now []Edit) (time.Time, bool) {
	s := d.set
	var moments []time.Time
	consider := func(c *dialClause, windows ...uint16) {
		if !s.lets(c, d.subject, d.to, d.form) {
			return
		}
		if t, ok := s.together(windows...); ok {
			moments = append(moments, t)
		}
	}
	own, _ := s.dialRights(d.subject)
	for _, c := range own.grants {
		consider(&c, c.window)
	}
	set := s.roleSets[s.people[d.subject.n-1].roleSet]
	for _, item := range s.setItems[set.start:][:set.grants] {
		if a := s.assigned[item]; len(s.allDials) > 0 {
			for _, c := range dialRulesOf(s.allDials, s.roleDials[a.role]).grants {
				consider(&c, a.window, c.window)
			}
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	for _, t := range moments {
		then := s.At(t)
		more := slices.ContainsFunc(d.bars(then), func(e Edit) bool {
			return !slices.ContainsFunc(now, func(o Edit) bool { return o.Rule == e.Rule })
		})
		if !more && len(d.granting(then)) > 0 {
			return t, true
		}
	}
	return time.Time{}, false
}
