package httpapi_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
)

// act is a button on somebody's row.
func act(who, action string) string { return row(who) + ` [data-act="` + action + `"]` }

func TestASupervisionIsBegunChangedToldAndEnded(t *testing.T) {
	o := newBureau(t)
	head, heard := o.signIn(t, "carl"), o.signIn(t, "anna")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	head.Says(row("anna"), "Ivanov & Sons · +79161234567")
	head.Click(act("anna", "spy"))
	head.Says("#mine", "Your phone PJSIP/103 rings: pick it up to hear Anna Petrova.")
	ring := recv(t, o.pbx.rung)
	if ring.Endpoint != "PJSIP/103" {
		t.Errorf("%+v", ring)
	}
	o.answered(ring.Leg, "PJSIP/103")
	recv(t, o.pbx.tapped)
	head.Says("#mine", "You listen to Anna Petrova.")
	head.Says(row("anna")+" .flag", "you are on it")
	// She is told, as the policy wants it, and sees it on her own call.
	heard.Says(".note[role=alert]", "Carl Weber is listening to your call.")
	heard.Says("#own-calls .flag", "somebody listens")
	heard.Click("#heard summary")
	heard.Says("#heard-list", "Carl Weber listened")

	head.Click(`#mine [data-mode="whisper"]`)
	head.Says("#mine", "You whisper to Anna Petrova.")
	head.Wait(`document.querySelector('#mine [data-mode="whisper"]').ariaPressed === 'true' && document.querySelector('#mine [data-mode="spy"]').ariaPressed === 'false'`)
	head.Click("#mine .end")
	head.Says("#mine", "The supervision of Anna Petrova has ended.")
	heard.Says(".note", "Carl Weber has listened to your call.")
	heard.Lacks(".note[role=alert]") // what was said while it lasted
	heard.Lacks("#own-calls .flag")
	head.Click("#mine .end") // closes what is told of it
	head.Lacks("#mine > *")

	// By the other of his phones.
	head.Eval(`(document.querySelector('#phone').value = 'PJSIP/113') && true`, nil)
	head.Click(act("anna", "barge"))
	if ring := recv(t, o.pbx.rung); ring.Endpoint != "PJSIP/113" {
		t.Errorf("%+v", ring)
	}
	quiet(t, head)
	quiet(t, heard)
}

func TestAReasonIsAskedForInThePage(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "dora")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	p.Says(row("anna"), "not shown to you")
	p.Click(act("anna", "spy"))
	p.Says("#dialog", "Listen to Anna Petrova")
	p.Wait(`document.activeElement.name === 'reason'`)
	p.Press("Escape")
	p.Wait(`!document.querySelector('#dialog').open`)
	p.Click(act("anna", "spy"))
	p.Wait(`document.activeElement.name === 'reason' && !document.activeElement.required`)
	p.Press("Enter") // the server says that there has to be one, and then it does not go on without
	p.Wait(`document.activeElement.name === 'reason' && document.activeElement.required`)
	p.Press("Enter")
	p.Wait(`document.querySelector('#dialog').open`)
	p.Type("complaint 4711")
	p.Press("Enter")
	p.Says("#mine", "Your phone PJSIP/104 rings")
	recv(t, o.pbx.rung)
	given := ""
	for _, e := range o.book.All() {
		given += e.Given
	}
	if given != "complaint 4711" {
		t.Errorf("on record is %q", given)
	}
	if faults := p.Faults(); len(faults) != 1 || !strings.Contains(faults[0], "403") { // the refusal, which the browser tells by itself
		t.Errorf("the console: %v", faults)
	}
}

func TestALockEndsWhoListensAndItsTextIsShown(t *testing.T) {
	o := newBureau(t)
	head, own := o.signIn(t, "carl"), o.signIn(t, "anna")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	head.Click(act("anna", "spy"))
	o.answered(recv(t, o.pbx.rung).Leg, "PJSIP/103")
	recv(t, o.pbx.tapped)
	head.Says("#mine", "You listen to Anna Petrova.")
	own.Click(`#own-calls [data-act="lock"]`)
	own.Says("#own-calls .flag", "locked")
	head.Says("#mine", "The supervision of Anna Petrova has ended.")
	var says string
	head.Eval(`fetch('v1/supervisions', { headers: { Authorization: 'Bearer ' + sessionStorage.getItem('earshot.token') } }).then((r) => r.text())`, &says)
	if says != "{\"supervisions\":[]}\n" {
		t.Errorf("there runs %q", says)
	}
	own.Click(`#own-calls [data-act="lock"]`)
	own.Lacks("#own-calls .flag")
	own.Says(`#own-calls [data-act="lock"]`, "Lock")
}

func TestAClientsCallHasABannerWithAcceptForWhoMayTakeIt(t *testing.T) {
	o := newBureau(t)
	o.people[smith.number] = clients.Client{Name: "Smith & Co", Responsible: "egor"}
	taker, other := o.signIn(t, "boris"), o.signIn(t, "egor")
	taker.Click("#search")
	o.ingest(ivanov.rings("1", "PJSIP/106", "106", 10)...)
	taker.Says(`#alerts [role="alert"]`, "Your client Ivanov & Sons · +79161234567 is calling and rings at Fred Voss.")
	taker.Wait(`document.activeElement.id === 'search'`)
	other.Says(row("fred"), "Ringing")
	other.Lacks("#alerts > *")
	// Whose client it is and who may not take the call is told all the same, without a button.
	o.ingest(smith.rings("2", "PJSIP/107", "107", 10)...)
	other.Says(`#alerts [role="alert"]`, "Your client Smith & Co")
	other.Lacks(`#alerts [data-act="accept"]`)

	taker.Click(`#alerts [data-act="accept"]`)
	if taken := recv(t, o.pbx.taken); taken.Ringing != "1.p" {
		t.Errorf("%+v", taken)
	}
	taker.Says("#mine", "Your phone PJSIP/102 rings: pick it up to take the call at Fred Voss.")
	o.ingest(ends("1", 20)...)
	o.ingest(ends("2", 20)...)
	taker.Lacks(`#alerts > *`)
	other.Lacks(`#alerts > *`)
	quiet(t, other)
}

func TestWithSeveralCallsOneIsChosen(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "carl")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	o.talking(smith, "2", "PJSIP/101", "101")
	p.Says(row("anna"), "J. Smith & Sons <London>")
	p.Click(act("anna", "spy"))
	p.Says("#dialog", "Which call")
	p.Eval(`(() => { const s = document.querySelector('#dialog select'); s.value = [...s.options].find((o) => o.text.includes('Smith')).value; })()`, nil)
	p.Click("#dialog .main")
	recv(t, o.pbx.rung)
	p.Says("#mine", "Your phone PJSIP/103 rings")
	quiet(t, p)
}

func TestWhatIsRefusedIsSaidInTheServersWords(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "carl")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	// The colleague has hung up in the same moment: the button was pressed on what was shown.
	o.talking(ivanov, "1", "PJSIP/101", "101")
	p.Says(row("anna"), "Talking")
	p.Eval(`(globalThis.pressed = document.querySelector('`+act("anna", "spy")+`')) && true`, nil)
	o.ingest(ends("1", 30)...)
	p.Says(row("anna"), "Free")
	p.Eval(`pressed.click()`, nil)
	p.Says(".note[role=alert]", ".")
	if text := p.Text(".note[role=alert] p"); len(strings.Fields(text)) < 4 {
		t.Errorf("it says %q", text)
	}
	p.Click(".note button")
	p.Lacks(".note")
}
