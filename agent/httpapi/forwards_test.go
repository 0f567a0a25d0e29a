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

// passed does the same of a look that was told to begin, without anything on record: the next one begins behind it.
func (w *world) passed(b *board) {
	w.t.Helper()
	recv(w.t, b.listed)
	w.gate.Refresh()
	recv(w.t, b.listed)
}

func (b *board) failing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// beside is an Earshot beside a PBX that may have something already.
func beside(t *testing.T, b *board, text string, people gate.Directory, more ...func(*gate.Config)) *world {
	t.Helper()
	set, problems, err := policy.Load("policy.yaml", []byte(text), start)
	if err != nil {
		t.Fatal(err, problems)
	}
	return newWorldOver(t, func(c *gate.Config) {
		c.Settings = gate.Settings{Switchboard: b, Forward: "CF", DoNotDisturb: "DND"}
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
		c.Policy, c.Clients = set, people
		for _, change := range more {
			change(c)
		}
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
				id := w.book.All()[0].ID
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
				e := w.book.Until(t, audit.Revoked)
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
	for _, e := range w.book.All() {
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
	if e := w.book.Until(t, audit.Revoked); e.Reason != "not_client" {
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

// refusing has one key be written no more.
func (b *board) refusing(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuses = key
}

// reviewed returns when the forwardings have been looked at after a change, with nothing left to do.
func (w *world) reviewed(b *board) {
	w.t.Helper()
	recv(w.t, b.listed)
	w.behind()
}

// An old forwarding is still there when the new one could not be written, and so it is still ended.
func TestAForwardingThatCouldNotBeReplacedKeepsItsMark(t *testing.T) {
	const path, number = "/v1/employees/anna/settings", "84951234567"
	w, b := switched(t)
	put := func(number string, status int) {
		t.Helper()
		if a := w.ask("boris", http.MethodPut, path, `{"forward":"`+number+`"}`); a.status != status {
			t.Fatalf("%d %s", a.status, a.body)
		}
		w.reviewed(b)
	}
	marks := func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.kept["CF-earshot/101"]
	}
	put(number, 200)
	mark, id := marks(), w.book.All()[0].ID
	b.refusing("CF/101")
	put("102", 503)
	put("103", 503) // and again, over a mark that has two
	b.has(t, "CF/101", number)
	if kept := marks(); !strings.HasPrefix(kept, "103:") || !strings.HasSuffix(kept, ":"+mark) || strings.Contains(kept, "102:") {
		t.Errorf("the mark is %q, and was %q", kept, mark)
	}
	b.refusing("")
	w.gate.SetPolicy(w.policy(strings.Replace(settingsText, `"+7495*"`, `"+7812*"`, 1)))
	b.has(t, "CF/101", "")
	b.has(t, "CF-earshot/101", "")
	if e := w.book.Until(t, audit.Revoked); e.ID != id || e.Reason != "no_right" {
		t.Errorf("%+v", e)
	}
	w.reviewed(b)
	// Once the new one is there, nothing is kept of the old one.
	w.gate.SetPolicy(w.policy(settingsText))
	w.reviewed(b)
	put(number, 200)
	put("102", 200)
	if kept := marks(); !strings.HasPrefix(kept, "102:") || strings.Count(kept, ":") != 2 {
		t.Errorf("the mark is %q", kept)
	}
}

// A PBX that ends a forwarding, and whose answer that it has is lost, has ended it: that is on record, once, as soon as it is seen to be gone; and of one that is still
// there nothing is on record but what was, until it is ended by the next attempt.
func TestTheEndOfAForwardingIsRecordedThoughThePBXsAnswerIsLost(t *testing.T) {
	const path, number, key = "/v1/employees/anna/settings", "84951234567", "CF/101"
	for name, fails := range map[string]func(b *board){
		"it is gone":          func(b *board) { b.mu.Lock(); defer b.mu.Unlock(); b.doubts = key },
		"it is there":         func(b *board) { b.refusing(key) },
		"its answer is there": func(*board) {},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := switched(t)
			if a := w.ask("boris", http.MethodPut, path, `{"forward":"`+number+`"}`); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			w.reviewed(b)
			id := w.book.All()[0].ID
			fails(b)
			w.gate.SetPolicy(w.policy(strings.Replace(settingsText, `"+7495*"`, `"+7812*"`, 1)))
			w.reviewed(b)
			b.mu.Lock()
			b.doubts, b.refuses = "", ""
			b.mu.Unlock()
			// The right comes back, but what was ended then was ended.
			if name == "it is gone" {
				w.gate.SetPolicy(w.policy(settingsText))
			} else {
				w.gate.SetPolicy(w.policy(strings.Replace(settingsText, `"+7495*"`, `"+7813*"`, 1)))
			}
			w.reviewed(b)
			b.has(t, key, "")
			b.has(t, "CF-earshot/101", "")
			ends := 0
			for _, e := range w.book.All() {
				if e.Phase != audit.Revoked {
					continue
				}
				if ends++; e.ID != id || e.Reason != "no_right" || e.Subject != "boris" || strings.Join(e.Targets, "") != "anna" {
					t.Errorf("%+v", e)
				}
			}
			if ends != 1 {
				t.Errorf("its end is on record %d times", ends)
			}
		})
	}
}

// Somebody may change a forwarding while it is not known whether the PBX has ended it. What the PBX has ended is on record as that, and what he has ended or replaced
// is not.
func TestAForwardingThatIsChangedInDoubtIsRecordedAsWhatItWas(t *testing.T) {
	const path, number, key = "/v1/employees/anna/settings", "84951234567", "CF/101"
	gone := func(b *board) { b.mu.Lock(); defer b.mu.Unlock(); b.doubts = key }
	there := func(b *board) { b.refusing(key) }
	for name, c := range map[string]struct {
		fails func(b *board)
		then  string
		want  int
	}{
		"it is gone, and another is set":  {gone, `"102"`, 1},
		"it is gone, and it is ended":     {gone, `null`, 1},
		"it is there, and another is set": {there, `"102"`, 0},
		"it is there, and it is ended":    {there, `null`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := switched(t)
			put := func(forward string) {
				t.Helper()
				if a := w.ask("boris", http.MethodPut, path, `{"forward":`+forward+`}`); a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			put(`"` + number + `"`)
			w.reviewed(b)
			id := w.book.All()[0].ID
			c.fails(b)
			w.gate.SetPolicy(w.policy(strings.Replace(settingsText, `"+7495*"`, `"+7812*"`, 1)))
			w.reviewed(b)
			b.mu.Lock()
			b.doubts, b.refuses = "", ""
			b.mu.Unlock()
			put(c.then)
			w.gate.Refresh()
			w.reviewed(b)
			ends := 0
			for _, e := range w.book.All() {
				if e.Phase == audit.Revoked {
					ends++
					if e.ID != id {
						t.Errorf("%+v", e)
					}
				}
			}
			if ends != c.want {
				t.Errorf("its end by Earshot is on record %d times, not %d", ends, c.want)
			}
		})
	}
}

// guarded has anna protected, and a number to which boris may call.
var guarded = strings.Replace(settingsText, "emergency:", `protected: {employees: [anna], numbers: ["+7 495 765-43-21"]}
emergency:`, 1)

func TestWhereTheCallsOfSomebodyProtectedGoIsHisOwnAffair(t *testing.T) {
	const path, body = "/v1/employees/anna/settings", `{"forward":"102"}`
	w, b := switched(t)
	w.gate.SetPolicy(w.policy(guarded))
	for _, who := range []string{"boris", "carl"} {
		for _, body := range []string{body, `{"forward":null}`, `{"do_not_disturb":true,"forward":"102"}`} {
			if a := w.ask(who, http.MethodPut, path, body); a.status != 403 || a.problem(t).Code != "protected" {
				t.Errorf("%s, %s: %d %s", who, body, a.status, a.body)
			}
		}
	}
	if e := w.book.All()[0]; len(b.kept) > 0 || e.Outcome != audit.Deny || e.Reason != "protected" || e.Rule.Line == 0 || e.Detail != "keys:forward" {
		t.Errorf("%v %+v", b.kept, e)
	}
	looks := func(who, of, want string) {
		t.Helper()
		if a := w.ask(who, http.MethodGet, "/v1/employees/"+of+"/settings", ""); a.status != 200 || strings.TrimSpace(string(a.body)) != want {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
	}
	// Whether there is one is not told either.
	const hidden = `{"forward":null,"forward_hidden":true,"do_not_disturb":false,"paused":{"shop":false}}`
	looks("boris", "anna", hidden)
	if a := w.ask("anna", http.MethodPut, path, body); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"forward":"102","do_not_disturb":false,"paused":{"shop":false}}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	looks("boris", "anna", hidden)
	looks("anna", "anna", `{"forward":"102","do_not_disturb":false,"paused":{"shop":false}}`)
	// What takes nobody's call is a matter of the right alone.
	if a := w.ask("boris", http.MethodPut, path, `{"do_not_disturb":true,"paused":{"shop":true}}`); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"forward":null,"forward_hidden":true,"do_not_disturb":true,"paused":{"shop":true}}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	// A protected number is shown to nobody else, though he is not protected; where there is none, that is told.
	looks("carl", "boris", `{"forward":null,"do_not_disturb":false,"paused":{"night":false}}`)
	if a := w.ask("boris", http.MethodPut, "/v1/employees/boris/settings", `{"forward":"84957654321"}`); a.status != 200 || !strings.Contains(string(a.body), `"84957654321"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	looks("carl", "boris", `{"forward":null,"forward_hidden":true,"do_not_disturb":false,"paused":{"night":false}}`)
}

// What somebody else has set ends when the employee comes to be protected; what he has set himself does not.
func TestAForwardingOfSomebodyProtectedEndsUnlessItIsHisOwn(t *testing.T) {
	for who, ends := range map[string]bool{"boris": true, "anna": false} {
		t.Run(who, func(t *testing.T) {
			w, b := switched(t)
			if a := w.ask(who, http.MethodPut, "/v1/employees/anna/settings", `{"forward":"102"}`); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			w.reviewed(b)
			w.gate.SetPolicy(w.policy(guarded))
			w.reviewed(b)
			if !ends {
				b.has(t, "CF/101", "102")
				return
			}
			b.has(t, "CF/101", "")
			if e := w.book.Until(t, audit.Revoked); e.Reason != "protected" || e.Subject != "boris" || e.Rule.Line == 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestCallsAreNotForwardedInACircle(t *testing.T) {
	w, b := switched(t)
	b.kept["CF/105"] = "8 (916) 000-01-01" // by a feature code, to a number of anna's that is none of the PBX's own
	b.kept["CF/106"] = "106"               // a circle in which she is not
	put := func(who, number string, status int) {
		t.Helper()
		a := w.ask("carl", http.MethodPut, "/v1/employees/"+who+"/settings", `{"forward":"`+number+`"}`)
		if a.status != status || status == 409 && a.problem(t).Code != "forward_circle" {
			t.Errorf("%s to %s: %d %s", who, number, a.status, a.body)
		}
	}
	w.gate.SetPolicy(w.policy(strings.NewReplacer(annaDials, "dial: any", `numbers: ["103"], `, `numbers: ["103"], dial: any, `).Replace(settingsText)))
	put("anna", "102", 200)
	put("boris", "101", 409)
	put("boris", "103", 200)
	put("carl", "101", 409) // by boris
	put("carl", "106", 200)
	put("carl", "102", 409)
	put("anna", "106", 200)
	put("boris", "101", 200)
	put("anna", "105", 409)
	put("anna", "84951234567", 200)
	put("boris", "84951234567", 200)
	for _, e := range w.book.All() {
		if e.Phase == audit.Failed || e.Reason == "forward_circle" && e.Outcome != audit.Deny {
			t.Errorf("%+v", e)
		}
	}
	// One that somebody closes after that was looked at is not made either.
	w.book.OnEach(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.kept["CF/102"] = "101"
	})
	put("anna", "102", 409)
	b.has(t, "CF/101", "84951234567")
	b.failing(errors.New("gone"))
	put("anna", "102", 503)
}
