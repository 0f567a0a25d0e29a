package amiproxy_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// block is one answer or event: its lines, each a name and a value.
type block [][2]string

func (b block) get(name string) string {
	for _, f := range b {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}

func (b block) names() string {
	var names []string
	for _, f := range b {
		names = append(names, f[0])
	}
	return strings.Join(names, " ")
}

// asked is what a real Asterisk has answered to one action.
type asked struct {
	scene, action string
	headers       []string
	blocks        []block
}

// capture reads testdata/lists-22.10.txt.
func capture(t *testing.T) (all []asked) {
	t.Helper()
	text, err := os.ReadFile("testdata/lists-22.10.txt")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "\n\n") {
		part = strings.Trim(part, "\n")
		if head, ok := strings.CutPrefix(part, "=== "); ok {
			scene, action, _ := strings.Cut(head, ": ")
			words := strings.Fields(action)
			all = append(all, asked{scene: scene, action: words[0], headers: words[1:]})
			continue
		}
		if strings.HasPrefix(part, "#") || part == "" {
			continue
		}
		var b block
		for line := range strings.Lines(part) {
			name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
			b = append(b, [2]string{name, strings.TrimPrefix(value, " ")})
		}
		last := &all[len(all)-1]
		last.blocks = append(last.blocks, b)
	}
	if len(all) < 40 {
		t.Fatalf("there are %d answers", len(all))
	}
	return all
}

// forms are the fields of each event in those answers, in Asterisk's order; one that has more in one state than in another has several.
func forms(t *testing.T) map[string][]string {
	of := map[string][]string{}
	for _, a := range capture(t) {
		for _, b := range a.blocks {
			if b[0][0] == "Event" && !slices.Contains(of[b[0][1]], b.names()) {
				of[b[0][1]] = append(of[b[0][1]], b.names())
			}
		}
	}
	return of
}

// modelled makes the model of what the real Asterisk had: its channels with their ids as handles.
func modelled(t *testing.T, all []asked, now time.Time) (view gate.Channels, names *strings.Replacer) {
	t.Helper()
	var pairs []string
	dialled := map[string]string{}
	at := map[string]int{}
	for _, a := range all {
		for _, b := range a.blocks {
			if a.scene == "busy" && b.get("Event") == "Status" {
				dialled[b.get("Uniqueid")] = b.get("DNID")
			}
			if a.scene != "busy" || b.get("Event") != "CoreShowChannel" {
				continue
			}
			name := b.get("Channel")
			cut := strings.LastIndex(name, "-")
			app, first := b.get("Application"), strings.Split(b.get("ApplicationData"), ",")[0]
			state, _ := strconv.Atoi(b.get("ChannelState"))
			long, err := time.Parse(time.TimeOnly, b.get("Duration"))
			if err != nil {
				t.Fatal(err)
			}
			began := now.Add(-time.Duration(long.Second()) * time.Second)
			c := mask.Channel{
				ID: b.get("Uniqueid"), Linked: b.get("Linkedid"), Endpoint: name[:cut], Out: !strings.HasPrefix(app, "App"), App: app, Bridge: b.get("BridgeId"),
				State:  map[int]mask.ChannelState{4: mask.ChannelRing, 5: mask.ChannelRinging, 6: mask.ChannelUp}[state],
				Number: known(b.get("CallerIDNum")), Name: known(b.get("CallerIDName")), Began: began, Since: began,
			}
			if p := (mask.Party{Number: known(b.get("ConnectedLineNum")), Name: known(b.get("ConnectedLineName"))}); p != (mask.Party{}) {
				c.Peer = &p
			}
			switch app {
			case "Queue":
				c.Queue = first
			case "ConfBridge":
				c.Room = first
			}
			at[c.ID] = len(view.All)
			view.All = append(view.All, c)
			pairs = append(pairs, name, name[:cut+1]+c.ID)
		}
	}
	for i := range view.All {
		view.All[i].Dialled = dialled[view.All[i].ID]
	}
	for _, a := range all {
		if a.scene != "busy" || a.action != "ParkedCalls" || len(a.headers) > 0 {
			continue
		}
		for _, b := range a.blocks {
			if b.get("Event") == "ParkedCall" {
				waited, _ := strconv.Atoi(b.get("ParkingDuration"))
				left, _ := strconv.Atoi(b.get("ParkingTimeout"))
				view.Parked = append(view.Parked, gate.Parked{
					Channel: at[b.get("ParkeeUniqueid")], Space: b.get("ParkingSpace"), Lot: b.get("Parkinglot"),
					Since: now.Add(-time.Duration(waited) * time.Second), Timeout: waited + left,
				})
			}
		}
	}
	view.Known = true
	return view, strings.NewReplacer(pairs...)
}

func known(s string) string {
	if s == "<unknown>" {
		return ""
	}
	return s
}

// otherwise are the fields whose values Earshot's lists have otherwise than Asterisk's, and why.
var otherwise = map[string]string{
	"Context":       "Earshot's, whatever the dialplan's are called",
	"Priority":      "not in the model",
	"Exten":         "the model has what was dialled, and not where in the dialplan that has led; compared of those that Dial rings or has rung",
	"Nativeformats": "not in the model", "Readformat": "the same", "Readtrans": "the same", "Writeformat": "the same", "Writetrans": "the same",
	"BridgeTechnology":  "native_rtp and simple_bridge carry the same call",
	"BridgeNumChannels": "who announces in a conference is not shown",
	"ParkerDialString":  "who parked is not in the model",
}

