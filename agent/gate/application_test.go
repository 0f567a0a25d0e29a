package gate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// begins lets a leg begin an application of the dialplan, as ARI tells it and answers it.
func (y *yard) begins(leg, app, arguments string) {
	y.says(leg, app+" "+arguments)
	ch := y.ch(leg)
	ch.App = app
	y.ingest(call.Event{Kind: call.AppBegan, Channel: ch})
}

// ear puts a Local channel into the call "x", and gives the half that runs the dialplan.
func (y *yard) ear() string {
	y.seen(call.Channel{ID: "l1", Name: "Local/94@phones-1;1", State: call.StateUp})
	y.seen(call.Channel{ID: "l2", Name: "Local/94@phones-1;2", State: call.StateUp})
	y.enter("x", "l1")
	y.pbx.put("l2", "")
	return "l2"
}

func TestWhatIsSaidIsCarriedAwayByTheDialplan(t *testing.T) {
	const socket = "40325ec2,10.0.0.9:9092"
	trusting := func(entry string) func(*gate.Watchdog) {
		return func(w *gate.Watchdog) { w.Trusted = []string{entry} }
	}
	party := func(app, arguments string) func(*yard) {
		return func(y *yard) { y.leg("p", "PJSIP/102", call.StateUp, "*94"); y.begins("p", app, arguments) }
	}
	for name, c := range map[string]struct {
		change         func(*gate.Watchdog)
		scene          func(*yard)
		kind, did, who string
		whom           []string
	}{
		"AudioSocket":                 {nil, party("AudioSocket", socket), "media", "reported", "app:AudioSocket", []string{"boris"}},
		"EAGI":                        {nil, party("EAGI", "x"), "media", "reported", "app:EAGI", []string{"boris"}},
		"JACK":                        {nil, party("JACK", ""), "media", "reported", "app:JACK", []string{"boris"}},
		"Record":                      {nil, party("Record", "x"), "record", "reported", "app:Record", []string{"boris"}},
		"Dictate":                     {nil, party("Dictate", ""), "record", "reported", "app:Dictate", []string{"boris"}},
		"Monitor":                     {nil, party("Monitor", "wav"), "record", "reported", "app:Monitor", []string{"boris"}},
		"an address that is trusted":  {trusting("AudioSocket/10.0.0.9:*"), party("AudioSocket", socket), "media", "left", "app:AudioSocket", []string{"boris"}},
		"another address":             {trusting("AudioSocket/10.0.0.8:*"), party("AudioSocket", socket), "media", "reported", "app:AudioSocket", []string{"boris"}},
		"a program that is trusted":   {trusting("EAGI/transcribe*"), party("EAGI", "transcribe.py,ru"), "media", "left", "app:EAGI", []string{"boris"}},
		"an endpoint that is trusted": {trusting("PJSIP/102"), party("AudioSocket", socket), "media", "left", "app:AudioSocket", []string{"boris"}},
		"on the leg of a caller": {nil, func(y *yard) {
			y.leg("p", ivanov, call.StateUp, "*94")
			y.pbx.put("p", "")
			y.begins("p", "AudioSocket", socket)
		}, "media", "reported", "app:AudioSocket", nil},
		"in a call of others": {nil, func(y *yard) {
			y.talk("x", ivanov, "PJSIP/101")
			y.begins(y.ear(), "AudioSocket", socket)
		}, "media", "ended", "app:AudioSocket", []string{"anna"}},
		"in a call of others, that is to be reported": {func(w *gate.Watchdog) { w.Media = gate.Report }, func(y *yard) {
			y.talk("x", ivanov, "PJSIP/101")
			y.begins(y.ear(), "AudioSocket", socket)
		}, "media", "reported", "app:AudioSocket", []string{"anna"}},
		"where a caller was sent": {nil, func(y *yard) {
			y.talk("x", ivanov, "PJSIP/101")
			ear := y.ear()
			y.gone("x.1")
			y.begins(ear, "AudioSocket", socket)
		}, "media", "reported", "app:AudioSocket", nil},
		"in the place of another application": {nil, func(y *yard) {
			y.leg("p", "PJSIP/102", call.StateUp, "*94")
			y.begins("p", "Exec", "AudioSocket("+socket+")")
			y.says("p", "AudioSocket "+socket)
		}, "media", "reported", "app:AudioSocket", []string{"boris"}},
		"by a phone that was called for it": {nil, func(y *yard) {
			y.leg("p", "PJSIP/102", call.StateUp, "")
			y.says("p", "Record x")
			y.ingest(call.Event{Kind: call.DialEnded, Peer: y.ch("p"), Answered: true})
		}, "record", "reported", "app:Record", []string{"boris"}},
	} {
		t.Run(name, func(t *testing.T) {
			change := []func(*gate.Watchdog){}
			if c.change != nil {
				change = append(change, c.change)
			}
			y := newYard(t, house, change...)
			c.scene(y)
			e := y.became(c.did)
			if e.Action != c.kind || e.Credential != c.who || e.Subject != "" || !slices.Equal(e.Employees, c.whom) {
				t.Errorf("the record says %+v", e)
			}
			if y.hungUp() != (c.did == "ended") {
				t.Errorf("there was %q", y.log.all())
			}
		})
	}
}

