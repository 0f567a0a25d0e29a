package ariproxy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// docsSegment is where the description is, by which clients such as npm's ari-client learn what they may ask: in the form of Swagger 1.1, as Asterisk's.
const docsSegment = "api-docs"

// description is one of its files, but for the address of the door, which is where it was asked.
type description map[string]any

// The versions that the files name.
const (
	swaggerVersion = "1.1"
	apiVersion     = "2.0.0"
)

// describe makes the files of what a table offers, by their names. What is not offered is not in them.
func describe(table []operation) map[string]description {
	docs, apis := map[string]description{}, []any{}
	for _, resource := range resources(table) {
		at := "/" + docsSegment + "/" + resource + ".{format}"
		apis = append(apis, map[string]any{"path": at, "description": resourceWords[resource]})
		docs[resource+".json"] = description{
			"apiVersion": apiVersion, "swaggerVersion": swaggerVersion, "resourcePath": at, "apis": paths(table, resource), "models": modelsOf(resource),
		}
	}
	docs["resources.json"] = description{"apiVersion": apiVersion, "swaggerVersion": swaggerVersion, "apis": apis}
	return docs
}

// resourceWords say what each is about.
var resourceWords = map[string]string{
	"applications": "Your applications", "asterisk": "This Earshot", "bridges": "Bridges", "channels": "Channels", "deviceStates": "What phones do",
	"endpoints": "Phones", "events": "The event stream", "playbacks": "What you play", "recordings": "Recordings", "sounds": "Sounds",
}

// paths are a resource's paths with what is offered of each.
func paths(table []operation, resource string) []any {
	var order []string
	of := map[string][]any{}
	for i := range table {
		o := &table[i]
		if o.kind < answered || o.segments[0] != resource {
			continue
		}
		if !slices.Contains(order, o.path) {
			order = append(order, o.path)
		}
		of[o.path] = append(of[o.path], o.describe())
	}
	all := []any{}
	for _, p := range order {
		all = append(all, map[string]any{"path": p, "description": resourceWords[resource], "operations": of[p]})
	}
	return all
}

func (o *operation) describe() map[string]any {
	takes := []any{}
	for _, p := range o.takes {
		takes = append(takes, map[string]any{
			"name": p.name, "description": p.name, "paramType": p.in, "required": p.required, "allowMultiple": p.several, "dataType": p.kind,
		})
	}
	d := map[string]any{"httpMethod": o.method, "nickname": o.name, "summary": o.summary, "responseClass": o.returns, "parameters": takes}
	if o.kind == streamed {
		d["upgrade"], d["websocketProtocol"] = "websocket", subprotocol
	}
	return d
}

// describe answers with one of the files.
func (x *exchange) describe() error {
	if len(x.q.segments) != 2 {
		return faultNotFound
	}
	doc, ok := x.docs[x.q.segments[1]]
	switch {
	case !ok:
		return faultNotFound
	case x.q.method != http.MethodGet:
		x.w.Header().Set("Allow", "GET")
		return faultNoMethod
	}
	base, ok := x.here()
	if !ok {
		return faultPath
	}
	full := description{"basePath": base}
	for name, value := range doc {
		full[name] = value
	}
	text, err := json.Marshal(full)
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, text)
}

// modelsOf are the models that a resource's answers have.
func modelsOf(resource string) map[string]any {
	all := map[string]any{}
	for _, line := range strings.Split(models[resource], "\n") {
		name, members, _ := strings.Cut(strings.TrimSpace(line), ":")
		properties := map[string]any{}
		for _, member := range strings.Fields(members) {
			field, kind, _ := strings.Cut(member, "=")
			field, optional := strings.CutSuffix(field, "?")
			properties[field] = map[string]any{"type": kind, "required": !optional, "description": field}
		}
		model := map[string]any{"id": name, "properties": properties}
		if name == "Event" || name == "Message" {
			model["discriminator"] = "type"
		}
		all[name] = model
	}
	return all
}

// models are all that is answered and told: a line each, with the members and their types.
var models = map[string]string{
	"applications": `Application: name=string channel_ids=List[string] bridge_ids=List[string] endpoint_ids=List[string] device_names=List[string] events_allowed=List[object] events_disallowed=List[object]`,
	"asterisk": `AsteriskInfo: build?=BuildInfo system?=SystemInfo config?=ConfigInfo status?=StatusInfo
		BuildInfo: os=string kernel=string options=string machine=string date=string user=string
		SystemInfo: version=string entity_id=string
		ConfigInfo: name=string default_language=string setid=SetId
		SetId: user=string group=string
		StatusInfo: startup_time=Date last_reload_time=Date
		AsteriskPing: asterisk_id=string ping=string timestamp=string`,
	"bridges": `Bridge: id=string technology=string bridge_type=string bridge_class=string creator=string name=string channels=List[string] video_mode?=string creationtime=Date`,
	"channels": `Variable: value=string
		Channel: id=string protocol_id=string name=string state=string caller=CallerID connected=CallerID accountcode=string dialplan=DialplanCEP creationtime=Date language=string
		CallerID: name=string number=string
		DialplanCEP: context=string exten=string priority=long app_name=string app_data=string`,
	"deviceStates": `DeviceState: name=string state=string`,
	"endpoints":    `Endpoint: technology=string resource=string state?=string channel_ids=List[string]`,
	"events": `Message: type=string asterisk_id?=string
		Event: application=string timestamp=Date
		ApplicationReplaced:
		StasisStart: args=List[string] channel=Channel
		StasisEnd: channel=Channel
		ChannelDtmfReceived: digit=string duration_ms=int channel=Channel
		PlaybackStarted: playback=Playback
		PlaybackContinuing: playback=Playback
		PlaybackFinished: playback=Playback
		RecordingStarted: recording=LiveRecording
		RecordingFinished: recording=LiveRecording
		RecordingFailed: recording=LiveRecording
		DeviceStateChanged: device_state=DeviceState
		ChannelCreated: channel=Channel
		ChannelStateChange: channel=Channel
		ChannelCallerId: caller_presentation=int caller_presentation_txt=string channel=Channel
		ChannelConnectedLine: channel=Channel
		ChannelDestroyed: cause=int cause_txt=string channel=Channel
		ChannelHold: channel=Channel musicclass?=string
		ChannelUnhold: channel=Channel
		Dial: caller?=Channel peer=Channel forward?=string dialstring?=string dialstatus=string
		BridgeCreated: bridge=Bridge
		BridgeDestroyed: bridge=Bridge
		ChannelEnteredBridge: bridge=Bridge channel?=Channel
		ChannelLeftBridge: bridge=Bridge channel=Channel
		BridgeBlindTransfer: channel=Channel transferee?=Channel exten=string context=string result=string is_external=boolean bridge?=Bridge
		BridgeAttendedTransfer: transferer_first_leg=Channel transferer_second_leg=Channel transferee?=Channel result=string is_external=boolean destination_type=string destination_bridge?=string`,
	"playbacks": `Playback: id=string media_uri=string next_media_uri?=string target_uri=string language?=string state=string`,
	"recordings": `StoredRecording: name=string format=string
		LiveRecording: name=string format=string target_uri=string state=string duration?=int cause?=string`,
	"sounds": `Sound: id=string text?=string formats=List[FormatLangPair]
		FormatLangPair: language=string format=string`,
}
