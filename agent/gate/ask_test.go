package gate_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// who is a subject that has proven himself.
func who(employee string, expires ...time.Time) auth.Subject {
	token, hash := auth.NewToken()
	e := auth.Entry{Employee: employee, Hash: hash}
	if len(expires) > 0 {
		e.Expires = expires[0]
	}
	tokens, err := auth.NewTokens(auth.Options{Clock: func() time.Time { return start }}, e)
	if err != nil {
		panic(err)
	}
	s, err := tokens.Authenticate(context.Background(), auth.Credential{Token: token})
	if err != nil {
		panic(err)
	}
	return s
}

// ask asks for a supervision, or with mode "intercept" for the ringing call, and returns its id or the problem's code.
func (o *office) ask(subject, mode, target string, more ...string) (id, code string) {
	o.t.Helper()
	ask := gate.Ask{Target: target, Mode: mode, Door: "test"}
	for _, m := range more {
		if strings.HasPrefix(m, "PJSIP/") {
			ask.Phone = m
		} else {
			ask.Call = m
		}
	}
	var err error
	if mode == "intercept" {
		v, e := o.gate.Intercept(o.t.Context(), who(subject), ask)
		id, err = v.ID, e
	} else {
		v, e := o.gate.Supervise(o.t.Context(), who(subject), ask)
		id, err = v.ID, e
	}
	if err == nil {
		return id, ""
	}
	return "", gate.AsProblem(err).Code
}

// must is ask where a refusal fails the test.
func (o *office) must(subject, mode, target string, more ...string) string {
	o.t.Helper()
	id, code := o.ask(subject, mode, target, more...)
	if code != "" {
		o.t.Fatalf("%s may not %s %s: %s", subject, mode, target, code)
	}
	return id
}

func (o *office) refused(code, subject, mode, target string, more ...string) {
	o.t.Helper()
	if _, got := o.ask(subject, mode, target, more...); got != code {
		o.t.Fatalf("%s %s %s %v: %q, want %q", subject, mode, target, more, got, code)
	}
}

// active starts a supervision and waits until it runs.
func (o *office) active(subject, mode, target string, more ...string) string {
	o.t.Helper()
	w := o.watch(subject)
	defer w.Close()
	id := o.must(subject, mode, target, more...)
	w.act(id, "active")
	return id
}

func (o *office) row(subject, target string) (r struct {
	State string
	Calls []struct {
		ID, Direction, State, Supervision, Kind string
		Hidden, Locked                          bool
		Peer                                    *struct{ Number, Name, Employee string }
	}
	Can            []string
	Unknown        bool
	ReasonRequired bool `json:"reason_required"`
}) {
	o.t.Helper()
	b, err := o.gate.Employees(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range b.Employees {
		if b.Employees[i].ID == target {
			data, _ := json.Marshal(b.Employees[i])
			if err := json.Unmarshal(data, &r); err != nil {
				o.t.Fatal(err)
			}
			return r
		}
	}
	o.t.Fatalf("no row of %s", target)
	return r
}

// waitTaken waits until a phone has been told to take a call, waitRungRow until an employee's row says that a phone of his rings.
func (o *office) waitTaken() {
	for done := false; !done; o.pass(0) {
		o.pbx.set(func() { done = len(o.pbx.takes) > 0 })
	}
}

func (o *office) waitRungRow(employee string) {
	for o.row("carl", employee).State == "idle" {
		o.pass(0)
	}
}
