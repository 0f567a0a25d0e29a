package gate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Switchboard keeps what employees set for their telephones; pbx.Link is the real one.
type Switchboard interface {
	// Lookup reads a value of the AstDB; it is empty where there is none.
	Lookup(ctx context.Context, family, key string) (string, error)
	// Family reads all values of a family, by their keys.
	Family(ctx context.Context, family string) (map[string]string, error)
	// Keep writes one; an empty one takes out what is there. It makes the leg for that, which ends by itself. pbx.ErrNoInclude says that the dialplan has no
	// place for that, and nothing was done.
	Keep(ctx context.Context, leg call.LegID, family, key, value string) error
	Memberships(ctx context.Context, endpoints []string) ([]pbx.Member, error)
	Pause(ctx context.Context, m pbx.Member) error
}

// Settings is where the PBX has what employees set for their telephones.
type Settings struct {
	Switchboard  Switchboard // nil: nobody sets anything here
	Forward      string      // the AstDB's family that has the number to which an extension's calls go
	DoNotDisturb string      // the family that has inDND for an extension that is not to ring
}

// inDND is the value by which FreePBX, and the dialplan in agent/httpapi/README.md, know that somebody is not to be disturbed.
const inDND = "YES"

// UserSettings are an employee's settings of his telephone.
type UserSettings struct {
	Forward      *string         `json:"forward" nullable:"true" doc:"The number to which all his calls go; null: none, or one that is hidden"`
	Hidden       bool            `json:"forward_hidden,omitempty" doc:"Whether it is not told where his calls go: he is protected and somebody else than who asks, or the number is protected"`
	DoNotDisturb bool            `json:"do_not_disturb" doc:"Whether his telephone does not ring"`
	Paused       map[string]bool `json:"paused" doc:"For each line on which one of his telephones is a member of the queue, by its id, whether it is called no more"`
}

// SettingsAsk is a request to change an employee's settings. What is left out stays as it is.
type SettingsAsk struct {
	Employee     string
	Forward      *string // as one would dial it; empty: none
	DoNotDisturb *bool
	Paused       map[string]bool
	Door         string
}

// Settings returns an employee's settings to who may change them. It is counted and not recorded.
func (g *Gate) Settings(ctx context.Context, s auth.Subject, employee string) (UserSettings, error) {
	if pbx := g.setAfar(s, employee); pbx != "" {
		return send[UserSettings](ctx, g, s, pbx, opSettings, idAsk{employee})
	}
	a := g.newAct(s, policy.SettingsUser, "")
	defer a.stop()
	var p *Problem
	g.locked(func(*call.Table) { p = g.asks(a) })
	if p != nil {
		return UserSettings{}, p
	}
	set := g.policy.Load()
	w := g.consider(set, a, func(set *policy.Set, subject policy.Ref) weighing { return g.maySet(set, subject, a, employee) })
	g.met.question(policy.SettingsUser, w.d.Allowed)
	if w.p != nil {
		w.p.ID = ""
		return UserSettings{}, w.p
	}
	return g.settings(ctx, set, a.employee, employee)
}

// maySet decides whether the subject may change an employee's settings.
func (g *Gate) maySet(set *policy.Set, subject policy.Ref, a *act, employee string) (w weighing) {
	target, ok := set.Employee(employee)
	if !ok {
		w.p = noSuchEmployee()
		return w
	}
	a.target = employee
	w.d = set.Decide(&policy.Request{Subject: subject, Action: policy.SettingsUser, Target: target})
	switch {
	case !w.d.Allowed:
		w.p = g.refusal(set, w.d, a.id)
	case g.homeOf(set, target) != "": // another policy has said so since it was asked where he is
		w.p = otherPBXUnreachable(nil)
	case g.cfg.Settings.Switchboard == nil:
		w.p = &Problem{Kind: NotFound, Code: "no_settings", Text: "Settings of telephones are not changed from here."}
	case extension(set, target) == "":
		w.p = &Problem{Kind: Conflict, Code: "no_extension", Text: "The policy has no extension of that employee's: a number of up to six digits."}
	}
	return w
}

// extension is the first of an employee's numbers that is one of the PBX's own, by which the AstDB has his settings.
func extension(set *policy.Set, who policy.Ref) string {
	if own := extensions(set, who); len(own) > 0 {
		return own[0]
	}
	return ""
}

// extensions are all of them.
func extensions(set *policy.Set, who policy.Ref) []string {
	return slices.DeleteFunc(set.Numbers(who), func(number string) bool { return len(number) > 6 || strings.Trim(number, "0123456789") != "" })
}

