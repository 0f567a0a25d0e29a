package httpapi_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
)

// acts lists the buttons on somebody's row.
func acts(p *browser.Page, who string) string {
	var all []string
	p.Eval(`[...document.querySelectorAll('`+row(who)+` [data-act]')].map((b) => b.dataset.act)`, &all)
	return strings.Join(all, " ")
}

// speaks chooses a language.
func speaks(p *browser.Page, id string) {
	p.Eval(`(() => { const s = document.querySelector('#language'); s.value = '`+id+`'; s.dispatchEvent(new Event('change')); })()`, nil)
	p.Wait(`document.documentElement.lang === '` + id + `'`)
}

func TestAColleagueHasACallButtonWhereOneMayCallHim(t *testing.T) {
	o := newBureau(t)
	o.gate.SetPolicy(o.policy(strings.Replace(officePolicy, "lock: true, dial: clients+employees", "lock: true, dial: {employees: true, except: {employees: [boris]}}", 1)))
	p, none := o.signIn(t, "anna"), o.signIn(t, "egor")
	if got := acts(p, "carl"); got != "dial" {
		t.Errorf("anna has on carl %q", got)
	}
	if got := acts(p, "boris"); got != "" {
		t.Errorf("anna has on boris %q", got)
	}
	if got := acts(none, "carl"); got != "" {
		t.Errorf("egor has on carl %q", got)
	}
	p.Click(act("carl", "dial"))
	p.Says(".note", "Your phone rings: pick it up.")
	quiet(t, p)
	quiet(t, none)
}

func TestDepartmentsAreShownAndFoundByTheirNames(t *testing.T) {
	o := newBureau(t)
	o.gate.SetPolicy(o.policy(strings.Replace(officePolicy, "{name: Support}", "{name: Technical help}", 1)))
	p := o.signIn(t, "anna")
	p.Says(row("dora")+" .dept", "Technical help")
	var names []string
	if p.Eval(`[...document.querySelector('#department').options].map((o) => o.text)`, &names); strings.Join(names, ",") != "All departments,Board,Sales,Technical help" {
		t.Errorf("one may choose of %q", names)
	}
	fit := `[...document.querySelectorAll('#board li:not([hidden])')].map((l) => l.dataset.id).join() === 'dora,egor,hugo,ines,jonas'`
	p.Eval(`(() => { const s = document.querySelector('#department'); s.value = 'support'; s.dispatchEvent(new Event('input')); })()`, nil)
	p.Wait(fit)
	p.Eval(`(() => { const s = document.querySelector('#department'); s.value = ''; s.dispatchEvent(new Event('input')); })()`, nil)
	p.Wait(`document.querySelectorAll('#board li:not([hidden])').length === 11`)
	p.Click("#search")
	p.Type("technical")
	p.Wait(fit)
	speaks(p, "ru")
	p.Wait(`document.querySelector('#department').options[0].text === 'Все отделы'`)
	quiet(t, p)
}

func TestARefusalIsSaidInThePagesLanguage(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "carl")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	p.Says(row("anna"), "Talking")
	p.Eval(`(globalThis.pressed = document.querySelector('`+act("anna", "spy")+`')) && true`, nil)
	o.ingest(ends("1", 30)...)
	for _, c := range []struct{ lang, free, text string }{
		{"ru", "Свободен", "Такого звонка у этого сотрудника уже нет."}, {"en", "Free", "That employee is on no call that is up."},
	} {
		speaks(p, c.lang)
		p.Says(row("anna"), c.free)
		if c.lang == "ru" {
			p.Eval(`import('/panel/api.js').then((m) => m.ask('POST', 'v1/supervisions', { target: 'anna', mode: 'spy', call: 'cnone' })).catch((e) => import('/panel/notes.js').then((n) => n.refused(e)))`, nil)
		} else {
			p.Eval(`pressed.click()`, nil)
		}
		p.Says(".note[role=alert]", c.text)
		p.Click(".note button")
		p.Lacks(".note")
	}
}

func TestAWaitingClientIsAcceptedFromTheBanner(t *testing.T) {
	o := newBureauOver(t, func(c *gate.Config) { c.WaitsAfter = 5 * time.Millisecond })
	p, other := o.signIn(t, "boris"), o.signIn(t, "carl")
	waits := phone("1.t", "PJSIP/trunk", call.StateUp, call.Identity{Name: ivanov.name, Number: call.Number(ivanov.number)}, call.Identity{})
	waits.Exten, waits.App, waits.Queue = "700", "Queue", "sales"
	o.lately(0, call.Event{Kind: call.LegSeen, Channel: waits, At: start})
	p.Says(`#alerts [role="alert"]`, "Your client Ivanov & Sons · +79161234567 is calling and waits; no phone rings.")
	other.Lacks("#alerts > *")
	p.Click(`#alerts [data-act="accept"]`)
	if f := recv(t, o.pbx.fetched); f.Endpoint != "PJSIP/102" || f.Caller != "1.t" {
		t.Errorf("%+v", f)
	}
	p.Says("#mine", "Your phone PJSIP/102 rings: pick it up to take your client's call.")
	o.ingest(ends("1", 20)...)
	p.Lacks(`#alerts > *`)
	p.Says("#mine", "Your client's call was not taken.")
	quiet(t, p)
	quiet(t, other)
}

