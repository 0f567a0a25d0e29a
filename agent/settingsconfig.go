package agent

import "github.com/earshot-pbx/earshot/agent/gate"

// Settings is where the dialplan looks for what employees have set: families of the AstDB, in which the key is the extension.
type Settings struct {
	Forward      string `yaml:"forward"`        // whose value is the number to which calls go; CF, as FreePBX has it
	DoNotDisturb string `yaml:"do_not_disturb"` // whose value is YES; DND, as FreePBX has it
}

func standardSettings() Settings { return Settings{Forward: "CF", DoNotDisturb: "DND"} }

func (s *Settings) validate(bad func(key, format string, args ...any)) {
	for _, f := range []struct{ key, family string }{{"settings.forward", s.Forward}, {"settings.do_not_disturb", s.DoNotDisturb}} {
		if !isContext(f.family) {
			bad(f.key, "%s must be the name of a family in the AstDB: letters, digits, - and _", f.key)
		}
	}
	if s.Forward == s.DoNotDisturb {
		bad("settings.do_not_disturb", "settings.do_not_disturb must be another family than settings.forward")
	}
}

func (s Settings) forGate(board gate.Switchboard) gate.Settings {
	return gate.Settings{Switchboard: board, Forward: s.Forward, DoNotDisturb: s.DoNotDisturb}
}
