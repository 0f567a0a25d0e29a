package ariproxy

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// done answers what was done, and has nothing to tell.
func (x *exchange) done(err error) error {
	if err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}

// steered has something done with a channel that the client steers and that is up. What rings yet is in no application, as in Asterisk; of all others it says
// why not: see apart.
func (x *exchange) steered(do func(ctx context.Context, st stasis, id string) error) error {
	id := x.resolve(idChannel, x.vars[0])
	switch st, up := x.holder(id); {
	case st == nil:
		return x.apart(id)
	case !up:
		return faultNotSteered
	default:
		return do(x.r.Context(), st, id)
	}
}

// steer is steered of what has nothing to tell.
func steer(do func(x *exchange, ctx context.Context, st stasis, id string) error) func(*exchange) error {
	return func(x *exchange) error {
		return x.steered(func(ctx context.Context, st stasis, id string) error { return x.done(do(x, ctx, st, id)) })
	}
}

// apart says why a channel is not steered: it is the subject's own, and in an ordinary call; or it is another's, which is answered as what is not there.
func (x *exchange) apart(id string) error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	switch c := channelOf(&view, id); {
	case c == nil:
		return faultNoChannel
	case c.Employee != x.who().Employee():
		return faultNotYourChannel
	}
	return faultNotSteered
}

// channelOf is the channel of an id; nil where none is shown.
func channelOf(view *gate.Channels, id string) *mask.Channel {
	for i := range view.All {
		if view.All[i].ID == id {
			return &view.All[i]
		}
	}
	return nil
}

// hangup is DELETE /channels/{channelId}, of what is the subject's own: what he steers, his leg in an ordinary call, and that by which he supervises.
func (x *exchange) hangup() error {
	id := x.resolve(idChannel, x.vars[0])
	if st, _ := x.holder(id); st != nil {
		return x.done(st.HangUp(x.r.Context(), id))
	}
	if rung := x.cfg.Gate.RungChannel(x.who(), id); rung != "" {
		id = rung // it was answered by this before it was seen
	}
	if err := x.apart(id); !errors.Is(err, faultNotSteered) {
		return err
	}
	return x.done(x.cfg.Gate.HangUp(x.r.Context(), x.who(), gate.OwnAsk{Call: id, Reason: x.reason(), Door: doorName}))
}

// reasonHeader is where somebody may say why he asks, as at the HTTP door; the policy may require it.
const reasonHeader = "X-Earshot-Reason"

func (x *exchange) reason() string { return x.r.Header.Get(reasonHeader) }

// hangUpReasons are Asterisk's words for why a channel is hung up. Why is Earshot's to say, and so they are taken and do nothing.
var hangUpReasons = oneOf("normal", "busy", "congestion", "no_answer", "timeout", "rejected", "unallocated", "normal_unspecified", "number_incomplete",
	"codec_mismatch", "interworking", "failure", "answered_elsewhere")

// hangUpCodes are those words too, or the numbers of causes.
var hangUpCodes = &domain{func(s string) bool { return hangUpReasons.has(s) || madeOf(digits, "", 3).has(s) }, hangUpReasons.words + ", or the number of a cause"}

// onlyMusic is the one class of music on hold.
var onlyMusic = oneOf("default").since("the music is the PBX's to choose")

// dtmf is POST /channels/{channelId}/dtmf. How long each sounds is the PBX's to say, so the times are taken and do nothing.
func (x *exchange) dtmf(ctx context.Context, st stasis, id string) error {
	return st.Press(ctx, id, strings.ToUpper(x.q.params["dtmf"]))
}

// mute is POST and DELETE /channels/{channelId}/mute.
func (x *exchange) mute(on bool) func(context.Context, stasis, string) error {
	return func(ctx context.Context, st stasis, id string) error {
		direction := x.q.params["direction"]
		if direction == "" || direction == "both" {
			direction = gate.MuteAll
		}
		return st.Mute(ctx, id, direction, on)
	}
}

// variable is GET /channels/{channelId}/variable, of the few that are the model's own.
func (x *exchange) variable() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	c := channelOf(&view, x.resolve(idChannel, x.vars[0]))
	if c == nil {
		return faultNoChannel
	}
	shown := x.estate().names().channel(c)
	value, ok := map[string]string{
		"UNIQUEID": shown.ID, "CHANNEL": shown.FullName(), "EXTEN": shown.Exten(), "CONTEXT": x.cfg.Context, "PRIORITY": "1",
	}[x.q.params["variable"]]
	if !ok {
		return faultVariable
	}
	return x.answer(http.StatusOK, append(mask.AppendString([]byte(`{"value":`), value), '}'))
}

var (
	faultNotYourChannel = &fault{http.StatusNotFound, faultNoChannel.words, "not_your_channel"}
	faultNotSteered     = &fault{http.StatusConflict, "Channel not in Stasis application", "not_in_stasis"}
	faultVariable       = &fault{http.StatusForbidden, "Of variables there are UNIQUEID, CHANNEL, EXTEN, CONTEXT and PRIORITY: " + whyVars, "variable_not_taken"}
)