func TestARecordingHasTheButtonsThatItsRowAllows(t *testing.T) {
	o := newBureau(t)
	o.kept(t, "21", "anna", "PJSIP/101", ivanov, 3*time.Hour, 184, true)
	text := strings.Replace(officePolicy, "recordings: {to: department}", "play: department, download: department, delete: department", 1)
	o.gate.SetPolicy(o.policy(text))
	p := o.signIn(t, "carl")
	p.Click("#tab-journal")
	cell := "#journal-rows tr:last-child td:nth-last-child(2)"
	p.Says(cell, "Play")
	dir := t.TempDir()
	p.Downloads(dir)
	p.Click(cell + ` [data-act="download"]`)
	for late := time.Now().Add(20 * time.Second); ; {
		found, _ := filepath.Glob(filepath.Join(dir, "*.wav"))
		if len(found) == 1 {
			if info, err := os.Stat(found[0]); err == nil && info.Size() == int64(len(tone(30))) {
				break
			}
		}
		if time.Now().After(late) {
			t.Fatalf("there is no file: %v", found)
		}
		p.Eval(`new Promise((done) => requestAnimationFrame(() => done(1)))`, nil)
	}
	p.Click(cell + ` [data-act="delete"]`)
	p.Says("#dialog", "Delete the recording of Anna Petrova")
	p.Press("Escape")
	p.Wait(`!document.querySelector('#dialog').open`)
	p.Says(cell, "Delete")
	p.Click(cell + ` [data-act="delete"]`)
	p.Wait(`document.activeElement.name === 'reason'`)
	p.Type("по просьбе клиента")
	p.Press("Enter")
	p.Says(cell, "deleted")
	p.Lacks(cell + " button")
	given := ""
	for _, e := range o.book.All() {
		if e.Action == "delete" {
			given = e.Given
		}
	}
	if given != "по просьбе клиента" {
		t.Errorf("on record is %q", given)
	}
	if left, _ := filepath.Glob(filepath.Join(o.spool, "*.wav")); len(left) != 0 {
		t.Errorf("there is still %v", left)
	}

	// Who may play alone has the one button.
	o.kept(t, "22", "anna", "PJSIP/101", ivanov, 2*time.Hour, 184, true)
	o.gate.SetPolicy(o.policy(strings.Replace(officePolicy, "recordings: {to: department}", "play: department", 1)))
	p.Click("#view-journal .main")
	first := strings.Replace(cell, "last-child td", "first-child td", 1)
	p.Says(first, "Play")
	p.Lacks(first + ` [data-act="delete"], ` + first + ` [data-act="download"]`)
	quiet(t, p)
}

func TestACallOfWhichNotAllWasSeenSaysWhyItIsNotPlayed(t *testing.T) {
	o := newBureau(t)
	o.ingest(ivanov.rings("21", "PJSIP/101", "101", 10)...)
	o.ingest(ivanov.talks("21", "PJSIP/101", "101", 15)...)
	o.feed.LinkLost()
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	o.sync()
	o.tape(t, "21")
	p := o.signIn(t, "carl")
	p.Click("#tab-journal")
	p.Says("#journal-rows", "no access: Earshot did not see all of the call")
	p.Lacks("#journal-rows .player")
	speaks(p, "ru")
	p.Says("#journal-rows", "нет доступа: Earshot видел не весь разговор")
	quiet(t, p)
}

func TestARunningRecordingIsPausedAndStoppedOnTheRow(t *testing.T) {
	o := newBureau(t)
	o.gate.SetPolicy(o.policy(strings.Replace(officePolicy, "observe: true", "observe: true, record: {to: department}", 1)))
	head, own, blind := o.signIn(t, "carl"), o.signIn(t, "anna"), o.signIn(t, "boris")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	var v mask.Taping
	if a := o.ask("carl", http.MethodPost, "/v1/recordings", `{"target":"anna"}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	} else {
		a.decode(t, &v)
	}
	head.Says(row("anna"), "recorded now")
	own.Says("#own-calls .flag", "recorded now")
	own.Lacks("#own-calls [data-tape]") // her row does not say whether she may
	head.Click(row("anna") + ` [data-tape="paused"]`)
	head.Says(row("anna"), "recording paused")
	own.Says("#own-calls .flag", "recording paused")
	head.Click(row("anna") + ` [data-tape="recording"]`)
	head.Says(row("anna"), "recorded now")
	head.Click(row("anna") + ` [data-tape="stopped"]`)
	head.Lacks(row("anna") + " [data-tape]")
	head.Lacks(row("anna") + " .flag")
	own.Lacks("#own-calls .flag")
	blind.Says(row("anna"), "Talking")
	if text := blind.Text(row("anna")); strings.Contains(text, "record") {
		t.Errorf("who may not know reads %q", text)
	}
	quiet(t, head)
	quiet(t, own)
}
