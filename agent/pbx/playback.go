package pbx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Play is the order to play media one after the other. What several orders play to a leg or in a bridge follows one another.
type Play struct {
	ID     string        // the playback's; begins with Prefix
	Leg    call.LegID    // to this one, which is in no bridge,
	Bridge call.BridgeID // or to all in this
	Media  []string      // ARI's URIs: "sound:", "tone:", "digits:", "number:" or "characters:" and what is to be heard
}

// Played is what Asterisk tells of what a Play order plays.
type Played struct {
	ID    string
	Media string // which of the media; of what is over, the last that was played; empty where that is not known
	// State is "playing", told of each of the media and again when it goes on after a pause; "continuing" when one of them is over and another follows;
	// "done" or "failed" when all is over, also when nothing of it was played. A tone has no end of its own. That one of the media cannot be played is
	// told of the last alone.
	State string
}

// ErrUncontrolled means that Asterisk cannot do to a playback what is asked: it does not play just now, or what plays are digits, a number or characters.
var ErrUncontrolled = errors.New("asterisk cannot control what plays just now")

// controls are what ControlPlay does (ARI: operation).
var controls = [...]string{"restart", "pause", "unpause", "reverse", "forward"}

// Play carries out a Play order. It returns when it is queued; Config.Played is told what becomes of it, perhaps before that.
func (l *Link) Play(ctx context.Context, o Play) error {
	if !strings.HasPrefix(o.ID, Prefix) || len(o.Media) == 0 || slices.ContainsFunc(o.Media, func(m string) bool { return !isMedium(m) }) {
		return errors.New("pbx: what is to be played is no medium, or has no id of Earshot's")
	}
	r := ari.PlayRequest{Media: o.Media, PlaybackID: o.ID}
	l.playbacks.begin(o)
	var err error
	if o.Bridge != "" {
		_, err = l.rest.PlayOnBridge(ctx, string(o.Bridge), r)
		err = gone(err)
	} else {
		_, err = l.rest.Play(ctx, string(o.Leg), r)
		err = goneLeg(err)
	}
	if err != nil {
		l.playbacks.end(o.ID)
		return err
	}
	l.playbacks.queued(o.ID)
	return nil
}

// StopPlay ends what a Play order plays, or has it never begin. ErrUncontrolled says that it goes on to the end of the medium.
func (l *Link) StopPlay(ctx context.Context, id string) error {
	return uncontrolled(l.rest.StopPlayback(ctx, id))
}

// ControlPlay does to what a Play order plays "restart", "pause", "unpause", "reverse" or "forward". Its pause is told to nobody.
func (l *Link) ControlPlay(ctx context.Context, id, operation string) error {
	if !slices.Contains(controls[:], operation) {
		return errors.New("pbx: there is no such operation of a playback")
	}
	return uncontrolled(l.rest.ControlPlayback(ctx, id, operation))
}

// uncontrolled says why a playback was not controlled. ARI says by 500 that its medium cannot be (res_stasis_playback.c: controllable).
func uncontrolled(err error) error {
	var refused *ari.StatusError
	if errors.As(err, &refused) && (refused.Status == http.StatusConflict || refused.Status == http.StatusInternalServerError) {
		return fmt.Errorf("%w: %w", ErrUncontrolled, err)
	}
	return gone(err)
}

// isMedium reports whether s is of the kinds that a Play order may have, and names nothing outside of Asterisk's sounds.
func isMedium(s string) bool {
	kind, what, _ := strings.Cut(s, ":")
	switch kind {
	case "sound":
		return isName(what, "-_./") && !strings.HasPrefix(what, "/") && !strings.Contains(what, "..")
	case "tone":
		return isName(what, "-_/,+*!;=.")
	case "digits":
		return what != "" && strings.Trim(what, "0123456789*#") == ""
	case "number":
		return what != "" && len(what) < 10 && strings.Trim(what, "0123456789") == "" // Asterisk's is an int
	case "characters":
		return isName(what, "-_.*# ")
	}
	return false
}

// playbacks are what Play orders play.
type playbacks struct {
	mu    sync.Mutex // guards what follows
	of    map[string]*playback
	ended chan struct{} // closed and made anew when one ends
}

