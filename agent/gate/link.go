package gate

import (
	"context"
	"encoding/json"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// LinkPath is where links lead, before the word that they are.
const LinkPath = "/v1/recording-links/"

// link is what stands in a link, sealed: whose it is, by which credential he asked for it, and until when. It is a right of his to play one recording and
// of nobody else, but nobody has to prove to be him: a browser's audio element sends no token. So it is short-lived, it says and does nothing but
// play, each use of it is decided anew and is his in the record, and it ends with the credential that made it.
type link struct {
	Recording  string `json:"r"`
	Began      int64  `json:"b"` // and Row: the place of the row on which it was shown
	Row        int64  `json:"n"`
	Employee   string `json:"e"`
	Credential string `json:"c"`
	Given      string `json:"g,omitempty"`
	Expires    int64  `json:"x"`
}

// linker is who has made links.
type linker struct{ credential, employee string }

// linking is the subject himself, since a credential's name alone may not be enough to know him again (a JSON web token's is not).
type linking struct {
	subject auth.Subject
	until   time.Time
}

// maxLinkers is how many credentials are remembered that have made links; of those beyond it, Resume has to know.
const maxLinkers = 10000

// LinkRecording makes a link by which one recording can be played for a while. It is decided like playing, and is no disclosure yet.
func (g *Gate) LinkRecording(ctx context.Context, s auth.Subject, ask RecordingAsk) (mask.RecordingLink, error) {
	k, p := g.seek(ctx, s, &ask, policy.Play)
	if p != nil {
		return mask.RecordingLink{}, p
	}
	if p = g.decideSought(k); p == nil && k.rec.Ended.IsZero() {
		p = recordingRuns("")
	}
	if p == nil {
		p = g.askSecond(ctx, k, k.place())
	}
	if p != nil {
		return mask.RecordingLink{}, g.refuseSought(k, p)
	}
	a := g.archive
	now := time.Now()
	expires := now.Add(a.TTL).Truncate(time.Second)
	if e := s.Expires(); !e.IsZero() && e.Before(expires) {
		expires = e
	}
	began, n := k.row.At.Place()
	text, err := json.Marshal(link{k.rec.ID, began, n, s.Employee(), s.Credential(), k.given, expires.Unix()})
	if err != nil {
		return mask.RecordingLink{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for who, l := range a.linkers {
		if !now.Before(l.until) || len(a.linkers) >= maxLinkers {
			delete(a.linkers, who)
		}
	}
	a.linkers[linker{s.Credential(), s.Employee()}] = linking{s, now.Add(expires.Sub(now))} // a length of time, whatever becomes of the clock
	return mask.RecordingLink{URL: LinkPath + a.links.seal("", text), Expires: expires.UTC()}, nil
}

// OpenRecordingLink plays a recording by a link. Nobody has to prove to be whose link it is; who has proven to be somebody else (by, unless it is the
// zero value) is not played it. Admit is told whose it is, for the door's log and limits. A link that is over, forged, another's, of a row that its person
// may not see any more or of somebody whose credential has ended has the answer of a recording that is not there.
func (g *Gate) OpenRecordingLink(ctx context.Context, word, door string, by auth.Subject, admit func(auth.Subject) error) (*Playing, error) {
	if g.archive == nil {
		return nil, noSuchRecording()
	}
	s, l, ok := g.archive.linked(word)
	if !ok || !g.cfg.Holds(s) || by.Known() && by.Employee() != s.Employee() {
		return nil, noSuchRecording()
	}
	if err := admit(s); err != nil {
		return nil, err
	}
	k, p := g.seekLink(ctx, s, &l, door)
	if p != nil {
		return nil, p
	}
	return g.play(ctx, k)
}

func (a *archive) linked(word string) (s auth.Subject, l link, ok bool) {
	text, ok := a.links.open("", word)
	if !ok || json.Unmarshal(text, &l) != nil || time.Now().Unix() >= l.Expires {
		return s, l, false
	}
	a.mu.Lock()
	known, ok := a.linkers[linker{l.Credential, l.Employee}]
	a.mu.Unlock()
	if ok {
		return known.subject, l, time.Now().Before(known.until)
	}
	if a.Resume == nil {
		return s, l, false
	}
	s, ok = a.Resume(l.Credential, l.Employee)
	return s, l, ok
}
