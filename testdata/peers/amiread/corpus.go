// Package amiread reads a stream of AMI's events by Earshot, by what a user would take in its place, and by two searches for a byte in each line.
package amiread

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Corpus is a stream of the events of made-up calls with Asterisk's names, order and sizes: 46 events of 19 fields and 440 bytes on average for each.
func Corpus(calls int) []byte {
	var b bytes.Buffer
	for call := range calls {
		for range 2 {
			event(&b, "Newchannel", "call", 1, call)
			event(&b, "Newstate", "call", 1, call)
			event(&b, "NewCallerid", "call", 1, call, "CID-CallingPres: 0 (Presentation Allowed, Not Screened)")
			event(&b, "NewConnectedLine", "call", 1, call)
			event(&b, "DeviceStateChange", "call", 0, call, "Device: PJSIP/101", "State: INUSE")
			event(&b, "ExtensionStatus", "call", 0, call, "Exten: 101", "Context: hints", "Hint: PJSIP/101", "Status: 1", "StatusText: InUse")
			event(&b, "BridgeEnter", "call", 1, call, bridge, "BridgeType: basic", "BridgeNumChannels: 2")
			event(&b, "BridgeLeave", "call", 1, call, bridge, "BridgeType: basic", "BridgeNumChannels: 1")
			event(&b, "RTCPSent", "reporting", 1, call, "To: 127.0.0.1:4001", "From: 127.0.0.1:4000", "SSRC: 0x1a2b3c4d", "PT: 200(SR)", "ReportCount: 1")
			event(&b, "SoftHangupRequest", "call", 1, call, "Cause: 16")
			event(&b, "Hangup", "call", 1, call, "Cause: 16", "Cause-txt: Normal Clearing")
		}
		for range 10 {
			event(&b, "VarSet", "dialplan", 1, call, "Variable: RTPAUDIOQOS",
				"Value: ssrc=1234567890;themssrc=987654321;lp=0;rxjitter=0.000000;rxcount=1234;txjitter=0.000125;txcount=1230;rlp=0;rtt=0.001000")
		}
		for i := range 8 {
			event(&b, "Newexten", "dialplan", 1, call, "Extension: 101", "Application: Dial", fmt.Sprintf("AppData: PJSIP/101,%d", i))
		}
		event(&b, "DialBegin", "call", 2, call, "DialString: 101")
		event(&b, "DialState", "call", 2, call, "DialStatus: RINGING")
		event(&b, "DialEnd", "call", 2, call, "DialStatus: ANSWER")
		event(&b, "BridgeCreate", "call", 0, call, bridge, "BridgeType: basic")
		event(&b, "BridgeDestroy", "call", 0, call, bridge, "BridgeType: basic")
		event(&b, "HangupRequest", "call", 1, call, "Cause: 16")
	}
	return b.Bytes()
}

const bridge = "BridgeUniqueid: 5f0c1a52-1c1c-4c1c-9c1c-1c1c1c1c1c1c"

func event(b *bytes.Buffer, name, class string, legs, call int, more ...string) {
	fmt.Fprintf(b, "Event: %s\r\nPrivilege: %s,all\r\nTimestamp: 1795299332.123456\r\nSystemName: pbx\r\n", name, class)
	for leg := range legs {
		fmt.Fprintf(b, "%[1]sChannel: PJSIP/%[2]d-%08[3]x\r\n%[1]sChannelState: 6\r\n%[1]sChannelStateDesc: Up\r\n"+
			"%[1]sCallerIDNum: %[2]d\r\n%[1]sCallerIDName: Employee %[2]d\r\n%[1]sConnectedLineNum: 7916%07[3]d\r\n"+
			"%[1]sConnectedLineName: <unknown>\r\n%[1]sLanguage: en\r\n%[1]sAccountCode: \r\n%[1]sContext: from-internal\r\n"+
			"%[1]sExten: 7916%07[3]d\r\n%[1]sPriority: 1\r\n%[1]sUniqueid: 1795299332.%[3]d\r\n%[1]sLinkedid: 1795299332.%[4]d\r\n",
			[]string{"", "Dest"}[leg], 100+leg, 2*call+leg, 2*call)
	}
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
}

// Random are n events of any fields, among them ones without a value, with colons, quotes and letters of other scripts in it, and ones that are repeated.
func Random(n int) []byte {
	r := rand.New(rand.NewPCG(9, 9))
	names := strings.Fields("Channel Uniqueid CallerIDName Cause-txt Exten Variable Value Linkedid X1 Output BridgeUniqueid")
	values := []string{"", "1", "PJSIP/101-00000001", "a: b", "Анна Петрова", `"quoted" <101>`, "::", "日本", strings.Repeat("x", 3000)}
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "Event: Random\r\nNumber: %d\r\n", i)
		for range r.IntN(30) {
			fmt.Fprintf(&b, "%s: %s\r\n", names[r.IntN(len(names))], values[r.IntN(len(values))])
		}
		b.WriteString("\r\n")
	}
	return b.Bytes()
}
