package gate_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// houses is the policy of two PBXs. Carl, who may all, and nils, who has no phone, are of neither; anna and dora, who may spy, are on a; boris, ivo, who hears and
// sees all but egor, egor and hana, who is protected, are on b; olga is on a third.
const houses = `
version: 1
departments: {sales: {name: Sales}}
employees:
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"], pbx: a, lock: true, settings.user: own}
  dora:  {name: Dora,  phones: [PJSIP/104], numbers: ["104"], pbx: a, listen: {to: any, allow: [spy], except: [egor]}, intercept: {to: any}}
  carl:  {name: Carl,  phones: [PJSIP/103, PJSIP/113], numbers: ["103"], observe: true, listen: true, intercept: {to: any}, record: {to: any, except: [egor]}, settings.user: any}
  boris: {name: Boris, phones: [PJSIP/102], numbers: ["102"], pbx: b, lock: true, dial: any}
  ivo:   {name: Ivo,   phones: [PJSIP/109], numbers: ["109"], pbx: b, observe: {to: any, except: [egor]}, listen: {to: any, except: [egor]}, intercept: {to: any}}
  egor:  {name: Egor,  phones: [PJSIP/105], numbers: ["105"], pbx: b, listen: true}
  hana:  {name: Hana,  phones: [PJSIP/108], numbers: ["108"], pbx: b, listen: true}
  olga:  {name: Olga,  phones: [PJSIP/111], numbers: ["111"], pbx: c, listen: true}
  nils:  {name: Nils,  numbers: ["110"], listen: true}
protected:
  employees: [hana]
trunks: [PJSIP/trunk]
`

// pair are two offices that are one company: all is asked at a, and all calls are on b unless a test says otherwise.
type pair struct {
	*fakeCluster
	t    *testing.T
	a, b *office
	ways map[string]*way
	desk map[string]*switchboard
}

// way is a member's, on which a test can stand.
type way struct {
	gate.Cluster
	mu   sync.Mutex
	send func(ctx context.Context, pbx string, request []byte) ([]byte, error) // nil: as it is
	sent [][]byte
}

func (w *way) Send(ctx context.Context, pbx string, request []byte) ([]byte, error) {
	w.mu.Lock()
	w.sent = append(w.sent, request)
	send := w.send
	w.mu.Unlock()
	if send != nil {
		return send(ctx, pbx, request)
	}
	return w.Cluster.Send(ctx, pbx, request)
}

func (w *way) sends(f func(ctx context.Context, pbx string, request []byte) ([]byte, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send = f
}

// times is how often something was sent.
func (w *way) times() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

func newPair(t *testing.T, change ...func(*gate.Config)) *pair {
	t.Helper()
	p := &pair{fakeCluster: newFakeCluster(t), t: t, ways: map[string]*way{}, desk: map[string]*switchboard{}}
	for _, name := range []string{"a", "b"} {
		p.open(name, change...)
	}
	return p
}

// open opens the office beside a PBX, once more if there was one.
func (p *pair) open(name string, change ...func(*gate.Config)) *office {
	p.t.Helper()
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "ari", Path: p.t.TempDir(), ARI: true}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = spools.Close() })
	o := p.office(p.t, name, houses, append([]func(*gate.Config){func(c *gate.Config) {
		p.ways[name], p.desk[name] = &way{Cluster: c.Cluster}, &switchboard{kept: map[string]string{}}
		c.Cluster, c.Settings = p.ways[name], gate.Settings{Switchboard: p.desk[name], Forward: "CF", DoNotDisturb: "DND"}
		if name == "b" {
			c.Recordings = &gate.Recordings{Spools: spools}
		}
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
	}}, change...)...)
	if name == "a" {
		p.a = o
	} else {
		p.b = o
	}
	return o
}

// talks lets somebody on b talk to somebody outside.
func (p *pair) talks(name, phone string) {
	p.b.talk(name, ivanov, phone)
	p.settle()
}

// quiet reports that at an office nothing has been recorded or ordered.
func (p *pair) idle(o *office) {
	p.t.Helper()
	if got := o.log.all(); len(got) > 0 {
		p.t.Fatalf("something happened there: %q", got)
	}
}

