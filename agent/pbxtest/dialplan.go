package pbxtest

import (
	"fmt"
	"strings"
)

// Who may transfer and park by keys: both sides of an internal call, our side alone of a call with somebody
// outside. A phone with direct media has no such keys (see Phone.DirectMedia).
const (
	keysBoth   = "tTkK"
	keysCalled = "tk"
	keysCaller = "TK"
)

// extensions writes the dialplan. Each number is written out, so that what is not in the Plan cannot be dialled.
func (p *Plan) extensions() string {
	var b strings.Builder
	b.WriteString("[general]\nstatic=yes\nwriteprotect=yes\nautofallthrough=yes\n\n[globals]\n\n")
	b.WriteString("[phones]\ninclude => parkedcalls\n")
	p.numbers(&b, keysBoth)
	if len(p.Trunks) > 0 {
		t := p.Trunks[0].ID
		// The 9 is cut off; a number in international or national form goes as it is.
		number(&b, "_"+PrefixOutside+"X.", fmt.Sprintf("Dial(PJSIP/${EXTEN:1}@%s,60,%s)", t, keysCaller))
		number(&b, "_+X.", fmt.Sprintf("Dial(PJSIP/${EXTEN}@%s,60,%s)", t, keysCaller))
		number(&b, "_8XXXXXXXXXX", fmt.Sprintf("Dial(PJSIP/${EXTEN}@%s,60,%s)", t, keysCaller))
	}
	number(&b, NumberEcho, "Answer()", "Echo()")
	number(&b, NumberMusic, "Answer()", "MusicOnHold()")
	number(&b, NumberSilence, "Answer()", "Wait(3600)")
	number(&b, "_"+PrefixPickup+"X.", "Pickup(${EXTEN:2}@phones&${EXTEN:2}@incoming)")
	number(&b, "_"+PrefixLocal+"X.", "Dial(Local/${EXTEN:3}@phones,60,"+keysBoth+")")
	number(&b, "_"+PrefixLocalN+"X.", "Dial(Local/${EXTEN:3}@phones/n,60,"+keysBoth+")")

	b.WriteString("\n[outside]\n")
	for _, in := range p.Incoming {
		number(&b, in.Number, fmt.Sprintf("Goto(incoming,%s,1)", in.To))
	}
	b.WriteString("\n[incoming]\n")
	p.numbers(&b, keysCalled)

	for _, context := range p.contexts() {
		// A section that is opened again adds to the one above.
		fmt.Fprintf(&b, "\n[%s]%s\n", context, reopen(context))
		for _, e := range p.Extensions {
			if or(e.Context, "phones") == context {
				number(&b, e.Number, e.Steps...)
			}
		}
	}
	return b.String()
}

// numbers writes what can be dialled from inside and, through Plan.Incoming, from outside.
func (p *Plan) numbers(b *strings.Builder, keys string) {
	for _, ph := range p.Phones {
		number(b, ph.number(), ring(ph, keys)...)
	}
	for _, g := range p.Groups {
		var dest []string
		for _, id := range g.Phones {
			dest = append(dest, "PJSIP/"+id)
		}
		number(b, g.Number, fmt.Sprintf("Dial(%s,60,%s)", strings.Join(dest, "&"), keys))
	}
	for _, q := range p.Queues {
		number(b, q.Number, "Answer()", fmt.Sprintf("Queue(%s,%s)", q.Name, keys))
	}
	for _, r := range p.Rooms {
		number(b, r, "Answer()", fmt.Sprintf("ConfBridge(%s)", r))
	}
}

// ring is the dialplan of a phone's number.
func ring(ph Phone, keys string) []string {
	if ph.DirectMedia {
		keys = ""
	}
	own := fmt.Sprintf("Dial(PJSIP/%s,60,%s)", ph.ID, keys)
	if ph.Forward == "" {
		return []string{own}
	}
	forward := fmt.Sprintf("Dial(Local/%s@phones,60,%s)", ph.Forward, keys)
	if ph.ForwardAfter <= 0 {
		return []string{forward}
	}
	return []string{fmt.Sprintf("Dial(PJSIP/%s,%d,%s)", ph.ID, ph.ForwardAfter, keys), forward}
}

// contexts are those of the further extensions, in their order.
func (p *Plan) contexts() []string {
	var names []string
	seen := map[string]bool{}
	for _, e := range p.Extensions {
		if c := or(e.Context, "phones"); !seen[c] {
			seen[c] = true
			names = append(names, c)
		}
	}
	return names
}

func reopen(context string) string {
	if context == "phones" || context == "outside" {
		return "(+)"
	}
	return ""
}

// number writes one extension.
func number(b *strings.Builder, exten string, steps ...string) {
	for i, s := range steps {
		if i == 0 {
			fmt.Fprintf(b, "exten => %s,1,%s\n", exten, s)
		} else {
			fmt.Fprintf(b, " same => n,%s\n", s)
		}
	}
}
