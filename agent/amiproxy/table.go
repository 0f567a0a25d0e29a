package amiproxy

import (
	"slices"
	"strings"
)

// kind says what becomes of an action.
type kind uint8

const (
	refused kind = iota // by name, with Asterisk's words for who has no right to it
	session             // answered by ami.Session before the table is looked at
	local               // answered by Earshot, about itself; needs no employee
	list                // answered from what the gate shows the subject
	command             // turned into a command of the gate's, which decides and records it
)

// action is one row of the table: an action of Asterisk's and what Earshot makes of it.
type action struct {
	name     string
	kind     kind
	headers  []string // that it may have, each once, beside Action, ActionID and the name of the employee
	any      bool     // it may have others, which it looks at itself
	unnamed  bool     // of a panel of many it is, where it names nobody, the panel's own
	do       func(*exchange) error
	synopsis string // as Asterisk's ListCommands has it, as is what follows

	privilege string
}

// takes reports whether the action may have a header. A list passes over what Asterisk does not know, as Asterisk does, but not over Status's variables
// and what is the door's own. Who sends that with a command expects something of it, and is told that he will not get it.
func (a *action) takes(header string) bool {
	if a.kind != command && !strings.HasPrefix(fold(header), "x-earshot-") && !strings.HasSuffix(fold(header), "variables") {
		return true
	}
	return slices.ContainsFunc([]string{"Action", "ActionID", namesEmployee}, func(h string) bool { return strings.EqualFold(h, header) }) ||
		slices.ContainsFunc(a.headers, func(h string) bool { return strings.EqualFold(h, header) })
}

func fold(name string) string { return strings.ToLower(name) }

