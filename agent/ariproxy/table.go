package ariproxy

import (
	"slices"
	"strings"
)

// kind says what becomes of an operation.
type kind uint8

const (
	refused  kind = iota // by name
	answered             // from what the gate shows the subject, or by Earshot about itself
	streamed             // the events
	acting               // on what is the subject's own
	command              // decided by the gate, and counted with what he begins or changes elsewhere
)

// operation is one row of the table: an operation of Asterisk's and what Earshot makes of it.
type operation struct {
	method, path string
	kind         kind
	why          string // it is refused

	// Of what is offered.
	name     string // as ari-client calls it
	summary  string
	returns  string // the model
	takes    []param
	unnamed  bool // it needs nobody in particular
	do       func(*exchange) error
	segments []string // of path
}

// eventSource is the parameter of subscriptions.
var eventSource = severally(needed(inQuery("eventSource", nil)))

// slashed are the parts of paths that may have a slash in them, which a client has to escape: the names of devices and sounds.
var slashed = map[string]bool{"{deviceName}": true, "{soundId}": true}

// What is never done, and why.
const (
	whyConfig   = "the PBX's configuration is nobody's to read or change by this door"
	whyModules  = "the PBX's modules are nobody's to list, load or unload by this door"
	whyLogging  = "the PBX's logs are nobody's to turn on or off by this door"
	whyGlobals  = "global variables are the dialplan's own, and a read of one evaluates an expression"
	whyMessage  = "a message or a REFER goes out under a sender that the client chooses"
	whyDialplan = "it leads a call into the dialplan or another application, past every decision"
	whyMedia    = "it sends what is said to an address that the client chooses"
	whyCopy     = "nobody has been decided for who may have the copy"
	whyDiscard  = "a recording is stopped and kept; who may delete it deletes what is stored"
	whyMute     = "a recording is paused, and what is left out is not made silence of"
	whyVideo    = "there is no video"
	whyProgress = "it says something to the network in the PBX's name"
	whyStats    = "what the two sides of a call measure ties them to each other"
	whyVars     = "variables are the dialplan's own, and a read of one evaluates an expression"
	whyMailbox  = "whose mailboxes they are is not in the policy"
	whyDevices  = "what a device does is the PBX's to say"
	whyEvents   = "an event of one client's is not told to another"
	whyCreate   = "a leg that nobody has been decided for could be dialled or left anywhere"
)

