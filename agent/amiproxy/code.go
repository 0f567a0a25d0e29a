package amiproxy

import "github.com/earshot-pbx/earshot/agent/gate"

// coded carries out an Originate to a feature code. It reports whether the extension is such a code.
func (x *exchange) coded(phone, exten string) (is bool, err error) {
	v, is, err := x.cfg.Codes.Dialled(x.ctx, x.cfg.Gate, x.who, gate.CodeAsk{Extension: exten, Phone: phone, Door: doorName})
	switch {
	case !is:
		return false, nil
	case v.ID == "": // it has been refused, or rings nobody
		return true, x.done(queued, err)
	}
	return true, x.rings(originated{id: v.ID, phone: v.Phone, exten: exten}, err)
}
