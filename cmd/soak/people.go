package main

import (
	"fmt"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
)

// talkers have calls; each phone is in one at a time. Those of the queue and the excluded one are not among them.
var talkers = []string{"anna", "gleb", "nina", "t1", "t2", "t3", "t4", "t5", "t6"}

// supervisors listen. irina sees with whom colleagues talk, olga and s1 do not.
var supervisors = []string{"irina", "olga", "s1"}

const (
	excluded = "pavel" // whom nobody may hear
	taker    = "maria" // who may take calls
)

// fixed are phones that a deed takes beside those that are drawn.
var fixed = map[string][]string{
	"queue":     {"boris", "sergei"},
	"excluded":  {excluded},
	"intercept": {taker},
}

// extra are phones beside the demo's, by employee.
var extra = map[string]string{"t1": "111", "t2": "112", "t3": "113", "t4": "114", "t5": "115", "t6": "116", "s1": "121"}

// watchers have no phone, or do not talk: what they are told has no outside party in it. olga listens, karl may nothing.
var masked = []string{"olga", "karl"}

const seeing = "irina"

// lineNumber is the queue's, of boris and sergei.
const (
	lineName   = "soak"
	lineNumber = "640"
	parkLot    = pbxtest.NumberPark
	roomNumber = "800"
)

// plan is the demo's PBX with those.
func plan() pbxtest.Plan {
	p := pbxtest.Demo()
	for _, who := range sorted(extra) {
		id := extra[who]
		p.Phones = append(p.Phones, pbxtest.Phone{ID: id, Name: "Mr " + who})
		p.Incoming = append(p.Incoming, pbxtest.Incoming{Number: "74950000" + id, To: id})
	}
	p.Queues = append(p.Queues, pbxtest.Queue{Name: lineName, Number: lineNumber, Members: []pbxtest.Member{{Phone: "102"}, {Phone: "201"}}})
	p.Incoming = append(p.Incoming, pbxtest.Incoming{Number: "74950000" + lineNumber, To: lineNumber})
	return p
}

// rules is the policy. What may change, listening and colleagues' rights, is given; what the invariants rest on stays: nobody hears pavel, and
// neither olga nor karl sees with whom anybody talks.
func rules(listens, remark string) string {
	var b strings.Builder
	b.WriteString("# " + remark + `
version: 1
timezone: Europe/Moscow
departments:
  sales:   {name: Sales}
  support: {name: Support}
employees:
  anna:   {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: sales}
  boris:  {name: Boris Orlov, phones: [PJSIP/102], numbers: ["102"], department: sales}
  irina:
    name: Irina Belova
    phones: [PJSIP/103]
    numbers: ["103"]
    department: sales
    observe: true
    journal: true
    recordings: true
    statistics: true
    line.view: any
    line.connect: any
    listen: {to: any, except: [pavel]}
  sergei: {name: Sergei Volkov, phones: [PJSIP/201], numbers: ["201"], department: support}
  olga:   {name: Olga Kim, phones: [PJSIP/202], numbers: ["202"], department: support, journal: true, line.view: any, listen: {to: any, allow: [` + listens + `], except: [pavel]}}
  pavel:  {name: Pavel Sokolov, phones: [PJSIP/203], numbers: ["203"], department: support}
  maria:  {name: Maria Director, phones: [PJSIP/301], numbers: ["301"], department: support, intercept: {to: any}, observe: true}
  nina:   {name: Nina Accountant, phones: [PJSIP/302], numbers: ["302"], department: support}
  gleb:   {name: Gleb Secretary, phones: [PJSIP/303], numbers: ["303"], department: support}
  karl:   {name: Karl Mask, department: support, journal: true}
`)
	for _, who := range sorted(extra) {
		grant := ""
		if who == "s1" {
			grant = ", listen: {to: any, except: [pavel]}"
		}
		fmt.Fprintf(&b, "  %s: {name: Mr %s, phones: [PJSIP/%s], numbers: [%q], department: sales%s}\n", who, who, extra[who], extra[who], grant)
	}
	b.WriteString(`lines:
  soak: {name: Soak line, members: [boris, sergei]}
roles:
  staff: {lock: true, record: own, dial: true}
assign:
  - {role: staff, to: [everyone]}
trunks: [PJSIP/trunk]
`)
	return b.String()
}

// broken are policies that no decision may follow: some of them would give everybody everything.
var broken = []string{
	"version: 1\nemployees: {{{",
	"version: 1\nemployees:\n  karl: {name: Karl Mask, observe: true, listen: true}\nassign: [{role: nobody, to: [everyone]}]\n",
	"",
	"version: 1\nroles: {all: {observe: true, listen: true}}\nassign: [{role: all, to: [everyone]}]\nemployees:\n  olga: {phones: [PJSIP/202]}\n  pavel: {phones: [PJSIP/202]}\n",
}

const modes = "spy, whisper, barge"
