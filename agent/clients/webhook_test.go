package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/clients"
)

const form, js = "application/x-www-form-urlencoded", "application/json"

// event is what Bitrix24 sends (apidocs.bitrix24.com/api-reference/crm/contacts/events/on-crm-contact-update.html).
func event(name, id, token string) string {
	return url.Values{
		"event": {name}, "event_handler_id": {"12"}, "data[FIELDS][ID]": {id}, "ts": {"1724697689"}, "auth[domain]": {"some.bitrix24.ru"},
		"auth[client_endpoint]": {"https://some.bitrix24.ru/rest/"}, "auth[member_id]": {"a223c6b3"}, "auth[application_token]": {token},
	}.Encode()
}

// hooked is a source whose system counts how often it was asked and makes each answer another.
func hooked(t *testing.T) (*crm, *atomic.Int64) {
	var asked atomic.Int64
	h := plain()
	h.Webhook.TokenFile = file(t, "t0ken\n")
	return newCRM(t, h, clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
		answer(fmt.Sprintf(`{"found": true, "manager": "m%d"}`, asked.Add(1)))(w, r)
	})}), &asked
}

func TestAWebhookForgetsAndIsNeverBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		contentType, body string
		all               bool
	}{
		"a contact":     {form, event("ONCRMCONTACTUPDATE", "82", "t0ken"), true},
		"a company":     {form + "; charset=UTF-8", event("ONCRMCOMPANYADD", "82", "t0ken"), true},
		"a lead":        {form, event("onCrmLeadDelete", "82", "t0ken"), true},
		"one number":    {js, `{"token": "t0ken", "numbers": ["8 916 123-45-67", "nonsense"]}`, false},
		"all of them":   {js + "; charset=utf-8", `{"token": "t0ken", "all": true}`, true},
		"with a number": {js, ` {"token": "t0ken", "numbers": ["+79161234567"]} `, false},
	} {
		c, asked := hooked(t)
		c.learn(vera, clients.Found)
		c.learn(stranger, clients.Found)
		if err := c.Hook(context.Background(), tc.contentType, []byte(tc.body)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tc.all {
			c.changed("")
			c.learn(stranger, clients.Found)
		} else {
			c.changed(vera)
			c.is(stranger, clients.Found)
		}
		if client := c.learn(vera, clients.Found); client.Responsible == "m1" || c.gathered("webhooks_total", "forgotten") != 1 {
			t.Errorf("%s: responsible %q after %d requests", name, client.Responsible, asked.Load())
		}
		c.stop()
	}
}

