package ariproxy

import (
	"net/http"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// snoopParams are those of a snoop. Whose half is heard cannot be chosen: Earshot hears both, or nobody.
var snoopParams = []param{
	needed(inQuery("spy", oneOf("both").since("Earshot hears both sides or nobody"))), inQuery("whisper", oneOf("none", "out", "both")), needed(inQuery("app", nil)), inQuery("appArgs", nil),
}

// snoopModes are what whispering asks for.
var snoopModes = map[string]string{"": "spy", "none": "spy", "out": "whisper", "both": "barge"}

// snoop is POST /channels/{channelId}/snoop and …/snoop/{snoopId}: a supervision of the call that the channel is, which waits for one of the client's own legs. A
// channel that is not shown is a request about nobody, which the gate records, and answers as one about who is not there.
func (x *exchange) snoop() error {
	app, chosen := x.q.params["app"], x.q.params["snoopId"]
	if len(x.vars) > 1 {
		chosen = x.vars[1]
	}
	if _, f := readApps(app); f != nil {
		return f
	}
	view, err := x.sees()
	if err != nil {
		return err
	}
	ask := gate.Ask{Mode: snoopModes[x.q.params["whisper"]], Reason: x.reason(), Door: doorName}
	if c := channelOf(&view, x.resolve(idChannel, x.vars[0])); c != nil {
		if c = mask.EmployeesLeg(view.All, c); c != nil {
			ask.Target, ask.Call = c.Employee, c.ID
		}
	}
	st, err := x.stasis(app)
	if err != nil {
		return err
	}
	c, err := x.launch(app, x.q.params["appArgs"], chosen)
	if err != nil {
		return err
	}
	v, err := st.Snoop(x.r.Context(), ask)
	if err != nil {
		return err
	}
	c.bind(v.ID)
	return x.answer(http.StatusOK, appendSnoop(nil, x.shown(idChannel, v.ID), x.cfg.Context, v.Since))
}
