package ariproxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// The people of the operations: alice may do what one does with one's own, carol may listen to bob, olga sees all of them and may nothing else.
const opPolicy = `
version: 1
employees:
  alice: {name: Alice, phones: [PJSIP/100], numbers: ["100"], dial: employees, record: own, journal: own, recordings: {to: own, allow: [play, download, delete]}}
  bob:   {name: Bob, phones: [PJSIP/210], numbers: ["210"]}
  carol: {name: Carol, phones: [PJSIP/120], numbers: ["120"], listen: {to: [bob], allow: [spy, barge]}}
  olga:  {name: Olga, phones: [PJSIP/300], numbers: ["300"], observe: true}
trunks: [PJSIP/trunk]
`

// mark is in every text that a client makes up.
const mark = "mArK"

// desk is a world in which alice steers two legs of hers, of which mArK-1 is up, in a bridge mArK-room the second, mArK-2, and has an ordinary call; bob
// talks with somebody outside, and all have an application.
type desk struct {
	*world
	stream *listener
	begun  []told
	ids    map[string]string // what the braces of a request stand for, as alice has it
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{world: newWorldOf(t, opPolicy, []string{"alice", "bob", "carol", "olga"}, func(c *ariproxy.Config) { c.Codes = gate.Codes{Spy: "*50", Lock: "*59"} }), ids: map[string]string{}}
	d.talks("1", "", "+4915550001", "PJSIP/210")
	d.talks("3", "", "+4915550003", "PJSIP/100")
	d.ids["ordinary"], d.ids["bobs"] = d.channel("alice", "PJSIP/100"), d.channel("alice", "PJSIP/210")
	d.stream = d.listen("alice", "app=desk")
	d.listen("olga", "app=desk")
	d.listen("carol", "app=desk")
	for _, name := range []string{mark + "-1", mark + "-2"} {
		d.must("alice", "POST /channels?endpoint=PJSIP%2F100&app=desk&appArgs="+mark+"&channelId="+name, http.StatusOK)
	}
	d.begun = d.stream.until("StasisStart", mark+"-2")
	d.must("alice", "POST /bridges/"+mark+"-room?name="+mark, http.StatusOK)
	d.must("alice", "POST /bridges/"+mark+"-room/addChannel?channel="+mark+"-2", http.StatusNoContent)
	d.must("alice", "POST /channels/"+mark+"-1/play/"+mark+"-song?media=sound:beep,tone:busy", http.StatusCreated)
	d.ids["leg"], d.ids["other"], d.ids["room"], d.ids["song"] = mark+"-1", mark+"-2", mark+"-room", mark+"-song"
	d.shelf.keep("alice", "PJSIP/100", "a.wav")
	if err := os.WriteFile(filepath.Join(d.shelf.dir, "a.wav"), []byte("RIFFabc"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stored []struct{ Name string }
	d.as("alice", "GET /recordings/stored").into(t, &stored)
	if len(stored) != 1 {
		t.Fatalf("alice has %v", stored)
	}
	d.ids["stored"] = stored[0].Name
	return d
}

// must asks what has to be answered so.
func (w *world) must(who, what string, status int, headers ...string) answer {
	w.t.Helper()
	got := w.as(who, what, headers...)
	if got.status != status {
		w.t.Fatalf("%s is answered by %d %s", what, got.status, got.body)
	}
	return got
}

// fill puts in what stands between braces.
func (d *desk) fill(text string) string {
	for name, id := range d.ids {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

// deed is what is done with one row of the table.
type deed struct {
	row    string
	path   string // with parameters
	body   string // JSON
	status int
	order  string // begins the PBX's last order; empty: there is none
	who    string // who may; alice
	live   bool   // alice records her ordinary call as mArK-tape
	other  string // what olga, who may not, asks in its place; the same
	denied int    // 404
}

var deeds = []deed{
	{row: "POST /channels", path: "/channels?endpoint=pjsip/100&app=desk", body: `{"channelId":"mArK-3","appArgs":"mArK,two","callerId":"mArK <mArK>","timeout":-1,"variables":{}}`, status: 200, order: "ring", denied: 400},
	{row: "POST /channels/{channelId}", path: "/channels/mArK-3?endpoint=PJSIP/100&extension=120&context=mArK&priority=1&callerId=mArK", status: 200, order: "call [PJSIP/100 120 from-internal", denied: 400},
	{row: "DELETE /channels/{channelId}", path: "/channels/{leg}?reason_code=normal", status: 204, order: "drop"},
	{row: "DELETE /channels/{channelId}", path: "/channels/{ordinary}", status: 204, order: "drop [3.p"},
	{row: "POST /channels/{channelId}/answer", path: "/channels/{leg}/answer", status: 204},
	{row: "POST /channels/{channelId}/ring", path: "/channels/{leg}/ring", status: 204, order: "ringing"},
	{row: "DELETE /channels/{channelId}/ring", path: "/channels/{leg}/ring", status: 204, order: "ringing"},
	{row: "POST /channels/{channelId}/dtmf", path: "/channels/{leg}/dtmf?dtmf=12a%23&between=100&duration=100", status: 204, order: "press [{Leg:earshot-"},
	{row: "POST /channels/{channelId}/mute", path: "/channels/{leg}/mute", status: 204, order: "mute"},
	{row: "DELETE /channels/{channelId}/mute", path: "/channels/{leg}/mute?direction=in", status: 204, order: "mute"},
	{row: "POST /channels/{channelId}/hold", path: "/channels/{leg}/hold", status: 204, order: "hold"},
	{row: "DELETE /channels/{channelId}/hold", path: "/channels/{leg}/hold", status: 204, order: "hold"},
	{row: "POST /channels/{channelId}/moh", path: "/channels/{leg}/moh?mohClass=default", status: 204, order: "music"},
	{row: "DELETE /channels/{channelId}/moh", path: "/channels/{leg}/moh", status: 204, order: "music"},
	{row: "POST /channels/{channelId}/silence", path: "/channels/{leg}/silence", status: 204, order: "silence"},
	{row: "DELETE /channels/{channelId}/silence", path: "/channels/{leg}/silence", status: 204, order: "silence"},
	{row: "POST /channels/{channelId}/play", path: "/channels/{leg}/play?playbackId=mArK-p&lang=en", body: `{"media":["sound:silence/1","digits:12#","number:42","characters:abc"]}`, status: 201, order: "play"},
	{row: "POST /channels/{channelId}/play/{playbackId}", path: "/channels/{leg}/play/mArK-p?media=tone:busy&skipms=3000&offsetms=0", status: 201, order: "play"},
	{row: "POST /channels/{channelId}/record", path: "/channels/{ordinary}/record?name=mArK&format=wav&maxDurationSeconds=0&ifExists=fail&beep=false&terminateOn=none", status: 201, order: "record", denied: 403},
	{row: "POST /bridges", path: "/bridges?type=mixing,dtmf_events&bridgeId=mArK-b&name=mArK", status: 200, order: "create", who: "olga", other: "/bridges?type=holding", denied: 400},
	{row: "POST /bridges/{bridgeId}", path: "/bridges/mArK-b?type=mixing", status: 200, order: "create", who: "olga", other: "/bridges/mArK-b?type=mixing&%24", denied: 400},
	{row: "POST /bridges/{bridgeId}", path: "/bridges/mArK-b?bridgeId=mArK-b", status: 200, order: "create", who: "olga", other: "/bridges/mArK-b?bridgeId=mArK-c", denied: 400},
	{row: "DELETE /bridges/{bridgeId}", path: "/bridges/{room}", status: 204, order: "remove"},
	{row: "POST /bridges/{bridgeId}/addChannel", path: "/bridges/{room}/addChannel?channel={leg}&role=participant&mute=false&absorbDTMF=false", status: 204, order: "enter"},
	{row: "POST /bridges/{bridgeId}/removeChannel", path: "/bridges/{room}/removeChannel?channel={other}", status: 204, order: "leave"},
	{row: "POST /bridges/{bridgeId}/moh", path: "/bridges/{room}/moh", status: 204, order: "music"},
	{row: "DELETE /bridges/{bridgeId}/moh", path: "/bridges/{room}/moh", status: 204, order: "music"},
	{row: "POST /bridges/{bridgeId}/play", path: "/bridges/{room}/play?media=sound:beep&playbackId=mArK-p", status: 201, order: "play"},
	{row: "POST /bridges/{bridgeId}/play/{playbackId}", path: "/bridges/{room}/play/mArK-p?media=sound:beep", status: 201, order: "play"},
	{row: "POST /bridges/{bridgeId}/record", path: "/bridges/{bridge}/record?name=mArK&format=wav", status: 201, order: "record", denied: 403},
	{row: "DELETE /playbacks/{playbackId}", path: "/playbacks/{song}", status: 204, order: "stop"},
	{row: "POST /playbacks/{playbackId}/control", path: "/playbacks/{song}/control?operation=pause", status: 204, order: "control"},
	{row: "DELETE /recordings/stored/{recordingName}", path: "/recordings/stored/{stored}", status: 204},
	{row: "POST /recordings/live/{recordingName}/stop", path: "/recordings/live/mArK-tape/stop", live: true, status: 204},
	{row: "POST /recordings/live/{recordingName}/pause", path: "/recordings/live/mArK-tape/pause", live: true, status: 204, order: "pause"},
	{row: "DELETE /recordings/live/{recordingName}/pause", path: "/recordings/live/mArK-tape/pause", live: true, status: 204},
	{row: "POST /channels/{channelId}/snoop", path: "/channels/{bobs}/snoop?spy=both&app=desk&appArgs=mArK&snoopId=mArK-s", who: "carol", status: 200, denied: 403},
	{row: "POST /channels/{channelId}/snoop/{snoopId}", path: "/channels/{bobs}/snoop/mArK-s?spy=both&whisper=both&app=desk", who: "carol", status: 200, denied: 403},
}

// Every operation that acts is carried out for who may, and for who may not nothing is; whatever a client makes up goes nowhere.
func TestEveryOperationIsForWhoMayAndNoTextOfAClientsGoesToThePBX(t *testing.T) {
	var done, rows []string
	for _, tc := range deeds {
		done = append(done, tc.row)
		method, _, _ := strings.Cut(tc.row, " ")
		t.Run(tc.row, func(t *testing.T) {
			d := newDesk(t)
			if tc.live {
				d.must("alice", "POST /channels/"+d.ids["ordinary"]+"/record?name="+mark+"-tape&format=wav", http.StatusCreated)
			}
			d.ids["bridge"] = d.bridgeOf("alice", d.ids["ordinary"])
			ask := func(who, path, body string) answer {
				headers := []string{d.by(who)}
				if body != "" {
					headers = append(headers, "Content-Type: application/json")
				}
				return d.ask(method+" /ari"+d.fill(path), headers, body)
			}
			before, denials := len(d.pbx.taken()), len(d.book.Denied())
			alices := d.ids
			// What olga is shown of alice's she has other handles for; what she is not shown she may have been told.
			d.ids = map[string]string{}
			for name, id := range alices {
				d.ids[name] = id
			}
			d.ids["leg"], d.ids["ordinary"], d.ids["bobs"] = d.channel("olga", "PJSIP/100"), d.channel("olga", "PJSIP/100"), d.channel("olga", "PJSIP/210")
			d.ids["bridge"] = d.bridgeOf("olga", d.ids["ordinary"])
			other, denied := tc.other, tc.denied
			if other == "" {
				other = tc.path
			}
			if denied == 0 {
				denied = http.StatusNotFound
			}
			got := ask("olga", other, tc.body)
			if got.status != denied || got.message() == "" || strings.Contains(got.body, mark) {
				t.Errorf("who may not is answered by %d %s", got.status, got.body)
			}
			if denied != http.StatusNotFound && len(d.book.Denied()) != denials+1 {
				t.Errorf("of it the record has %v", d.book.Denied())
			}
			if all := d.pbx.taken(); len(all) != before {
				t.Errorf("for who may not the PBX is asked for %v", all[before:])
			}
			d.ids = alices
			who := tc.who
			if who == "" {
				who = "alice"
			}
			if who == "carol" {
				d.ids["bobs"] = d.channel("carol", "PJSIP/210")
			}
			if got := ask(who, tc.path, tc.body); got.status != tc.status {
				t.Errorf("who may is answered by %d %s", got.status, got.body)
			}
			all := d.pbx.taken()[before:]
			if tc.order == "" && tc.row != "POST /recordings/live/{recordingName}/stop" && len(all) > 0 || tc.order != "" && (len(all) == 0 || !strings.HasPrefix(all[len(all)-1], tc.order)) {
				t.Errorf("for who may the PBX is asked for %v", all)
			}
			for _, o := range d.pbx.taken() {
				if strings.Contains(strings.ToLower(o), strings.ToLower(mark)) {
					t.Errorf("a client's text is in the order %s", o)
				}
			}
		})
	}
	for _, o := range ariproxy.Operations() {
		if o.Acts {
			rows = append(rows, o.Label)
		}
	}
	slices.Sort(rows)
	slices.Sort(done)
	if done = slices.Compact(done); !slices.Equal(done, rows) {
		t.Errorf("done are %v, of %v", done, rows)
	}
}

// ofSteering is what alice is told while she steers and records.
func ofSteering(t *testing.T) []told {
	t.Helper()
	d := newDesk(t)
	all := d.begun
	var leg call.LegID
	d.pbx.mu.Lock()
	for id, in := range d.pbx.in {
		if in == "" {
			leg = id
		}
	}
	d.pbx.mu.Unlock()
	d.gate.Pressed(leg, "5")
	d.must("alice", "DELETE /playbacks/"+d.ids["song"], http.StatusNoContent)
	d.must("alice", "POST /channels/"+d.ids["leg"]+"/play?media=sound:beep,sound:beep", http.StatusCreated)
	d.must("alice", "POST /applications/desk/subscription?eventSource=channel:"+d.ids["ordinary"], http.StatusOK)
	d.must("alice", "POST /channels/"+d.ids["ordinary"]+"/record?name=tape&format=wav", http.StatusCreated)
	d.must("alice", "POST /recordings/live/tape/stop", http.StatusNoContent)
	all = append(all, d.stream.until("RecordingFinished", `"name":"tape"`)...)
	d.must("alice", "POST /channels/"+d.ids["ordinary"]+"/record?name=broken&format=wav", http.StatusCreated)
	d.breaksOff("broken")
	all = append(all, d.stream.until("RecordingFailed", `"name":"broken"`)...)
	d.must("alice", "DELETE /channels/"+d.ids["leg"], http.StatusNoContent)
	return append(all, d.stream.until("StasisEnd", d.ids["leg"])...)
}

// The id of a dialled call is free when that is over, whether a stream is there or none; until then it is taken.
func TestTheIDOfADialledCallIsFreeWhenThatIsOver(t *testing.T) {
	d := newDesk(t)
	all := d.listen("alice", "app=all&subscribeAll=true")
	const dial, id = "POST /channels/zz?endpoint=PJSIP/100&extension=120", `"id":"zz"`
	d.must("alice", dial, http.StatusOK)
	d.must("alice", dial, http.StatusConflict)
	d.must("alice", "DELETE /channels/zz", http.StatusNoContent)
	all.until("ChannelDestroyed", id)
	d.must("alice", dial, http.StatusOK)
	d.must("alice", "GET /channels/zz", http.StatusOK)
	d.leaves(d.stream, "alice", "desk")
	d.leaves(all, "alice", "all")
	d.must("alice", "DELETE /channels/zz", http.StatusNoContent)
	d.stream = d.listen("alice", "app=desk")
	d.must("alice", dial, http.StatusOK)
	d.must("alice", "GET /channels/zz", http.StatusOK)
}

// As many calls as there may be ids hold up none that comes behind them, and of what is there yet no id is freed.
func TestTheIDsOfDialledCallsDoNotRunOut(t *testing.T) {
	d := newDesk(t)
	const dial = "?endpoint=PJSIP/100&extension=120"
	d.must("alice", "POST /channels/kept"+dial, http.StatusOK)
	for i := range 70 {
		path := fmt.Sprint("/channels/zz", i)
		d.must("alice", "POST "+path+dial, http.StatusOK)
		d.must("alice", "DELETE "+path, http.StatusNoContent)
	}
	for _, id := range []string{"kept", d.ids["leg"], d.ids["other"]} {
		d.must("alice", "GET /channels/"+id, http.StatusOK)
	}
}

// Of a call that the PBX is slow to tell of the id is its client's too as long as it is there.
func TestTheIDOfACallThatIsToldOfLateIsTakenUntilItIsOver(t *testing.T) {
	d := newDesk(t)
	const dial = "POST /channels/zz?endpoint=PJSIP/100&extension=120"
	d.pbx.slow.Store(true)
	d.must("alice", dial, http.StatusOK)
	d.pbx.slow.Store(false)
	orders := d.pbx.taken()
	leg := strings.TrimSuffix(orders[len(orders)-1][strings.LastIndex(orders[len(orders)-1], " ")+1:], "]")
	d.pbx.appear(call.LegID(leg), "PJSIP/100")
	d.must("alice", dial, http.StatusConflict)
	d.must("alice", "DELETE /channels/zz", http.StatusNoContent)
	d.must("alice", dial, http.StatusOK)
}

// A recording is known by the client's name for it as long as it runs and when it is stored, and is handed out as it is.
func TestARecordingHasTheNameThatItsClientGaveIt(t *testing.T) {
	d := newDesk(t)
	d.must("alice", "POST /applications/desk/subscription?eventSource=channel:"+d.ids["ordinary"], http.StatusOK)
	d.must("alice", "POST /channels/"+d.ids["ordinary"]+"/record?name=tape&format=wav", http.StatusCreated)
	if got := d.as("alice", "POST /channels/"+d.ids["ordinary"]+"/record?name=tape&format=wav"); got.status != http.StatusConflict {
		t.Errorf("the name again is answered by %d %s", got.status, got.body)
	}
	if got := d.as("alice", "GET /recordings/live/tape"); !strings.Contains(got.body, `{"name":"tape","format":"wav","target_uri":"channel:`+d.ids["ordinary"]+`","state":"recording"}`) {
		t.Errorf("it is %d %s", got.status, got.body)
	}
	d.must("alice", "POST /recordings/live/tape/stop", http.StatusNoContent)
	d.stream.until("RecordingFinished", "tape")
	if got := d.as("alice", "GET /recordings/live/tape"); got.status != http.StatusNotFound {
		t.Errorf("when it is over it is %d %s", got.status, got.body)
	}
	if got := d.as("alice", "GET /recordings/stored/tape"); got.status != http.StatusNotFound {
		t.Errorf("before it is found it is %d %s", got.status, got.body)
	}
	file := ""
	for _, o := range d.pbx.taken() {
		if _, name, ok := strings.Cut(o, "Name:"); ok {
			file, _, _ = strings.Cut(name, " ")
		}
	}
	if err := os.WriteFile(filepath.Join(d.shelf.dir, file+".wav"), []byte("RIFFxyz"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.shelf.keep("alice", "PJSIP/100", file+".wav")
	if got := d.must("alice", "GET /recordings/stored/tape", http.StatusOK); got.body != `{"name":"tape","format":"wav"}` {
		t.Errorf("it is %s", got.body)
	}
	got := d.must("alice", "GET /recordings/stored/tape/file", http.StatusOK)
	if got.body != "RIFFxyz" || !strings.HasPrefix(got.header.Get("Content-Type"), "audio/") || strings.Contains(got.header.Get("Content-Disposition"), file) {
		t.Errorf("it is %v %q", got.header, got.body)
	}
	if got := d.must("alice", "GET /recordings/stored/tape/file", http.StatusPartialContent, "Range: bytes=4-5"); got.body != "xy" {
		t.Errorf("a part of it is %q", got.body)
	}
	if got := d.as("alice", "GET /recordings/stored/tape/file", "Range: bytes=99-"); got.status != http.StatusRequestedRangeNotSatisfiable || got.message() == "" {
		t.Errorf("no part of it is %d %q", got.status, got.body)
	}
	for _, name := range []string{"tape", d.ids["stored"], "..%2Ftape", "%2Fetc%2Fpasswd"} {
		if got := d.as("olga", "GET /recordings/stored/"+name+"/file"); got.status < 400 || strings.Contains(got.body, "RIFF") {
			t.Errorf("another is given %s: %d %q", name, got.status, got.body)
		}
	}
	d.must("alice", "DELETE /recordings/stored/tape", http.StatusNoContent)
	if got := d.as("alice", "GET /recordings/stored/tape"); got.status != http.StatusNotFound {
		t.Errorf("it has been deleted and is %d %s", got.status, got.body)
	}
}

// Who has no event stream has no names either: his recording is known by the one that he is answered with.
func TestARecordingOfWhoHasNoStreamHasTheNameOfItsAnswer(t *testing.T) {
	w := newWorldOf(t, opPolicy, []string{"alice"})
	w.talks("3", "", "+4915550003", "PJSIP/100")
	var tape struct{ Name string }
	got := w.must("alice", "POST /channels/"+w.channel("alice", "PJSIP/100")+"/record?name=mine&format=wav", http.StatusCreated)
	if err := json.Unmarshal([]byte(got.body), &tape); err != nil || tape.Name == "" || tape.Name == "mine" {
		t.Fatalf("it is %s", got.body)
	}
	w.must("alice", "GET /recordings/live/mine", http.StatusNotFound)
	w.must("alice", "GET /recordings/live/"+tape.Name, http.StatusOK)
	w.must("alice", "POST /bridges?bridgeId=mine", http.StatusNotFound)
	w.must("alice", "POST /recordings/live/"+tape.Name+"/stop", http.StatusNoContent)
}

// What a recording is of is told as it was in the beginning, until its end: where it was begun in a bridge that one.
func TestARecordingHasTheTargetThatItBeganWith(t *testing.T) {
	d := newDesk(t)
	d.ids["bridge"] = d.bridgeOf("alice", d.ids["ordinary"])
	target := d.fill(`"target_uri":"bridge:{bridge}","state":`)
	d.must("alice", d.fill("POST /applications/desk/subscription?eventSource=bridge:{bridge}"), http.StatusOK)
	if got := d.must("alice", d.fill("POST /bridges/{bridge}/record?name=tape&format=wav"), http.StatusCreated); !strings.Contains(got.body, target) {
		t.Errorf("it is %s", got.body)
	}
	if got := d.as("alice", "GET /recordings/live/tape"); !strings.Contains(got.body, target) {
		t.Errorf("asked for, it is %d %s", got.status, got.body)
	}
	d.must("alice", "POST /recordings/live/tape/stop", http.StatusNoContent)
	if all := d.stream.until("RecordingFinished", target); !strings.Contains(joined(all), `"type":"RecordingStarted"`) {
		t.Errorf("told is %s", joined(all))
	}
}

// A recording that the PBX has broken off is told to have failed, and why.
func TestARecordingThatBreaksOffIsToldToHaveFailed(t *testing.T) {
	d := newDesk(t)
	d.must("alice", d.fill("POST /applications/desk/subscription?eventSource=channel:{ordinary}"), http.StatusOK)
	d.must("alice", d.fill("POST /channels/{ordinary}/record?name=tape&format=wav"), http.StatusCreated)
	d.breaksOff("tape")
	all := d.stream.until("RecordingFailed", d.fill(`"recording":{"name":"tape","format":"wav","target_uri":"channel:{ordinary}","state":"failed","cause":"Asterisk ended it`))
	if text := joined(all); strings.Contains(text, "RecordingFinished") {
		t.Errorf("told is %s", text)
	}
}

// breaksOff has the PBX record no more, and alice be the first who notices.
func (d *desk) breaksOff(name string) {
	d.t.Helper()
	d.pbx.mu.Lock()
	d.pbx.failed = true
	d.pbx.mu.Unlock()
	if got := d.as("alice", "POST /recordings/live/"+name+"/pause"); got.status < 400 {
		d.t.Errorf("it is paused: %d %s", got.status, got.body)
	}
}

// bridgeOf is the bridge in which somebody is shown a channel.
func (w *world) bridgeOf(who, channel string) (id string) {
	w.t.Helper()
	var all []struct {
		ID       string
		Channels []string
	}
	w.as(who, "GET /bridges").into(w.t, &all)
	for _, b := range all {
		if slices.Contains(b.Channels, channel) {
			id = b.ID
		}
	}
	return id
}

// What is not done is refused, and not passed over.
func TestWhatAnOperationDoesNotDoIsRefused(t *testing.T) {
	d := newDesk(t)
	before := len(d.pbx.taken())
	for _, what := range []string{
		"POST /channels?endpoint=PJSIP/100&app=desk&originator={bobs}", "POST /channels?endpoint=PJSIP/100&app=desk&formats=ulaw", "POST /channels?endpoint=PJSIP/100&app=desk&otherChannelId=x",
		"POST /channels?endpoint=PJSIP/100", "POST /channels?app=desk", "POST /channels?endpoint=PJSIP/100&app=desk&extension=120", "POST /channels?endpoint=PJSIP/100&extension=120&label=x",
		"POST /channels?endpoint=PJSIP/100&extension=120&priority=2", "POST /channels?endpoint=PJSIP/100&extension=120&context=a%2Cb", "POST /channels?endpoint=PJSIP/210&app=desk", "POST /channels?endpoint=PJSIP/100%26PJSIP/210&app=desk",
		"POST /channels?endpoint=Local/120@x&app=desk", "POST /channels/c7zpt645q72repyxwipd6?endpoint=PJSIP/100&app=desk", "POST /channels?endpoint=PJSIP/100&app=desk&x=y",
		"POST /channels/{leg}/dtmf?dtmf=1w2", "POST /channels/{leg}/dtmf?dtmf=" + strings.Repeat("1", 21), "POST /channels/{leg}/dtmf", "POST /channels/{leg}/dtmf?dtmf=1&duration=999999",
		"POST /channels/{leg}/moh?mohClass=loud", "POST /channels/{leg}/mute?direction=up", "POST /channels/{leg}/play?media=recording:x", "POST /channels/{leg}/play?media=sound:/etc/passwd",
		"POST /channels/{leg}/play?media=sound:http%3A//x/y", "POST /channels/{leg}/play?media=sound:hello", "POST /channels/{leg}/play?media=tone:busy%3Btonezone=us", "POST /channels/{leg}/play?media=sound:beep&lang=ru",
		"POST /channels/{leg}/play?media=sound:beep&offsetms=5", "POST /channels/{leg}/play", "POST /bridges?type=holding", "POST /bridges?type=dtmf_events",
		"POST /bridges/{room}/addChannel?channel={bobs}", "POST /bridges/{room}/addChannel?channel={leg}&role=announcer", "POST /bridges/{room}/addChannel?channel={leg}&mute=true", "POST /bridges/{room}/addChannel",
		"POST /channels/{ordinary}/record?name=x&format=gsm", "POST /channels/{ordinary}/record?name=..%2Fx&format=wav", "POST /channels/{ordinary}/record?name=x&format=wav&maxDurationSeconds=9",
		"POST /channels/{ordinary}/record?name=x&format=wav&ifExists=overwrite", "POST /channels/{ordinary}/record?name=x&format=wav&beep=true", "POST /channels/{ordinary}/record?name=x&format=wav&terminateOn=any",
		"POST /channels/{bobs}/snoop?spy=in&app=desk", "POST /channels/{bobs}/snoop?app=desk", "POST /channels/{bobs}/snoop?spy=both&whisper=in&app=desk", "POST /channels/{bobs}/snoop?spy=both",
		"POST /playbacks/{song}/control?operation=louder", "DELETE /channels/{leg}?reason=because",
	} {
		if got := d.as("alice", d.fill(what)); got.status != http.StatusBadRequest || got.message() == "" || strings.Contains(got.body, "passwd") {
			t.Errorf("%s is answered by %d %s", what, got.status, got.body)
		}
	}
	for _, body := range []string{`{"variables":{"X":"y"}}`, `{"variables":{"CALLERID(name)":"x"}}`, `{"variables":{"_X":"x"}}`, `{"variables":{"X":"a[b]"}}`, `{"variables":"X"}`} {
		if got := d.ask("POST /ari/channels?endpoint=PJSIP/100&app=desk", []string{d.by("alice"), "Content-Type: application/json"}, body); got.status != http.StatusBadRequest {
			t.Errorf("%s is answered by %d %s", body, got.status, got.body)
		}
	}
	for what, status := range map[string]int{
		"POST /channels/{ordinary}/answer": 409, "POST /channels/{ordinary}/hold": 409, "POST /bridges/{room}/addChannel?channel={ordinary}": 422, "POST /bridges/{room}/removeChannel?channel={leg}": 422,
		"POST /channels/{bobs}/answer": 404, "DELETE /channels/{bobs}": 404, "POST /channels/nothing/answer": 404, "DELETE /channels/nothing": 404, "POST /bridges/nothing/addChannel?channel={leg}": 404,
		"POST /channels?endpoint=PJSIP/100&app=other": 404, "POST /channels/mArK-1?endpoint=PJSIP/100&app=desk": 409, "POST /channels?endpoint=PJSIP/100&extension=%2B4915550004": 403,
		"DELETE /recordings/live/x": 403, "POST /recordings/live/x/mute": 403, "GET /channels/{leg}/variable?variable=CHANNEL(name)": 403, "POST /channels/{leg}/variable?variable=X": 403,
		"POST /channels/nothing/snoop?spy=both&app=desk": 404,
	} {
		if got := d.as("alice", d.fill(what)); got.status != status || got.message() == "" {
			t.Errorf("%s is answered by %d %s", what, got.status, got.body)
		}
	}
	if all := d.pbx.taken(); len(all) != before {
		t.Errorf("the PBX is asked for %v", all[before:])
	}
	if got := d.as("alice", d.fill("GET /channels/{leg}/variable?variable=UNIQUEID")); got.body != `{"value":"`+d.ids["leg"]+`"}` {
		t.Errorf("a variable is %d %s", got.status, got.body)
	}
}

// What rings yet is in no application, as in Asterisk, and is answered so: it can be hung up and nothing else.
func TestAChannelThatRingsIsInNoApplicationYet(t *testing.T) {
	d := newDesk(t)
	d.pbx.unanswered.Store(true)
	d.must("alice", "POST /channels?endpoint=PJSIP/100&app=desk&channelId=mArK-3", http.StatusOK)
	for what, status := range map[string]int{
		"POST /channels/mArK-3/answer": 409, "POST /channels/mArK-3/play?media=sound:beep": 409, "POST /channels/mArK-3/hold": 409,
		"POST /bridges/{room}/addChannel?channel=mArK-3": 422,
	} {
		if got := d.as("alice", d.fill(what)); got.status != status || got.message() != "Channel not in Stasis application" {
			t.Errorf("%s is answered by %d %s", what, got.status, got.body)
		}
	}
	d.must("alice", "POST /channels/mArK-1/answer", http.StatusNoContent)
	d.must("alice", "DELETE /channels/mArK-3", http.StatusNoContent)
}

// Who has as many of something as he may is told how many that is, and has been given so many before.
func TestWhoHasAsManyAsHeMayIsToldHowMany(t *testing.T) {
	d := newWorldOf(t, opPolicy, []string{"alice"})
	d.listen("alice", "app=desk")
	d.must("alice", "POST /channels?endpoint=PJSIP/100&app=desk&channelId=first", http.StatusOK)
	for _, tc := range []struct {
		what, words string
		has         int
	}{
		{"POST /channels?endpoint=PJSIP/100&app=desk", "8 channels", 1}, {"POST /bridges", "8 bridges", 0}, {"POST /channels/first/play?media=sound:beep", "16 playbacks", 0},
	} {
		got := d.as("alice", tc.what)
		for ; got.status < http.StatusBadRequest && tc.has < 20; tc.has++ {
			got = d.as("alice", tc.what)
		}
		if got.status != http.StatusConflict || !strings.HasPrefix(tc.words, fmt.Sprint(tc.has, " ")) || !strings.Contains(got.message(), tc.words) {
			t.Errorf("%s is answered by %d %s behind %d", tc.what, got.status, got.body, tc.has)
		}
	}
}

// A feature code is what it stands for at the AMI door, and what one begins counts with all else that one begins.
func TestAnExtensionMayBeAFeatureCodeAndCommandsAreCounted(t *testing.T) {
	left := 2
	d := newWorldOf(t, opPolicy, []string{"carol"}, func(c *ariproxy.Config) {
		c.Codes, c.Command = gate.Codes{Spy: "*50"}, func(auth.Subject) bool { left--; return left >= 0 }
	})
	d.talks("1", "", "+4915550001", "PJSIP/210")
	got := d.as("carol", "POST /channels?endpoint=PJSIP/120&extension=*50210", "X-Earshot-Reason: a complaint")
	if got.status != http.StatusOK || !strings.HasPrefix(d.pbx.taken()[0], "ring [{Leg:earshot-") {
		t.Errorf("%d %s, and the PBX is asked for %v", got.status, got.body, d.pbx.taken())
	}
	if got := d.reasons("spy"); !slices.Equal(got, []string{"a complaint"}) {
		t.Errorf("that carol listens is decided for the reasons %q", got)
	}
	var c struct{ ID string }
	got.into(t, &c)
	d.must("carol", "DELETE /channels/"+c.ID, http.StatusNoContent)
	d.must("carol", "POST /channels?endpoint=PJSIP/120&extension=*50100", http.StatusForbidden)
	d.must("carol", "POST /channels?endpoint=PJSIP/120&extension=*50210", http.StatusTooManyRequests)
}
