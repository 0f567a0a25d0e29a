package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// The two worlds: the same script is played twice, and only who is on the other side differs. Whoever may not see the other side has to get
// the same bytes on every route and in every message; whoever may, has to get others, or the test would compare nothing.

// side is the hidden side of one world: who calls, and whether the directory knows him.
type side struct {
	who    outside
	client bool // of egor's, whom nobody lets intercept
}

var worldPairs = []struct {
	name string
	a, b side
	// excludes: the worlds differ in whom the call excludes. A refused attempt to listen is the one bit that gives it away; all else is alike.
	excludes bool
}{
	{name: "another number and name", a: side{who: ivanov}, b: side{who: smith}},
	{name: "a number withheld", a: side{who: ivanov}, b: side{who: outside{}}},
	{name: "a colleague's number claimed", a: side{who: ivanov}, b: side{who: outside{"", "102"}}},
	{name: "a client of somebody's", a: side{who: ivanov}, b: side{who: smith, client: true}},
	{name: "the number of somebody whom dora must not hear", a: side{who: ivanov}, b: side{who: outside{"", "105"}}, excludes: true},
	{name: "a protected number", a: side{who: ivanov}, b: side{who: outside{"Minister", "+74957654321"}}, excludes: true},
}

// scripts are what happens, step by step. After each step everything is looked at.
var scripts = []struct {
	name    string
	steps   []func(*script, outside)
	listens bool // somebody tries to listen, and has the right as far as the hidden side has no say
}{
	{name: "a call comes in, the name comes later, hold, end", steps: []func(*script, outside){
		func(s *script, o outside) { s.ingest(outside{"", o.number}.rings("1", "PJSIP/101", "101", 10)...) },
		func(s *script, o outside) {
			s.ingest(call.Event{Kind: call.LegSeen, Channel: phone("1.t", "PJSIP/trunk", call.StateRing, o.identity(), call.Identity{}), At: at(12)},
				call.Event{Kind: call.LegSeen, Channel: phone("1.p", "PJSIP/101", call.StateRinging, call.Identity{Number: "101"}, o.identity()), At: at(12)})
		},
		func(s *script, o outside) { s.ingest(o.talks("1", "PJSIP/101", "101", 15)...) },
		func(s *script, o outside) {
			leg := phone("1.p", "PJSIP/101", call.StateUp, call.Identity{Number: "101"}, o.identity())
			s.ingest(call.Event{Kind: call.LegHeld, Channel: leg, At: at(20)})
		},
		func(s *script, o outside) {
			leg := phone("1.p", "PJSIP/101", call.StateUp, call.Identity{Number: "101"}, o.identity())
			s.ingest(call.Event{Kind: call.LegUnheld, Channel: leg, At: at(25)})
		},
		func(s *script, _ outside) { s.ingest(ends("1", 30)...) },
	}},
	{name: "a call goes out", steps: []func(*script, outside){
		func(s *script, o outside) { s.ingest(o.dialled("1", false)...) },
		func(s *script, o outside) { s.ingest(o.dialled("1", true)...) },
		func(s *script, _ outside) { s.ingest(ends("1", 30)...) },
	}},
	{name: "a call rings one who may not see it and then goes out", steps: []func(*script, outside){
		func(s *script, _ outside) {
			leg := phone("1.p", "PJSIP/101", call.StateRing, call.Identity{Name: "Anna", Number: "101"}, call.Identity{})
			leg.Exten, leg.App = "600", "Dial"
			rung := phone("1.d", "PJSIP/104", call.StateDown, call.Identity{Number: "104"}, leg.Caller)
			rung.App = "AppDial"
			s.ingest(call.Event{Kind: call.LegSeen, Channel: leg, At: at(10)}, call.Event{Kind: call.LegSeen, Channel: rung, At: at(10)},
				call.Event{Kind: call.DialBegan, Channel: leg, Peer: rung, Dialled: "104", At: at(10)})
		},
		func(s *script, o outside) {
			leg := phone("1.p", "PJSIP/101", call.StateRing, call.Identity{Name: "Anna", Number: "101"}, call.Identity{})
			leg.Exten, leg.App = "600", "Dial"
			trunk := phone("1.t", "PJSIP/trunk", call.StateDown, o.identity(), call.Identity{Number: "101"})
			trunk.App = "AppDial"
			s.ingest(call.Event{Kind: call.LegGone, Channel: call.Channel{ID: "1.d"}, At: at(13)}, call.Event{Kind: call.LegSeen, Channel: trunk, At: at(13)},
				call.Event{Kind: call.DialBegan, Channel: leg, Peer: trunk, Dialled: o.number, At: at(13)})
		},
		func(s *script, o outside) { s.ingest(o.dialled("1", true)...) },
		func(s *script, _ outside) { s.ingest(ends("1", 30)...) },
	}},
	{name: "a call from a queue through a Local channel whose name has the number", steps: []func(*script, outside){
		func(s *script, o outside) { s.waits(o); s.reach() },
		func(s *script, o outside) { s.ingest(o.queued("1", false)...); s.reach() },
		func(s *script, o outside) { s.serves(o); s.reach() },
		func(s *script, _ outside) { s.ingest(ends("1", 30)...); s.reach() },
	}},
	{name: "a conversation of a line that is joined by who does not see it", listens: true, steps: []func(*script, outside){
		func(s *script, o outside) { s.waits(o); s.ingest(o.queued("1", false)...); s.serves(o) },
		func(s *script, _ outside) {
			a := s.ask("dora", http.MethodPost, "/v1/lines/support/joins", fmt.Sprintf(`{"target":"anna","call":%q}`, s.seen["dora"]["anna"]))
			join := recv(s.t, s.pbx.joined)
			if a.status != http.StatusCreated || join.Display.Number != "" {
				s.t.Errorf("%d %s", a.status, a.body)
			}
			leg := phone(string(join.Leg), "PJSIP/104", call.StateRinging, call.Identity{}, call.Identity{})
			leg.Name = "PJSIP/104-00000001"
			s.ingest(call.Event{Kind: call.LegSeen, Channel: leg, At: at(28)}, call.Event{Kind: call.DialBegan, Peer: leg, At: at(28)})
			s.until("dora", `"type":"join"`)
		},
		func(s *script, _ outside) {
			at := s.ask("dora", http.MethodGet, "/v1/lines/support/joins", "")
			id := joinID.FindStringSubmatch(string(at.body))
			if id == nil {
				s.t.Fatalf("%s", at.body)
			}
			if a := s.ask("dora", http.MethodDelete, "/v1/lines/support/joins/"+id[1], ""); a.status != http.StatusNoContent {
				s.t.Errorf("%d %s", a.status, a.body)
			}
			s.until("dora", `"state":"ended"`)
		},
	}},
	{name: "a conference of two from outside", steps: []func(*script, outside){
		func(s *script, o outside) { s.talking(o, "1", "PJSIP/101", "101") },
		func(s *script, o outside) {
			second := outside{o.name + " junior", o.number}
			t := phone("2.t", "PJSIP/trunk", call.StateUp, second.identity(), call.Identity{})
			s.ingest(call.Event{Kind: call.LegSeen, Channel: t, At: at(20)},
				call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "1.b", Type: "mixing"}, Channel: t, At: at(20)})
		},
		func(s *script, _ outside) {
			s.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: "1.b"}, Channel: call.Channel{ID: "1.t"}, At: at(25)},
				call.Event{Kind: call.LegGone, Channel: call.Channel{ID: "1.t"}, At: at(25)})
		},
	}},
	{name: "a call is handed on from phone to phone", steps: []func(*script, outside){
		func(s *script, o outside) { s.talking(o, "1", "PJSIP/101", "101") },
		func(s *script, o outside) {
			trunk := phone("1.t", "PJSIP/trunk", call.StateUp, o.identity(), call.Identity{Number: "106"})
			leg := phone("2.p", "PJSIP/106", call.StateDown, call.Identity{Number: "106"}, o.identity())
			leg.App = "AppDial"
			s.ingest(call.Event{Kind: call.BlindTransferred, Channel: phone("1.p", "PJSIP/101", call.StateUp, call.Identity{Number: "101"}, o.identity()), At: at(20)},
				call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: "1.b"}, Channel: trunk, At: at(20)},
				call.Event{Kind: call.LegGone, Channel: call.Channel{ID: "1.p"}, At: at(20)},
				call.Event{Kind: call.LegSeen, Channel: leg, At: at(21)},
				call.Event{Kind: call.DialBegan, Channel: trunk, Peer: leg, Dialled: "106", At: at(21)})
		},
		func(s *script, o outside) {
			trunk := phone("1.t", "PJSIP/trunk", call.StateUp, o.identity(), call.Identity{Number: "106"})
			leg := phone("2.p", "PJSIP/106", call.StateUp, call.Identity{Number: "106"}, o.identity())
			b := call.Bridge{ID: "2.b", Type: "mixing"}
			s.ingest(call.Event{Kind: call.DialEnded, Channel: trunk, Peer: leg, Answered: true, At: at(24)},
				call.Event{Kind: call.BridgeEntered, Bridge: b, Channel: trunk, At: at(24)}, call.Event{Kind: call.BridgeEntered, Bridge: b, Channel: leg, At: at(24)})
		},
	}},
	{name: "the PBX goes away and comes back in the middle", steps: []func(*script, outside){
		func(s *script, o outside) { s.talking(o, "1", "PJSIP/101", "101") },
		func(s *script, _ outside) { s.ingest(call.Event{Kind: call.LinkLost}) },
		func(s *script, o outside) {
			s.ingest(call.Event{Kind: call.Resynced, At: at(40), Snapshot: &call.Snapshot{
				Channels: []call.Channel{
					phone("1.t", "PJSIP/trunk", call.StateUp, o.identity(), call.Identity{}),
					phone("1.p", "PJSIP/101", call.StateUp, call.Identity{Number: "101"}, o.identity()),
				},
				Bridges: []call.Bridge{{ID: "1.b", Type: "mixing", Legs: []call.LegID{"1.t", "1.p"}}},
			}})
		},
	}},
	{name: "what is refused", steps: []func(*script, outside){
		func(s *script, o outside) { s.ingest(o.rings("1", "PJSIP/101", "101", 10)...) },
		func(s *script, _ outside) { s.attempts() },
		func(s *script, o outside) { s.ingest(o.talks("1", "PJSIP/101", "101", 15)...) },
		func(s *script, _ outside) { s.attempts() },
		func(s *script, o outside) { s.talking(outside{"Other " + o.name, o.number}, "2", "PJSIP/101", "101") },
		func(s *script, _ outside) { s.attempts() },
	}},
	{name: "a supervisor who may listen and may not see", listens: true, steps: []func(*script, outside){
		func(s *script, o outside) { s.talking(o, "1", "PJSIP/101", "101") },
		func(s *script, _ outside) {
			s.ask("dora", http.MethodPost, "/v1/supervisions", fmt.Sprintf(`{"target":"anna","mode":"spy","call":%q}`, s.seen["dora"]["anna"]))
			s.until("dora", `"state":"ringing"`)
			ring := recv(s.t, s.pbx.rung)
			s.answered(ring.Leg, "PJSIP/104")
			recv(s.t, s.pbx.tapped)
			s.until("dora", `"state":"active"`)
		},
		func(s *script, _ outside) { s.ingest(ends("1", 50)...); s.until("dora", `"state":"ended"`) },
	}},
	{name: "a call is recorded, by the dialplan and by who may record and not see", listens: true, steps: []func(*script, outside){
		func(s *script, o outside) { s.talking(o, "1", "PJSIP/101", "101") },
		func(s *script, _ outside) { s.file("1.p", time.Time{}) },
		func(s *script, _ outside) {
			s.recorded = map[string]string{}
			for _, who := range []string{"dora", "boris", "egor"} {
				a := s.ask(who, http.MethodPost, "/v1/recordings", fmt.Sprintf(`{"target":"anna","call":%q}`, s.seen[who]["anna"]))
				if id := tapeID.FindStringSubmatch(string(a.body)); id != nil {
					s.recorded[who] = id[1]
				}
			}
			s.until("dora", `"state":"recording"`)
		},
		func(s *script, _ outside) {
			for _, who := range []string{"dora", "boris", "egor"} {
				s.ask(who, http.MethodPatch, "/v1/recordings/"+s.recorded["dora"], `{"state":"paused"}`)
			}
			s.until("dora", `"state":"paused"`)
		},
		func(s *script, _ outside) { s.file("1.t", at(40)) },
		func(s *script, _ outside) { s.ingest(ends("1", 50)...); s.until("dora", `"state":"stopped"`) },
	}},
}

