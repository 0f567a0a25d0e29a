package gate

import (
	"context"
	"errors"
	"strconv"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/clients"
)

// Intake is where a CRM's word about clients goes; clients.Sources is the real one.
type Intake interface {
	// Pushed is the source that a CRM fills; nil when there is none.
	Pushed() *clients.Pushed
	// Hook takes a system's word that clients have changed; clients.ErrToken and clients.ErrNoSource mean that it is not to be believed.
	Hook(ctx context.Context, source, contentType string, body []byte) error
}

// MaxClients is how many clients a CRM may put at a time, and how many numbers it may name to delete.
const MaxClients = clients.MaxBatch

// maxBadEntries is how many entries are told of that cannot be taken.
const maxBadEntries = 100

// CRM is a CRM that has proven itself. The zero value is nobody, who may nothing.
type CRM struct{ pushed *clients.Pushed }

// Known reports whether it is one.
func (c CRM) Known() bool { return c.pushed != nil }

// Name is its source's in the configuration; empty for nobody.
func (c CRM) Name() string {
	if c.pushed == nil {
		return ""
	}
	return c.pushed.Name()
}

// Client is a client as a CRM tells him.
type Client struct {
	Number      string   `json:"number" doc:"His number: with a plus and the country's code, as one dials it in the directory's region, or a short internal one. One client has it"`
	Name        string   `json:"name" doc:"What he is called; 1 to 256 bytes, printable"`
	Responsible string   `json:"responsible,omitempty" doc:"Id of the employee who is responsible, as in the policy; left out, nobody is"`
	Access      []string `json:"access,omitempty" nullable:"false" maxItems:"100" doc:"Ids of others who have access to him"`
}

// ClientsPut is what came of putting clients.
type ClientsPut struct {
	Added     int `json:"added" doc:"Clients that were not there before"`
	Changed   int `json:"changed" doc:"Clients that were there with something else about them"`
	Unchanged int `json:"unchanged" doc:"Clients that were there just so"`
	Total     int `json:"total" doc:"Clients that are there now, of those that were pushed"`
}

// ClientsDeleted is what came of deleting clients.
type ClientsDeleted struct {
	Deleted int `json:"deleted" doc:"Clients that are gone now"`
	Absent  int `json:"absent" doc:"Numbers of which there was no client"`
	Total   int `json:"total" doc:"Clients that are there still, of those that were pushed"`
}

// BadEntries is the Problem of a list in which there are entries that cannot be taken. Nothing was changed.
type BadEntries struct {
	*Problem
	Entries []BadEntry // the first of them
}

// Unwrap gives the Problem.
func (b *BadEntries) Unwrap() error { return b.Problem }

// BadEntry is one of them.
type BadEntry struct {
	Index int    `json:"index" doc:"Its place in the list, from 0"`
	Text  string `json:"detail" doc:"What is wrong with it and what to do about it, in a fixed sentence"`
}

// The actions of a CRM as the record has them, and why they are permitted: the token proves the one who may.
const (
	actionPut    = "clients.put"
	actionDelete = "clients.delete"
	reasonCRM    = "crm_token"
)

// TakesClients reports whether there is a source that a CRM may fill.
func (g *Gate) TakesClients() bool { return g.cfg.Intake != nil && g.cfg.Intake.Pushed() != nil }

// ProveCRM returns the CRM whose token this is; nobody when it is none.
func (g *Gate) ProveCRM(token string) CRM {
	if !g.TakesClients() || !g.cfg.Intake.Pushed().Trusts(token) {
		return CRM{}
	}
	return CRM{g.cfg.Intake.Pushed()}
}

// PutClients puts clients into the directory, each in the place of the one that has his number, all or none. When it returns nil they
// are on the disk, and live calls are decided by them. The error is a *BadEntries, or another Problem.
func (g *Gate) PutClients(ctx context.Context, c CRM, list []Client, door string) (ClientsPut, error) {
	if !c.Known() {
		return ClientsPut{}, refusedCRM()
	}
	all := make([]clients.Client, len(list))
	for i := range list {
		all[i] = clients.Client(list[i])
	}
	change, err := c.pushed.Putting(all)
	if err != nil {
		return ClientsPut{}, badEntries(err)
	}
	n, err := g.change(ctx, c, change, actionPut, len(list), door)
	return ClientsPut{Added: n.Added, Changed: n.Changed, Unchanged: n.Unchanged, Total: n.Total}, err
}

