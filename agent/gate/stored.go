package gate

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// StoredRecording is a recording that has been made, for one who may play, download or delete it, for the doors that list files and not calls.
type StoredRecording struct {
	ID     string   // as RecordingAsk has it
	Format string   // how its file ends, such as wav
	Can    []string // as mask.JournalRecording has it
	Tape   string   // of one that the subject has begun himself of late: the id of its mask.Taping
}

// Bounds of what StoredRecordings looks at.
const (
	maxStored    = 1000
	maxRemembers = 1000 // recordings that were begun of late
)

// StoredRecordings lists the newest recordings of the calls in the subject's journal that he may do something with, each once, limit or maxStored of them at
// most. Whoever has no journal has none. As with Journal, what he may not see takes part in nothing.
func (g *Gate) StoredRecordings(ctx context.Context, s auth.Subject, limit int) ([]StoredRecording, error) {
	out := []StoredRecording{}
	if g.archive == nil || g.cfg.Journal == nil {
		return out, nil
	}
	r, p := g.reader(s)
	if p != nil {
		return nil, p
	}
	of, p := r.whose(policy.Journal, "", "")
	if p != nil {
		return out, nil
	}
	limit = min(limit, maxStored)
	f := journal.Filter{Employees: of, Limit: journal.MaxLimit / 4}
	seen := map[string]bool{}
	for looked := 0; looked < maxPassed; {
		rows, err := g.cfg.Journal.Rows(ctx, f)
		if err != nil {
			return nil, journalFails(err)
		}
		looked += len(rows)
		for i := range rows {
			f.Before = rows[i].At
			v, ok := r.past(&rows[i])
			if !ok || len(v.row.Call.Recordings) == 0 || !v.inJournal() {
				continue
			}
			for _, one := range v.stored(seen) {
				if out = append(out, one); len(out) == limit {
					return out, nil
				}
			}
		}
		if len(rows) < f.Limit {
			break
		}
	}
	return out, nil
}

// StoredRecording is one of them, by its id.
func (g *Gate) StoredRecording(ctx context.Context, s auth.Subject, id string) (StoredRecording, error) {
	if g.archive == nil {
		return StoredRecording{}, noSuchRecording()
	}
	r, p := g.reader(s)
	if p != nil {
		return StoredRecording{}, noSuchRecording()
	}
	v, _, err := r.recording(ctx, id)
	if err != nil {
		return StoredRecording{}, err
	}
	for _, one := range v.stored(map[string]bool{}) {
		if one.ID == id {
			return one, nil
		}
	}
	return StoredRecording{}, noSuchRecording()
}

// stored are the row's recordings that have been made and that the subject may do something with, but those that are seen already.
func (v *past) stored(seen map[string]bool) (list []StoredRecording) {
	shown := v.recordings()
	for i, k := range v.ownRecordings() {
		of := &v.row.Call.Recordings[k]
		if seen[of.ID] || len(shown[i].Can) == 0 {
			continue
		}
		seen[of.ID] = true
		list = append(list, StoredRecording{
			ID: shown[i].ID, Format: strings.TrimPrefix(path.Ext(of.File), "."), Can: shown[i].Can, Tape: v.gate.archive.tapeOf(of.File, v.employee),
		})
	}
	return list
}

// tapeLook is how often it is looked whether a recording at another PBX runs.
const tapeLook = 2 * time.Second

// RecordingOver waits until a recording that the subject has begun is over. Of one that is not, or not his, it returns at once. Failed says in a sentence why it
// has broken off; it is empty where it has ended in another way, or at another PBX. The error is ctx's.
func (g *Gate) RecordingOver(ctx context.Context, s auth.Subject, id string) (failed string, err error) {
	var a *act
	var done <-chan struct{}
	g.locked(func(*call.Table) {
		if a = g.acts[id]; a != nil && a.tape != nil && a.employee == s.Employee() {
			done = a.done
		}
	})
	look := time.NewTicker(tapeLook)
	defer look.Stop()
	for {
		if done == nil {
			all, err := g.Recordings(s)
			if err != nil || !slices.ContainsFunc(all, func(v mask.Taping) bool { return v.ID == id }) {
				return "", ctx.Err()
			}
		}
		select {
		case <-done:
			g.locked(func(*call.Table) {
				switch a.reason {
				case reasonPBX, reasonLegGone, reasonNotRecorded:
					failed = reasonText(a.reason)
				}
			})
			return failed, nil
		case <-ctx.Done():
			return "", ctx.Err()
		case <-look.C:
		}
	}
}

// tapes remembers which recordings were begun of late, by the names that they were given.
type tapes struct {
	of    map[string]begunTape
	order []string
}

type begunTape struct{ id, employee string }

// remember notes who has begun a recording under a name.
func (a *archive) remember(name, id, employee string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun.of == nil {
		a.begun.of = map[string]begunTape{}
	}
	if len(a.begun.order) == maxRemembers {
		delete(a.begun.of, a.begun.order[0])
		a.begun.order = slices.Delete(a.begun.order, 0, 1)
	}
	a.begun.of[name] = begunTape{id, employee}
	a.begun.order = append(a.begun.order, name)
}

// tapeOf is the id of the recording that is in a file, for who has begun it.
func (a *archive) tapeOf(file, employee string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b := a.begun.of[strings.TrimSuffix(path.Base(file), path.Ext(file))]; b.employee == employee {
		return b.id
	}
	return ""
}
