package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// States of a playback, as Asterisk has them.
const (
	playQueued  = "queued"
	playPlaying = "playing"
	playPaused  = "paused"
	playDone    = "done"
	playFailed  = "failed"
)

// playSuffix ends the id that a playback has in the PBX.
const playSuffix = "-play"

// maxMedia is how many media are played one after the other, maxSaid how many characters are said, and maxNumber how many digits a number has, which is an int
// of Asterisk's.
const (
	maxMedia  = 16
	maxSaid   = 40
	maxNumber = 9
)

// stasisPlayback is what is played, from the moment that it is ordered until it is told to be over. It is guarded by the gate's lock.
type stasisPlayback struct {
	st     *Stasis
	id     string // the handle
	name   string // in the PBX
	leg    *stasisLeg
	bridge *stasisBridge // nil where leg is not
	media  []string
	at     int // which of them
	state  string
	queued bool // the PBX has taken the order
	begun  bool // its client has been told that it plays
	gone   bool // it is over
}

// view is the playback as its client sees it.
func (p *stasisPlayback) view() StasisPlayback {
	v := StasisPlayback{ID: p.id, Media: slices.Clone(p.media), Playing: p.at, State: p.state}
	if p.leg != nil {
		v.Channel = p.leg.handle
	} else {
		v.Bridge = p.bridge.id
	}
	return v
}

// StasisMedium is one thing to be played: a sound or a tone of the gate's Sounds and Tones by its whole name, or digits, a number or characters to be said.
type StasisMedium struct {
	Kind  string // "sound", "tone", "digits", "number" or "characters"
	Value string
}

// uri is the medium as Asterisk's REST interface has it, written afresh; empty for one that may not be played.
func (g *Gate) uri(m StasisMedium) string {
	said := func(chars string) bool {
		return m.Value != "" && len(m.Value) <= maxSaid && strings.Trim(m.Value, chars) == ""
	}
	ok := false
	switch m.Kind {
	case "sound":
		ok = slices.Contains(g.cfg.Sounds, m.Value)
	case "tone":
		ok = slices.Contains(g.cfg.Tones, m.Value)
	case "digits":
		ok = said("0123456789*#")
	case "number":
		ok = said("0123456789") && len(m.Value) <= maxNumber
	case "characters":
		ok = said("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*#")
	}
	if !ok {
		return ""
	}
	return m.Kind + ":" + m.Value
}

// Sounds are the names of the sounds that a Stasis may play, in the order of the configuration.
func (g *Gate) Sounds() []string { return slices.Clone(g.cfg.Sounds) }

// spot finds where something is to be heard: a leg that is in no bridge, or a bridge that has no supervision. Caller holds the gate's lock.
func (st *Stasis) spot(t *call.Table, on string) (l *stasisLeg, b *stasisBridge, p *Problem) {
	if b = st.bridge(on); b != nil {
		if b.snooped() != nil {
			return nil, nil, listening()
		}
		return nil, b, nil
	}
	switch l, p = st.find(t, on); {
	case p != nil:
	case !l.idle():
		p = listening()
	case l.bridge != nil:
		p = isBridged()
	}
	return l, nil, p
}

// Play plays media one after the other, to a leg that is in no bridge or to all in a bridge that has no supervision. It returns when it is queued; that it
// plays may be told before.
func (st *Stasis) Play(ctx context.Context, on string, media []StasisMedium) (StasisPlayback, error) {
	g := st.gate
	p := &stasisPlayback{st: st, id: newID(), name: pbx.Prefix + newID() + playSuffix, state: playQueued}
	for _, m := range media {
		uri := g.uri(m)
		if uri == "" {
			return StasisPlayback{}, notPlayable()
		}
		p.media = append(p.media, uri)
	}
	if len(media) == 0 || len(media) > maxMedia {
		return StasisPlayback{}, notPlayable()
	}
	var view StasisPlayback
	err := st.deal(ctx, dealing{
		word: wordPlay,
		prepare: func(t *call.Table) (problem *Problem) {
			if len(st.playbacks) >= maxStasisPlaybacks || g.has(st.subject, func(st *Stasis) int { return len(st.playbacks) }) >= maxSubjectPlaybacks {
				return stasisFull()
			}
			if p.leg, p.bridge, problem = st.spot(t, on); problem != nil {
				return problem
			}
			st.playbacks = append(st.playbacks, p)
			g.stasis.plays[p.name] = p
			view = p.view()
			return nil
		},
		do: func(ctx context.Context) error {
			o := pbx.Play{ID: p.name, Media: p.media}
			if p.leg != nil {
				o.Leg = p.leg.id
			} else {
				o.Bridge = p.bridge.room
			}
			err := g.cfg.PBX.Play(ctx, o)
			g.locked(func(*call.Table) {
				if p.queued = err == nil; err != nil {
					st.played(p, playFailed)
				}
			})
			return err
		},
	})
	return view, err
}