// lists are the subject's acts and locks that run, as a gate lists them.
func (p *pair) lists(o *office, subject string) (ids []string) {
	p.t.Helper()
	p.settle()
	b, err := o.gate.Employees(who(subject))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, v := range b.Supervisions {
		ids = append(ids, v.ID)
		if one, err := o.gate.Supervision(who(subject), v.ID); err != nil || one != v {
			p.t.Fatalf("%+v, and in the list %+v: %v", one, v, err)
		}
	}
	if all, _ := o.gate.Supervisions(who(subject)); !slices.Equal(all, b.Supervisions) {
		p.t.Fatalf("%+v, and on the board %+v", all, b.Supervisions)
	}
	for _, v := range b.Intercepts {
		ids = append(ids, v.ID)
	}
	locks, _ := o.gate.Locks(who(subject))
	for _, v := range locks {
		ids = append(ids, v.ID)
	}
	tapes, _ := o.gate.Recordings(who(subject))
	for _, v := range tapes {
		ids = append(ids, v.ID)
	}
	return ids
}

// listed reports that an act is the only one that runs, on both sides.
func (p *pair) listed(subject string, ids ...string) {
	p.t.Helper()
	for _, o := range []*office{p.a, p.b} {
		if got := p.lists(o, subject); !slices.Equal(got, ids) {
			p.t.Fatalf("%q run, and not %q", got, ids)
		}
	}
}

func TestACallOnAnotherPBXIsSupervisedThere(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	here, there := p.a.watch("carl"), p.b.watch("carl")
	handle := p.a.row("carl", "boris").Calls[0].ID
	if again := p.b.row("carl", "boris").Calls[0].ID; handle != again {
		t.Fatalf("the handles are %s and %s", handle, again)
	}
	id := p.a.must("carl", "spy", "boris", handle)
	for _, w := range []*watcher{here, there} {
		w.act(id, "ringing")
		w.act(id, "active")
	}
	p.listed("carl", id)
	if v, _ := p.a.gate.Supervision(who("carl"), id); v.Call != handle || v.Phone != "PJSIP/103" || v.Target != "boris" || v.Mode != "spy" {
		t.Fatalf("%+v", v)
	}
	e := p.b.audit.last(t, audit.Decided)
	if e.ID != id || e.Subject != "carl" || !strings.HasPrefix(e.Credential, "pbx:a:token:") || e.Door != "test" || e.Rule.Line == 0 {
		t.Fatalf("%+v", e)
	}
	p.idle(p.a)
	if _, code := p.a.ask("carl", "whisper", "boris"); code != "already_supervising" {
		t.Fatal(code)
	}
	if v, err := p.a.gate.ChangeMode(t.Context(), who("carl"), id, "whisper", "why"); err != nil || v.Mode != "whisper" {
		t.Fatalf("%+v %v", v, err)
	}
	p.settle()
	if v, _ := p.a.gate.Supervision(who("carl"), id); v.Mode != "whisper" {
		t.Fatalf("%+v", v)
	}
	for _, id := range []string{id, "none"} {
		if err := p.a.gate.EndSupervision(t.Context(), who("ivo"), id); code(err) != "no_such_supervision" {
			t.Fatal(err)
		}
		if _, err := p.a.gate.ChangeMode(t.Context(), who("ivo"), id, "spy", ""); code(err) != "no_such_supervision" {
			t.Fatal(err)
		}
		if _, err := p.a.gate.Supervision(who("ivo"), id); code(err) != "no_such_supervision" {
			t.Fatal(err)
		}
	}
	if err := p.a.gate.EndSupervision(t.Context(), who("carl"), id); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*watcher{here, there} {
		if reason := w.act(id, "ended"); reason != "ended_by_supervisor" {
			t.Fatal(reason)
		}
	}
	p.listed("carl")
	for _, m := range here.all() {
		if m.Supervision != nil {
			t.Fatalf("told again: %+v", m.Supervision)
		}
	}
	if err := p.a.gate.EndSupervision(t.Context(), who("carl"), id); code(err) != "no_such_supervision" {
		t.Fatal(err)
	}
	p.b.happened("record decided allow allowed", "ring", "tap", "record done", "record decided deny already_supervising", "record decided allow allowed", "swap", "record done",
		"drop own own", "record ended ended_by_supervisor")
	p.idle(p.a)
	if n := p.ways["a"].times(); n != 4 {
		t.Fatalf("%d requests were sent", n)
	}
}

