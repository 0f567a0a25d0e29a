package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
)

// has waits until the switchboard has a value under a key, empty for none.
func (b *board) has(t *testing.T, key, want string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		b.mu.Lock()
		got := b.kept[key]
		b.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-b.used:
		case <-late:
			t.Fatalf("%s is %q, not %q", key, got, want)
		}
	}
}

// behind returns when whoever looks at the forwardings now has done so: one change waits for another.
func (w *world) behind() {
	w.t.Helper()
	if a := w.ask("carl", http.MethodPut, "/v1/employees/egor/settings", `{"forward":null}`); a.status != 200 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
}

func (b *board) failing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// beside is an Earshot beside a PBX that may have something already.
func beside(t *testing.T, b *board, text string, people gate.Directory) *world {
	t.Helper()
	set, problems, err := policy.Load("policy.yaml", []byte(text), start)
	if err != nil {
		t.Fatal(err, problems)
	}
	return newWorldOver(t, func(c *gate.Config) {
		c.Settings = gate.Settings{Switchboard: b, Forward: "CF", DoNotDisturb: "DND"}
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
		c.Policy, c.Clients = set, people
	})
}

// oneClient is a directory that says the same of every number.
type oneClient struct {
	mu     sync.Mutex
	answer clients.Answer
	asked  chan struct{} // poked by each question
}

func (d *oneClient) Find(string) (clients.Client, clients.Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	poke(d.asked)
	if d.answer != clients.Found {
		return clients.Client{}, d.answer
	}
	return clientOf("anna"), d.answer
}

func (d *oneClient) says(answer clients.Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
	select {
	case <-d.asked:
	default:
	}
}

const annaDials = `dial: {employees: true, numbers: ["+7495*"], except: {employees: [fred]}}`

func TestAForwardingEndsWhenTheEmployeeMayNotCallThereAnyMore(t *testing.T) {
	const path, number = "/v1/employees/anna/settings", "84951234567"
	for name, c := range map[string]struct {
		text   string // the policy from then on
		reason string
		whose  string
	}{
		"the right to dial is gone":    {strings.Replace(settingsText, annaDials, "dial: none", 1), "no_right", "anna"},
		"it is narrower":               {strings.Replace(settingsText, `"+7495*"`, `"+7812*"`, 1), "no_right", "anna"},
		"the extension is nobody's":    {strings.Replace(settingsText, `, "101"]`, "]", 1), "unknown_target", ""},
		"the extension is another's":   {strings.NewReplacer(`, "101"]`, "]", `numbers: ["105"]`, `numbers: ["101"]`).Replace(settingsText), "no_right", "egor"},
		"the number is an emergency's": {strings.Replace(settingsText, `emergency: ["112"]`, `emergency: ["112", "84951234567"]`, 1), "bad_number", "anna"},
	} {
		for _, again := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", and Earshot was restarted"}[again], func(t *testing.T) {
				w, b := switched(t)
				if a := w.ask("boris", http.MethodPut, path, `{"forward":"`+number+`"}`); a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				id := w.book.entries[0].ID
				b.has(t, "CF/101", number)
				recv(t, b.listed) // it is looked at once after it is set
				w.behind()
				if again {
					w = beside(t, b, c.text, directory{})
				} else {
					w.gate.SetPolicy(w.policy(c.text))
				}
				b.has(t, "CF/101", "")
				b.has(t, "CF-earshot/101", "")
				e := w.book.until(t, audit.Revoked)
				if e.ID != id || e.Subject != "boris" || e.Action != "settings.user" || strings.Join(e.Targets, "") != c.whose || e.Reason != c.reason || e.Outcome != audit.Deny ||
					e.Detail != "keys:forward" || strings.Contains(e.Detail, "495") {
					t.Errorf("%+v", e)
				}
			})
		}
	}
}

func TestAForwardingStaysAsLongAsItsGroundDoes(t *testing.T) {
	const path, number = "/v1/employees/anna/settings", "84951234567"
	w, b := switched(t)
	b.kept["CF/102"], b.kept["CF/104"] = "+79991234567", "105" // by feature codes
	if a := w.ask("anna", http.MethodPut, path, `{"forward":"`+number+`"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("boris", http.MethodPut, "/v1/employees/boris/settings", `{"forward":"103"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	b.mu.Lock()
	b.kept["CF/102"] = "+79991234567" // and by one again
	b.mu.Unlock()
	// Who set it may do so no more, which is not its ground; nobody may call anywhere but anna there.
	w.gate.SetPolicy(w.policy(strings.NewReplacer("settings.user: own, ", "", "dial: any", "dial: none").Replace(settingsText)))
	b.has(t, "CF-earshot/102", "") // looked at, after anna's
	for key, want := range map[string]string{"CF/101": number, "CF/102": "+79991234567", "CF/104": "105"} {
		b.has(t, key, want)
	}
	// One that is ended by a request leaves nothing.
	if a := w.ask("carl", http.MethodPut, path, `{"forward":null}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	b.has(t, "CF/101", "")
	b.has(t, "CF-earshot/101", "")
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	for _, e := range w.book.entries {
		if e.Phase == audit.Revoked {
			t.Errorf("%+v", e)
		}
	}
}

// While nobody can say, nothing is ended, and it is looked at again.
func TestAForwardingIsNotEndedOnASuspicion(t *testing.T) {
	const path, body = "/v1/employees/anna/settings", `{"forward":"84951234567"}`
	b, people := &board{used: make(chan struct{}, 1), listed: make(chan struct{}, 1), kept: map[string]string{}}, &oneClient{answer: clients.Found, asked: make(chan struct{}, 1)}
	w := beside(t, b, strings.Replace(settingsText, annaDials, "dial: {clients: own}", 1), people)
	put := func() {
		t.Helper()
		if a := w.ask("carl", http.MethodPut, path, body); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	put()
	people.says(clients.Unknown)
	w.gate.Refresh()
	recv(t, people.asked)
	w.behind()
	b.has(t, "CF/101", "84951234567")
	people.says(clients.Stranger)
	w.gate.Refresh()
	b.has(t, "CF/101", "")
	if e := w.book.until(t, audit.Revoked); e.Reason != "not_client" {
		t.Errorf("%+v", e)
	}
	// A PBX that does not answer is asked again.
	people.says(clients.Found)
	put()
	people.says(clients.Stranger)
	b.failing(errors.New("gone"))
	select {
	case <-b.used:
	default:
	}
	w.gate.Refresh()
	recv(t, b.used)
	b.failing(nil)
	b.has(t, "CF/101", "")
}
