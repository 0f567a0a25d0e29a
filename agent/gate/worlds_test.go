package gate_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"pgregory.net/rapid"
)

// The two worlds: one script is played twice, and only who is on the other side differs. Whoever may not see him gets the same messages and
// answers, but for handles and the times of his own requests; whoever may see him gets others, or nothing would have been compared.

// side is who is on the other side.
type side struct {
	number, name string
	client       bool // of a colleague who does not look on: he is told of his client
}

var sides = []side{
	{number: "+79161112233", name: "Petrov"},
	{number: "+442071838750", name: "J. Smith"},
	{number: "", name: ""},
	{number: "102", name: "Boris"},
	{number: "+79161112244", name: "Sidorov", client: true},
}

// blind may not see with whom anna and boris talk; carl may.
var blind = []string{"dora", "fay", "hana", "nils"}

// world plays a script for one side and writes down what everybody got.
type world struct {
	*office
	side    side
	far     *farBoard // who looks on from beside another PBX; nil: nobody
	streams map[string]*watcher
	got     map[string][]string
	next    int      // number of the next leg
	in, out []string // legs of the call under way: the employee's and the other side's
	queued  string   // who waits in a queue's music
}

// worldHouse is the house in which those whom dora supervises are told.
var worldHouse = strings.Replace(house, "allow: [spy], except: [egor]}", "allow: [spy], except: [egor], notify: {how: [panel, tone, after], to: both}}", 1)

func newWorld(t testing.TB, s side, change ...func(*gate.Config)) *world {
	w := &world{office: newOffice(t, worldHouse, append(change, func(c *gate.Config) {
		d := directory{}
		if s.client {
			d[s.number] = clients.Client{Number: s.number, Name: "Sidorov & Co", Responsible: "boris"}
		}
		c.Clients, c.WaitsAfter = d, time.Nanosecond
	})...), side: s, streams: map[string]*watcher{}, got: map[string][]string{}}
	for _, subject := range append([]string{"carl"}, blind...) {
		w.streams[subject] = w.watch(subject)
	}
	return w
}

func (w *world) note(subject string, what ...any) {
	for _, v := range what {
		data, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		w.got[subject] = append(w.got[subject], string(data))
	}
}

// look writes down what everybody has been sent, and what the board says.
func (w *world) look() {
	for subject, s := range w.streams {
		for _, m := range s.all() {
			w.note(subject, m)
		}
		b, err := w.gate.Employees(who(subject))
		if err != nil {
			w.t.Fatal(err)
		}
		w.note(subject, b)
		w.question(w.gate, subject, subject, b)
	}
	if w.far != nil {
		w.far.look(w)
	}
}

// question writes down every answer that other software gets for somebody about the two who talk and about each of their calls.
func (w *world) question(g *gate.Gate, subject, as string, b gate.Board) {
	for _, row := range b.Employees[:2] {
		about := []gate.Resource{{Type: gate.ResourceEmployee, ID: row.ID}}
		for _, c := range row.Calls {
			about = append(about, gate.Resource{Type: gate.ResourceCall, ID: c.ID})
		}
		for _, on := range about {
			w.note(as, g.SearchActions(w.t.Context(), who(subject), on))
			for _, action := range []string{"observe", "observe.kind", "spy", "barge", "intercept", "lock", "play"} {
				w.note(as, g.Evaluate(w.t.Context(), who(subject), gate.Question{Action: action, Resource: on}))
			}
		}
	}
}

func (w *world) id() string { w.next++; return fmt.Sprintf("%d.9", w.next) }

// them makes a leg of the other side.
func (w *world) them(s call.State) string {
	id := w.id()
	w.leg(id, w.side.number, s, "101")
	w.named(id, w.side.name)
	return id
}

func (w *world) named(id, name string) {
	ch := w.ch(id)
	ch.Caller.Name = name
	w.seen(ch)
}

var (
	opaque = regexp.MustCompile(`"c?[abcdefghijkmnpqrstuvwxyz2-9]{20}"`)
	clock  = regexp.MustCompile(`"(since:)?20\d\d-[0-9T:.-]+Z"`)
)

// alike replaces what is opaque by the order in which it came, and times that are not the script's.
func alike(got []string) string {
	text, names := strings.Join(got, "\n"), map[string]string{}
	text = opaque.ReplaceAllStringFunc(text, func(id string) string {
		if names[id] == "" {
			names[id] = fmt.Sprintf("«%d»", len(names)+1)
		}
		return names[id]
	})
	return clock.ReplaceAllStringFunc(text, func(c string) string {
		if strings.HasPrefix(c, start.Format(`"2006-01-02T`)) {
			return c
		}
		return "«time»"
	})
}

func play(t testing.TB, s side, script []string) map[string]string {
	w := newWorld(t, s)
	defer w.close()
	return w.play(script)
}

func (w *world) play(script []string) map[string]string {
	for _, step := range script {
		steps[step](w)
		w.look()
	}
	out := map[string]string{}
	for subject, got := range w.got {
		out[subject] = alike(got)
	}
	return out
}

// anyScript draws one in which somebody comes to be on the other side.
func anyScript(r *rapid.T) []string {
	names := make([]string, 0, len(steps))
	for name := range steps {
		names = append(names, name)
	}
	script := append([]string{rapid.SampledFrom([]string{"call in", "call out", "call through Local", "wait in music"}).Draw(r, "begin")},
		rapid.SliceOfN(rapid.SampledFrom(sorted(names)), 1, 12).Draw(r, "script")...)
	return append(script, "be rung from there") // or of one who has waited all the time nobody is told anything
}

// apart fails where one of those who may not see can tell two worlds apart, or was told who is on the other side in one.
func apart(r *rapid.T, a, b map[string]string, sides []side, subjects []string) {
	for _, subject := range subjects {
		if a[subject] != b[subject] {
			r.Fatalf("%s can tell the worlds apart:\n%s", subject, differ(a[subject], b[subject]))
		}
		for _, s := range sides {
			for _, secret := range []string{s.number, s.name} {
				if len(secret) > 5 && strings.Contains(a[subject]+b[subject], secret) {
					r.Fatalf("%s got %q", subject, secret)
				}
			}
		}
	}
}

func TestTwoWorldsThatDifferInWhoIsOnTheOtherSideAreOneToWhoeverMayNotSeeHim(t *testing.T) {
	told := 0
	rapid.Check(t, func(r *rapid.T) {
		script := anyScript(r)
		pair := rapid.Permutation(sides).Draw(r, "sides")[:2]
		a, b := play(t, pair[0], script), play(t, pair[1], script)
		apart(r, a, b, pair, blind)
		if a["carl"] == b["carl"] {
			r.Fatalf("carl, who may see, got the same in both worlds: nothing was compared")
		}
		told++
	})
	if told == 0 {
		t.Fatal("nothing was compared")
	}
}

func differ(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return la[i] + "\n" + lb[i]
		}
	}
	return fmt.Sprintf("%d messages and %d", len(la), len(lb))
}