// Whether it is told here or there: the answers are the same as if there were one PBX, but for who has no phone there.
func TestWhoMayNotIsToldTheSameOfACallOnAnotherPBX(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	p.b.talk("y", "PJSIP/105", "PJSIP/112")
	p.b.talk("z", ivanov, "PJSIP/108")
	p.settle()
	for _, c := range []struct{ code, subject, mode, target, phone, at string }{
		{"no_right", "anna", "spy", "boris", "", "a"},
		{"protected", "carl", "spy", "hana", "", "a"},
		{"excluded", "dora", "spy", "egor", "", "a"},
		{"no_phone", "nils", "spy", "boris", "", "a"},
		{"other_pbx", "dora", "spy", "boris", "", "a"},
		{"other_pbx", "dora", "spy", "ivo", "", "a"}, // who is on no call
		{"other_pbx", "dora", "intercept", "boris", "", "a"},
		{"other_pbx", "olga", "spy", "boris", "", "a"},
		{"not_your_phone", "carl", "spy", "boris", "PJSIP/109", "a"},
		{"not_talking", "carl", "spy", "ivo", "", "a"},
		{"not_ringing", "carl", "intercept", "boris", "", "a"},
		{"no_such_call", "carl", "spy", "boris", "c1", "a"},
		{"not_for_this_call", "carl", "spy", "egor", "", "b"}, // an unknown phone is on the call, which is found out there
	} {
		a, b := len(p.a.log.all()), len(p.b.log.all())
		more := []string{}
		switch {
		case c.code == "no_such_call":
			more = append(more, c.phone+"c1")
		case c.phone != "":
			more = append(more, c.phone)
		}
		p.a.refused(c.code, c.subject, c.mode, c.target, more...)
		want := []string{"record decided deny " + c.code}
		gotA, gotB := p.a.log.all()[a:], p.b.log.all()[b:]
		if c.at == "b" {
			gotA, gotB = gotB, gotA
			want = []string{"record decided deny unknown_phone"}
		}
		if !slices.Equal(gotA, want) || len(gotB) > 0 {
			t.Errorf("%s: %q, and on the other side %q", c.code, gotA, gotB)
		}
	}
	if p.b.pbx.left() != 0 || p.a.pbx.left() != 0 {
		t.Fatal("something was carried out")
	}
}

// Who has his phone beside another PBX than the one where he asks.
func TestWhoHasHisPhoneElsewhereIsServedWhereItIs(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	p.a.talk("y", ivanov, "PJSIP/101")
	p.settle()
	w := p.a.watch("ivo")
	id := p.a.must("ivo", "spy", "boris")
	w.act(id, "active")
	p.listed("ivo", id)
	if err := p.b.gate.EndSupervision(t.Context(), who("ivo"), id); err != nil {
		t.Fatal(err)
	}
	p.a.refused("other_pbx", "ivo", "spy", "anna")
	if e := p.a.audit.last(t, audit.Decided); e.Reason != "other_pbx" || e.Outcome != audit.Deny || e.Rule.Line != 0 {
		t.Fatalf("%+v", e)
	}
	if can := p.a.row("ivo", "anna").Can; slices.Contains(can, "spy") {
		t.Fatalf("%q", can)
	}
	p.b.refused("other_pbx", "ivo", "spy", "anna")
	// Who has called in here hears nobody there, though he has a phone there too.
	ask := gate.Ask{Target: "boris", Mode: "spy", Leg: p.a.waits("d", "PJSIP/103"), Phone: "PJSIP/103", Door: "test"}
	if _, err := p.a.gate.Supervise(t.Context(), who("carl"), ask); code(err) != "other_pbx" {
		t.Fatal(err)
	}
}

