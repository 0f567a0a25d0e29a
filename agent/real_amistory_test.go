package agent_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/ami"
)

// chronicle is what AMI has told, as stories under names that are the same whoever tells: a channel is called by its phone and how many of that
// phone's came before it, a bridge by who was the first in it. Of each channel there are several stories, each in order: its life (states, dials,
// bridges, hold, end), who it is and with whom, its music, how it was moved, and its part in a queue. Asterisk's own threads write them, and in which
// order two of different stories come differs from call to call.
type chronicle struct {
	stories map[string][]string
	open    int                 // channels that have not ended
	unknown []string            // events that no rule is there for
	legs    map[string]string   // names, by unique id
	bridges map[string]string   // the same
	begins  map[string][]string // of each channel, what is told until it is answered, whose order differs from call to call too
	talked  map[string]bool     // it has been in a bridge
	held    map[string]bool
	taken   map[string]bool // what it called was picked up
	picked  map[string]bool // its ringing was picked up
	races   []string        // what in the story comes of a race in Asterisk and is told differently from call to call
}

func chronicleOf(all []*ami.Message) *chronicle {
	c := &chronicle{
		stories: map[string][]string{}, legs: map[string]string{}, bridges: map[string]string{}, begins: map[string][]string{},
		talked: map[string]bool{}, held: map[string]bool{}, taken: map[string]bool{}, picked: map[string]bool{},
	}
	phones, rooms, dials := map[string]int{}, map[string]int{}, map[string]string{}
	for _, m := range all {
		id, bridge := m.Get("Uniqueid"), m.Get("BridgeUniqueid")
		switch endpoint, _, _ := cutLast(m.Get("Channel")); string(m.Event()) {
		case "Newchannel":
			if strings.HasPrefix(endpoint, "PJSIP/") { // halves of Local channels are told by Asterisk alone
				phones[endpoint]++
				c.legs[id] = fmt.Sprintf("%s#%d", endpoint, phones[endpoint])
				c.open++
			}
		case "DialBegin":
			dials[c.leg(m, "Dest")] = c.leg(m, "")
		case "BridgeEnter":
			if first := c.legs[id]; first != "" && c.bridges[bridge] == "" {
				rooms[first]++
				c.bridges[bridge] = fmt.Sprintf("bridge %d of %s", rooms[first], first)
			}
		}
	}
	for _, m := range all { // the pickup may be told behind the ends of those whom it concerns
		if string(m.Event()) == "Pickup" {
			c.picked[c.leg(m, "Target")] = true
			if c.taken[dials[c.leg(m, "Target")]] = true; dials[c.leg(m, "")] != "" {
				// The thread that dials says so when the phone has been told to ring (apps/app_dial.c), of the channel that is in its place by then.
				c.races = append(c.races, "has told that it dials who had taken the call")
			}
		}
	}
	for _, m := range all {
		c.take(m)
	}
	return c
}