// settings are an employee's as the PBX has them, as somebody may see them.
func (g *Gate) settings(ctx context.Context, set *policy.Set, asker, employee string) (UserSettings, error) {
	c, v := &g.cfg.Settings, UserSettings{Paused: map[string]bool{}}
	target, _ := set.Employee(employee)
	ext := extension(set, target)
	forward, err := c.Switchboard.Lookup(ctx, c.Forward, ext)
	if err != nil {
		return UserSettings{}, notSet(err)
	}
	if v.Hidden = asker != employee && (set.Protector(target) != 0 || set.ProtectedNumber(forward)); forward != "" && !v.Hidden {
		v.Forward = &forward
	}
	dnd, err := c.Switchboard.Lookup(ctx, c.DoNotDisturb, ext)
	if err != nil {
		return UserSettings{}, notSet(err)
	}
	v.DoNotDisturb = dnd != ""
	places, err := g.places(ctx, set, target)
	if err != nil {
		return UserSettings{}, err
	}
	for line, members := range places {
		// He is called as long as one of his telephones is.
		v.Paused[line] = !slices.ContainsFunc(members, func(m pbx.Member) bool { return !m.Paused })
	}
	return v, nil
}

// places are an employee's memberships in queues that are lines of the policy, by the line's id.
func (g *Gate) places(ctx context.Context, set *policy.Set, who policy.Ref) (map[string][]pbx.Member, error) {
	all, err := g.cfg.Settings.Switchboard.Memberships(ctx, set.Phones(who))
	if err != nil {
		return nil, notSet(err)
	}
	lines := map[string][]pbx.Member{}
	for _, m := range all {
		if line, ok := set.LineOfQueue(m.Queue); ok {
			lines[set.LineID(line)] = append(lines[set.LineID(line)], m)
		}
	}
	return lines, nil
}

// ChangeSettings changes an employee's settings and returns what they are then. His calls are forwarded to where he may call himself, and nowhere
// else; it is ended when he may not any more. Those of somebody who is protected are forwarded by himself alone: to have them come to oneself is to
// intercept them. Not to be disturbed and to pause take nobody's call, so for these the right is enough.
func (g *Gate) ChangeSettings(ctx context.Context, s auth.Subject, ask SettingsAsk) (UserSettings, error) {
	if pbx := g.setAfar(s, ask.Employee); pbx != "" {
		return send[UserSettings](ctx, g, s, pbx, opSet, ask)
	}
	a := g.newAct(s, policy.SettingsUser, ask.Door)
	var out UserSettings
	var in *policy.Set
	var forward string
	var pauses []pbx.Member
	var applied progress
	err := g.settle(ctx, a, func(set *policy.Set, subject policy.Ref) weighing {
		w := g.maySet(set, subject, a, ask.Employee)
		if w.p != nil {
			return w
		}
		in, w.keys = set, ask.keys()
		target, _ := set.Employee(ask.Employee)
		if rule := set.Protector(target); ask.Forward != nil && rule != 0 && subject != target {
			w.d = policy.Decision{Reason: policy.ReasonProtected, Rule: rule, Pairwise: true}
			w.p = g.refusal(set, w.d, a.id)
			return w
		}
		if forward, w.p = g.forward(ctx, set, target, ask.Forward, a.id); w.p == nil && forward != "" {
			w.p = g.circle(ctx, set, target, forward)
		}
		if pauses = nil; w.p == nil && len(ask.Paused) > 0 {
			pauses, w.p = g.pauses(ctx, set, target, ask.Paused)
		}
		return w
	}, func(ctx context.Context) error {
		target, _ := in.Employee(ask.Employee)
		c, ext := &g.cfg.Settings, extension(in, target)
		if ask.Forward != nil {
			if err := g.keepForward(ctx, in, target, forwardMark{number: forward, act: a.id, setter: a.employee}); err != nil {
				return applied.told(err, ask.keys())
			}
			applied.has("forward")
		}
		if ask.DoNotDisturb != nil {
			dnd := ""
			if *ask.DoNotDisturb {
				dnd = inDND
			}
			err := c.Switchboard.Keep(ctx, keeper(), c.DoNotDisturb, ext, dnd)
			if g.quiet.changed(); err != nil { // what failed may have been written
				return applied.told(notSet(err), ask.keys())
			}
			applied.has("do_not_disturb")
		}
		for i, m := range pauses {
			if err := c.Switchboard.Pause(ctx, m); err != nil {
				applied.part = i > 0
				return applied.told(notSet(err), ask.keys())
			}
		}
		applied.has("paused")
		var err error
		if out, err = g.settings(ctx, in, a.employee, ask.Employee); err != nil {
			return applied.told(err, ask.keys())
		}
		return nil
	})
	return out, err
}

