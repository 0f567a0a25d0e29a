package ariproxy_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
)

// Who is refused for a parameter is told which one, and what would be taken; what he made up himself is not said back to him.
func TestARefusalOfAParameterSaysWhatWouldBeTaken(t *testing.T) {
	d := newDesk(t)
	for what, want := range map[string]string{
		"POST /channels/{bobs}/snoop?spy=in&app=desk":                             "Invalid value for spy: give both, since Earshot hears both sides or nobody",
		"POST /channels/{bobs}/snoop?whisper=out&app=desk":                        "Missing parameter spy: give both, since Earshot hears both sides or nobody",
		"POST /channels/{bobs}/snoop?spy=both&whisper=in&app=desk":                "Invalid value for whisper: give none, out or both",
		"POST /channels/{ordinary}/record?name=x&format=gsm":                      "Invalid value for format: give wav, since the PBX records in that",
		"POST /channels/{ordinary}/record?name=x&format=wav&maxDurationSeconds=9": "Invalid value for maxDurationSeconds: give 0, since it is recorded until it is stopped or the call is over",
		"POST /channels/{ordinary}/record?name=x&format=wav&beep=true":            "Invalid value for beep: give false, since no sound tells of a recording",
		"POST /channels/{leg}/moh?mohClass=loud":                                  "Invalid value for mohClass: give default, since the music is the PBX's to choose",
		"POST /channels/{leg}/dtmf?dtmf=1&duration=999999":                        "Invalid value for duration: give a whole number from 0 to 60000",
		"POST /channels/{leg}/dtmf?dtmf=1w2":                                      "Invalid value for dtmf: give keys of 0-9, A-D, * and #, 20 at most",
		"POST /channels?endpoint=PJSIP/100&extension=120&label=mArK":              "The parameter label is not taken here: leave it out",
		"POST /bridges/{room}/play?media=sound:beep&announcer_format=mArK":        "The parameter announcer_format is not taken here: leave it out",
		"POST /bridges/{room}/addChannel?channel={leg}&mute=true":                 "Invalid value for mute: give false, since all in a bridge of yours are in it alike",
		"POST /bridges?type=holding":                                              "Invalid value for type: give mixing, with dtmf_events and proxy_media if you like",
		"POST /channels?app=desk":                                                 "Missing parameter endpoint",
		"POST /channels/{leg}/snoop?mArK=mArK":                                    "There is a parameter that this operation does not have. It has spy, whisper, app, appArgs, snoopId",
		"POST /channels/{leg}/answer?mArK=mArK":                                   "There is a parameter that this operation does not have. It has none",
		"POST /channels/mArK-8?channelId=mArK-9&endpoint=PJSIP/100&app=desk":      "The parameter channelId is in the path, and is not the same there: leave it out",
		"POST /bridges/mArK-8?bridgeId=":                                          "The parameter bridgeId is in the path, and is not the same there: leave it out",
		"POST /channels/{leg}/play/mArK-8?media=sound:beep&playbackId=mArK-9":     "The parameter playbackId is in the path, and is not the same there: leave it out",
	} {
		if got := d.as("alice", d.fill(what)); got.status != http.StatusBadRequest || got.message() != want || strings.Contains(got.body, mark) {
			t.Errorf("%s is answered by %d %s", what, got.status, got.body)
		}
	}
	if got := d.as("alice", "GET /events?app=desk&subscribeAll=some"); got.message() != "Invalid value for subscribeAll: give true or false" {
		t.Errorf("a stream of some is answered by %d %s", got.status, got.body)
	}
	d.must("alice", "POST /channels/mArK-8?channelId=mArK-8&endpoint=PJSIP/100&app=desk", http.StatusOK)
}

// The README says of every parameter that is refused, taken in part or taken for nothing that it is.
func TestTheREADMENamesEveryParameterThatIsNotTakenAsItIs(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	bounded := 0
	for _, o := range ariproxy.Operations() {
		for _, name := range o.Bounded {
			if bounded++; !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s of %s is not in it", name, o.Label)
			}
		}
	}
	if bounded < 30 {
		t.Errorf("there are %d such parameters only", bounded)
	}
}
