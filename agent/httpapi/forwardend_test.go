package httpapi_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

// The end of a forwarding is on record whatever fails behind it: later when the log cannot be written, and at once when the mark stays.
func TestTheEndOfAForwardingIsOnRecordWhateverFailsBehindIt(t *testing.T) {
	const path, number = "/v1/employees/anna/settings", "84951234567"
	for name, c := range map[string]struct {
		fails, mends func(t *testing.T, w *world, b *board)
		mark         bool // it stays meanwhile
	}{
		"the log cannot be written": {
			func(_ *testing.T, w *world, _ *board) { w.book.Refuse(errors.New("disk full")) },
			func(t *testing.T, w *world, b *board) {
				w.passed(b)
				if b.of("CF-earshot/101") == "" {
					t.Error("its mark has gone before its end is on record")
				}
				w.book.Refuse(nil)
				if n, err := w.gate.RecordLate(); n != 1 || err != nil {
					t.Errorf("%d were recorded late, %v", n, err)
				}
				b.has(t, "CF-earshot/101", "")
			},
			false,
		},
		"the mark is not taken out": {func(_ *testing.T, _ *world, b *board) { b.refusing("CF-earshot/101") }, func(*testing.T, *world, *board) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := switched(t)
			if a := w.ask("boris", http.MethodPut, path, `{"forward":"`+number+`"}`); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			id := w.book.All()[0].ID
			b.has(t, "CF/101", number)
			recv(t, b.listed)
			w.behind()
			c.fails(t, w, b)
			w.gate.SetPolicy(w.policy(strings.Replace(settingsText, annaDials, "dial: none", 1)))
			b.has(t, "CF/101", "")
			c.mends(t, w, b)
			if e := w.book.Until(t, audit.Revoked); e.ID != id || e.Reason != "no_right" || strings.Join(e.Targets, "") != "anna" || e.Happened.IsZero() != c.mark {
				t.Errorf("%+v", e)
			}
			if c.mark {
				b.refusing("")
				w.gate.SetPolicy(w.policy(strings.Replace(settingsText, annaDials, "dial: none", 1)))
				b.has(t, "CF-earshot/101", "") // it goes with the next look, of which nothing is recorded
			}
			w.behind()
			ends := 0
			for _, e := range w.book.All() {
				if e.Phase == audit.Revoked {
					ends++
				}
			}
			if ends != 1 {
				t.Errorf("%d ends are on record", ends)
			}
		})
	}
}

// of is the value under a key.
func (b *board) of(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept[key]
}

// revoked are the ends of forwardings that are on record.
func revoked(r *stage.Record) (all []audit.Entry) {
	for _, e := range r.All() {
		if e.Phase == audit.Revoked {
			all = append(all, e)
		}
	}
	return all
}

// An Earshot that is killed while it ends a forwarding leaves what it had come to. The next one has the end of each on record once, as one that it has found when there is
// nothing else on record, and takes nothing else for one.
func TestTheEndOfAForwardingIsOnRecordOnceThoughEarshotIsKilledMeanwhile(t *testing.T) {
	const path, number, there, mark = "/v1/employees/anna/settings", "84951234567", "CF/101", "CF-earshot/101"
	narrow := strings.Replace(settingsText, `"+7495*"`, `"+7812*"`, 1)
	for name, c := range map[string]struct {
		at     string // the key whose value had just been taken out when it was killed
		full   bool   // the log could not be written
		change func(kept map[string]string)
		text   string // the policy of the next one
		want   string // the reason on record there; empty: nothing
		now    string // where calls go then
	}{
		"it was ended and not on record":                   {at: there, text: narrow, want: "earshot_restarted"},
		"the same, and he may call there again":            {at: there, text: settingsText, want: "earshot_restarted"},
		"the same, and a feature code has set another":     {at: there, text: narrow, want: "earshot_restarted", now: "105", change: func(kept map[string]string) { kept[there] = "105" }},
		"the same, and his extension is nobody's":          {at: there, text: strings.Replace(settingsText, `, "101"]`, "]", 1), want: "earshot_restarted"},
		"its end waited for the log":                       {at: "none", full: true, text: narrow, want: "earshot_restarted"},
		"it was on record, and its mark was there":         {at: mark, text: narrow, change: func(kept map[string]string) { kept[mark] = "kept" }},
		"it was marked and not ended":                      {at: there, text: narrow, want: "no_right", change: func(kept map[string]string) { kept[there] = number }},
		"it was marked, and he may call there again":       {at: there, text: settingsText, now: number, change: func(kept map[string]string) { kept[there] = number }},
		"a feature code had ended it before it was marked": {at: there, text: narrow, change: func(kept map[string]string) { kept[mark] = strings.Replace(kept[mark], ":x", ":", 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := switched(t)
			if a := w.ask("boris", http.MethodPut, path, `{"forward":"`+number+`"}`); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			w.reviewed(b)
			id := w.book.All()[0].ID
			left := &board{used: make(chan struct{}, 1), listed: make(chan struct{}, 1)}
			marked := ""
			b.mu.Lock()
			b.empties = func() {
				if b.kept[mark] != "" {
					marked = b.kept[mark]
				}
				if left.kept == nil && (c.at == there) == (b.kept[mark] != "") {
					left.kept = maps.Clone(b.kept)
				}
			}
			b.mu.Unlock()
			if c.full {
				w.book.Refuse(errors.New("disk full"))
			}
			w.gate.SetPolicy(w.policy(narrow))
			b.has(t, there, "")
			if c.full {
				w.passed(b)
				b.mu.Lock()
				left.kept = maps.Clone(b.kept)
				b.mu.Unlock()
			} else {
				b.has(t, mark, "")
			}
			if c.change != nil {
				c.change(left.kept)
			}
			if left.kept[mark] == "kept" {
				left.kept[mark] = marked
			}
			var ended []string
			for _, e := range revoked(w.book) {
				if c.at == mark {
					ended = append(ended, e.ID)
				}
			}
			for again := range 2 {
				w := beside(t, left, c.text, directory{}, func(p *gate.Config) { p.Estate.Forwards = ended })
				if recv(t, left.listed); c.now == number {
					w.behind()
				} else {
					left.has(t, mark, "")
				}
				w.behind()
				left.has(t, there, c.now)
				if kept := left.of(mark); kept != "" && (c.now != number || strings.Contains(kept, ":x")) {
					t.Errorf("the mark is %q", kept)
				}
				all := revoked(w.book)
				if c.want == "" || again > 0 {
					if len(all) > 0 {
						t.Errorf("start %d: on record is %+v", again+1, all)
					}
					continue
				}
				if len(all) != 1 || all[0].ID != id || all[0].Reason != c.want || all[0].Subject != "boris" || all[0].Action != "settings.user" || all[0].Outcome != audit.Deny || all[0].Detail != "keys:forward" {
					t.Fatalf("on record is %+v", all)
				}
				ended = append(ended, id)
			}
		})
	}
}
