package ariproxy

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// bridgeParams are those of a new bridge. All are mixing bridges; whether they pass on keys and the media itself is the PBX's to say.
var bridgeParams = []param{
	severally(inQuery("type", &domain{func(s string) bool {
		words := strings.Split(s, ",")
		return !slices.ContainsFunc(words, func(w string) bool { return w != "mixing" && w != "dtmf_events" && w != "proxy_media" }) && slices.Contains(words, "mixing")
	}, "mixing, with dtmf_events and proxy_media if you like"})),
	inQuery("name", shortText), variables,
}

// whyMembers is why none is put in otherwise than the others.
const whyMembers = "all in a bridge of yours are in it alike"

// createBridge is POST /bridges and /bridges/{bridgeId}. One that is there already gets the name, as in Asterisk.
func (x *exchange) createBridge() error {
	chosen := x.q.params["bridgeId"]
	if len(x.vars) > 0 {
		chosen = x.vars[0]
		if st, b := x.ownBridge(); st != nil {
			return x.named(b)
		}
	}
	st, err := x.stasis("")
	if err != nil {
		return err
	}
	c, err := x.claim(idBridge, chosen)
	if err != nil {
		return err
	}
	id, err := st.CreateBridge(x.r.Context())
	if err != nil {
		return err
	}
	c.bind(id)
	return x.named(&gate.StasisBridge{ID: id})
}

// named gives a bridge the name that it is to have, and answers with it.
func (x *exchange) named(b *gate.StasisBridge) error {
	if name := x.q.params["name"]; name != "" {
		x.christen(b.ID, name)
	}
	return x.answer(http.StatusOK, x.estate().appendBridge(nil, b))
}

// ownBridge is the client's bridge that the path names; nil where it names none.
func (x *exchange) ownBridge() (stasis, *gate.StasisBridge) {
	st := x.held()
	if st == nil {
		return nil, nil
	}
	id, all := x.resolve(idBridge, x.vars[0]), st.View().Bridges
	for i := range all {
		if all[i].ID == id {
			return st, &all[i]
		}
	}
	return nil, nil
}

// bridged has something done with a bridge of the client's. Of another that he is shown, in which he has a channel, it says that it is none; of all others that
// there is none.
func (x *exchange) bridged(do func(ctx context.Context, st stasis, b *gate.StasisBridge) error) error {
	if st, b := x.ownBridge(); st != nil {
		return do(x.r.Context(), st, b)
	}
	view, err := x.sees()
	if err != nil {
		return err
	}
	f := faultNoBridge
	for i := range view.All {
		if c := &view.All[i]; c.Bridge == x.vars[0] {
			if f = faultNotYourBridge; c.Employee == x.who().Employee() {
				return faultNotOwnBridge
			}
		}
	}
	return f
}

// destroyBridge is DELETE /bridges/{bridgeId}.
func (x *exchange) destroyBridge() error {
	return x.bridged(func(ctx context.Context, st stasis, b *gate.StasisBridge) error {
		return x.done(st.DestroyBridge(ctx, b.ID))
	})
}

// addChannel is POST /bridges/{bridgeId}/addChannel.
func (x *exchange) addChannel() error {
	return x.bridged(func(ctx context.Context, st stasis, b *gate.StasisBridge) error {
		ids, err := x.members(func(id string) *fault {
			if _, up := st.Has(id); !up {
				return faultMemberNotSteered
			}
			return nil
		})
		if err != nil {
			return err
		}
		return x.done(st.Add(ctx, b.ID, ids...))
	})
}

// removeChannel is POST /bridges/{bridgeId}/removeChannel.
func (x *exchange) removeChannel() error {
	return x.bridged(func(ctx context.Context, st stasis, b *gate.StasisBridge) error {
		ids, err := x.members(func(id string) *fault {
			if !slices.Contains(b.Channels, id) {
				return faultNotIn
			}
			return nil
		})
		if err != nil {
			return err
		}
		return x.done(st.Remove(ctx, b.ID, ids...))
	})
}

