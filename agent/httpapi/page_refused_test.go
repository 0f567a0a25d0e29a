package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
)

// answersInstead is a script by which requests of the page whose method and address have a text in them are answered with another status and body, or,
// with "held", when release() is called.
func answersInstead(about, status, body string) string {
	return `(() => { const real = globalThis.fetch; globalThis.fetch = async (to, how) => {
		if (!((how?.method ?? 'GET') + ' ' + to).includes('` + about + `')) return real(to, how);
		if ('` + status + `' === 'held') { const body = await (await real(to, how)).text(); await new Promise((done) => { globalThis.release = done; }); return new Response(body); }
		return new Response(` + "`" + body + "`" + `, { status: ` + strings.Replace(status, "held", "200", 1) + `, headers: { 'Content-Type': 'application/json' } });
	}; globalThis.asBefore = () => { globalThis.fetch = real; }; })()`
}

func instead(p *browser.Page, about, status, body string) {
	p.Eval(answersInstead(about, status, body), nil)
}

// released lets what was held be answered, and waits longer than the page takes to read that.
func released(p *browser.Page) {
	p.Eval(`(async () => { release(); await fetch('panel/icon.svg', { cache: 'no-store' }); })()`, nil)
}

func asBefore(p *browser.Page) { p.Eval(`asBefore()`, nil) }

// choose chooses in a list, as one who looks at the page does.
func choose(p *browser.Page, selector, value string) {
	p.Eval(`(() => { const s = document.querySelector('`+selector+`'); s.value = '`+value+`'; s.dispatchEvent(new Event('change')); })()`, nil)
}

func TestNobodyIsCalledFreeWhileThePBXIsAway(t *testing.T) {
	o := newBureau(t)
	o.talking(ivanov, "1", "PJSIP/101", "101")
	was := o.signIn(t, "carl")
	was.Says(row("anna"), "Talking")
	was.Says("#count", "11 colleagues, 1 on calls")
	o.feed.LinkLost()
	came := o.visit(t)
	came.Click("#token")
	came.Type(o.token["carl"])
	came.Press("Enter")
	for _, p := range []*browser.Page{was, came} {
		p.Says("#link", "The PBX is out of reach")
		p.Says(row("anna"), "Unknown")
		p.Says("#own-calls", "Unknown")
		p.Lacks("#board button")
		p.Wait(`document.querySelector('#count').innerText === '' && !document.body.innerText.includes('Free')`)
		if !slices.ContainsFunc(p.Tree(), func(n browser.Node) bool {
			return n.Role == "listitem" && strings.HasPrefix(n.Name, "Boris Orlov") && strings.Contains(n.Name, "Unknown")
		}) {
			t.Errorf("nobody is told that it is unknown what Boris does: %v", p.Tree())
		}
		choose(p, "#language", "ru")
		p.Says(row("anna"), "Неизвестно")
		choose(p, "#language", "en")
	}
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	for _, p := range []*browser.Page{was, came} {
		p.Says(row("anna"), "Free")
		p.Says("#count", "11 colleagues, 0 on calls")
		quiet(t, p)
	}
}

func TestWhoGetsNoSessionStaysSignedOutAndKeepsNoToken(t *testing.T) {
	o := newBureau(t)
	p := o.visit(t)
	instead(p, "POST "+o.web.URL+"/v1/sessions", "503", `{"code": "sessions_unavailable", "detail": "The store of sessions is away."}`)
	p.Click("#token")
	p.Type(o.token["anna"])
	p.Press("Enter")
	p.Says("#signin-error", "The store of sessions is away.")
	p.Wait(`sessionStorage.length === 0 && !document.querySelector('#signin').hidden`)
	asBefore(p)
	// A session is kept: it makes no other.
	var made struct{ Token string }
	if a := o.ask("anna", http.MethodPost, "/v1/sessions", "{}"); json.Unmarshal(a.body, &made) != nil || !strings.HasPrefix(made.Token, "ears_") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	p.Type(made.Token)
	p.Press("Enter")
	p.Says("#link", "Live")
	p.Wait(`sessionStorage.getItem('earshot.token') === '` + made.Token + `'`)

	// What the page had to say to her is not there for who comes after her.
	instead(p, "/v1/locks", "409", `{"code": "not_on_call", "detail": "You are on no call."}`)
	o.talking(ivanov, "1", "PJSIP/101", "101")
	p.Click("#own-calls [data-act=lock]")
	p.Says("#notes", "You are on no call.")
	asBefore(p)
	p.Click("#signout")
	p.Says("#signin", "Sign in")
	p.Wait(`document.querySelector('#notes').children.length === 0 && document.querySelector('#dialog').children.length === 0`)
}

