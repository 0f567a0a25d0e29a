package httpapi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheJournalIsReadPlayedGradedAndTakenAlong(t *testing.T) {
	o := newBureau(t)
	o.kept(t, "21", "anna", "PJSIP/101", ivanov, 3*time.Hour, 184, true)
	o.kept(t, "22", "hugo", "PJSIP/108", outside{"Lena Fischer", "+4930901820"}, 2*time.Hour, 47, true)
	for i := range 55 {
		id := "5" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		o.lately(time.Duration(90-i)*time.Minute, smith.rings(id, "PJSIP/107", "107", 0)...)
		o.lately(time.Duration(90-i)*time.Minute, ends(id, 20)...)
	}
	o.sync()
	p := o.signIn(t, "carl")
	p.Click("#tab-journal")
	p.Says("#journal-words", "Calls shown: 50")
	p.Click("#more")
	p.Says("#journal-words", "Calls shown: 57")
	p.Lacks("#more")
	p.Says("#journal-rows tr:last-child", "Ivanov & Sons · +79161234567")
	p.Says("#journal-rows tr:nth-last-child(2)", "no access")
	p.Says("#figures", "Galina Somova")

	// The player begins, and goes to where one wants it: by parts, as the server's log has them.
	p.Click("#journal-rows tr:last-child .player button")
	p.Wait(`document.querySelector('audio').duration > 29 && document.activeElement.matches('audio')`)
	p.Eval(`new Promise((done) => { const a = document.querySelector('audio'); a.addEventListener('seeked', () => done(a.currentTime), { once: true }); a.currentTime = 20; })`, nil)
	p.Wait(`document.querySelector('audio').currentTime >= 20 && document.querySelector('audio').readyState >= 2`)
	var source string
	p.Eval(`document.querySelector('audio').src`, &source)
	if !strings.HasPrefix(source, o.web.URL+"/v1/recording-links/") || strings.Contains(source, "ear_") || strings.Contains(source, "ears_") {
		t.Errorf("it plays %s", source)
	}
	o.logged(t, `"route":"/v1/recording-links/{word}","method":"GET","status":206`)

	p.Click("#journal-rows tr:last-child td:last-child button")
	p.Says("#dialog", "Grade the call of Anna Petrova")
	p.Press("ArrowDown", "Tab")
	p.Type("well done")
	p.Press("Enter")
	p.Says("#journal-rows tr:last-child td:last-child", "4/5 Carl Weber")
	p.Wait(`document.activeElement.closest('#journal-rows tr:last-child')`)

	// A filter holds for the rows, the figures and the file.
	dir := t.TempDir()
	p.Downloads(dir)
	p.Eval(`(() => { document.querySelector('[name=employee]').value = 'anna'; })()`, nil)
	p.Click("#view-journal .main")
	p.Says("#journal-words", "Calls shown: 1")
	p.Click("#csv")
	file := filepath.Join(dir, "journal.csv")
	for late := time.Now().Add(20 * time.Second); ; {
		if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
			if text := string(data); strings.Count(text, "\r\n") != 2 || !strings.Contains(text, "'+79161234567,Ivanov & Sons") {
				t.Errorf("the file has %s", text)
			}
			break
		} else if time.Now().After(late) {
			t.Fatalf("there is no file: %v", err)
		}
		p.Eval(`new Promise((done) => requestAnimationFrame(() => done(1)))`, nil)
	}
	p.Eval(`(() => { document.querySelector('[name=outcome]').value = 'busy'; })()`, nil)
	p.Click("#view-journal .main")
	p.Says("#journal-words", "No calls.")
	quiet(t, p)

	// Who has no right reads why, and nothing else.
	none := o.signIn(t, "egor")
	none.Click("#tab-journal")
	none.Wait(`document.querySelector('#journal-words').innerText.length > 10`)
	if rows := none.Text("#journal-rows tbody"); rows != "" {
		t.Errorf("egor reads %q", rows)
	}
}

func TestThePolicysMatrixIsShownAndExplained(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "carl")
	p.Click("#tab-policy")
	p.Says("#policy-status", "Version 1 of the policy is in force")
	p.Says(`[data-cell="carl spy"]`, "9")
	p.Says(`[data-cell="carl journal"]`, "all")
	p.Says(`[data-cell="anna lock"]`, "✓")
	p.Says(`[data-cell="egor spy"]`, "–")
	p.Click(`[data-cell="carl spy"]`)
	p.Says("#dialog", "everybody (9) but maria, viktor")
	p.Says("#explained", "Allowed")
	p.Eval(`(() => { const s = document.querySelector('#explain-target'); s.value = 'maria'; s.dispatchEvent(new Event('change')); })()`, nil)
	p.Says("#explained", "Not allowed")
	p.Says("#explained", "protected")
	p.Press("Escape")
	p.Lacks("#dialog")
	p.Wait(`document.activeElement.dataset.cell === 'carl spy'`)
	// The grid is one stop of the tab key, and the arrows lead through it.
	p.Press("ArrowRight", "ArrowDown")
	p.Wait(`document.activeElement.dataset.cell === 'dora whisper'`)
	p.Press("Enter")
	p.Says("#dialog", "with a reason")
	p.Press("Escape")

	o.write(strings.Replace(officePolicy, "observe: true", "obsrve: true", 1))
	p.Wait(`fetch('v1/policy/status', { headers: { Authorization: 'Bearer ' + sessionStorage.getItem('earshot.token') } }).then((r) => r.json()).then((s) => globalThis.good = s.good) && globalThis.good === false`)
	p.Click("#tab-policy")
	p.Says(".mistakes", "The policy's files are broken.")
	p.Says(".mistakes", "did you mean")
	// A good one is there by itself, with a new snapshot of the board.
	o.write(strings.Replace(officePolicy, "  egor:  {name: Egor Kim,", "  egor:  {name: Egor Kim, spy: [anna],", 1))
	p.Says(`[data-cell="egor spy"]`, "1")
	p.Lacks(".mistakes")
	p.Says("#policy-status", "Version 2")
	quiet(t, p)

	other := o.signIn(t, "anna")
	other.Lacks("#tab-policy")
	quiet(t, other)
}
