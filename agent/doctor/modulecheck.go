package doctor

import "slices"

// risk is a module that opens a way round, or makes more of one.
type risk struct {
	name     string
	severity Severity
	why      string
	ari      bool // only for those who have ARI beside Earshot
}

var risks = []risk{
	{"app_chanspy.so", Low, "it gives the dialplan and every originating account ChanSpy and ExtenSpy; Earshot does not need it, but MixMonitor does not load without it", false},
	{"app_broadcast.so", Medium, "it gives the dialplan and every originating account Broadcast, which listens to channels, or speaks into them, and raises no event", false},
	{"app_sla.so", Low, "SLAStation puts phones into the call of a shared line", false},
	{"app_ices.so", Medium, "the audio of a call can be sent to a streaming server", false},
	{"app_bridgeaddchan.so", Medium, "BridgeAdd joins the call of whoever's channel begins so, without an event that says so", false},
	{"app_disa.so", Medium, "DISA gives callers the rights of an internal phone", false},
	{"app_originate.so", Low, "the dialplan can make calls of its own", false},
	{"app_channelredirect.so", Low, "the dialplan can take any channel out of its call", false},
	{"app_system.so", Medium, "the dialplan can run programs", false},
	{"app_externalivr.so", Medium, "the dialplan can hand a call to a program", false},
	{"app_jack.so", Medium, "the audio of a call can be led to other programs", false},
	{"app_audiosocket.so", Medium, "the audio of a call can be sent to another machine", false},
	{"chan_audiosocket.so", Medium, "whoever may originate can send audio to another machine, without a phone", false},
	{"chan_rtp.so", Medium, "whoever may originate can send audio to any address (UnicastRTP), without a phone", false},
	{"chan_websocket.so", Medium, "whoever may originate can send audio to any address, without a phone", false},
	{"res_speech_aeap.so", Medium, "speech recognition of the dialplan sends the audio of a call to another machine", false},
	{"app_dictate.so", Low, "it records what a call says", false},
	{"app_mp3.so", Low, "it plays any file or address", false},
	{"app_meetme.so", Low, "its rooms have no events that Earshot counts parties by", false},
	{"func_shell.so", High, "SHELL() runs programs wherever a variable is read", false},
	{"func_curl.so", Medium, "CURL() reads local files and calls any address wherever a variable is read", false},
	{"func_odbc.so", Low, "ODBC functions read and write the database wherever a variable is read", false},
	{"func_realtime.so", Low, "REALTIME() reads and writes the configuration in a database wherever a variable is read", false},
	{"func_config.so", Low, "AST_CONFIG() tells passwords wherever a variable is read", false},
	{"func_sorcery.so", Low, "AST_SORCERY() tells the phones' passwords wherever a variable is read", false},
	{"func_env.so", Low, "ENV() and FILE() read and write the environment and files wherever a variable is read", false},
	{"func_evalexten.so", Low, "EVAL_EXTEN() runs an extension's text wherever a variable is read", false},
	{"func_export.so", Low, "EXPORT() sets variables of other people's channels", false},
	{"func_import.so", Low, "IMPORT() reads variables and callers of other people's channels", false},
	{"pbx_dundi.so", Medium, "other machines can be asked for, and give, the dialplan", false},
	{"pbx_spool.so", Low, "whoever may write into the spool folder makes calls", false},
	{"pbx_lua.so", Low, "it runs a dialplan that the doctor does not see", false},
	{"pbx_ael.so", Low, "it makes a dialplan of a file that the doctor sees on the live PBX alone", false},
	{"pbx_realtime.so", Low, "it runs a dialplan from a database, which the doctor does not see", false},
	{"res_agi.so", Low, "the dialplan can hand a call to a program, EAGI with its audio", false},
	{"res_clioriginate.so", Low, "the command line can make calls and redirect channels", false},
	{"res_http_media_cache.so", Low, "sounds can be fetched from any address", false},
	{"res_http_post.so", Low, "files can be put onto the PBX over HTTP", false},
	{"res_phoneprov.so", Medium, "it serves the phones' passwords over HTTP", false},
	{"res_xmpp.so", Low, "others' states and messages leave by XMPP", false},
	{"res_ari_asterisk.so", High, "whoever has ARI reads the phones' passwords and makes endpoints (asterisk/config/dynamic)", true},
	{"res_ari_recordings.so", Medium, "whoever has ARI fetches every recording that ARI made", true},
}

// known are the modules of the table.
func known() []string {
	names := append([]string{referrer}, telltales...)
	for _, r := range risks {
		names = append(names, r.name)
	}
	return names
}

// moduleChecks looks at which modules are loaded.
func moduleChecks(e *exam) error {
	loaded, err := e.pbx.Modules(e.ctx)
	if err != nil {
		return err
	}
	strangers, err := e.strangers()
	if err != nil {
		return err
	}
	for _, r := range risks {
		i := slices.IndexFunc(loaded, func(m Module) bool { return m.Name == r.name })
		if i < 0 || r.ari && !strangers {
			continue
		}
		at := where{loaded[i].Place, "modules", r.name}
		if at.File == "" {
			at.File = "modules.conf"
		}
		maybe := ""
		if loaded[i].Maybe {
			maybe = ", if it is installed"
		}
		e.find("module", at, "account", r.name, "why", r.why, "maybe", maybe).Severity = r.severity
	}
	return nil
}
