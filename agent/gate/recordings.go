package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/policy"
)

// RecordingBook is what is known of recordings and the calls that are on them; journal.Store is the real one.
type RecordingBook interface {
	Recording(ctx context.Context, id string) (journal.Recording, error)
	RecordingOf(ctx context.Context, spool, file string) (journal.Recording, error)
	Call(ctx context.Context, id string) (journal.Call, error)
	MarkDeleted(ctx context.Context, id string, at time.Time) error
}

// Recordings is what the gate needs to serve recordings. Book and Spools are required.
type Recordings struct {
	Book   RecordingBook
	Spools *recording.Spools
	Second recording.Authority // must say yes too; nil: nobody else is asked
	Key    []byte              // makes links; nil: one that is new with every start
	TTL    time.Duration       // how long a link is good; 10 min
	Once   time.Duration       // how long what somebody does with one recording is one disclosure; 15 min
	Resume func(credential, employee string) (auth.Subject, bool)
	// Taped is told which leg's call is in a recording that Earshot has begun, by its name, which nothing else tells; it must not wait. Nil: nobody is.
	Taped func(leg call.LegID, name string, at time.Time)
}

// archive is the gate's part that serves recordings.
type archive struct {
	Recordings
	links     *sealing
	deletions atomic.Uint64 // how many there have been: who reads one looks again

	mu          sync.Mutex // guards what follows, and keeps two first requests from being two disclosures
	disclosures map[disclosed]disclosure
	linkers     map[linker]linking
	begun       tapes
}

// disclosed is what makes requests one disclosure: who, which recording, as what, and why, by the same road.
type disclosed struct {
	employee, recording, given, door string
	action                           policy.Action
}

type disclosure struct {
	id    string // of its record
	until time.Time
}

func newArchive(r *Recordings) *archive {
	if r == nil {
		return nil
	}
	a := &archive{Recordings: *r, disclosures: map[disclosed]disclosure{}, linkers: map[linker]linking{}}
	if a.TTL == 0 {
		a.TTL = 10 * time.Minute
	}
	if a.Once == 0 {
		a.Once = 15 * time.Minute
	}
	if a.Key == nil {
		a.Key = make([]byte, 32)
		_, _ = rand.Read(a.Key) // never fails: crypto/rand ends the program instead
	}
	a.links = newSealing(a.Key, "recording link")
	return a
}

// RecordingAsk is a request about one recording.
type RecordingAsk struct {
	ID       string // as the subject knows it
	Download bool   // to have it as a file, and not to play it
	Reason   string // why the subject asks, where the policy wants to know
	Door     string
}

func (a *RecordingAsk) action() policy.Action {
	if a.Download {
		return policy.Download
	}
	return policy.Play
}

func recordingRuns(id string) *Problem {
	return &Problem{Kind: Conflict, Code: "recording_runs", ID: id, Text: "The recording is still being made; it can be had when it has ended."}
}

func secondSilent(id string, cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: "second_authority_silent", ID: id, Text: "The authority over the storage does not answer whether you may; try again shortly.", cause: cause}
}

func secondRefuses(id string) *Problem {
	return &Problem{Kind: Refused, Code: "second_authority", ID: id, Text: "The policy allows it, and the authority over the storage does not; ask its administrator."}
}

func recordingGap() *Problem {
	return &Problem{Kind: Refused, Code: mask.RecordingGap, Text: "Earshot did not see all of that call, so nobody can say who was on it, and its recordings are served to nobody."}
}

func recordingUnreadable(cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: "recording_unreadable", Text: "The recording cannot be looked up now; the log says why.", cause: cause}
}

// parties is who was on a past call. The zero value can be decided about by nobody.
type parties struct {
	proven    []string // employees whose phones were on it, as was known then
	others    []string // employees within earshot of it otherwise: by a number that was claimed, or as supervisors. They bar, and open nothing
	protected bool
	complete  bool // there was nobody else, as far as Earshot saw
	gap       bool // it did not see all of the call: there may have been somebody of whom nothing is known
}

