package gate

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// What runs and the locks that lie on calls are shown to the others, so that each is on its employee's lists and streams wherever he asks.

// How the keys begin; the id follows.
const (
	actKey  = "act/"
	lockKey = "lock/"
)

// actVersion and lockVersion are the versions of the forms. What has another is not read.
const (
	actVersion  = 1
	lockVersion = 1
)

// farewell is for how long it is shown how something has ended.
const farewell = 5 * time.Second

// actForm is an act as it is shown: one of the three views, as its employee sees it.
type actForm struct {
	Version     int               `json:"v"`
	Employee    string            `json:"e"`
	Asked       int64             `json:"t"`           // in nanoseconds of Unix
	Origin      string            `json:"o,omitempty"` // the PBX whose sidecar vouches for the employee; empty: he has proven himself where it runs
	Credential  string            `json:"c,omitempty"` // what he has proven himself by there
	Voucher     string            `json:"h,omitempty"` // the id of its word for him
	Supervision *mask.Supervision `json:"s,omitempty"`
	Intercept   *mask.Intercept   `json:"i,omitempty"`
	Recording   *mask.Taping      `json:"r,omitempty"`
	Told        []string          `json:"told,omitempty"` // to whom it is told now
	Supervised  *mask.Supervised  `json:"as,omitempty"`   // as what
}

// lockForm is a lock as it is shown.
type lockForm struct {
	Version  int       `json:"v"`
	Employee string    `json:"e"`
	Asked    int64     `json:"t"`
	Lock     mask.Lock `json:"l"`
}

// farAct is an act on another PBX, and farLock a lock.
type farAct struct {
	pbx  string
	over bool // it has ended, and that was told,
	mute bool // but for one of which nobody had been told that it began
	lost bool // or rather nobody knows: it is out of reach
	form actForm
	next chan struct{} // closed when another has taken its place, or nothing
	wish func()        // of one that is lost: what is to be done when it is back; nil: nothing
}

type farLock struct {
	pbx  string
	lost bool // nobody knows whether it is there: it is out of reach
	form lockForm
}

// form is the act as it stands.
func (a *act) form() *actForm {
	f := &actForm{Version: actVersion, Employee: a.employee, Asked: a.asked.UnixNano()}
	if f.Origin = a.subject.Origin(); f.Origin != "" {
		f.Credential, f.Voucher = vouchName(a.subject), a.subject.VoucherID()
	}
	switch {
	case a.tape != nil:
		v := a.tapingView()
		f.Recording = &v
	case a.supervision:
		v := a.view()
		f.Supervision = &v
	default:
		v := a.interceptView()
		f.Intercept = &v
	}
	if len(a.told.panel) > 0 && a.state != stateEnded {
		v := a.supervised(time.Time{})
		f.Told, f.Supervised = a.told.panel, &v
	}
	return f
}

// showAct shows an act to the others as it stands. Caller holds the lock.
func (g *Gate) showAct(a *act) {
	if g.cfg.Cluster == nil || !a.begun || a.mode != modeNone {
		return
	}
	f, key := a.form(), actKey+a.id
	value, _ := json.Marshal(f) // nothing in it fails
	g.cfg.Cluster.Show(key, value)
	if f.over() {
		time.AfterFunc(farewell, func() { g.cfg.Cluster.Hide(key) })
	}
}

// showLock shows a lock, and hideLock shows it no more. Caller holds the lock.
func (g *Gate) showLock(t *call.Table, k *lock) {
	if g.cfg.Cluster == nil || !k.begun || k.over {
		return
	}
	value, _ := json.Marshal(lockForm{lockVersion, k.employee, k.asked.UnixNano(), g.lockView(t, k)}) // nothing in it fails
	g.cfg.Cluster.Show(lockKey+k.id, value)
}

func (g *Gate) hideLock(k *lock) {
	if g.cfg.Cluster != nil && k.begun {
		g.cfg.Cluster.Hide(lockKey + k.id)
	}
}

// over reports whether it runs no more.
func (f *actForm) over() bool {
	switch {
	case f.Supervision != nil:
		return f.Supervision.State == stateEnded
	case f.Intercept != nil:
		return f.Intercept.State == stateEnded || f.Intercept.State == stateTaken
	}
	return f.Recording.State == mask.TapeStopped
}

