package dialplan_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/dialplan"
)

//go:generate go test -run TestTheFilesInDeployAreWhatIsPrinted -write .

var write = flag.Bool("write", false, "write the files in deploy/asterisk anew")

// sample is the include of the files in deploy: what to adapt in them is the context that leads outside and the emergency numbers.
var sample = dialplan.Include{Application: "earshot", Codes: dialplan.StandardCodes(), Outgoing: "outside", Digits: 5, Emergency: []string{"112"}}

func TestTheFilesInDeployAreWhatIsPrinted(t *testing.T) {
	freePBX := sample
	freePBX.Outgoing = ""
	for name, want := range map[string]string{"extensions_earshot.conf": sample.String(), "extensions_custom.conf": freePBX.FreePBX()} {
		path := "../../deploy/asterisk/" + name
		if *write {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what `earshot setup asterisk` prints; go generate ./agent/dialplan", name)
		}
	}
}

// extension is a line that begins an extension, and the context that it stands in.
type extension struct{ context, pattern, app string }

var (
	section = regexp.MustCompile(`^\[([^]]+)\]$`)
	exten   = regexp.MustCompile(`^exten => ([^,]+),1,(.*)$`)
)

func extensions(text string) (all []extension) {
	context := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := section.FindStringSubmatch(line); m != nil {
			context = m[1]
		} else if m := exten.FindStringSubmatch(line); m != nil {
			all = append(all, extension{context, m[1], m[2]})
		}
	}
	return all
}

// What somebody dials may hold anything that SIP lets through, and Asterisk reads it again as arguments. So where phones come in every pattern
// is of digits alone and of a length, and leads to a context that is never included.
func TestNothingButDigitsOfALengthGetsIn(t *testing.T) {
	digits := regexp.MustCompile(`^_?[0-9+*#]*X*$`)
	goTo := regexp.MustCompile(`^Goto\((earshot,[a-z]+(\$\{EXTEN(:[0-9])?\})?|outside,\$\{EXTEN\}),1\)$`)
	entered, refused := 0, 0
	for _, e := range extensions(sample.String()) {
		if e.context != dialplan.CodesContext && e.context != dialplan.DialContext {
			continue
		}
		entered++
		if strings.HasSuffix(e.pattern, ".") && e.app == "Goto(earshot,refused,1)" { // hands on nothing of what was dialled
			refused++
			continue
		}
		if !digits.MatchString(e.pattern) || !goTo.MatchString(e.app) {
			t.Errorf("[%s] %s,1,%s", e.context, e.pattern, e.app)
		}
	}
	if entered < 40 || refused != 2 {
		t.Errorf("%d extensions only, and %d that refuse", entered, refused)
	}
	text := sample.String()
	if strings.Contains(text, "include => earshot\n") || strings.Count(text, "Stasis(") != 7 || strings.Count(text, "Set(EARSHOT_LIMIT=${TIMEOUT(absolute)})\n same => n,Set(TIMEOUT(absolute)=5)\n same => n,Stasis(") != 7 {
		t.Error("a leg waits for Earshot without a limit of time")
	}
}

func TestAnEmergencyNumberGoesOutWithoutEarshot(t *testing.T) {
	i := sample
	i.Emergency = []string{"112", "9112", "112", "+112", "", "1,2", "${X}"}
	var out []string
	for _, e := range extensions(i.String()) {
		if e.context == dialplan.DialContext && !strings.HasPrefix(e.pattern, "_") {
			out = append(out, e.pattern+" "+e.app)
		}
	}
	if got, want := strings.Join(out, "\n"), "112 Goto(outside,${EXTEN},1)\n9112 Goto(outside,${EXTEN},1)\n+112 Goto(outside,${EXTEN},1)"; got != want {
		t.Errorf("what goes out at once is\n%s\nand not\n%s", got, want)
	}
}

func TestThatNoEmergencyNumberIsKnownIsSaid(t *testing.T) {
	i := sample
	i.Emergency = []string{"${X}"}
	if text := i.String(); !strings.Contains(text, "; NO EMERGENCY NUMBER: ") || strings.Contains(text, "whatever Earshot says") {
		t.Error("it is not said")
	}
	if strings.Contains(sample.String(), "NO EMERGENCY") {
		t.Error("it is said where one is known")
	}
}

func TestWhatIsNotConfiguredIsNotInTheInclude(t *testing.T) {
	text := dialplan.Include{Application: "earshot", Codes: dialplan.Codes{Spy: "*50"}, Digits: 5, Emergency: []string{"112"}}.String()
	for _, e := range extensions(text) {
		if e.context == dialplan.CodesContext && !strings.HasPrefix(e.pattern, "_*50") || e.context == dialplan.DialContext {
			t.Errorf("it has %+v", e)
		}
	}
	if strings.Contains(text, "earshot-outgoing") || strings.Contains(text, dialplan.DialContext) {
		t.Error("it asks about outgoing calls")
	}
}
