package pbx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
)

// Where in the include a value is written into the AstDB. Asterisk 22 takes DB for a function that is not for ARI and AMI, and AMI's DBPut needs the
// write class system, by which one may stop Asterisk; a leg of Earshot's in the dialplan needs neither.
const (
	SettingsContext = "earshot-settings"
	ExtenKeep       = "keep"

	FamilyVariable = "EARSHOT_FAMILY"
	KeyVariable    = "EARSHOT_KEY"
	ValueVariable  = "EARSHOT_VALUE" // empty to take out what is there
)

// keepTime is how long that may take.
const keepTime = 3 * time.Second

var errNotKept = errors.New("pbx: what is to be kept cannot stand in the AstDB")

// Lookup reads a value of the AstDB by AMI, whose write class reporting lets one; it is empty where there is none.
func (l *Link) Lookup(ctx context.Context, family, key string) (string, error) {
	if !isName(family, "-_") || !isName(key, "") {
		return "", errNotKept
	}
	c, err := l.manager()
	if err != nil {
		return "", err
	}
	rows, _, err := c.List(ctx, ami.NewAction("DBGet").Append("Family", family).Append("Key", key))
	if refused := (*ami.RefusedError)(nil); errors.As(err, &refused) && strings.Contains(refused.Message, "not found") {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return keptIn(rows)
}

// keptIn is the value that the rows of an answer have.
func keptIn(rows []*ami.Message) (string, error) {
	for _, row := range rows {
		if string(row.Event()) == "DBGetResponse" {
			return row.Get("Val"), nil
		}
	}
	return "", errors.New("pbx: the AstDB's answer has no value")
}

// Family reads all keys of one of the AstDB's families that Earshot could have written, with their values.
func (l *Link) Family(ctx context.Context, family string) (map[string]string, error) {
	if !isName(family, "-_") {
		return nil, errNotKept
	}
	c, err := l.manager()
	if err != nil {
		return nil, err
	}
	rows, _, err := c.List(ctx, ami.NewAction("DBGetTree").Append("Family", family))
	if err != nil {
		return nil, fmt.Errorf("list what is kept in the AstDB: %w", err)
	}
	return familyIn(rows, family), nil
}

// familyIn are the values by key that the rows of an answer have of a family.
func familyIn(rows []*ami.Message, family string) map[string]string {
	values := map[string]string{}
	for _, row := range rows {
		if key, ok := strings.CutPrefix(row.Get("Key"), "/"+family+"/"); ok && isName(key, "") && row.Irregular() == 0 {
			values[key] = row.Get("Val")
		}
	}
	return values
}

// keeps asks whether the include has the place where a value is written; ErrNoInclude says that it has not. There is no leg yet that could be asked, and
// AMI reads a function without one, by the write class reporting. Where Asterisk does not have that function, nothing can be told.
func (l *Link) keeps(ctx context.Context) error {
	c, err := l.manager()
	if err != nil {
		return err
	}
	got, err := c.Do(ctx, ami.NewAction("Getvar").Append("Variable", "DIALPLAN_EXISTS("+SettingsContext+","+ExtenKeep+",1)"))
	if err != nil {
		return fmt.Errorf("ask whether the dialplan has %s: %w", SettingsContext, err)
	}
	if got.Get("Value") == "0" {
		return fmt.Errorf("%w: %s", ErrNoInclude, SettingsContext)
	}
	return nil
}

// Keep writes a value into the AstDB; an empty one takes out what is there. It has been read again when Keep returns nil. The leg is named as one that
// ends by itself, by its suffix. ErrNoInclude says that nothing was done.
func (l *Link) Keep(ctx context.Context, leg call.LegID, family, key, value string) error {
	if !isName(family, "-_") || !isName(key, "") || value != "" && !isName(value, "+:") {
		return errNotKept
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := l.keeps(ctx); err != nil {
		return err
	}
	kept, done := l.expect(leg)
	defer done()
	_, err := l.rest.Originate(ctx, ari.OriginateRequest{
		Endpoint: "Local/" + ExtenKeep + "@" + SettingsContext + "/n", App: l.cfg.Application, ChannelID: string(leg), Timeout: keepTime,
		Variables: map[string]string{FamilyVariable: family, KeyVariable: key, ValueVariable: value, timeout: seconds(keepTime)},
	})
	if err != nil {
		return fmt.Errorf("have a setting kept; does the dialplan have %s? %w", SettingsContext, err)
	}
	select {
	case <-kept: // it is answered only once the value has been written
	case <-ctx.Done():
		return fmt.Errorf("wait for a setting to be kept; does the dialplan have %s? %w", SettingsContext, ctx.Err())
	}
	if err := l.Drop(context.WithoutCancel(ctx), "", leg); err != nil {
		return err
	}
	is, err := l.Lookup(ctx, family, key)
	if err == nil && is != value {
		err = errors.New("pbx: the AstDB does not have what was written to it")
	}
	return err
}

// Member is a phone that is a member of a queue.
type Member struct {
	Queue     string
	Interface string // by which the queue calls it: the endpoint, or a Local channel that leads there
	Paused    bool
}

// Memberships lists in which queues some endpoints are members, themselves or by a Local channel whose state is theirs, in a fixed order.
func (l *Link) Memberships(ctx context.Context, endpoints []string) ([]Member, error) {
	c, err := l.manager()
	if err != nil {
		return nil, err
	}
	rows, _, err := c.List(ctx, ami.NewAction("QueueStatus"))
	if err != nil {
		return nil, err
	}
	found, odd, err := membersOf(rows, endpoints)
	l.met.faults.Add(float64(odd))
	return found, err
}

// membersOf reads the rows of QueueStatus as readQueues does: an order is given by what they say, so what does not fit is not gone by.
func membersOf(rows []*ami.Message, endpoints []string) (found []Member, odd int, err error) {
	queues, odd, err := readQueues(rows, time.Time{})
	if err != nil {
		return nil, odd, err
	}
	for _, q := range queues {
		for _, m := range q.Members {
			if slices.ContainsFunc(endpoints, func(endpoint string) bool {
				return strings.EqualFold(m.Interface, endpoint) || strings.EqualFold(m.Device, endpoint)
			}) {
				found = append(found, Member{q.Name, m.Interface, m.Paused})
			}
		}
	}
	slices.SortFunc(found, func(a, b Member) int {
		return cmp.Or(strings.Compare(a.Queue, b.Queue), strings.Compare(a.Interface, b.Interface))
	})
	return found, odd, nil
}

// Pause has a queue call a member no more, or again, as Paused says.
func (l *Link) Pause(ctx context.Context, m Member) error {
	return l.QueuePause(ctx, QueueMember{Queue: m.Queue, Interface: m.Interface, Paused: m.Paused})
}