// operations is the whole table: every operation of Asterisk 22. What is not in it is answered as Asterisk answers what it does not know.
func operations() []operation {
	all := []operation{
		{method: "GET", path: "/asterisk/info", kind: answered, unnamed: true, name: "getInfo", summary: "What is known of this Earshot, in the place of the PBX.", returns: "AsteriskInfo", takes: []param{{name: "only", in: "query", kind: "string", several: true}}, do: (*exchange).info},
		{method: "GET", path: "/asterisk/ping", kind: answered, unnamed: true, name: "ping", summary: "Whether somebody answers.", returns: "AsteriskPing", do: (*exchange).ping},

		{method: "GET", path: "/endpoints", kind: answered, name: "list", summary: "The phones of all employees.", returns: "List[Endpoint]", do: (*exchange).endpoints},
		{method: "GET", path: "/endpoints/{tech}", kind: answered, name: "listByTech", summary: "Those of one technology.", returns: "List[Endpoint]", takes: []param{inPath("tech")}, do: (*exchange).endpointsByTech},
		{method: "GET", path: "/endpoints/{tech}/{resource}", kind: answered, name: "get", summary: "One phone.", returns: "Endpoint", takes: []param{inPath("tech"), inPath("resource")}, do: (*exchange).endpoint},

		{method: "GET", path: "/deviceStates", kind: answered, name: "list", summary: "The states that applications have set: none can.", returns: "List[DeviceState]", do: (*exchange).deviceStates},
		{method: "GET", path: "/deviceStates/{deviceName}", kind: answered, name: "get", summary: "What a phone does.", returns: "DeviceState", takes: []param{inPath("deviceName")}, do: (*exchange).deviceState},

		{method: "GET", path: "/events", kind: streamed, name: "eventWebsocket", summary: "The stream of what happens to what you are shown.", returns: "Message", takes: []param{
			{name: "app", in: "query", kind: "string", required: true, several: true}, {name: "subscribeAll", in: "query", kind: "boolean"},
		}},

		{method: "GET", path: "/applications", kind: answered, name: "list", summary: "Your own applications.", returns: "List[Application]", do: (*exchange).applications},
		{method: "GET", path: "/applications/{applicationName}", kind: answered, name: "get", summary: "One of them.", returns: "Application", takes: []param{inPath("applicationName")}, do: (*exchange).application},
		{method: "POST", path: "/applications/{applicationName}/subscription", kind: answered, name: "subscribe", summary: "Have it told of channel:ID, bridge:ID, endpoint:TECH/RESOURCE or deviceState:NAME.", returns: "Application", takes: []param{inPath("applicationName"), eventSource}, do: (*exchange).subscribe},
		{method: "DELETE", path: "/applications/{applicationName}/subscription", kind: answered, name: "unsubscribe", summary: "Have it told of them no more.", returns: "Application", takes: []param{inPath("applicationName"), eventSource}, do: (*exchange).unsubscribe},
		{method: "PUT", path: "/applications/{applicationName}/eventFilter", kind: answered, name: "filter", summary: "Of which types of events it is told.", returns: "Application", takes: []param{inPath("applicationName"), {name: "filter", in: "body", kind: "object"}}, do: (*exchange).filterEvents},
	}
	all = slices.Concat(all, channelOperations, bridgeOperations, mediaOperations, recordingOperations)
	for _, group := range notOffered {
		for _, row := range strings.Split(group.rows, "\n") {
			methods, path, _ := strings.Cut(strings.TrimSpace(row), " ")
			for _, method := range strings.Split(methods, ",") {
				all = append(all, operation{method: method, path: path, kind: refused, why: group.why})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b operation) int { return strings.Compare(a.path, b.path) })
	for i := range all {
		all[i].segments = strings.Split(all[i].path, "/")[1:]
	}
	return all
}

// notOffered are the operations that are not done.
var notOffered = []struct {
	why  string
	rows string // methods and paths
}{
	{whyConfig, `GET,PUT,DELETE /asterisk/config/dynamic/{configClass}/{objectType}/{id}`},
	{whyModules, `GET /asterisk/modules
		GET,POST,DELETE,PUT /asterisk/modules/{moduleName}`},
	{whyLogging, `GET /asterisk/logging
		POST,DELETE /asterisk/logging/{logChannelName}
		PUT /asterisk/logging/{logChannelName}/rotate`},
	{whyGlobals, `GET,POST /asterisk/variable`},
	{whyMessage, `PUT /endpoints/sendMessage
		POST /endpoints/refer
		PUT /endpoints/{tech}/{resource}/sendMessage
		POST /endpoints/{tech}/{resource}/refer`},
	{whyCreate, `POST /channels/create
		POST /channels/{channelId}/dial`},
	{whyDialplan, `POST /channels/{channelId}/continue
		POST /channels/{channelId}/move
		POST /channels/{channelId}/redirect`},
	{whyMedia, `POST /channels/externalMedia`},
	{whyDiscard, `DELETE /recordings/live/{recordingName}`},
	{whyMute, `POST,DELETE /recordings/live/{recordingName}/mute`},
	{whyCopy, `POST /recordings/stored/{recordingName}/copy`},
	{whyProgress, `POST /channels/{channelId}/progress
		POST /channels/{channelId}/transfer_progress`},
	{whyStats, `GET /channels/{channelId}/rtp_statistics`},
	{whyVars, `POST /channels/{channelId}/variable
		GET,POST /channels/{channelId}/variables
		GET,POST /bridges/{bridgeId}/variable
		GET,POST /bridges/{bridgeId}/variables`},
	{whyVideo, `POST /bridges/{bridgeId}/videoSource/{channelId}
		DELETE /bridges/{bridgeId}/videoSource`},
	{whyDevices, `PUT,DELETE /deviceStates/{deviceName}`},
	{whyMailbox, `GET /mailboxes
		GET,PUT,DELETE /mailboxes/{mailboxName}`},
	{whyEvents, `POST /events/user/{eventName}
		POST /events/claim`},
}
