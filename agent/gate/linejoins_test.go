package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// snapshotOf is the first message of a new stream.
func (o *office) snapshotOf(subject string) gate.Board {
	o.t.Helper()
	w, err := o.gate.Watch(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	defer w.Close()
	m, err := w.Next(o.t.Context())
	if err != nil || m.Type != gate.MessageSnapshot {
		o.t.Fatalf("%+v %v", m, err)
	}
	return *m.Board
}

// joins is what the subject finds of a line's joinings: his own ids, and who has joined his conversations; or the problem's code.
func (o *office) joins(subject, line string) (own []string, by []string, code string) {
	o.t.Helper()
	mine, joined, err := o.gate.JoinsOfLine(who(subject), line)
	if err != nil {
		return nil, nil, gate.AsProblem(err).Code
	}
	for _, j := range mine {
		own = append(own, j.ID+" "+j.State)
	}
	for _, s := range joined {
		by = append(by, s.By+" "+s.Mode+" "+s.State)
	}
	return own, by, ""
}

func TestARunningJoiningIsFoundByWhoComesAnew(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	w := o.watch("rosa")
	id := o.mustJoin("join", "rosa", "sales", "anna")
	w.becomes(id, "active")
	if own, by, code := o.joins("rosa", "sales"); !slices.Equal(own, []string{id + " active"}) || by != nil || code != "" {
		t.Errorf("rosa: %q %q %q", own, by, code)
	}
	if own, by, code := o.joins("anna", "sales"); own != nil || !slices.Equal(by, []string{"rosa join active"}) || code != "" {
		t.Errorf("anna, who is joined: %q %q %q", own, by, code)
	}
	if own, by, code := o.joins("vic", "sales"); own != nil || by != nil || code != "" {
		t.Errorf("vic, who views: %q %q %q", own, by, code)
	}
	for _, c := range [][2]string{{"dora", "sales"}, {"rosa", "nowhere"}, {"anna", "support"}} {
		if _, _, code := o.joins(c[0], c[1]); code != "no_such_line" {
			t.Errorf("%v: %q", c, code)
		}
	}
	if b := o.snapshotOf("rosa"); len(b.Joins) != 1 || b.Joins[0].ID != id || b.Joins[0].State != "active" || b.Joins[0].Line != "sales" {
		t.Errorf("%+v", b.Joins)
	}
	if b := o.snapshotOf("anna"); b.Joins == nil || len(b.Joins) != 0 || !slices.ContainsFunc(b.Employees, func(r mask.Row) bool { return r.ID == "anna" && r.Calls[0].Supervised }) {
		t.Errorf("%+v", b)
	}
	if list, _ := o.gate.Joins(who("rosa")); len(list) != 1 || list[0].Phone != "PJSIP/103" {
		t.Errorf("%+v", list)
	}
	for _, c := range [][3]string{{"anna", "sales", id}, {"rosa", "support", id}, {"rosa", "sales", "none"}} {
		_, err := o.gate.Join(who(c[0]), c[1], c[2])
		if end := o.gate.EndJoin(t.Context(), who(c[0]), c[1], c[2]); gate.AsProblem(err).Code != "no_such_join" || gate.AsProblem(end).Code != "no_such_join" {
			t.Errorf("%v: %v %v", c, err, end)
		}
	}
	if v, err := o.gate.Join(who("rosa"), "sales", id); err != nil || v.State != "active" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestWhoEndsHisJoiningLeavesTheOthersAlone(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	w, anna := o.watch("rosa"), o.watch("anna")
	id := o.mustJoin("join", "rosa", "sales", "anna")
	w.becomes(id, "active")
	anna.toldOf(id, "active")
	if err := o.gate.EndJoin(t.Context(), who("rosa"), "sales", id); err != nil {
		t.Fatal(err)
	}
	if _, there := o.pbx.where(o.pbx.joins[0].Leg); there {
		t.Error("his leg is there still")
	}
	if reason := w.becomes(id, "ended"); reason != "ended_by_supervisor" {
		t.Error(reason)
	}
	anna.toldOf(id, "ended")
	if r := o.row("rosa", "anna"); r.State != "talking" || r.Calls[0].Peer.Number != ivanov {
		t.Errorf("%+v", r)
	}
	if e := o.audit.last(t, audit.Ended); e.ID != id || e.Reason != "ended_by_supervisor" {
		t.Errorf("%+v", e)
	}
	if b := o.snapshotOf("rosa"); len(b.Joins) != 0 {
		t.Errorf("%+v", b.Joins)
	}
}

// In the moment in which the colleague has gone, the customer is not hung up on by whoever ends the joining.
func TestTheCustomerIsNotHungUpOnWhateverEndsTheJoining(t *testing.T) {
	for name, end := range map[string]func(o *office, id string){
		"he ends it":             func(o *office, id string) { _ = o.gate.EndJoin(t.Context(), who("rosa"), "sales", id) },
		"his credential is gone": func(o *office, _ string) { o.gate.Recheck(func(auth.Subject) bool { return false }) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newLineOffice(t, func(c *gate.Config) { c.Grace = time.Hour })
			o.converses("x", ivanov, "q-sales", "PJSIP/101")
			w := o.watch("rosa")
			id := o.mustJoin("join", "rosa", "sales", "anna")
			w.becomes(id, "active")
			o.gone("x.1")
			end(o, id)
			w.becomes(id, "ended")
			if _, there := o.pbx.where(o.pbx.joins[0].Leg); !there {
				t.Error("the customer was hung up on")
			}
		})
	}
}

// A colleague who has gone elsewhere with his phone up has left the customer to who joined, too.
func TestTheCustomerIsLeftToWhoJoinedWhenTheColleagueIsMoved(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	w := o.watch("rosa")
	id := o.mustJoin("join", "rosa", "sales", "anna")
	w.becomes(id, "active")
	o.leg("y.0", "PJSIP/102", call.StateUp, "")
	o.leave("x", "x.1")
	o.enter("y", "y.0", "x.1")
	if reason := w.becomes(id, "ended"); reason != "call_ended" {
		t.Error(reason)
	}
	if _, there := o.pbx.where(o.pbx.joins[0].Leg); !there {
		t.Error("the customer was hung up on")
	}
}

func TestATakeoverIsCalledOffWhileThePhoneRings(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	o.holds("x.1")
	o.pbx.set(func() { o.pbx.silent = true })
	w := o.watch("rosa")
	id := o.mustJoin("takeover", "rosa", "sales", "anna")
	o.waitRungRow("rosa")
	if own, _, _ := o.joins("rosa", "sales"); !slices.Equal(own, []string{id + " ringing"}) {
		t.Errorf("%q", own)
	}
	if err := o.gate.EndJoin(t.Context(), who("rosa"), "sales", id); err != nil {
		t.Fatal(err)
	}
	if reason := w.becomes(id, "ended"); reason != "ended_by_supervisor" {
		t.Error(reason)
	}
	if n := o.pbx.left(); n != 0 {
		t.Errorf("%d own legs are left", n)
	}
	if r := o.row("carl", "anna"); r.State != "held" {
		t.Errorf("%+v", r)
	}
}

// joinedBehind is what an Earshot that was killed has left: rosa has joined anna, who talks to a customer of the sales line.
func joinedBehind() *left {
	return &left{
		holds: true,
		acts: []audit.Act{{
			Entry: audit.Entry{ID: "act1", Phase: audit.Decided, Outcome: audit.Allow, Subject: "rosa", Credential: "token:1", Action: "line.join", Mode: "join", Detail: "line:sales",
				Targets: []string{"anna"}, Employees: []string{"anna"}, Door: "http", Time: start.Add(-time.Hour)},
			Carried: start.Add(-time.Hour),
		}},
		channels: []call.Channel{
			{ID: "t", Name: "PJSIP/trunk-00000001", State: call.StateUp, Caller: call.Identity{Number: ivanov}, Created: start, App: "Queue", Queue: "q-sales"},
			{ID: "x.1", Name: "PJSIP/101-00000001", State: call.StateUp, Created: start, App: "AppQueue"},
			{ID: "earshot-act1-take", Name: "PJSIP/103-00000001", State: call.StateUp, App: "BridgeAdd", Created: start},
		},
		bridges: []call.Bridge{{ID: "x", Type: "mixing", Legs: []call.LegID{"t", "x.1", "earshot-act1-take"}}},
	}
}

func TestAJoiningIsTakenUpAfterARestart(t *testing.T) {
	o := joinedBehind().found(t, lineHouse)
	o.log.until(t, "record decided allow allowed")
	w := o.watch("rosa")
	v, err := o.gate.Join(who("rosa"), "sales", "act1")
	if err != nil || v.State != "active" || v.Mode != "join" || v.Target != "anna" || v.Phone != "PJSIP/103" || v.Call != calls(o, "rosa", "anna") || !v.Since.Equal(start.Add(-time.Hour)) {
		t.Fatalf("%+v %v", v, err)
	}
	if _, by, _ := o.joins("anna", "sales"); !slices.Equal(by, []string{"rosa join active"}) {
		t.Errorf("anna is told of %q", by)
	}
	if e := o.audit.last(t, audit.Decided); e.ID != "act1" || e.Mode != "join" || e.Detail != "line:sales" || e.Rule.Line == 0 {
		t.Errorf("%+v", e)
	}
	// It is one like every other from here on. No tone is played again, and its ground is watched.
	if o.pbx.left() != 1 {
		t.Errorf("%d own legs", o.pbx.left())
	}
	o.gate.SetPolicy(set(t, strings.Replace(lineHouse, "line.join: {to: [line:sales], except: [egor]}", "line.join: none", 1)))
	if reason := w.becomes("act1", "ended"); reason != "no_right" {
		t.Error(reason)
	}
	o.waitEmpty()
	if r := o.row("carl", "anna"); r.State != "talking" || r.Calls[0].Peer == nil || r.Calls[0].Peer.Number != ivanov {
		t.Errorf("the others: %+v", r)
	}
}

func TestTheCustomerOfAJoiningThatWasTakenUpIsLeftToWhoJoined(t *testing.T) {
	o := joinedBehind().found(t, lineHouse)
	o.log.until(t, "record decided allow allowed")
	w := o.watch("rosa")
	o.gone("x.1")
	if reason := w.becomes("act1", "ended"); reason != "call_ended" {
		t.Error(reason)
	}
	if o.pbx.left() != 1 {
		t.Error("the customer was hung up on")
	}
	if r := o.row("carl", "rosa"); r.State != "talking" || r.Calls[0].Peer.Number != ivanov {
		t.Errorf("%+v", r)
	}
}

func TestAJoiningThatCannotBeTakenUpEndsAndTheOthersGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*left)
		policy string
		want   string // on record
	}{
		"the right is gone":       {func(*left) {}, strings.Replace(lineHouse, "line.join: {to: [line:sales], except: [egor]}", "line.join: none", 1), "record revoked deny no_right"},
		"a protected party":       {func(l *left) { l.channels[0].Name = "PJSIP/108-00000001" }, lineHouse, "record revoked deny protected_other"},
		"the credential is gone":  {func(l *left) { l.holds = false }, lineHouse, "record ended earshot_restarted"},
		"the line is gone":        {func(l *left) { l.acts[0].Detail = "line:none" }, lineHouse, "record ended earshot_restarted"},
		"another line by now":     {func(l *left) { l.channels[0].Queue = "support" }, lineHouse, "record ended earshot_restarted"},
		"another's phone":         {func(l *left) { l.channels[2].Name = "PJSIP/104-00000001" }, lineHouse, "record ended earshot_restarted"},
		"another colleague":       {func(l *left) { l.channels[1].Name = "PJSIP/102-00000001" }, lineHouse, "record ended earshot_restarted"},
		"it was not on record":    {func(l *left) { l.acts[0].Carried = time.Time{} }, lineHouse, "record ended earshot_restarted"},
		"the record names no one": {func(l *left) { l.acts[0].Targets = nil }, lineHouse, "record ended earshot_restarted"},
	} {
		t.Run(name, func(t *testing.T) {
			l := joinedBehind()
			c.change(l)
			o := l.found(t, c.policy)
			o.log.until(t, c.want)
			o.waitEmpty()
			for _, id := range []string{"t", "x.1"} {
				if o.ch(id).ID == "" {
					t.Errorf("%s was hung up", id)
				}
			}
			if list, _ := o.gate.Joins(who("rosa")); len(list) != 0 {
				t.Errorf("%+v", list)
			}
		})
	}
}