// playback is what one Play order plays.
type playback struct {
	leg    call.LegID // empty in a bridge
	queued bool       // Asterisk has said so
	last   Played     // what was told of it last,
	at     time.Time  // and when Asterisk says that was
}

func (p *playbacks) begin(o Play) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[o.ID] = &playback{leg: o.Leg}
}

func (p *playbacks) queued(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.of[id]; one != nil {
		one.queued = true
	}
}

// end forgets one.
func (p *playbacks) end(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, id)
	close(p.ended)
	p.ended = make(chan struct{})
}

// on reports whether something is played to one of the legs, or queued.
func (p *playbacks) on(legs ...call.LegID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy(legs)
}

func (p *playbacks) busy(legs []call.LegID) bool {
	for _, one := range p.of {
		if one.leg != "" && slices.Contains(legs, one.leg) {
			return true
		}
	}
	return false
}

// over waits until nothing is played to the legs. Asterisk puts none of them into a bridge until then; a request that is given up meanwhile is carried out
// all the same.
func (p *playbacks) over(ctx context.Context, legs ...call.LegID) error {
	for {
		p.mu.Lock()
		busy, ended := p.busy(legs), p.ended
		p.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of what is played to a leg: %w", ctx.Err())
		}
	}
}

// tell takes what an event says of a playback, and reports whether that is one of a Play order's, and whether it is news: who is subscribed to everything
// is told twice of what is played in a bridge, by the bridge and by the channel that plays there.
func (p *playbacks) tell(e *ari.Event) (told Played, known, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of[e.Playback.ID]
	if one == nil {
		return Played{}, false, false
	}
	if one.last.State == e.Playback.State && one.last.Media == e.Playback.MediaURI && one.at.Equal(e.Timestamp) {
		return Played{}, true, false
	}
	// The event is decoded into again.
	one.last = Played{ID: strings.Clone(e.Playback.ID), Media: strings.Clone(e.Playback.MediaURI), State: strings.Clone(e.Playback.State)}
	one.at = e.Timestamp
	return one.last, true, true
}

// lost are those that Asterisk has said are queued, of which it may have told the end while there was no connection.
func (p *playbacks) lost() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, one := range p.of {
		if one.queued {
			ids = append(ids, id)
		}
	}
	return ids
}

// played takes what Asterisk tells of something that is played.
func (l *Link) played(e *ari.Event) {
	if e.Playback == nil || e.Application != l.cfg.Application || !strings.HasPrefix(e.Playback.ID, Prefix) {
		return
	}
	told, known, news := l.playbacks.tell(e)
	switch {
	case !known:
		l.toned(strings.Clone(e.Playback.ID), e.Type == ari.TypePlaybackStarted)
	case news:
		l.progressed(told)
	}
}

// progressed hands on what has become of a playback.
func (l *Link) progressed(p Played) {
	if l.cfg.Played != nil {
		l.cfg.Played(p)
	}
	if p.State == "done" || p.State == "failed" {
		l.playbacks.end(p.ID)
	}
}

// lookPlayed asks which playbacks have ended while there was no connection, and tells it.
func (l *Link) lookPlayed(ctx context.Context) error {
	over, err := l.playedUnseen(ctx)
	for _, id := range over {
		l.playedOut(id)
	}
	return err
}

// playedUnseen asks which playbacks are over, of which nobody may have been told.
func (l *Link) playedUnseen(ctx context.Context) (over []string, err error) {
	for _, id := range l.playbacks.lost() {
		_, err := l.rest.GetPlayback(ctx, id)
		if errors.Is(err, ari.ErrNotFound) {
			over = append(over, id)
		} else if err != nil {
			return over, err
		}
	}
	return over, nil
}

// playedOut tells that a playback is over, unless its event has come meanwhile.
func (l *Link) playedOut(id string) {
	l.playbacks.mu.Lock()
	one := l.playbacks.of[id]
	l.playbacks.mu.Unlock()
	if one != nil {
		l.progressed(Played{ID: id, State: "done"})
	}
}