// actions is the whole table, sorted by name. What is not in it is answered as Asterisk answers what it does not know.
func actions() []action {
	all := []action{
		{name: "Agents", kind: list, synopsis: "Lists agents and their status.", privilege: "agent,all", do: (*exchange).agents},
		{name: "Atxfer", kind: command, synopsis: "Attended transfer.", privilege: "call,all", headers: []string{"Channel", "Exten", "Context", "Priority"}, do: (*exchange).atxfer},
		{name: "BlindTransfer", kind: command, synopsis: "Blind transfer channel(s) to the given destination", privilege: "call,all", headers: []string{"Channel", "Context", "Exten", "Priority"}, do: (*exchange).blindTransfer},
		{name: "Bridge", kind: command, synopsis: "Bridge two channels already in the PBX.", privilege: "call,all", headers: []string{"Channel1", "Channel2", "Tone"}, do: (*exchange).bridge},
		{name: "BridgeInfo", kind: list, synopsis: "Get information about a bridge.", privilege: "<none>", headers: []string{"BridgeUniqueid"}, do: (*exchange).bridgeInfo},
		{name: "BridgeList", kind: list, synopsis: "Get a list of bridges in the system.", privilege: "<none>", headers: []string{"BridgeType"}, do: (*exchange).bridgeList},
		{name: "CancelAtxfer", kind: command, synopsis: "Cancel an attended transfer.", privilege: "call,all", headers: []string{"Channel"}, do: (*exchange).cancelAtxfer},
		{name: "Challenge", kind: session, synopsis: "Generate Challenge for MD5 Auth.", privilege: "<none>"},
		{name: "ConfbridgeList", kind: list, synopsis: "List participants in a conference.", privilege: "reporting,all", headers: []string{"Conference"}, do: (*exchange).confbridgeList},
		{name: "ConfbridgeListRooms", kind: list, synopsis: "List active conferences.", privilege: "reporting,all", do: (*exchange).confbridgeListRooms},
		{name: "CoreSettings", kind: local, synopsis: "Show PBX core settings (version etc).", privilege: "system,reporting,all", do: (*exchange).coreSettings},
		{name: "CoreShowChannelMap", kind: list, synopsis: "List all channels connected to the specified channel.", privilege: "system,reporting,all", headers: []string{"Channel"}, do: (*exchange).coreShowChannelMap},
		{name: "CoreShowChannels", kind: list, synopsis: "List currently active channels.", privilege: "system,reporting,all", do: (*exchange).coreShowChannels},
		{name: "CoreStatus", kind: local, synopsis: "Show PBX core status variables.", privilege: "system,reporting,all", do: (*exchange).coreStatus},
		{name: "DeviceStateList", kind: list, synopsis: "List the current known device states.", privilege: "call,reporting,all", do: (*exchange).deviceStateList},
		{name: "Events", kind: session, synopsis: "Control Event Flow.", privilege: "<none>"},
		{name: "ExtensionState", kind: list, synopsis: "Check Extension Status.", privilege: "call,reporting,all", headers: []string{"Exten", "Context"}, do: (*exchange).extensionState},
		{name: "ExtensionStateList", kind: list, synopsis: "List the current known extension states.", privilege: "call,reporting,all", do: (*exchange).extensionStateList},
		{name: "Filter", kind: session, synopsis: "Dynamically add filters for the current manager session.", privilege: "system,all"},
		{name: "Hangup", kind: command, synopsis: "Hangup channel.", privilege: "system,call,all", headers: []string{"Channel", "Cause"}, do: (*exchange).hangup},
		{name: "ListCommands", kind: local, synopsis: "List available manager commands.", privilege: "<none>", do: (*exchange).listCommands},
		{name: "Login", kind: session, synopsis: "Login Manager.", privilege: "<none>"},
		{name: "Logoff", kind: session, synopsis: "Logoff Manager.", privilege: "<none>"},
		{name: "MixMonitor", kind: command, synopsis: "Record a call and mix the audio during the recording.  Use of StopMixMonitor is required to guarantee the audio file is available for processing during dialplan execution.", privilege: "system,all", headers: []string{"Channel", "File", "Options", "Command"}, do: (*exchange).mixMonitor},
		{name: "MixMonitorMute", kind: command, synopsis: "Mute / unMute a Mixmonitor recording.", privilege: "system,call,all", headers: []string{"Channel", "Direction", "State", "MixMonitorID"}, do: (*exchange).mixMonitorMute},
		{name: "MuteAudio", kind: command, synopsis: "Mute an audio stream.", privilege: "system,all", headers: []string{"Channel", "Direction", "State"}, do: (*exchange).muteAudio},
		{name: "Originate", kind: command, synopsis: "Originate a call.", privilege: "originate,all", headers: []string{"Channel", "Exten", "Context", "Priority", "Application", "Data", "Timeout", "CallerID", "Account", "EarlyMedia", "Async", "Codecs", "Variable"}, do: (*exchange).originate},
		{name: "Park", kind: command, synopsis: "Park a channel.", privilege: "call,all", headers: []string{"Channel", "TimeoutChannel", "AnnounceChannel", "Channel2", "Timeout", "Parkinglot", "ParkingSpace"}, do: (*exchange).park},
		{name: "ParkedCalls", kind: list, synopsis: "List parked calls.", privilege: "call,all", headers: []string{"ParkingLot"}, do: (*exchange).parkedCalls},
		{name: "Ping", kind: session, synopsis: "Keepalive command.", privilege: "<none>"},
		{name: "PJSIPShowContacts", kind: list, synopsis: "Lists PJSIP Contacts.", privilege: "system,all", do: (*exchange).pjsipShowContacts},
		{name: "PJSIPShowEndpoints", kind: list, synopsis: "Lists PJSIP endpoints.", privilege: "system,all", do: (*exchange).pjsipShowEndpoints},
		{name: "PlayDTMF", kind: command, synopsis: "Play DTMF signal on a specific channel.", privilege: "call,all", headers: []string{"Channel", "Digit", "Duration", "Receive"}, do: (*exchange).playDTMF},
		{name: "PresenceState", kind: list, synopsis: "Check Presence State", privilege: "call,reporting,all", headers: []string{"Provider"}, do: (*exchange).presenceState},
		{name: "PresenceStateList", kind: list, synopsis: "List the current known presence states.", privilege: "call,reporting,all", do: (*exchange).presenceStateList},
		{name: "QueueAdd", kind: command, synopsis: "Add interface to queue.", privilege: "agent,all", headers: []string{"Queue", "Interface", "Penalty", "Paused", "MemberName", "StateInterface"}, do: (*exchange).queueAdd},
		{name: "QueuePause", kind: command, synopsis: "Makes a queue member temporarily unavailable.", privilege: "agent,all", headers: []string{"Interface", "Paused", "Queue", "Reason"}, do: (*exchange).queuePause},
		{name: "QueuePenalty", kind: command, synopsis: "Set the penalty for a queue member.", privilege: "agent,all", headers: []string{"Interface", "Penalty", "Queue"}, do: (*exchange).queuePenalty},
		{name: "QueueRemove", kind: command, synopsis: "Remove interface from queue.", privilege: "agent,all", headers: []string{"Queue", "Interface"}, do: (*exchange).queueRemove},
		{name: "QueueStatus", kind: list, synopsis: "Show queue status.", privilege: "<none>", headers: []string{"Queue", "Member"}, do: (*exchange).queueStatus},
		{name: "QueueSummary", kind: list, synopsis: "Show queue summary.", privilege: "<none>", headers: []string{"Queue"}, do: (*exchange).queueSummary},
		{name: "Redirect", kind: command, synopsis: "Redirect (transfer) a call.", privilege: "call,all", headers: []string{"Channel", "ExtraChannel", "Exten", "ExtraExten", "Context", "ExtraContext", "Priority", "ExtraPriority"}, do: (*exchange).redirect},
		{name: "SIPpeers", kind: list, synopsis: "List SIP peers (text format).", privilege: "system,reporting,all", do: (*exchange).sipPeers},
		{name: "Status", kind: list, synopsis: "List channel status.", privilege: "system,call,reporting,all", headers: []string{"Channel"}, do: (*exchange).status},
		{name: "StopMixMonitor", kind: command, synopsis: "Stop recording a call through MixMonitor, and free the recording's file handle.", privilege: "system,call,all", headers: []string{"Channel", "MixMonitorID"}, do: (*exchange).stopMixMonitor},
		{name: "UserEvent", kind: command, unnamed: true, synopsis: "Send an arbitrary event.", privilege: "user,all", any: true, do: (*exchange).userEvent},
		{name: "WaitEvent", kind: local, synopsis: "Wait for an event to occur.", privilege: "<none>", headers: []string{"Timeout"}, do: (*exchange).waitEvent},
	}
	for _, name := range neverDone {
		all = append(all, action{name: name})
	}
	slices.SortFunc(all, func(a, b action) int { return strings.Compare(fold(a.name), fold(b.name)) })
	return all
}

