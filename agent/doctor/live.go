package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/ami"
)

// Live is a running Asterisk, seen through AMI by an account that may read its configuration.
type Live struct {
	client  *ami.Client
	configs map[string]*Config
	plan    *Dialplan
	modules []Module
}

// limits let an answer hold a whole configuration or dialplan.
var limits = ami.Limits{Fields: 4 << 20, Block: 256 << 20}

// Dial logs in. The account needs the classes config, command and reporting, each in read and write. The answers hold secrets in the clear: on
// another machine than the PBX, go through a tunnel. The caller has to Close it.
func Dial(ctx context.Context, address, user, secret string) (*Live, error) {
	c, err := ami.Dial(ctx, ami.Config{Addr: address, Username: user, Secret: ami.Secret(secret), Events: "off", Limits: limits, MaxRows: 2_000_000})
	if err != nil {
		return nil, err
	}
	return &Live{client: c, configs: map[string]*Config{}}, nil
}

// Close ends the connection.
func (l *Live) Close() { l.client.Close() }

// Source is "live".
func (l *Live) Source() string { return "live" }

// absent and invalid are what Asterisk answers about a file (main/manager.c, action_getconfig).
const (
	absent  = "Config file not found"
	invalid = "Config file has invalid format"
)

// Config has Asterisk read a file, with what it includes and with what programs print that it runs for that. No lines are known of it.
func (l *Live) Config(ctx context.Context, name string) (*Config, error) {
	if c := l.configs[name]; c != nil {
		return c, nil
	}
	cfg := &Config{Name: name}
	answer, err := l.client.Do(ctx, ami.NewAction("GetConfig").Append("Filename", name))
	var refused *ami.RefusedError
	switch {
	case err == nil:
		sections(answer, cfg)
	case errors.As(err, &refused) && refused.Message == absent:
		cfg.Absent = true
	case errors.As(err, &refused) && refused.Message == invalid:
		cfg.Broken = "it has an invalid format; its log says which line"
	case errors.As(err, &refused):
		return nil, fmt.Errorf("read %s (the doctor's account needs config, command and reporting, in read and in write): %w", name, err)
	default:
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	l.configs[name] = cfg
	return cfg, nil
}

// sections takes what GetConfig answers: "Category-000001: name" and then "Line-000001-000000: key=value".
func sections(answer *ami.Message, cfg *Config) {
	at := Place{File: cfg.Name}
	for i := range answer.Len() {
		field, value := answer.Field(i)
		what, _, _ := strings.Cut(string(field), "-")
		switch what {
		case "Category":
			cfg.Sections = append(cfg.Sections, Section{Name: string(value), Place: at})
		case "Line":
			if n := len(cfg.Sections); n > 0 {
				key, v, _ := strings.Cut(string(value), "=")
				s := &cfg.Sections[n-1]
				s.Settings = append(s.Settings, setting(key, v, at))
			}
		}
	}
}

// failed is what Asterisk says of a command that it knows not, or that found nothing; not of one that the account may not run.
const failed = "Command output follows"

// command runs a line of Asterisk's command line and returns what it prints.
func (l *Live) command(ctx context.Context, line string) ([]string, error) {
	answer, err := l.client.Do(ctx, ami.NewAction("Command").Append("Command", line))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	var out []string
	for i := range answer.Len() {
		if name, value := answer.Field(i); string(name) == "Output" {
			out = append(out, string(value))
		}
	}
	return out, nil
}

// Modules are those that run.
func (l *Live) Modules(ctx context.Context) ([]Module, error) {
	if l.modules != nil {
		return l.modules, nil
	}
	out, err := l.command(ctx, "module show")
	if err != nil {
		return nil, err
	}
	if l.modules = running(out); len(l.modules) == 0 {
		return nil, errors.New("module show lists no modules")
	}
	return l.modules, nil
}

// running are the modules of what `module show` prints.
func running(out []string) []Module {
	var all []Module
	for _, line := range out {
		name, _, _ := strings.Cut(line, " ")
		if strings.HasSuffix(name, ".so") && !strings.Contains(line, " Not Running ") {
			all = append(all, Module{Name: name, Place: Place{File: "modules.conf"}})
		}
	}
	return all
}

// Applications are the Stasis applications that are connected. Of one that is gone meanwhile nothing is told.
func (l *Live) Applications(ctx context.Context) ([]Application, error) {
	out, err := l.command(ctx, "ari show apps")
	var refused *ami.RefusedError
	if errors.As(err, &refused) && refused.Message == failed {
		return nil, nil // res_ari is not loaded, so there is no such command
	}
	if err != nil {
		return nil, err
	}
	var apps []Application
	for _, name := range connected(out) {
		about, err := l.command(ctx, `ari show app "`+name+`"`)
		if errors.As(err, &refused) && refused.Message == failed {
			continue
		}
		if err != nil {
			return nil, err
		}
		apps = append(apps, Application{name, slices.ContainsFunc(about, func(s string) bool { return strings.Contains(s, "Global Resource Subscription") })})
	}
	return apps, nil
}

// connected are the names in what `ari show apps` prints. Asterisk 16 fills them with spaces to 25 characters, and cuts longer ones off, which
// are not found again by what is left of them.
func connected(out []string) []string {
	var names []string
	for i, name := range out {
		name = strings.TrimRight(name, " ")
		if i < 2 || name == "" || strings.ContainsAny(name, "\"\\") {
			continue // the heading; and a name that the command line would take apart
		}
		names = append(names, name)
	}
	return names
}

// Dialplan is the one that runs.
func (l *Live) Dialplan(ctx context.Context) (*Dialplan, error) {
	if l.plan != nil {
		return l.plan, nil
	}
	rows, _, err := l.client.List(ctx, ami.NewAction("ShowDialPlan"))
	if err != nil {
		return nil, fmt.Errorf("ShowDialPlan: %w", err)
	}
	out, err := l.command(ctx, "dialplan show")
	if err != nil {
		return nil, err
	}
	l.plan = shown(rows, places(out))
	return l.plan, nil
}

// shown makes the dialplan of the rows of ShowDialPlan. lines has the place of each step, in the same order.
func shown(rows []*ami.Message, lines []line) *Dialplan {
	plan := &Dialplan{}
	next := 0
	// A step that does not stand where it should: something was loaded in between, and no line is better than a wrong one.
	at := func(priority string) Place {
		if next < len(lines) && lines[next].priority == priority {
			next++
			return lines[next-1].place
		}
		next = len(lines)
		return Place{}
	}
	for _, r := range rows {
		context := r.Get("Context")
		switch priority := r.Get("Priority"); {
		case r.Get("IncludeContext") != "":
			plan.Includes = append(plan.Includes, Include{context, r.Get("IncludeContext")})
		case r.Get("Switch") != "":
			what, _, _ := strings.Cut(r.Get("Switch"), "/")
			plan.Elsewhere = append(plan.Elsewhere, Elsewhere{"switch => " + what, context, Place{File: "extensions.conf"}})
		case priority == "hint":
			plan.Hints = append(plan.Hints, Hint{context, r.Get("Extension"), at(priority)})
		case priority != "":
			plan.Steps = append(plan.Steps, Step{
				Context: context, Exten: r.Get("Extension"), Priority: priority, App: r.Get("Application"), Data: r.Get("AppData"),
				Registrar: r.Get("Registrar"), Place: at(priority),
			})
		}
	}
	return plan
}

// line is one step of what `dialplan show` prints, with the place at its end.
type line struct {
	priority string
	place    Place
}

var (
	stepLine  = regexp.MustCompile(`^ +(?:'.*?' (?:\(CID match '.*?'\) )?=>|\[[^\]]*\])? +(?:(\d+)\. |(hint): )`)
	placeMark = regexp.MustCompile(`\[([^\[\]]+):(\d+)\]$`)
)

// places reads what `dialplan show` prints. Steps of modules have no line.
func places(out []string) []line {
	var all []line
	for _, text := range out {
		m := stepLine.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		l := line{priority: m[1] + m[2]}
		if p := placeMark.FindStringSubmatch(text); p != nil {
			n, err := strconv.Atoi(p[2])
			if err == nil {
				l.place = Place{p[1], n}
			}
		}
		all = append(all, l)
	}
	return all
}
