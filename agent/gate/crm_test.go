package gate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
)

const crmToken = "crm-t0ken-0123456789abcdef"

// intake is what a CRM fills, and a system whose webhooks end so.
type intake struct {
	pushed *clients.Pushed
	hook   error
}

func (i *intake) Pushed() *clients.Pushed                            { return i.pushed }
func (i *intake) Hook(context.Context, string, string, []byte) error { return i.hook }

func newIntake(t *testing.T, onChange func()) *intake {
	t.Helper()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(crmToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := clients.OpenPushed("crm", "RU", clients.PushedConfig{File: filepath.Join(dir, "pushed.jsonl"), TokenFile: token}, clients.Environment{
		OnChange: func(string) { onChange() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &intake{pushed: p}
}

func TestNobodyButTheCRMChangesClients(t *testing.T) {
	ctx := context.Background()
	list := []gate.Client{{Number: ivanov, Name: "Ivanov"}}
	in := newIntake(t, func() {})
	with := newOffice(t, house, func(c *gate.Config) { c.Intake = in })
	for name, o := range map[string]*office{
		"without an intake": newOffice(t, house), "without a source": newOffice(t, house, func(c *gate.Config) { c.Intake = &intake{} }), "with another token": with,
	} {
		token := crmToken
		if o == with {
			token += "x"
		}
		if o.gate.TakesClients() != (o == with) {
			t.Errorf("%s: takes clients: %v", name, o.gate.TakesClients())
		}
		for _, token := range []string{token, ""} {
			c := o.gate.ProveCRM(token)
			if c.Known() || c.Name() != "" {
				t.Errorf("%s: %q", name, c.Name())
			}
			_, err1 := o.gate.PutClients(ctx, c, list, "test")
			_, err2 := o.gate.DeleteClients(ctx, c, []string{ivanov}, "test")
			for _, err := range []error{err1, err2} {
				if p := gate.AsProblem(err); err == nil || p.Kind != gate.Refused || p.Code != "unknown_crm" {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		o.happened()
	}
	if in.pushed.Len() != 0 {
		t.Error("somebody put a client")
	}
	c := with.gate.ProveCRM(crmToken)
	if n, err := with.gate.PutClients(ctx, c, list, "test"); err != nil || n.Added != 1 || c.Name() != "crm" || in.pushed.Len() != 1 {
		t.Errorf("the CRM itself: %+v, %v", n, err)
	}
	with.happened("record decided allow crm_token", "record done")
}

// What is changed is on record before it is, and by when it is done; what is not on record is not done.
func TestAChangeOfClientsIsOnRecordBeforeItIsDone(t *testing.T) {
	ctx := context.Background()
	var o *office
	in := newIntake(t, func() { o.log.add("changed") })
	o = newOffice(t, house, func(c *gate.Config) { c.Intake = in })
	c := o.gate.ProveCRM(crmToken)
	if _, err := o.gate.PutClients(ctx, c, []gate.Client{{Number: ivanov, Name: "Ivanov"}, {Number: "2205", Name: "Branch"}}, "test"); err != nil {
		t.Fatal(err)
	}
	want := []string{"record decided allow crm_token", "changed", "changed", "record done"}
	o.happened(want...)
	first := o.audit.last(t, audit.Decided)
	if e := o.audit.last(t, audit.Done); e.ID != first.ID || e.Action != "clients.put" || e.Credential != "crm:crm" || e.Door != "test" || e.Detail != "n:2" || e.Subject != "" {
		t.Errorf("%+v", e)
	}
	o.audit.failing(audit.Decided)
	if _, err := o.gate.DeleteClients(ctx, c, []string{ivanov}, "test"); gate.AsProblem(err).Code != "not_recorded" || in.pushed.Len() != 2 {
		t.Errorf("%v, %d clients", err, in.pushed.Len())
	}
	o.happened(want...)
	o.audit.failing(audit.Done)
	if n, err := o.gate.DeleteClients(ctx, c, []string{ivanov, other}, "test"); err != nil || n != (gate.ClientsDeleted{Deleted: 1, Absent: 1, Total: 1}) {
		t.Errorf("what was done is told of, though its end is not on record: %+v, %v", n, err)
	}
	o.audit.failing()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := o.gate.DeleteClients(gone, c, []string{"2205"}, "test"); gate.AsProblem(err).Code != "called_off" || in.pushed.Len() != 1 {
		t.Errorf("%v, %d clients", err, in.pushed.Len())
	}
	want = append(want, "record decided allow crm_token", "changed", "record decided allow crm_token", "record done", // what was done before is late,
		"record recovered", "record failed called_off") // and how much was refused is told behind it
	o.happened(want...)
	// What cannot be taken is not decided at all.
	_, err := o.gate.PutClients(ctx, c, []gate.Client{{Number: other, Name: "Other"}, {Number: secret}}, "test")
	var bad *gate.BadEntries
	if !errors.As(err, &bad) || len(bad.Entries) != 1 || bad.Entries[0].Index != 1 || gate.AsProblem(err).Code != "bad_entries" {
		t.Errorf("%v", err)
	}
	o.happened(want...)
}

func TestAWebhookThatIsNotBelievedIsNotToldFromOneThatIsNotThere(t *testing.T) {
	in := &intake{}
	o := newOffice(t, house, func(c *gate.Config) { c.Intake = in })
	for err, want := range map[error]error{
		nil: nil, clients.ErrToken: gate.ErrUnproven, clients.ErrNoSource: gate.ErrUnproven, clients.ErrWebhook: gate.ErrUnproven,
	} {
		in.hook = err
		if got := o.gate.Hook(context.Background(), "crm", "", nil); !errors.Is(got, want) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	in.hook = errors.New("the cache is away")
	if err := o.gate.Hook(context.Background(), "crm", "", nil); gate.AsProblem(err).Kind != gate.Unavailable || gate.AsProblem(err).Code != "not_told" || !errors.Is(err, in.hook) {
		t.Errorf("%v", err)
	}
	if err := newOffice(t, house).gate.Hook(context.Background(), "crm", "", nil); !errors.Is(err, gate.ErrUnproven) {
		t.Errorf("without an intake: %v", err)
	}
}
