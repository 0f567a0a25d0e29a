package doctor

import (
	"slices"
	"strings"
)

// applications says, by an application's name in small letters, what is found where the dialplan runs it.
var applications = map[string]string{
	"chanspy": "dialplan-spy", "extenspy": "dialplan-spy", "dahdiscan": "dialplan-spy",
	"pickup": "dialplan-pickup", "pickupchan": "dialplan-pickup",
	"bridge": "dialplan-bridge", "bridgeadd": "dialplan-bridge", "channelredirect": "dialplan-bridge",
	"disa":       "dialplan-disa",
	"parkedcall": "dialplan-parked",
	"confbridge": "dialplan-conference", "meetme": "dialplan-conference", "meetmechanneladmin": "dialplan-conference", "meetmeadmin": "dialplan-conference",
	"mixmonitor": "dialplan-record", "monitor": "dialplan-record", "record": "dialplan-record", "dictate": "dialplan-record",
	"audiosocket": "dialplan-audio", "jack": "dialplan-audio", "eagi": "dialplan-audio",
	"speechbackground": "dialplan-audio",
	"agi":              "dialplan-program", "deadagi": "dialplan-program", "system": "dialplan-program", "trysystem": "dialplan-program", "externalivr": "dialplan-program",
	"originate": "dialplan-originate",
	"$":         "dialplan-computed",
}

// modules that make extensions of their own: parking slots are found as such, and a periodic hook's context is entered by that hook alone.
var makers = []string{"res_parking", "func_periodic_hook"}

// ours reports whether a context belongs to Earshot's include.
func ours(context string) bool { return strings.HasPrefix(strings.ToLower(context), "earshot") }

// dialplanChecks looks at what the steps of the dialplan run, outside Earshot's include.
func dialplanChecks(e *exam) error {
	plan, err := e.pbx.Dialplan(e.ctx)
	if err != nil {
		return err
	}
	for _, s := range plan.Steps {
		maker, _, _ := strings.Cut(s.Registrar, "/")
		if ours(s.Context) || slices.Contains(makers, maker) {
			continue
		}
		for _, c := range s.calls() {
			at := where{s.Place, s.Context, s.Exten + "," + s.Priority + "," + c.app}
			if at.File == "" {
				at.File = "extensions.conf"
			}
			e.application(c, at)
		}
	}
	for _, other := range plan.Elsewhere {
		if !ours(other.Where) {
			e.find("dialplan-elsewhere", where{other.Place, other.Where, other.What}, "what", other.What)
		}
	}
	return e.parking()
}

// application finds what one application means.
func (e *exam) application(c call, at where) {
	name := strings.ToLower(c.app)
	if code, ok := applications[name]; ok {
		e.find(code, at, "app", c.app)
	}
	args := split(c.data, ',')
	switch name {
	case "chanspy", "extenspy":
		e.spy(c.app, unquote(args[0]), strings.Join(args[1:], ","), at)
	case "voicemailmain":
		if len(args) > 1 && optionsOf(args[1]).has('s') {
			e.find("dialplan-voicemail", at, "app", c.app)
		}
	}
}

// spy looks at the arguments of ChanSpy and ExtenSpy.
func (e *exam) spy(app, target, options string, at where) {
	has := optionsOf(options)
	// ExtenSpy looks for who stands at an extension; ChanSpy takes a prefix unless u says that it is one channel.
	if strings.EqualFold(app, "ChanSpy") && !has.has('u') && !strings.HasSuffix(target, "-") {
		e.find("spy-prefix", at, "app", app)
	}
	if has.has('d') {
		e.find("spy-modes", at, "app", app)
	}
	if has.has('r') {
		e.find("spy-records", at, "app", app)
	}
	if has.has('X') || has.has('x') || has.has('c') {
		e.find("spy-leaves", at, "app", app)
	}
	if !has.has('E') && !has.has('S') {
		e.find("spy-stays", at, "app", app)
	}
	if has.has('e') {
		e.find("spy-enforced", at, "app", app)
	}
}

// parking looks at the lots of res_parking.conf. An extension is made for each slot where the lot has one for parking.
func (e *exam) parking() error {
	cfg, err := e.config("res_parking.conf")
	if err != nil {
		return err
	}
	for _, s := range cfg.Sections {
		if v, ok := s.last("parkext"); ok && v.Value != "" && !strings.EqualFold(s.Name, "general") {
			e.find("parking-lot", where{place(v, cfg), s.Name, "parkext"}, "account", s.Name)
		}
	}
	return nil
}
