package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"
)

// What a door tells apart of a webhook's errors.
var (
	// ErrToken: the token is not the configured one, or none is configured.
	ErrToken = errors.New("clients: the webhook's token is not good")
	// ErrWebhook: the body is not of a form that is known. Nothing was done.
	ErrWebhook = errors.New(`clients: the webhook's body is neither a Bitrix24 event nor {"token": …, "numbers": […]} nor {"token": …, "all": true}`)
)

// HookToken is the token that a webhook's body presents, whoever it is for; the error is ErrWebhook.
func HookToken(contentType string, body []byte) (string, error) {
	h, err := parseHook(contentType, body)
	return h.Token, err
}

// maxHook is how many bytes a webhook's body may have, and maxHookNumbers how many numbers it may name.
const (
	maxHook        = 64 << 10
	maxHookNumbers = 1000
)

// Hook takes a system's word that clients have changed. It is a hint: what stands in it is never believed as data, all that it does
// is to forget, so that the system is asked again. Two forms are known:
//
//   - Bitrix24's outgoing webhook, a form with event (ONCRMCONTACTUPDATE and its like for contacts, companies and leads), data[FIELDS][ID]
//     and auth[application_token]. It tells no number, so all answers of this source are forgotten. Events of other sorts are passed over.
//   - JSON: {"token": "…", "numbers": ["+79161234567"]} forgets these, {"token": "…", "all": true} everything.
//
// The token is compared in constant time, before anything is done. The error is ErrToken, ErrWebhook, or that other
// sidecars were not told, when trying again helps.
func (r *Remote) Hook(ctx context.Context, contentType string, body []byte) error {
	h, err := parseHook(contentType, body)
	switch {
	case err != nil:
		r.met.hooks.WithLabelValues("malformed").Inc()
		return err
	case !r.trusts(h.Token):
		r.met.hooks.WithLabelValues("refused").Inc()
		return ErrToken
	case h.All:
		err = r.ForgetAll(ctx)
	case len(h.Numbers) > 0:
		err = r.Forget(ctx, h.Numbers...)
	default:
		r.met.hooks.WithLabelValues("ignored").Inc()
		return nil
	}
	if err != nil {
		r.met.hooks.WithLabelValues("failed").Inc()
		return err
	}
	r.met.hooks.WithLabelValues("forgotten").Inc()
	return nil
}

// hook is what a webhook says.
type hook struct {
	Token   string
	Numbers []string
	All     bool
}

func (r *Remote) trusts(token string) bool { return isSecret(token, r.token.Load()) }

func (w Webhook) read() (*string, error) {
	if w.TokenFile == "" {
		return nil, nil
	}
	token, err := readSecret(w.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("webhook.token_file: %w", err)
	}
	return &token, nil
}

func parseHook(contentType string, body []byte) (hook, error) {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil || len(body) > maxHook {
		return hook{}, ErrWebhook
	}
	switch t {
	case "application/x-www-form-urlencoded":
		return bitrixHook(body)
	case "application/json":
		return jsonHook(body)
	default:
		return hook{}, ErrWebhook
	}
}

// bitrixHook reads an event as Bitrix24 sends it (apidocs.bitrix24.com/api-reference/crm/contacts/events/on-crm-contact-update.html).
func bitrixHook(body []byte) (hook, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return hook{}, ErrWebhook
	}
	one := func(key string) (string, bool) { return form.Get(key), len(form[key]) == 1 }
	event, ok1 := one("event")
	token, ok2 := one("auth[application_token]")
	if !ok1 || !ok2 {
		return hook{}, ErrWebhook
	}
	h := hook{Token: token}
	rest, ok := strings.CutPrefix(strings.ToUpper(event), "ONCRM")
	for _, what := range []string{"CONTACT", "COMPANY", "LEAD"} {
		if done, is := strings.CutPrefix(rest, what); ok && is && (done == "ADD" || done == "UPDATE" || done == "DELETE") {
			if id, ok := one("data[FIELDS][ID]"); !ok || id == "" {
				return hook{}, ErrWebhook
			}
			h.All = true
		}
	}
	return h, nil
}

func jsonHook(body []byte) (hook, error) {
	var h struct {
		Token   string   `json:"token"`
		Numbers []string `json:"numbers"`
		All     bool     `json:"all"`
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if d.Decode(&h) != nil || !ends(d) || h.All == (len(h.Numbers) > 0) || len(h.Numbers) > maxHookNumbers {
		return hook{}, ErrWebhook
	}
	return hook(h), nil
}

// ends reports whether nothing follows.
func ends(d *json.Decoder) bool {
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}
