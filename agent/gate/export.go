package gate

import (
	"context"
	"strings"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// exportPage is how many rows of an export are in memory at a time.
const exportPage = 200

// Export is the journal as a whole, as far as a filter wants it, page by page. It is for one goroutine.
type Export struct {
	gate    *Gate
	subject auth.Subject
	ask     JournalAsk
	first   []mask.JournalRow
	over    bool
}

// Export begins to hand out everything that Journal would, page after page. It is recorded, once and before the first row is given out: as disclosed,
// with the kinds of the filters and whose rows were asked for, and no number. What cannot be recorded is not handed out.
func (g *Gate) Export(ctx context.Context, s auth.Subject, ask JournalAsk, door string) (*Export, error) {
	ask.Limit, ask.Cursor = exportPage, ""
	x := &Export{gate: g, subject: s, ask: ask}
	err := x.read(ctx)
	if err == nil {
		e := audit.Entry{
			ID: newID(), Phase: audit.Disclosed, Subject: s.Employee(), Credential: s.Credential(), Action: policy.Journal.String(),
			Generation: g.policy.Load().Generation(), Door: door, Detail: ask.kinds(),
		}
		if ask.Employee != "" {
			e.Targets = []string{ask.Employee}
		}
		if failed := g.record(e); failed != nil {
			err = notRecorded(failed)
		}
	}
	g.met.read("export", err)
	if err != nil {
		return nil, err
	}
	return x, nil
}

// kinds are the filters that were used, without what was looked for.
func (ask *JournalAsk) kinds() string {
	kinds := []string{"export"}
	for _, k := range [...]struct {
		name string
		used bool
	}{
		{"employee", ask.Employee != ""}, {"department", ask.Department != ""}, {"line", ask.Line != ""}, {"from", !ask.From.IsZero()}, {"to", !ask.To.IsZero()},
		{"direction", ask.Direction != ""}, {"outcome", ask.Outcome != ""}, {"number", ask.Number != ""},
	} {
		if k.used {
			kinds = append(kinds, k.name)
		}
	}
	return strings.Join(kinds, "+")
}

func (x *Export) read(ctx context.Context) error {
	r, p := x.gate.reader(x.subject) // by the policy in force: one that is put in force meanwhile counts from here on
	if p != nil {
		return p
	}
	page, _, err := r.page(ctx, x.ask)
	x.first, x.ask.Cursor = page.Rows, page.Next
	return err
}

// Next returns the next rows; none and nil when there are no more.
func (x *Export) Next(ctx context.Context) ([]mask.JournalRow, error) {
	for !x.over {
		rows := x.first
		x.first = nil
		if len(rows) > 0 {
			return rows, nil
		}
		if x.over = x.ask.Cursor == ""; x.over {
			break
		}
		if !x.gate.cfg.Holds(x.subject) {
			return nil, credentialEnded()
		}
		if err := x.read(ctx); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
