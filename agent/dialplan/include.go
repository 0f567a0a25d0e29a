package dialplan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// Contexts of the include that a phone's own context takes in by "include =>". The others are entered by Goto, or by Earshot, and never included:
// the T extension of the context in which a leg waits would catch other calls.
const (
	CodesContext = "earshot-codes" // the feature codes
	DialContext  = "earshot-dial"  // numbers that lead outside, about which Earshot is asked
)

// returnSeconds is how long somebody whose call was taken past Earshot rings at the phone to which he was handed back.
const returnSeconds = 300

// againSeconds is how long he waits before he rings there again when the phone did not take the call.
const againSeconds = 3

// Extensions of the include that nothing but the include goes to.
const (
	extenDeclined    = "declined"
	extenTransferred = "transferred"
)

// transferer is what the channel of a phone is called in BLINDTRANSFER, where Asterisk puts who has transferred a leg. It ends in nine signs
// that are not the endpoint's.
const transferer = `^[A-Za-z0-9]+/[A-Za-z0-9._-]+-[0-9a-f]{8}$`

// PatienceSeconds is how long a leg waits for an answer in the dialplan before it is told that Earshot does not answer.
const PatienceSeconds = 5

// Codes are the feature codes that a phone dials. A colleague's number follows all but GroupPickup and Lock. An empty one is left out.
type Codes struct {
	Spy         string `yaml:"spy"`
	Whisper     string `yaml:"whisper"`
	Barge       string `yaml:"barge"`
	Pickup      string `yaml:"pickup"`
	GroupPickup string `yaml:"group_pickup"`
	Lock        string `yaml:"lock"`
}

// StandardCodes are the codes where the configuration names no others.
func StandardCodes() Codes {
	return Codes{Spy: "*50", Whisper: "*51", Barge: "*52", Pickup: "**", GroupPickup: "*8", Lock: "*59"}
}

// Include is what the include for extensions.conf is made of.
type Include struct {
	Application string // Earshot's Stasis application
	Codes       Codes
	// Outgoing is the context that leads outside. Empty: Earshot is not asked about outgoing calls.
	Outgoing string
	Digits   int // numbers of so many digits or more lead outside; shorter ones are colleagues
	// Emergency are the numbers that go out whether Earshot answers or not, with each way to dial them.
	Emergency []string
}

// Longest lengths of a colleague's number and of one outside (ITU-T E.164, with a prefix before it).
const (
	maxExtension = 8
	maxNumber    = 20
)

// What is said. Each file is in the package of Asterisk's core sounds.
const (
	soundRefused = "im-sorry&feature-not-avail-line"
	soundNothing = "im-sorry&cannot-complete-as-dialed"
	soundAway    = "tt-somethingwrong&please-try-call-later"
	soundReason  = "feature-not-avail-line&please-try-again"
	soundNobody  = "vm-nobodyavail"
	soundLocked  = "activated"
	soundOpened  = "de-activated"
)

// limitVariable keeps how long the dialplan before ours lets a leg live, while it waits for Earshot with another limit.
const limitVariable = "EARSHOT_LIMIT"

