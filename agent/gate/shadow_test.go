package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/prometheus/client_golang/prometheus"
)

// shade is a second policy beside an office's.
type shade struct {
	*gate.Shadow
	t    testing.TB
	reg  *prometheus.Registry
	got  []gate.Difference // of Run, until it has stopped
	fail func(gate.Difference) error
	stop func()
}

func newShade(t testing.TB, text string) *shade {
	s := &shade{t: t, reg: prometheus.NewRegistry()}
	s.Shadow = gate.NewShadow(gate.ShadowConfig{Policy: set(t, text).WithGeneration(7), Metrics: gate.NewMetrics(s.reg), Record: s.record})
	s.run()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *shade) record(d gate.Difference) error {
	if s.fail != nil {
		if err := s.fail(d); err != nil {
			return err
		}
	}
	s.got = append(s.got, d)
	return nil
}

func (s *shade) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("run: %v", err)
		}
		s.stop = func() {}
	}
}

// told is what has been told so far.
func (s *shade) told() []gate.Difference {
	s.stop()
	defer s.run()
	return slices.Clone(s.got)
}

func (s *shade) beside(c *gate.Config) { c.Shadow = s.Shadow }

// counted is a counter's value, all series with these labels ("action", "spy") taken together.
func (s *shade) counted(name string, labels ...string) (n float64) {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "earshot_shadow_"+name {
			continue
		}
		for _, m := range f.Metric {
			has := map[string]string{}
			for _, l := range m.Label {
				has[l.GetName()] = l.GetValue()
			}
			if len(labels) > 0 && has[labels[0]] != labels[1] || len(labels) > 2 && has[labels[2]] != labels[3] {
				continue
			}
			n += m.Counter.GetValue()
		}
	}
	return n
}

// short is a difference in a line.
func short(d gate.Difference) string {
	line := fmt.Sprintf("%s %s %s %s: %s for %s", d.Subject, d.Action, d.Target, d.Change, d.InForce.Reason, d.Shadow.Reason)
	if d.Destination != "" {
		line += ", " + d.Destination
	}
	if d.Running {
		line += ", running"
	}
	return line
}

func shorts(all []gate.Difference) (lines []string) {
	for _, d := range all {
		lines = append(lines, short(d))
	}
	return lines
}

