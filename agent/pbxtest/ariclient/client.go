// Package ariclient has ARI client libraries that others wrote do what a test asks of them.
package ariclient

import (
	"context"
	"fmt"

	"github.com/earshot-pbx/earshot/agent/pbxtest/library"
)

// Libraries are all. ari-client makes its methods of the description by Swagger that the server has, the other has them of its own.
var Libraries = []library.Library{
	{Name: "ari-client", Driver: "ari-client.js", Language: library.Node},
	{Name: "github.com/CyCoreSystems/ari/v5", Driver: "cycoresystems-ari", Language: library.Go},
}

// Client is one of them that runs. It is safe for concurrent use.
type Client struct{ *library.Process }

// Login is where a library logs in, as whom, and what its application is called.
type Login struct {
	URL               string // without the path /ari
	User, Secret, App string
}

// Connect has the library log in and open the events of everything; a *[library.Refused] is the answer no. It may be called once.
func (c *Client) Connect(ctx context.Context, l Login) error {
	return c.Process.Connect(ctx, map[string]any{"url": l.URL, "user": l.User, "secret": l.Secret, "app": l.App})
}

// Object is one of ARI's models, as the library hands it over.
type Object map[string]any

// At is what stands at a path of members, as text; empty where nothing does.
func (o Object) At(path ...string) string {
	var v any = map[string]any(o)
	for _, name := range path {
		inner, _ := v.(map[string]any)
		if v = inner[name]; v == nil {
			return ""
		}
	}
	return fmt.Sprint(v)
}

// Refusal is an operation that the library tells its caller has failed, in its words.
type Refusal struct{ What, Why string }

// Error gives the words.
func (r *Refusal) Error() string { return r.What + ": " + r.Why }

// Do has it carry out an operation, by the name that the drivers have for it; a *Refusal is an error of the library's.
func (c *Client) Do(ctx context.Context, what string, given map[string]string) (Object, error) {
	s, err := c.ask(ctx, what, given)
	return s.Fields, err
}

// Run has ari-client, which is connected to nothing, run what somebody has written with it.
func (c *Client) Run(ctx context.Context, code string) error {
	s, err := c.Ask(ctx, "run", "what is written", map[string]any{"code": code})
	if err == nil && !s.OK {
		err = &Refusal{"run", s.Why}
	}
	return err
}

// List has it list.
func (c *Client) List(ctx context.Context, what string) ([]Object, error) {
	s, err := c.ask(ctx, what, nil)
	all := make([]Object, len(s.Rows))
	for i := range s.Rows {
		all[i] = s.Rows[i]
	}
	return all, err
}

func (c *Client) ask(ctx context.Context, what string, given map[string]string) (library.Said, error) {
	s, err := c.Ask(ctx, "do", what, map[string]any{"what": what, "given": given})
	if err == nil && !s.OK {
		err = &Refusal{what, s.Why}
	}
	return s, err
}

// WaitEvent waits for an event that fits, among those that came since then and those that come.
func (c *Client) WaitEvent(ctx context.Context, since library.Seen, what string, fits func(Object) bool) (Object, error) {
	s, err := c.Wait(ctx, since, what, func(s *library.Said) bool { return s.Say == "event" && fits(s.Fields) })
	return s.Fields, err
}

// Events are those that came since then.
func (c *Client) Events(since library.Seen) []Object {
	var all []Object
	for _, s := range c.Said(since) {
		if s.Say == "event" {
			all = append(all, s.Fields)
		}
	}
	return all
}