// String writes the include. Asterisk puts what was dialled into Stasis's arguments as it is, so every pattern that hands it on is of digits alone and
// of a length. What is no such number, and would lead outside by a pattern after these, is refused by patterns that hand on nothing.
func (i Include) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("; Earshot's phone door. Put this file beside extensions.conf, and into extensions.conf")
	line(";")
	line(";   #include \"extensions_earshot.conf\"")
	line(";")
	line("; and in the context in which phones begin their calls")
	line(";")
	line(";   include => %s", CodesContext)
	if i.Outgoing != "" {
		line(";   include => %s      ; and there no more what leads outside: that is [%s]'s", DialContext, i.Outgoing)
	}
	line(";")
	line("; A number that this context has itself is found before those that it includes. *8 is also what features.conf calls pickupexten, which")
	line("; chan_pjsip looks at before the dialplan: give it another number there, and the phones no pickup groups.")
	line("")
	line("[%s]", CodesContext)
	for _, c := range []struct{ code, request, what string }{
		{i.Codes.Spy, requestSpy, "hear a colleague's call: the code and his number"},
		{i.Codes.Whisper, requestWhisper, "speak to him alone"},
		{i.Codes.Barge, requestBarge, "speak to both"},
		{i.Codes.Pickup, requestPickup, "take the call that rings at a colleague"},
	} {
		if c.code == "" {
			continue
		}
		line("; %s", c.what)
		for n := 1; n <= maxExtension; n++ {
			line("exten => _%s%s,1,Goto(%s,%s${EXTEN:%d},1)", c.code, strings.Repeat("X", n), gate.PhoneContext, c.request, len(c.code))
		}
	}
	if i.Codes.GroupPickup != "" {
		line("; take the call that has rung longest, of those that one may take")
		line("exten => %s,1,Goto(%s,%s,1)", i.Codes.GroupPickup, gate.PhoneContext, requestGroup)
	}
	if i.Codes.Lock != "" {
		line("; lock the call that one is on against supervision, or take the lock off; dialled on a second line, or on another phone of one's own")
		line("exten => %s,1,Goto(%s,%s,1)", i.Codes.Lock, gate.PhoneContext, requestLock)
	}
	restored := "Set(TIMEOUT(absolute)=0${" + limitVariable + "})" // the nought is all of it where nothing was kept
	if i.Outgoing != "" {
		line("")
		line("[%s]", DialContext)
		if len(i.EmergencyNumbers()) == 0 {
			line("; NO EMERGENCY NUMBER: the policy names none under emergency, so none goes out from here without asking, and none of fewer than %d digits at all.", i.Digits)
		} else {
			line("; These go out whatever Earshot says, and when it says nothing.")
		}
		for _, n := range i.EmergencyNumbers() {
			line("exten => %s,1,Goto(%s,${EXTEN},1)", n, i.Outgoing)
		}
		line("; About all others it is asked.")
		for n := i.Digits; n <= maxNumber; n++ {
			line("exten => _%s,1,Goto(%s,%s${EXTEN},1)", strings.Repeat("X", n), gate.PhoneContext, requestDial)
		}
		for n := i.Digits; n <= maxNumber; n++ {
			line("exten => _+%s,1,Goto(%s,%s${EXTEN},1)", strings.Repeat("X", n), gate.PhoneContext, requestDial)
		}
		line("; What is longer, or has another sign in it, is no number, though a trunk may take it for one. Asterisk looks at these last.")
		for _, pattern := range []string{strings.Repeat("X", i.Digits) + ".", "+."} {
			line("exten => _%s,1,Goto(%s,%s,1)", pattern, gate.PhoneContext, gate.ExtenRefused)
		}
		line("")
		line("; Entered by Earshot alone, with a number that may be dialled.")
		line("[%s]", gate.OutgoingContext)
		for _, pattern := range []string{"_X!", "_+X!"} {
			line("exten => %s,1,%s", pattern, restored)
			line(" same => n,Goto(%s,${EXTEN},1)", i.Outgoing)
		}
	}
	line("")
	line("; Entered by Goto from above and by Earshot, and by nothing else: include it nowhere.")
	line("[%s]", gate.PhoneContext)
	for _, r := range []struct{ request, args string }{
		{requestSpy, ",${EXTEN:3}"}, {requestWhisper, ",${EXTEN:7}"}, {requestBarge, ",${EXTEN:5}"}, {requestPickup, ",${EXTEN:4}"}, {requestGroup, ""}, {requestDial, ",${EXTEN:4}"}, {requestLock, ""},
	} {
		exten := r.request
		switch r.request {
		case requestDial:
			if i.Outgoing == "" {
				continue
			}
			exten = "_" + r.request + "[+0-9]!"
		case requestGroup, requestLock:
		default:
			exten = "_" + r.request + "X!"
		}
		line("exten => %s,1,Set(%s=${TIMEOUT(absolute)})", exten, limitVariable)
		line(" same => n,Set(TIMEOUT(absolute)=%d)", PatienceSeconds)
		line(" same => n,Stasis(%s,%s%s)", i.Application, r.request, r.args)
		line(" same => n,Goto(%s,1)", gate.ExtenAway)
	}
	line("; Earshot has said that the call which rings at this channel is his.")
	line("exten => %s,1,%s", gate.ExtenPickup, restored)
	line(" same => n,PickupChan(${%s})", gate.RingingVariable)
	line(" same => n,Goto(%s,1)", gate.ExtenNothing)
	say := func(exten, sounds, what string) {
		line("; %s", what)
		line("exten => %s,1,Set(TIMEOUT(absolute)=0)", exten)
		if exten == gate.ExtenLocked || exten == gate.ExtenUnlocked {
			line(" same => n,Playback(%s)", sounds)
		} else {
			line(" same => n,GotoIf($[\"${CHANNEL(channeltype)}\" = \"Local\" & \"${CHANNEL(state)}\" != \"Up\"]?%s,1)", extenDeclined)
			line(" same => n,GotoIf(${REGEX(\"%s\" ${BLINDTRANSFER})}?%s,%s,1)", transferer, gate.BackContext, extenTransferred)
			line(" same => n,Progress()")
			line(" same => n,Playback(%s,noanswer)", sounds) // who is refused does not pay for a call
		}
		line(" same => n,Hangup()")
	}
	say(gate.ExtenRefused, soundRefused, "It is not permitted.")
	say(gate.ExtenReason, soundReason, "The policy wants a reason, which no phone can give: it has to be asked for in a panel.")
	say(gate.ExtenLocked, soundLocked, "Nobody supervises the call from now on.")
	say(gate.ExtenUnlocked, soundOpened, "The lock is off.")
	say(gate.ExtenNothing, soundNothing, "There is no such call now.")
	say(gate.ExtenAway, soundAway, "Earshot does not answer, or cannot decide.")
	line("; A leg of a Dial, of forwarding, follow-me or a ring group: it fails as a phone that is not there, and nobody is answered by a machine.")
	line("exten => %s,1,Hangup(21)", extenDeclined)
	line("; It has not answered in time, or has not renewed what it had permitted.")
	line("exten => T,1,Goto(%s,1)", gate.ExtenAway)
	line("")
	line("; Who has called rings again at the phone at which somebody took his call past Earshot. Entered by Earshot alone: include it nowhere.")
	line("[%s]", gate.BackContext)
	line("exten => %s,1,Set(TIMEOUT(absolute)=%d)", gate.ExtenMove, PatienceSeconds)
	line(" same => n,Set(SHARED(%[1]s,${%[2]s})=${%[1]s})", gate.EndpointVariable, gate.CallerVariable)
	// Where one of what is needed is not loaded nobody is moved: who would be, and then rang nowhere, would be hung up.
	line(" same => n,ExecIf($[\"${SHARED(%s,${%s})}\" = \"\"]?Hangup())", gate.EndpointVariable, gate.CallerVariable)
	line(" same => n,ChannelRedirect(${%s},%s,%s,1)", gate.CallerVariable, gate.BackContext, gate.ExtenReturned)
	line(" same => n,ExecIf($[\"${CHANNELREDIRECT_STATUS}\" = \"SUCCESS\"]?Answer():Hangup())")
	line(" same => n,Wait(%d)", PatienceSeconds)
	line("; Who was transferred to where he may not go rings again at the phone that has transferred him, whose channel Asterisk has noted.")
	line("exten => %s,1,%s", extenTransferred, restored)
	line(" same => n,Set(SHARED(%s)=${BLINDTRANSFER:0:-9})", gate.EndpointVariable)
	line(" same => n,Goto(%s,1)", gate.ExtenReturned)
	line("; A phone that is busy, declines or is not there now is tried again.")
	line("exten => %s,1,Set(EARSHOT_UNTIL=$[${EPOCH} + %d])", gate.ExtenReturned, returnSeconds)
	line(" same => n(again),Set(EARSHOT_LEFT=$[${EARSHOT_UNTIL} - ${EPOCH}])")
	line(" same => n,GotoIf($[${EARSHOT_LEFT} < 1]?nobody)")
	line(" same => n,Dial(${SHARED(%s)},${EARSHOT_LEFT})", gate.EndpointVariable)
	line(" same => n,ExecIf($[\"${DIALSTATUS}\" = \"ANSWER\"]?Hangup())")
	line(" same => n,Ringing()")
	line(" same => n,Wait(%d)", againSeconds)
	line(" same => n,Goto(again)")
	line(" same => n(nobody),Playback(%s)", soundNobody)
	line(" same => n,Hangup()")
	fetching(line)
	consulting(line)
	line("")
	line("; What an employee has set is written where the dialplan looks for it. Entered by Earshot alone: include it nowhere.")
	line("[%s]", gate.SettingsContext)
	line("exten => %s,1,Set(TIMEOUT(absolute)=%d)", gate.ExtenKeep, PatienceSeconds)
	line(" same => n,GotoIf($[\"${%s}\" = \"\"]?none)", gate.ValueVariable)
	line(" same => n,Set(DB(${%s}/${%s})=${%s})", gate.FamilyVariable, gate.KeyVariable, gate.ValueVariable)
	line(" same => n,Goto(kept)")
	line(" same => n(none),NoOp(${DB_DELETE(${%s}/${%s})})", gate.FamilyVariable, gate.KeyVariable)
	line(" same => n(kept),Answer()")
	line(" same => n,Wait(%d)", PatienceSeconds)
	return b.String()
}