// partiesOf works out who was on a call, by the policy of now. It is incomplete where somebody was on
// it whom the policy does not know any more, or a phone that it does not know.
func partiesOf(set *policy.Set, c *journal.Call) (p parties) {
	p.complete, p.gap = true, c.Gap
	for i := range c.Legs {
		l := &c.Legs[i]
		if ref, ok := set.Phone(l.Endpoint); l.Employee != "" {
			p.proven = appendNew(p.proven, l.Employee)
		} else if ok {
			p.others = appendNew(p.others, set.ID(ref)) // it is his now; then it was nobody's
		} else if !set.Trunk(l.Endpoint) && !set.UnknownPhonesOutside() {
			p.complete = false
		}
		for _, n := range [...]call.Number{l.Number, l.Dialled} {
			number := n.Digits()
			if number == "" {
				continue
			}
			p.protected = p.protected || set.ProtectedNumber(number)
			for _, ref := range set.AppendByNumber(nil, bare(n)) {
				p.others = appendNew(p.others, set.ID(ref))
			}
		}
	}
	for i := range c.Supervisions {
		p.others = appendNew(p.others, c.Supervisions[i].By)
	}
	p.others = slices.DeleteFunc(p.others, func(id string) bool { return id == "" || slices.Contains(p.proven, id) })
	return p
}

func (p *parties) all() []string { return slices.Concat(p.proven, p.others) }

// decidePast decides an action on what was said. A call of which Earshot did not see all is refused to everybody: an exclusion and a protection are about
// whoever was on it, and nobody can say any more that it was nobody whom they are for.
func decidePast(set *policy.Set, subject policy.Ref, action policy.Action, p *parties, reason bool) policy.Decision {
	d := decideSeen(set, subject, action, p, reason)
	if d.Allowed && p.gap {
		return policy.Decision{Reason: policy.ReasonUnknownParty}
	}
	return d
}

// decideSeen decides as if whom Earshot saw had been all: over those whose phones were on the call, of whom one has to be in the scope of a right; and then
// over everybody, of whom none may bar it.
func decideSeen(set *policy.Set, subject policy.Ref, action policy.Action, p *parties, reason bool) policy.Decision {
	r := policy.Request{Subject: subject, Action: action, ProtectedNumber: p.protected, ReasonGiven: reason}
	refs := func(ids []string) (list []policy.Ref, ok bool) {
		for _, id := range ids {
			ref, known := set.Employee(id)
			if !known {
				return nil, false
			}
			list = append(list, ref)
		}
		return list, true
	}
	proven, ok1 := refs(p.proven)
	others, ok2 := refs(p.others)
	switch {
	case len(p.proven) == 0:
		return policy.Decision{Reason: policy.ReasonUnknownTarget}
	case !ok1 || !ok2 || !p.complete:
		return policy.Decision{Reason: policy.ReasonUnknownParty}
	}
	r.Target, r.With = proven[0], proven[1:]
	d := set.Decide(&r)
	if d.Allowed && len(others) > 0 {
		r.With = slices.Concat(proven[1:], others)
		if all := set.Decide(&r); !all.Allowed {
			return all
		}
	}
	if !d.Allowed {
		// Who else was on it is told to nobody, and whom it is about follows from the call too.
		d.Pairwise = d.Pairwise && len(p.proven)+len(p.others) == 1
	}
	return d
}

// mayHave lists what the subject may do with the recordings of the row's call, a reason given; and reports, if that is nothing, whether it is for the
// gap alone.
func (v *past) mayHave() (can []string, gap bool) {
	p := partiesOf(v.set, v.row.Call)
	for _, a := range [...]policy.Action{policy.Play, policy.Download, policy.Delete} {
		if decideSeen(v.set, v.subject, a, &p, true).Allowed {
			can = append(can, a.String())
		}
	}
	if p.gap {
		return nil, len(can) > 0
	}
	return can, false
}

