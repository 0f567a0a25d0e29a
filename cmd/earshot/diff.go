package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/policy"
)

type diffCmd struct {
	Paths  []string `arg:"" optional:"" name:"path" type:"path" help:"The policy's file or folder as it was, and then as it is to be; whichever of them no flag names."`
	Old    []string `type:"path" sep:"none" xor:"old" help:"A file or folder of the policy as it was; may be repeated." placeholder:"PATH"`
	New    []string `type:"path" sep:"none" help:"A file or folder of the policy as it is to be; may be repeated." placeholder:"PATH"`
	Config string   `type:"path" xor:"old" help:"The configuration file, which names the policy as it was." placeholder:"FILE"`
	Format string   `enum:"text,json" default:"text" help:"text, for people; or json." placeholder:"text|json"`
	asOf
}

// Run prints what differs.
func (c *diffCmd) Run(s streams) error {
	if err := c.sides(); err != nil {
		return err
	}
	before, err := load("", c.Old)
	if err != nil {
		return err
	}
	after, err := load("", c.New)
	if err != nil {
		return err
	}
	at, err := c.moment(after.Location()) // as the days and hours of the policy are meant
	if err != nil {
		return err
	}
	d := policy.Compare(before, after, at)
	out := bufio.NewWriter(s.out)
	if c.Format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(reportOf(d))
	} else {
		err = (&diffText{table: table{out: out, at: at}, diff: d}).print()
	}
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if !d.Empty() {
		return refusal{}
	}
	return nil
}

// sides fills in the paths of both policies.
func (c *diffCmd) sides() error {
	if c.Config != "" {
		cfg, err := agent.LoadConfig(c.Config)
		if err != nil {
			return err
		}
		if c.Old = cfg.Policy; len(c.Old) == 0 {
			return errors.New("the configuration follows a published policy: name the files that are to be compared")
		}
	}
	rest := c.Paths
	for _, side := range []*[]string{&c.Old, &c.New} {
		if len(*side) > 0 {
			continue
		}
		if len(rest) == 0 {
			return errors.New("two policies are compared: name the old and the new one, or say --old, --new or --config")
		}
		*side, rest = rest[:1], rest[1:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s is a third policy: of one that is in several places say --old or --new for each", rest[0])
	}
	return nil
}

// diffReport is what --format json prints.
type diffReport struct {
	Joined      []string      `json:"joined,omitempty"` // ids of employees whom the old policy does not have
	Left        []string      `json:"left,omitempty"`
	LinesJoined []string      `json:"lines_joined,omitempty"`
	LinesLeft   []string      `json:"lines_left,omitempty"`
	Settings    []diffSetting `json:"settings,omitempty"`
	People      []diffPerson  `json:"people,omitempty"`
	Rules       []diffRule    `json:"rules,omitempty"`
	Moments     []time.Time   `json:"moments"`       // that were compared
	Cut         bool          `json:"cut,omitempty"` // there were more of them
}

// diffSetting is what changes decisions and is nobody's right, such as protected numbers.
type diffSetting struct {
	Name string   `json:"name"`
	Gone []string `json:"gone,omitempty"`
	Come []string `json:"come,omitempty"`
}

// diffPerson is what has changed for one employee.
type diffPerson struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Changes []diffChange `json:"changes"`
}

// diffChange is one right gained or lost. From and To are values of the matrix; without targets and lines it is about nobody, or about the
// numbers.
type diffChange struct {
	Kind    string     `json:"kind"` // targets, lines, right, dial, others: who may not be on the call, notice: how it is told, or clients: where access to the client opens it
	Action  string     `json:"action"`
	Gained  bool       `json:"gained"`
	From    string     `json:"from"`
	To      string     `json:"to"`
	Since   *time.Time `json:"since,omitempty"` // left out: from the first moment on
	Targets []string   `json:"targets,omitempty"`
	Lines   []string   `json:"lines,omitempty"`
	Numbers string     `json:"numbers,omitempty"`
	Notify  string     `json:"notify,omitempty"` // in which ways
	Was     *diffRules `json:"was,omitempty"`    // what granted or excluded it in the old policy
	Is      *diffRules `json:"is,omitempty"`     // and in the new one
}

// diffRules is a rule, file:line:column: path, with the assignment that brings it.
type diffRules struct {
	Rule string `json:"rule"`
	Via  string `json:"via,omitempty"`
}