func TestARingingCallOnAnotherPBXIsTakenThere(t *testing.T) {
	p := newPair(t)
	p.b.rings("x", ivanov, "PJSIP/102")
	p.settle()
	w := p.a.watch("carl")
	id := p.a.must("carl", "intercept", "boris")
	w.act(id, "ringing")
	w.act(id, "taken")
	p.listed("carl")
	p.b.happened("record decided allow allowed", "take", "record done")
	p.idle(p.a)
	p.b.rings("y", ivanov, "PJSIP/105")
	p.settle()
	p.a.refused("no_right", "anna", "intercept", "egor")
}

func TestOnesOwnCallOnAnotherPBXIsLockedThere(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	k := p.a.mustLock("boris")
	if again := p.a.mustLock("boris", p.a.row("boris", "boris").Calls[0].ID); again != k {
		t.Fatalf("%+v, and then %+v", k, again)
	}
	p.settle()
	p.listed("boris", k.ID)
	if mine, _ := p.a.gate.Locks(who("boris")); mine[0] != k || k.Call != p.a.row("boris", "boris").Calls[0].ID {
		t.Fatalf("%+v", mine)
	}
	p.a.refused("not_for_this_call", "carl", "spy", "boris")
	for _, id := range []string{k.ID, "none"} {
		if err := p.a.gate.Unlock(t.Context(), who("anna"), id); code(err) != "no_such_lock" {
			t.Fatal(err)
		}
	}
	if _, code := p.a.lock("ivo"); code != "no_right" {
		t.Fatal(code)
	}
	if err := p.a.gate.Unlock(t.Context(), who("boris"), k.ID); err != nil {
		t.Fatal(err)
	}
	p.listed("boris")
	if e := p.b.audit.last(t, audit.Ended); e.Reason != "unlocked" || !strings.HasPrefix(e.Credential, "pbx:a:") {
		t.Fatalf("%+v", e)
	}
	k = p.a.mustLock("boris")
	p.b.hangUp("x")
	p.listed("boris")
}

func TestACallOnAnotherPBXIsRecordedThere(t *testing.T) {
	p := newPair(t)
	p.talks("x", "PJSIP/102")
	w := p.a.watch("carl")
	v := p.a.mustTape("carl", "boris")
	p.settle()
	p.listed("carl", v.ID)
	state := func() (state string) {
		p.settle()
		for _, m := range w.all() {
			if m.Recording != nil {
				state = m.Recording.State
			}
		}
		return state
	}
	if got := state(); got != mask.TapeRecording {
		t.Fatal(got)
	}
	if row := p.a.shows("carl", "boris"); row == nil || row.ID != v.ID {
		t.Fatalf("%+v", row)
	}
	ask := func(who string) gate.RecordAsk {
		if who == "call" {
			return gate.RecordAsk{Target: "boris", Door: "test"}
		}
		return gate.RecordAsk{ID: v.ID, Door: "test"}
	}
	for _, by := range []string{"id", "call"} {
		for _, id := range []string{v.ID, "none"} {
			if got := codeOf(p.a.gate.PauseRecording(t.Context(), who("ivo"), gate.RecordAsk{ID: id})); got != "no_such_recording" {
				t.Fatal(got)
			}
		}
		if _, err := p.a.gate.PauseRecording(t.Context(), who("carl"), ask(by)); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != mask.TapePaused {
			t.Fatal(got)
		}
		if _, err := p.a.gate.ResumeRecording(t.Context(), who("carl"), ask(by)); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != mask.TapeRecording {
			t.Fatal(got)
		}
	}
	if v, err := p.a.gate.StopRecording(t.Context(), who("carl"), ask("id")); err != nil || v.State != mask.TapeStopped {
		t.Fatalf("%+v %v", v, err)
	}
	if got := state(); got != mask.TapeStopped {
		t.Fatal(got)
	}
	p.listed("carl")
	p.idle(p.a)
	if _, code := p.a.tape("ivo", "boris"); code != "no_right" {
		t.Fatal(code)
	}
	p.a.talk("y", ivanov, "PJSIP/101")
	if _, code := p.a.tape("carl", "anna"); code != "no_recordings" {
		t.Fatal(code)
	}
}

