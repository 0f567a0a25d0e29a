package amiproxy

import "strings"

const faultOptions fault = "An option of this application is not taken here."

// The modes of a supervision, as the gate spells them.
const (
	modeSpy     = "spy"
	modeWhisper = "whisper"
	modeBarge   = "barge"
)

// spyOptions are ChanSpy's and ExtenSpy's options (apps/app_chanspy.c) that are understood, and what Earshot makes of each: a mode, or nothing,
// where what it asks for is so anyway (no announcement, this call alone, heard only while it is bridged, no keys) or leaves nothing out that the
// mode would forbid (volume, one side alone). All others would record, follow another rule than the policy, or lead out of the supervision by a key.
var spyOptions = map[byte]string{
	'b': "", 'd': "", 'E': "", 'l': "", 'o': "", 'O': "", 'q': "", 's': "", 'S': "", 'u': "",
	'w': modeWhisper, 'W': modeWhisper,
	'B': modeBarge,
}

// spyMode reads the options' letters. Asterisk passes over letters that it does not know and takes the last word in what contradicts itself; here
// neither is taken.
func spyMode(options string) (string, error) {
	mode := modeSpy
	for i := range len(options) {
		m, ok := spyOptions[options[i]]
		if !ok || m != "" && mode != modeSpy && mode != m {
			return "", faultOptions
		}
		if m != "" {
			mode = m
		}
	}
	if strings.ContainsRune(options, 'd') && mode != modeSpy {
		return "", faultOptions // keys would take it out of the mode that it begins with
	}
	return mode, nil
}