// diffRule is what one rule has changed, by being there or by being there no more.
type diffRule struct {
	Rule    string           `json:"rule"`
	Via     string           `json:"via,omitempty"`
	New     bool             `json:"new"` // it is the new policy's; otherwise the old one's
	Changes []diffRuleChange `json:"changes"`
}

// diffRuleChange is one change of a rule, for all whom it is the same.
type diffRuleChange struct {
	Kind   string     `json:"kind"`
	Action string     `json:"action"`
	Gained bool       `json:"gained"`
	From   string     `json:"from"`
	To     string     `json:"to"`
	Since  *time.Time `json:"since,omitempty"`
	People []string   `json:"people"`
	Pairs  int        `json:"pairs"` // of a person and a target; without targets one for each person
}

func reportOf(d *policy.Difference) diffReport {
	r := diffReport{Joined: d.Joined, Left: d.Left, LinesJoined: d.LinesJoined, LinesLeft: d.LinesLeft, Moments: d.Moments, Cut: d.Cut}
	for _, s := range d.Settings {
		r.Settings = append(r.Settings, diffSetting{s.Name, s.Gone, s.Come})
	}
	var rules byRule
	for p := range d.People() {
		person := diffPerson{ID: p.ID, Name: p.Name}
		for i := range p.Changes {
			person.Changes = append(person.Changes, changeOf(&p.Changes[i]))
			rules.add(p.ID, &p.Changes[i])
		}
		r.People = append(r.People, person)
	}
	r.Rules = rules.all
	return r
}

func changeOf(c *policy.Change) diffChange {
	out := diffChange{
		Kind: c.Kind.String(), Action: c.Action.String(), Gained: c.Gained(), From: c.From.String(), To: c.To.String(),
		Since: sinceOf(c), Lines: c.Lines, Was: rulesOf(c.Was), Is: rulesOf(c.Is),
	}
	for id := range c.Targets() {
		out.Targets = append(out.Targets, id)
	}
	switch c.Kind { //nolint:exhaustive // the others have targets, lines or nothing
	case policy.ChangeDial:
		out.Numbers = c.Text()
	case policy.ChangeNotice:
		out.Notify = c.Text()
	}
	return out
}

func rulesOf(g policy.Ground) *diffRules {
	if g.Rule.Line == 0 {
		return nil
	}
	return &diffRules{g.Rule.String(), g.Via.String()}
}

func sinceOf(c *policy.Change) *time.Time {
	if c.Since.IsZero() {
		return nil
	}
	return &c.Since
}

// byRule groups changes by the rules that made them, in the order in which they come.
type byRule struct {
	all []diffRule
	at  map[diffRuleKey]int
	of  map[diffRuleChangeKey]int
}

type diffRuleKey struct {
	ground policy.Ground
	isNew  bool
}

type diffRuleChangeKey struct {
	rule     diffRuleKey
	kind     policy.ChangeKind
	action   policy.Action
	from, to policy.Mark
	since    time.Time
}

func (b *byRule) add(who string, c *policy.Change) {
	if b.at == nil {
		b.at, b.of = map[diffRuleKey]int{}, map[diffRuleChangeKey]int{}
	}
	ground, isNew := c.Made()
	key := diffRuleKey{ground, isNew}
	i, ok := b.at[key]
	if !ok {
		i = len(b.all)
		b.at[key] = i
		b.all = append(b.all, diffRule{Rule: ground.Rule.String(), Via: ground.Via.String(), New: isNew})
	}
	changeKey := diffRuleChangeKey{key, c.Kind, c.Action, c.From, c.To, c.Since}
	rule := &b.all[i]
	j, ok := b.of[changeKey]
	if !ok {
		j = len(rule.Changes)
		b.of[changeKey] = j
		rule.Changes = append(rule.Changes, diffRuleChange{
			Kind: c.Kind.String(), Action: c.Action.String(), Gained: c.Gained(), From: c.From.String(), To: c.To.String(), Since: sinceOf(c),
		})
	}
	change := &rule.Changes[j]
	if n := len(change.People); n == 0 || change.People[n-1] != who {
		change.People = append(change.People, who)
	}
	change.Pairs += max(c.Count(), 1) * max(len(c.Lines), 1)
}