// sought is a recording that somebody asks for, decided by one policy.
type sought struct {
	subject auth.Subject
	action  policy.Action
	given   string
	door    string

	rec     journal.Recording
	call    journal.Call
	row     *journal.Row // on which the subject sees it
	set     *policy.Set
	parties parties
	d       policy.Decision
}

// seek finds the recording that a subject knows by this id. What is not there, is another's or is deleted has one answer.
func (g *Gate) seek(ctx context.Context, s auth.Subject, ask *RecordingAsk, action policy.Action) (*sought, *Problem) {
	if g.archive == nil {
		return nil, noSuchRecording()
	}
	if !audit.IsReason(ask.Reason) {
		return nil, badReason()
	}
	r, p := g.reader(s)
	if p != nil {
		return nil, p
	}
	v, rec, err := r.recording(ctx, ask.ID)
	switch {
	case err != nil:
		return nil, AsProblem(err)
	case !rec.Deleted.IsZero():
		return nil, noSuchRecording()
	}
	return &sought{subject: s, action: action, given: ask.Reason, door: ask.Door, rec: *rec, call: *v.row.Call, row: v.row}, nil
}

// seekLink finds the recording of a link, on the row on which it was made: whoever does not see that any more has the recording no more.
func (g *Gate) seekLink(ctx context.Context, s auth.Subject, l *link, door string) (*sought, *Problem) {
	r, p := g.reader(s)
	if p != nil {
		return nil, p
	}
	v, err := r.at(ctx, journal.CursorAt(l.Began, l.Row))
	if err != nil {
		if p := AsProblem(err); p.Kind != NotFound {
			return nil, p
		}
		return nil, noSuchRecording()
	}
	for _, k := range v.ownRecordings() {
		if of := v.row.Call.Recordings[k]; of.ID == l.Recording && of.Deleted.IsZero() {
			return &sought{subject: s, action: policy.Play, given: l.Given, door: door, rec: of, call: *v.row.Call, row: v.row}, nil
		}
	}
	return nil, noSuchRecording()
}

// decideSought decides by the policy in force, by which the subject also still has to see the row. It asks nobody else.
func (g *Gate) decideSought(k *sought) *Problem {
	if !g.cfg.Holds(k.subject) || ended(k.subject) {
		return credentialEnded()
	}
	r, p := g.reader(k.subject)
	if p != nil {
		return p
	}
	k.set = r.set
	if v, ok := r.past(k.row); !ok || !v.inJournal() && !v.inHistory() {
		return noSuchRecording()
	}
	k.parties = partiesOf(k.set, &k.call)
	switch k.d = decidePast(k.set, r.subject, k.action, &k.parties, k.given != ""); {
	case k.d.Allowed:
		return nil
	case decideSeen(k.set, r.subject, k.action, &k.parties, k.given != "").Allowed:
		k.d = policy.Decision{} // and so the record says why, as the answer does
		return recordingGap()
	}
	return g.refusal(k.set, k.d, "")
}

func ended(s auth.Subject) bool { return !s.Expires().IsZero() && !time.Now().Before(s.Expires()) }

// askSecond asks the other authority about a file, where there is one.
func (g *Gate) askSecond(ctx context.Context, k *sought, at recording.Place) *Problem {
	if g.archive.Second == nil {
		return nil
	}
	yes, err := g.archive.Second.Allow(ctx, recording.Question{
		Employee: k.subject.Employee(), Action: k.action.String(), Place: at,
	})
	switch {
	case errors.Is(err, recording.ErrNoFile):
		return noSuchRecording()
	case errors.Is(err, recording.ErrDown):
		return recordingUnreadable(err)
	case err != nil:
		return secondSilent("", err)
	case !yes:
		return secondRefuses("")
	}
	return nil
}