// neverDone are the actions of Asterisk 22 and its modules that are refused by name.
var neverDone = []string{
	"AbsoluteTimeout", "AgentLogoff", "AGI", "AOCMessage", "BridgeDestroy", "BridgeKick", "BridgeTechnologyList", "BridgeTechnologySuspend",
	"BridgeTechnologyUnsuspend", "Command", "ConfbridgeKick", "ConfbridgeLock", "ConfbridgeMute", "ConfbridgeSetSingleVideoSrc",
	"ConfbridgeStartRecord", "ConfbridgeStopRecord", "ConfbridgeUnlock", "ConfbridgeUnmute", "ControlPlayback", "CreateConfig", "DAHDIDialOffhook",
	"DAHDIDNDoff", "DAHDIDNDon", "DAHDIHangup", "DAHDIRestart", "DAHDIShowChannels", "DAHDIShowStatus", "DAHDITransfer", "DBDel", "DBDelTree", "DBGet",
	"DBGetTree", "DBPut", "DialplanExtensionAdd", "DialplanExtensionRemove", "FAXSession", "FAXSessions", "FAXStats", "GetConfig", "GetConfigJSON",
	"Getvar", "IAXnetstats", "IAXpeerlist", "IAXpeers", "IAXregistry", "JabberSend", "ListCategories", "LocalOptimizeAway", "LoggerRotate",
	"MailboxCount", "MailboxStatus", "MeetmeList", "MeetmeListRooms", "MeetmeMute", "MeetmeUnmute", "MessageSend", "ModuleCheck", "ModuleLoad",
	"MWIDelete", "MWIGet", "MWIUpdate", "Parkinglots", "PJSIPHangup", "PJSIPNotify", "PJSIPQualify", "PJSIPRegister", "PJSIPSetMaintenance",
	"PJSIPShowAors", "PJSIPShowAuths", "PJSIPShowEndpoint", "PJSIPShowMaintenance", "PJSIPShowRegistrationInboundContactStatuses",
	"PJSIPShowRegistrationsInbound", "PJSIPShowRegistrationsOutbound", "PJSIPShowResourceLists", "PJSIPShowSubscriptionsInbound",
	"PJSIPShowSubscriptionsOutbound", "PJSIPUnregister", "PlayMF", "PRIDebugFileSet", "PRIDebugFileUnset", "PRIDebugSet", "PRIShowSpans",
	"QueueChangePriorityCaller", "QueueLog", "QueueMemberRingInUse", "QueueReload", "QueueReset", "QueueRule", "QueueWithdrawCaller", "Reload",
	"SendFlash", "SendText", "Setvar", "ShowDialPlan", "SorceryMemoryCacheExpire", "SorceryMemoryCacheExpireObject", "SorceryMemoryCachePopulate",
	"SorceryMemoryCacheStale", "SorceryMemoryCacheStaleObject", "UpdateConfig", "VoicemailBoxSummary", "VoicemailForward", "VoicemailMove",
	"VoicemailRefresh", "VoicemailRemove", "VoicemailUsersList", "VoicemailUserStatus",
}