func (f *actForm) id() string {
	switch {
	case f.Supervision != nil:
		return f.Supervision.ID
	case f.Intercept != nil:
		return f.Intercept.ID
	case f.Recording != nil:
		return f.Recording.ID
	}
	return ""
}

// readAct reads an act that is shown under an id.
func readAct(id string, value []byte) (f actForm, ok bool) {
	views := 0
	if !readForm(value, &f) {
		return f, false
	}
	for _, there := range [...]bool{f.Supervision != nil, f.Intercept != nil, f.Recording != nil} {
		if there {
			views++
		}
	}
	return f, f.Version == actVersion && f.Employee != "" && views == 1 && id != "" && f.id() == id && (len(f.Told) > 0) == (f.Supervised != nil)
}

// takeAct takes in an act on another PBX, and tells its employee of what has become of it. Caller holds the lock.
func (g *Gate) takeAct(_ *call.Table, _ *policy.Set, news *arrival, id string, value []byte) {
	was := g.cross.acts[id]
	if was != nil && was.pbx != news.from.name {
		return // an id belongs to the PBX that has shown it first
	}
	if value == nil {
		if was != nil {
			close(was.next)
		}
		if delete(g.cross.acts, id); was != nil && !was.over {
			g.tellFar(was.form.end(news.lost), &was.form)
			g.runsNoMore(&was.form, news.lost)
			if news.lost {
				g.loseAct(id, was)
			}
		}
		return
	}
	f, ok := readAct(id, value)
	if !ok {
		g.met.unread.Inc()
		return
	}
	a := &farAct{pbx: news.from.name, over: f.over(), form: f, next: make(chan struct{})}
	if g.cross.acts[id] = a; was != nil {
		close(was.next)
	}
	if was != nil && was.lost {
		if !a.over {
			g.regain(was)
		}
		was = nil
	}
	switch {
	case was == nil && a.over:
		a.mute = true
		return
	case was != nil && was.over:
		a.mute = was.mute
		return
	case was != nil:
		g.tellFar(&f, &was.form)
	default:
		g.tellFar(&f, nil)
	}
	switch {
	case f.Origin != g.cfg.Cluster.PBX():
	case a.over:
		g.runsNoMore(&f, false)
	case was == nil:
		g.vouchAnew()
	}
}

// runsNoMore looks whether anybody need be vouched for any more for an act that has ended, or is lost from sight and may run on.
func (g *Gate) runsNoMore(f *actForm, lost bool) {
	if v := g.cross.vouched[f.Voucher]; v != nil && f.Origin == g.cfg.Cluster.PBX() {
		if lost {
			v.keep(g.cfg.VouchStale)
		}
		g.lookVouched(f.Voucher)
	}
}

// expect lists what was just begun on another PBX, which is about to be shown by that one: who has begun it may look at it or end it at once. When it is not
// shown in time it has ended meanwhile.
func (g *Gate) expect(pbx string, s auth.Subject, v any) {
	voucher, _ := s.Voucher()
	f := actForm{
		Version: actVersion, Employee: s.Employee(), Asked: time.Now().UnixNano(),
		Origin: g.cfg.Cluster.PBX(), Credential: voucher.Credential, Voucher: voucher.ID(),
	}
	switch v := v.(type) {
	case mask.Supervision:
		f.Supervision = &v
	case mask.Intercept:
		f.Intercept = &v
	case mask.Taping:
		f.Recording = &v
	case mask.Lock:
		g.expectLock(pbx, lockForm{lockVersion, f.Employee, f.Asked, v})
		return
	}
	id := f.id()
	g.locked(func(*call.Table) {
		if a := g.cross.acts[id]; a != nil && a.mute && a.pbx == pbx && a.form.Employee == f.Employee { // it has ended already, which is what who has begun it is told of it
			a.mute = false
			g.tellFar(&a.form, nil)
		}
		if g.cross.acts[id] != nil || f.over() || g.others[pbx] == nil {
			return
		}
		a := &farAct{pbx: pbx, form: f, next: make(chan struct{})}
		g.cross.acts[id] = a
		g.tellFar(&f, nil)
		g.later(func() {
			if g.cross.acts[id] == a {
				lost := g.others[pbx] == nil
				delete(g.cross.acts, id)
				close(a.next)
				g.tellFar(f.end(lost), &f)
				g.runsNoMore(&f, lost)
				if lost {
					g.loseAct(id, a)
				}
			}
		})
	})
}

