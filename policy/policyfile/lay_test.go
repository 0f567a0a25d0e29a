package policyfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

func spying(on bool) *policy.Overlay {
	return &policy.Overlay{Settings: []policy.OverlaySetting{{Place: 2, Employee: "anna", Flag: "spy", On: on}}}
}

// about is an overlay that names somebody.
func about(who string) *policy.Overlay {
	return &policy.Overlay{Settings: []policy.OverlaySetting{{Place: 2, Employee: "anna", Target: who}}}
}

func TestWithoutAnOverlayNobodyListens(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var told []*policy.Set
	f, err := policyfile.Give(given("any"), 70, policyfile.Options{
		Overlay: true, Now: func() time.Time { return now }, OnChange: func(s *policy.Set, _ error) { told = append(told, s) },
	})
	if err != nil || allows(f.Current()) {
		t.Fatalf("%v", err)
	}
	for i, c := range []struct {
		overlay *policy.Overlay
		allowed bool
		fits    bool
	}{
		{new(policy.Overlay), true, true}, {spying(false), false, true}, {spying(true), true, true}, {about("nobody"), true, false},
		{about("boris"), false, true}, {about("nobody"), false, false}, {new(policy.Overlay), true, true}, {nil, false, true}, {spying(true), true, true},
	} {
		before := f.Status().Generation
		err := f.Lay(c.overlay)
		if (err == nil) != c.fits || !c.fits && !errors.Is(err, policy.ErrOverlay) || allows(f.Current()) != c.allowed {
			t.Fatalf("%d: %v", i, err)
		}
		if g := f.Status().Generation; (g > before) != c.fits || f.Current().Generation() != g || c.fits && told[len(told)-1] != f.Current() {
			t.Errorf("%d: generation %d after %d", i, g, before)
		}
	}
	times := len(told)
	if err := f.Lay(spying(true)); err != nil || len(told) != times {
		t.Errorf("the same is another: %v", err)
	}
	// Another policy comes with its overlay, or stays out with it.
	kept := false
	if err := f.Replace(given("none"), 90, about("nobody"), func() { kept = true }); !errors.Is(err, policy.ErrOverlay) || kept || f.Status().LastError != nil || !allows(f.Current()) || f.Current().Generation() >= 90 {
		t.Errorf("%v %+v", err, f.Status())
	}
	if err := f.Replace(given("none"), 90, spying(false), nil); err != nil || allows(f.Current()) || f.Current().Generation() != 90 {
		t.Errorf("%v", err)
	}
	// So do the same documents, which come back when somebody has taken back what was not seen here.
	for _, o := range []*policy.Overlay{nil, spying(true), spying(false)} {
		if err := f.Replace(given("any"), 91, o, nil); err != nil || allows(f.Current()) != (o != nil && o.Settings[0].On) {
			t.Errorf("the same documents with %+v: %v", o, err)
		}
		was := f.Current()
		if err := f.Replace(given("any"), 99, o, nil); err != nil || f.Current() != was {
			t.Errorf("the same is another: %v", err)
		}
	}
	if err := f.Replace(given("any"), 91, nil, nil); err != nil || allows(f.Current()) {
		t.Errorf("with one that is not known: %v", err)
	}
	if err := f.Lay(spying(true)); err != nil || !allows(f.Current()) {
		t.Errorf("%v", err)
	}
	plain, err := policyfile.Give(given("any"), 1, policyfile.Options{Now: func() time.Time { return now }})
	if err != nil || plain.Lay(nil) == nil || !allows(plain.Current()) {
		t.Errorf("%v", err)
	}
}

func TestFilesThatTheOverlayDoesNotFitAreAsBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const with, without = "version: 1\nemployees: {anna: {spy: true}, boris: {}, vera: {}}\n", "version: 1\nemployees: {anna: {spy: true}, boris: {}}\n"
	write(with)
	f, err := policyfile.Open([]string{path}, policyfile.Options{Overlay: true})
	if err != nil || allows(f.Current()) {
		t.Fatalf("%v", err)
	}
	if err := f.Lay(about("vera")); err != nil || !allows(f.Current()) {
		t.Fatalf("%v", err)
	}
	write(without)
	if err := f.Reload(); !errors.Is(err, policy.ErrOverlay) || f.Current().Len() != 3 || !errors.Is(f.Status().LastError, policy.ErrOverlay) {
		t.Errorf("%v", err)
	}
	// What is changed of the overlay is in force though the files are not good.
	if err := f.Lay(&policy.Overlay{Settings: append(about("vera").Settings, spying(false).Settings...)}); err != nil || allows(f.Current()) || f.Status().LastError == nil {
		t.Errorf("%v", err)
	}
	if err := f.Lay(new(policy.Overlay)); err != nil {
		t.Fatal(err)
	}
	if s := f.Status(); s.LastError != nil || f.Current().Len() != 2 || !allows(f.Current()) {
		t.Errorf("the files are not in force which it fits now: %+v", s)
	}
}
