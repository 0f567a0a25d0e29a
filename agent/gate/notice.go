package gate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// NoticeAction is the action of an audit entry that says who was told of a supervision: Targets by any way, Employees afterwards; by whom he was
// supervised: Subject; in which Mode; and in Detail since when. Its time is that of the end.
const NoticeAction = "notice"

const (
	sinceDetail = "since:"
	maxNotices  = 100 // how many each may find afterwards
)

// telling is to whom a supervision is told.
type telling struct {
	since time.Time
	mode  policy.Action // that was told
	panel []string      // who are told now that it runs
	was   []string      // who have been told so at any time, by a tone too
	after []string      // who are to be told when it is over
}

// tellSupervised tells those whom the policy wants told that a supervision runs, and those who are on the call no more, or need not be told any
// more, that it does not. It runs from the moment in which it can be heard, which may be a while before that is on record. Caller holds the lock.
func (g *Gate) tellSupervised(set *policy.Set, a *act) {
	if !a.tapped || a.state == stateEnded {
		return
	}
	panel, after := toTell(set, a)
	for _, id := range after {
		a.told.after = appendNew(a.told.after, id)
	}
	for _, id := range a.told.panel {
		if !slices.Contains(panel, id) {
			g.sendSupervised(id, a.supervised(time.Now()))
			g.stale[id] = struct{}{}
		}
	}
	for _, id := range panel {
		if !slices.Contains(a.told.panel, id) || a.told.mode != a.action {
			g.sendSupervised(id, a.supervised(time.Time{}))
			g.stale[id] = struct{}{}
		}
		a.told.was = appendNew(a.told.was, id)
	}
	changed := !slices.Equal(a.told.panel, panel)
	if a.told.panel, a.told.mode = panel, a.action; changed {
		g.showAct(a)
	}
	for _, id := range a.hearTone() {
		a.told.was = appendNew(a.told.was, id)
	}
	g.minute(a, slices.Contains(a.told.was, a.target))
}

// toTell works out who is to be told of a supervision, and how: the target, and where the policy wants both sides told, every employee within
// earshot. Each may be one whom the subject supervises unnoticed.
func toTell(set *policy.Set, a *act) (panel, after []string) {
	subject, _ := set.Employee(a.employee)
	target, ok := set.Employee(a.target)
	if !ok {
		return nil, nil // and so its ground is gone
	}
	if a.mode == modeJoin { // he is heard by all, whatever the policy wants told of who is not
		for _, id := range append([]string{a.target}, a.with...) {
			if id != a.employee {
				panel = appendNew(panel, id)
			}
		}
		return panel, nil
	}
	whom := []policy.Ref{target}
	r := policy.Request{Subject: subject, Action: a.action, Target: target}
	if set.Notice(&r).Both() {
		for _, id := range a.with {
			if ref, ok := set.Employee(id); ok && ref != subject {
				whom = addRef(whom, ref)
			}
		}
	}
	for _, ref := range whom {
		r.Target = ref
		n := set.Notice(&r)
		if n.Panel() {
			panel = append(panel, set.ID(ref))
		}
		if n.After() {
			after = append(after, set.ID(ref))
		}
	}
	return panel, after
}

func appendNew(list []string, id string) []string {
	if slices.Contains(list, id) {
		return list
	}
	return append(slices.Clip(list), id)
}

// supervised is the supervision as the supervised are told of it; until is zero while it runs.
func (a *act) supervised(until time.Time) mask.Supervised {
	mode := a.action.String()
	if a.mode != modeNone {
		mode = string(a.mode)
	}
	v := mask.Supervised{ID: a.id, By: a.employee, Mode: mode, State: stateActive, Since: a.told.since.UTC()}
	if !until.IsZero() {
		until = until.UTC()
		v.State, v.Until = stateEnded, &until
	}
	return v
}

func (g *Gate) sendSupervised(employee string, v mask.Supervised) {
	for _, w := range g.watchers {
		if w.subject.Employee() == employee {
			g.send(w, Message{Type: MessageSupervised, Supervised: &v})
		}
	}
}

// tellEnded tells that a supervision is over, and returns the record of who was told; nil when nobody was. Caller holds the lock.
func (g *Gate) tellEnded(set *policy.Set, a *act) *audit.Entry {
	v := a.supervised(time.Now())
	told := slices.Clone(a.told.after)
	for _, id := range a.told.panel {
		told = appendNew(told, id)
		g.stale[id] = struct{}{}
	}
	for _, id := range told {
		g.sendSupervised(id, v)
	}
	for _, id := range a.told.after {
		g.keepNotice(id, v)
	}
	for _, id := range a.told.was {
		told = appendNew(told, id)
	}
	g.minuteEnd(a, slices.Contains(told, a.target))
	if len(told) == 0 {
		return nil
	}
	return &audit.Entry{
		ID: newID(), Phase: audit.Disclosed, Subject: a.employee, Action: NoticeAction, Mode: v.Mode, Targets: told, Employees: slices.Clone(a.told.after),
		Generation: set.Generation(), Detail: sinceDetail + v.Since.Truncate(time.Second).Format(time.RFC3339),
	}
}