func (g *Gate) expectLock(pbx string, f lockForm) {
	id := f.Lock.ID
	g.locked(func(*call.Table) {
		if g.cross.locks[id] != nil || g.others[pbx] == nil {
			return
		}
		k := &farLock{pbx: pbx, form: f}
		g.cross.locks[id] = k
		g.later(func() {
			if g.cross.locks[id] == k {
				delete(g.cross.locks, id)
				if g.others[pbx] == nil {
					g.loseLock(id, k)
				}
			}
		})
	})
}

// later runs f under the lock once what was begun elsewhere must have been shown.
func (g *Gate) later(f func()) {
	time.AfterFunc(g.cfg.VouchGrace, func() { g.locked(func(*call.Table) { f() }) })
}

// takeLock takes in a lock on another PBX. Caller holds the lock.
func (g *Gate) takeLock(_ *call.Table, _ *policy.Set, news *arrival, id string, value []byte) {
	was := g.cross.locks[id]
	if was != nil && was.pbx != news.from.name {
		return
	}
	if value == nil {
		if delete(g.cross.locks, id); was != nil && news.lost {
			g.loseLock(id, was)
		}
		return
	}
	k := &farLock{pbx: news.from.name}
	if !readForm(value, &k.form) || k.form.Version != lockVersion || k.form.Employee == "" || k.form.Lock.ID != id {
		g.met.unread.Inc()
		return
	}
	g.cross.locks[id] = k
}

// end is the form of an act that is shown no more and was not said to have ended: its sidecar is out of reach, or nobody says why.
func (f actForm) end(lost bool) *actForm {
	reason := ""
	if lost {
		reason = reasonUnreachablePBX
	}
	now := time.Now().UTC()
	switch {
	case f.Supervision != nil:
		v := *f.Supervision
		v.State, v.Since, v.Reason, v.Text = stateEnded, now, reason, reasonText(reason)
		f.Supervision = &v
	case f.Intercept != nil:
		v := *f.Intercept
		v.State, v.Since, v.Reason, v.Text = stateEnded, now, reason, reasonText(reason)
		f.Intercept = &v
	default:
		v := *f.Recording
		v.State, v.Since, v.Reason, v.Text = mask.TapeStopped, now, reason, reasonText(reason)
		f.Recording = &v
	}
	f.Told, f.Supervised = nil, nil
	return &f
}

// tellFar sends an act on another PBX to its employee's watchers, if it is not as it was, and to those who are told of it. Caller holds the lock.
func (g *Gate) tellFar(f, was *actForm) {
	if was == nil || !f.sameView(was) {
		for _, w := range g.watchers {
			if w.subject.Employee() != f.Employee {
				continue
			}
			switch {
			case f.Supervision != nil:
				g.send(w, Message{Type: MessageSupervision, Supervision: f.Supervision})
			case f.Intercept != nil:
				g.send(w, Message{Type: MessageIntercept, Intercept: f.Intercept})
			default:
				g.send(w, Message{Type: MessageRecording, Recording: f.Recording})
			}
		}
	}
	if was != nil {
		for _, id := range was.Told {
			if !slices.Contains(f.Told, id) {
				v, now := *was.Supervised, time.Now().UTC()
				v.State, v.Until = stateEnded, &now
				g.sendSupervised(id, v)
			}
		}
	}
	for _, id := range f.Told {
		if was == nil || !slices.Contains(was.Told, id) || was.Supervised.Mode != f.Supervised.Mode {
			g.sendSupervised(id, *f.Supervised)
		}
	}
}

func (f *actForm) sameView(was *actForm) bool {
	switch {
	case f.Supervision != nil && was.Supervision != nil:
		return *f.Supervision == *was.Supervision
	case f.Intercept != nil && was.Intercept != nil:
		return *f.Intercept == *was.Intercept
	case f.Recording != nil && was.Recording != nil:
		return *f.Recording == *was.Recording
	}
	return false
}