// place is where its own file is.
func (k *sought) place() recording.Place {
	return recording.Place{Spool: k.rec.Spool, File: k.rec.File}
}

// entry is the record of a phase of it.
func (k *sought) entry(id string, phase audit.Phase) audit.Entry {
	e := audit.Entry{
		ID: id, Phase: phase, Subject: k.subject.Employee(), Credential: k.subject.Credential(), Action: k.action.String(),
		Employees: k.parties.all(), Door: k.door, Given: k.given, Detail: "recording:" + k.rec.ID,
	}
	if k.set != nil {
		e.Generation = k.set.Generation()
	}
	if len(k.parties.proven) > 0 {
		e.Targets = k.parties.proven[:1]
	}
	if phase == audit.Decided {
		e.Outcome, e.Reason = audit.Allow, k.d.Reason.String()
		if k.set != nil {
			if r := k.set.Rule(k.d.Rule); r.Line > 0 {
				e.Rule = audit.Rule{File: r.File, Line: r.Line}
			}
		}
	}
	return e
}

// refuseSought writes a refusal down and returns it.
func (g *Gate) refuseSought(k *sought, p *Problem) error {
	if p.Kind == NotFound {
		return p
	}
	id := newID()
	e := k.entry(id, audit.Decided)
	e.Outcome = audit.Deny
	if k.d.Allowed || k.d.Reason == policy.ReasonNoPolicy {
		e.Reason, e.Rule = p.Code, audit.Rule{} // what stood in the way was not the policy
	}
	p.ID = id
	g.met.decision(k.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	return p
}

// OpenRecording lets a subject play or download a recording, and records that. Range requests of one listening are one disclosure: what the same
// employee does with the same recording, by the same right and for the same reason, within Recordings.Once of the first time. Each is decided nevertheless.
func (g *Gate) OpenRecording(ctx context.Context, s auth.Subject, ask RecordingAsk) (*Playing, error) {
	k, p := g.seek(ctx, s, &ask, ask.action())
	if p != nil {
		return nil, p
	}
	return g.play(ctx, k)
}

func (g *Gate) play(ctx context.Context, k *sought) (*Playing, error) {
	deletions := g.archive.deletions.Load()
	p := g.decideSought(k)
	if p == nil && k.rec.Ended.IsZero() {
		p = recordingRuns("")
	}
	if p == nil {
		p = g.askSecond(ctx, k, k.place())
	}
	if p != nil {
		return nil, g.refuseSought(k, p)
	}
	f, err := g.archive.Spools.Open(k.rec.Spool, k.rec.File)
	if errors.Is(err, recording.ErrDown) {
		return nil, recordingUnreadable(err)
	}
	if err != nil {
		return nil, noSuchRecording()
	}
	id, err := g.disclose(k)
	if err != nil {
		return nil, errors.Join(notRecorded(err), f.Close())
	}
	return &Playing{gate: g, k: k, file: f, id: id, ctx: ctx, deletions: deletions, asked: time.Now()}, nil
}

// disclose records that a recording is handed out, once for all requests that are one listening.
func (g *Gate) disclose(k *sought) (id string, err error) {
	a, now := g.archive, time.Now()
	key := disclosed{k.subject.Employee(), k.rec.ID, k.given, k.door, k.action}
	a.mu.Lock()
	defer a.mu.Unlock()
	if d, ok := a.disclosures[key]; ok && now.Before(d.until) {
		return d.id, nil
	}
	id = newID()
	e := k.entry(id, audit.Decided)
	g.met.decision(k.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return "", err
	}
	if err := g.record(k.entry(id, audit.Disclosed)); err != nil {
		return "", err
	}
	for key, d := range a.disclosures {
		if !now.Before(d.until) {
			delete(a.disclosures, key)
		}
	}
	a.disclosures[key] = disclosure{id, now.Add(a.Once)}
	return id, nil
}
