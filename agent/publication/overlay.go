package publication

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// OverlayTrouble is why what is laid over the policy is not known to be what stands in the store. The zero value is none.
type OverlayTrouble string

// The troubles with an overlay.
const (
	OverlayUnconfirmed OverlayTrouble = "unconfirmed" // the store was not read yet, or is away
	OverlayAbsent      OverlayTrouble = "absent"      // the store has none of this generation
	OverlayMalformed   OverlayTrouble = "malformed"   // a field is not understood, or it is too large
	OverlayUnfit       OverlayTrouble = "unfit"       // it names what the policy does not have
)

// OverlayStatus tells what is laid over the policy.
type OverlayStatus struct {
	Generation uint64 // of the edition whose overlay it is
	Known      bool   // one is in force; otherwise all that it could take is refused
	Trouble    OverlayTrouble
	Err        error // of OverlayUnfit: which field
	// Unverified is for how long nobody has confirmed that it is what the store has; cache.Never when none is known.
	Unverified time.Duration
}

// laying keeps the overlay of the edition in force over it: that of its generation, or none.
type laying struct {
	on    bool
	store Store
	file  *policyfile.File
	stale time.Duration
	now   func() time.Time
	tell  func(OverlayStatus)

	// Only Run.
	laid  *cache.Overlay // what is in force; nil: none is known
	unfit *cache.Overlay // what was refused last, and why, so that it is not tried each second
	why   error

	mu      sync.Mutex // protects what follows
	status  OverlayStatus
	refused time.Time // since when it is unfit
}

// read returns the overlay of a generation as it was last good, and what is wrong with it now.
func (l *laying) read(ctx context.Context, generation uint64) (*cache.Overlay, OverlayTrouble) {
	_, err := l.store.Follow(ctx, generation)
	o, age := l.store.Overlay(generation)
	switch {
	case err == nil:
		return o, ""
	case errors.Is(err, cache.ErrNoOverlay):
		return o, OverlayAbsent
	case errors.Is(err, cache.ErrBadOverlay), errors.Is(err, cache.ErrTooLarge):
		return o, OverlayMalformed
	case o != nil && age < l.stale:
		return o, ""
	}
	return o, OverlayUnconfirmed
}

// keep lays what the store has for a generation.
func (l *laying) keep(ctx context.Context, generation uint64) {
	if !l.on || generation == 0 { // nothing was published yet that something could be set for
		return
	}
	o, t := l.read(ctx, generation)
	if o != nil && l.lay(o) != nil {
		t = OverlayUnfit
	}
	if l.laid != nil && l.laid.Generation() != generation {
		l.laid = nil
		_ = l.file.Lay(nil)
	}
	l.stand(generation, t)
}

// lay lays an overlay over the policy in force, or says why it does not fit.
func (l *laying) lay(o *cache.Overlay) error {
	switch o {
	case l.laid:
		l.unfit = nil
		return nil
	case l.unfit:
		return l.why
	}
	if err := l.file.Lay(over(o)); err != nil {
		l.unfit, l.why = o, err
		return err
	}
	l.laid, l.unfit = o, nil
	return nil
}

// replace puts a newer edition in force together with its own overlay. One that does not fit is as one that is not known.
func (l *laying) replace(ctx context.Context, e Edition, keep func()) error {
	if !l.on {
		return l.file.Replace(e.Documents, e.Generation, nil, keep)
	}
	o, t := l.read(ctx, e.Generation)
	err := l.file.Replace(e.Documents, e.Generation, over(o), keep)
	if errors.Is(err, policy.ErrOverlay) {
		l.unfit, l.why, o, t = o, err, nil, OverlayUnfit
		err = l.file.Replace(e.Documents, e.Generation, nil, keep)
	}
	if err != nil {
		return err
	}
	l.laid = o
	l.stand(e.Generation, t)
	return nil
}

