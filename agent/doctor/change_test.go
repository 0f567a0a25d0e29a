package doctor

import (
	"slices"
	"strings"
	"testing"
)

// What the change of a finding names clears it, and nothing else of the kind does.
func TestWhatAChangeNamesClearsTheFinding(t *testing.T) {
	const socket, room = "AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,192.0.2.9:9092)", "ConfBridge(800,,board)"
	for name, c := range map[string]struct {
		step, rooms string
		trusted     []string
		want        string
	}{
		"a socket":                       {socket, "", nil, "dialplan-audio"},
		"one that is trusted":            {socket, "", []string{"AudioSocket/192.0.2.9:*"}, ""},
		"another that is":                {socket, "", []string{"AudioSocket/192.0.2.8:*", "EAGI/*"}, "dialplan-audio"},
		"an address that is computed":    {"AudioSocket(${ID},${TO})", "", []string{"AudioSocket/*"}, "dialplan-audio"},
		"a recorder that is trusted":     {"Record(notes.wav)", "", []string{"Record/notes*"}, ""},
		"a program that is trusted":      {"EAGI(transcribe.py,ru)", "", []string{"EAGI/transcribe*"}, ""},
		"what no trust is asked for":     {"MixMonitor(x.wav)", "", []string{"MixMonitor/*"}, "dialplan-record"},
		"a room":                         {room, "[board]\ntype=user\n", nil, "dialplan-conference"},
		"one with a PIN":                 {room, "[board]\ntype=user\npin=1\n", nil, ""},
		"one whose PIN is empty":         {room, "[board]\ntype=user\npin=\n", nil, "dialplan-conference"},
		"one whose bridge has it":        {room, "[board]\ntype=bridge\npin=1\n", nil, "dialplan-conference"},
		"where another profile has it":   {room, "[default_user]\ntype=user\npin=1\n", nil, "dialplan-conference"},
		"the standard profile":           {"ConfBridge(800)", "[default_user]\ntype=user\npin=1\n", nil, ""},
		"a PIN that the dialplan undoes": {"Set(CONFBRIDGE(user,template)=other)\nexten => 1,2," + room, "[board]\ntype=user\npin=1\n", nil, "dialplan-conference"},
	} {
		files, err := OpenFiles(folder(t, map[string]string{"manager.conf": "", "extensions.conf": "[x]\nexten => 1,1," + c.step + "\n", "confbridge.conf": c.rooms}))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range examine(t, Own{Trusted: c.trusted}, files).Findings {
			got = append(got, f.Code)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// The kinds of findings are told for whoever reads names of them.
func TestKindsAreAllThatAreFound(t *testing.T) {
	if all := Kinds(); len(all) != len(kinds) || !slices.Contains(all, "dialplan-spy") {
		t.Errorf("%q", all)
	}
}
