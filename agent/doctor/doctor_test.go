package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/ami"
)

func TestEachKindOfFindingIsInTheFaultyPBX(t *testing.T) {
	marked := map[string]bool{
		"module": true, "ari-devices": true, "sip-replaces": true, "include-no-emergency": true, "include-old": true, "include-settings": true, "line-queue": true,
	} // these have tests of their own
	err := filepath.WalkDir("testdata/faulty", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			_, codes, _ := strings.Cut(line, ";! ")
			for _, code := range strings.Fields(codes) {
				marked[code] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if !marked[k.code] && !strings.HasPrefix(k.code, "spool-") { // these are in no file of the PBX's
			t.Errorf("no fault of testdata/faulty is marked %s", k.code)
		}
		delete(marked, k.code)
	}
	for code := range marked {
		t.Errorf("%s is marked and is no kind of finding", code)
	}
	for app, code := range applications {
		if order(code) < 0 || app != strings.ToLower(app) {
			t.Errorf("%s has the kind %s", app, code)
		}
	}
}

func TestNoWordInBracesIsLeftOver(t *testing.T) {
	files, err := OpenFiles("testdata/faulty")
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, earshots, files)
	if len(r.Findings) < 50 {
		t.Fatalf("%d findings", len(r.Findings))
	}
	left := regexp.MustCompile(`\{[a-z]+\}`)
	for _, f := range r.Findings {
		if left.MatchString(f.Meaning + f.Change) {
			t.Errorf("%s: %s / %s", f.Code, f.Meaning, f.Change)
		}
		if f.Severity == 0 || f.Meaning == "" || f.Change == "" {
			t.Errorf("%s is empty", f.Code)
		}
	}
}

