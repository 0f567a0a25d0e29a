package gate

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// chunk is how much is read between two looks at whether it still may be.
const chunk = 32 << 10

// Playing is a recording that somebody plays or downloads. Each Read looks first whether he still may, and fails from then on when he may not:
// by the policy, his credential, the second authority, or because it was deleted. It is owned by one goroutine.
type Playing struct {
	gate *Gate
	k    *sought
	file *recording.File
	id   string
	ctx  context.Context // the request's

	deletions uint64
	asked     time.Time // when the second authority was
	lost      error
}

// secondEvery is how often the second authority is asked again while somebody listens. It remembers its answers, for as long as it is told to.
const secondEvery = time.Second

// MediaType is the recording's, by its name.
func (p *Playing) MediaType() string { return recording.MediaType(p.k.rec.File) }

// Name is one for the file that tells nothing but when it was made.
func (p *Playing) Name() string {
	at := p.k.rec.Began
	if at.IsZero() {
		at = p.k.call.Began
	}
	return "recording-" + at.UTC().Format("20060102-150405") + path.Ext(p.k.rec.File)
}

// Modified is when the file was written last, and Tag another word for another content (RFC 9110, section 8.8.3), without the quotes.
func (p *Playing) Modified() time.Time { return p.file.Info.ModTime() }

// Tag is a strong entity tag. It tells nothing of the file.
func (p *Playing) Tag() string {
	m := hmac.New(sha256.New, p.gate.archive.Key)
	_, _ = fmt.Fprintf(m, "tag %s %s %d %d", p.k.subject.Employee(), p.k.rec.ID, p.file.Info.Size(), p.file.Info.ModTime().UnixNano()) // a hash takes everything
	return hex.EncodeToString(m.Sum(nil)[:12])
}

// Read implements [io.Reader].
func (p *Playing) Read(b []byte) (int, error) {
	if err := p.still(); err != nil {
		return 0, err
	}
	return p.file.Read(b[:min(len(b), chunk)])
}

// Seek implements [io.Seeker].
func (p *Playing) Seek(offset int64, whence int) (int64, error) { return p.file.Seek(offset, whence) }

// Close closes the file.
func (p *Playing) Close() error { return p.file.Close() }

// Lost is why it may not be read on; nil as long as it may.
func (p *Playing) Lost() error { return p.lost }

// still looks whether it may be read on. What takes it away is recorded under the disclosure's id.
func (p *Playing) still() error {
	if p.lost != nil {
		return p.lost
	}
	g, k := p.gate, p.k
	var lost *Problem
	if g.policy.Load() != k.set || !g.cfg.Holds(k.subject) || ended(k.subject) {
		lost = g.decideSought(k)
	}
	if lost == nil && g.archive.Second != nil && time.Since(p.asked) >= secondEvery {
		lost, p.asked = g.askSecond(p.ctx, k, k.place()), time.Now()
	}
	if n := g.archive.deletions.Load(); lost == nil && n != p.deletions {
		p.deletions = n
		if r, err := g.archive.Book.Recording(p.ctx, k.rec.ID); err != nil || !r.Deleted.IsZero() {
			lost = noSuchRecording()
		}
	}
	if lost == nil {
		return nil
	}
	p.lost = lost
	if p.ctx.Err() != nil {
		return p.lost // he has gone himself
	}
	e := k.entry(p.id, audit.Revoked)
	e.Outcome, e.Reason = audit.Deny, lost.Code
	g.canonical(&e)
	_ = g.fact(e) // it is over either way; the metric has it
	g.archive.mu.Lock()
	delete(g.archive.disclosures, disclosed{k.subject.Employee(), k.rec.ID, k.given, k.door, k.action}) // should he get it back, that is another
	g.archive.mu.Unlock()
	return p.lost
}
