package httpapi_test

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
)

// pictures is where make screenshots has them kept.
var pictures = flag.String("screenshots", "", "folder for pictures of the page; none are kept without it")

// TestThePageCanBePhotographed takes the pictures of the README, in which everything is made up.
func TestThePageCanBePhotographed(t *testing.T) {
	o := newBureau(t)
	o.kept(t, "21", "anna", "PJSIP/101", ivanov, 3*time.Hour, 184, true)
	o.kept(t, "22", "hugo", "PJSIP/108", outside{"Lena Fischer", "+4930901820"}, 2*time.Hour, 47, true)
	o.kept(t, "23", "fred", "PJSIP/106", outside{"", "+74951234567"}, 95*time.Minute, 612, true)
	o.lately(50*time.Minute, smith.rings("24", "PJSIP/107", "107", 0)...)
	o.lately(50*time.Minute, ends("24", 25)...)
	o.kept(t, "25", "anna", "PJSIP/101", outside{"Lena Fischer", "+4930901820"}, 31*time.Minute, 240, true)

	o.lately(4*time.Minute+27*time.Second, outside{"Marta Nowak", "+48221234567"}.rings("1", "PJSIP/101", "101", 0)...)
	o.lately(4*time.Minute+21*time.Second, outside{"Marta Nowak", "+48221234567"}.talks("1", "PJSIP/101", "101", 0)...)
	o.lately(72*time.Second, smith.rings("2", "PJSIP/107", "107", 0)...)
	o.lately(66*time.Second, smith.talks("2", "PJSIP/107", "107", 0)...)
	o.lately(20*time.Second, call.Event{Kind: call.LegHeld, Channel: phone("2.p", "PJSIP/107", call.StateUp, call.Identity{}, call.Identity{}), At: start})
	o.lately(9*time.Second, ivanov.rings("3", "PJSIP/106", "106", 0)...)
	o.lately(12*time.Minute, outside{"Lena Fischer", "+4930901820"}.rings("4", "PJSIP/301", "301", 0)...)
	o.lately(12*time.Minute, outside{"Lena Fischer", "+4930901820"}.talks("4", "PJSIP/301", "301", 4)...)

	head, taker := o.signIn(t, "carl"), o.signIn(t, "boris")
	head.Says(row("anna"), "Marta Nowak")
	head.Click(row("anna") + ` [data-act="spy"]`)
	o.picksUp(recv(t, o.pbx.rung).Leg, "PJSIP/103")
	recv(t, o.pbx.tapped)
	head.Says("#mine", "You listen to Anna Petrova")
	taker.Says("#alerts", "Ivanov & Sons")
	head.Wait(`document.querySelectorAll('.note').length === 0 || (document.querySelector('.note button').click(), false)`)
	taker.Says(row("anna"), "Talking")

	shoot(t, head, "employees-light", "light", 1240, 860, 1)
	shoot(t, head, "employees-dark", "dark", 1240, 860, 1)
	shoot(t, taker, "client-calls-light", "light", 1240, 860, 1)
	shoot(t, taker, "phone-dark", "dark", 360, 740, 2)
	shoot(t, taker, "phone-light", "light", 360, 740, 2)

	head.Size(1240, 860, 1)
	head.Click("#tab-journal")
	head.Says("#journal-rows", "no access")
	head.Click("#journal-rows .player button")
	head.Wait(`document.querySelector('audio')?.duration > 29 && document.querySelector('audio').currentTime > 0`)
	head.Eval(`document.querySelector('audio').pause()`, nil)
	shoot(t, head, "journal-light", "light", 1240, 860, 1)
	head.Click("#tab-policy")
	head.Says("#policy table", "Anna Petrova")
	shoot(t, head, "permissions-light", "light", 1240, 860, 1)
	head.Click(`[data-cell="boris spy"]`)
	head.Says("#explained", "Not allowed")
	shoot(t, head, "permissions-dark", "dark", 1240, 860, 1)
	quiet(t, head)
	quiet(t, taker)
}

// shoot takes a picture, and keeps it where pictures are wanted.
func shoot(t *testing.T, p *browser.Page, name, scheme string, width, height int, scale float64) {
	t.Helper()
	p.Media(scheme)
	p.Size(width, height, scale)
	p.Wait(`matchMedia('(prefers-color-scheme: ` + scheme + `)').matches && innerWidth === ` + strconv.Itoa(width))
	p.Eval(`(scrollTo(0, 0), document.activeElement.blur(), new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => true))`, nil)
	var wide bool
	p.Eval(`document.documentElement.scrollWidth > innerWidth`, &wide)
	if wide {
		t.Errorf("%s: the page is wider than %d", name, width)
	}
	data := p.Picture()
	if img, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || img.Width != int(float64(width)*scale) {
		t.Errorf("%s: %+v %v", name, img, err)
	}
	if *pictures == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
