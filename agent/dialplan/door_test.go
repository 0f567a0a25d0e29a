package dialplan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/dialplan"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is a gate that writes down what it is asked and says what it is told to.
type asked struct {
	mu   sync.Mutex
	log  []string
	err  error
	hold chan struct{} // nil: answers at once
	came chan struct{}
	by   string // the endpoint of whoever has transferred each leg; empty: nobody has
}

func (g *asked) took(ctx context.Context, format string, args ...any) error {
	g.mu.Lock()
	g.log = append(g.log, fmt.Sprintf(format, args...))
	g.mu.Unlock()
	g.came <- struct{}{}
	if g.hold != nil {
		select {
		case <-g.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.err
}

func (g *asked) ask(what string, s auth.Subject, a gate.Ask) string {
	return fmt.Sprintf("%s %s by %s: %s %s on %s, %s, %q", what, s.Employee(), s.Credential(), a.Mode, a.Number, a.Leg, a.Phone, a.Target+a.Call+a.Reason)
}

func (g *asked) Supervise(ctx context.Context, s auth.Subject, a gate.Ask) (mask.Supervision, error) {
	return mask.Supervision{}, g.took(ctx, "%s", g.ask("supervise", s, a))
}

func (g *asked) Intercept(ctx context.Context, s auth.Subject, a gate.Ask) (mask.Intercept, error) {
	return mask.Intercept{}, g.took(ctx, "%s", g.ask("intercept", s, a))
}

func (g *asked) InterceptOldest(ctx context.Context, s auth.Subject, a gate.Ask) (mask.Intercept, error) {
	return mask.Intercept{}, g.took(ctx, "%s", g.ask("oldest", s, a))
}

func (g *asked) Dial(ctx context.Context, s auth.Subject, a gate.DialAsk) (mask.Dialled, error) {
	err := g.took(ctx, "dial %s: %s on %s, %s, %q", s.Employee(), a.Number, a.Leg, a.Phone, a.Employee)
	if g.by != "" && !a.Transferred { // as of any leg that has been on a call
		return mask.Dialled{}, &gate.Problem{Kind: gate.Invalid, Code: gate.NotYourPhone}
	}
	return mask.Dialled{}, err
}

func (g *asked) SwitchLock(ctx context.Context, s auth.Subject, leg string) error {
	return g.took(ctx, "lock %s by %s on %s", s.Employee(), s.Credential(), leg)
}

func (g *asked) ChangeModeOn(ctx context.Context, leg, mode string, may func(auth.Subject) error) error {
	if err := may(auth.Subject{}); err != nil {
		return err
	}
	return g.took(ctx, "change %s to %s", leg, mode)
}

func (g *asked) Emergency(number string) bool { return number == "112" }

func (g *asked) TransferredBy(context.Context, string, string) (string, bool) {
	return g.by, g.by != ""
}

func (g *asked) TurnAway(leg string, err error) {
	_ = g.took(context.Background(), "turn away %s: %s", leg, gate.AsProblem(err).Code)
}

func (g *asked) next(t *testing.T) string {
	t.Helper()
	<-g.came
	g.mu.Lock()
	defer g.mu.Unlock()
	said := g.log[0]
	g.log = g.log[1:]
	return said
}

func open(t *testing.T, keys bool, change ...func(*dialplan.Config)) (*dialplan.Door, *asked) {
	g := &asked{came: make(chan struct{}, 512)}
	phones := auth.Phones{Owner: func(endpoint string) (employee, phone string, ok bool) {
		return "anna", "PJSIP/101", strings.EqualFold(endpoint, "PJSIP/101")
	}}
	cfg := dialplan.Config{Gate: g, Auth: phones, Keys: keys, Log: zerolog.Nop()}
	for _, f := range change {
		f(&cfg)
	}
	d := dialplan.New(cfg)
	t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return d, g
}

func TestARequestIsAskedOfTheGateForTheOwnerOfTheEndpoint(t *testing.T) {
	d, g := open(t, false)
	for args, want := range map[string]string{
		"spy,102":                    "supervise anna by phone:PJSIP/101: spy 102 on 1.1, pjsip/101, \"\"",
		"whisper,102":                "supervise anna by phone:PJSIP/101: whisper 102 on 1.1, pjsip/101, \"\"",
		"barge,102":                  "supervise anna by phone:PJSIP/101: barge 102 on 1.1, pjsip/101, \"\"",
		"take,102":                   "intercept anna by phone:PJSIP/101: take 102 on 1.1, pjsip/101, \"\"",
		"group":                      "oldest anna by phone:PJSIP/101: group  on 1.1, pjsip/101, \"\"",
		"dial,+79160000000":          "dial anna: +79160000000 on 1.1, pjsip/101, \"\"",
		"dial,112":                   "dial anna: 112 on 1.1, pjsip/101, \"\"",
		"lock":                       "lock anna by phone:PJSIP/101 on 1.1",
		"lock,102":                   "turn away 1.1: bad_request",
		"lock,":                      "turn away 1.1: bad_request",
		"spy":                        "turn away 1.1: bad_request",
		"spy,":                       "turn away 1.1: bad_request",
		"spy,+102":                   "turn away 1.1: bad_request",
		"spy,*102":                   "turn away 1.1: bad_request",
		"spy,102,q":                  "turn away 1.1: bad_request",
		"spy,${X}":                   "turn away 1.1: bad_request",
		"spy,1 2":                    "turn away 1.1: bad_request",
		"group,102":                  "turn away 1.1: bad_request",
		"group,":                     "turn away 1.1: bad_request",
		"dial,*98":                   "turn away 1.1: bad_request",
		"dial,++7":                   "turn away 1.1: bad_request",
		"dial,123456789012345678901": "turn away 1.1: bad_request",
		"intercept,102":              "turn away 1.1: bad_request",
		"":                           "turn away 1.1: bad_request",
	} {
		d.Asked("1.1", "pjsip/101", strings.Split(args, ","))
		if got := g.next(t); got != want {
			t.Errorf("%s: %s\nwant %s", args, got, want)
		}
	}
}

// A number that somebody was transferred to is dialled by who has transferred him, be he outside or a colleague; a code is not.
func TestWhoIsTransferredOutGoesByTheRightOfWhoHasTransferredHim(t *testing.T) {
	const dialled = `dial anna: 79160000000 on 1.1, PJSIP/101, ""`
	for name, c := range map[string]struct {
		by, endpoint, args string
		want               []string
	}{
		"who is outside":               {"PJSIP/101", "PJSIP/trunk", "dial,79160000000", []string{dialled}},
		"a colleague":                  {"PJSIP/101", "pjsip/101", "dial,79160000000", []string{`dial anna: 79160000000 on 1.1, pjsip/101, ""`, dialled}},
		"by whom the policy knows not": {"PJSIP/999", "PJSIP/trunk", "dial,79160000000", []string{"turn away 1.1: unknown_phone"}},
		"by nobody":                    {"", "PJSIP/trunk", "dial,79160000000", []string{"turn away 1.1: unknown_phone"}},
		"to a code":                    {"PJSIP/101", "PJSIP/trunk", "spy,102", []string{"turn away 1.1: unknown_phone"}},
	} {
		d, g := open(t, false)
		g.by = c.by
		d.Asked("1.1", c.endpoint, strings.Split(c.args, ","))
		for _, want := range c.want {
			if got := g.next(t); got != want {
				t.Errorf("%s: %s\nwant %s", name, got, want)
			}
		}
	}
}

func TestWhoeverIsNotKnownIsTurnedAway(t *testing.T) {
	d, g := open(t, false)
	for _, endpoint := range []string{"", "PJSIP/102", "PJSIP/1010", "PJSIP/101-00000001", "Local/101@phones"} {
		d.Asked("1.1", endpoint, []string{"spy", "102"})
		if got := g.next(t); got != "turn away 1.1: unknown_phone" {
			t.Errorf("%q: %s", endpoint, got)
		}
	}
}

// An emergency call waits for no turn and is asked of the gate whosever phone it is.
func TestAnEmergencyCallWaitsForNoTurnAndHasNoOwner(t *testing.T) {
	d, g := open(t, false)
	g.hold = make(chan struct{})
	for i := range 64 {
		d.Asked(fmt.Sprint(i), "PJSIP/101", []string{"spy", "102"})
	}
	for range 64 {
		g.next(t)
	}
	d.Asked("1.1", "PJSIP/999", []string{"dial", "112"})
	d.Asked("1.2", "PJSIP/999", []string{"dial", "113"}) // has to wait
	if got := g.next(t); got != "dial : 112 on 1.1, PJSIP/999, \"\"" {
		t.Error(got)
	}
	close(g.hold)
	if got := g.next(t); got != "turn away 1.2: unknown_phone" {
		t.Error(got)
	}
}

// A dialplan that enters the application without saying why is told that it does not work.
func TestALegThatAsksNothingIsTurnedAway(t *testing.T) {
	d, g := open(t, false)
	for _, args := range [][]string{nil, {}} {
		d.Asked("1.1", "PJSIP/101", args)
		if got := g.next(t); got != "turn away 1.1: no_request" {
			t.Error(got)
		}
	}
}

func TestWhatTheGateRefusesIsTurnedAwayWithItsProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&gate.Problem{Kind: gate.Refused, Code: "no_right"}, "no_right"},
		{errors.New("a fault"), "internal"},
	} {
		d, g := open(t, false)
		g.err = c.err
		d.Asked("1.1", "PJSIP/101", []string{"spy", "102"})
		g.next(t)
		if got := g.next(t); got != "turn away 1.1: "+c.want {
			t.Error(got)
		}
	}
}

