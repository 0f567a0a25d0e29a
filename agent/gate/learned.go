package gate

import (
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// awaited are the numbers that somebody waits for a source to tell of.
type awaited map[string][]chan struct{}

func (g *Gate) wait(number string) chan struct{} {
	c := make(chan struct{})
	g.waiting.Lock()
	defer g.waiting.Unlock()
	g.awaited[number] = append(g.awaited[number], c)
	return c
}

func (g *Gate) unwait(number string, c chan struct{}) {
	g.waiting.Lock()
	defer g.waiting.Unlock()
	rest := slices.DeleteFunc(g.awaited[number], func(o chan struct{}) bool { return o == c })
	if len(rest) == 0 {
		delete(g.awaited, number)
	} else {
		g.awaited[number] = rest
	}
}

// Learned is called by the directory when something else is known of a number than before, and with none when that may be so of any: those who
// wait are told, and what rests on whose client he is is decided anew and shown.
func (g *Gate) Learned(number string) {
	g.waiting.Lock()
	for n, all := range g.awaited {
		if number != "" && n != number {
			continue
		}
		for _, c := range all {
			close(c)
		}
		delete(g.awaited, n)
	}
	g.waiting.Unlock()
	if number == "" {
		g.Refresh()
		return
	}
	g.locked(func(t *call.Table) { g.relearn(t, number) })
}

// relearn looks again at the rows that show somebody who may have the number.
func (g *Gate) relearn(t *call.Table, number string) {
	if !g.known {
		return
	}
	set := g.policy.Load()
	rows := g.scratch.rows[:0]
	for _, e := range g.board {
		for i := range e.legs {
			if f := &e.legs[i]; f.facts.Peer != nil && sameEnd(f.facts.Peer.Number, number) {
				if p := g.parts[f.other]; p != nil {
					p.met = false // whom the directory called him
				}
				rows = append(rows, e)
				for _, a := range slices.Clone(g.hearing[f.leg]) {
					g.reconsider(t, a)
				}
				break
			}
		}
	}
	g.relearnOutside(t, set, number)
	slices.SortFunc(rows, byPlace)
	g.scratch.rows = rows
	g.showRows(t, set, rows, time.Time{})
	g.tellChannels(t, set, rows, nil, nil)
}

// sameEnd reports whether two numbers may be one: the last seven digits of a full one say so in whatever form it is told.
func sameEnd(a, b string) bool {
	const n = 7
	if len(a) < n || len(b) < n {
		return a == b
	}
	// Separators do not come with numbers that the PBX tells; if they do, the row is looked at at the next change.
	return a[len(a)-n:] == b[len(b)-n:]
}
