package ariproxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// mediaKinds are what may be played. Asterisk has recordings too, and takes paths and addresses for sounds.
var mediaKinds = []string{"sound", "tone", "digits", "number", "characters"}

// playParams are the parameters of what plays. What is said is said in the PBX's own language.
var playParams = []param{
	severally(needed(inQuery("media", nil))), inQuery("lang", oneOf("en").since("the PBX speaks the one that it is set to")),
	numeric("offsetms", number(0, 0).since("all is played from its beginning")), numeric("skipms", number(3000, 3000)), inQuery("playbackId", nil),
}

// readMedia reads what is to be played: kinds and values. Which sounds and tones there are is the gate's to say.
func readMedia(list string) (all []gate.StasisMedium, f *fault) {
	for uri := range strings.SplitSeq(list, ",") {
		kind, value, _ := strings.Cut(uri, ":")
		if !slices.Contains(mediaKinds, kind) || value == "" {
			return nil, faultMedia
		}
		all = append(all, gate.StasisMedium{Kind: kind, Value: value})
	}
	return all, nil
}

// play is POST /channels/{channelId}/play and /bridges/{bridgeId}/play, with the id of the playback in the path or not.
func (x *exchange) play(st stasis, on string) error {
	media, f := readMedia(x.q.params["media"])
	if f != nil {
		return f
	}
	chosen := x.q.params["playbackId"]
	if len(x.vars) > 1 {
		chosen = x.vars[1]
	}
	c, err := x.claim(idPlayback, chosen)
	if err != nil {
		return err
	}
	p, err := st.Play(x.r.Context(), on, media)
	if err != nil {
		return err
	}
	c.bind(p.ID)
	return x.answer(http.StatusCreated, x.estate().appendPlayback(nil, &p))
}

// playback finds one of the client's.
func (x *exchange) playback() (stasis, *gate.StasisPlayback, error) {
	st, id := x.held(), x.resolve(idPlayback, x.vars[0])
	if st == nil {
		return nil, nil, faultNoPlayback
	}
	all := st.View().Playbacks
	for i := range all {
		if all[i].ID == id {
			return st, &all[i], nil
		}
	}
	return nil, nil, faultNoPlayback
}

// getPlayback is GET /playbacks/{playbackId}.
func (x *exchange) getPlayback() error {
	_, p, err := x.playback()
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, x.estate().appendPlayback(nil, p))
}

// stopPlayback is DELETE /playbacks/{playbackId}.
func (x *exchange) stopPlayback() error {
	st, p, err := x.playback()
	if err != nil {
		return err
	}
	return x.done(st.StopPlayback(x.r.Context(), p.ID))
}

// controlPlayback is POST /playbacks/{playbackId}/control.
func (x *exchange) controlPlayback() error {
	st, p, err := x.playback()
	if err != nil {
		return err
	}
	return x.done(st.ControlPlayback(x.r.Context(), p.ID, x.q.params["operation"]))
}

// sounds is GET /sounds: those that may be played. In which formats the PBX has them is not known, and its language is its own.
func (x *exchange) sounds() error {
	all := x.cfg.Gate.Sounds()
	if l := x.q.params["lang"]; len(all) == 0 || l != "" && l != "en" || x.q.params["format"] != "" {
		return faultNoSounds
	}
	return each(x, all, func(b []byte, id *string) []byte { return appendSound(b, *id) })
}

// sound is GET /sounds/{soundId}.
func (x *exchange) sound() error {
	if !slices.Contains(x.cfg.Gate.Sounds(), x.vars[0]) {
		return faultNoSound
	}
	return x.answer(http.StatusOK, appendSound(nil, x.vars[0]))
}

// appendSound appends a Sound.
func appendSound(b []byte, id string) []byte {
	return append(mask.AppendString(append(b, `{"id":`...), id), `,"formats":[]}`...)
}

var (
	faultMedia      = &fault{http.StatusBadRequest, "Media is sound:, tone:, digits:, number: or characters: with a value, several by commas", "media_not_taken"}
	faultNoPlayback = &fault{http.StatusNotFound, "Playback not found", "no_such_playback"}
)

// mediaOperations are the rows about what is played.
var mediaOperations = []operation{
	{method: "GET", path: "/playbacks/{playbackId}", kind: answered, name: "get", summary: "What you play.", returns: "Playback", takes: []param{inPath("playbackId")}, do: (*exchange).getPlayback},
	{method: "DELETE", path: "/playbacks/{playbackId}", kind: acting, name: "stop", summary: "Stop it.", returns: "void", takes: []param{inPath("playbackId")}, do: (*exchange).stopPlayback},
	{method: "POST", path: "/playbacks/{playbackId}/control", kind: acting, name: "control", summary: "Pause it, go on, begin anew, or go back or on in it.", returns: "void", takes: []param{
		inPath("playbackId"), needed(inQuery("operation", oneOf("restart", "pause", "unpause", "reverse", "forward"))),
	}, do: (*exchange).controlPlayback},
	{method: "GET", path: "/sounds", kind: answered, name: "list", summary: "The sounds that may be played.", returns: "List[Sound]", takes: []param{inQuery("lang", nil), inQuery("format", nil)}, do: (*exchange).sounds},
	{method: "GET", path: "/sounds/{soundId}", kind: answered, name: "get", summary: "One of them.", returns: "Sound", takes: []param{inPath("soundId")}, do: (*exchange).sound},
}