// channelOperations are the rows about channels.
var channelOperations = []operation{
	{method: "GET", path: "/channels", kind: answered, name: "list", summary: "The channels that you are shown.", returns: "List[Channel]", do: (*exchange).channels},
	{method: "POST", path: "/channels", kind: command, name: "originate", summary: "Ring a phone of yours, for an application of yours or to dial.", returns: "Channel", takes: append([]param{inQuery("channelId", nil)}, originateParams...), do: (*exchange).originate},
	{method: "GET", path: "/channels/{channelId}", kind: answered, name: "get", summary: "One of them.", returns: "Channel", takes: []param{inPath("channelId")}, do: (*exchange).channel},
	{method: "POST", path: "/channels/{channelId}", kind: command, name: "originateWithId", summary: "The same, with an id that you choose.", returns: "Channel", takes: append([]param{inPath("channelId")}, originateParams...), do: (*exchange).originate},
	{method: "DELETE", path: "/channels/{channelId}", kind: acting, name: "hangup", summary: "Hang up one of yours.", returns: "void", takes: []param{
		inPath("channelId"), inQuery("reason_code", hangUpCodes), inQuery("reason", hangUpReasons),
	}, do: (*exchange).hangup},
	{method: "POST", path: "/channels/{channelId}/answer", kind: acting, name: "answer", summary: "One that you steer has been answered by its phone: nothing is left to do.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(*exchange, context.Context, stasis, string) error { return nil })},
	{method: "POST", path: "/channels/{channelId}/ring", kind: acting, name: "ring", summary: "Let it hear ringing.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Ring(ctx, id, true) })},
	{method: "DELETE", path: "/channels/{channelId}/ring", kind: acting, name: "ringStop", summary: "End that.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Ring(ctx, id, false) })},
	{method: "POST", path: "/channels/{channelId}/dtmf", kind: acting, name: "sendDTMF", summary: "Send its phone digits.", returns: "void", takes: []param{
		inPath("channelId"), needed(inQuery("dtmf", madeOf(digits+"ABCDabcd*#", "keys of 0-9, A-D, * and #", gate.MaxDigits))),
		numeric("before", aMinute), numeric("between", aMinute), numeric("duration", aMinute), numeric("after", aMinute),
	}, do: steer((*exchange).dtmf)},
	{method: "POST", path: "/channels/{channelId}/mute", kind: acting, name: "mute", summary: "Mute it.", returns: "void", takes: []param{inPath("channelId"), inQuery("direction", directions)},
		do: steer(func(x *exchange, ctx context.Context, st stasis, id string) error { return x.mute(true)(ctx, st, id) })},
	{method: "DELETE", path: "/channels/{channelId}/mute", kind: acting, name: "unmute", summary: "End that.", returns: "void", takes: []param{inPath("channelId"), inQuery("direction", directions)},
		do: steer(func(x *exchange, ctx context.Context, st stasis, id string) error { return x.mute(false)(ctx, st, id) })},
	{method: "POST", path: "/channels/{channelId}/hold", kind: acting, name: "hold", summary: "Put its phone on hold.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Hold(ctx, id, true) })},
	{method: "DELETE", path: "/channels/{channelId}/hold", kind: acting, name: "unhold", summary: "Take it off hold.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Hold(ctx, id, false) })},
	{method: "POST", path: "/channels/{channelId}/moh", kind: acting, name: "startMoh", summary: "Let it hear the PBX's music on hold.", returns: "void", takes: []param{inPath("channelId"), inQuery("mohClass", onlyMusic)},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Music(ctx, id, true) })},
	{method: "DELETE", path: "/channels/{channelId}/moh", kind: acting, name: "stopMoh", summary: "End that.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Music(ctx, id, false) })},
	{method: "POST", path: "/channels/{channelId}/silence", kind: acting, name: "startSilence", summary: "Let it hear silence.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Silence(ctx, id, true) })},
	{method: "DELETE", path: "/channels/{channelId}/silence", kind: acting, name: "stopSilence", summary: "End that.", returns: "void", takes: []param{inPath("channelId")},
		do: steer(func(_ *exchange, ctx context.Context, st stasis, id string) error { return st.Silence(ctx, id, false) })},
	{method: "POST", path: "/channels/{channelId}/play", kind: acting, name: "play", summary: "Play it something.", returns: "Playback", takes: append([]param{inPath("channelId")}, playParams...), do: (*exchange).playChannel},
	{method: "POST", path: "/channels/{channelId}/play/{playbackId}", kind: acting, name: "playWithId", summary: "The same, with an id that you choose.", returns: "Playback", takes: append([]param{inPath("channelId"), inPath("playbackId")}, playParams[:len(playParams)-1]...), do: (*exchange).playChannel},
	{method: "GET", path: "/channels/{channelId}/variable", kind: answered, name: "getChannelVar", summary: "UNIQUEID, CHANNEL, EXTEN, CONTEXT or PRIORITY.", returns: "Variable", takes: []param{inPath("channelId"), needed(inQuery("variable", nil))}, do: (*exchange).variable},
	{method: "POST", path: "/channels/{channelId}/snoop", kind: command, name: "snoopChannel", summary: "Listen to a colleague's call, or speak there as well.", returns: "Channel", takes: append([]param{inPath("channelId")}, append(snoopParams, inQuery("snoopId", nil))...), do: (*exchange).snoop},
	{method: "POST", path: "/channels/{channelId}/snoop/{snoopId}", kind: command, name: "snoopChannelWithId", summary: "The same, with an id that you choose.", returns: "Channel", takes: append([]param{inPath("channelId"), inPath("snoopId")}, snoopParams...), do: (*exchange).snoop},
	{method: "POST", path: "/channels/{channelId}/record", kind: command, name: "record", summary: "Record its call.", returns: "LiveRecording", takes: append([]param{inPath("channelId")}, recordParams...), do: (*exchange).recordChannel},
}

// aMinute are milliseconds.
var aMinute = number(0, 60000)

var directions = oneOf("both", "in", "out")

// playChannel is POST /channels/{channelId}/play.
func (x *exchange) playChannel() error {
	return x.steered(func(_ context.Context, st stasis, id string) error { return x.play(st, id) })
}
