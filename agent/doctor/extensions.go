package doctor

import (
	"strconv"
	"strings"
)

// dialplan makes the dialplan of extensions.conf (pbx/pbx_config.c, pbx_load_config).
func dialplan(cfg *Config) *Dialplan {
	plan := &Dialplan{}
	for _, s := range cfg.Sections {
		if strings.EqualFold(s.Name, "general") || strings.EqualFold(s.Name, "globals") {
			continue
		}
		exten := ""
		last := 0 // priority, which n and s count from
		for _, v := range s.Settings {
			switch strings.ToLower(v.Key) {
			case "exten":
				rest := v.Value
				exten, rest, _ = strings.Cut(rest, ",")
				exten = strip(exten)
				// What follows a slash is the caller whom it is for.
				exten, _, _ = strings.Cut(exten, "/")
				last = plan.step(s.Name, exten, rest, last, v.Place)
			case "same":
				last = plan.step(s.Name, exten, v.Value, last, v.Place)
			case "include":
				of, _, _ := strings.Cut(v.Value, ",") // a time may follow
				plan.Includes = append(plan.Includes, Include{s.Name, strip(of)})
			case "switch", "lswitch", "eswitch":
				what, _, _ := strings.Cut(v.Value, "/")
				plan.Elsewhere = append(plan.Elsewhere, Elsewhere{"switch => " + what, s.Name, v.Place})
			case "autohints":
				if isTrue(v.Value) {
					plan.Hints = append(plan.Hints, Hint{s.Name, "", v.Place})
				}
			}
		}
	}
	return plan
}

// step takes "priority,App(data)", where the priority may have a label and an offset, n+2(label), and returns the priority as a number.
func (p *Dialplan) step(context, exten, rest string, last int, at Place) int {
	priority, call, _ := strings.Cut(rest, ",")
	priority, _, _ = strings.Cut(strip(priority), "(")
	priority, offset, _ := strings.Cut(priority, "+")
	switch priority = strip(priority); strings.ToLower(priority) {
	case "hint":
		p.Hints = append(p.Hints, Hint{context, exten, at})
		return last
	case "n", "next":
		last++
	case "s", "same":
	default:
		n, err := strconv.Atoi(priority)
		if err != nil || n < 1 {
			return last // Asterisk says that it is invalid, and leaves it out
		}
		last = n
	}
	if n, err := strconv.Atoi(strip(offset)); err == nil && n > 0 && n < 1<<30 {
		last += n
	}
	app, data := call, ""
	if i := strings.IndexByte(call, '('); i >= 0 {
		app, data = call[:i], call[i+1:]
		if end := strings.LastIndexByte(data, ')'); end >= 0 {
			data = data[:end]
		}
	}
	if app = strip(app); app != "" {
		p.Steps = append(p.Steps, Step{Context: context, Exten: exten, Priority: strconv.Itoa(last), App: app, Data: data, Registrar: "pbx_config", Place: at})
	}
	return last
}
