package clients_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

// bitrix answers as Bitrix24 does (apidocs.bitrix24.com/api-reference/telephony/telephony-external-call-search-crm-entities.html).
func bitrix(t *testing.T, status *string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		say := func(status int, text string) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
		var ask struct {
			Number string `json:"PHONE_NUMBER"`
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &ask) != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("asked by %s with %q", r.Method, body)
		}
		const times = `"time":{"start":1772808159,"finish":1772808159.397228,"duration":0.3972280025482178,"processing":0,"date_start":"2026-03-06T17:42:39+03:00","date_finish":"2026-03-06T17:42:39+03:00","operating_reset_at":1772808759,"operating":0.25037074089050293}`
		switch {
		case r.URL.Path != "/rest/1/s3cret/telephony.externalCall.searchCrmEntities.json":
			say(404, `{"error":"ERROR_METHOD_NOT_FOUND","error_description":"Method not found!"}`)
		case *status == "limit":
			say(503, `{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}`)
		case *status == "expired":
			say(401, `{"error":"expired_token","error_description":"The access token provided has expired."}`)
		case *status == "busy":
			say(429, `{"error":"OPERATION_TIME_LIMIT","error_description":"Method is blocked due to operation time limit."}`)
		case *status == "error":
			say(200, `{"error":"INTERNAL_SERVER_ERROR","error_description":"Internal server error",`+times+`}`)
		case ask.Number == "":
			say(400, `{"error":"ERROR_CORE","error_description":"PHONE_NUMBER is empty"}`)
		case ask.Number == "79161234567":
			say(200, `{"result":[`+
				`{"CRM_ENTITY_TYPE":"CONTACT","CRM_ENTITY_ID":651,"ASSIGNED_BY_ID":99,"NAME":"Иван Иванов","ASSIGNED_BY":{"ID":"99","TIMEMAN_STATUS":"CLOSED","USER_PHONE_INNER":null,"WORK_PHONE":null,"PERSONAL_PHONE":null,"PERSONAL_MOBILE":"79062195047"}},`+
				`{"CRM_ENTITY_TYPE":"COMPANY","CRM_ENTITY_ID":643,"ASSIGNED_BY_ID":7,"NAME":"ООО Ромашка","ASSIGNED_BY":{"ID":"7","TIMEMAN_STATUS":"OPENED","USER_PHONE_INNER":"102","WORK_PHONE":null,"PERSONAL_PHONE":null,"PERSONAL_MOBILE":null}}],`+times+`}`)
		default:
			say(200, `{"result":[],`+times+`}`)
		}
	})
}

func TestBitrix24(t *testing.T) {
	var status string
	s := httptest.NewServer(bitrix(t, &status))
	defer s.Close()
	for name, h := range map[string]clients.HTTP{
		"the address in a file": {URLFile: file(t, s.URL+"/rest/1/s3cret/\n")},
		"without a slash":       {URL: s.URL + "/rest/1/s3cret"},
		"with the method":       {URL: s.URL + "/rest/1/s3cret/telephony.externalCall.searchCrmEntities.json"},
	} {
		status = ""
		h.Recipe, h.Employees.IDs = "bitrix24", map[string]string{"99": "anna", "7": "boris"}
		c := newCRM(t, h, clients.Environment{})
		client := c.learn(vera, clients.Found)
		if client.Name != "Иван Иванов" || client.Responsible != "anna" || !slices.Equal(client.Access, []string{"boris"}) {
			t.Errorf("%s: %q, %q, %q", name, client.Name, client.Responsible, client.Access)
		}
		c.learn(stranger, clients.Stranger)
		c.stop()
	}
	for what, reason := range map[string]string{
		"limit": "status 503: it is asked too often, or is down", "expired": "status 401: the credential is not, or no longer, good",
		"busy": "status 429: it is asked too often, or is down", "error": "fields.found is not in the answer",
	} {
		status = what
		c := newCRM(t, clients.HTTP{Recipe: "bitrix24", URL: s.URL + "/rest/1/s3cret/"}, clients.Environment{})
		c.is(vera, clients.Unknown)
		if err := <-c.reports; err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: reported %v", what, err)
		}
		c.is(vera, clients.Unknown)
		c.stop()
	}
}

// A 1C:Enterprise base writes a byte order mark before its JSON, and escapes letters or not as its settings say.
func TestOneC(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "earshot" || password != "пароль" {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.RequestURI() {
		case "/base/hs/earshot/client?phone=79161234567":
			_, _ = io.WriteString(w, "\ufeff{\r\n\"Найден\": true,\r\n\"Наименование\": \"ООО \\\"Ромашка\\\"\",\r\n\"Ответственный\": \"anna\",\r\n\"Доступ\": [\r\n\"boris\"\r\n]\r\n}")
		case "/base/hs/earshot/client?phone=79261112233":
			_, _ = io.WriteString(w, "\ufeff{\"\\u041d\\u0430\\u0439\\u0434\\u0435\\u043d\": false}")
		case "/base/hs/earshot/client?phone=79260000000":
			_, _ = io.WriteString(w, "\ufeff{\"\\u041d\\u0430\\u0439\\u0434\\u0435\\u043d\": true, \"\\u041e\\u0442\\u0432\\u0435\\u0442\\u0441\\u0442\\u0432\\u0435\\u043d\\u043d\\u044b\\u0439\": \"boris\"}")
		default:
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"error": "{МодульОбъекта}: Поле объекта не обнаружено"}`)
		}
	}))
	defer s.Close()
	h := clients.HTTP{Recipe: "1c", URL: s.URL + "/base/hs/earshot/client", HeadersFile: file(t, "Authorization: Basic ZWFyc2hvdDrQv9Cw0YDQvtC70Yw=\n")}
	c := newCRM(t, h, clients.Environment{})
	if client := c.learn(vera, clients.Found); client.Name != `ООО "Ромашка"` || client.Responsible != "anna" || !slices.Equal(client.Access, []string{"boris"}) {
		t.Errorf("%q, %q, %q", client.Name, client.Responsible, client.Access)
	}
	c.learn(stranger, clients.Stranger)
	if client := c.learn("+79260000000", clients.Found); client.Responsible != "boris" {
		t.Errorf("%q", client.Responsible)
	}
	c.is("+79269999999", clients.Unknown)
	c.fails("status 500")
}