// keeper is the unique id of a leg that keeps a setting. It ends by itself, as those do that hand a caller back.
func keeper() call.LegID { return call.LegID(pbx.Prefix + newID() + backSuffix) }

func (ask *SettingsAsk) keys() (keys []string) {
	for _, k := range []struct {
		key   string
		asked bool
	}{{"forward", ask.Forward != nil}, {"do_not_disturb", ask.DoNotDisturb != nil}, {"paused", len(ask.Paused) > 0}} {
		if k.asked {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// forward is the number to which an employee's calls are to go, if he may call it himself. Why he may not is not told: whoever asks may be another.
func (g *Gate) forward(ctx context.Context, set *policy.Set, target policy.Ref, number *string, id string) (string, *Problem) {
	if number == nil || *number == "" {
		return "", nil
	}
	to, d := g.DecideDial(ctx, set, target, *number)
	return g.forwards(set, target, to, d, id)
}

// forwards is the number as the AstDB is to have it, of one about which it has been decided whether the employee may call it.
func (g *Gate) forwards(set *policy.Set, target policy.Ref, to Destination, d policy.Decision, id string) (string, *Problem) {
	refused := &Problem{Kind: Refused, Code: "forward_refused", Text: "The policy does not let that employee call this number, so his calls are not forwarded there."}
	switch p := g.dialRefusal(set, d, to, id); {
	case d.Allowed && d.Reason != policy.ReasonEmergency && strings.Trim(strings.TrimPrefix(to.dial, "+"), "0123456789") == "" && to.Employee != target:
		return to.dial, nil
	case d.Allowed, p.Code == badNumber(id).Code:
		return "", &Problem{Kind: Invalid, Code: "bad_number", Text: "Calls are forwarded to no such number: give digits, with a plus before a country code; no feature code, no emergency number, and not the employee's own."}
	case p.Kind == Unavailable:
		return "", p
	}
	return "", refused
}

// pauses are the memberships that have to be changed.
func (g *Gate) pauses(ctx context.Context, set *policy.Set, target policy.Ref, paused map[string]bool) (change []pbx.Member, p *Problem) {
	places, err := g.places(ctx, set, target)
	if err != nil {
		return nil, AsProblem(err)
	}
	for line, want := range paused {
		if len(places[line]) == 0 { // whether or not there is such a line
			return nil, &Problem{Kind: Conflict, Code: "not_a_member", Text: "None of that employee's telephones is a member of such a line; GET lists those on which one is."}
		}
		for _, m := range places[line] {
			if m.Paused != want {
				m.Paused = want
				change = append(change, m)
			}
		}
	}
	return change, nil
}

// progress is how far a change of several settings has come.
type progress struct {
	done []string // the keys that were applied
	part bool     // of the next, something was
}

func (p *progress) has(key string) { p.done = append(p.done, key) }

// told is a failure that says which of several settings were applied and which were not. Keys are fixed words, so the text stays one of few.
func (p *progress) told(err error, asked []string) *Problem {
	problem := *AsProblem(err)
	if len(asked) < 2 {
		return &problem
	}
	var done, not []string
	for _, key := range asked {
		switch {
		case slices.Contains(p.done, key):
			done = append(done, key)
		case key == "paused" && p.part:
			not = append(not, "paused, but for some lines")
		default:
			not = append(not, key)
		}
	}
	list := func(keys []string) string { return cmp.Or(strings.Join(keys, ", "), "nothing") }
	problem.Text += " Applied: " + list(done) + ". Not applied: " + list(not) + "."
	return &problem
}

func notSet(cause error) *Problem {
	if errors.Is(cause, pbx.ErrNoInclude) {
		return &Problem{Kind: Conflict, Code: reasonNoInclude, Text: "The PBX has no place in its dialplan by which forwarding and do-not-disturb are kept; the administrator has to install what `earshot setup asterisk` prints.", cause: cause}
	}
	return &Problem{Kind: Unavailable, Code: reasonPBX, Text: "Asterisk does not tell the settings, or did not take all of them; look again shortly what they are. The log says why.", cause: cause, open: outOfTime(cause)}
}
