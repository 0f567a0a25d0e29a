package doctor

import "strings"

// ariChecks looks at ari.conf, http.conf and the applications that are connected.
func ariChecks(e *exam) error {
	cfg, err := e.config("ari.conf")
	if err != nil {
		return err
	}
	web, err := e.config("http.conf")
	if err != nil {
		return err
	}
	if on, ok := cfg.option("general", "enabled"); cfg.Absent || ok && isFalse(on.Value) {
		return nil
	}
	on, _ := web.option("general", "enabled")
	served := isTrue(on.Value)
	// Left out, the server does not listen.
	bind, ok := web.option("general", "bindaddr")
	if ok && served && !isLoopback(bind.Value) {
		e.find("ari-open", where{place(bind, web), "general", "bindaddr"})
	}
	if served {
		e.oldTLS("ARI", web, bind)
	}
	for _, s := range cfg.Sections {
		at := where{nameless(s.Place, cfg), s.Name, ""}
		kind, _ := s.last("type")
		switch strings.ToLower(kind.Value) {
		case "outbound_websocket":
			user, _ := s.last("local_ari_user")
			e.find("ari-outbound", at, "account", s.Name, "user", user.Value)
		case "user":
			only, _ := s.last("read_only")
			switch {
			case !served || e.own.ARI != "" && s.Name == e.own.ARI:
			case isTrue(only.Value):
				e.find("ari-reader", at, "account", s.Name)
			default:
				e.find("ari-user", at, "account", s.Name)
			}
		}
	}
	apps, err := e.pbx.Applications(e.ctx)
	if err != nil {
		return err
	}
	for _, a := range apps {
		if a.All && a.Name != e.own.Application {
			e.find("ari-devices", where{section: a.Name, subject: "subscribeAll"}, "application", a.Name)
		}
	}
	return nil
}

// strangers reports whether anybody but Earshot has ARI.
func (e *exam) strangers() (bool, error) {
	cfg, err := e.config("ari.conf")
	if err != nil {
		return false, err
	}
	for _, s := range cfg.Sections {
		kind, _ := s.last("type")
		if strings.EqualFold(kind.Value, "user") && (e.own.ARI == "" || s.Name != e.own.ARI) {
			return true, nil
		}
	}
	return false, nil
}
