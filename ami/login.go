package ami

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// greet reads the greeting through the framed reader, so that it may come in any number of pieces and together with
// whatever follows it.
func (c *Client) greet(ctx context.Context) error {
	// The reader sets deadlines of its own before each read, so an expired context must close the connection.
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	greeting, err := c.reader.Greeting()
	if !stop() {
		return context.Cause(ctx)
	}
	c.greeting = greeting
	return err
}

// login proves the user. With the challenge the secret does not cross the wire.
func (c *Client) login(ctx context.Context) error {
	m := NewAction("Login").Append("Username", c.cfg.Username)
	if c.cfg.PlainLogin {
		m.Append("Secret", string(c.cfg.Secret))
	} else {
		answer, err := c.Do(ctx, NewAction("Challenge").Append("AuthType", "MD5"))
		if err != nil {
			return loginError(err)
		}
		challenge, ok := answer.Lookup("Challenge")
		if !ok {
			return fmt.Errorf("%w: no challenge in the answer", ErrAuth)
		}
		m.Append("AuthType", "MD5").Append("Key", string(challengeKey(string(challenge), c.cfg.Secret)))
	}
	m.Append("Events", c.cfg.Events)
	_, err := c.send(ctx, m, &call{login: true})
	return loginError(err)
}

func loginError(err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", ErrAuth, err)
	}
	if err != nil {
		return fmt.Errorf("ami: log in: %w", err)
	}
	return nil
}

// newIDPrefix makes the part of the action ids that nobody can guess: an event can carry any text that a caller or an
// application chose, also an ActionID and, with line breaks, an answer.
func newIDPrefix() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:]) + "-"
}
