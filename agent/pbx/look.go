package pbx

import (
	"context"
	"errors"
	"fmt"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// ErrGone means that the PBX has no such leg any more.
var ErrGone = errors.New("the PBX has no such channel")

// Look asks ARI in which dialplan application a leg is, and with what arguments; in none is the empty one. ErrGone says that there is no such leg.
func (l *Link) Look(ctx context.Context, leg call.LegID) (app, arguments string, err error) {
	c, err := l.rest.GetChannel(ctx, string(leg))
	if errors.Is(err, ari.ErrNotFound) {
		return "", "", fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		return "", "", err
	}
	return c.Dialplan.AppName, c.Dialplan.AppData, nil
}
