package gate

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/policy"
)

// retention is the door of the record of what is deleted for its age, and the reason: nobody has asked for it but the configuration.
const retention = "retention"

// piece is one of the files that hold what a recording holds.
type piece struct {
	recording.Place
	id   string // of the recording that the journal has in it; empty: it has none
	runs bool
	copy bool // not the recording's own file
}

// pieces are the files that go with a recording: what was made of it beside it and under its name in other spools, and last its own. A file that the
// journal has bound to another call only has the name in common, and is not among them.
func (a *archive) pieces(ctx context.Context, r *journal.Recording) (list []piece, err error) {
	copies, err := a.Spools.Copies(r.Spool, r.File)
	if err != nil {
		return nil, err
	}
	for _, at := range copies {
		other, err := a.Book.RecordingOf(ctx, at.Spool, at.File)
		switch {
		case errors.Is(err, journal.ErrNoRecording):
			list = append(list, piece{Place: at, copy: true})
		case err != nil:
			return nil, err
		case other.Call == r.Call:
			list = append(list, piece{Place: at, id: other.ID, runs: other.Ended.IsZero(), copy: true})
		}
	}
	return append(list, piece{Place: recording.Place{Spool: r.Spool, File: r.File}, id: r.ID, runs: r.Ended.IsZero()}), nil
}

// DeleteRecording deletes a recording for good: its file, and what of the same call lies beside it and under its name in other spools; and writes each
// down. What the second authority does not let the subject have deleted, of one of them, is a refusal of it all.
func (g *Gate) DeleteRecording(ctx context.Context, s auth.Subject, ask RecordingAsk) error {
	k, p := g.seek(ctx, s, &ask, policy.Delete)
	if p != nil {
		return p
	}
	if p = g.decideSought(k); p != nil {
		return g.refuseSought(k, p)
	}
	pieces, err := g.archive.pieces(ctx, &k.rec)
	if err != nil {
		return recordingUnreadable(err)
	}
	if pieces, p = g.mayRemove(ctx, k, pieces); p != nil {
		return g.refuseSought(k, p)
	}
	id := newID()
	e := k.entry(id, audit.Decided)
	g.met.decision(k.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	return g.remove(context.WithoutCancel(ctx), k, id, pieces)
}

// mayRemove looks whether none of a recording's files is still written, and asks the other authority about each. It returns those that are there.
func (g *Gate) mayRemove(ctx context.Context, k *sought, pieces []piece) (there []piece, p *Problem) {
	for _, x := range pieces {
		if x.runs {
			return nil, recordingRuns("")
		}
	}
	for _, x := range pieces {
		switch p := g.askSecond(ctx, k, x.Place); {
		case p != nil && p.Kind == NotFound && x.copy: // it has gone meanwhile
		case p != nil:
			return nil, p
		default:
			there = append(there, x)
		}
	}
	return there, nil
}

// ExpireRecording deletes the files of a recording whose call is too old to be kept, as DeleteRecording does, and writes down that it was for its age.
// Files that are gone are no error, and nothing is written of them. [recording.ErrNoSpool] says that the file is in a spool that is not configured.
func (g *Gate) ExpireRecording(ctx context.Context, r journal.Recording) error {
	if g.archive == nil {
		return recording.ErrNoSpool
	}
	there, err := g.archive.Spools.Has(recording.Place{Spool: r.Spool, File: r.File})
	if err != nil {
		return err
	}
	pieces, err := g.archive.pieces(ctx, &r)
	if err != nil {
		return err
	}
	if !there {
		pieces = pieces[:len(pieces)-1]
	}
	if len(pieces) == 0 {
		return nil
	}
	c, err := g.archive.Book.Call(ctx, r.Call)
	if err != nil {
		return err
	}
	k := &sought{action: policy.Delete, door: retention, rec: r, call: c, set: g.policy.Load()}
	k.parties = partiesOf(k.set, &k.call)
	return g.remove(context.WithoutCancel(ctx), k, newID(), pieces)
}

// remove removes the pieces of a recording. What is to be removed is written down first, and nothing goes that is not.
func (g *Gate) remove(ctx context.Context, k *sought, id string, pieces []piece) error {
	for i := range pieces {
		if err := g.record(k.pieceEntry(id, audit.Decided, &pieces[i])); err != nil {
			return notRecorded(err)
		}
	}
	var errs []error
	for i := range pieces {
		phase := audit.Done
		if err := g.archive.removePiece(ctx, &pieces[i]); err != nil {
			phase, errs = audit.Failed, append(errs, err)
		}
		if err := g.fact(k.pieceEntry(id, phase, &pieces[i])); err != nil {
			errs = append(errs, err)
		}
	}
	g.archive.deletions.Add(1)
	if err := errors.Join(errs...); err != nil {
		return notDeleted(id, err)
	}
	return nil
}

func notDeleted(id string, cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: "not_deleted", ID: id, Text: "The recording could not be deleted wholly; the log says why.", cause: cause}
}

// removePiece removes a file before it says so in the journal: a kill in between leaves a recording without a file, and never a file that would be taken
// for a new recording.
func (a *archive) removePiece(ctx context.Context, x *piece) error {
	if err := a.Spools.Remove(x.Spool, x.File); err != nil && !errors.Is(err, recording.ErrNoFile) {
		return err
	}
	if x.id == "" {
		return nil
	}
	return a.Book.MarkDeleted(ctx, x.id, time.Now())
}

// pieceEntry is the record of a phase of the removal of one file. Names of files hold numbers of people, so of a copy it says in which spool it lay and
// how its name ended.
func (k *sought) pieceEntry(id string, phase audit.Phase, x *piece) audit.Entry {
	e := k.entry(id, phase)
	if phase == audit.Decided && k.door == retention {
		e.Reason = retention
	}
	if x.copy {
		e.Mode = "copy:" + x.Spool + path.Ext(x.File)
	}
	if x.id != "" {
		e.Detail = "recording:" + x.id
	}
	return e
}
