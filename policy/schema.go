package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/policy/internal/schema"
)

// Schema returns a JSON Schema (draft 2020-12) of policy files, for editors: what it takes and what Parse takes is the same, save for what
// no schema can tell, which is whether a name exists and is there once, and how YAML is written. It is made from the parser's own tables.
func Schema() ([]byte, error) {
	return schema.Object(fileKeys, fileSchemas(), "version").Document("Earshot policy", definitions())
}

func fileSchemas() map[string]schema.Schema {
	id, ref := schema.Ref("id"), schema.Ref
	return map[string]schema.Schema{
		"version":  schema.Schema{"const": 1}.About("The version of the language. Always 1."),
		"timezone": ref("timezone").About("The time zone of dates and hours. A name of the IANA data base, as in Europe/Moscow."),
		"times":    schema.Named(id, ref("times")).About("Stretches of the week, to which during refers."),
		"departments": schema.Named(id, schema.Object(departmentKeys, map[string]schema.Schema{
			"name":   ref("text").About("What people call it."),
			"head":   ref("text").About("The id of the employee who heads it. That gives no right by itself; assign a role to heads."),
			"parent": ref("text").About("The id of the department above."),
		})).About("The departments, by id."),
		"groups":    schema.Named(id, schema.List(ref("member"), 0)).About("Lists of employees, by id, to which group:ID refers."),
		"employees": schema.Named(employeeID(), employeeSchema()).About("Everybody whom the policy knows, by id."),
		"lines": schema.Named(id, schema.Object(lineKeys, map[string]schema.Schema{
			"name":    ref("text").About("What people call it."),
			"queue":   ref("queue").About("The name of its queue in Asterisk. Left out, it is the id."),
			"members": ref("people").About("Who works on it."),
		})).About("The queues that customers call, by id."),
		"roles": schema.Named(id, schema.Object(roleKeys, rightRefs())).About("Rights that several people have, by the id of the role."),
		"assign": schema.List(schema.Object(assignKeys, withWhen(map[string]schema.Schema{
			"role": ref("text").About("The id of a role."),
			"to":   ref("assignees").About("Who has the role: employees, department:ID, subtree:ID, group:ID, heads, everyone."),
		}, "At other times he does not have the role."), "role", "to"), 0).About("Who has which role."),
		"protected": schema.Object(protectedKeys, map[string]schema.Schema{
			"employees": ref("people").About("Whom nobody supervises, intercepts, records or plays."),
			"numbers":   schema.List(ref("number").And(schema.Schema{"pattern": "[0-9]"}), 0).About("Calls with these numbers are not supervised or played, and hidden from all but those who are on them."),
		}).About("What holds against everybody."),
		"trunks":         schema.List(ref("endpoint"), 0).About("The endpoints that lead outside."),
		"emergency":      schema.List(ref("number"), 0).About("The numbers that everybody may dial, always."),
		"unknown_phones": schema.Words("outside").About("Take endpoints that are neither a phone nor a trunk for outside parties. Left out, calls with one are not supervised."),
	}
}

func employeeSchema() schema.Schema {
	all := schema.Object(employeeKeys, employeeSchemas())
	for _, key := range []string{"phones", "numbers", "department", keyPBX} {
		all = all.And(schema.Not(schema.Required(keyPanel, key)))
	}
	return all
}

func employeeSchemas() map[string]schema.Schema {
	values := rightRefs()
	values["name"] = schema.Ref("text").About("What people call him.")
	values["phones"] = schema.List(schema.Ref("endpoint"), 0).About("His endpoints, as in PJSIP/101. A phone proves who somebody is.")
	values["numbers"] = schema.List(schema.Ref("number"), 0).About("His numbers, in quotes. A number is only claimed: it may exclude and hide, never grant.")
	values[keyPBX] = schema.Ref("pbx").About("The name of the PBX on which his phones are, where a company has several. Left out, they count on every one.")
	values[keyPanel] = schema.Schema{"const": true}.About("This is a panel that asks for nobody in particular, and no employee: it sees what is granted to it, and has no phone, PBX, number or department.")
	values["department"] = schema.Ref("text").About("The id of his department.")
	return values
}

func rightRefs() map[string]schema.Schema {
	values := map[string]schema.Schema{}
	for r := range rightEnd {
		values[r.String()] = schema.Ref("right." + r.String()).About(rightTexts[r])
	}
	return values
}