func cutLast(name string) (before, after string, found bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// outside reports whether a channel is a trunk's. It is shown as long as an employee's phone has to do with it, so its beginning, and its end where it
// goes on without one, are Asterisk's alone.
func outside(of string) bool { return strings.HasPrefix(of, "PJSIP/trunk#") }

// leg is the name of a channel of an event; empty where there is none, or one that is told by Asterisk alone.
func (c *chronicle) leg(m *ami.Message, prefix string) string {
	return c.legs[m.Get(prefix+"Uniqueid")]
}

// add adds a line to one of a channel's stories.
func (c *chronicle) add(of, story, format string, args ...any) {
	if of != "" {
		c.stories[of+" "+story] = append(c.stories[of+" "+story], fmt.Sprintf(format, args...))
	}
}

// begin adds to what is told before a channel is answered.
func (c *chronicle) begin(of, format string, args ...any) {
	if line := fmt.Sprintf(format, args...); of != "" && !slices.Contains(c.begins[of], line) {
		c.begins[of] = append(c.begins[of], line)
	}
}

// live adds to a channel's life behind what it began with.
func (c *chronicle) live(of, format string, args ...any) {
	begins := c.begins[of]
	slices.Sort(begins)
	c.begins[of] = nil
	for _, line := range begins {
		c.add(of, "life", "%s", line)
	}
	line := fmt.Sprintf(format, args...)
	if strings.HasPrefix(line, "DialEnd") && slices.Contains(c.stories[of+" life"], line) {
		return // of several that a queue rings, Asterisk tells the end of some twice
	}
	c.add(of, "life", "%s", line)
}

// who adds to the story of who a channel is and with whom: what is new in an event.
func (c *chronicle) who(m *ami.Message, prefix string) {
	of := c.leg(m, prefix)
	if of == "" || outside(of) && !c.talked[of] { // of one who waits Earshot says who is rung for him, Asterisk not in a queue
		return
	}
	for word, fields := range map[string]string{"is": "CallerID", "with": "ConnectedLine"} {
		line := fmt.Sprintf("%s %s", m.Get(prefix+fields+"Num"), m.Get(prefix+fields+"Name"))
		story := c.stories[of+" "+word]
		if strings.HasPrefix(line, "<unknown>") || len(story) > 0 && story[len(story)-1] == line { // a queue's events may be of a moment before
			continue
		}
		c.add(of, word, "%s", line)
	}
}

// take adds an event to the stories of the channels that it is about.
func (c *chronicle) take(m *ami.Message) {
	event, of, dest := string(m.Event()), c.leg(m, ""), c.leg(m, "Dest")
	state := m.Get("ChannelStateDesc")
	switch event {
	case "Newchannel":
		c.begin(of, "Newchannel")
		if state != "Down" && !outside(of) {
			c.begin(of, "is %s", state)
		}
	case "Newstate":
		switch {
		case state == "Up" && (!outside(of) || slices.ContainsFunc(c.begins[of], func(s string) bool { return strings.HasPrefix(s, "Dial") }) || len(c.stories[of+" life"]) > 0):
			c.live(of, "is Up")
		case state != "Up" && state != "Busy": // it hears that somebody is busy, which Earshot tells as that it still calls
			c.begin(of, "is %s", state)
		}
	case "Hangup":
		if of != "" {
			c.open--
			switch {
			case outside(of) && !c.talked[of]:
				c.live(of, "Hangup")
			case c.picked[of]:
				// That it was answered elsewhere, which is told to who sees where, Earshot hears of ARI, and who took it of AMI, which may come later.
				c.live(of, "Hangup of one who was picked up")
			default:
				c.live(of, "Hangup of %s %s", m.Get("Cause"), m.Get("Cause-txt"))
			}
		}
	case "DialBegin", "DialState":
		c.begin(of, "%s of %s %s", event, dest, m.Get("DialStatus"))
		c.begin(dest, "%s by %s %s", event, of, m.Get("DialStatus"))
	case "DialEnd":
		if of != "" && c.taken[of] { // Asterisk tells the end of the dial of who took the call, whom nobody has dialled; Earshot of the phone that rang
			return
		}
		c.live(of, "DialEnd of %s %s", dest, m.Get("DialStatus"))
		c.live(dest, "DialEnd by %s %s", of, m.Get("DialStatus"))
	case "BridgeEnter":
		c.talked[of] = true
		c.live(of, "BridgeEnter %s as number %s", c.bridges[m.Get("BridgeUniqueid")], m.Get("BridgeNumChannels"))
	case "BridgeLeave": // of two who leave at the end either may be the first
		c.live(of, "BridgeLeave %s", c.bridges[m.Get("BridgeUniqueid")])
	case "BridgeCreate", "BridgeDestroy":
		if of := c.bridges[m.Get("BridgeUniqueid")]; of != "" && m.Get("BridgeType") != "parking" { // a lot's stays; Asterisk makes some that nobody enters, and Local halves meet in some
			c.stories[of] = append(c.stories[of], event)
		}
	case "Hold":
		c.held[of] = true
		c.live(of, "Hold")
	case "Unhold":
		if c.held[of] { // a phone that transfers says so too where nobody is on hold
			c.live(of, "Unhold")
		}
		c.held[of] = false
	case "MusicOnHoldStart", "MusicOnHoldStop":
		c.add(of, "music", "%s", event)
	case "NewCallerid", "NewConnectedLine": // is in who
	case "BlindTransfer":
		c.add(c.leg(m, "Transferer"), "moves", "BlindTransfer of %s to %s", c.leg(m, "Transferee"), m.Get("Extension"))
		c.add(c.leg(m, "Transferee"), "moves", "BlindTransfer by %s to %s, external %s", c.leg(m, "Transferer"), m.Get("Extension"), m.Get("IsExternal"))
	case "AttendedTransfer":
		first, second, who := c.leg(m, "OrigTransferer"), c.leg(m, "SecondTransferer"), c.leg(m, "Transferee")
		c.add(first, "moves", "AttendedTransfer of %s with %s", who, second)
		c.add(second, "moves", "AttendedTransfer of %s from %s", who, first)
		c.add(who, "moves", "AttendedTransfer by %s and %s, external %s, to %s %s", first, second, m.Get("IsExternal"), m.Get("DestType"), c.bridges[m.Get("DestBridgeUniqueid")])
	case "Pickup":
		c.add(of, "moves", "Pickup of what rings at %s", c.leg(m, "Target"))
		c.add(c.leg(m, "Target"), "moves", "Pickup by %s", of)
	case "ParkedCall", "UnParkedCall":
		parked := c.leg(m, "Parkee")
		c.add(parked, "moves", "%s %s in %s for %s s of %s", event, m.Get("ParkingSpace"), m.Get("Parkinglot"), m.Get("ParkingDuration"), m.Get("ParkingTimeout"))
	case "QueueCallerJoin", "QueueCallerLeave":
		c.add("queue", m.Get("Queue"), "%s at %s of %s", event, m.Get("Position"), m.Get("Count")) // who waits has a channel of his own once a phone rings for him
	case "QueueCallerAbandon":
		c.add("queue", m.Get("Queue"), "%s at %s", event, m.Get("Position"))
	case "AgentCalled", "AgentConnect", "AgentComplete":
		if of == "" || dest == "" {
			// The thread that counts a queue's calls looks the two up by their ids when it hears that one has hung up (apps/app_queue.c, handle_hangup):
			// of who is gone by then it tells nothing.
			c.races = append(c.races, "has told "+event+" of one or of nobody")
		}
		for _, of := range []string{of, dest} {
			c.add(of, "queue", "%s %s %s %s", event, m.Get("Queue"), m.Get("Interface"), m.Get("MemberName"))
		}
	case "DeviceStateChange":
		c.device(m.Get("Device"), m.Get("State"))
	case "ExtensionStatus", "FullyBooted": // the first for each number of an employee's, of which this PBX has no hints
	default:
		if _, ok := untold[event]; !ok && !slices.Contains(c.unknown, event) {
			c.unknown = append(c.unknown, event)
		}
	}
	c.who(m, "")
	c.who(m, "Dest")
	if event == "Hangup" && !outside(of) {
		c.add(of, "with", "and then %s %s", m.Get("ConnectedLineNum"), m.Get("ConnectedLineName"))
	}
}

// device adds what a phone does. Asterisk asks for that a moment after something has happened, and so misses now and then that it rang. On hold is
// for Asterisk the phone that is put there, for Earshot the one that has put it there, as on the board; and a phone that hears a busy tone is busy for
// Asterisk alone.
func (c *chronicle) device(name, state string) {
	if !strings.HasPrefix(name, "PJSIP/") || strings.HasPrefix(name, "PJSIP/trunk") { // a trunk's is nobody's presence
		return
	}
	told := c.stories[name]
	switch state {
	case "RINGING":
		return
	case "ONHOLD", "BUSY", "RINGINUSE":
		state = "INUSE"
	case "NOT_INUSE":
		if len(told) == 0 {
			return
		}
	}
	if len(told) == 0 || told[len(told)-1] != state {
		c.stories[name] = append(told, state)
	}
}

// differs says in what two chronicles differ.
func (c *chronicle) differs(other *chronicle) error {
	if c.open != 0 || other.open != 0 {
		return fmt.Errorf("%d and %d channels have not ended", c.open, other.open)
	}
	if len(c.unknown)+len(other.unknown) > 0 {
		return fmt.Errorf("nobody knows what to make of %v %v", c.unknown, other.unknown)
	}
	for of := range other.stories {
		// Asterisk asks what a phone does a moment after something has happened, and so misses one that was called up and over in that moment.
		if _, told := c.stories[of]; !told && strings.HasPrefix(of, "PJSIP/") && !strings.Contains(of, "#") && !c.hasTalked(of) {
			delete(other.stories, of)
		}
	}
	if a, b := slices.Sorted(maps.Keys(c.stories)), slices.Sorted(maps.Keys(other.stories)); !slices.Equal(a, b) {
		return fmt.Errorf("there are the stories\n%q and\n%q", a, b)
	}
	var differ []string
	for of, story := range c.stories {
		if theirs := other.stories[of]; !slices.Equal(story, theirs) {
			differ = append(differ, fmt.Sprintf("%s:\n  %s\nand\n  %s", of, strings.Join(story, "\n  "), strings.Join(theirs, "\n  ")))
		}
	}
	if slices.Sort(differ); len(differ) > 0 {
		return fmt.Errorf("the stories differ of %s", strings.Join(differ, "\n"))
	}
	return nil
}

// hasTalked reports whether a phone was in a bridge.
func (c *chronicle) hasTalked(endpoint string) bool {
	for of := range c.talked {
		if strings.HasPrefix(of, endpoint+"#") {
			return true
		}
	}
	return false
}

// String is everything, a line for each event.
func (c *chronicle) String() string {
	var b strings.Builder
	for _, of := range slices.Sorted(maps.Keys(c.stories)) {
		fmt.Fprintf(&b, "  %s\n    %s\n", of, strings.Join(c.stories[of], "\n    "))
	}
	return b.String()
}