// played takes a playback out of the book, and tells that it is over if its client has it. Caller holds the gate's lock.
func (st *Stasis) played(p *stasisPlayback, state string) {
	if p.gone {
		return
	}
	p.gone, p.state = true, state
	st.playbacks = slices.DeleteFunc(st.playbacks, func(o *stasisPlayback) bool { return o == p })
	delete(st.gate.stasis.plays, p.name)
	if p.queued || p.begun {
		st.say(StasisEvent{Kind: StasisPlayed, Playback: p.view()})
	}
}

// Played is called by the PBX link as it goes on with what it plays.
func (g *Gate) Played(x pbx.Played) {
	g.locked(func(*call.Table) {
		p := g.stasis.plays[x.ID]
		if p == nil {
			return
		}
		switch x.State {
		case playPlaying:
			if p.state = playPlaying; !p.begun {
				p.begun = true
				p.st.say(StasisEvent{Kind: StasisPlaying, Playback: p.view()})
			}
		case "continuing":
			p.state, p.at = playPlaying, min(p.at+1, len(p.media)-1)
			p.st.say(StasisEvent{Kind: StasisNextPlayed, Playback: p.view()})
		case playDone, playFailed:
			p.queued = true
			p.st.played(p, x.State)
		}
	})
}

// silence has the PBX end what is not known to be played, without waiting for it. Caller holds the gate's lock.
func (st *Stasis) silence(name string) {
	g := st.gate
	if g.closed {
		return
	}
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		ctx, cancel := context.WithTimeout(g.ctx, 5*time.Second)
		defer cancel()
		_ = g.cfg.PBX.StopPlay(ctx, name) // mostly it is over
	}()
}

// onPlayback has the PBX do something with a playback.
func (st *Stasis) onPlayback(ctx context.Context, id string, fits func(*stasisPlayback) bool, do func(ctx context.Context, p *stasisPlayback) error) error {
	var p *stasisPlayback
	return st.deal(ctx, dealing{
		word: wordPlay,
		prepare: func(*call.Table) *Problem {
			at := slices.IndexFunc(st.playbacks, func(p *stasisPlayback) bool { return p.id == id })
			switch {
			case at < 0:
				return noSuchPlayback()
			case !fits(st.playbacks[at]):
				return notPlaying()
			}
			p = st.playbacks[at]
			return nil
		},
		do: func(ctx context.Context) error { return do(ctx, p) },
	})
}

// StopPlayback ends one.
func (st *Stasis) StopPlayback(ctx context.Context, id string) error {
	return st.onPlayback(ctx, id, func(*stasisPlayback) bool { return true }, func(ctx context.Context, p *stasisPlayback) error {
		return st.gate.cfg.PBX.StopPlay(ctx, p.name) // which tells that it is over
	})
}

// ControlPlayback does to one what Asterisk calls "restart", "pause", "unpause", "reverse" or "forward".
func (st *Stasis) ControlPlayback(ctx context.Context, id, operation string) error {
	then := playPlaying
	switch operation {
	case "pause":
		then = playPaused
	case "restart", "unpause", "reverse", "forward":
	default:
		return badOperation()
	}
	return st.onPlayback(ctx, id, func(p *stasisPlayback) bool { return p.state != playQueued }, func(ctx context.Context, p *stasisPlayback) error {
		err := st.gate.cfg.PBX.ControlPlay(ctx, p.name, operation)
		if err == nil {
			st.gate.locked(func(*call.Table) {
				if !p.gone {
					p.state = then
				}
			})
		}
		return err
	})
}

// Music lets a leg, or all in a bridge, hear the PBX's default music on hold, or ends that. It is not done in a bridge with a supervision.
func (st *Stasis) Music(ctx context.Context, on string, begin bool) error {
	var l *stasisLeg
	var b *stasisBridge
	return st.deal(ctx, dealing{
		word: wordPlay,
		prepare: func(t *call.Table) (p *Problem) {
			if l, b, p = st.spot(t, on); p != nil && p.Code == isBridged().Code && !begin {
				p = nil // what was begun before ends
			}
			return p
		},
		do: func(ctx context.Context) error {
			o := pbx.Music{On: begin}
			if b != nil {
				o.Bridge = b.room
			} else {
				o.Leg = l.id
			}
			return st.gate.cfg.PBX.Music(ctx, o)
		},
	})
}
