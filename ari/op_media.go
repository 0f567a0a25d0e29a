package ari

import (
	"context"
	"net/http"
	"time"
)

// StartMOH plays music on hold to a channel (POST /channels/{id}/moh); an empty class is the default one.
func (c *Client) StartMOH(ctx context.Context, id, class string) error {
	var body any
	if class != "" {
		body = map[string]string{"mohClass": class}
	}
	return c.onChannel(ctx, "start moh", http.MethodPost, id, "moh", body)
}

// StopMOH ends what StartMOH began (DELETE /channels/{id}/moh).
func (c *Client) StopMOH(ctx context.Context, id string) error {
	return c.onChannel(ctx, "stop moh", http.MethodDelete, id, "moh", nil)
}

// PlayRequest asks for media to be played, one after the other.
type PlayRequest struct {
	Media      []string // "sound:hello-world", "number:5", "tone:ring", "recording:name"
	Language   string
	PlaybackID string // Asterisk chooses one if it is empty
}

// Play queues media for a channel (POST /channels/{id}/play). How it goes on the Playback events tell.
func (c *Client) Play(ctx context.Context, id string, r PlayRequest) (*Playback, error) {
	body := struct {
		Media      []string `json:"media"`
		Language   string   `json:"lang,omitempty"`
		PlaybackID string   `json:"playbackId,omitempty"`
	}{r.Media, r.Language, r.PlaybackID}
	playback := new(Playback)
	err := c.call(ctx, request{op: "play", method: http.MethodPost, path: []string{"channels", id, "play"}, body: body}, playback)
	if err != nil {
		return nil, err
	}
	return playback, nil
}

// StopPlayback ends a playback (DELETE /playbacks/{id}); ErrNotFound if it has ended already.
func (c *Client) StopPlayback(ctx context.Context, id string) error {
	return c.act(ctx, request{op: "stop playback", method: http.MethodDelete, path: []string{"playbacks", id}})
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