// members reads which channels are meant: each one that the client steers and of which nothing is wrong.
func (x *exchange) members(wrong func(id string) *fault) (ids []string, err error) {
	for name := range strings.SplitSeq(x.q.params["channel"], ",") {
		id := x.resolve(idChannel, name)
		if st, _ := x.holder(id); st == nil {
			err := x.apart(id)
			for was, is := range map[*fault]*fault{faultNoChannel: faultNoMember, faultNotYourChannel: faultNotYourMember, faultNotSteered: faultMemberNotSteered} {
				if errors.Is(err, was) {
					err = is
				}
			}
			return nil, err
		}
		if f := wrong(id); f != nil {
			return nil, f
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// bridgeMusic is POST and DELETE /bridges/{bridgeId}/moh.
func bridgeMusic(on bool) func(*exchange) error {
	return func(x *exchange) error {
		return x.bridged(func(ctx context.Context, st stasis, b *gate.StasisBridge) error {
			return x.done(st.Music(ctx, b.ID, on))
		})
	}
}

// playBridge is POST /bridges/{bridgeId}/play.
func (x *exchange) playBridge() error {
	return x.bridged(func(_ context.Context, st stasis, b *gate.StasisBridge) error { return x.play(st, b.ID) })
}

var (
	faultNotYourBridge    = &fault{http.StatusNotFound, faultNoBridge.words, "not_your_bridge"}
	faultNotOwnBridge     = &fault{http.StatusConflict, "Bridge not in Stasis application", "not_in_stasis"}
	faultNoMember         = &fault{http.StatusBadRequest, "Channel not found", faultNoChannel.code}
	faultNotYourMember    = &fault{http.StatusBadRequest, faultNoMember.words, faultNotYourChannel.code}
	faultMemberNotSteered = &fault{http.StatusUnprocessableEntity, "Channel not in Stasis application", "not_in_stasis"}
	faultNotIn            = &fault{http.StatusUnprocessableEntity, "Channel not in this bridge", "not_in_bridge"}
)

// bridgeOperations are the rows about bridges.
var bridgeOperations = []operation{
	{method: "GET", path: "/bridges", kind: answered, name: "list", summary: "The bridges in which you are shown channels.", returns: "List[Bridge]", do: (*exchange).bridges},
	{method: "POST", path: "/bridges", kind: acting, name: "create", summary: "Make one of your own.", returns: "Bridge", takes: append([]param{inQuery("bridgeId", nil)}, bridgeParams...), do: (*exchange).createBridge},
	{method: "GET", path: "/bridges/{bridgeId}", kind: answered, name: "get", summary: "One of them.", returns: "Bridge", takes: []param{inPath("bridgeId")}, do: (*exchange).bridge},
	{method: "POST", path: "/bridges/{bridgeId}", kind: acting, name: "createWithId", summary: "The same, with an id that you choose.", returns: "Bridge", takes: append([]param{inPath("bridgeId")}, bridgeParams...), do: (*exchange).createBridge},
	{method: "DELETE", path: "/bridges/{bridgeId}", kind: acting, name: "destroy", summary: "Remove one of your own.", returns: "void", takes: []param{inPath("bridgeId")}, do: (*exchange).destroyBridge},
	{method: "POST", path: "/bridges/{bridgeId}/addChannel", kind: acting, name: "addChannel", summary: "Put channels into it that you steer, or one and a snoop.", returns: "void", takes: []param{
		inPath("bridgeId"), severally(needed(inQuery("channel", nil))), inQuery("role", oneOf("participant").since(whyMembers)),
		untrue("absorbDTMF", whyMembers), untrue("mute", whyMembers), untrue("inhibitConnectedLineUpdates", whyMembers),
	}, do: (*exchange).addChannel},
	{method: "POST", path: "/bridges/{bridgeId}/removeChannel", kind: acting, name: "removeChannel", summary: "Take channels out.", returns: "void", takes: []param{inPath("bridgeId"), severally(needed(inQuery("channel", nil)))}, do: (*exchange).removeChannel},
	{method: "POST", path: "/bridges/{bridgeId}/moh", kind: acting, name: "startMoh", summary: "Let all in it hear the PBX's music on hold.", returns: "void", takes: []param{inPath("bridgeId"), inQuery("mohClass", onlyMusic)}, do: bridgeMusic(true)},
	{method: "DELETE", path: "/bridges/{bridgeId}/moh", kind: acting, name: "stopMoh", summary: "End that.", returns: "void", takes: []param{inPath("bridgeId")}, do: bridgeMusic(false)},
	{method: "POST", path: "/bridges/{bridgeId}/play", kind: acting, name: "play", summary: "Play all in it something.", returns: "Playback", takes: append([]param{inPath("bridgeId"), notTaken("announcer_format")}, playParams...), do: (*exchange).playBridge},
	{method: "POST", path: "/bridges/{bridgeId}/play/{playbackId}", kind: acting, name: "playWithId", summary: "The same, with an id that you choose.", returns: "Playback", takes: append([]param{inPath("bridgeId"), inPath("playbackId"), notTaken("announcer_format")}, playParams[:len(playParams)-1]...), do: (*exchange).playBridge},
	{method: "POST", path: "/bridges/{bridgeId}/record", kind: command, name: "record", summary: "Record what is said in it.", returns: "LiveRecording", takes: append([]param{inPath("bridgeId"), notTaken("recorder_format")}, recordParams...), do: (*exchange).recordBridge},
}