func TestTheReportTellsTheWorstFirst(t *testing.T) {
	r := &Report{Sources: []string{"live", "files"}, Findings: []Finding{}}
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil || out.String() != "nothing is open (live and files)\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	files, err := OpenFiles("testdata/faulty")
	if err != nil {
		t.Fatal(err)
	}
	r = examine(t, earshots, files)
	severities := make([]Severity, 0, len(r.Findings))
	for _, f := range r.Findings {
		severities = append(severities, f.Severity)
	}
	if !slices.IsSortedFunc(severities, func(a, b Severity) int { return int(b) - int(a) }) || severities[0] != High || severities[len(severities)-1] != Low {
		t.Errorf("the order is %v", severities)
	}
	raw, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(raw), `"severity":"high","file":"manager.conf","line":`) {
		t.Errorf("%s %v", raw, err)
	}
	r = &Report{Sources: []string{"live", "files"}, Findings: []Finding{
		{Code: "ami-open", Severity: High, File: "manager.conf", Line: 5, Section: "general", Subject: "bindaddr", Meaning: "M", Change: "C", Seen: []string{"files"}},
	}}
	out.Reset()
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := "high    manager.conf:5 [general] bindaddr  ami-open  (files alone)\n        M\n        change: C\n\n1 open: 1 high, 0 medium, 0 low (live and files)\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestAPortBelongsToNoAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "127.0.0.1:5038": true, "::1": true, "[::1]": true, "[::1]:5038": true, "localhost": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "[::]:5038": false, "192.0.2.1:5038": false, "pbx.example.com": false, "127.0.0.1.example.com": false,
	} {
		if got := isLoopback(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

func TestApplicationsWithinApplicationsAreSeen(t *testing.T) {
	for text, want := range map[string]string{
		"Exec|ChanSpy(all,q)":                            "Exec ChanSpy:all,q",
		"ExecIf|$[\"${A}\"=\"?\"]?Pickup(1):Bridge(x:y)": "ExecIf Pickup:1 Bridge:x:y",
		"ExecIfTime|*,*,*,*?ChanSpy(a?b:c)":              "ExecIfTime ChanSpy:a?b:c",
		"ExecIf|1?:Bridge(x)":                            "ExecIf Bridge:x",
		"TryExec|Exec(BridgeAdd(${X}))":                  "TryExec Exec:BridgeAdd(${X}) BridgeAdd:${X}",
		"Exec|${APP}":                                    "Exec $:",
		"Originate|PJSIP/1,app,\"ChanSpy\",\"all,q\",30": "Originate ChanSpy:all,q",
		"Originate|PJSIP/1,exten,ctx,1,1":                "Originate",
		"NoOp|ChanSpy(all)":                              "NoOp",
	} {
		app, data, _ := strings.Cut(text, "|")
		got := app
		for _, c := range (&Step{App: app, Data: data}).calls()[1:] {
			got += " " + c.app + ":" + c.data
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestOptionsAreLettersInAnyOrder(t *testing.T) {
	for text, want := range map[string]string{"qE": "Eq", "\"q\\E\"": "Eq", "g(a:b)E": "Eg", "r(d)u": "ru", "qr(d": "q", "": ""} {
		var got []byte
		for letter := range optionsOf(text) {
			got = append(got, letter)
		}
		slices.Sort(got)
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := optionsOf("qr(mon)e(a)"); got['r'] != "mon" || got['e'] != "a" {
		t.Errorf("got %v", got)
	}
}

func TestLinesOfTheLiveDialplanAreDroppedRatherThanWrong(t *testing.T) {
	at := places([]string{
		"[ Context 'a' created by 'pbx_config' ]",
		"  '1' =>            hint: PJSIP/101                               [extensions.conf:29]",
		"                    1. ChanSpy(PJSIP/100,q;d)                     [extensions.conf:27]",
		"     [lab]          2. NoOp(1. x)                                 [more.conf:28]",
		"  's' (CID match '123') =>  1. Noop()                             [extensions.conf:30]",
		"  '701' =>          1. ParkedCall(default,701)                    [res_parking/default]",
		"  Include =>        'phones'                                      [pbx_config]",
	})
	want := []line{{"hint", Place{"extensions.conf", 29}}, {"1", Place{"extensions.conf", 27}}, {"2", Place{"more.conf", 28}}, {"1", Place{"extensions.conf", 30}}, {"1", Place{}}}
	if !slices.Equal(at, want) {
		t.Errorf("got %v, want %v", at, want)
	}
	row := func(context, exten, priority, app string) *ami.Message {
		return new(ami.Message).Append("Context", context).Append("Extension", exten).Append("Priority", priority).Append("Application", app)
	}
	rows := []*ami.Message{row("a", "1", "hint", "PJSIP/101"), row("a", "1", "1", "ChanSpy"), row("a", "1", "2", "NoOp"), row("a", "s", "1", "NoOp")}
	if plan := shown(rows, at); plan.Hints[0].Place != want[0].place || plan.Steps[1].Place != want[2].place || plan.Steps[2].Place != want[3].place {
		t.Errorf("got %+v", plan)
	}
	// A step more was loaded between the two answers.
	rows = slices.Insert(rows, 2, row("a", "1", "3", "Hangup"))
	if plan := shown(rows, at); plan.Steps[0].Place != want[1].place || plan.Steps[1].Place != (Place{}) || plan.Steps[3].Place != (Place{}) {
		t.Errorf("got %+v", plan)
	}
}

func TestAModuleThatDoesNotRunIsNotLoaded(t *testing.T) {
	got := running([]string{
		"Module                         Description                              Use Count  Status      Support Level",
		"app_chanspy.so                 Listen to the audio of an active channel 0          Running              core",
		"func_shell.so                  Shell                                    0          Running              core",
		"app_jack.so                    JACK Interface                           0          Not Running     extended",
		"udptl                          UDPTL                                    1          Running              core",
		"4 modules loaded",
	})
	at := Place{File: "modules.conf"}
	if want := []Module{{"app_chanspy.so", at, false}, {"func_shell.so", at, false}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConnectedApplicationsAreListedByTheirNames(t *testing.T) {
	for version, out := range map[string][]string{
		"16": {"Application Name         ", "=========================", "earshot                  ", "two words                ", `a"b                      `},
		"22": {"Application Name         ", "=========================", "earshot", "two words", `a"b`, ""},
	} {
		if got, want := connected(out), []string{"earshot", "two words"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}