// It is over with the next step of the dialplan, but for Monitor, which goes on; what is wrapped and over at once was nothing.
func TestWhatIsCarriedAwayEndsWithItsApplication(t *testing.T) {
	y := newYard(t, house)
	y.leg("p", "PJSIP/102", call.StateUp, "*94")
	y.begins("p", "ExecIf", "")
	y.begins("p", "Record", "x")
	y.became("reported")
	y.begins("p", "Wait", "9")
	y.log.until(t, "record ended")
	y.begins("p", "Monitor", "wav")
	y.log.until(t, "record witnessed", 2)
	y.begins("p", "Wait", "9")
	y.talk("x", ivanov, "PJSIP/101")
	y.snoop("control", "x.1") // is over after whatever the step has ended
	y.log.until(t, "drop own")
	y.log.until(t, "record revoked")
	if n := len(slices.DeleteFunc(y.log.all(), func(s string) bool { return !strings.HasPrefix(s, "record ended") })); n != 1 {
		t.Errorf("%d have ended", n)
	}
	y.gone("p")
	y.log.until(t, "record ended", 2)
	if n := y.count("record", "reported"); n != 2 {
		t.Errorf("%g were counted", n)
	}
}

// A snapshot tells who is in such an application, and who no more.
func TestASnapshotShowsWhatIsCarriedAway(t *testing.T) {
	y := newYard(t, house)
	taken := func(app string) {
		y.says("p", app+" x")
		y.ingest(call.Event{Kind: call.LinkLost})
		y.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: []call.Channel{
			{ID: "p", Name: "PJSIP/102-0009", State: call.StateUp, App: app, Exten: "*94", Created: start},
		}}})
	}
	taken("EAGI")
	y.became("reported")
	taken("EAGI")
	taken("Wait")
	y.log.until(t, "record ended")
	if n := y.count("media", "reported"); n != 1 {
		t.Errorf("%g were counted", n)
	}
}

// A caller whom nobody has answered is redirected where the extension changes and Dial stays; the dialplan itself gets there by steps.
func TestACallerWhoIsTakenFromPhonesThatRingIsRedirected(t *testing.T) {
	dials := func(y *yard, app, exten string) {
		ch := y.ch("x.0")
		ch.App, ch.Exten = app, exten
		y.ingest(call.Event{Kind: call.AppBegan, Channel: ch})
	}
	for name, c := range map[string]struct {
		steps []call.Channel
		found bool
	}{
		"by another's hand":     {[]call.Channel{{App: "Dial", Exten: "102"}}, true},
		"by a step":             {[]call.Channel{{App: "Goto", Exten: "101"}, {App: "Dial", Exten: "102"}}, false},
		"by a key of his":       {[]call.Channel{{App: "Dial", Exten: "1"}}, false},
		"to where he was":       {[]call.Channel{{App: "Dial", Exten: "101"}}, false},
		"after he was answered": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house)
			y.leg("x.0", ivanov, call.StateRing, "101")
			dials(y, "Dial", "101")
			y.rings("x", ivanov, "PJSIP/101")
			if c.steps == nil {
				y.answers("x", 1)
				y.ingest(call.Event{Kind: call.BlindTransferred, Channel: y.ch("x.1"), Bridge: call.Bridge{ID: "x"}})
				y.leave("x", "x.0")
				dials(y, "Dial", "102")
			}
			for _, s := range c.steps {
				dials(y, s.App, string(s.Exten))
			}
			if c.found {
				e := y.became("reported")
				if e.Action != "redirect" || !slices.Equal(e.Targets, []string{"anna"}) || !slices.Equal(e.Employees, []string{"anna"}) || e.Phase != audit.Witnessed {
					t.Errorf("the record says %+v", e)
				}
				return
			}
			y.snoop("control", "x.0") // comes after whatever there was
			y.became("ended")
			if n := y.count("redirect", "reported"); n != 0 {
				t.Errorf("%g were counted", n)
			}
		})
	}
}

