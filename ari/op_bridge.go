package ari

import (
	"context"
	"net/http"
)

// BridgeRequest asks for a bridge.
type BridgeRequest struct {
	ID   string `json:"bridgeId,omitempty"` // Asterisk chooses one if it is empty
	Type string `json:"type,omitempty"`     // BridgeMixing (also when empty), or several with commas
	Name string `json:"name,omitempty"`
}

// AddOptions say how channels join a bridge.
type AddOptions struct {
	Role       string // "participant" (also when empty), "announcer"
	Mute       bool   // nobody in the bridge hears them until Unmute
	AbsorbDTMF bool   // their keys do not reach the others
}

// ListBridges returns all bridges of the PBX (GET /bridges).
func (c *Client) ListBridges(ctx context.Context) ([]Bridge, error) {
	const op = "list bridges"
	text, err := c.do(ctx, request{op: op, method: http.MethodGet, path: []string{"bridges"}, list: true})
	if err != nil {
		return nil, err
	}
	var list []Bridge
	var d decoder
	err = d.list(text, leastElement, func(element string) error {
		list = append(list, Bridge{})
		return list[len(list)-1].decode(element)
	})
	if err != nil {
		return nil, &RequestError{Op: op, Sent: true, Err: err}
	}
	return list, nil
}

// GetBridge returns one bridge (GET /bridges/{id}); ErrNotFound if there is none.
func (c *Client) GetBridge(ctx context.Context, id string) (*Bridge, error) {
	return c.bridge(ctx, request{op: "get bridge", method: http.MethodGet, path: []string{"bridges", id}})
}

// CreateBridge makes a bridge (POST /bridges). Before Asterisk 22 an ID that exists gives the bridge that has it.
func (c *Client) CreateBridge(ctx context.Context, r BridgeRequest) (*Bridge, error) {
	return c.bridge(ctx, request{op: "create bridge", method: http.MethodPost, path: []string{"bridges"}, body: r})
}

// DestroyBridge ends a bridge (DELETE /bridges/{id}); channels in it stay in their application.
func (c *Client) DestroyBridge(ctx context.Context, id string) error {
	return c.act(ctx, request{op: "destroy bridge", method: http.MethodDelete, path: []string{"bridges", id}})
}

// AddChannel lets channels join a bridge (POST /bridges/{id}/addChannel). All of them and the bridge have to be in a
// Stasis application: ErrUnprocessable for a channel that is in none, ErrConflict for the bridge, ErrBadRequest for a
// channel that does not exist.
func (c *Client) AddChannel(ctx context.Context, bridgeID string, channelIDs []string, options AddOptions) error {
	body := struct {
		Channels   []string `json:"channel"`
		Role       string   `json:"role,omitempty"`
		Mute       bool     `json:"mute,omitempty"`
		AbsorbDTMF bool     `json:"absorbDTMF,omitempty"`
	}{channelIDs, options.Role, options.Mute, options.AbsorbDTMF}
	return c.act(ctx, request{op: "add channel", method: http.MethodPost, path: []string{"bridges", bridgeID, "addChannel"}, body: body})
}

// RemoveChannel lets channels leave a bridge (POST /bridges/{id}/removeChannel); they stay in their application.
// ErrUnprocessable means that one is not in this bridge.
func (c *Client) RemoveChannel(ctx context.Context, bridgeID string, channelIDs ...string) error {
	return c.act(ctx, request{
		op: "remove channel", method: http.MethodPost, path: []string{"bridges", bridgeID, "removeChannel"},
		body: map[string][]string{"channel": channelIDs},
	})
}

// StartBridgeMOH plays music on hold to all in a bridge (POST /bridges/{id}/moh); an empty class is the default one.
func (c *Client) StartBridgeMOH(ctx context.Context, id, class string) error {
	return c.onBridge(ctx, "start bridge moh", http.MethodPost, id, "moh", mohBody(class))
}

// StopBridgeMOH ends what StartBridgeMOH began (DELETE /bridges/{id}/moh). ErrConflict means that there was none.
func (c *Client) StopBridgeMOH(ctx context.Context, id string) error {
	return c.onBridge(ctx, "stop bridge moh", http.MethodDelete, id, "moh", nil)
}

// PlayOnBridge queues media for all in a bridge (POST /bridges/{id}/play). How it goes on the Playback events tell.
func (c *Client) PlayOnBridge(ctx context.Context, id string, r PlayRequest) (*Playback, error) {
	return c.play(ctx, "play on bridge", "bridges", id, r)
}

// onBridge performs an operation at /bridges/{id}/{what}.
func (c *Client) onBridge(ctx context.Context, op, method, id, what string, body any) error {
	return c.act(ctx, request{op: op, method: method, path: []string{"bridges", id, what}, body: body})
}

// bridge performs r, whose answer is a bridge.
func (c *Client) bridge(ctx context.Context, r request) (*Bridge, error) {
	text, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	bridge := new(Bridge)
	if err := bridge.decode(text); err != nil {
		return nil, &RequestError{Op: r.op, Sent: true, Err: err}
	}
	return bridge, nil
}