// carried returns what is to go over to the next edition, the policy in force: the overlay of the first generation that has one. It is laid over that
// policy, so that it is known to fit.
func (l *laying) carried(ctx context.Context, generations ...uint64) (*cache.Overlay, error) {
	if !l.on {
		return nil, nil
	}
	for _, g := range generations {
		if g == 0 {
			continue
		}
		o, t := l.read(ctx, g)
		if o != nil {
			return o, l.lay(o)
		}
		if t == OverlayMalformed { // it would be lost
			return nil, cache.ErrBadOverlay
		}
	}
	return nil, nil
}

// put puts an edition into the store in place of a version, with an overlay.
func (l *laying) put(ctx context.Context, before uint64, d cache.Document, carry *cache.Overlay) error {
	if !l.on {
		return l.store.PutDocument(ctx, Name, d)
	}
	return l.store.PutEdition(ctx, Name, before, d, carry)
}

// restore puts an edition back that the store has lost, with what is laid over it.
func (l *laying) restore(ctx context.Context, before uint64, d cache.Document) error {
	if l.laid.Generation() != d.Version {
		return l.put(ctx, before, d, nil)
	}
	return l.put(ctx, before, d, l.laid)
}

// stand takes how things stand now and tells when that is new.
func (l *laying) stand(generation uint64, t OverlayTrouble) {
	l.mu.Lock()
	next := OverlayStatus{Generation: generation, Known: l.laid != nil, Trouble: t}
	if t == OverlayUnfit {
		next.Err = l.why
		if l.status.Trouble != t {
			l.refused = l.now()
		}
	}
	changed := next != l.status
	l.status = next
	l.mu.Unlock()
	if changed && l.tell != nil {
		l.tell(l.overlay())
	}
}

// OverlayStatus tells what is laid over the policy in force; ok is false when nothing is to be. It does not wait.
func (s *standing) OverlayStatus() (st OverlayStatus, ok bool) {
	return s.laying.overlay(), s.laying.on
}

// overlay tells how things stand. It does not wait.
func (l *laying) overlay() OverlayStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.status
	_, out.Unverified = l.store.Overlay(out.Generation)
	switch {
	case !out.Known:
		out.Unverified = cache.Never
	case out.Trouble == OverlayUnfit:
		out.Unverified = max(out.Unverified, l.now().Sub(l.refused))
	}
	return out
}

// over is an overlay of the cache as the policy has it.
func over(o *cache.Overlay) *policy.Overlay {
	if o == nil {
		return nil
	}
	out := new(policy.Overlay)
	for _, s := range o.Settings() {
		out.Settings = append(out.Settings, policy.OverlaySetting(s))
	}
	return out
}

var (
	overlayKnownDesc      = prometheus.NewDesc("earshot_policy_overlay_known", "1 if an overlay is laid over the policy in force; 0 if none is known, and all that it could take is refused. Only where publication.overlay is on.", nil, nil)
	overlayUnverifiedDesc = prometheus.NewDesc("earshot_policy_overlay_unverified_seconds", "For how long nobody has confirmed that the overlay in force is what the Redis has; +Inf when none is known.", nil, nil)
	overlayRefusedDesc    = prometheus.NewDesc("earshot_policy_overlay_refused", "1 if what the Redis has for an overlay is not taken, because a field is not understood or names what the policy does not have.", nil, nil)
)

func (*laying) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{overlayKnownDesc, overlayUnverifiedDesc, overlayRefusedDesc} {
		ch <- d
	}
}

func (l *laying) collect(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	if !l.on {
		return
	}
	s := l.overlay()
	gauge(overlayKnownDesc, number(s.Known))
	gauge(overlayUnverifiedDesc, seconds(s.Unverified))
	gauge(overlayRefusedDesc, number(s.Trouble == OverlayMalformed || s.Trouble == OverlayUnfit))
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// fitting returns the overlay of a generation, if there is one, when it fits the documents that come next.
func fitting(ctx context.Context, store Store, generation uint64, documents []policyfile.Document) (*cache.Overlay, error) {
	if generation == 0 {
		return nil, nil
	}
	o, err := store.Follow(ctx, generation)
	if errors.Is(err, cache.ErrNoOverlay) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := policyfile.Give(documents, 1, policyfile.Options{Overlay: true})
	if err != nil {
		return nil, err
	}
	return o, file.Lay(over(o))
}