// gradable finds a hidden row of somebody who may grade it.
var gradable = regexp.MustCompile(`"hidden":true,(?:"others":\[[^]]*\],)?"can_grade":true`)

// tapeID finds the id of a recording that is being made.
var tapeID = regexp.MustCompile(`^\{(?:"\$schema":"[^"]*",)?"id":"(\w+)"`)

// tapedRow finds that a row shows that its call is recorded.
var tapedRow = regexp.MustCompile(`"recording":\{"id":"[^"]*","state"`)

// file has the journal know of a recording of a leg's call; ended is zero of one that is being made.
func (s *script) file(leg string, ended time.Time) {
	s.t.Helper()
	id, ok := s.scribe.CallOf(call.LegID(leg))
	if !ok {
		s.t.Fatal("no call has the leg")
	}
	s.sync()
	if _, err := s.store.AddRecording(s.t.Context(), past.Recording{Call: id, Leg: call.LegID(leg), Spool: "ari", File: leg + ".wav", Source: "mixmonitor", Began: at(20), Ended: ended}); err != nil {
		s.t.Fatal(err)
	}
}

func (o outside) identity() call.Identity {
	return call.Identity{Name: o.name, Number: call.Number(o.number)}
}

// dialled scripts a call that anna's phone makes.
func (o outside) dialled(id string, answered bool) []call.Event {
	leg := phone(id+".p", "PJSIP/101", call.StateRing, call.Identity{Name: "Anna", Number: "101"}, o.identity())
	leg.Exten, leg.App = o.number, "Dial"
	trunk := phone(id+".t", "PJSIP/trunk", call.StateDown, o.identity(), call.Identity{Number: "101"})
	trunk.App = "AppDial"
	if !answered {
		return []call.Event{
			{Kind: call.LegSeen, Channel: leg, At: at(10)},
			{Kind: call.LegSeen, Channel: trunk, At: at(10)},
			{Kind: call.DialBegan, Channel: leg, Peer: trunk, Dialled: o.number, At: at(10)},
		}
	}
	leg.State, trunk.State = call.StateUp, call.StateUp
	b := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	return []call.Event{
		{Kind: call.DialEnded, Channel: leg, Peer: trunk, Answered: true, At: at(15)},
		{Kind: call.BridgeEntered, Bridge: b, Channel: trunk, At: at(15)},
		{Kind: call.BridgeEntered, Bridge: b, Channel: leg, At: at(15)},
	}
}

