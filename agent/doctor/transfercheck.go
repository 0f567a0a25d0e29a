package doctor

import (
	"slices"
	"strconv"
)

// referrer is the module that takes SIP's transfers, and INVITEs with Replaces (res/res_pjsip_refer.c).
const referrer = "res_pjsip_refer.so"

// transferChecks looks at whether a phone may take a call by the names of its dialog. An INVITE with Replaces is asked for nothing but a dialog
// that exists; a REFER with Replaces is barred by allow_transfer, on the endpoint that sends it.
func transferChecks(e *exam) error {
	modules, err := e.pbx.Modules(e.ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(modules, func(m Module) bool { return m.Name == referrer })
	if i < 0 {
		return nil
	}
	all, err := e.endpoints()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p endpoint) bool { return !p.pjsip })
	if len(all) == 0 {
		return nil
	}
	at := where{modules[i].Place, "modules", referrer}
	if at.File == "" {
		at.File = "modules.conf"
	}
	e.find("sip-replaces", at)
	all = slices.DeleteFunc(all, func(p endpoint) bool { return isFalse(p.transfers.Value) })
	for _, p := range all {
		e.find("sip-transfer", where{p.transfers.Place, "", "allow_transfer"}, "count", strconv.Itoa(len(all)))
	}
	return nil
}
