package gate_test

import (
	"regexp"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"pgregory.net/rapid"
)

// farBoard is what is seen of a world from beside another PBX, by the same people.
type farBoard struct {
	*office
	cluster *fakeCluster
	streams map[string]*watcher
}

// spreadOut says where the people of the house are. Nowhere is everywhere.
var spreadOut = []map[string]string{{}, {"anna": "a", "boris": "a", "dora": "b", "fay": "b", "carl": "b"}, {"anna": "a", "boris": "a", "dora": "a", "gus": "b"}}

func living(text string, at map[string]string) string {
	for id, pbx := range at {
		text = regexp.MustCompile(`(?m)^  `+id+`: +\{`).ReplaceAllString(text, "${0}pbx: "+pbx+", ")
	}
	return text
}

func newFarWorld(t testing.TB, s side, at map[string]string) *world {
	c := newFakeCluster(t)
	text := living(worldHouse, at)
	member := c.member("a")
	w := newWorld(t, s, func(g *gate.Config) { g.Cluster, g.Policy = member, set(t, text).Beside("a") })
	member.serve(w.gate)
	far := &farBoard{office: c.office(t, "b", text), cluster: c, streams: map[string]*watcher{}}
	for subject := range w.streams {
		far.streams[subject] = far.watch(subject)
	}
	w.far = far
	return w
}

// look writes down, under another name, what everybody has been sent there, and what the board there says.
func (f *farBoard) look(w *world) {
	f.cluster.settle()
	for subject, s := range f.streams {
		as := "far " + subject
		for _, m := range s.all() {
			w.note(as, m)
		}
		b, err := f.gate.Employees(who(subject))
		if err != nil {
			w.t.Fatal(err)
		}
		w.note(as, b)
		w.question(f.gate, subject, as, b)
	}
}

func TestTwoWorldsAreOneToWhoeverLooksOnFromBesideAnotherPBX(t *testing.T) {
	told := 0
	rapid.Check(t, func(r *rapid.T) {
		script, at := anyScript(r), rapid.SampledFrom(spreadOut).Draw(r, "where")
		pair := rapid.Permutation(sides).Draw(r, "sides")[:2]
		played := func(s side) map[string]string {
			w := newFarWorld(t, s, at)
			defer w.far.cluster.close()
			defer w.close()
			defer w.far.close()
			return w.play(script)
		}
		a, b := played(pair[0]), played(pair[1])
		far := []string{}
		for _, subject := range blind {
			far = append(far, "far "+subject)
		}
		apart(r, a, b, pair, far)
		if a["far carl"] == b["far carl"] {
			r.Fatalf("carl, who may see, got the same in both worlds: nothing was compared")
		}
		if len(a["far dora"]) > 0 {
			told++
		}
	})
	if told == 0 {
		t.Fatal("nothing was compared")
	}
}
