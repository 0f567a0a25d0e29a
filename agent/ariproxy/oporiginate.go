package ariproxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// originateParams are those of what rings a phone. Who is shown as the caller, and in which context a call begins, is Earshot's to say: that is taken and does
// nothing. Whom the new channel is tied to, and which codecs it has, is the PBX's, and is refused.
var originateParams = []param{
	needed(inQuery("endpoint", nil)), inQuery("app", nil), inQuery("appArgs", nil),
	inQuery("extension", nil), inQuery("context", madeOf(letters+digits+"_.-", "letters, digits and any of _.-", 80)), numeric("priority", number(1, 1).since("an extension is dialled from its beginning")), notTaken("label"),
	inQuery("callerId", shortText), numeric("timeout", number(-1, 86400)), variables, notTaken("otherChannelId"), notTaken("originator"), notTaken("formats"),
}

// originate is POST /channels and /channels/{channelId}: a phone of the subject's own rings. Its leg is an application's from when it is answered, or it calls
// a number then, decided as each call of his is, unless that is a feature code and so what the code stands for.
func (x *exchange) originate() error {
	app, exten, chosen := x.q.params["app"], x.q.params["extension"], x.q.params["channelId"]
	if len(x.vars) > 0 {
		chosen = x.vars[0]
	}
	me, _ := x.cfg.Gate.Colleague(x.who().Employee())
	phone, ok := me.Phone(x.q.params["endpoint"])
	switch {
	case app == "" && exten == "":
		return faultNoPlace
	case app != "" && exten != "":
		return faultTwoPlaces
	case !ok:
		phone = x.q.params["endpoint"] // the gate refuses it
	}
	if app == "" {
		return x.dial(phone, exten, chosen)
	}
	if _, f := readApps(app); f != nil {
		return f
	}
	st, err := x.stasis(app)
	if err != nil {
		return err
	}
	c, err := x.launch(app, x.q.params["appArgs"], chosen)
	if err != nil {
		return err
	}
	seconds, _ := strconv.Atoi(x.q.params["timeout"])
	id, err := st.Originate(x.r.Context(), gate.StasisAsk{Phone: phone, Seconds: max(seconds, 0), Reason: x.reason()})
	if err != nil {
		return err
	}
	c.bind(id)
	return x.made(id, phone)
}

// dial is originate to an extension.
func (x *exchange) dial(phone, exten, chosen string) error {
	var c *claim
	var err error
	if chosen != "" {
		if c, err = x.claim(idChannel, chosen); err != nil {
			return err
		}
	}
	v, is, err := x.cfg.Codes.Dialled(x.r.Context(), x.cfg.Gate, x.who(), gate.CodeAsk{Extension: exten, Phone: phone, Reason: x.reason(), Door: doorName})
	if !is {
		var d mask.Dialled
		d, err = x.cfg.Gate.Dial(x.r.Context(), x.who(), gate.DialAsk{Number: exten, Phone: phone, Door: doorName})
		v = gate.Rung{ID: d.ID, Phone: d.Phone}
	}
	if err != nil || v.ID == "" {
		return x.done(err) // the code for the lock rings nobody
	}
	id := x.rung(v.ID)
	if c != nil {
		c.bind(id)
	}
	return x.made(id, v.Phone)
}

// rungTime is how long it may take until the PBX tells of a channel that it has been asked for.
const rungTime = 2 * time.Second

// rung is the id of the channel that rings for what has been begun under an id, once the PBX has told of it; or that id, by which hangup finds it too.
func (x *exchange) rung(id string) string {
	late := time.NewTimer(rungTime)
	defer late.Stop()
	again := time.NewTicker(rungTime / 100)
	defer again.Stop()
	for {
		if channel := x.cfg.Gate.RungChannel(x.who(), id); channel != "" {
			return channel
		}
		select {
		case <-again.C:
		case <-late.C:
			return id
		case <-x.r.Context().Done():
			return id
		}
	}
}

// freeDialled frees the aliases of dialled calls that are over. It is for when another alias is wanted, as nothing is told of them for certain: there may be
// no stream then, and where the PBX was slow an alias stands for what was begun and not for the channel.
func (x *exchange) freeDialled(e *estate) {
	dialled := e.dialled() // before the view, so that it has what of these is there
	if len(dialled) == 0 {
		return
	}
	view, err := x.sees()
	if err != nil {
		return
	}
	for _, id := range dialled {
		if channelOf(&view, id) == nil && x.cfg.Gate.RungChannel(x.who(), id) == "" {
			e.forget(idChannel, id)
		}
	}
}

// made answers with a channel that has just been made. The PBX may not have told of it yet; then it is as all are in the beginning.
func (x *exchange) made(id, phone string) error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	c := channelOf(&view, id)
	if c == nil {
		me, _ := x.cfg.Gate.Colleague(x.who().Employee())
		c = &mask.Channel{ID: id, Linked: id, Endpoint: phone, Employee: me.ID, Name: me.Name, Began: x.cfg.Clock()}
		if len(me.Numbers) > 0 {
			c.Number = me.Numbers[0]
		}
	}
	return x.answer(http.StatusOK, appendChannel(nil, x.estate().names().channel(c), x.cfg.Context))
}

var (
	faultNoPlace   = &fault{http.StatusBadRequest, "Application or extension must be specified", "nothing_to_do"}
	faultTwoPlaces = &fault{http.StatusBadRequest, "Give either an application or an extension", "two_things_to_do"}
)
