package agent

import (
	"fmt"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// Watchdog is what is done about whoever goes past Earshot on the PBX, by kind: end, for a pickup hand_back, report or off.
type Watchdog struct {
	Spy          string   `yaml:"spy"`          // ChanSpy, ExtenSpy, snoops of other ARI applications; end
	Media        string   `yaml:"media"`        // legs and applications that carry audio away: UnicastRTP, AudioSocket, EAGI, …; end
	Join         string   `yaml:"join"`         // BridgeAdd, Bridge, INVITE with Replaces; report
	Pickup       string   `yaml:"pickup"`       // hand_back, report or off; hand_back
	Record       string   `yaml:"record"`       // MixMonitor, Record, report or off; report
	Redirect     string   `yaml:"redirect"`     // report or off; report
	Trusted      []string `yaml:"trusted"`      // endpoints, and beginnings of channels' names that end with / or *; none
	Applications []string `yaml:"applications"` // ARI applications whose snoops and media are left alone; none
}

func standardWatchdog() Watchdog {
	return Watchdog{Spy: "end", Media: "end", Join: "report", Pickup: handBack, Record: "report", Redirect: "report", Trusted: []string{}, Applications: []string{}}
}

// handBack is what ends a pickup: who called is handed back to the phone at which he rang, and who took his call is hung up.
const handBack = "hand_back"

var responses = map[string]gate.Response{"end": gate.End, handBack: gate.End, "report": gate.Report, "off": gate.Off}

func (w *Watchdog) validate(bad func(key, format string, args ...any)) {
	for _, k := range []struct {
		key, value string
		ends       string // the word for its end; empty: it has none
	}{{"spy", w.Spy, "end"}, {"media", w.Media, "end"}, {"join", w.Join, "end"}, {"pickup", w.Pickup, handBack}, {"record", w.Record, ""}, {"redirect", w.Redirect, ""}} {
		key := "watchdog." + k.key
		switch {
		case k.value == k.ends && k.ends != "", k.value == "report", k.value == "off":
		case k.ends == "":
			bad(key, "%s is one of report, off: the leg is a party's, and who is called must not be hung up", key)
		default:
			bad(key, "%s is one of %s, report, off", key, k.ends)
		}
	}
	for i, s := range w.Trusted {
		if tech, rest, ok := strings.Cut(s, "/"); !ok || tech == "" || strings.Contains(tech, "*") || strings.ContainsAny(s, " \t") || strings.Contains(strings.TrimSuffix(rest, "*"), "*") {
			bad(fmt.Sprintf("watchdog.trusted[%d]", i), "watchdog.trusted: an endpoint belongs here, such as PJSIP/recorder, or the beginning of channels' names, such as AudioSocket/ or UnicastRTP/10.0.0.*")
		}
	}
	for i, s := range w.Applications {
		if s == "" || strings.ContainsAny(s, " ,\t") {
			bad(fmt.Sprintf("watchdog.applications[%d]", i), "watchdog.applications: the name of an ARI application belongs here")
		}
	}
}

// forGate is the same without what asks the PBX.
func (w *Watchdog) forGate() *gate.Watchdog {
	return &gate.Watchdog{
		Spy: responses[w.Spy], Media: responses[w.Media], Join: responses[w.Join], Pickup: responses[w.Pickup], Record: responses[w.Record],
		Redirect: responses[w.Redirect], Trusted: w.Trusted, Applications: w.Applications,
	}
}
