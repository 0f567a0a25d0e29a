package ari

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Info is what Asterisk tells about itself (model AsteriskInfo).
type Info struct {
	Version         string // "22.10.1~dfsg-1"
	EntityID        string
	Name            string // the configured name of the system
	DefaultLanguage string
	StartupTime     time.Time // UTC; another one means that Asterisk has been restarted
	LastReloadTime  time.Time // UTC
}

// Info asks Asterisk about itself (GET /asterisk/info).
func (c *Client) Info(ctx context.Context) (*Info, error) {
	var answer struct {
		System struct {
			Version  string `json:"version"`
			EntityID string `json:"entity_id"`
		} `json:"system"`
		Config struct {
			Name            string `json:"name"`
			DefaultLanguage string `json:"default_language"`
		} `json:"config"`
		Status struct {
			StartupTime    string `json:"startup_time"`
			LastReloadTime string `json:"last_reload_time"`
		} `json:"status"`
	}
	err := c.call(ctx, request{op: "info", method: http.MethodGet, path: []string{"asterisk", "info"}}, &answer)
	if err != nil {
		return nil, err
	}
	return &Info{
		Version:         answer.System.Version,
		EntityID:        answer.System.EntityID,
		Name:            answer.Config.Name,
		DefaultLanguage: answer.Config.DefaultLanguage,
		StartupTime:     parseTime(answer.Status.StartupTime),
		LastReloadTime:  parseTime(answer.Status.LastReloadTime),
	}, nil
}

// ListEndpoints returns all endpoints (GET /endpoints).
func (c *Client) ListEndpoints(ctx context.Context) ([]Endpoint, error) {
	return listOf[Endpoint](ctx, c, request{op: "list endpoints", method: http.MethodGet, path: []string{"endpoints"}}, leastEndpoint)
}

// GetEndpoint returns one endpoint, such as "PJSIP", "101" (GET /endpoints/{tech}/{resource}).
func (c *Client) GetEndpoint(ctx context.Context, technology, resource string) (*Endpoint, error) {
	endpoint := new(Endpoint)
	err := c.call(ctx, request{op: "get endpoint", method: http.MethodGet, path: []string{"endpoints", technology, resource}}, endpoint)
	if err != nil {
		return nil, err
	}
	return endpoint, nil
}

// ListDeviceStates returns the states of the devices that ARI controls, those named "Stasis:…" (GET /deviceStates).
func (c *Client) ListDeviceStates(ctx context.Context) ([]DeviceState, error) {
	return listOf[DeviceState](ctx, c, request{op: "list device states", method: http.MethodGet, path: []string{"deviceStates"}}, leastDeviceState)
}

// GetDeviceState returns the state of any device, such as "PJSIP/101" (GET /deviceStates/{name}).
func (c *Client) GetDeviceState(ctx context.Context, name string) (*DeviceState, error) {
	state := new(DeviceState)
	err := c.call(ctx, request{op: "get device state", method: http.MethodGet, path: []string{"deviceStates", name}}, state)
	if err != nil {
		return nil, err
	}
	return state, nil
}

// Application is a Stasis application and what it is subscribed to (model Application).
type Application struct {
	Name             string        `json:"name"`
	ChannelIDs       []string      `json:"channel_ids"`
	BridgeIDs        []string      `json:"bridge_ids"`
	EndpointIDs      []string      `json:"endpoint_ids"`
	DeviceNames      []string      `json:"device_names"`
	EventsAllowed    []EventFilter `json:"events_allowed"`
	EventsDisallowed []EventFilter `json:"events_disallowed"`
}

// EventFilter names one type of events.
type EventFilter struct {
	Type string `json:"type"`
}

// ListApplications returns the applications that are connected now (GET /applications).
func (c *Client) ListApplications(ctx context.Context) ([]Application, error) {
	return listOf[Application](ctx, c, request{op: "list applications", method: http.MethodGet, path: []string{"applications"}}, leastApplication)
}

// GetApplication returns one application (GET /applications/{name}); ErrNotFound if it is not connected.
func (c *Client) GetApplication(ctx context.Context, name string) (*Application, error) {
	return c.application(ctx, request{op: "get application", method: http.MethodGet, path: []string{"applications", name}})
}

// SetEventFilter keeps Asterisk from sending an application events of the given types
// (PUT /applications/{name}/eventFilter); no types takes an earlier filter away. The filter ends with the connection:
// ListenOptions.Disallow sets it anew each time.
func (c *Client) SetEventFilter(ctx context.Context, app string, disallowed ...string) error {
	filters := make([]EventFilter, len(disallowed))
	for i, t := range disallowed {
		filters[i].Type = t
	}
	return c.act(ctx, request{
		op: "set event filter", method: http.MethodPut, path: []string{"applications", app, "eventFilter"},
		body: map[string][]EventFilter{"disallowed": filters},
	})
}

// Subscribe adds event sources to an application (POST /applications/{name}/subscription): "channel:ID", "bridge:ID",
// "endpoint:PJSIP/101", "deviceState:NAME". ErrUnprocessable means that one does not exist.
func (c *Client) Subscribe(ctx context.Context, app string, sources ...string) (*Application, error) {
	return c.application(ctx, request{
		op: "subscribe", method: http.MethodPost, path: []string{"applications", app, "subscription"},
		body: map[string][]string{"eventSource": sources},
	})
}

// Unsubscribe takes event sources away again (DELETE /applications/{name}/subscription).
func (c *Client) Unsubscribe(ctx context.Context, app string, sources ...string) (*Application, error) {
	return c.application(ctx, request{
		op: "unsubscribe", method: http.MethodDelete, path: []string{"applications", app, "subscription"},
		query: url.Values{"eventSource": {strings.Join(sources, ",")}},
	})
}

// application performs r, whose answer is an application.
func (c *Client) application(ctx context.Context, r request) (*Application, error) {
	application := new(Application)
	if err := c.call(ctx, r, application); err != nil {
		return nil, err
	}
	return application, nil
}
