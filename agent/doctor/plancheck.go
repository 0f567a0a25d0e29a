package doctor

import (
	"slices"
	"strings"
)

// applications says, by an application's name in small letters, what is found where the dialplan runs it.
var applications = map[string]string{
	"chanspy": "dialplan-spy", "extenspy": "dialplan-spy", "dahdiscan": "dialplan-spy", "dahdibarge": "dialplan-spy", "broadcast": "dialplan-spy",
	"slastation": "dialplan-line",
	"pickup":     "dialplan-pickup", "pickupchan": "dialplan-pickup",
	"bridge": "dialplan-bridge", "bridgeadd": "dialplan-bridge", "channelredirect": "dialplan-bridge",
	"disa":       "dialplan-disa",
	"parkedcall": "dialplan-parked",
	"confbridge": "dialplan-conference", "meetme": "dialplan-conference", "meetmechanneladmin": "dialplan-conference", "meetmeadmin": "dialplan-conference",
	"mixmonitor": "dialplan-record", "monitor": "dialplan-record", "record": "dialplan-record", "dictate": "dialplan-record",
	"audiosocket": "dialplan-audio", "jack": "dialplan-audio", "eagi": "dialplan-audio", "ices": "dialplan-audio",
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
			if err := e.application(c, at); err != nil {
				return err
			}
		}
	}
	for _, other := range plan.Elsewhere {
		if !ours(other.Where) {
			e.find("dialplan-elsewhere", where{other.Place, other.Where, other.What}, "what", other.What)
		}
	}
	return e.parking()
}

// trustable are the applications of which the watchdog leaves alone what its configuration names in `trusted`.
var trustable = []string{"audiosocket", "eagi", "jack", "ices", "record", "dictate", "monitor"}

// Ways to clear a finding whose cause stays.
const (
	trusting  = "name what it leads to in watchdog.trusted of Earshot's configuration"
	accepting = "accept the finding in doctor.accept of Earshot's configuration"
)

// application finds what one application means.
func (e *exam) application(c call, at where) error {
	name := strings.ToLower(c.app)
	args := split(c.data, ',')
	instead := accepting
	switch {
	case slices.Contains(trustable, name):
		if e.own.trusts(called(c.app, args)) {
			return nil
		}
		instead = trusting
	case name == "confbridge":
		if guarded, err := e.guarded(args); err != nil || guarded {
			return err
		}
		instead = "give its user profile a pin in confbridge.conf, or " + accepting
	}
	if code, ok := applications[name]; ok {
		e.find(code, at, "app", c.app, "clear", instead)
	}
	for _, text := range assignments(c) {
		e.assigned(text, at)
	}
	switch name {
	case "queue": // Queue(queue,options,URL,announcement,timeout,AGI,…)
		if len(args) > 5 && unquote(args[5]) != "" {
			e.find("dialplan-program", at, "app", c.app)
		}
	case "page":
		if len(args) > 1 && optionsOf(args[1]).has('r') {
			e.find("dialplan-record", at, "app", c.app, "clear", accepting)
		}
	case "voicemailplaymsg":
		e.find("dialplan-voicemail", at, "app", c.app, "how", "", "what", "it")
	case "chanspy", "extenspy":
		e.spy(c.app, unquote(args[0]), strings.Join(args[1:], ","), at)
	case "voicemailmain":
		if len(args) > 1 && optionsOf(args[1]).has('s') {
			e.find("dialplan-voicemail", at, "app", c.app, "how", " with the option s", "what", "the option s")
		}
	}
	return nil
}

// called is the name by which the watchdog trusts what an application leads to: AudioSocket/host:port of AudioSocket(uuid,service), or the
// application and its first argument.
func called(app string, args []string) string {
	if strings.EqualFold(app, "AudioSocket") && len(args) > 1 {
		return "AudioSocket/" + unquote(args[1])
	}
	return app + "/" + unquote(args[0])
}

// trusts reports whether a name begins as one that is trusted; of one that a call computes that cannot be said.
func (o *Own) trusts(name string) bool {
	return !strings.Contains(name, "$") && slices.ContainsFunc(o.Trusted, func(s string) bool {
		begin, ok := strings.CutSuffix(s, "*")
		return (ok || strings.HasSuffix(s, "/")) && strings.HasPrefix(name, begin)
	})
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
