package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
)

// focused is what the keys are at.
func focused(p *browser.Page, want string) {
	p.Wait(`document.activeElement.matches('` + want + `')`)
}

func TestThePageIsUsedByKeysAlone(t *testing.T) {
	o := newBureau(t)
	o.talking(ivanov, "1", "PJSIP/101", "101")
	p := o.visit(t)
	focused(p, "#token")
	p.Type(o.token["carl"])
	p.Press("Enter")
	p.Says("#link", "Live")
	focused(p, "#search")
	p.Wait(`document.querySelectorAll('#board li').length === 11`)
	p.Press("ArrowDown")
	focused(p, `[data-id="anna"]`)
	p.Press("ArrowDown", "ArrowDown")
	focused(p, `[data-id="dora"]`)
	p.Press("End")
	focused(p, `[data-id="viktor"]`)
	p.Press("Home", "Enter")
	focused(p, `[data-id="anna"] [data-act="spy"]`)
	p.Press("ArrowRight")
	focused(p, `[data-act="whisper"]`)
	p.Press("Escape")
	focused(p, `[data-id="anna"]`)
	// What has the focus is seen.
	var outline string
	p.Eval(`getComputedStyle(document.activeElement).outlineStyle + ' ' + getComputedStyle(document.activeElement).outlineWidth`, &outline)
	if outline != "solid 3px" {
		t.Errorf("the focus is shown as %q", outline)
	}
	// The tab key leads through the row that one is at and through no other.
	p.Press("Tab", "Tab")
	focused(p, `[data-id="anna"] [data-act="whisper"]`)
	p.Press("Shift+Tab")
	p.Press("Enter")
	o.answered(recv(t, o.pbx.rung).Leg, "PJSIP/103")
	recv(t, o.pbx.tapped)
	p.Says("#mine", "You listen to Anna Petrova.")
	// Who loses the button that he is at, as it does not work any more, is at its row.
	focused(p, `[data-act="spy"]`)
	o.ingest(ends("1", 30)...)
	p.Says(row("anna"), "Free")
	focused(p, `[data-id="anna"]`)
	p.Press("/")
	focused(p, "#search")
	p.Type("orlov")
	p.Wait(`[...document.querySelectorAll('#board li')].filter((li) => !li.hidden).length === 1`)
	p.Press("ArrowDown")
	focused(p, `[data-id="boris"]`)
	p.Press("Escape")
	focused(p, "#search")
	p.Press("Escape")
	p.Wait(`[...document.querySelectorAll('#board li')].filter((li) => !li.hidden).length === 11`)
	p.Press("Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab")
	quiet(t, p)
}

// contrasts lists the texts that differ from what is behind them by less than WCAG 2.2 asks for at AA (1.4.3).
const contrasts = `(() => {
	const rgb = (s) => { const m = s.match(/[\d.]+/g).map(Number); return { c: m.slice(0, 3), a: m[3] ?? 1 }; };
	const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (el) => { for (; el; el = el.parentElement) { const b = rgb(getComputedStyle(el).backgroundColor); if (b.a === 1) return b.c; } return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255]; };
	const low = [];
	let n = 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; (node = walk.nextNode());) {
		const el = node.parentElement;
		if (!node.data.trim() || !el.checkVisibility() || el.closest('.quiet, .skip, option, script')) continue;
		n++;
		const [a, b] = [light(rgb(getComputedStyle(el).color).c), light(behind(el))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) low.push(node.data.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
	}
	return n < 5 ? ['only ' + n + ' texts'] : low;
})()`