func TestWhatTheShadowPolicyWouldDecideOtherwiseIsCountedAndToldAndNothingElse(t *testing.T) {
	swap := func(pairs ...string) string {
		text := house
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("%q is not in the policy", pairs[i])
			}
			text = strings.Replace(text, pairs[i], pairs[i+1], 1)
		}
		return text
	}
	const dora = "listen: {to: any, allow: [spy], except: [egor]}"
	for _, c := range []struct {
		name   string
		policy string
		scene  func(o *office)
		want   []string
	}{
		{"a right less", swap(dora, "observe: true"), func(o *office) { o.active("dora", "spy", "anna") }, []string{"dora spy anna lost: allowed for no_right"}},
		{"a right more, and a call to use it on", swap("observe: true, listen: true, intercept: {to: any}", "listen: true", dora, "listen: true"), func(o *office) {
			o.refused("no_right", "dora", "barge", "anna")
		}, []string{"dora barge anna gained: no_right for allowed"}},
		{"a right more that this call would not let", swap(dora, "listen: {to: any, except: [egor]}"), func(o *office) {
			o.hangUp("x")
			o.talk("y", "PJSIP/105", "PJSIP/101")
			o.refused("no_right", "dora", "barge", "anna")
		}, []string{"dora barge anna ground: no_right for excluded_other"}},
		{"a right more and no call", swap(dora, "listen: true"), func(o *office) { o.refused("no_right", "dora", "barge", "boris") }, []string{"dora barge boris gained: no_right for allowed"}},
		{"a right less and no call", swap(dora, "observe: true"), func(o *office) { o.refused("not_talking", "dora", "spy", "boris") }, []string{"dora spy boris lost: allowed for no_right"}},
		{"the same for another reason", swap(dora, "listen: {to: any, allow: [spy], except: [egor, boris]}"), func(o *office) {
			o.refused("no_right", "dora", "barge", "boris")
			o.refused("not_talking", "dora", "spy", "boris")
		}, []string{"dora barge boris ground: no_right for excluded", "dora spy boris lost: allowed for excluded"}},
		{"another is excluded", swap(dora, "listen: {to: any, allow: [spy], except: [boris]}"), func(o *office) {
			o.hangUp("x")
			o.talk("y", "PJSIP/102", "PJSIP/101")
			o.active("dora", "spy", "anna")
		}, []string{"dora spy anna lost: allowed for excluded_other"}},
		{"a number is somebody else's", swap(`numbers: ["102"]`, `numbers: ["102", "`+ivanov+`"]`, dora, "listen: {to: any, allow: [spy], except: [boris]}"), func(o *office) {
			o.active("dora", "spy", "anna")
		}, []string{"dora spy anna lost: allowed for excluded_other"}},
		{"a number is protected", swap(`numbers: ["+7 495 765-43-21"]`, `numbers: ["`+ivanov+`"]`), func(o *office) {
			o.active("dora", "spy", "anna")
		}, []string{"dora spy anna lost: allowed for protected_number"}},
		{"a number is protected no more", swap(`numbers: ["+7 495 765-43-21"]`, `numbers: ["+7 495 765-43-22"]`), func(o *office) {
			o.hangUp("x")
			o.talk("y", secret, "PJSIP/101")
			o.refused("not_for_this_call", "dora", "spy", "anna")
		}, []string{"dora spy anna gained: protected_number for allowed"}},
		{"unknown phones are let", swap("trunks:", "unknown_phones: outside\ntrunks:"), func(o *office) {
			o.hangUp("x")
			o.talk("y", "PJSIP/999", "PJSIP/101")
			o.refused("not_for_this_call", "dora", "spy", "anna")
		}, []string{"dora spy anna gained: unknown_phone for allowed"}},
		{"the trunk is unknown", swap("trunks: [PJSIP/trunk]", "trunks: [PJSIP/other]"), func(o *office) {
			o.active("dora", "spy", "anna")
		}, []string{"dora spy anna lost: allowed for unknown_phone"}},
		{"the target's phone is another's", swap("phones: [PJSIP/102]", "phones: [PJSIP/102, PJSIP/101]", "phones: [PJSIP/101], ", ""), func(o *office) {
			o.active("dora", "spy", "anna")
		}, []string{"dora spy anna lost: allowed for unknown_target"}},
		{"the subject's phone is another's", swap("phones: [PJSIP/102]", "phones: [PJSIP/102, PJSIP/104]", "phones: [PJSIP/104], ", "phones: [PJSIP/114], "), func(o *office) {
			o.active("dora", "spy", "anna")
		}, []string{"dora spy anna lost: allowed for unknown_subject"}},
		{"the subject has gone", swap("  dora:", "  doro:"), func(o *office) { o.active("dora", "spy", "anna") }, []string{"dora spy anna lost: allowed for unknown_subject"}},
		{"the target has gone", swap("  anna:", "  anno:"), func(o *office) { o.active("dora", "spy", "anna") }, []string{"dora spy anna lost: allowed for unknown_target"}},
		{"somebody else is there", swap("except: [egor]}}\n  egor:", "except: [egor]}}\n  aron: {}\n  egor:"), func(o *office) { o.active("dora", "spy", "anna") }, nil},
		{"the line of the rule alone", "\n" + house, func(o *office) { o.active("dora", "spy", "anna") }, nil},
		{"whom the policy in force does not know", swap("  egor:", "  aron: {phones: [PJSIP/120]}\n  egor:"), func(o *office) { o.refused("no_such_employee", "dora", "spy", "aron") }, nil},
		{"a mode less", swap("listen: true, intercept: {to: any}", "spy: true, intercept: {to: any}"), func(o *office) {
			id := o.active("carl", "spy", "anna")
			if got := o.change("carl", id, "barge"); got != "barge" {
				t.Fatal(got)
			}
		}, []string{"carl barge anna lost: allowed for no_right"}},
		{"a mode more", swap(dora, "listen: true"), func(o *office) {
			id := o.active("dora", "spy", "anna")
			if got := o.change("dora", id, "barge"); got != "no_right" {
				t.Fatal(got)
			}
		}, []string{"dora barge anna gained: no_right for allowed"}},
		{"somebody comes to what runs", swap(dora, "listen: {to: any, allow: [spy], except: [boris]}"), func(o *office) {
			o.active("dora", "spy", "anna")
			o.leg("b", "PJSIP/102", call.StateUp, "")
			o.enter("x", "b")
			ch := o.ch("b")
			ch.Caller.Name = "Boris B."
			o.seen(ch)
			o.gone("b")
			o.leg("e", "PJSIP/105", call.StateUp, "")
			o.enter("x", "e")
			o.log.until(t, "record revoked deny excluded_other")
		}, []string{"dora spy anna lost: allowed for excluded_other, running", "dora spy anna gained: excluded_other for allowed, running"}},
		{"who may take calls", swap("intercept: {to: own, except: [egor]}", "intercept: {to: any, except: [egor]}", "intercept: {to: any, except: [egor]}", "observe: true"), func(o *office) {
			o.rings("y", other, "PJSIP/102")
			o.refused("not_client", "gus", "intercept", "boris")
			o.must("fay", "intercept", "boris")
			o.log.until(t, "record done")
		}, []string{"gus intercept boris gained: not_client for allowed", "fay intercept boris lost: allowed for no_right"}},
		{"whose client he is is for those the policy knows", swap("  gus:", "  gas:"), func(o *office) {
			o.rings("y", ivanov, "PJSIP/102")
			o.must("gus", "intercept", "boris")
			o.log.until(t, "record done")
		}, []string{"gus intercept boris lost: allowed for unknown_subject"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShade(t, c.policy)
			o := newOffice(t, house, s.beside)
			o.talk("x", ivanov, "PJSIP/101")
			c.scene(o)
			var got []string
			lost := map[string]float64{}
			for _, d := range s.told() {
				if strings.HasPrefix(d.Action, "observe") {
					continue // there is a test of its own
				}
				got = append(got, short(d))
				lost[d.Action+" "+d.Change]++
				if d.ID == "" || d.Time.IsZero() || d.Shadow.Generation != 7 {
					t.Errorf("%+v", d)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("told:\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for key, n := range lost {
				action, change, _ := strings.Cut(key, " ")
				if got := s.counted("differences_total", "action", action, "change", change); got != n {
					t.Errorf("%s is counted %v times and told %v", key, got, n)
				}
			}
			if known := !strings.Contains(c.name, "does not know"); known != (s.counted("decisions_total") > 0) || s.counted("dropped_total") != 0 {
				t.Errorf("%v were compared, and %v dropped", s.counted("decisions_total"), s.counted("dropped_total"))
			}
		})
	}
}

func TestADifferenceIsWrittenDownWithBothGroundsAndWithoutNumbersOrNames(t *testing.T) {
	s := newShade(t, strings.Replace(house, "except: [egor]", "except: [boris]", 1))
	o := newOffice(t, house, s.beside)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	told := s.told()
	if len(told) != 1 {
		t.Fatalf("%q", shorts(told))
	}
	d := told[0]
	line := func(text, words string) int {
		for i, l := range strings.Split(text, "\n") {
			if strings.Contains(l, words) {
				return i + 1
			}
		}
		return 0
	}
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"time":%q,"change":"lost","subject":"dora","action":"spy","target":"anna","id":%q,`+
		`"in_force":{"outcome":"allow","reason":"allowed","rule":{"file":"policy.yaml","line":%d},"generation":0},`+
		`"shadow":{"outcome":"deny","reason":"excluded_other","rule":{"file":"policy.yaml","line":%d},"generation":7}}`,
		d.Time.Format("2006-01-02T15:04:05.999999999Z07:00"), id, line(house, "dora:"), line(house, "dora:"))
	if string(data) != want {
		t.Errorf("%s\nnot\n%s", data, want)
	}
	if e := o.audit.last(t, audit.Decided); e.ID != id || e.Outcome != audit.Allow {
		t.Errorf("the record has %+v", e)
	}
}

func TestADifferenceIsToldOnceForTwoPoliciesAndCountedEachTime(t *testing.T) {
	s := newShade(t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "listen: true", 1))
	o := newOffice(t, house, s.beside)
	again := func(times, told int) {
		t.Helper()
		before := s.counted("differences_total", "action", "barge", "change", "gained")
		for range 3 {
			o.refused("no_right", "dora", "barge", "anna")
		}
		if got := s.counted("differences_total", "action", "barge", "change", "gained") - before; got != 3 {
			t.Errorf("counted %v times", got)
		}
		if got := s.told(); len(got) != told {
			t.Errorf("%q", shorts(got))
		}
	}
	again(3, 1)
	again(3, 1)
	o.gate.SetShadow(set(t, house))
	o.refused("no_right", "dora", "barge", "anna") // which is no difference now
	o.gate.SetShadow(set(t, strings.Replace(house, "allow: [spy], ", "", 1)).WithGeneration(9))
	again(3, 2)
	o.gate.SetPolicy(set(t, house).WithGeneration(3))
	again(3, 3)
	if d := s.told()[2]; d.InForce.Generation != 3 || d.Shadow.Generation != 9 {
		t.Errorf("%+v", d)
	}
	o.gate.SetShadow(nil)
	asked := s.counted("decisions_total")
	o.refused("no_right", "dora", "barge", "anna")
	if got := s.counted("decisions_total"); got != asked {
		t.Errorf("without a policy %v were compared", got-asked)
	}
}

// What runs, and what is shown, is compared when a policy comes too.
func TestAShadowPolicyThatComesIsComparedWithWhatRunsAndWithWhatIsShown(t *testing.T) {
	s := newShade(t, house)
	o := newOffice(t, house, s.beside)
	o.talk("x", ivanov, "PJSIP/101")
	o.active("dora", "spy", "anna")
	o.watch("carl")
	if got := s.told(); len(got) != 0 {
		t.Fatalf("two alike differ: %q", shorts(got))
	}
	o.gate.SetShadow(set(t, strings.Replace(house, `numbers: ["+7 495 765-43-21"]`, `numbers: ["`+ivanov+`"]`, 1)))
	want := []string{"carl observe anna lost: allowed for protected_number", "dora spy anna lost: allowed for protected_number, running"}
	if got := sorted(shorts(s.told())); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	before := len(want)
	none := strings.ReplaceAll(strings.ReplaceAll(house, "listen: {to: any, allow: [spy], except: [egor]}", "intercept: true"), "observe: true, ", "")
	o.gate.SetShadow(set(t, none))
	want = []string{"carl observe anna lost: allowed for no_right", "carl observe dora lost: allowed for no_right", "dora spy anna lost: allowed for no_right, running"}
	if got := sorted(shorts(s.told()[before:])); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	o.gate.SetPolicy(set(t, none))
	o.log.until(t, "record revoked deny no_right")
	if got := s.told(); len(got) != before+len(want) {
		t.Errorf("two alike differ: %q", shorts(got[before+len(want):]))
	}
}

func TestWhatSomebodyWouldSeeOtherwiseIsTold(t *testing.T) {
	const policy = `
version: 1
employees:
  anna:  {phones: [PJSIP/101], numbers: ["101"]}
  boris: {phones: [PJSIP/102], numbers: ["102"]}
  carl:  {phones: [PJSIP/103], observe: %s}
  gus:   {phones: [PJSIP/107], intercept: {to: own%s}}
%s
trunks: [PJSIP/trunk]
`
	for _, c := range []struct {
		name, now, then, nowMore, thenMore string
		want                               []string
	}{
		{"a peer more", "false", "true", "", "", []string{"carl observe anna gained: no_right for allowed"}},
		{"a peer less", "true", "false", "", "", []string{"carl observe anna lost: allowed for no_right"}},
		{"a kind more", "false", "kind", "", "", []string{"carl observe.kind anna gained: no_right for allowed"}},
		{"a kind for a peer", "true", "kind", "", "", []string{"carl observe anna lost: allowed for no_right"}},
		{"a peer for a kind", "kind", "true", "", "", []string{"carl observe anna gained: no_right for allowed"}},
		{"a kind less", "kind", "false", "", "", []string{"carl observe.kind anna lost: allowed for no_right"}},
		{"an exception", "true", "{to: any, except: [anna]}", "", "", []string{"carl observe anna lost: allowed for excluded"}},
		{"a protected number", "true", "true", "", `protected: {numbers: ["` + ivanov + `"]}`, []string{"carl observe anna lost: allowed for protected_number", "gus observe anna lost: allowed for no_right"}},
		{"a number of somebody who is excepted", "true", "{to: any, except: [dan]}", "", `  dan: {numbers: ["` + ivanov + `"]}`, []string{"carl observe anna lost: allowed for excluded_other"}},
		{"another phone that rings", "true", "true", "", "except boris", []string{"gus observe anna lost: allowed for no_right", "gus observe boris lost: allowed for no_right"}},
		{"a phone of another's", "true", "true", "", "anna's phone is boris's", []string{"anna observe anna lost: allowed for unknown_target", "carl observe anna lost: allowed for unknown_target", "gus observe anna lost: allowed for unknown_target"}},
		{"nothing", "true", "true", "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			then, rung := fmt.Sprintf(policy, c.then, "", c.thenMore), []string{"PJSIP/101"}
			switch c.thenMore {
			case "except boris":
				rung = append(rung, "PJSIP/102")
				then = fmt.Sprintf(policy, c.then, ", except: [boris]", "")
			case "anna's phone is boris's":
				then = strings.NewReplacer("[PJSIP/101]", "[PJSIP/111]", "[PJSIP/102]", "[PJSIP/102, PJSIP/101]").Replace(fmt.Sprintf(policy, c.then, "", ""))
			}
			s := newShade(t, then)
			o := newOffice(t, fmt.Sprintf(policy, c.now, "", c.nowMore), s.beside)
			for _, subject := range []string{"anna", "carl", "gus"} {
				o.watch(subject)
			}
			o.rings("x", ivanov, rung...) // gus's client
			first := s.told()
			o.answers("x", 1)
			o.watch("carl")
			if _, err := o.gate.Employees(who("carl")); err != nil {
				t.Fatal(err)
			}
			if got := sorted(shorts(first)); !slices.Equal(got, c.want) {
				t.Errorf("%q, not\n%q", got, c.want)
			}
			for _, d := range s.told()[len(first):] { // gus sees no more of it
				if d.Subject != "gus" {
					t.Errorf("and then %q", short(d))
				}
			}
		})
	}
}

func TestWhoComesToLookIsComparedToo(t *testing.T) {
	for name, look := range map[string]func(o *office){
		"a stream": func(o *office) { o.watch("carl") },
		"a request": func(o *office) {
			if _, err := o.gate.Employees(who("carl")); err != nil {
				o.t.Fatal(err)
			}
		},
	} {
		s := newShade(t, strings.Replace(house, "observe: true, ", "", 1))
		o := newOffice(t, house, s.beside)
		o.talk("x", ivanov, "PJSIP/101")
		if got := s.told(); len(got) != 0 {
			t.Fatalf("%s: nobody looks, and yet %q", name, shorts(got))
		}
		look(o)
		if got := shorts(s.told()); !slices.Equal(got, []string{"carl observe anna lost: allowed for no_right"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAShadowThatCannotKeepUpOrWriteHoldsUpNobodyAndIsCounted(t *testing.T) {
	s := newShade(t, strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}", "listen: true", 1))
	o := newOffice(t, house, s.beside)
	s.stop() // nobody takes anything from the queue
	const asked = 5000
	for range asked {
		o.refused("no_right", "dora", "barge", "anna")
	}
	s.run()
	if told, dropped := s.told(), s.counted("dropped_total"); len(told) != 1 || dropped == 0 || dropped >= asked {
		t.Errorf("%q, and %v dropped", shorts(told), dropped)
	}
	if got := s.counted("differences_total", "action", "barge", "change", "gained"); got != asked {
		t.Errorf("counted %v times", got)
	}

	// What could not be written comes again. A panic is a failure like any other.
	s.stop()
	s.fail = func(gate.Difference) error { return errors.New("disk full") }
	s.run()
	before := s.counted("dropped_total")
	o.refused("no_right", "dora", "whisper", "anna")
	s.stop()
	s.fail = func(gate.Difference) error { panic("a mistake") }
	s.run()
	o.refused("no_right", "dora", "whisper", "anna")
	s.stop()
	s.fail = nil
	s.run()
	if told := s.told(); len(told) != 1 || s.counted("dropped_total") != before+2 {
		t.Errorf("%q, and %v dropped", shorts(told), s.counted("dropped_total")-before)
	}
	o.refused("no_right", "dora", "whisper", "anna")
	if told := s.told(); len(told) != 2 {
		t.Errorf("%q", shorts(told))
	}
}

func TestWhatSomebodyMayDialIsCompared(t *testing.T) {
	for _, c := range []struct {
		name, old, new, subject string
		ask                     gate.DialAsk
		want                    []string
	}{
		{"a number", "dial: none", "dial: any", "non", gate.DialAsk{Number: "+7 495 111-22-33"}, []string{"non dial  gained: no_right for allowed, outside"}},
		{"a number less", "phones: [PJSIP/101, PJSIP/111], numbers: [\"101\"], dial: any", "phones: [PJSIP/101, PJSIP/111], numbers: [\"101\"]", "ann", gate.DialAsk{Number: "+7 495 111-22-33"}, []string{"ann dial  lost: allowed for no_right, outside"}},
		{"a colleague", "except: {employees: [boss]}}}\n  non", "except: {employees: [ann]}}}\n  non", "col", gate.DialAsk{Employee: "ann"}, []string{"col dial ann lost: allowed for excluded, employee"}},
		{"a colleague who has gone", "boss", "bass", "mix", gate.DialAsk{Employee: "boss"}, []string{"mix dial boss lost: allowed for unknown_target, employee"}},
		{"a caller who has gone", "  mix:", "  max:", "mix", gate.DialAsk{Employee: "ann"}, []string{"mix dial ann lost: allowed for unknown_subject, employee"}},
		{"an emergency number", `["112"]`, `["113"]`, "non", gate.DialAsk{Number: "112"}, []string{"non dial  lost: emergency for no_right, emergency"}},
		{"one's own client", "dial: {clients: own}", "dial: {employees: true}", "cli", gate.DialAsk{Number: ivanov}, []string{"cli dial  lost: allowed for no_right, client"}},
		{"another's client", "dial: {clients: own}", "dial: {clients: true}", "cli", gate.DialAsk{Number: other}, []string{"cli dial  gained: no_right for allowed, client"}},
		{"a client alike", "dial: none", "dial: {clients: true}", "mix", gate.DialAsk{Number: ivanov}, nil},
		{"a number that becomes a colleague's", `["107", "+79160000107"]`, `["107", "+79160000107", "+74951112233"]`, "bar", gate.DialAsk{Number: "+74951112233"}, []string{"bar dial  lost: allowed for excluded, outside"}},
	} {
		if !strings.Contains(callers, c.old) {
			t.Fatalf("%s: nothing to change", c.name)
		}
		s := newShade(t, strings.ReplaceAll(callers, c.old, c.new))
		asked := map[string]int{}
		o := newOffice(t, callers, s.beside, func(g *gate.Config) {
			g.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU", Prefixes: []string{"9", "*67"}}}
			g.Clients = counting{directory{ivanov: {Number: ivanov, Responsible: "cli"}, other: {Number: other, Responsible: "mix"}}, asked}
		})
		_, err := o.gate.Dial(t.Context(), who(c.subject), c.ask)
		if allowed := len(c.want) == 0 || strings.Contains(c.want[0], "lost"); (err == nil) != allowed {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := shorts(s.told()); !slices.Equal(got, c.want) || s.counted("decisions_total", "action", "dial") != 1 {
			t.Errorf("%s: %q", c.name, got)
		}
		for number, n := range asked {
			if n > 1 {
				t.Errorf("%s: the directory was asked %d times about %d digits", c.name, n, len(number))
			}
		}
	}
}

// Where a colleague's phone is a trunk by the second policy, the directory, which may have to ask others, is not asked about him for that.
func TestTheDirectoryIsAskedNothingForTheSakeOfAShadowPolicy(t *testing.T) {
	s := newShade(t, strings.NewReplacer("phones: [PJSIP/102]", "phones: [PJSIP/112]", "trunks: [PJSIP/trunk]", "trunks: [PJSIP/trunk, PJSIP/102]").Replace(house))
	asked := map[string]int{}
	o := newOffice(t, house, s.beside, func(c *gate.Config) { c.Clients = counting{directory{}, asked} })
	o.rings("x", "PJSIP/102", "PJSIP/101")
	o.refused("not_client", "gus", "intercept", "anna")
	o.rings("y", ivanov, "PJSIP/101")
	if asked["102"] != 0 || asked[ivanov] == 0 {
		t.Errorf("it was asked %v", asked)
	}
}

// counting is a directory that counts how often it is asked.
type counting struct {
	directory
	asked map[string]int
}

func (c counting) Find(number string) (clients.Client, clients.Answer) {
	c.asked[number]++
	return c.directory.Find(number)
}

// A policy beside itself differs in nothing, whatever is asked and answered; and another moment of the same two tells nothing anew.
func TestAPolicyBesideItselfNeverDiffers(t *testing.T) {
	s := newShade(t, asking)
	o := newOffice(t, asking, s.beside)
	for _, reason := range []string{"", "complaint 4711"} {
		o.because(reason, "dora", "spy", "anna") // who is on no call
		o.because(reason, "dora", "barge", "egor")
	}
	o.talk("x", ivanov, "PJSIP/101")
	for _, reason := range []string{"", "complaint 4711", "again, while her phone is taken"} {
		o.because(reason, "dora", "spy", "anna")
	}
	if got := s.told(); len(got) != 0 || s.counted("decisions_total") == 0 {
		t.Fatalf("%v were compared: %q", s.counted("decisions_total"), shorts(got))
	}
	less := set(t, strings.Replace(asking, "reason: [anna, egor]", "except: [anna]", 1))
	o.gate.SetShadow(less)
	first := len(s.told())
	if first == 0 {
		t.Fatal("nothing differs")
	}
	for i := range 3 {
		o.gate.SetShadow(less.At(start.AddDate(0, 0, i)).WithGeneration(uint64(i)))
		o.because("complaint 4711", "dora", "spy", "anna")
	}
	if got := shorts(s.told()); len(got) != first {
		t.Fatalf("%q", got)
	}
}