// recordNotice writes down who was told of a supervision; nil: nobody was.
func (g *Gate) recordNotice(notice *audit.Entry, id string) {
	if notice == nil {
		return
	}
	if err := g.fact(*notice); err != nil {
		g.log.Error().Err(err).Str("id", id).Msg("that the supervised were told was not recorded")
	}
}

// lately is who is still to be told afterwards of a supervision that an Earshot before this one began: it kept that to itself until the end, so
// it is worked out anew, by the policy in force, for all who the record says were within earshot.
func lately(set *policy.Set, old *audit.Act) (told telling) {
	action, _ := policy.ParseAction(old.Action)
	if !action.Supervises() || len(old.Targets) != 1 {
		return told
	}
	told.since = old.Carried
	_, told.after = toTell(set, &act{employee: old.Subject, action: action, target: old.Targets[0], with: old.Employees})
	return told
}

// tellLate tells those that a supervision is over whose end no Earshot has seen; its time is that of the restart. Caller holds the lock.
func (g *Gate) tellLate(set *policy.Set, old *audit.Act) *audit.Entry {
	action, _ := policy.ParseAction(old.Action)
	return g.tellEnded(set, &act{id: old.ID, employee: old.Subject, action: action, target: only(old.Targets), supervision: action.Supervises(), told: lately(set, old)})
}

func (g *Gate) keepNotice(employee string, v mask.Supervised) {
	list := append(g.notices[employee], v)
	g.notices[employee] = list[max(0, len(list)-maxNotices):]
}

// noticesOf makes the lists of what is told afterwards of the record of an Earshot before.
func noticesOf(entries []audit.Entry) map[string][]mask.Supervised {
	g := Gate{notices: map[string][]mask.Supervised{}}
	for i := range entries {
		e := &entries[i]
		text, ok := strings.CutPrefix(e.Detail, sinceDetail)
		since, err := time.Parse(time.RFC3339, text)
		if !ok || err != nil || e.Action != NoticeAction || e.Phase != audit.Disclosed {
			continue
		}
		until := e.At().UTC()
		for _, id := range e.Employees {
			g.keepNotice(id, mask.Supervised{ID: e.ID, By: e.Subject, Mode: e.Mode, State: stateEnded, Since: since, Until: &until})
		}
	}
	return g.notices
}

// isTold reports whether the employee is told now that the call of this leg is supervised.
func (g *Gate) isTold(employee string, leg call.LegID) bool {
	return slices.ContainsFunc(g.hearing[leg], func(a *act) bool { return slices.Contains(a.told.panel, employee) })
}

// showTold shows the rows of those to whom something was told. To others they are as they were.
func (g *Gate) showTold(t *call.Table) {
	if len(g.stale) == 0 {
		return
	}
	ids := slices.Collect(maps.Keys(g.stale))
	clear(g.stale)
	if !g.known {
		return
	}
	set := g.policy.Load()
	var rows []*entry
	for _, id := range ids {
		if ref, ok := set.Employee(id); ok && g.board[ref] != nil {
			rows = append(rows, g.board[ref])
		}
	}
	slices.SortFunc(rows, byPlace)
	g.showRows(t, set, rows, time.Time{})
}

// Supervised lists the supervisions of the subject's own calls of which the policy wants him told: those that run, and then those that are over,
// newest first. Of the latter there are the last hundred, as far as the record goes back.
func (g *Gate) Supervised(s auth.Subject) ([]mask.Supervised, error) {
	out := []mask.Supervised{}
	g.locked(func(*call.Table) {
		var acts []*act
		for _, a := range g.acts {
			if slices.Contains(a.told.panel, s.Employee()) {
				acts = append(acts, a)
			}
		}
		slices.SortFunc(acts, byAge)
		for _, a := range slices.Backward(acts) {
			out = append(out, a.supervised(time.Time{}))
		}
		for _, a := range g.cross.acts {
			if !a.over && slices.Contains(a.form.Told, s.Employee()) {
				out = append(out, *a.form.Supervised)
			}
		}
		slices.SortStableFunc(out, func(a, b mask.Supervised) int { return b.Since.Compare(a.Since) })
		for _, v := range slices.Backward(g.notices[s.Employee()]) {
			out = append(out, v)
		}
	})
	return out, nil
}