// same says whether two blocks say the same, but for those fields.
func (b block) same(o block) bool {
	if b.names() != o.names() {
		return false
	}
	for i, f := range b {
		name, value := strings.TrimPrefix(f[0], "Parkee"), f[1]
		if name == "ApplicationData" || name == "Data" {
			if b.get("Application") == "Dial" {
				continue // whom it dials is told by the channels that it rings
			}
			value, _, _ = strings.Cut(value, ",") // and what else applications are told is not in the model
		}
		if (otherwise[name] == "" || name == "Exten" && b.get("Application") == "AppDial") && value != o[i][1] {
			return false
		}
	}
	return true
}

// got is what the door answers, its answer and the events of a list.
func got(t *testing.T, c *ami.Client, a asked, names *strings.Replacer) (all []block) {
	t.Helper()
	var headers []string
	for _, h := range a.headers {
		headers = append(headers, names.Replace(h))
	}
	blockOf := func(m *ami.Message) (b block) {
		for i := range m.Len() {
			name, value := m.Field(i)
			if string(name) == "ActionID" {
				value = []byte("cap")
			}
			b = append(b, [2]string{string(name), string(value)})
		}
		return b
	}
	if a.blocks[0].get("EventList") == "" {
		if a.blocks[0].get("Response") == "Error" {
			return []block{{{"Response", "Error"}, {"ActionID", "cap"}, {"Message", answered(t, c, act(a.action, headers...))}}}
		}
		m, err := c.Do(t.Context(), act(a.action, headers...))
		if err != nil {
			t.Fatalf("%s %s: %v", a.action, headers, err)
		}
		return []block{blockOf(m)}
	}
	list, final, err := c.List(t.Context(), act(a.action, headers...))
	if err != nil {
		t.Fatalf("%s %s: %v", a.action, headers, err)
	}
	for _, m := range append(list, final) {
		all = append(all, blockOf(m))
	}
	return all
}

// The model of what a real Asterisk had gives the same lists.
func TestListsOfTheSameChannelsAreAsterisks(t *testing.T) {
	w, all := newWorld(t), capture(t)
	view, names := modelled(t, all, w.clock())
	if len(view.All) < 10 || len(view.Parked) != 1 {
		t.Fatalf("the model has %d channels, %d of them parked", len(view.All), len(view.Parked))
	}
	w.door.Show(view)
	olga := w.as("olga")
	compared := 0
	for _, a := range all {
		if a.scene != "busy" || !slices.Contains([]string{
			"CoreShowChannels", "CoreShowChannelMap", "Status", "BridgeList", "BridgeInfo", "ParkedCalls", "ConfbridgeListRooms", "ConfbridgeList",
		}, a.action) || a.blocks[0].get("EventList") == "" {
			continue
		}
		is := got(t, olga, a, names)
		for _, b := range a.blocks[1:] {
			for i := range b {
				b[i][1] = names.Replace(b[i][1])
			}
			if compared++; !slices.ContainsFunc(is, b.same) {
				t.Errorf("%s %v has nothing that is as Asterisk's %v", a.action, a.headers, b)
			}
		}
	}
	if compared < 50 {
		t.Errorf("%d were compared", compared)
	}
}

// What is wrong with a question is told in Asterisk's words, and so is that there is nothing; one answer has Asterisk's fields.
func TestWordsAndSingleAnswersAreAsterisks(t *testing.T) {
	all := capture(t)
	var single []string // the forms of those answers, with their actions
	for _, a := range all {
		if b := a.blocks[0]; b.get("EventList") == "" {
			single = append(single, a.action+" "+b.names())
		}
	}
	busy := newWorld(t)
	view, names := modelled(t, all, busy.clock())
	busy.door.Show(view)
	in := map[string]*ami.Client{"busy": busy.as("olga"), "idle": newWorld(t).as("olga")}
	compared := 0
	for _, a := range all {
		c, b := in[a.scene], a.blocks[0]
		switch {
		case c == nil || a.action == "Parkinglots" || b.get("EventList") == "" && a.action == "ParkedCalls":
			continue // refused; and that there is no such lot is not told
		case a.scene == "idle" && b.get("EventList") != "":
			final := a.blocks[len(a.blocks)-1]
			if is := got(t, c, a, names); a.action != "PresenceStateList" && (len(is) != 1 || !is[0].same(final)) {
				t.Errorf("%s is %v where there is nothing, not %v", a.action, is, final)
			}
		case b.get("Response") == "Error":
			if is := got(t, c, a, names)[0]; !is.same(b) {
				t.Errorf("%s %v is answered by %v, not %v", a.action, a.headers, is, b)
			}
		case b.get("EventList") == "":
			if is := got(t, c, a, names)[0]; !slices.Contains(single, a.action+" "+is.names()) {
				t.Errorf("%s %v is answered by %v, not like %v", a.action, a.headers, is, b)
			}
		default:
			continue
		}
		compared++
	}
	if compared < 25 {
		t.Errorf("%d were compared", compared)
	}
}
