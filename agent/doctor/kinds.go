package doctor

// check is one group of what is looked at.
type check struct {
	about string
	run   func(*exam) error
}

// checks is everything that is looked at.
var checks = []check{
	{"the files", files},
	{"the AMI", amiChecks},
	{"the ARI", ariChecks},
	{"the dialplan", dialplanChecks},
	{"Earshot's include", includeChecks},
	{"the context for settings", settingsChecks},
	{"the lines' queues", lineChecks},
	{"pickup and features", featureChecks},
	{"conferences and queues", recordChecks},
	{"transfers", transferChecks},
	{"subscriptions", hintChecks},
	{"the modules", moduleChecks},
	{"asterisk.conf", optionChecks},
}

// kind is one kind of finding. Words in braces are filled in.
type kind struct {
	code     string
	severity Severity
	means    string
	change   string
}

// Kinds are the names of all kinds of findings, in the order of the report. The slice is the caller's.
func Kinds() []string {
	all := make([]string, 0, len(kinds))
	for _, k := range kinds {
		all = append(all, k.code)
	}
	return all
}

// kinds is every kind of finding, in the order of the report.
var kinds = []kind{
	{"ami-powers", High, "the AMI account {account} has the write classes {classes}, with any of which it listens to, takes, makes or redirects calls past Earshot, or changes the PBX so that it can",
		"write =        ; or let whoever uses it log in to Earshot, and take [{account}] out"},
	{"ami-abbreviation", High, "in the class list {key} of the AMI account {account} a token is empty or not written out, and Asterisk takes it for every class that begins so: it has {classes}",
		"{key} = …      ; each class written out in full, no comma at an end, no blanks"},
	{"ami-writes", Medium, "the AMI account {account} has the write classes {classes}, which read channels' variables, functions and messages of others, or join queues with any number",
		"write =        ; in [{account}]"},
	{"ami-reads", Medium, "the AMI account {account} has the read classes {classes}, and so hears who talks with whom, past what Earshot masks",
		"read =         ; in [{account}]"},
	{"ami-account", Low, "the AMI account {account} has no classes that matter, but any account may run BridgeInfo, which shows both parties, and BridgeDestroy, which ends their call",
		"[{account}]    ; take the section out"},
	{"ami-own", Medium, "Earshot's own AMI account has {key} classes that it does not need: {classes}",
		"{key} = {needs}"},
	{"ami-doctor", Medium, "the doctor's AMI account has {key} classes that it does not need: {classes}",
		"{key} = config,command,reporting"},
	{"ami-acl", Medium, "AMI listens beyond loopback, be it with TLS, and the account {account} may log in from every address",
		"deny = 0.0.0.0/0.0.0.0 and permit = 127.0.0.1/255.255.255.255   ; in [{account}]"},
	{"ami-open", High, "AMI listens beyond loopback without TLS, so that whoever is on the way reads everything and may take over a session",
		"bindaddr = 127.0.0.1   ; and for other machines tlsenable = yes, tlsbindaddr = 0.0.0.0:5039 and tlscertfile, with which this one still listens"},
	{"tls-old", Low, "{what} is served beyond loopback with TLS, and {versions} are not switched off",
		"tlsdisablev1 = yes and tlsdisablev11 = yes   ; in [general]"},
	{"ami-http", High, "AMI is served over HTTP too, where whatever reaches ARI's port reaches it",
		"webenabled = no"},
	{"ami-users-conf", Medium, "users.conf makes {account} an AMI account, on Asterisk 20 and older",
		"hasmanager = no"},

	{"ari-user", High, "the ARI user {account} may snoop on every channel, take it and make calls past Earshot",
		"[{account}]    ; take the section out, or let whoever uses it log in to Earshot"},
	{"ari-reader", Medium, "the ARI user {account} sees who talks with whom and, although read-only, has functions evaluated by GET …/variable, which tell passwords and files",
		"[{account}]    ; take the section out"},
	{"ari-open", High, "ARI is served beyond loopback without TLS, so that whoever is on the way reads passwords and calls",
		"bindaddr = 127.0.0.1   ; and for other machines tlsenable = yes, tlsbindaddr = 0.0.0.0:8089 and tlscertfile"},
	{"ari-outbound", High, "Asterisk dials the application behind {account} by an outbound WebSocket, which has ARI as {user} without the guard on dangerous functions",
		"[{account}]    ; take the section out"},
	{"ari-devices", Medium, "the ARI application {application} gets the events of everything, and Asterisk 22 blocks for good when its WebSocket ends while a deviceState event is on its way",
		"subscribeAll=false   ; where {application} connects"},

	{"dialplan-spy", High, "{app} in the dialplan lets whoever reaches it listen to calls without asking Earshot",
		"replace it by the feature code of Earshot's include, or take the extension out"},
	{"spy-prefix", High, "{app} takes its first argument for the beginning of a name, so that it hears other channels than the one that was meant, or all",
		"option u with one channel's unique id or whole name, or a name that ends with a hyphen"},
	{"spy-modes", Medium, "{app} has the option d: the listener changes to whisper and barge by his keys, and no event tells of it",
		"take the option d out"},
	{"spy-records", Medium, "{app} has the option r: it records what it hears, and no event tells of it",
		"take the option r out"},
	{"spy-leaves", Medium, "{app} has an option of c, x, X: the listener goes on into the dialplan, or to other channels, by a key",
		"take the options c, x and X out"},
	{"spy-stays", Medium, "{app} has neither the option E nor S, and waits for the target's next call when this one ends",
		"add the option E"},
	{"spy-enforced", Medium, "{app} has the option e(), which ExtenSpy ignores, and which ChanSpy compares with names cut at their first hyphen",
		"take the option e out, and let Earshot decide"},
	{"dialplan-pickup", High, "{app} in the dialplan lets whoever reaches it take ringing calls without asking Earshot",
		"replace it by the feature code of Earshot's include, or take the extension out"},
	{"dialplan-bridge", High, "{app} in the dialplan joins or moves calls of others; it matches the beginning of a name, and raises no ChanSpyStart",
		"take the extension out"},
	{"dialplan-line", High, "{app} in the dialplan puts whoever reaches it into the call of a shared line, without asking Earshot",
		"take the extension out, or set barge = no in sla.conf and accept the finding in doctor.accept of Earshot's configuration"},
	{"dialplan-disa", High, "{app} in the dialplan gives a caller another's dial tone, or the rights of an internal phone",
		"take the extension out"},
	{"dialplan-parked", Medium, "{app} in the dialplan lets whoever reaches it take a parked call without asking Earshot",
		"take the extension out, or let Earshot decide before it and accept the finding in doctor.accept of Earshot's configuration"},
	{"dialplan-conference", Medium, "{app} in the dialplan lets whoever reaches it into a conference, where he hears everybody who is transferred there",
		"take the extension out, or let Earshot decide before it and {clear}"},
	{"dialplan-record", Medium, "{app} in the dialplan records calls into files that Earshot does not guard",
		"take the extension out, or {clear}"},
	{"dialplan-audio", Medium, "{app} in the dialplan sends the audio of a call to a program or another machine",
		"take it out, or {clear}"},
	{"dialplan-program", Medium, "{app} in the dialplan runs a program, which can do everything with the call and the machine",
		"take it out, or make sure of what the program does and accept the finding in doctor.accept of Earshot's configuration"},
	{"dialplan-originate", Medium, "{app} in the dialplan makes calls that Earshot does not decide",
		"take it out, or accept the finding in doctor.accept of Earshot's configuration"},
	{"dialplan-voicemail", Medium, "{app}{how} opens a mailbox without asking for its password",
		"take {what} out, or make sure that the mailbox is the caller's own and accept the finding in doctor.accept of Earshot's configuration"},
	{"dialplan-computed", Medium, "the application is computed while the call runs, so that what it does cannot be seen, and whoever chooses the variable chooses it",
		"name the application"},
	{"dialplan-elsewhere", Low, "{what} leads to a dialplan that the doctor does not see",
		"look through it by hand, or run the doctor on the live PBX, and accept the finding in doctor.accept of Earshot's configuration"},
	{"include-emergency", High, "the policy has the emergency number {number}, and Earshot's include does not let it out without asking, so that it cannot be dialled while Earshot is away",
		"print the include anew with earshot setup asterisk, and reload the dialplan"},
	{"include-no-emergency", High, "the policy names no emergency number, and calls out go through Earshot's include, so that none can be dialled while Earshot is away, and a short one never",
		"name them under emergency in the policy, print the include anew with earshot setup asterisk, and reload the dialplan"},
	{"include-unasked", Medium, "Earshot's include lets the number {number} out without asking, as an emergency number, which it is not in the policy",
		"print the include anew with earshot setup asterisk, and reload the dialplan"},
	{"include-old", Low, "Earshot's include is of an older Earshot: by it no call is transferred with a question before it, or no caller taken who waits where no phone rings",
		"print the include anew with earshot setup asterisk, and reload the dialplan"},
	{"include-settings", Low, "the policy lets employees' telephones be set, and the dialplan has no context in which Earshot could keep what is set, so that every change fails",
		"print the include anew with earshot setup asterisk, and reload the dialplan"},
	{"line-queue", Low, "the policy's line {line} is the queue {queue}, which the PBX does not have, so that nobody is shown there and nothing of it can be changed or joined",
		"name the right one in queue under lines in the policy, or put [{queue}] into queues.conf"},
	{"parking-lot", Medium, "whoever dials a slot of the parking lot {account} takes the call that is parked there, without asking Earshot",
		"take parkext out   ; then no extensions are made for the slots"},

	{"pickup-code", High, "the code pickupexten takes the ringing call of a colleague of one's pickup groups, without asking Earshot",
		"pickupexten ="},
	{"pickup-groups", Medium, "endpoints ({count}) may take ringing calls of the pickup groups {groups}, by the PBX's own code or application",
		"take {key} out"},
	{"pickup-set", Medium, "{key} is written while a call runs, so that its channel takes ringing calls of others, by the PBX's own code or application",
		"take {key} out"},
	{"sip-replaces", Medium, "whoever may call takes any call whose Call-ID and tags he knows, by an INVITE with Replaces: Asterisk asks no more than that there is such a call, whatever allow_transfer says",
		"drop the header Replaces of INVITEs before they come to Asterisk, and use SIP over TLS   ; or noload = res_pjsip_refer.so, and no phone transfers by SIP"},
	{"sip-transfer", Low, "endpoints ({count}) may transfer by SIP: with Replaces in the Refer-To a call goes into any other whose Call-ID and tags are known",
		"allow_transfer = no   ; for endpoints that need not transfer, or transfer by Asterisk's own keys"},
	{"one-touch", Medium, "{key} lets a party record a call by keys, into files that Earshot does not guard",
		"{key} ="},
	{"setting-record", Medium, "{key} records conversations into files that Earshot does not guard",
		"take {key} out"},
	{"feature-app", Medium, "by keys within a call {account} runs {app}",
		"take {account} out of [{of}]"},
	{"hint-peer", Medium, "endpoints ({count}) may subscribe to the hints of the context {context}, and are told the number and name of whoever calls a colleague, past what Earshot masks",
		"noload = res_pjsip_dialog_info_body_generator.so   ; in modules.conf, or allow_subscribe = no, or a subscribe_context of their own without colleagues"},

	{"module", Low, "the module {account} is loaded{maybe}: {why}",
		"noload = {account}   ; in modules.conf"},
	{"live-dangerously", High, "live_dangerously lets everybody who may read or set a variable run programs and read files",
		"live_dangerously = no"},
	{"systemname", Low, "systemname holds a hyphen, so that PickupChan takes a channel's unique id for the beginning of a name, and Earshot can take no ringing call",
		"systemname = {name}"},
	{"spool-open", High, "everybody on this machine may read recordings in the spool, past what Earshot decides and records",
		"chmod o-x on the folder; and umask 027 for whoever records"},
	{"spool-unread", Medium, "{what} cannot be read ({why}) by the user that runs the doctor, so that, if that is Earshot's, these recordings are served to nobody",
		"let Earshot's user read it, by a group of its own and Asterisk's"},
	{"spool-undeleted", Medium, "the policy lets somebody delete recordings, and the folder of the spool cannot be written to by the user that runs the doctor",
		"let Earshot's user write to the folder, or take the right to delete away"},
	{"spool-parts", Low, "{what}: what lies behind it is not found at once, or not served",
		"name the folder that it leads to as a spool of its own"},
	{"spool-ari", Medium, "the policy lets somebody record calls, and no spool is ARI's, so that nobody can",
		"{name: ari, path: /var/spool/asterisk/recording, ari: true}   ; in recordings.spools of Earshot's configuration"},
	{"broken", Medium, "Asterisk takes nothing of {account}: {why}",
		"mend it"},
	{"unread", Low, "{what}, which the doctor does not see",
		"look through it by hand, or run the doctor on the live PBX, and accept the finding in doctor.accept of Earshot's configuration"},
}