// What may run something that is not told is looked at once it has gone on for a while; ARI's word counts, and no answer is none.
func TestWhatIsNotToldIsAskedForOnce(t *testing.T) {
	for name, says := range map[string]string{"another application": "Playback x", "itself": "Exec x", "gone": ""} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house)
			y.leg("p", "PJSIP/102", call.StateUp, "*95")
			asked := make(chan struct{}, 9)
			y.asked = func() { asked <- struct{}{} }
			ch := y.ch("p")
			ch.App = "Exec"
			if says != "" {
				y.says("p", says)
			}
			y.ingest(call.Event{Kind: call.AppBegan, Channel: ch})
			select {
			case <-asked:
			case <-time.After(10 * time.Second):
				t.Fatal("nobody asked")
			}
			y.talk("x", ivanov, "PJSIP/101")
			y.snoop("control", "x.1")
			y.became("ended")
			if n := y.count("media", "reported") + y.count("record", "reported"); n != 0 {
				t.Errorf("%g were counted", n)
			}
		})
	}
}

// Nothing but ARI's word tells of Broadcast: who begins it by the dialplan, within another application, or is called for it, is a spy.
func TestWhoBroadcastsIsASpy(t *testing.T) {
	begins := func(who string) func(*yard, string) {
		return func(y *yard, to string) { y.strange("s", who, call.StateUp); y.begins("s", "Broadcast", to) }
	}
	for name, c := range map[string]struct {
		scene             func(y *yard, to string)
		to                string
		did, subject, why string
		whom              []string
	}{
		"by a phone that may":      {begins("PJSIP/103"), "s,%s", "left", "carl", "allowed", []string{"anna"}},
		"by its unique id":         {begins("PJSIP/103"), "s,x.1", "left", "carl", "allowed", []string{"anna"}},
		"by a phone that may not":  {begins("PJSIP/102"), "s,%s", "ended", "boris", "no_right", []string{"anna"}},
		"of several":               {begins("PJSIP/103"), "s,%s,PJSIP/105-1", "ended", "carl", "unknown_target", nil},
		"of one that there is not": {begins("PJSIP/103"), "s,PJSIP/101", "ended", "carl", "unknown_target", nil},
		"by a phone that was called": {func(y *yard, to string) {
			y.strange("s", "PJSIP/102", call.StateUp)
			y.says("s", "Broadcast "+to)
			y.ingest(call.Event{Kind: call.DialEnded, Peer: y.ch("s"), Answered: true})
		}, "s,%s", "ended", "boris", "no_right", []string{"anna"}},
		"within another application": {func(y *yard, to string) {
			y.strange("s", "PJSIP/102", call.StateUp)
			y.begins("s", "ExecIfTime", "*,*,*,*?Broadcast("+to+")")
			y.says("s", "Broadcast "+to)
		}, "s,%s", "ended", "boris", "no_right", []string{"anna"}},
		"when Earshot comes": {func(y *yard, to string) {
			y.ingest(call.Event{Kind: call.LinkLost})
			y.pbx.put("s", "")
			y.says("s", "Broadcast "+to)
			y.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: []call.Channel{
				y.ch("x.0"), y.ch("x.1"), {ID: "s", Name: "PJSIP/103-0009", State: call.StateUp, App: "Broadcast", Created: start},
			}}})
		}, "s,%s", "left", "carl", "allowed", []string{"anna"}},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, house)
			y.talk("x", ivanov, "PJSIP/101")
			c.scene(y, strings.Replace(c.to, "%s", y.ch("x.1").Name, 1))
			e := y.became(c.did)
			if e.Action != "spy" || e.Subject != c.subject || e.Reason != c.why || !slices.Equal(e.Employees, c.whom) {
				t.Errorf("the record says %+v", e)
			}
			if y.hungUp() != (c.did == "ended") {
				t.Errorf("there was %q", y.log.all())
			}
		})
	}
}

// It is over with the next step of the dialplan; what ARI contradicts is nothing, and what ARI cannot be asked about ends nobody.
func TestABroadcastEndsWithItsApplication(t *testing.T) {
	y := newYard(t, house, func(w *gate.Watchdog) { w.Spy = gate.Report })
	y.talk("x", ivanov, "PJSIP/101")
	y.strange("s", "PJSIP/102", call.StateUp)
	y.begins("s", "Broadcast", "s,"+y.ch("x.1").Name)
	y.became("reported")
	y.begins("s", "Wait", "9")
	y.log.until(t, "record ended")

	y = newYard(t, house)
	y.talk("x", ivanov, "PJSIP/101")
	y.strange("s", "PJSIP/102", call.StateUp)
	y.err = errors.New("no answer")
	y.begins("s", "Broadcast", "s,"+y.ch("x.1").Name)
	y.became("failed")
	if y.hungUp() {
		t.Errorf("there was %q", y.log.all())
	}
}