// TestAScreenReaderIsToldEverythingByName looks at each part of the page as a screen reader is told of it, in each language, and at its contrasts in
// light and dark.
func TestAScreenReaderIsToldEverythingByName(t *testing.T) {
	o := newBureau(t)
	o.kept(t, "21", "anna", "PJSIP/101", ivanov, 3*time.Hour, 184, true)
	o.kept(t, "22", "hugo", "PJSIP/108", outside{"Lena Fischer", "+4930901820"}, 2*time.Hour, 47, true)
	o.talking(smith, "1", "PJSIP/101", "101")
	o.ingest(ivanov.rings("3", "PJSIP/106", "106", 9)...)
	o.talking(ivanov, "4", "PJSIP/107", "107")
	o.ingest(call.Event{Kind: call.LegHeld, Channel: phone("4.p", "PJSIP/107", call.StateUp, call.Identity{}, call.Identity{}), At: at(20)})
	p := o.visit(t)
	check := func(part string, roles ...string) {
		t.Helper()
		had := map[string]int{}
		for _, n := range p.Tree() {
			had[n.Role]++
			named := slices.Contains([]string{"button", "combobox", "textbox", "searchbox", "checkbox", "link", "listitem", "row", "dialog", "grid", "Audio", "heading", "navigation", "region", "group"}, n.Role)
			if (n.Focusable || named) && n.Name == "" && n.Role != "RootWebArea" && n.Role != "main" && n.Role != "row" && !(n.Role == "listitem" && !n.Focusable) && n.Role != "Date" && n.Role != "generic" {
				t.Errorf("%s: a %s has no name", part, n.Role)
			}
		}
		for _, role := range roles {
			if had[role] == 0 {
				t.Errorf("%s: there is no %s in %v", part, role, had)
			}
		}
		// On a phone nothing has to be moved sideways to be read but tables, which move by themselves.
		p.Size(360, 740, 2)
		p.Wait(`innerWidth === 360`)
		var wide int
		if p.Eval(`document.documentElement.scrollWidth`, &wide); wide > 360 {
			t.Errorf("%s: on a phone it is %d wide", part, wide)
		}
		p.Size(1240, 860, 1)
		p.Wait(`innerWidth === 1240`)
		for _, scheme := range []string{"light", "dark"} {
			p.Media(scheme)
			var low []string
			if p.Eval(contrasts, &low); len(low) > 0 {
				t.Errorf("%s, %s: %s", part, scheme, strings.Join(low, "; "))
			}
		}
	}
	language := func(id string) {
		t.Helper()
		p.Eval(`(() => { const s = document.querySelector('#language'); s.value = '`+id+`'; s.dispatchEvent(new Event('change')); })()`, nil)
		p.Wait(`document.documentElement.lang === '` + id + `'`)
	}
	check("signing in", "banner", "main", "heading", "textbox", "button", "combobox")
	p.Click("#token")
	p.Type(o.token["carl"])
	p.Press("Enter")
	p.Says(row("anna"), "J. Smith")
	p.Click(act("anna", "spy"))
	o.answered(recv(t, o.pbx.rung).Leg, "PJSIP/103")
	p.Says("#mine", "You listen to Anna Petrova.")
	for _, lang := range []string{"en", "ru"} {
		language(lang)
		p.Says(`#tab-board`, map[string]string{"en": "Employees", "ru": "Сотрудники"}[lang])
		p.Click("#tab-board")
		p.Wait(`document.querySelector('` + act("anna", "spy") + `').innerText === '` + map[string]string{"en": "Listen", "ru": "Слушать"}[lang] + `'`)
		if whom := (browser.Node{Role: "button", Name: map[string]string{"en": "Listen to Anna Petrova", "ru": "Слушать: Anna Petrova"}[lang], Focusable: true}); !slices.Contains(p.Tree(), whom) {
			t.Errorf("%s: no button says whom one would listen to", lang)
		}
		check(lang+": employees", "banner", "main", "navigation", "search", "list", "listitem", "searchbox", "checkbox", "status", "group")
		p.Click("#tab-journal")
		p.Says("#journal-rows", map[string]string{"en": "no access", "ru": "нет доступа"}[lang])
		check(lang+": journal", "table", "columnheader", "region")
		p.Click("#tab-policy")
		p.Says("#policy table", "Anna Petrova")
		check(lang+": permissions", "grid", "rowheader", "gridcell")
		p.Click(`[data-cell="carl spy"]`)
		p.Says("#explained", map[string]string{"en": "Allowed", "ru": "Разрешено"}[lang])
		check(lang+": explanation", "dialog")
		p.Press("Escape")
	}
	// Which times run is not read out each second, and what is chosen is remembered.
	var live int
	if p.Eval(`document.querySelectorAll('[role=status] .clock, [role=alert] .clock:not([aria-hidden]), [aria-live] .clock').length`, &live); live != 0 {
		t.Errorf("%d times are read out each second", live)
	}
	p.Do("Page.reload", nil, nil)
	p.Says("#tab-board", "Сотрудники")
	quiet(t, p)
}

