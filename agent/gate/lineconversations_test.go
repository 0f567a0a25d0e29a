package gate_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// conversations is each that the subject finds on a line: whose, in which state, with whom ("?" where that is hidden), and what he may do; or the code.
func (o *office) conversations(subject, line string) (out []string) {
	o.t.Helper()
	list, err := o.gate.Conversations(who(subject), line)
	if err != nil {
		return []string{gate.AsProblem(err).Code}
	}
	for _, c := range list {
		with := "?"
		if c.Call.Peer != nil {
			with = c.Call.Peer.Number
		}
		out = append(out, strings.Join([]string{c.Employee, c.Call.State, with, strings.Join(c.Can, "+")}, " "))
	}
	return out
}

func TestWhatIsSaidOnALineIsListedForWhoMayDoSomethingThere(t *testing.T) {
	o := newLineOffice(t)
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	o.converses("y", other, "q-sales", "PJSIP/102")
	o.holds("y.1")
	o.talk("z", other, "PJSIP/105") // no line's
	for subject, want := range map[string][]string{
		"rosa": {"anna talking " + ivanov + " join", "boris held " + other + " join+takeover"},
		"gus":  {"anna talking ? join"}, // whose client it is
		"vic":  nil,                     // who views, and would not be shown on the board by which line somebody has come
		"dora": {"no_such_line"},
		"anna": {"no_such_line"},
	} {
		if got := o.conversations(subject, "sales"); !slices.Equal(got, want) {
			t.Errorf("%s: %q, not %q", subject, got, want)
		}
	}
	if got := o.conversations("rosa", "nowhere"); !slices.Equal(got, []string{"no_such_line"}) {
		t.Errorf("%q", got)
	}
	if got := o.conversations("rosa", "support"); got != nil {
		t.Errorf("%q", got)
	}
	// Nothing of it is on record, and nothing is held by it.
	if lines := o.log.all(); len(lines) != 0 {
		t.Errorf("%q", lines)
	}
	list, _ := o.gate.Conversations(who("rosa"), "sales")
	o.pbx.set(func() { o.pbx.silent = true })
	if _, code := o.join("join", "rosa", "sales", "anna", list[0].Call.ID); code != "" {
		t.Errorf("by the handle: %s", code)
	}
	// Her phone rings: nothing else can be begun.
	if got := o.conversations("rosa", "sales"); !slices.Equal(got, []string{"anna talking " + ivanov + " ", "boris held " + other + " "}) {
		t.Errorf("%q", got)
	}
}

// What is listed as possible is exactly what is then let, where the other side is seen; where it is hidden the list says what follows without it.
func TestWhatTheListOffersIsWhatIsLet(t *testing.T) {
	sees := strings.Replace(lineHouse, "line.view: [line:sales], line.connect: [line:sales]}", "line.view: [line:sales], line.connect: [line:sales], line.join: {to: [line:sales], except: [egor]}}", 1)
	for name, scene := range map[string]func(*office){
		"talks":                 func(o *office) { o.converses("x", other, "q-sales", "PJSIP/101") },
		"held":                  func(o *office) { o.converses("x", other, "q-sales", "PJSIP/101"); o.holds("x.1") },
		"rings":                 func(o *office) { o.queued("x", other, "q-sales"); o.ringsAt("x", "PJSIP/101") },
		"an excluded party":     func(o *office) { o.converses("x", "PJSIP/105", "q-sales", "PJSIP/101") },
		"a protected party":     func(o *office) { o.converses("x", "PJSIP/108", "q-sales", "PJSIP/101") },
		"a protected number":    func(o *office) { o.converses("x", secret, "q-sales", "PJSIP/101") },
		"an excluded colleague": func(o *office) { o.converses("x", other, "q-sales", "PJSIP/105") },
		"a protected colleague": func(o *office) { o.converses("x", ivanov, "q-sales", "PJSIP/108") },
		"one's own call":        func(o *office) { o.converses("x", "PJSIP/103", "q-sales", "PJSIP/101") },
		"a client":              func(o *office) { o.converses("x", ivanov, "q-sales", "PJSIP/101") },
		"a client of no line":   func(o *office) { o.talk("x", ivanov, "PJSIP/101") },
		"paused": func(o *office) {
			o.converses("x", other, "q-sales", "PJSIP/101")
			o.gate.Queues(queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: queue.Member{Interface: "PJSIP/101", Paused: true}})
		},
		"locked": func(o *office) {
			o.converses("x", other, "q-sales", "PJSIP/101")
			if _, err := o.gate.Lock(o.t.Context(), who("anna"), gate.LockAsk{}); err != nil {
				o.t.Fatal(err)
			}
		},
	} {
		for _, subject := range []string{"rosa", "gus", "dora", "vic"} {
			for _, mode := range []string{"join", "takeover"} {
				t.Run(name+"/"+subject+"/"+mode, func(t *testing.T) {
					o := newLineOffice(t)
					o.gate.SetPolicy(set(t, sees))
					scene(o)
					offered, seen := false, false
					list, _ := o.gate.Conversations(who(subject), "sales")
					for _, c := range list {
						if slices.Contains(c.Can, mode) {
							offered = true
						}
						seen = seen || !c.Call.Hidden
					}
					target := "anna"
					if len(list) > 0 {
						target = list[0].Employee
					}
					handle := ""
					if len(list) > 0 {
						handle = list[0].Call.ID
					}
					_, code := o.join(mode, subject, "sales", target, handle)
					switch {
					case subject == "vic" && offered != (code == "" || code == "not_for_this_call" || code == "party"):
						t.Errorf("offered %v, and then %q", offered, code) // he does not see who is there
					case subject != "vic" && (seen || subject == "gus" || subject == "dora") && offered != (code == ""):
						t.Errorf("offered %v, and then %q", offered, code)
					}
				})
			}
		}
	}
}

// Who may do something on the line and does not see who is there gets the same list whoever that is.
func TestTheListTellsNothingOfWhoIsThere(t *testing.T) {
	text := strings.Replace(lineHouse, "line.view: [line:sales], line.connect: [line:sales]}", "line.view: [line:sales], line.connect: [line:sales], line.join: {to: [line:sales], except: [egor]}}", 1)
	world := func(from string) string {
		o := newLineOffice(t)
		o.gate.SetPolicy(set(t, text))
		o.converses("x", from, "q-sales", "PJSIP/101")
		var out []string
		for _, subject := range []string{"vic", "dora", "boris"} {
			list, err := o.gate.Conversations(who(subject), "sales")
			for i := range list {
				list[i].Call.ID = ""
			}
			b, _ := json.Marshal(list)
			out = append(out, string(b))
			if err != nil {
				out = append(out, gate.AsProblem(err).Code)
			}
		}
		return strings.Join(out, "\n")
	}
	one := world(other)
	if !strings.Contains(one, `"hidden":true`) || !strings.Contains(one, `"can":["join"]`) || strings.Contains(one, other) {
		t.Fatal(one)
	}
	for _, from := range []string{ivanov, secret, "PJSIP/105", "PJSIP/108", "PJSIP/102"} {
		if got := world(from); got != one {
			t.Errorf("%s:\n%s\n%s", from, got, one)
		}
	}
}