// queued scripts a call that waits in a queue and is brought to anna by a Local channel.
func (o outside) queued(id string, answered bool) []call.Event {
	local := func(half string, s call.State) call.Channel {
		return call.Channel{ID: call.LegID(id + ".l" + half), Name: "Local/" + o.number + "@agents-" + id + ";" + half, State: s, Caller: o.identity(), Created: start}
	}
	trunk := phone(id+".t", "PJSIP/trunk", call.StateUp, o.identity(), call.Identity{})
	trunk.App, trunk.Queue = "Queue", "help"
	one, two := local("1", call.StateDown), local("2", call.StateRing)
	one.App = "AppQueue"
	leg := phone(id+".p", "PJSIP/101", call.StateDown, call.Identity{Number: "101"}, o.identity())
	leg.App = "AppDial"
	if !answered {
		return []call.Event{
			{Kind: call.LegSeen, Channel: trunk, At: at(10)},
			{Kind: call.LegSeen, Channel: one, At: at(10)}, {Kind: call.LegSeen, Channel: two, At: at(10)},
			{Kind: call.DialBegan, Channel: trunk, Peer: one, Dialled: o.number + "@agents", At: at(10)},
			{Kind: call.LegSeen, Channel: leg, At: at(11)},
			{Kind: call.DialBegan, Channel: two, Peer: leg, Dialled: "101", At: at(11)},
		}
	}
	one.State, two.State, leg.State = call.StateUp, call.StateUp, call.StateUp
	near, far := call.Bridge{ID: call.BridgeID(id + ".n"), Type: "mixing"}, call.Bridge{ID: call.BridgeID(id + ".f"), Type: "mixing"}
	return []call.Event{
		{Kind: call.DialEnded, Channel: two, Peer: leg, Answered: true, At: at(15)},
		{Kind: call.BridgeEntered, Bridge: near, Channel: leg, At: at(15)}, {Kind: call.BridgeEntered, Bridge: near, Channel: two, At: at(15)},
		{Kind: call.DialEnded, Channel: trunk, Peer: one, Answered: true, At: at(15)},
		{Kind: call.BridgeEntered, Bridge: far, Channel: one, At: at(15)}, {Kind: call.BridgeEntered, Bridge: far, Channel: trunk, At: at(15)},
	}
}

