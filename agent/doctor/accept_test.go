package doctor

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatIsAcceptedIsToldAndDoesNotCount(t *testing.T) {
	room := Finding{Code: "dialplan-conference", Severity: Medium, File: "custom/rooms.conf", Line: 7, Section: "phones", Subject: "800,1,ConfBridge"}
	other := Finding{Code: "dialplan-conference", Severity: Medium, File: "custom/rooms.conf", Line: 9, Section: "phones", Subject: "800,10,ConfBridge"}
	crm := Finding{Code: "ari-devices", Severity: Medium, Section: "crm", Subject: "subscribeAll"}
	now := time.Date(2027, 1, 31, 23, 59, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		accept         Acceptance
		accepted, open int
		stale          string
	}{
		"as it is printed":         {Acceptance{Where: "custom/rooms.conf:7 [phones] 800,1,ConfBridge"}, 1, 2, ""},
		"when lines have moved":    {Acceptance{Where: "custom/rooms.conf:99 [phones] 800,1,ConfBridge"}, 1, 2, ""},
		"without the folder":       {Acceptance{Where: "rooms.conf [phones] 800,1,ConfBridge"}, 1, 2, ""},
		"all of a section":         {Acceptance{Where: "custom/rooms.conf [phones]"}, 2, 1, ""},
		"all of a file":            {Acceptance{Where: "custom/rooms.conf"}, 2, 1, ""},
		"in no file":               {Acceptance{Code: "ari-devices", Where: "[crm] subscribeAll"}, 1, 2, ""},
		"a part of a word":         {Acceptance{Where: "custom/rooms.conf [phones] 800,1"}, 0, 3, "nothing of the kind is found there"},
		"another section":          {Acceptance{Where: "custom/rooms.conf [phone]"}, 0, 3, "nothing of the kind is found there"},
		"another kind":             {Acceptance{Code: "dialplan-disa", Where: "custom/rooms.conf"}, 0, 3, "nothing of the kind is found there"},
		"everywhere":               {Acceptance{Where: ""}, 0, 3, "nothing of the kind is found there"},
		"a kind that there is not": {Acceptance{Code: "dialplan-room", Where: "custom/rooms.conf"}, 0, 3, "there is no such kind of finding"},
		"on its last day":          {Acceptance{Where: "custom/rooms.conf", Until: now.Add(time.Minute)}, 2, 1, ""},
		"on the day after":         {Acceptance{Where: "custom/rooms.conf", Until: now}, 0, 3, "its time is over"},
	} {
		r := &Report{Findings: []Finding{room, other, crm}}
		if c.accept.Code == "" {
			c.accept.Code = "dialplan-conference"
		}
		r.Accept([]Acceptance{c.accept}, now)
		stale := ""
		for _, s := range r.Stale {
			stale += s.Reason
		}
		if len(r.Accepted) != c.accepted || len(r.Findings) != c.open || stale != c.stale || !r.Open() {
			t.Errorf("%s: %d accepted, %d open, stale: %q", name, len(r.Accepted), len(r.Findings), stale)
		}
	}
	r := &Report{Findings: []Finding{room}}
	r.Accept([]Acceptance{
		{Code: room.Code, Where: "rooms.conf", Until: now.Add(-time.Hour)}, {Code: room.Code, Where: "rooms.conf", Why: "it is ours"}, {Code: room.Code, Where: "rooms.conf"},
	}, now)
	if r.Open() || len(r.Accepted) != 1 || r.Accepted[0].Why != "it is ours" || len(r.Stale) != 1 {
		t.Errorf("of several the first that holds counts: %+v", r)
	}
}

func TestAReportTellsWhatIsAcceptedAndWhatAcceptsNothing(t *testing.T) {
	day := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	r := &Report{Sources: []string{"files"}, Findings: []Finding{}, Accepted: []Accepted{
		{Finding: Finding{Code: "module", Severity: Low, File: "modules.conf", Line: 4, Section: "modules", Subject: "app_mp3.so", Seen: []string{"files"}}, Why: "music on hold", Until: &day},
	}, Stale: []Stale{{"module", "modules.conf", "its time is over"}}}
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := "accepted: low     modules.conf:4 [modules] app_mp3.so  module\n        music on hold (until the end of 2027-01-31)\n\n" +
		"accepts nothing: module at modules.conf\n        its time is over: take it out, or look again\n\nnothing is open, 1 accepted (files)\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	raw, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(raw), `"accepted":[{"code":"module","severity":"low"`) || !strings.Contains(string(raw), `"why":"music on hold","until":"2027-02-01T00:00:00Z"}]`) {
		t.Errorf("%s %v", raw, err)
	}
}

// What the doctor prints as a place is what accepts the finding, wherever it is.
func TestEveryPlaceThatIsPrintedAcceptsItsFinding(t *testing.T) {
	files, err := OpenFiles("testdata/faulty")
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, earshots, files)
	var all []Acceptance
	for _, f := range r.Findings {
		all = append(all, Acceptance{Code: f.Code, Where: f.place()})
	}
	r.Accept(slices.Clone(all), time.Now())
	if r.Open() || len(r.Stale) > 0 || len(r.Accepted) < 50 || len(r.Accepted) != len(all) {
		t.Errorf("%d of %d accepted, open: %q, stale: %v", len(r.Accepted), len(all), named(r), r.Stale)
	}
}
