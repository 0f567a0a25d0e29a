package pbx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/earshot-pbx/earshot/ami"
)

// Lookup reads a value of the AstDB; it is empty where there is none. ARI evaluates no function without a channel, so AMI's Getvar does, which
// needs the write class reporting.
func (l *Link) Lookup(ctx context.Context, family, key string) (string, error) {
	if !isName(family, "-_") || !isName(key, "") {
		return "", errNotKept
	}
	c, err := l.manager()
	if err != nil {
		return "", err
	}
	m, err := c.Do(ctx, ami.NewAction("Getvar").Append("Variable", "DB("+family+"/"+key+")"))
	if err != nil {
		return "", err
	}
	return m.Get("Value"), nil
}

var errNotKept = errors.New("pbx: what is to be kept cannot stand in the AstDB")

// Keep writes a value into the AstDB; an empty one takes out what is there. It is read again, since ARI does not say whether it was written.
func (l *Link) Keep(ctx context.Context, family, key, value string) error {
	if !isName(family, "-_") || !isName(key, "") || value != "" && !isName(value, "+*#") {
		return errNotKept
	}
	function := "DB"
	if value == "" {
		function = "DB_DELETE"
	}
	if err := l.rest.SetGlobal(ctx, function+"("+family+"/"+key+")", value); err != nil {
		return err
	}
	is, err := l.Lookup(ctx, family, key)
	if err != nil {
		return err
	}
	if is != value {
		return errors.New("pbx: the AstDB does not have what was written to it; is func_db loaded?")
	}
	return nil
}

// Member is a phone that is a member of a queue.
type Member struct {
	Queue     string
	Interface string // by which the queue calls it: the endpoint, or a Local channel that leads there
	Paused    bool
}

// Memberships lists in which queues some endpoints are members, themselves or by a Local channel whose state is theirs.
func (l *Link) Memberships(ctx context.Context, endpoints []string) ([]Member, error) {
	c, err := l.manager()
	if err != nil {
		return nil, err
	}
	rows, _, err := c.List(ctx, ami.NewAction("QueueStatus"))
	if err != nil {
		return nil, err
	}
	var found []Member
	for _, row := range rows {
		if string(row.Event()) != "QueueMember" {
			continue
		}
		location, state := row.Get("Location"), row.Get("StateInterface")
		for _, endpoint := range endpoints {
			if strings.EqualFold(location, endpoint) || strings.EqualFold(state, endpoint) {
				found = append(found, Member{row.Get("Queue"), location, row.Get("Paused") == "1"})
				break
			}
		}
	}
	return found, nil
}

// Pause has a queue call a member no more, or again, as Paused says.
func (l *Link) Pause(ctx context.Context, m Member) error {
	c, err := l.manager()
	if err != nil {
		return err
	}
	a := ami.NewAction("QueuePause").Append("Queue", m.Queue).Append("Interface", m.Interface).Append("Paused", fmt.Sprint(m.Paused))
	_, err = c.Do(ctx, a)
	return err
}