// rightTexts are what an editor shows of each right.
var rightTexts = [rightEnd]string{
	rightObserve:             "To see with whom colleagues talk.",
	rightListen:              "Short for spy, whisper and barge.",
	rightSpy:                 "To hear both sides of a call.",
	rightWhisper:             "To hear both sides of a call and speak to the colleague alone.",
	rightBarge:               "To hear both sides of a call and speak to both.",
	rightIntercept:           "To take a call that rings at somebody else. True: those of one's own clients.",
	rightDial:                "Whom one may call.",
	rightAll:                 "Every right, on anybody.",
	rightRecordings:          "Short for play and download, and for delete where allow names it.",
	rightPlay:                "To hear recordings.",
	rightDownload:            "To have recordings as files.",
	rightDelete:              "To delete recordings for good.",
	rightRecord:              "To start, pause and stop the recording of a running call.",
	rightJournal:             "To see calls in the history of calls.",
	rightGrade:               "To grade calls that one may see in the journal.",
	rightStatistics:          "To see how many calls somebody had, and how long.",
	rightSettingsUser:        "To change somebody's forwarding, do-not-disturb and pauses.",
	rightUnnoticed:           "To supervise somebody without his being told, though a rule says notify.",
	rightLock:                "To lock the call that one is on oneself against supervision.",
	rightSettingsTelephony:   "To change how the telephony works.",
	rightSettingsNumbers:     "To change numbers and which lines they lead to.",
	rightSettingsPermissions: "To change this policy.",
	rightLineView:            "To see a line among the others. It needs line.connect too.",
	rightLineConnect:         "To connect channels with a line. It needs line.view too.",
	rightLineChange:          "To change a line and who works on it. It needs line.view and line.connect.",
	rightLineStatistics:      "To see a line's figures.",
	rightLineHistory:         "To see a line's past conversations.",
	rightLineJoin:            "To join a conversation that goes on.",
	rightLineGrade:           "To grade a conversation. It needs line.history.",
	rightLineReplies:         "To use a line's quick replies.",
}

// rightSchema is what may stand under a right.
func rightSchema(r right) schema.Schema {
	if r == rightDial {
		return dialSchema()
	}
	spec := r.spec()
	people := schema.Ref("people")
	if spec.lines {
		people = schema.Ref("peopleAndLines")
	}
	some := people.And(schema.Schema{"minItems": 1})
	words, lists := slices.Clone(scopeWords), true
	if !spec.people || r == rightAll {
		words, lists = []string{scopeNames[scopeNone], scopeNames[scopeAny]}, false
	}
	to := schema.Words(words...)
	if r == rightObserve {
		words = append(words, showKind)
	}
	one := []schema.Schema{schema.Truth(), schema.Words(words...).About("On whom it is.")}
	if lists {
		one, to = append(one, some.About("On whom it is.")), schema.Any(to, some)
	}
	values := withWhen(map[string]schema.Schema{
		"to":     to.About("On whom it is. Left out, it is any."),
		"only":   some.About("Those on whom it is: to, with a list."),
		"except": people.About("On whom it is not, whatever other rights there are."),
		"show":   schema.Words(showNames...).About("How much is seen: the peer, or only of which kind it is."),
		"reason": schema.Any(schema.Truth(), schema.Ref("people").And(schema.Schema{"minItems": 1})).About("For whom a reason must be given. True: for everybody."),
		"notify": notifySchema().About("How the employee is told who is supervised. It holds for all that the subject does so, by whatever right."),
		"allow":  schema.List(schema.Words(spec.modes...), 1).About("Which of them are granted. The exception beside it bars all."),
	}, "The exception beside it holds always.")
	keys := schema.Object(spec.keys(), values)
	if lists {
		keys = keys.And(schema.Not(schema.Required("to", "only")))
	}
	return schema.Any(append(one, keys)...)
}

// dialSchema is what may stand under dial.
func dialSchema() schema.Schema {
	some := schema.List(schema.Ref("pattern"), 1)
	words := schema.Words(sortedKeys(dialWords)...)
	whose := schema.Any(schema.Truth(), schema.Words(scopeWords...), schema.Ref("people").And(schema.Schema{"minItems": 1}))
	keys := schema.Object(dialMapKeys, withWhen(map[string]schema.Schema{
		"to":        schema.Any(words, some).About("Whom one may call, for all at once. Left out, it is any."),
		"clients":   whose.About("Whose clients one may call."),
		"employees": whose.About("On whose numbers one may call."),
		"numbers":   some.About("Which numbers one may call."),
		"except": schema.Object(dialExceptKeys, map[string]schema.Schema{
			"employees": schema.Ref("people").About("Whom one may not call, on any number that may be theirs."),
			"numbers":   schema.List(schema.Ref("pattern"), 0).About("Which numbers one may not call."),
		}).About("Whom one may not call, whatever other rights there are."),
	}, "The exception beside it holds always."))
	for _, part := range dialKeys[dialClients:] {
		keys = keys.And(schema.Not(schema.Required("to", part)))
	}
	return schema.Any(schema.Truth(), words.About("Whom one may call."), some.About("Which numbers one may call."), keys)
}

// withWhen adds the keys that say at which times something holds.
func withWhen(values map[string]schema.Schema, otherwise string) map[string]schema.Schema {
	values["during"] = schema.Ref("text").About("The id of the time during which it holds. " + otherwise)
	values["from"] = schema.Ref("date").About("The first day on which it holds. " + otherwise)
	values["until"] = schema.Ref("date").About("The last day on which it holds. " + otherwise)
	return values
}

