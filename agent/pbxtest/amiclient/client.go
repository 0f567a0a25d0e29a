// Package amiclient has AMI client libraries that others wrote do what a test asks of them.
package amiclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
)

// Libraries are all.
var Libraries = []library.Library{
	{Name: "asterisk-manager", Driver: "asterisk-manager.js", Language: library.Node},
	{Name: "asterisk-ami-client", Driver: "asterisk-ami-client.js", Language: library.Node},
	{Name: "yana", Driver: "yana.js", Language: library.Node},
	{Name: "panoramisk", Driver: "panoramisk.py", Language: library.Python, Debian: "python3-panoramisk"},
	{Name: "Telephony::Asterisk::AMI", Driver: "telephony-asterisk-ami.pl", Language: library.Perl, Debian: "libtelephony-asterisk-ami-perl"},
}

// Client is one of them that runs. It is safe for concurrent use.
type Client struct{ *library.Process }

// Fields are those of one message: by name in lower case, since some libraries give it so. Of one that came more than once, the values are
// joined by line feeds.
type Fields map[string]string

func fields(raw map[string]any) Fields {
	f := Fields{}
	for name, value := range raw {
		if list, ok := value.([]any); ok {
			texts := make([]string, len(list))
			for i := range list {
				texts[i] = fmt.Sprint(list[i])
			}
			value = strings.Join(texts, "\n")
		}
		f[strings.ToLower(name)] = fmt.Sprint(value)
	}
	return f
}

// Login is where a library logs in and as whom.
type Login struct {
	Addr, User, Secret string
	Again              bool // it connects again by itself when the connection is lost
}

// Connect has the library log in; a *[library.Refused] is the answer no. It may be called once.
func (c *Client) Connect(ctx context.Context, l Login) error {
	host, port, err := net.SplitHostPort(l.Addr)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	return c.Process.Connect(ctx, map[string]any{"host": host, "port": n, "user": l.User, "secret": l.Secret, "again": l.Again})
}

// Back waits until the library has lost its connection and is logged in again.
func (c *Client) Back(ctx context.Context, since library.Seen) error {
	if _, err := c.Wait(ctx, since, "the connection is lost", func(s *library.Said) bool { return s.Say == "out" }); err != nil {
		return err
	}
	lost := false
	_, err := c.Wait(ctx, since, "it is logged in again", func(s *library.Said) bool {
		lost = lost || s.Say == "out"
		return lost && s.Say == "in"
	})
	return err
}

// Answer is what came of an action.
type Answer struct {
	OK     bool // as the library tells its caller, or by the answer's Response where it does not judge
	Fields Fields
	Rows   []Fields // what belongs to it; of a list, without the event that ends it
}

// Message is the answer's own.
func (a *Answer) Message() string { return a.Fields["message"] }

// Do sends an action and waits for what the library hands over as its answer, with what else it may hand over with it.
func (c *Client) Do(ctx context.Context, action map[string]string) (Answer, error) {
	s, err := c.do(ctx, action)
	a := Answer{OK: s.OK, Fields: fields(s.Fields)}
	for _, raw := range s.Rows {
		a.Rows = append(a.Rows, fields(raw))
	}
	return a, err
}

func (c *Client) do(ctx context.Context, action map[string]string) (library.Said, error) {
	return c.Ask(ctx, "send", action["Action"], map[string]any{"action": action})
}

// List sends an action whose answer is a list and waits for all of it: the rows that the library hands over with the answer, or the events that
// have the answer's ActionID.
func (c *Client) List(ctx context.Context, action map[string]string) (Answer, error) {
	from := c.Seen()
	s, err := c.do(ctx, action)
	a := Answer{OK: s.OK, Fields: fields(s.Fields)}
	if err != nil || !a.OK {
		return a, err
	}
	take := func(raw map[string]any) (last bool) {
		row := fields(raw)
		if strings.EqualFold(row["eventlist"], "Complete") {
			return true
		}
		a.Rows = append(a.Rows, row)
		return false
	}
	for _, raw := range s.Rows {
		if take(raw) {
			return a, nil
		}
	}
	if a.Fields["actionid"] == "" {
		return a, errors.New("the answer to " + action["Action"] + " has no ActionID")
	}
	_, err = c.Wait(ctx, from, "the list of "+action["Action"]+" is complete", func(s *library.Said) bool {
		return s.Say == "event" && fields(s.Fields)["actionid"] == a.Fields["actionid"] && take(s.Fields)
	})
	return a, err
}

// WaitEvent waits for an event that fits, among those that came since then and those that come.
func (c *Client) WaitEvent(ctx context.Context, since library.Seen, what string, fits func(Fields) bool) (Fields, error) {
	s, err := c.Wait(ctx, since, what, func(s *library.Said) bool { return s.Say == "event" && fits(fields(s.Fields)) })
	return fields(s.Fields), err
}

// Events are those that came since then.
func (c *Client) Events(since library.Seen) []Fields {
	var all []Fields
	for _, s := range c.Said(since) {
		if s.Say == "event" {
			all = append(all, fields(s.Fields))
		}
	}
	return all
}
