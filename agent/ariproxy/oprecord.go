package ariproxy

import (
	"context"
	"net/http"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/playback"
)

// recordFormat is in what the PBX records.
const recordFormat = "wav"

// untilStopped is when a recording ends.
const untilStopped = "it is recorded until it is stopped or the call is over"

// recordParams are those of what records. It goes on until it is stopped or the call is over, tells nobody by a sound, and writes over nothing.
var recordParams = []param{
	needed(inQuery("name", &domain{isAlias, "letters, digits and any of ._:-, 64 at most, and nothing that could be an id of Earshot's"})),
	needed(inQuery("format", oneOf(recordFormat).since("the PBX records in that"))),
	numeric("maxDurationSeconds", number(0, 0).since(untilStopped)), numeric("maxSilenceSeconds", number(0, 0).since(untilStopped)),
	inQuery("ifExists", oneOf("fail").since("nothing is written over")), untrue("beep", "no sound tells of a recording"), inQuery("terminateOn", oneOf("none").since(untilStopped)),
}

// recordChannel is POST /channels/{channelId}/record. Of somebody outside it is the call of the employee whom he talks to.
func (x *exchange) recordChannel() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	c := channelOf(&view, x.resolve(idChannel, x.vars[0]))
	if c == nil {
		return faultNoChannel
	}
	if c = mask.EmployeesLeg(view.All, c); c == nil {
		return faultWhoseCall
	}
	return x.record(c, "")
}

// recordBridge is POST /bridges/{bridgeId}/record: of the call of one of those in it, who hears all others there; rather the subject's own.
func (x *exchange) recordBridge() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	var c *mask.Channel
	_, own := x.ownBridge()
	for i := range view.All {
		o := &view.All[i]
		in := own == nil && o.Bridge == x.vars[0]
		if own != nil {
			for _, id := range own.Channels {
				in = in || id == o.ID
			}
		}
		if in && o.Employee != "" && (c == nil || o.Employee == x.who().Employee() && c.Employee != o.Employee) {
			c = o
		}
	}
	switch {
	case c == nil && own != nil:
		return faultWhoseCall
	case c == nil:
		return faultNoBridge
	}
	return x.record(c, x.resolve(idBridge, x.vars[0]))
}

// record begins to record a channel's call, under a name that the client has chosen and that stands for what Earshot calls it; of a bridge, where that was named.
// Who has no application has no names, and is told nothing.
func (x *exchange) record(c *mask.Channel, bridge string) error {
	e, name := x.estate(), &claim{}
	if e != nil {
		var err error
		if name, err = x.claim(idRecording, x.q.params["name"]); err != nil {
			return err
		}
	}
	v, err := x.cfg.Gate.StartRecording(x.r.Context(), x.who(), gate.RecordAsk{Target: c.Employee, Call: c.ID, Door: doorName})
	if err != nil {
		return err
	}
	name.bind(v.ID)
	if e == nil {
		bridge = "" // of which nobody would know the next time that he asks
	}
	r := x.taping(&v, c.ID, bridge)
	if e != nil {
		x.follow(e, r, v.ID)
	}
	return x.answer(http.StatusCreated, appendRecording(nil, r))
}

// taping is a recording that Earshot makes.
func (x *exchange) taping(v *mask.Taping, channel, bridge string) *liveRecording {
	return &liveRecording{
		name: x.shown(idRecording, v.ID), format: recordFormat, channel: channel, bridge: bridge, target: x.estate().target(channel, bridge), state: liveWords[v.State],
	}
}

// follow tells a client that a recording of its has begun, and once it is over that it is, from when on another may have the name. What is stored is found by
// it as long as Earshot remembers who had it.
func (x *exchange) follow(e *estate, begun *liveRecording, id string) {
	s, who := x.Server, x.who()
	e.lock.Lock()
	e.tapes[id] = begun.target
	e.lock.Unlock()
	e.recorded("RecordingStarted", begun)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room.Closed() {
		return
	}
	r, since := *begun, s.cfg.Clock()
	s.open.Go(func() {
		kind := "RecordingFinished"
		var err error
		if r.cause, err = s.cfg.Gate.RecordingOver(s.ctx, who, id); err != nil {
			return
		}
		r.state, r.seconds = liveWords[mask.TapeStopped], int(s.cfg.Clock().Sub(since)/time.Second)
		if r.cause != "" {
			kind, r.state = "RecordingFailed", "failed"
		}
		e.recorded(kind, &r)
		e.forget(idRecording, id)
		e.lock.Lock()
		defer e.lock.Unlock()
		delete(e.tapes, id)
	})
}

// live finds a recording that the subject has begun and that runs, by the client's name for it or by its id.
func (x *exchange) live() (*mask.Taping, error) {
	id := x.resolve(idRecording, x.vars[0])
	all, err := x.cfg.Gate.Recordings(x.who())
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, faultNoRecording
}

// getLive is GET /recordings/live/{recordingName}.
func (x *exchange) getLive() error {
	v, err := x.live()
	if err != nil {
		return err
	}
	r := x.taping(v, v.Call, "")
	if e := x.estate(); e != nil {
		e.lock.Lock()
		defer e.lock.Unlock()
		if target := e.tapes[v.ID]; target != "" {
			r.target = target
		}
	}
	return x.answer(http.StatusOK, appendRecording(nil, r))
}

// turn does something to a recording that runs.
func turn(do func(*gate.Gate, context.Context, auth.Subject, gate.RecordAsk) (mask.Taping, error)) func(*exchange) error {
	return func(x *exchange) error {
		v, err := x.live()
		if err != nil {
			return err
		}
		_, err = do(x.cfg.Gate, x.r.Context(), x.who(), gate.RecordAsk{ID: v.ID, Door: doorName})
		return x.done(err)
	}
}

