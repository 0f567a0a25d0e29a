package doctor

import (
	"slices"
	"strings"
)

// recordChecks looks at what the configuration of conferences and queues records, and at what keys in a conference run.
func recordChecks(e *exam) error {
	rooms, err := e.config("confbridge.conf")
	if err != nil {
		return err
	}
	for _, s := range rooms.Sections {
		kind, _ := s.last("type")
		switch strings.ToLower(kind.Value) {
		case "bridge":
			if v, _ := s.last("record_conference"); isTrue(v.Value) {
				e.find("setting-record", where{place(v, rooms), s.Name, v.Key}, "key", v.Key)
			}
		case "menu":
			for _, v := range s.Settings {
				if strings.Contains(strings.ToLower(v.Value), "dialplan_exec") {
					e.find("feature-app", where{place(v, rooms), s.Name, v.Key + ",dialplan_exec"}, "account", v.Key, "app", "dialplan_exec", "of", s.Name)
				}
			}
		}
	}
	queues, err := e.config("queues.conf")
	if err != nil {
		return err
	}
	for _, s := range queues.Sections {
		if v, _ := s.last("monitor-format"); v.Value != "" && !strings.EqualFold(s.Name, "general") {
			e.find("setting-record", where{place(v, queues), s.Name, v.Key}, "key", v.Key)
		}
	}
	return nil
}

// guarded reports whether ConfBridge(conference,bridge,user,menu) asks for a PIN: by the user profile that it names, or default_user, unless the
// dialplan makes profiles of its own.
func (e *exam) guarded(args []string) (bool, error) {
	rooms, err := e.config("confbridge.conf")
	if err != nil {
		return false, err
	}
	plan, err := e.pbx.Dialplan(e.ctx)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(plan.Steps, func(s Step) bool { return profiled.MatchString(s.Data) }) {
		return false, nil
	}
	profile := "default_user"
	if len(args) > 2 && unquote(args[2]) != "" {
		profile = unquote(args[2])
	}
	guarded := false
	for _, s := range rooms.named(profile) {
		if kind, _ := s.last("type"); strings.EqualFold(kind.Value, "user") {
			v, _ := s.last("pin")
			guarded = v.Secret
		}
	}
	return guarded, nil
}