// DeleteClients deletes the clients with these numbers, all or none. For the rest it is as PutClients.
func (g *Gate) DeleteClients(ctx context.Context, c CRM, numbers []string, door string) (ClientsDeleted, error) {
	if !c.Known() {
		return ClientsDeleted{}, refusedCRM()
	}
	change, err := c.pushed.Deleting(numbers)
	if err != nil {
		return ClientsDeleted{}, badEntries(err)
	}
	n, err := g.change(ctx, c, change, actionDelete, len(numbers), door)
	return ClientsDeleted{Deleted: n.Deleted, Absent: n.Unchanged, Total: n.Total}, err
}

// change carries out what a CRM wants changed, after it is on record: whose client somebody is says who may take his call.
func (g *Gate) change(ctx context.Context, c CRM, change clients.Change, action string, entries int, door string) (clients.Counts, error) {
	e := audit.Entry{
		ID: newID(), Phase: audit.Decided, Credential: "crm:" + c.Name(), Action: action, Outcome: audit.Allow, Reason: reasonCRM,
		Generation: g.Policy().Generation(), Door: door, Detail: "n:" + strconv.Itoa(entries),
	}
	g.met.decisions.WithLabelValues(action, string(e.Outcome), e.Reason).Inc()
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return clients.Counts{}, notRecorded(err)
	}
	n, err := change.Do(ctx)
	e.Phase, e.Outcome, e.Reason = audit.Done, "", ""
	var p *Problem
	if err != nil {
		p = notChanged(e.ID, err)
		e.Phase, e.Reason = audit.Failed, p.Code
	}
	if rec := g.fact(e); rec != nil {
		g.log.Error().Err(rec).Str("id", e.ID).Msg("what came of a decision was not recorded")
	}
	if p != nil {
		return clients.Counts{}, p
	}
	return n, nil
}

// ErrUnproven means that a webhook is not to be believed: its token is not the source's, or there is no such source. Nothing was done.
var ErrUnproven = errors.New("gate: the webhook proves nothing")

// HookToken is the token that a webhook's body presents, whoever it is for; false when it cannot be read.
func (g *Gate) HookToken(contentType string, body []byte) (string, bool) {
	token, err := clients.HookToken(contentType, body)
	return token, err == nil
}

// Hook takes a system's word that clients have changed, after which the system is asked again. The error is ErrUnproven or a Problem.
func (g *Gate) Hook(ctx context.Context, source, contentType string, body []byte) error {
	if g.cfg.Intake == nil {
		return ErrUnproven
	}
	err := g.cfg.Intake.Hook(ctx, source, contentType, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, clients.ErrToken), errors.Is(err, clients.ErrNoSource), errors.Is(err, clients.ErrWebhook):
		return ErrUnproven
	default:
		return &Problem{Kind: Unavailable, Code: "not_told", Text: "It is forgotten here, and other Earshots could not be told; send it again shortly.", cause: err}
	}
}

func refusedCRM() *Problem {
	return &Problem{Kind: Refused, Code: "unknown_crm", Text: "Only the CRM of the configuration may change clients."}
}

// badEntries tells what is wrong with each entry. The sentences are the directory's own, and hold nothing of what was sent.
func badEntries(err error) error {
	list := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		list = joined.Unwrap()
	}
	b := &BadEntries{Problem: &Problem{
		Kind: Invalid, Code: "bad_entries", Text: "Entries of the list cannot be taken, so nothing was changed; errors has the places, from 0, of the first of them, and why.",
	}}
	for _, err := range list[:min(len(list), maxBadEntries)] {
		var entry *clients.EntryError
		if !errors.As(err, &entry) {
			return AsProblem(err)
		}
		b.Entries = append(b.Entries, BadEntry{entry.Index, entry.Message})
	}
	return b
}

func notChanged(id string, err error) *Problem {
	switch {
	case errors.Is(err, clients.ErrFull):
		return &Problem{Kind: Conflict, Code: "clients_full", ID: id, Text: "There is no room for so many clients, and nothing was changed; delete some, or have the administrator raise max."}
	case errors.Is(err, clients.ErrDisk):
		return &Problem{Kind: Unavailable, Code: "clients_not_written", ID: id, Text: "The clients could not be written to the disk, and nothing was changed; try again shortly.", cause: err}
	default: // whoever asked has gone
		return &Problem{Kind: Unavailable, Code: "called_off", ID: id, Text: "It was called off before anything was changed."}
	}
}