func TestKeysAskForAModeOnlyWhereTheyMay(t *testing.T) {
	d, g := open(t, true)
	for key, want := range map[string]string{"4": "spy", "5": "whisper", "6": "barge"} {
		d.Pressed("1.1", key)
		if got := g.next(t); got != "change 1.1 to "+want {
			t.Error(got)
		}
	}
	without, h := open(t, false)
	for _, key := range []string{"4", "5", "6"} {
		without.Pressed("1.1", key)
	}
	for _, key := range []string{"1", "#", "", "44"} {
		d.Pressed("1.1", key)
	}
	if err := errors.Join(d.Close(t.Context()), without.Close(t.Context())); err != nil || len(g.came)+len(h.came) > 0 {
		t.Errorf("%v, %v, %v", err, g.log, h.log)
	}
}

// Who asks too often is turned away before the gate is asked, whatever he asks for, unless it is an emergency number.
func TestWhoAsksTooOftenIsTurnedAway(t *testing.T) {
	left := 1
	var asked []string
	d, g := open(t, true, func(c *dialplan.Config) {
		c.Command = func(s auth.Subject) bool {
			asked = append(asked, s.Employee())
			left--
			return left >= 0
		}
	})
	for _, c := range []struct{ args, want string }{
		{"group", "oldest anna by phone:PJSIP/101:"},
		{"spy,102", "turn away 1.1: too_many_requests"}, {"take,102", "turn away 1.1: too_many_requests"}, {"lock", "turn away 1.1: too_many_requests"},
		{"dial,89160000000", "turn away 1.1: too_many_requests"}, {"dial,112", "dial anna: 112 on 1.1, PJSIP/101, \"\""}, {"dial,x", "turn away 1.1: bad_request"},
	} {
		d.Asked("1.1", "PJSIP/101", strings.Split(c.args, ","))
		if got := g.next(t); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s\nwant %s", c.args, got, c.want)
		}
	}
	d.Pressed("1.1", "4")
	if err := d.Close(t.Context()); err != nil || len(g.came) > 0 {
		t.Errorf("%v, %v", err, g.log)
	}
	if strings.Join(asked, " ") != "anna anna anna anna anna anna " {
		t.Errorf("counted were %q", asked)
	}
}

// However many ask at once, so many are looked at; a door that closes waits for them, and takes no more.
func TestADoorThatClosesWaitsForWhatIsUnderWay(t *testing.T) {
	d, g := open(t, false)
	g.hold = make(chan struct{})
	for i := range 100 {
		d.Asked(fmt.Sprint(i), "PJSIP/101", []string{"spy", "102"})
	}
	for range 64 {
		g.next(t)
	}
	if len(g.came) > 0 {
		t.Error("more than 64 are under way")
	}
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		closed <- d.Close(ctx)
	}()
	close(g.hold)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if len(g.came) != 36 {
		t.Errorf("%d of the 36 that had to wait have had their turn", len(g.came))
	}
	d.Asked("late", "PJSIP/101", []string{"spy", "102"})
	if len(g.came) != 36 {
		t.Error("one was taken after the close")
	}
}
