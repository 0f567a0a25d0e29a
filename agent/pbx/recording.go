package pbx

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Recording is what Asterisk tells of one of ARI's recordings.
type Recording struct {
	Name   string     // the file's below Asterisk's folder of recordings, without its ending
	Format string     // its ending
	Leg    call.LegID // whom it is of; empty of a bridge
	Bridge call.BridgeID
	Over   bool
	At     time.Time
}

// recorded takes what Asterisk tells of a recording.
func (l *Link) recorded(e *ari.Event) {
	if l.cfg.Recorded == nil || e.Recording == nil {
		return
	}
	uri := strings.Clone(e.Recording.TargetURI)
	bridge, of := strings.CutPrefix(uri, "bridge:")
	leg := strings.TrimPrefix(uri, "channel:")
	if of {
		leg = ""
	} else {
		bridge = ""
	}
	l.cfg.Recorded(Recording{
		Name: strings.Clone(e.Recording.Name), Format: strings.Clone(e.Recording.Format), Leg: call.LegID(leg), Bridge: call.BridgeID(bridge),
		Over: e.Type != ari.TypeRecordingStarted, At: time.Now().UTC(),
	})
}

// Records reports whether one of ARI's recordings is still being made.
func (l *Link) Records(ctx context.Context, name string) (bool, error) {
	_, err := l.rest.LiveRecording(ctx, name)
	if errors.Is(err, ari.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Variable reads a variable of a leg.
func (l *Link) Variable(ctx context.Context, leg call.LegID, name string) (string, error) {
	return l.rest.Variable(ctx, string(leg), name)
}
