package ari

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Direction says which way a channel's audio goes, seen from Asterisk: DirectionIn is what its phone says,
// DirectionOut what its phone hears.
type Direction string

// The directions. Mute and Unmute do not take DirectionNone.
const (
	DirectionNone Direction = "none"
	DirectionIn   Direction = "in"
	DirectionOut  Direction = "out"
	DirectionBoth Direction = "both"
)

// OriginateRequest asks for a new channel that rings an endpoint. Either App or Extension is needed.
type OriginateRequest struct {
	Endpoint string // "PJSIP/101"
	App      string // the Stasis application that the channel enters when it is answered
	AppArgs  string // comma-separated

	Context   string // or the place in the dialplan
	Extension string
	Priority  int
	Label     string

	CallerID  string // `"Name" <number>`
	ChannelID string // the unique id it shall have; Asterisk chooses one if it is empty
	OtherID   string // that of the second half of a Local channel
	// Timeout is how long it rings, in whole seconds, rounded up. Zero means Asterisk's 30 s, below zero no end.
	Timeout    time.Duration
	Originator string   // the channel on whose behalf; not together with Formats
	Formats    []string // the codecs offered
	// Variables are set on the channel before it rings. Functions such as TIMEOUT(absolute) are allowed.
	Variables map[string]string
}

// String says nothing but what it is: endpoint, caller id and variables may name people.
func (OriginateRequest) String() string { return "originate request" }

// GoString is String.
func (r OriginateRequest) GoString() string { return r.String() }

// ListChannels returns all channels of the PBX (GET /channels).
func (c *Client) ListChannels(ctx context.Context) ([]Channel, error) {
	const op = "list channels"
	text, err := c.do(ctx, request{op: op, method: http.MethodGet, path: []string{"channels"}, list: true})
	if err != nil {
		return nil, err
	}
	var list []Channel
	var d decoder
	err = d.list(text, leastElement, func(element string) error {
		list = append(list, Channel{})
		return list[len(list)-1].decode(element)
	})
	if err != nil {
		return nil, &RequestError{Op: op, Sent: true, Err: err}
	}
	return list, nil
}

// GetChannel returns the channel with a unique id (GET /channels/{id}); ErrNotFound if there is none.
func (c *Client) GetChannel(ctx context.Context, id string) (*Channel, error) {
	return c.channel(ctx, request{op: "get channel", method: http.MethodGet, path: []string{"channels", id}})
}

// Originate rings an endpoint (POST /channels) and returns the channel at once. ErrConflict means that ChannelID
// exists already.
func (c *Client) Originate(ctx context.Context, r OriginateRequest) (*Channel, error) {
	body := struct {
		Endpoint   string            `json:"endpoint"`
		App        string            `json:"app,omitempty"`
		AppArgs    string            `json:"appArgs,omitempty"`
		Context    string            `json:"context,omitempty"`
		Extension  string            `json:"extension,omitempty"`
		Priority   int               `json:"priority,omitempty"`
		Label      string            `json:"label,omitempty"`
		CallerID   string            `json:"callerId,omitempty"`
		ChannelID  string            `json:"channelId,omitempty"`
		OtherID    string            `json:"otherChannelId,omitempty"`
		Timeout    int               `json:"timeout,omitempty"`
		Originator string            `json:"originator,omitempty"`
		Formats    string            `json:"formats,omitempty"`
		Variables  map[string]string `json:"variables,omitempty"`
	}{
		Endpoint: r.Endpoint, App: r.App, AppArgs: r.AppArgs, Context: r.Context, Extension: r.Extension,
		Priority: r.Priority, Label: r.Label, CallerID: r.CallerID, ChannelID: r.ChannelID, OtherID: r.OtherID,
		Timeout: seconds(r.Timeout), Originator: r.Originator, Formats: strings.Join(r.Formats, ","),
		Variables: r.Variables,
	}
	return c.channel(ctx, request{op: "originate", method: http.MethodPost, path: []string{"channels"}, body: body})
}

// seconds rounds up; below zero is Asterisk's -1, no end.
func seconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int((d + time.Second - 1) / time.Second)
}

// Hangup ends a channel (DELETE /channels/{id}). The reason is "normal", "busy", "congestion", "no_answer", "timeout",
// "rejected", "unallocated", "normal_unspecified", "number_incomplete", "codec_mismatch", "interworking", "failure" or
// "answered_elsewhere"; empty means normal. Unlike most operations it takes a channel's name for an id as well.
func (c *Client) Hangup(ctx context.Context, id, reason string) error {
	var query url.Values
	if reason != "" {
		query = url.Values{"reason": {reason}}
	}
	return c.act(ctx, request{op: "hangup", method: http.MethodDelete, path: []string{"channels", id}, query: query})
}

// Answer answers a channel that is in a Stasis application (POST /channels/{id}/answer), like all operations below
// unless they say otherwise: ErrConflict means that it is in none, ErrInvalidState that it has been hung up.
func (c *Client) Answer(ctx context.Context, id string) error {
	return c.onChannel(ctx, "answer", http.MethodPost, id, "answer", nil)
}

// Ring lets the channel's phone hear ringing (POST /channels/{id}/ring).
func (c *Client) Ring(ctx context.Context, id string) error {
	return c.onChannel(ctx, "ring", http.MethodPost, id, "ring", nil)
}

