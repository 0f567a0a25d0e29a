package ari

import (
	"context"
	"net/http"
)

// RTPStatistics are the counts of a channel's RTP (model RTPstat): of the phone at its end, not of whom it talks to.
type RTPStatistics struct {
	Sent         uint64 // packets that Asterisk has sent
	Received     uint64 // packets that Asterisk has had from the phone
	SentLost     uint64 // packets that the phone says it missed
	ReceivedLost uint64 // packets that Asterisk missed
}

// RTPStatistics reads what a channel's RTP has counted since its media began (GET /channels/{id}/rtp_statistics; Asterisk 16.9 and
// later). ErrNotFound means that there is no such channel, or that it has no RTP.
func (c *Client) RTPStatistics(ctx context.Context, id string) (RTPStatistics, error) {
	var a struct {
		Sent         uint64 `json:"txcount"`
		Received     uint64 `json:"rxcount"`
		SentLost     uint64 `json:"txploss"`
		ReceivedLost uint64 `json:"rxploss"`
	}
	err := c.call(ctx, request{op: "read RTP statistics", method: http.MethodGet, path: []string{"channels", id, "rtp_statistics"}}, &a)
	return RTPStatistics(a), err
}