// joinID finds the handle of a joining.
var joinID = regexp.MustCompile(`"joins":\[\{"id":"([a-z2-9]+)"`)

// waits lets somebody come to the queue, and serves lets anna answer him; between the two AMI tells of him.
func (s *script) waits(o outside) {
	trunk := o.queued("1", false)[0]
	s.ingest(trunk)
	s.gate.Queues(queue.Event{Kind: queue.CallerJoined, Queue: "help", Caller: queue.Caller{Leg: string(trunk.Channel.ID), Channel: trunk.Channel.Name, Since: at(10)}})
}

func (s *script) serves(o outside) {
	s.ingest(o.queued("1", true)...)
	s.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "help", Caller: queue.Caller{Leg: "1.t"}})
}

// reach is what those who have no right on the line can try, and who has it where it is no answer.
func (s *script) reach() {
	for _, who := range []string{"egor", "boris"} {
		for _, how := range []string{"joins", "takeovers"} {
			s.ask(who, http.MethodPost, "/v1/lines/support/"+how, `{"target":"anna"}`)
			s.ask(who, http.MethodPost, "/v1/lines/support/"+how, fmt.Sprintf(`{"target":"anna","call":%q}`, s.seen[who]["anna"]))
		}
	}
	s.ask("dora", http.MethodPost, "/v1/lines/support/joins", `{"target":"fred"}`)
	s.ask("dora", http.MethodPost, "/v1/lines/support/takeovers", `{"target":"anna","call":"caaaaaaaaaaaaaaaaaaaa"}`)
}