func TestAPhoneOnAnotherPBXCallsFromThere(t *testing.T) {
	p := newPair(t)
	v, err := p.a.gate.Dial(t.Context(), who("boris"), gate.DialAsk{Number: other, Door: "test"})
	if err != nil || v.Phone != "PJSIP/102" || len(p.b.pbx.calls) != 1 || p.b.pbx.calls[0].Endpoint != "PJSIP/102" {
		t.Fatalf("%+v %v %+v", v, err, p.b.pbx.calls)
	}
	p.idle(p.a)
	p.b.happened("record decided allow allowed", "call", "record done")
	if got := p.a.dials("egor", other); got != "no_right" || len(p.b.pbx.calls) != 1 {
		t.Fatal(got)
	}
	if got := p.a.dials("nils", other); got != "no_phone" {
		t.Fatal(got)
	}
}

func TestTheSettingsOfATelephoneAreKeptOnItsPBX(t *testing.T) {
	p := newPair(t)
	yes := true
	v, err := p.b.gate.ChangeSettings(t.Context(), who("anna"), gate.SettingsAsk{Employee: "anna", DoNotDisturb: &yes, Door: "test"})
	if err != nil || !v.DoNotDisturb || p.desk["a"].value("DND", "101") != "YES" || p.desk["b"].value("DND", "101") != "" {
		t.Fatalf("%+v %v", v, err)
	}
	if v, err = p.b.gate.Settings(t.Context(), who("carl"), "anna"); err != nil || !v.DoNotDisturb {
		t.Fatalf("%+v %v", v, err)
	}
	p.idle(p.b)
	if _, err = p.b.gate.Settings(t.Context(), who("boris"), "anna"); code(err) != "no_right" {
		t.Fatal(err)
	}
	if _, err = p.b.gate.ChangeSettings(t.Context(), who("boris"), gate.SettingsAsk{Employee: "anna", DoNotDisturb: &yes}); code(err) != "no_right" {
		t.Fatal(err)
	}
	p.desk["a"].set("103")
	p.desk["b"].set("101", "102")
	told, err := p.b.gate.DoNotDisturb(t.Context(), who("carl"))
	if _, said := told["anna"]; err != nil || said || !told["boris"] || told["carl"] {
		t.Fatalf("%v %v", told, err)
	}
}

func TestMeTellsOnesPhonesBesideEveryPBX(t *testing.T) {
	const text = `
version: 1
employees:
  anna: {phones: [PJSIP/101, PJSIP/102], pbx: a}
  boris: {phones: [PJSIP/101], pbx: b}
  carl: {phones: [PJSIP/103]}
`
	c := newFakeCluster(t)
	for _, o := range []*office{c.office(t, "a", text), c.office(t, "b", text), c.office(t, "c", text)} {
		for id, want := range map[string]gate.Me{
			"anna":  {PBX: "a", Phones: []string{"PJSIP/101", "PJSIP/102"}},
			"boris": {PBX: "b", Phones: []string{"PJSIP/101"}},
			"carl":  {Phones: []string{"PJSIP/103"}},
		} {
			me, err := o.gate.Me(who(id))
			if err != nil || me.PBX != want.PBX || !slices.Equal(me.Phones, want.Phones) {
				t.Errorf("%+v %v; want %v", me, err, want)
			}
			if b, err := o.gate.Employees(who(id)); err != nil || b.Me.PBX != want.PBX || !slices.Equal(b.Me.Phones, want.Phones) {
				t.Errorf("on the board %+v %v; want %v", b.Me, err, want)
			}
		}
	}
	alone := newOffice(t, text) // no PBX has a name, so nobody can say whether they are here
	if me, err := alone.gate.Me(who("anna")); err != nil || me.PBX != "" {
		t.Errorf("%+v %v", me, err)
	}
}
