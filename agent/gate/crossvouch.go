package gate

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// What runs here by the word of another sidecar ends when that one says no more that the credential holds. It says so for as long as something runs elsewhere
// on the strength of one that somebody has proven himself by to it, and says at once when it has ended.

// holdsKey begins the key under which a sidecar says whether a credential holds; the voucher's id follows.
const holdsKey = "holds/"

// holdsVersion is that of the form. What has another is not read, and so nobody vouches.
const holdsVersion = 1

type holdsForm struct {
	Version int  `json:"v"`
	Holds   bool `json:"holds"`
}

// farHold is what another sidecar says of a credential.
type farHold struct {
	holds  bool
	hidden time.Time // since when it says nothing more; zero: it does
}

// vouchRetry is how soon it is tried again to know somebody again after a restart: the store of sessions may be read later than what runs elsewhere.
const vouchRetry = time.Second

// vouching is somebody for whom this sidecar vouches to others.
type vouching struct {
	subject auth.Subject
	sending int       // requests that are on their way
	until   time.Time // it is said till then though nothing is seen to run: it may not have been shown yet
	said    []byte    // what was shown last
	timer   *time.Timer
}

func farKey(pbx, id string) string { return pbx + "/" + id }

// holds reports whether a credential does, by what is known now. Caller holds the lock.
func (g *Gate) holds(s auth.Subject) bool {
	if s.Origin() == "" {
		return g.cfg.Holds(s)
	}
	if at := s.Expires(); !at.IsZero() && !time.Now().Before(at) {
		return false
	}
	h := g.cross.holds[farKey(s.Origin(), s.VoucherID())]
	return h == nil || h.holds
}

// takeHolds takes in what another sidecar says of a credential. Caller holds the lock.
func (g *Gate) takeHolds(_ *call.Table, _ *policy.Set, news *arrival, id string, value []byte) {
	key := farKey(news.from.name, id)
	if value == nil {
		if h := g.cross.holds[key]; h != nil && h.hidden.IsZero() {
			h.hidden = time.Now()
		}
		if news.lost {
			delete(g.cross.holds, key)
		}
		return
	}
	var f holdsForm
	if !readForm(value, &f) || f.Version != holdsVersion {
		g.met.unread.Inc()
		return
	}
	g.cross.holds[key] = &farHold{holds: f.Holds}
}

// heard takes note of who is within reach, and looks anew at what runs here by his word. Caller holds the lock.
func (g *Gate) heard(n *News) {
	now := time.Now()
	switch _, joined := g.cross.joined[n.PBX]; {
	case !n.Known:
		delete(g.cross.joined, n.PBX)
		g.cross.lost[n.PBX] = now
	case !joined, n.Whole: // also when it has been started anew
		g.cross.joined[n.PBX] = now
		delete(g.cross.lost, n.PBX)
	}
	for key, h := range g.cross.holds {
		if !h.hidden.IsZero() && now.Sub(h.hidden) > g.cfg.VouchGrace {
			delete(g.cross.holds, key)
		}
	}
	for _, a := range g.acts {
		if a.subject.Origin() == n.PBX {
			g.verify(a)
		}
	}
}

// verify ends an act for whose subject another sidecar does not vouch any more, or looks again when that may be. Caller holds the lock.
func (g *Gate) verify(a *act) {
	if a.verifying != nil {
		a.verifying.Stop()
		a.verifying = nil
	}
	if a.subject.Origin() == "" || a.ended {
		return
	}
	until, holds := g.vouchedUntil(a)
	now := time.Now()
	switch {
	case !holds, !until.IsZero() && !now.Before(until):
		a.finish(ending{reason: reasonCredential, revoked: true, at: now})
	case !until.IsZero():
		a.verifying = g.after(a, until.Sub(now), func(*call.Table) { g.verify(a) })
	}
}

// vouchedUntil is until when an act goes on if nothing more is heard of its subject's credential; the zero time: for as long as nothing else is said.
func (g *Gate) vouchedUntil(a *act) (until time.Time, holds bool) {
	pbx := a.subject.Origin()
	h := g.cross.holds[farKey(pbx, a.subject.VoucherID())]
	if h != nil && h.hidden.IsZero() {
		a.proven = a.proven || h.holds
		return time.Time{}, h.holds
	}
	since := a.vouched
	later := func(t time.Time) {
		if t.After(since) {
			since = t
		}
	}
	if h != nil {
		later(h.hidden)
	}
	joined, within := g.cross.joined[pbx]
	switch {
	case within: // it has joined anew, and has not said yet what it vouches for
		later(joined)
		return since.Add(g.cfg.VouchGrace), true
	case !a.proven: // of an Earshot before this one
		return since.Add(g.cfg.VouchGrace), true
	}
	later(g.cross.lost[pbx])
	return since.Add(g.cfg.VouchStale), true
}