func TestThePageSpeaksTheBrowsersLanguage(t *testing.T) {
	o := newBureau(t)
	for languages, want := range map[string]string{"ru-RU,en": "Вход", "de-DE,ru": "Вход", "fr": "Sign in"} {
		p := o.visit(t)
		p.Do("Emulation.setUserAgentOverride", map[string]any{"userAgent": "test", "acceptLanguage": languages}, nil)
		p.Do("Page.reload", nil, nil)
		p.Says("#signin h1", want)
		quiet(t, p)
	}
}

// TestFiveHundredColleaguesDoNotMakeThePageStutter lets 50 changes a second come for some seconds.
func TestFiveHundredColleaguesDoNotMakeThePageStutter(t *testing.T) {
	const people, changes = 500, 200
	var text strings.Builder
	text.WriteString("version: 1\ndepartments: {sales: {name: Sales}, support: {name: Support}}\nemployees:\n")
	text.WriteString("  carl: {name: Carl Weber, phones: [PJSIP/9], numbers: [\"9\"], department: sales, observe: true, listen: true}\n")
	for i := range people {
		fmt.Fprintf(&text, "  e%d: {name: Employee Number %d, phones: [PJSIP/%d], numbers: [\"%d\"], department: %s}\n", i, i, 1000+i, 1000+i, []string{"sales", "support"}[i%2])
	}
	text.WriteString("trunks: [PJSIP/trunk]\n")
	w := panelWorld(t, false, asItIs)
	w.gate.SetPolicy(w.policy(text.String()))
	p := w.signIn(t, "carl")
	p.Wait(`document.querySelectorAll('#board li').length === 500`)
	p.Eval(`(() => {
		globalThis.seen = { frames: [], long: [], rows: new Set() };
		new PerformanceObserver((l) => l.getEntries().forEach((e) => seen.long.push(e.duration))).observe({ entryTypes: ['longtask'] });
		let last = performance.now();
		const frame = (at) => { seen.frames.push(at - last); last = at; seen.on && requestAnimationFrame(frame); };
		seen.on = true;
		requestAnimationFrame(frame);
	})()`, nil)
	tick := time.NewTicker(20 * time.Millisecond) // the rate is what is tried
	defer tick.Stop()
	for i := range changes {
		<-tick.C
		exten := fmt.Sprint(1000 + i*7%people)
		w.lately(0, ivanov.rings(fmt.Sprint("c", i), "PJSIP/"+exten, exten, 0)...)
		if i >= 20 {
			was := fmt.Sprint(1000 + (i-20)*7%people)
			w.lately(0, ivanov.talks(fmt.Sprint("c", i-20), "PJSIP/"+was, was, 0)...)
		}
	}
	w.lately(0, smith.rings("last", "PJSIP/1499", "1499", 0)...)
	p.Wait(`document.querySelector('` + row("e499") + `').textContent.includes('J. Smith')`)
	var seen struct{ Frames, Long []float64 }
	p.Eval(`(() => { seen.on = false; return { frames: seen.frames, long: seen.long }; })()`, &seen)
	slices.Sort(seen.Frames)
	slices.Sort(seen.Long)
	at := func(q float64) float64 { return seen.Frames[int(q*float64(len(seen.Frames)-1))] }
	longest := 0.0
	if len(seen.Long) > 0 {
		longest = seen.Long[len(seen.Long)-1]
	}
	t.Logf("%d frames: median %.1f ms, 95%% %.1f ms, longest %.1f ms; %d tasks over 50 ms, the longest %.1f ms", len(seen.Frames), at(.5), at(.95), at(1), len(seen.Long), longest)
	if at(.5) > 40 || longest > 250 {
		t.Errorf("it stutters: the median frame is %.1f ms and the longest task %.1f ms", at(.5), longest)
	}
	var searched float64
	p.Eval(`new Promise((done) => { const from = performance.now(); const s = document.querySelector('#search'); s.value = 'number 49'; s.dispatchEvent(new Event('input'));
		requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - from))); })`, &searched)
	p.Wait(`[...document.querySelectorAll('#board li')].filter((li) => !li.hidden).length === 15`)
	t.Logf("a search is shown after %.1f ms", searched)
	quiet(t, p)
}
