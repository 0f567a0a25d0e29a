package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// endpoint is a phone, as far as pickup and subscriptions go.
type endpoint struct {
	name       string
	pickup     Setting // the groups that it may pick up, of the last such key
	record     Setting // one_touch_recording
	transfers  Setting // allow_transfer; left out, it has the endpoint's place alone, and is yes
	pjsip      bool
	subscribes bool
	context    string // where it may subscribe to hints
}

// endpoints are those of pjsip.conf, pjsip_wizard.conf and, for Asterisk 20 and older, sip.conf.
func (e *exam) endpoints() ([]endpoint, error) {
	var all []endpoint
	for _, file := range []struct {
		name, prefix string
		types        []string
	}{
		{"pjsip.conf", "", []string{"endpoint"}},
		{"pjsip_wizard.conf", "endpoint/", []string{"wizard"}},
		{"sip.conf", "", []string{"peer", "user", "friend"}},
	} {
		cfg, err := e.config(file.name)
		if err != nil {
			return nil, err
		}
		for _, s := range cfg.Sections {
			if kind, _ := s.last("type"); !slices.Contains(file.types, strings.ToLower(kind.Value)) {
				continue
			}
			p := endpoint{name: s.Name}
			key := func(names ...string) (Setting, bool) {
				for i := range names {
					names[i] = file.prefix + names[i]
				}
				v, ok := s.last(names...)
				v.Place = place(v, cfg)
				return v, ok
			}
			if v, ok := key("named_pickup_group", "pickup_group", "namedpickupgroup", "pickupgroup"); ok && v.Value != "" {
				p.pickup = v
			}
			if v, ok := key("one_touch_recording"); ok && isTrue(v.Value) {
				p.record = v
			}
			if p.pjsip = file.name != "sip.conf"; p.pjsip {
				p.transfers = Setting{Place: nameless(s.Place, cfg)}
				if v, ok := key("allow_transfer"); ok {
					p.transfers = v
				}
			}
			allow, _ := key("allow_subscribe")
			p.subscribes = p.pjsip && !isFalse(allow.Value)
			context, ok := key("context")
			if !ok {
				context.Value = "default"
			}
			if of, ok := key("subscribe_context"); ok && of.Value != "" {
				context = of
			}
			p.context = context.Value
			all = append(all, p)
		}
	}
	return all, nil
}

// featureChecks looks at pickup groups, the pickup code and what keys within a call do.
func featureChecks(e *exam) error {
	cfg, err := e.config("features.conf")
	if err != nil {
		return err
	}
	all, err := e.endpoints()
	if err != nil {
		return err
	}
	groups := e.groups(all)
	if err := e.variables(); err != nil {
		return err
	}
	// What the dialplan writes has been looked at before.
	groups = groups || slices.ContainsFunc(e.found, func(f Finding) bool { return f.Code == "pickup-set" })
	code, isSet := cfg.option("general", "pickupexten")
	switch at := (where{place(code, cfg), "general", "pickupexten"}); {
	case isSet && code.Value == "":
	case groups: // left out, it is *8
		e.find("pickup-code", at)
	case isSet:
		e.find("pickup-code", at).Severity = Low // there is nobody who may use it
	}
	for _, key := range []string{"automon", "automixmon"} {
		if v, ok := cfg.option("featuremap", key); ok && v.Value != "" {
			e.find("one-touch", where{place(v, cfg), "featuremap", key}, "key", key)
		}
	}
	for _, p := range all {
		if p.record.Value != "" {
			e.find("one-touch", where{p.record.Place, p.name, p.record.Key}, "key", p.record.Key)
		}
	}
	for _, s := range cfg.named("applicationmap") {
		for _, v := range s.Settings {
			e.keys(v, cfg)
		}
	}
	return nil
}

// variables finds what endpoints set on each of their channels.
func (e *exam) variables() error {
	for _, file := range []string{"pjsip.conf", "pjsip_wizard.conf", "sip.conf"} {
		cfg, err := e.config(file)
		if err != nil {
			return err
		}
		for _, s := range cfg.Sections {
			for _, v := range s.Settings {
				switch strings.ToLower(v.Key) {
				case "set_var", "endpoint/set_var", "setvar":
					e.assigned(v.Value, where{place(v, cfg), s.Name, v.Key})
				}
			}
		}
	}
	return nil
}

// groups finds the pickup groups and reports whether there are any.
func (e *exam) groups(all []endpoint) bool {
	count := map[string]int{}
	for _, p := range all {
		if p.pickup.Value != "" {
			count[p.pickup.Value]++
		}
	}
	for _, p := range all {
		if v := p.pickup; v.Value != "" {
			e.find("pickup-groups", where{v.Place, "", v.Value}, "count", strconv.Itoa(count[v.Value]), "groups", v.Value, "key", v.Key)
		}
	}
	return len(count) > 0
}

// keys looks at a line of [applicationmap]: name => keys,who[/whom],application[,arguments[,music]].
func (e *exam) keys(v Setting, cfg *Config) {
	parts := split(v.Value, ',')
	if len(parts) < 3 {
		return
	}
	app, data, _ := strings.Cut(strip(strings.Join(parts[2:], ",")), ",")
	if i := strings.IndexByte(app, '('); i >= 0 {
		whole := strings.Join(parts[2:], ",")
		i = strings.IndexByte(whole, '(')
		app, data = whole[:i], strings.TrimSuffix(whole[i+1:], ")")
	}
	for _, c := range within(call{app, unquote(data)}, 0) {
		if _, ok := applications[strings.ToLower(c.app)]; ok {
			e.find("feature-app", where{place(v, cfg), "applicationmap", v.Key + "," + c.app}, "account", v.Key, "app", c.app, "of", "applicationmap")
		}
		for _, text := range assignments(c) {
			e.assigned(text, where{place(v, cfg), "applicationmap", v.Key + "," + c.app})
		}
	}
}