func TestAWebhookThatIsNotToBeBelievedDoesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		contentType, body string
		want              error
		result            string
	}{
		"another token":         {form, event("ONCRMCONTACTUPDATE", "82", "t0keN"), clients.ErrToken, "refused"},
		"no token":              {form, event("ONCRMCONTACTUPDATE", "82", ""), clients.ErrToken, "refused"},
		"another JSON token":    {js, `{"token": "t0ken ", "all": true}`, clients.ErrToken, "refused"},
		"no JSON token":         {js, `{"all": true}`, clients.ErrToken, "refused"},
		"a task":                {form, event("ONTASKUPDATE", "82", "t0ken"), nil, "ignored"},
		"a deal":                {form, event("ONCRMDEALUPDATE", "82", "t0ken"), nil, "ignored"},
		"two tokens":            {form, event("ONCRMCONTACTUPDATE", "82", "bad") + "&" + url.QueryEscape("auth[application_token]") + "=t0ken", clients.ErrWebhook, "malformed"},
		"two events":            {form, event("ONCRMCONTACTUPDATE", "82", "t0ken") + "&event=x", clients.ErrWebhook, "malformed"},
		"no id":                 {form, event("ONCRMCONTACTUPDATE", "", "t0ken"), clients.ErrWebhook, "malformed"},
		"no form":               {form, "%zz", clients.ErrWebhook, "malformed"},
		"an empty form":         {form, "", clients.ErrWebhook, "malformed"},
		"clients as data":       {js, `{"token": "t0ken", "numbers": ["+79161234567"], "responsible": "eve"}`, clients.ErrWebhook, "malformed"},
		"nothing to forget":     {js, `{"token": "t0ken"}`, clients.ErrWebhook, "malformed"},
		"numbers and all":       {js, `{"token": "t0ken", "numbers": ["101"], "all": true}`, clients.ErrWebhook, "malformed"},
		"bare numbers":          {js, `{"token": "t0ken", "numbers": [79161234567]}`, clients.ErrWebhook, "malformed"},
		"two documents":         {js, `{"token": "t0ken", "all": true} {}`, clients.ErrWebhook, "malformed"},
		"a bracket too many":    {js, `{"token": "t0ken", "all": true}}`, clients.ErrWebhook, "malformed"},
		"far too many":          {js, `{"token": "t0ken", "numbers": ["1"` + strings.Repeat(`,"1"`, 1000) + `]}`, clients.ErrWebhook, "malformed"},
		"far too much":          {js, strings.Repeat(" ", 64<<10) + `{"token": "t0ken", "all": true}`, clients.ErrWebhook, "malformed"},
		"of no type":            {"", event("ONCRMCONTACTUPDATE", "82", "t0ken"), clients.ErrWebhook, "malformed"},
		"of another type":       {"text/plain", `{"token": "t0ken", "all": true}`, clients.ErrWebhook, "malformed"},
		"a form told as JSON":   {js, event("ONCRMCONTACTUPDATE", "82", "t0ken"), clients.ErrWebhook, "malformed"},
		"JSON that is an array": {js, `[]`, clients.ErrWebhook, "malformed"},
	} {
		c, asked := hooked(t)
		c.learn(vera, clients.Found)
		if err := c.Hook(context.Background(), tc.contentType, []byte(tc.body)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if client := c.is(vera, clients.Found); client.Responsible != "m1" || asked.Load() != 1 || len(c.changes) > 0 || c.gathered("webhooks_total", tc.result) != 1 {
			t.Errorf("%s: responsible %q", name, client.Responsible)
		}
		c.stop()
	}
	c := newCRM(t, plain(), clients.Environment{Transport: within(answer(answerVera))})
	if err := c.Hook(context.Background(), js, []byte(`{"token": "", "all": true}`)); !errors.Is(err, clients.ErrToken) {
		t.Errorf("without a token of its own: %v", err)
	}
}

// What is under way when a client changes is an answer from before: it is not taken, whether it comes first or last.
func TestWhatIsForgottenWhileItIsAskedForIsAskedAgain(t *testing.T) {
	for name, forget := range map[string]func(c *crm) error{
		"the number": func(c *crm) error { return c.Forget(context.Background(), "89161234567") },
		"all":        func(c *crm) error { return c.ForgetAll(context.Background()) },
	} {
		for _, oldFirst := range []bool{true, false} {
			began := make(chan chan string, 10)
			c := newCRM(t, plain(), clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
				mine := make(chan string)
				began <- mine
				answer(`{"found": true, "manager": "`+<-mine+`"}`)(w, r)
			})})
			c.is(vera, clients.Unknown)
			old := <-began
			if err := forget(c); err != nil {
				t.Fatal(err)
			}
			<-c.changes
			c.is(vera, clients.Unknown)
			fresh := <-began // while the first is under way
			if oldFirst {
				old <- "old"
				fresh <- "new"
				c.changed(vera)
			} else {
				fresh <- "new"
				c.changed(vera)
				old <- "old"
			}
			for c.gathered("requests_total", "found") < 2 {
				runtime.Gosched()
			}
			c.stop() // it waits until both have been dealt with
			if client := c.is(vera, clients.Found); client.Responsible != "new" {
				t.Errorf("%s, the old one first %v: responsible %q", name, oldFirst, client.Responsible)
			}
		}
	}
}

// One that is renewed goes by what it has meanwhile; forgotten, it goes by nothing.
func TestWhatIsForgottenWhileItIsRenewedIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan chan string, 10)
		c := newCRM(t, plain(), clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
			mine := make(chan string)
			began <- mine
			answer(`{"found": true, "manager": "`+<-mine+`"}`)(w, r)
		})})
		c.is(vera, clients.Unknown)
		(<-began) <- "m1"
		c.changed(vera)
		time.Sleep(8*time.Minute + 30*time.Second)
		c.is(vera, clients.Found)
		old := <-began
		if err := c.Forget(context.Background(), vera); err != nil {
			t.Fatal(err)
		}
		c.changed(vera)
		c.is(vera, clients.Unknown)
		fresh := <-began
		old <- "old"
		synctest.Wait()
		c.is(vera, clients.Unknown)
		fresh <- "new"
		c.changed(vera)
		if client := c.is(vera, clients.Found); client.Responsible != "new" {
			t.Errorf("responsible %q", client.Responsible)
		}
		c.stop()
	})
}