func TestAPageOfTheJournalThatIsRefusedTakesNothingAway(t *testing.T) {
	o := newBureau(t)
	for i := range 55 {
		id := "5" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		o.lately(time.Duration(90-i)*time.Minute, smith.rings(id, "PJSIP/107", "107", 0)...)
		o.lately(time.Duration(90-i)*time.Minute, ends(id, 20)...)
	}
	o.sync()
	p := o.signIn(t, "carl")
	p.Click("#tab-journal")
	p.Says("#journal-words", "Calls shown: 50")
	instead(p, "cursor=", "429", `{"code": "too_fast", "detail": "Too many requests."}`)
	p.Click("#more")
	p.Says("#journal-words", "Too many requests.")
	p.Wait(`document.querySelectorAll('#journal-rows tbody tr').length === 50`)
	asBefore(p)
	p.Click("#more")
	p.Says("#journal-words", "Calls shown: 55")

	// Nothing on a page is not the end of the journal.
	instead(p, "/v1/journal?", "200", `{"rows": [], "next": "x"}`)
	p.Click("#view-journal .main")
	p.Says("#journal-words", "Nothing found yet")
	p.Says("#more", "More")
	asBefore(p)

	// The figures are those of what was asked last, and are asked anew with the rows.
	p.Says("#figures", "Galina Somova")
	instead(p, "by=department", "held", "")
	choose(p, "[name=by]", "department")
	p.Wait(`globalThis.release`)
	choose(p, "[name=by]", "day")
	p.Says("#figures th", "Day")
	released(p)
	p.Says("#figures th", "Day")
	asBefore(p)
	choose(p, "[name=by]", "employee")
	p.Says("#figures th", "Employee")
	choose(p, "[name=employee]", "anna")
	p.Click("#view-journal .main")
	p.Wait(`document.querySelector('#figures') && !document.querySelector('#figures').innerText.includes('Galina')`)

	// An answer that the page does not understand is no network that is away.
	var name string
	instead(p, "/v1/journal?", "200", `{}`)
	p.Eval(`new Promise((done) => { addEventListener('unhandledrejection', (e) => done(e.reason.name), { once: true }); document.querySelector('#view-journal .main').click(); })`, &name)
	if name != "TypeError" || p.Text("#notes") != "" {
		t.Errorf("a fault of the page's own is %s and told as %q", name, p.Text("#notes"))
	}
}

func TestAGradeIsReadAndChangedByKeys(t *testing.T) {
	o := newBureau(t)
	o.kept(t, "21", "anna", "PJSIP/101", ivanov, 3*time.Hour, 184, false)
	p := o.signIn(t, "carl")
	p.Click("#tab-journal")
	cell := "#journal-rows tbody tr td:last-child"
	p.Click(cell + " button")
	p.Press("ArrowDown", "Tab")
	p.Type("well done")
	p.Press("Enter")
	p.Says(cell+" summary", "4/5 Carl Weber")
	p.Press("Shift+Tab")
	p.Wait(`document.activeElement.matches('` + cell + ` summary')`)
	if p.Text(cell+" details") != "4/5 Carl Weber" {
		t.Errorf("before it is asked for it says %q", p.Text(cell+" details"))
	}
	p.Press("Enter")
	p.Says(cell+" details", "well done")
	p.Press("Tab", "Enter")
	p.Wait(`document.querySelector('#dialog select').value === '4' && document.querySelector('#dialog input').value === 'well done'`)
	p.Press("Tab", "Enter")
	p.Lacks("#dialog")
	p.Says(cell+" summary", "4/5 Carl Weber")
	quiet(t, p)
}

func TestThePolicyExplainsLinesThatNobodyReachesAndNoNumber(t *testing.T) {
	o := newBureau(t)
	o.write(strings.Replace(officePolicy, "settings.permissions: true,", "settings.permissions: true, line.view: [line:sales], line.connect: [line:sales],", 1) +
		"lines:\n  sales: {name: Sales line, queue: q1, members: [anna]}\n  back: {members: [dora]}\n")
	p := o.signIn(t, "carl")
	p.Click("#tab-policy")
	p.Says("#policy-status", "Version 2")
	p.Says("#policy thead", "sees lines")
	p.Click(`[data-cell="carl line.view"]`)
	p.Says("#explained", "Allowed")
	for line, want := range map[string]string{"back": "Not allowed", "none": "no such line"} {
		choose(p, "#explain-target", "sales")
		p.Wait(`document.querySelector('#explained [data-allowed=true]')`)
		choose(p, "#explain-target", line)
		p.Says("#explained", want)
	}
	// An explanation that comes late is not shown for another.
	instead(p, "line=back", "held", "")
	choose(p, "#explain-target", "back")
	p.Wait(`globalThis.release`)
	choose(p, "#explain-target", "sales")
	p.Wait(`document.querySelector('#explained [data-allowed=true]')`)
	released(p)
	p.Wait(`document.querySelector('#explained [data-allowed=true]')`)
	asBefore(p)
	p.Press("Escape")
	p.Click(`[data-cell="anna line.view"]`)
	p.Says("#explained", "Not allowed")
	p.Press("Escape")
	p.Click(`[data-cell="carl dial"]`)
	p.Says("#dialog", "depends on the number")
	p.Lacks("#explain-target")
}

func TestThePageIsInEnglishWhereOtherTextsCannotBeHad(t *testing.T) {
	o := newBureau(t)
	for about, want := range map[string][2]string{
		"languages.json": {"404", "Sign in"}, // no list of languages
		"lang/ru.json":   {"200", "Sign in"}, // a text that is not there
	} {
		p := o.visit(t)
		p.Do("Emulation.setUserAgentOverride", map[string]any{"userAgent": "test", "acceptLanguage": "ru"}, nil)
		p.Do("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": answersInstead(about, want[0], `{"tabs": "Части"}`)}, nil)
		p.Do("Page.reload", nil, nil)
		p.Wait(`'ready' in document.documentElement.dataset && globalThis.asBefore`)
		p.Says("#signin h1", want[1])
		p.Wait(`document.querySelector('#language').value !== '' && document.querySelector('#token').labels[0].innerText === 'Token'`)
	}
}