func employeeID() schema.Schema {
	return schema.Ref("id").And(schema.Not(schema.Words(sortedKeys(reserved)...)))
}

// selectorSchema is an entry of a list of people. What follows a prefix is a name, and so is what has none.
func selectorSchema(may listing) schema.Schema {
	var prefixes []string
	for _, prefix := range sortedKeys(selectorPrefixes) {
		if selectorPrefixes[prefix] != selectLine || may&listLines != 0 {
			prefixes = append(prefixes, prefix)
		}
	}
	alone := slices.Clone(scopeWords)
	if may&listAssign == 0 {
		alone = append(alone, "everyone", "heads")
	}
	return schema.Text().And(schema.Matching("(?:"+strings.Join(prefixes, "|")+"):[^\n]+|[^:]+"), schema.Not(schema.Words(alone...)))
}

// definitions are what the schema refers to.
func definitions() map[string]schema.Schema {
	defs := map[string]schema.Schema{
		"text":           schema.Text(),
		"id":             schema.Matching(`[\p{L}\p{Nd}][\p{L}\p{Nd}_.\-]*`),
		"member":         schema.Text().And(schema.Matching("[^:]+")),
		"people":         schema.List(selectorSchema(listPeople), 0),
		"peopleAndLines": schema.List(selectorSchema(listPeople|listLines), 0),
		"assignees":      schema.List(selectorSchema(listPeople|listAssign), 1),
		"date":           schema.Matching(schema.DatePattern),
		"timezone":       schema.Matching(`[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*`).And(schema.Not(schema.Words("Local"))),
		"times":          timesSchema(),
		"queue":          schema.Matching(`[^` + schema.Space + `\[\],;/&|$"'\\]+`),
		"endpoint":       schema.Matching(`[A-Za-z0-9_]+/[^\x00-\x20\x7f-\x9f/@,&;$"'\\]+`).And(schema.Not(schema.Schema{"pattern": "^[Ll][Oo][Cc][Aa][Ll]/"}), schema.Schema{"maxLength": maxAddress}),
		"pbx":            schema.Matching(fmt.Sprintf(`[A-Za-z0-9][A-Za-z0-9_\-]{0,%d}`, maxPBX-1)),
		"number":         schema.Matching(numberPattern()),
		"pattern":        schema.Matching(patternPattern()),
	}
	for r := range rightEnd {
		defs["right."+r.String()] = rightSchema(r)
	}
	return defs
}

// numberPattern is what canonicalNumber takes, up to maxAddress characters without formatting.
func numberPattern() string {
	between := formattingClass()
	return between + `(?:\+` + between + `(?:[0-9*#]` + between + `){1,127}|(?:[0-9*#]` + between + `){1,128})`
}

func formattingClass() string {
	return "[" + strings.NewReplacer("-", `\-`, ".", `\.`, "(", `\(`, ")", `\)`).Replace(formatting) + "]*"
}

// patternPattern is what the reader takes for a pattern of numbers: with a country code, whole or the beginning; short ones; feature codes.
func patternPattern() string {
	f := formattingClass()
	return f + `(?:\+` + f + `[1-9]` + f + `(?:(?:[0-9]` + f + `){6,14}|(?:[0-9]` + f + `){0,14}\*` + f + `)` +
		`|(?:[0-9]` + f + `){1,6}(?:\*` + f + `)?` +
		`|#` + f + `|[*#]` + f + `(?:[*#]` + f + `){1,20}|[*#]` + f + `(?:[0-9*#]` + f + `){0,19}[0-9#]` + f + `)`
}

// timesSchema is a stretch of the week.
func timesSchema() schema.Schema {
	day := "(?:" + strings.Join(dayNames, "|") + ")"
	clock := `(?:[01]\d|2[0-3]):[0-5]\d`
	// They end when they begin when each digit of the end is that of the beginning.
	same := schema.Schema{}
	for _, before := range []string{"", ".", "...", "...."} {
		var digits []string
		for _, d := range strings.Split("0123456789", "") {
			digits = append(digits, d+".{5}"+d)
		}
		same = same.And(schema.Schema{"pattern": "^" + before + "(?:" + strings.Join(digits, "|") + ")"})
	}
	hours := schema.Matching(clock + "-(?:" + clock + "|24:00)").And(schema.Not(same))
	oneOrMore := func(s schema.Schema) schema.Schema { return schema.Any(s, schema.List(s, 1)) }
	return schema.Object(timesKeys, map[string]schema.Schema{
		"days":     oneOrMore(schema.Matching(day + "(?:-" + day + ")?")).About("The days, as in mon or mon-fri. Left out, every day."),
		"hours":    oneOrMore(hours).About("The hours, as in 09:00-18:00; 22:00-06:00 goes over midnight. Left out, the whole day."),
		"timezone": schema.Ref("timezone").About("The time zone of its hours. Left out, that of the policy."),
	}).And(schema.Any(schema.Required("days"), schema.Required("hours")))
}