// blind may see no other side; seeing may see all, and is the control.
var (
	blind  = []string{"dora", "egor", "boris"}
	seeing = []string{"carl"}
)

// script plays one script in one world and writes down what everybody got.
type script struct {
	*world
	streams map[string]*watcher
	got     map[string][]string          // raw, as it came
	seen    map[string]map[string]string // the handle of the first call on a row, from the newest board
	seq     map[string]uint64

	recorded map[string]string // by who has begun it, the id of a recording

	excludes bool // the worlds differ in whom a call excludes, which the journal tells: a call with a protected number is not in it
}

// attempts is everything that those who may not see can try without being let.
func (s *script) attempts() {
	for _, who := range blind {
		handle := s.seen[who]["anna"]
		for _, mode := range []string{"whisper", "barge"} {
			s.ask(who, http.MethodPost, "/v1/supervisions", fmt.Sprintf(`{"target":"anna","mode":%q,"call":%q}`, mode, handle))
		}
		s.ask(who, http.MethodPost, "/v1/intercepts", fmt.Sprintf(`{"target":"anna","call":%q}`, handle))
		s.ask(who, http.MethodPost, "/v1/intercepts", `{"target":"anna"}`)
		s.ask(who, http.MethodPost, "/v1/recordings", `{"target":"anna","call":"caaaaaaaaaaaaaaaaaaaa"}`)
		s.ask(who, http.MethodPost, "/v1/intercepts", `{"target":"anna","call":"caaaaaaaaaaaaaaaaaaaa"}`)
	}
	s.ask("egor", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`)
	s.ask("dora", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy","phone":"PJSIP/101"}`)
	s.ask("dora", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy","call":"caaaaaaaaaaaaaaaaaaaa"}`)
	s.ask("dora", http.MethodPost, "/v1/supervisions", `{"target":"boris","mode":"spy"}`)
}

// ask sends a request and writes the answer down.
func (s *script) ask(who, method, path, body string) answer {
	s.t.Helper()
	a := s.world.ask(who, method, path, body)
	path, _, _ = strings.Cut(path, "number=") // what he looks for he knows
	var header []string
	for name, values := range a.header {
		if name != "Date" && name != "Content-Length" { // the length follows from the body, whose times are not of one length
			header = append(header, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(header)
	s.got[who] = append(s.got[who], fmt.Sprintf("%s %s → %d %s\n%s", method, path, a.status, header, a.body))
	return a
}

// until takes the stream's messages up to one that has the text.
func (s *script) until(who, text string) {
	s.t.Helper()
	var step []string
	for {
		m := string(s.streams[who].raw())
		step = append(step, s.unnumbered(who, m))
		if strings.Contains(m, text) {
			break
		}
	}
	// One fact that alters several rows tells of them in any order.
	slices.SortStableFunc(step, func(a, b string) int { return strings.Compare(rowOf(a), rowOf(b)) })
	s.got[who] = append(s.got[who], step...)
}

var (
	seqText   = regexp.MustCompile(`,"seq":(\d+)`)
	rowText   = regexp.MustCompile(`"employee":\{"id":"(\w+)"`)
	idText    = regexp.MustCompile(`\b(?:c?[abcdefghijkmnpqrstuvwxyz2-9]{20}|[abcdefghijkmnpqrstuvwxyz2-9]{26}|[0-9a-f]{16})\b`)
	clockText = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`)
	firstCall = regexp.MustCompile(`"id":"(\w+)","name":"[^"]*"(?:,"department":"\w+")?,"state":"\w+"(?:,"since":"[^"]*")?,"calls":\[\{"id":"(c\w+)"`)
)

// unnumbered checks that a message is the next and takes its number out: the order of rows within a step is not fixed.
func (s *script) unnumbered(who, m string) string {
	s.t.Helper()
	s.seq[who]++
	n := seqText.FindStringSubmatch(m)
	if n == nil || n[1] != fmt.Sprint(s.seq[who]) {
		s.t.Fatalf("%s: message %d is %.80s", who, s.seq[who], m)
	}
	return strings.Replace(m, n[0], "", 1)
}

func rowOf(m string) string {
	if r := rowText.FindStringSubmatch(m); r != nil {
		return r[1]
	}
	return ""
}

// look takes everything that everybody can be shown now: of the journal a page, and all of it when the script has come to its end.
func (s *script) look(last bool) {
	s.t.Helper()
	s.gate.SetPolicy(s.gate.Policy()) // a snapshot ends what the step has brought
	for _, who := range slices.Concat(blind, seeing) {
		s.until(who, `"type":"`+gate.MessageSnapshot+`"`)
		board := s.got[who][len(s.got[who])-1]
		for _, path := range []string{"/v1/me", "/v1/employees", "/v1/supervisions", "/v1/supervisions/none", "/v1/me/joins",
			"/v1/lines", "/v1/lines/support", "/v1/lines/support/conversations", "/v1/lines/support/joins", "/v1/lines/support/joins/none",
			"/v1/recordings",
		} {
			s.ask(who, http.MethodGet, path, "")
		}
		s.seen[who] = map[string]string{}
		for _, m := range firstCall.FindAllStringSubmatch(board, -1) {
			s.seen[who][m[1]] = m[2]
		}
		s.question(who)
		switch {
		case s.excludes:
		case last:
			s.readBack(who)
		default:
			s.sync()
			s.ask(who, http.MethodGet, "/v1/journal", "")
		}
	}
}

// readBack reads everything of the journal, looks for both worlds' numbers in it, and grades what may be graded.
func (s *script) readBack(who string) {
	s.t.Helper()
	s.sync()
	from := "from=" + url.QueryEscape(start.Format(time.RFC3339))
	for _, query := range []string{"", "?limit=1", "?employee=anna", "?department=sales", "?outcome=missed", "?outcome=abandoned", "?outcome=busy", "?direction=in", "?line=support", "?" + from} {
		s.ask(who, http.MethodGet, "/v1/journal"+query, "")
	}
	for _, o := range []outside{ivanov, smith} {
		s.ask(who, http.MethodGet, "/v1/journal?number="+url.QueryEscape(o.number), "")
		s.ask(who, http.MethodGet, "/v1/lines/support/history?number="+url.QueryEscape(o.number), "")
	}
	s.ask(who, http.MethodGet, "/v1/journal.csv", "")
	s.ask(who, http.MethodGet, "/v1/lines/support/history", "")
	s.ask(who, http.MethodGet, "/v1/lines/support/statistics", "")
	for _, by := range []string{"employee", "department", "line", "hour", "day"} {
		s.ask(who, http.MethodGet, "/v1/statistics?by="+by+"&"+from, "")
	}
	all := s.ask(who, http.MethodGet, "/v1/journal", "")
	for _, id := range rowID.FindAllStringSubmatch(string(all.body), -1) {
		s.ask(who, http.MethodGet, "/v1/journal/"+id[1], "")
		s.ask(who, http.MethodPut, "/v1/journal/"+id[1]+"/grade", `{"value":4,"comment":"well done"}`)
		for _, of := range []string{id[1], "none"} { // none is a recording's
			s.ask(who, http.MethodGet, "/v1/recordings/"+of, "")
			s.ask(who, http.MethodPatch, "/v1/recordings/"+of, `{"state":"stopped"}`)
			s.ask(who, http.MethodDelete, "/v1/recordings/"+of, "")
		}
	}
	s.ask(who, http.MethodGet, "/v1/journal", "")
}

// rowID finds the handles of the rows in an answer.
var rowID = regexp.MustCompile(`"id":"([a-z2-9]{26})","employee"`)

// question asks as other software does: about the employees, and about the calls that are on their rows.
func (s *script) question(who string) {
	s.t.Helper()
	of := []string{`{"type":"employee","id":"anna"}`, `{"type":"employee","id":"fred"}`, `{"type":"call","id":"caaaaaaaaaaaaaaaaaaaa"}`}
	for _, row := range []string{"anna", "fred"} {
		if handle := s.seen[who][row]; handle != "" {
			of = append(of, fmt.Sprintf(`{"type":"call","id":%q}`, handle))
		}
	}
	subject := fmt.Sprintf(`{"subject":{"type":"user","id":%q},`, who)
	for _, resource := range of {
		var all []string
		for _, action := range []string{"observe", "observe.kind", "spy", "whisper", "barge", "intercept", "lock", "play"} {
			all = append(all, fmt.Sprintf(`{"action":{"name":%q}}`, action))
		}
		s.ask(who, http.MethodPost, "/access/v1/search/action", subject+`"resource":`+resource+`}`)
		s.ask(who, http.MethodPost, "/access/v1/evaluations", subject+`"resource":`+resource+`,"evaluations":[`+strings.Join(all, ",")+`]}`)
	}
}

// play runs a script in one world and returns what each watcher got, made comparable.
func play(t *testing.T, steps []func(*script, outside), with side, excludes bool) map[string]string {
	t.Helper()
	kept := strings.NewReplacer("allow: [spy], except: [egor]}", "allow: [spy], except: [egor]}, journal: true, statistics: true, grade: true, record: {to: any, except: [egor]}",
		"intercept: true", "intercept: true, journal: department, statistics: department",
		"listen: true", "listen: true, journal: true, statistics: true, grade: true, recordings: true, record: true").Replace(policyText) + `
lines: {support: {queue: help, members: [anna]}}
roles: {lines: {"line.history": any, "line.statistics": any, "line.view": any, "line.connect": any, "line.grade": any, "line.join": any}}
assign: [{role: lines, to: [dora, carl]}]
`
	w := newWorldKept(t, true, func(c *gate.Config) { c.LinesEvery = time.Hour }) // what a line shows comes with the snapshots
	w.gate.SetPolicy(w.policy(kept))
	w.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "help", Members: []queue.Member{{Interface: "PJSIP/101"}}}}})
	s := &script{world: w, excludes: excludes, streams: map[string]*watcher{}, got: map[string][]string{}, seen: map[string]map[string]string{}, seq: map[string]uint64{}}
	if with.client {
		s.people[with.who.number] = clientOf("fred") // who does not look on: he is told of his client
	}
	for _, who := range slices.Concat(blind, seeing) {
		s.streams[who] = s.watch(who)
		s.until(who, gate.MessageSnapshot)
	}
	for i, step := range steps {
		step(s, with.who)
		s.look(i == len(steps)-1)
	}
	out := map[string]string{}
	for who, got := range s.got {
		out[who] = alike(got)
	}
	return out
}

// alike replaces what is opaque: handles and ids by the order in which they first came, so that which are the same is still compared, and
// times that are not the script's own.
func alike(got []string) string {
	text := strings.Join(got, "\n")
	names := map[string]string{}
	text = idText.ReplaceAllStringFunc(text, func(id string) string {
		if names[id] == "" {
			names[id] = fmt.Sprintf("«%d»", len(names)+1)
		}
		return names[id]
	})
	return clockText.ReplaceAllStringFunc(text, func(c string) string {
		if strings.HasPrefix(c, start.Format(`"2006-01-02T15:`)) {
			return c
		}
		return `"«time»"`
	})
}

func TestTwoWorldsThatDifferInTheHiddenSideAreOneToWhoeverMayNotSeeIt(t *testing.T) {
	for _, sc := range scripts {
		type world struct {
			side     side
			excludes bool
		}
		played := map[world]map[string]string{} // several pairs have one of their worlds in common
		for _, pair := range worldPairs {
			if pair.excludes && sc.listens {
				continue
			}
			t.Run(sc.name+"/"+pair.name, func(t *testing.T) {
				first := world{pair.a, pair.excludes}
				if played[first] == nil {
					played[first] = play(t, sc.steps, pair.a, pair.excludes)
				}
				a, b := played[first], play(t, sc.steps, pair.b, pair.excludes)
				for _, who := range blind {
					differ(t, who, a[who], b[who])
					for _, o := range []outside{pair.a.who, pair.b.who} {
						for _, secret := range o.secrets() {
							if strings.Contains(a[who]+b[who], secret) {
								t.Errorf("%s got %q", who, secret)
							}
						}
					}
				}
				if !pair.excludes && (!gradable.MatchString(a["dora"]) || !strings.Contains(a["dora"], `"value":4`)) {
					t.Error("dora has read nothing in the journal and graded nothing: the test compares too little")
				}
				if joins := `"hidden":true},"can":["join"]`; strings.Contains(sc.name, "line") && !strings.Contains(a["dora"], joins) {
					t.Error("dora was offered no conversation of the line: the test compares too little")
				}
				if strings.Contains(sc.name, "recorded") {
					if n := strings.Count(a["dora"], `"recordings":[{"state":"no_access"}`); n == 0 || !strings.Contains(a["boris"], `"recordings":[{"state":"no_access"}`) {
						t.Error("who may play nothing has read of no recording: the test compares too little")
					}
					if !tapedRow.MatchString(a["carl"]) || !strings.Contains(a["carl"], `"state":"available"`) || tapedRow.MatchString(a["dora"]+a["boris"]) {
						t.Error("who may see and record is not shown that the call is recorded, or who may not see is")
					}
				}
				for _, who := range seeing {
					if a[who] == b[who] {
						t.Errorf("%s, who may see, got the same in both: the test compares nothing", who)
					}
					for _, secret := range pair.a.who.secrets() {
						if !strings.Contains(a[who], secret) {
							t.Errorf("%s, who may see, did not get %q", who, secret)
						}
					}
				}
			})
		}
	}
}

// secrets is what of a caller must not be found with whoever may not see him. A number that is a colleague's too is no secret.
func (o outside) secrets() []string {
	if len(o.number) < 4 {
		return nil
	}
	name, _, _ := strings.Cut(o.name, " &") // JSON writes that in its own way
	return []string{name, strings.TrimPrefix(o.number, "+")}
}

// differ reports the first line in which two transcripts differ.
func differ(t *testing.T, who, a, b string) {
	t.Helper()
	if a == b {
		return
	}
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			t.Errorf("%s can tell the worlds apart by line %d:\n%s\n%s", who, i+1, la[i], lb[i])
			return
		}
	}
	t.Errorf("%s can tell the worlds apart: %d lines and %d", who, len(la), len(lb))
}
