package ami

import (
	"slices"
	"strings"
	"testing"
)

func TestParseMask(t *testing.T) {
	for text, want := range map[string]struct {
		mask Class
		ok   bool
	}{
		"":                     {0, false},
		"on":                   {ClassAll, true},
		"Yes":                  {ClassAll, true},
		"off":                  {0, true},
		"FALSE":                {0, true},
		"0":                    {0, true},
		"2":                    {ClassCall, true},
		"2147483647":           {ClassAll, true},
		"2147483648":           {0, false}, // negative as an int
		"4294967298":           {ClassCall, true},
		"99999999999999999999": {0, false},
		"-1":                   {0, true}, // no number, and no class of that name
		"call":                 {ClassCall, true},
		"call,agent":           {ClassCall | ClassAgent, true},
		"call,nothing":         {ClassCall, true},
		"CALL":                 {0, true},
		"call, agent":          {ClassCall, true},
		"all":                  {ClassAll, true},
		"none":                 {0, true},
		"a,call":               {ClassAll, true}, // "a," is the beginning of "all"
		"call,a":               {ClassCall, true},
		"call,":                {ClassCall, true},
		",call":                {ClassAll, true},
		"c,":                   {ClassCall | ClassCommand | ClassConfig | ClassCDR | ClassCC, true},
		"message,security":     {ClassMessage | ClassSecurity, true},
	} {
		if mask, ok := ParseMask(text); mask != want.mask || ok != want.ok {
			t.Errorf("%q is %s, %v; want %s, %v", text, mask, ok, want.mask, want.ok)
		}
	}
}

func TestClassesByName(t *testing.T) {
	for c, want := range map[Class]string{
		0:                        "<none>",
		ClassCall:                "call,all",
		ClassSystem | ClassAgent: "system,agent,all",
		ClassMessage:             "message,all",
		ClassAll:                 "system,call,log,verbose,command,agent,user,config,dtmf,reporting,cdr,dialplan,originate,agi,cc,aoc,test,security,message,all",
	} {
		if got := c.String(); got != want {
			t.Errorf("%d is %q, want %q", uint32(c), got, want)
		}
	}
	for _, c := range classes[:len(classes)-1] {
		if got := classOf([]byte(c.class.String())); got != c.class {
			t.Errorf("%s reads back as %s", c.class, got)
		}
	}
}

func TestTheMaskChoosesEvents(t *testing.T) {
	s := serve(t, ServerConfig{})
	prepared := func(m *Message) *Prepared {
		p, err := Prepare(m)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	call, agent := prepared(NewEvent("Call", ClassCall)), prepared(NewEvent("Agent", ClassAgent))
	both, row := prepared(NewEvent("Both", ClassCall|ClassAgent)), prepared(NewEvent("Row", 0))
	for mask, want := range map[string]string{
		"":           "CABR",
		"on":         "CABR",
		"call":       "CR",
		"agent":      "AR",
		"call,agent": "CABR", // Asterisk wants every class of the event
		"off":        "R",
	} {
		r, session := s.login("Events: " + mask + "\r\n")
		text := ""
		for _, p := range []*Prepared{call, agent, both, row} {
			session.Send(p)
			if wants := session.Wants(p.class); wants != strings.Contains(want, string(eventOf(p.wire))[:1]) {
				t.Errorf("mask %q wants %s: %v", mask, string(eventOf(p.wire)), wants)
			}
		}
		for _, letter := range want {
			text += string(map[rune]*Prepared{'C': call, 'A': agent, 'B': both, 'R': row}[letter].wire)
		}
		r.expect(text)
		r.send("Action: Events\r\nEventMask: agent\r\n\r\n")
		r.expect("Response: Success\r\nEvents: On\r\n\r\n") // nothing was left
		session.Send(call)
		session.Send(agent)
		r.expect(string(agent.wire))
	}
}

// A mask is as Asterisk reads it; what it chooses can be written as a Privilege field, and reads the same there.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"", "on", "Off", "0", "2147483647", "4294967298", "-1", "call,agent", "a,call", ",call", "call,", "all", "CALL", "<none>", "system,call,all", "call\x00", "yes,no", "cal", "agent,c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		mask, ok := ParseMask(s)
		if (mask != 0 && !ok) || mask > ClassAll {
			t.Fatalf("%q is %d, %v", s, mask, ok)
		}
		if words := strings.Split(s, ","); strings.Trim(s, "0123456789") != "" && !slices.Contains([]string{"yes", "true", "y", "t", "on"}, strings.ToLower(s)) {
			chosen := Class(0)
			for _, k := range classes {
				for i, word := range words {
					if word == k.name || i < len(words)-1 && strings.HasPrefix(k.name, word) {
						chosen |= k.class
					}
				}
			}
			if slices.Contains([]string{"no", "false", "n", "f", "off"}, strings.ToLower(s)) {
				chosen = 0
			}
			if !ok || mask != chosen {
				t.Fatalf("%q chooses %s, not %s", s, mask, chosen)
			}
		}
		named := Class(0)
		for _, k := range classes[:len(classes)-1] {
			named |= mask & k.class
		}
		if got := classOf([]byte(mask.String())); got != named {
			t.Fatalf("%q is %s, which reads back as %s", s, mask, got)
		}
		// By a field's own reading no name is but begun, and no case is another's.
		want := Class(0)
		for _, k := range classes[:len(classes)-1] {
			if strings.Contains(","+s+",", ","+k.name+",") {
				want |= k.class
			}
		}
		if got := classOf([]byte(s)); got != want {
			t.Fatalf("the field %q is %s, not %s", s, got, want)
		}
	})
}
