package ari

import (
	"context"
	"net/http"
	"time"
)

// StartMOH plays music on hold to a channel (POST /channels/{id}/moh); an empty class is the default one.
func (c *Client) StartMOH(ctx context.Context, id, class string) error {
	return c.onChannel(ctx, "start moh", http.MethodPost, id, "moh", mohBody(class))
}

// StopMOH ends what StartMOH began (DELETE /channels/{id}/moh).
func (c *Client) StopMOH(ctx context.Context, id string) error {
	return c.onChannel(ctx, "stop moh", http.MethodDelete, id, "moh", nil)
}

// mohBody names a class of music on hold; nil for the default one.
func mohBody(class string) any {
	if class == "" {
		return nil
	}
	return map[string]string{"mohClass": class}
}

// StartSilence plays silence to a channel (POST /channels/{id}/silence), so that its phone has frames while nobody speaks.
func (c *Client) StartSilence(ctx context.Context, id string) error {
	return c.onChannel(ctx, "start silence", http.MethodPost, id, "silence", nil)
}

// StopSilence ends what StartSilence began (DELETE /channels/{id}/silence).
func (c *Client) StopSilence(ctx context.Context, id string) error {
	return c.onChannel(ctx, "stop silence", http.MethodDelete, id, "silence", nil)
}

// PlayRequest asks for media to be played, one after the other.
type PlayRequest struct {
	Media      []string // "sound:hello-world", "number:5", "tone:ring", "recording:name"
	Language   string
	PlaybackID string // Asterisk chooses one if it is empty
}

// Play queues media for a channel (POST /channels/{id}/play). How it goes on the Playback events tell.
func (c *Client) Play(ctx context.Context, id string, r PlayRequest) (*Playback, error) {
	return c.play(ctx, "play", "channels", id, r)
}

// play queues media at /{kind}/{id}/play.
func (c *Client) play(ctx context.Context, op, kind, id string, r PlayRequest) (*Playback, error) {
	body := struct {
		Media      []string `json:"media"`
		Language   string   `json:"lang,omitempty"`
		PlaybackID string   `json:"playbackId,omitempty"`
	}{r.Media, r.Language, r.PlaybackID}
	playback := new(Playback)
	err := c.call(ctx, request{op: op, method: http.MethodPost, path: []string{kind, id, "play"}, body: body}, playback)
	if err != nil {
		return nil, err
	}
	return playback, nil
}

// GetPlayback returns a playback that is queued or plays (GET /playbacks/{id}); ErrNotFound if it has ended.
func (c *Client) GetPlayback(ctx context.Context, id string) (*Playback, error) {
	playback := new(Playback)
	if err := c.call(ctx, request{op: "get playback", method: http.MethodGet, path: []string{"playbacks", id}}, playback); err != nil {
		return nil, err
	}
	return playback, nil
}

// StopPlayback ends a playback (DELETE /playbacks/{id}); ErrNotFound if it has ended already. What cannot be controlled, such as digits, is not
// stopped either once it plays: an answer 500.
func (c *Client) StopPlayback(ctx context.Context, id string) error {
	return c.act(ctx, request{op: "stop playback", method: http.MethodDelete, path: []string{"playbacks", id}})
}

// ControlPlayback does to a playback one of "restart", "pause", "unpause", "reverse" and "forward" (POST /playbacks/{id}/control). ErrNotFound means
// that it has ended, ErrConflict that it does not play just now, 500 that what plays cannot be controlled.
func (c *Client) ControlPlayback(ctx context.Context, id, operation string) error {
	return c.act(ctx, request{
		op: "control playback", method: http.MethodPost, path: []string{"playbacks", id, "control"}, body: map[string]string{"operation": operation},
	})
}

// RecordRequest asks for a recording of what a channel's phone says.
type RecordRequest struct {
	Name   string // the file's name below Asterisk's recording folder, without an ending
	Format string // "wav", "ulaw", …
	// MaxDuration and MaxSilence end the recording; whole seconds, rounded up, zero for never.
	MaxDuration time.Duration
	MaxSilence  time.Duration
	IfExists    string // "fail" (also when empty), "overwrite", "append"
	Beep        bool
	TerminateOn string // a key that ends it: "none" (also when empty), "any", "*", "#"
}

// Record begins to record a channel (POST /channels/{id}/record). ErrConflict means that the name exists, or that the
// channel is in a bridge.
func (c *Client) Record(ctx context.Context, id string, r RecordRequest) (*LiveRecording, error) {
	body := struct {
		Name        string `json:"name"`
		Format      string `json:"format"`
		MaxDuration int    `json:"maxDurationSeconds,omitempty"`
		MaxSilence  int    `json:"maxSilenceSeconds,omitempty"`
		IfExists    string `json:"ifExists,omitempty"`
		Beep        bool   `json:"beep,omitempty"`
		TerminateOn string `json:"terminateOn,omitempty"`
	}{r.Name, r.Format, max(0, seconds(r.MaxDuration)), max(0, seconds(r.MaxSilence)), r.IfExists, r.Beep, r.TerminateOn}
	recording := new(LiveRecording)
	err := c.call(ctx, request{op: "record", method: http.MethodPost, path: []string{"channels", id, "record"}, body: body}, recording)
	if err != nil {
		return nil, err
	}
	return recording, nil
}

// LiveRecording returns a recording that is being made (GET /recordings/live/{name}); ErrNotFound when there is none by that name, or it is over.
func (c *Client) LiveRecording(ctx context.Context, name string) (*LiveRecording, error) {
	recording := new(LiveRecording)
	if err := c.call(ctx, request{op: "live recording", method: http.MethodGet, path: []string{"recordings", "live", name}}, recording); err != nil {
		return nil, err
	}
	return recording, nil
}

// StopRecording ends a recording and keeps it (POST /recordings/live/{name}/stop).
func (c *Client) StopRecording(ctx context.Context, name string) error {
	return c.act(ctx, request{op: "stop recording", method: http.MethodPost, path: []string{"recordings", "live", name, "stop"}})
}

// PauseRecording has a recording leave out what is said from now on (POST /recordings/live/{name}/pause).
func (c *Client) PauseRecording(ctx context.Context, name string) error {
	return c.act(ctx, request{op: "pause recording", method: http.MethodPost, path: []string{"recordings", "live", name, "pause"}})
}

// UnpauseRecording has a paused recording go on (DELETE /recordings/live/{name}/pause).
func (c *Client) UnpauseRecording(ctx context.Context, name string) error {
	return c.act(ctx, request{op: "unpause recording", method: http.MethodDelete, path: []string{"recordings", "live", name, "pause"}})
}