// fetching writes how a caller whom no phone rings comes to whoever Earshot has rung for him. The phone's leg runs all of it by itself once it is
// answered: from then on it makes no difference whether Earshot is there.
func fetching(line func(format string, args ...any)) {
	line("; A caller who waits somewhere, and whom no phone rings, comes to the phone that Earshot has rung for him, once that is answered.")
	line("exten => %s,1,Set(SHARED(%[2]s,${%[3]s})=${%[2]s})", gate.ExtenFetch, gate.PlaceVariable, gate.CallerVariable)
	line(" same => n,Set(SHARED(%[1]s,${%[2]s})=${%[1]s})", gate.EndpointVariable, gate.CallerVariable)
	line(" same => n,Set(SHARED(%s,${%s})=${CHANNEL(name)})", gate.TakerVariable, gate.CallerVariable)
	// Where one of what is needed is not loaded nobody is moved, as above.
	line(" same => n,ExecIf($[\"${SHARED(%s,${%s})}\" = \"\"]?Hangup())", gate.TakerVariable, gate.CallerVariable)
	line(" same => n,ChannelRedirect(${%s},%s,%s,1)", gate.CallerVariable, gate.BackContext, gate.ExtenFetched)
	line(" same => n,ExecIf($[\"${CHANNELREDIRECT_STATUS}\" = \"SUCCESS\"]?Wait(%d))", PatienceSeconds)
	line(" same => n,Hangup()")
	line("; He talks to who has answered. Where that one has hung up meanwhile he goes on where he was, or, if that is no more, rings there again.")
	line("exten => %s,1,Answer()", gate.ExtenFetched)
	line(" same => n,Bridge(${SHARED(%s)},x)", gate.TakerVariable)
	line(" same => n,ExecIf($[\"${BRIDGERESULT}\" = \"SUCCESS\"]?Hangup())")
	line(" same => n,GotoIf($[\"${DIALPLAN_EXISTS(${SHARED(%s)})}\" != \"1\"]?%s,1)", gate.PlaceVariable, gate.ExtenReturned)
	line(" same => n,Goto(${SHARED(%s)})", gate.PlaceVariable)
}

// FreePBX's contexts: the one for what administrators add to the phones' own, and the one that leads outside.
const (
	freePBXPhones   = "from-internal-custom"
	freePBXOutgoing = "outbound-allroutes"
)

// FreePBX writes the include for FreePBX, which writes extensions.conf itself and leaves extensions_custom.conf to administrators.
func (i Include) FreePBX() string {
	if i.Outgoing == "" {
		i.Outgoing = freePBXOutgoing
	}
	_, rest, _ := strings.Cut(i.String(), "\n\n") // without what is said of a plain extensions.conf
	return `; Earshot's phone door for FreePBX. Put this into extensions_custom.conf, which FreePBX leaves alone, and reload the dialplan. Take FreePBX's own
; codes for pickup and for ChanSpy out of its feature codes, and set pickupexten in features_general_custom.conf to a number that nobody dials.

[` + freePBXPhones + `]
include => ` + CodesContext + `
include => ` + DialContext + `

` + rest
}

// EmergencyNumbers are those of Emergency that can be an extension, each once: what the include lets out without asking.
func (i Include) EmergencyNumbers() (numbers []string) {
	for _, n := range i.Emergency {
		if n != "" && strings.Trim(n, "0123456789+*#") == "" && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