// resumed is whom an Earshot before this one has begun something for, by the name of his credential. Of one that another sidecar has seen it is asked
// later whether it holds.
func (g *Gate) resumed(credential, employee string) (auth.Subject, bool) {
	if s, ok := auth.Revouched(credential, employee); ok {
		return s, g.cfg.Cluster != nil
	}
	return g.cfg.Estate.Resume(credential, employee)
}

// vouch says to the others that a credential holds by which something is about to be begun elsewhere. Caller holds the lock, and calls vouchedFor afterwards.
func (g *Gate) vouch(s auth.Subject) {
	f, ok := s.Voucher()
	if !ok {
		return
	}
	id := f.ID()
	v := g.cross.vouched[id]
	if v == nil {
		v = &vouching{}
		g.cross.vouched[id] = v
	}
	v.subject = s
	v.sending++
	g.lookVouched(id)
}

// vouchedFor says that a request has come back. Caller holds the lock.
func (g *Gate) vouchedFor(id string) {
	if v := g.cross.vouched[id]; v != nil {
		v.sending--
		v.keep(g.cfg.VouchGrace)
		g.lookVouched(id)
	}
}

func (v *vouching) keep(d time.Duration) {
	if until := time.Now().Add(d); until.After(v.until) {
		v.until = until
	}
}

// lookVouched says what is so now of a credential, or nothing any more when nothing runs on it elsewhere. Caller holds the lock.
func (g *Gate) lookVouched(id string) {
	v, now := g.cross.vouched[id], time.Now()
	if v == nil || g.closed {
		return
	}
	if v.timer != nil {
		v.timer.Stop()
	}
	again := time.Time{}
	if !g.runsBy(id) && v.sending == 0 {
		if !now.Before(v.until) {
			delete(g.cross.vouched, id)
			g.cfg.Cluster.Hide(holdsKey + id)
			return
		}
		again = v.until
	}
	holds := g.cfg.Holds(v.subject)
	if at := v.subject.Expires(); holds && !at.IsZero() {
		if holds = now.Before(at); holds && (again.IsZero() || at.Before(again)) {
			again = at
		}
	}
	value, _ := json.Marshal(holdsForm{holdsVersion, holds}) // nothing in it fails
	if string(value) != string(v.said) {
		v.said = value
		g.cfg.Cluster.Show(holdsKey+id, value)
	}
	if !again.IsZero() {
		v.timer = time.AfterFunc(again.Sub(now), func() { g.locked(func(*call.Table) { g.lookVouched(id) }) })
	}
}

// recheckVouched looks at all of them anew. Caller holds the lock.
func (g *Gate) recheckVouched() {
	for id := range g.cross.vouched {
		g.lookVouched(id)
	}
}

// runsBy reports whether something runs elsewhere by the word of this sidecar for a credential.
func (g *Gate) runsBy(voucher string) bool {
	for _, a := range g.cross.acts {
		if !a.over && a.form.Voucher == voucher && a.form.Origin == g.cfg.Cluster.PBX() {
			return true
		}
	}
	return false
}

// vouchAnew looks for whom something runs elsewhere by the word of the Earshot before this one, and vouches for them if their credentials still hold.
// Who is not known again is vouched for by nobody, and what runs for him ends. Caller holds the lock.
func (g *Gate) vouchAnew() {
	missing := false
	for _, a := range g.cross.acts {
		f := &a.form
		if a.over || f.Origin != g.cfg.Cluster.PBX() || g.closed {
			continue
		}
		if v := g.cross.vouched[f.Voucher]; v == nil {
			s, ok := g.cross.resume(f.Credential, f.Employee)
			if is, _ := s.Voucher(); !ok || is.ID() != f.Voucher {
				missing = true
				continue
			}
			g.cross.vouched[f.Voucher] = &vouching{subject: s}
		}
		g.lookVouched(f.Voucher)
	}
	if missing && g.cross.retry == nil {
		g.cross.retry = time.AfterFunc(vouchRetry, func() {
			g.locked(func(*call.Table) {
				g.cross.retry = nil
				g.vouchAnew()
			})
		})
	}
}

// vouchName is what a vouched subject's credential is called beside the PBX where he has proven himself.
func vouchName(s auth.Subject) string {
	_, name, _ := strings.Cut(strings.TrimPrefix(s.Credential(), "pbx:"), ":")
	return name
}