// StopRing ends what Ring began (DELETE /channels/{id}/ring).
func (c *Client) StopRing(ctx context.Context, id string) error {
	return c.onChannel(ctx, "stop ring", http.MethodDelete, id, "ring", nil)
}

// Hold puts the channel's phone on hold (POST /channels/{id}/hold).
func (c *Client) Hold(ctx context.Context, id string) error {
	return c.onChannel(ctx, "hold", http.MethodPost, id, "hold", nil)
}

// Unhold ends what Hold began (DELETE /channels/{id}/hold).
func (c *Client) Unhold(ctx context.Context, id string) error {
	return c.onChannel(ctx, "unhold", http.MethodDelete, id, "hold", nil)
}

// Mute silences one direction or both (POST /channels/{id}/mute).
func (c *Client) Mute(ctx context.Context, id string, direction Direction) error {
	return c.onChannel(ctx, "mute", http.MethodPost, id, "mute", map[string]Direction{"direction": direction})
}

// Unmute ends what Mute began (DELETE /channels/{id}/mute).
func (c *Client) Unmute(ctx context.Context, id string, direction Direction) error {
	return c.act(ctx, request{
		op: "unmute", method: http.MethodDelete, path: []string{"channels", id, "mute"},
		query: url.Values{"direction": {string(direction)}},
	})
}

// DTMF is a row of keys to press.
type DTMF struct {
	Keys string // 0-9 * # A-D
	// Between, Duration, Before and After are in whole milliseconds; zero means Asterisk's 100 ms for the first two
	// and nothing for the others.
	Between, Duration, Before, After time.Duration
}

// SendDTMF lets the channel's phone hear keys (POST /channels/{id}/dtmf). It returns before they are played.
func (c *Client) SendDTMF(ctx context.Context, id string, keys DTMF) error {
	return c.onChannel(ctx, "send dtmf", http.MethodPost, id, "dtmf", struct {
		Keys     string `json:"dtmf"`
		Between  int64  `json:"between,omitempty"`
		Duration int64  `json:"duration,omitempty"`
		Before   int64  `json:"before,omitempty"`
		After    int64  `json:"after,omitempty"`
	}{keys.Keys, keys.Between.Milliseconds(), keys.Duration.Milliseconds(), keys.Before.Milliseconds(), keys.After.Milliseconds()})
}

// ContinueRequest says where in the dialplan a channel goes on. Zero fields mean where it came from.
type ContinueRequest struct {
	Context   string `json:"context,omitempty"`
	Extension string `json:"extension,omitempty"`
	Priority  int    `json:"priority,omitempty"`
	Label     string `json:"label,omitempty"`
}

// Continue lets a channel leave the application for the dialplan (POST /channels/{id}/continue).
func (c *Client) Continue(ctx context.Context, id string, to ContinueRequest) error {
	return c.onChannel(ctx, "continue", http.MethodPost, id, "continue", to)
}

// Variable reads a channel variable or function (GET /channels/{id}/variable), of any channel. ErrNotFound means that
// there is no such channel, or that the variable is not set.
func (c *Client) Variable(ctx context.Context, id, name string) (string, error) {
	var answer struct {
		Value string `json:"value"`
	}
	err := c.call(ctx, request{
		op: "get variable", method: http.MethodGet, path: []string{"channels", id, "variable"},
		query: url.Values{"variable": {name}},
	}, &answer)
	return answer.Value, err
}

// SetVariable sets a channel variable or writes a function (POST /channels/{id}/variable). The channel has to be in a
// Stasis application.
func (c *Client) SetVariable(ctx context.Context, id, name, value string) error {
	return c.onChannel(ctx, "set variable", http.MethodPost, id, "variable", map[string]string{"variable": name, "value": value})
}

// SnoopRequest asks for a channel that hears another one, speaks into it, or both.
type SnoopRequest struct {
	Channel string    // the unique id of the channel to snoop on; it need not be in an application
	SnoopID string    // the unique id of the new channel; Asterisk chooses one if it is empty
	Spy     Direction // what to hear: DirectionIn what its phone says, DirectionOut what its phone hears
	Whisper Direction // where to speak: DirectionOut into its phone, DirectionIn towards the other side
	App     string    // the Stasis application that the new channel enters
	AppArgs string
}

// Snoop makes a snoop channel (POST /channels/{id}/snoop) and returns it. Empty directions mean none; one is needed.
func (c *Client) Snoop(ctx context.Context, r SnoopRequest) (*Channel, error) {
	body := struct {
		Spy     Direction `json:"spy,omitempty"`
		Whisper Direction `json:"whisper,omitempty"`
		App     string    `json:"app"`
		AppArgs string    `json:"appArgs,omitempty"`
		SnoopID string    `json:"snoopId,omitempty"`
	}{r.Spy, r.Whisper, r.App, r.AppArgs, r.SnoopID}
	return c.channel(ctx, request{op: "snoop", method: http.MethodPost, path: []string{"channels", r.Channel, "snoop"}, body: body})
}

// channel performs r, whose answer is a channel.
func (c *Client) channel(ctx context.Context, r request) (*Channel, error) {
	text, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	channel := new(Channel)
	if err := channel.decode(text); err != nil {
		return nil, &RequestError{Op: r.op, Sent: true, Err: err}
	}
	return channel, nil
}

// onChannel performs an operation at /channels/{id}/{what}.
func (c *Client) onChannel(ctx context.Context, op, method, id, what string, body any) error {
	return c.act(ctx, request{op: op, method: method, path: []string{"channels", id, what}, body: body})
}
