package doctor

import (
	"slices"
	"strings"
)

// looked are the files that are looked at; one that Asterisk takes nothing of is a finding of its own.
var looked = []string{"asterisk.conf", "manager.conf", "http.conf", "users.conf", "ari.conf", "extensions.conf", "features.conf", "res_parking.conf",
	"pjsip.conf", "pjsip_wizard.conf", "sip.conf", "confbridge.conf", "queues.conf", "modules.conf"}

// needed are those of them that every PBX has: a folder without one is not the PBX's, or not all of it.
var needed = []string{"manager.conf", "extensions.conf"}

// databases are the families of extconfig.conf that bring in what the doctor looks at in files.
var databases = []string{"queues", "queues.conf", "confbridge.conf", "ps_endpoints", "sippeers", "sipusers", "extensions", "manager.conf", "ari.conf", "extensions.conf", "pjsip.conf", "features.conf", "http.conf"}

// files finds what cannot be seen of the files.
func files(e *exam) error {
	for _, name := range looked {
		cfg, err := e.config(name)
		if err != nil {
			return err
		}
		if cfg.Broken != "" {
			e.find("broken", where{nameless(cfg.Stopped, cfg), "", name}, "account", name, "why", cfg.Broken)
		}
		for _, u := range cfg.Unread {
			what := "what an included file holds that cannot be read belongs to " + name
			if u.Directive == "#exec" {
				what = "what a program prints belongs to " + name
			}
			e.find("unread", where{u.Place, "", name + "," + u.Directive}, "what", what)
		}
		if cfg.Absent && slices.Contains(needed, name) && e.pbx.Source() == sourceFiles {
			e.find("unread", where{Place{File: name}, "", name}, "what", "there is no "+name+" in this folder: what the PBX has comes from elsewhere")
		}
	}
	external, err := e.config("extconfig.conf")
	if err != nil {
		return err
	}
	for _, family := range databases {
		if v, ok := external.option("settings", family); ok && v.Value != "" {
			e.find("unread", where{place(v, external), "settings", family}, "what", family+" comes from a database")
		}
	}
	sorcery, err := e.config("sorcery.conf")
	if err != nil {
		return err
	}
	for _, s := range sorcery.named("res_pjsip") {
		for _, v := range s.Settings {
			if object, _, _ := strings.Cut(v.Key, "/"); object == "endpoint" && !fromPJSIP(v.Value) {
				e.find("unread", where{place(v, sorcery), s.Name, v.Key}, "what", "endpoints come from elsewhere than pjsip.conf")
			}
		}
	}
	return nil
}

// fromPJSIP reports whether sorcery takes objects from pjsip.conf, "config,pjsip.conf,criteria=…", or from nowhere but its cache.
func fromPJSIP(wizard string) bool {
	kind, rest, _ := strings.Cut(wizard, ",")
	file, _, _ := strings.Cut(rest, ",")
	return kind == "memory_cache" || kind == "config" && file == "pjsip.conf"
}

// optionChecks looks at asterisk.conf.
func optionChecks(e *exam) error {
	cfg, err := e.config("asterisk.conf")
	if err != nil {
		return err
	}
	if v, _ := cfg.option("options", "live_dangerously"); isTrue(v.Value) {
		e.find("live-dangerously", where{place(v, cfg), "options", v.Key})
	}
	if v, _ := cfg.option("options", "systemname"); strings.Contains(v.Value, "-") {
		e.find("systemname", where{place(v, cfg), "options", v.Key}, "name", strings.ReplaceAll(v.Value, "-", "_"))
	}
	return nil
}
