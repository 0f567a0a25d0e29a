package pbx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Record is the order to record what is said on a leg and to it. Nobody hears it: a snoop of the leg is in no bridge, and a second one, of
// the first, is what ARI records. Asterisk does nothing else on a leg that it records (ARI: a request that sets a variable there waits for the end), so the
// lease is the first one's; the second is gone with it.
type Record struct {
	Holder call.LegID // the unique id that the snoop of the target is to have; begins with Prefix. Its lease is to be renewed
	Snoop  call.LegID // that of the snoop which is recorded; begins with Prefix
	Target call.LegID
	Name   string // of the file below Asterisk's folder of recordings, without its ending; there must be none of that name
	Lease  time.Duration
}

// RecordFormat is the format, and the ending, of what a Record order makes.
const RecordFormat = "wav"

// ErrNotRecording means that Asterisk has no such recording under way.
var ErrNotRecording = errors.New("asterisk has no such recording under way")

// Record carries out a Record order. It returns when Asterisk records; if it does not, nothing of it is left but perhaps an empty file.
func (l *Link) Record(ctx context.Context, o Record) error {
	err := l.record(ctx, o)
	if err == nil {
		return nil
	}
	return errors.Join(err, afterwards(ctx, func(ctx context.Context) error { return l.Drop(ctx, "", o.Snoop, o.Holder) }))
}

func (l *Link) record(ctx context.Context, o Record) error {
	hold := ari.SnoopRequest{Channel: string(o.Target), SnoopID: string(o.Holder), Spy: ari.DirectionBoth, App: l.cfg.Application}
	if err := l.snoop(ctx, hold); err != nil {
		return err
	}
	if err := l.Renew(ctx, o.Lease, o.Holder); err != nil {
		return err
	}
	if err := l.snoop(ctx, ari.SnoopRequest{Channel: string(o.Holder), SnoopID: string(o.Snoop), Spy: ari.DirectionIn, App: l.cfg.Application}); err != nil {
		return err
	}
	_, err := l.rest.Record(ctx, string(o.Snoop), ari.RecordRequest{Name: o.Name, Format: RecordFormat, IfExists: "fail"})
	return err
}

// PauseRecording has what is said from now on left out of the file; of one that is paused already it stays so. ErrNotRecording says that there is no such recording.
func (l *Link) PauseRecording(ctx context.Context, name string) error {
	return notRecording(l.rest.PauseRecording(ctx, name))
}

// ResumeRecording has a paused recording go on.
func (l *Link) ResumeRecording(ctx context.Context, name string) error {
	return notRecording(l.rest.UnpauseRecording(ctx, name))
}

func notRecording(err error) error {
	if errors.Is(err, ari.ErrNotFound) || errors.Is(err, ari.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrNotRecording, err)
	}
	return err
}