// maxStored is how many recordings are listed, and among how many a name is looked for.
const maxStored = 1000

// stored are the recordings that the subject may have.
func (x *exchange) stored() (all []gate.StoredRecording, err error) {
	err = x.client.share.look(x.r.Context(), func() (err error) {
		all, err = x.cfg.Gate.StoredRecordings(x.r.Context(), x.who(), maxStored)
		return err
	})
	return all, err
}

// nameOf is what a client knows a stored recording by: the name that it has given it, or the id.
func (x *exchange) nameOf(r *gate.StoredRecording) string {
	if name := x.shown(idRecording, r.Tape); name != r.Tape {
		return name
	}
	return r.ID
}

// listStored is GET /recordings/stored.
func (x *exchange) listStored() error {
	all, err := x.stored()
	if err != nil {
		return err
	}
	return each(x, all, func(b []byte, r *gate.StoredRecording) []byte { return appendStored(b, x.nameOf(r), r) })
}

// findStored finds one by its name. The newest of several that a client has called alike is meant.
func (x *exchange) findStored() (*gate.StoredRecording, error) {
	name := x.vars[0]
	r, err := x.cfg.Gate.StoredRecording(x.r.Context(), x.who(), name)
	switch {
	case err == nil:
		return &r, nil
	case gate.AsProblem(err).Kind != gate.NotFound:
		return nil, err
	case !isAlias(name) || x.estate() == nil:
		return nil, faultNoRecording
	}
	all, err := x.stored()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Tape != "" && x.nameOf(&all[i]) == name {
			return &all[i], nil
		}
	}
	return nil, faultNoRecording
}

// getStored is GET /recordings/stored/{recordingName}.
func (x *exchange) getStored() error {
	r, err := x.findStored()
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, appendStored(nil, x.nameOf(r), r))
}

// deleteStored is DELETE /recordings/stored/{recordingName}.
func (x *exchange) deleteStored() error {
	r, err := x.findStored()
	if err != nil {
		return err
	}
	return x.done(x.cfg.Gate.DeleteRecording(context.WithoutCancel(x.r.Context()), x.who(), gate.RecordingAsk{ID: r.ID, Reason: x.reason(), Door: doorName}))
}

// file is GET /recordings/stored/{recordingName}/file: to have it as a file is to download it.
func (x *exchange) file() error {
	r, err := x.findStored()
	if err != nil {
		return err
	}
	playing, err := x.cfg.Gate.OpenRecording(x.r.Context(), x.who(), gate.RecordingAsk{ID: r.ID, Download: true, Reason: x.reason(), Door: doorName})
	if err != nil {
		return err
	}
	defer func() { _ = playing.Close() }()
	part := playback.Send(x.w, x.r, playing, playback.How{Download: true, Each: x.cfg.WriteTimeout, OnStatus: func(status int) { x.status = status }})
	if lost := playing.Lost(); lost != nil {
		x.code = gate.AsProblem(lost).Code
	}
	if !part {
		return faultNoPart
	}
	return nil
}

// liveWords are Asterisk's for the states of a recording.
var liveWords = map[string]string{mask.TapeStarting: "queued", mask.TapeRecording: "recording", mask.TapePaused: "paused", mask.TapeStopped: "done"}

// appendStored appends a StoredRecording.
func appendStored(b []byte, name string, r *gate.StoredRecording) []byte {
	return append(member(mask.AppendString(append(b, `{"name":`...), name), "format", r.Format), '}')
}

var (
	faultNoRecording = &fault{http.StatusNotFound, "Recording not found", "no_such_recording"}
	faultWhoseCall   = &fault{http.StatusConflict, "That is of no one employee's call; name the channel of the one whose call it is", "nobodys_call"}
	faultNoPart      = &fault{http.StatusRequestedRangeNotSatisfiable, "The recording has no such part", "no_such_range"}
)

// recordingOperations are the rows about recordings.
var recordingOperations = []operation{
	{method: "GET", path: "/recordings/stored", kind: answered, name: "listStored", summary: "The recordings of your journal that you may have, the newest 1000.", returns: "List[StoredRecording]", do: (*exchange).listStored},
	{method: "GET", path: "/recordings/stored/{recordingName}", kind: answered, name: "getStored", summary: "One of them.", returns: "StoredRecording", takes: []param{inPath("recordingName")}, do: (*exchange).getStored},
	{method: "DELETE", path: "/recordings/stored/{recordingName}", kind: command, name: "deleteStored", summary: "Delete it.", returns: "void", takes: []param{inPath("recordingName")}, do: (*exchange).deleteStored},
	{method: "GET", path: "/recordings/stored/{recordingName}/file", kind: answered, name: "getStoredFile", summary: "Its file.", returns: "binary", takes: []param{inPath("recordingName")}, do: (*exchange).file},
	{method: "GET", path: "/recordings/live/{recordingName}", kind: answered, name: "getLive", summary: "A recording that you have begun.", returns: "LiveRecording", takes: []param{inPath("recordingName")}, do: (*exchange).getLive},
	{method: "POST", path: "/recordings/live/{recordingName}/stop", kind: acting, name: "stop", summary: "End it, and keep it.", returns: "void", takes: []param{inPath("recordingName")}, do: turn((*gate.Gate).StopRecording)},
	{method: "POST", path: "/recordings/live/{recordingName}/pause", kind: command, name: "pause", summary: "Leave out what is said from now on.", returns: "void", takes: []param{inPath("recordingName")}, do: turn((*gate.Gate).PauseRecording)},
	{method: "DELETE", path: "/recordings/live/{recordingName}/pause", kind: command, name: "unpause", summary: "Go on.", returns: "void", takes: []param{inPath("recordingName")}, do: turn((*gate.Gate).ResumeRecording)},
}
