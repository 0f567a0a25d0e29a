package policyfile_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

func given(spy string) []policyfile.Document {
	return []policyfile.Document{
		{Name: "/srv/policy.yaml", Text: "version: 1\ntimezone: UTC\nemployees:\n  anna: {name: Anna, phones: [PJSIP/101]}\n  boris: {name: Boris, phones: [PJSIP/102]}\n"},
		{Name: "/srv/roles.yaml", Text: "version: 1\nroles:\n  head: {listen: " + spy + "}\nassign:\n  - {role: head, to: [anna], until: 2026-01-31}\n"},
	}
}

func TestAGivenPolicyIsReplacedAsAWholeOrNotAtAll(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var told []error
	f, err := policyfile.Give(given("any"), 70, policyfile.Options{Now: func() time.Time { return now }, OnChange: func(_ *policy.Set, err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	if !allows(f.Current()) || f.Current().Generation() != 70 || f.Status().Generation != 70 {
		t.Fatalf("%+v", f.Status())
	}
	kept := 0
	keep := func() {
		kept++
		if f.Current().Generation() != 70 {
			t.Error("it is in force before it was kept")
		}
	}
	broken := given("any")
	broken[1].Text = "version: 1\nroles:\n  head: {listens: any}\n"
	for name, documents := range map[string][]policyfile.Document{"broken": broken, "none": nil, "half": given("any")[1:]} {
		if f.Replace(documents, 80, nil, keep) == nil || kept != 0 || !allows(f.Current()) || f.Current().Generation() != 70 || f.Status().LastError == nil {
			t.Errorf("%s: %+v", name, f.Status())
		}
	}
	if len(told) != 3 || slices.Contains(told, nil) {
		t.Errorf("%v", told)
	}
	if err := f.Reload(); err != nil || f.Status().LastError != nil || f.Current().Generation() != 70 {
		t.Errorf("%v %+v", err, f.Status())
	}
	if err := f.Replace(given("none"), 80, nil, keep); err != nil || kept != 1 || allows(f.Current()) || f.Current().Generation() != 80 {
		t.Errorf("%v %+v", err, f.Status())
	}
	if err := f.Replace(given("none"), 90, nil, nil); err != nil || f.Current().Generation() != 80 {
		t.Errorf("the same is another: %v %+v", err, f.Status())
	}
	if err := f.Replace(given("any"), 5, nil, nil); err != nil || f.Current().Generation() != 81 {
		t.Errorf("generations fall: %v %+v", err, f.Status())
	}
	if documents, generation := f.InForce(); generation != 81 || !slices.Equal(documents, given("any")) {
		t.Errorf("%d %v", generation, documents)
	}
	// It is not of this machine's files.
	if _, err := f.Edit(t.Context(), "anna", "", nil); !errors.As(err, new(*policyfile.UnsafeError)) {
		t.Errorf("%v", err)
	}
	if e, err := f.Employee("anna"); err != nil || !e.InForce {
		t.Errorf("%v", err)
	}
	if _, err := policyfile.Give(nil, 1, policyfile.Options{}); err == nil {
		t.Error("nothing was given")
	}
}

func TestWhatEndsInAGivenPolicyEnds(t *testing.T) {
	clock := make(chan time.Time)
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC).Unix())
	changed := make(chan struct{}, 1)
	f, err := policyfile.Give(given("any"), 70, policyfile.Options{
		Now: func() time.Time { return time.Unix(now.Load(), 0) }, After: func(time.Duration) <-chan time.Time { return clock },
		OnChange: func(*policy.Set, error) { changed <- struct{}{} },
	})
	if err != nil || !allows(f.Current()) {
		t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Watch(ctx) }()
	clock <- time.Time{}
	now.Add(2 * 60 * 60)
	clock <- time.Time{}
	<-changed
	if allows(f.Current()) || f.Current().Generation() != 71 {
		t.Errorf("%+v", f.Status())
	}
	if _, generation := f.InForce(); generation != 70 {
		t.Errorf("%d", generation)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
