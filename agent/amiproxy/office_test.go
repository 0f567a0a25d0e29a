package amiproxy_test

import "testing"

// A panel that sees both channels of a call may name either: the one of somebody outside stands for the colleague's on the other side.
func TestWhoNamesTheChannelOutsideMeansTheColleaguesCall(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.talks("2", "Smith", "+4915550002", "PJSIP/130")
	olga := w.as("olga")
	for _, r := range rows(t, olga, "CoreShowChannels") {
		if r.Get("CallerIDNum") != "+4915550001" {
			continue
		}
		if got := answered(t, olga, act("Originate", "Channel", "PJSIP/300", "Application", "ChanSpy", "Data", r.Get("Channel")+",q", "Async", "true")); got != "ok" {
			t.Error(got)
		}
	}
	w.pbx.ordered(t, "ring PJSIP/300")
	if all := w.book.Decided(); len(all) != 1 || len(all[0].Targets) != 1 || all[0].Targets[0] != "bob" {
		t.Errorf("decided was %+v", all)
	}
	// To whom the caller is hidden his channel is not there, and a guess at it is about nobody.
	carol := w.as("carol")
	if got := answered(t, carol, act("Originate", "Channel", "PJSIP/120", "Application", "ChanSpy", "Data", "PJSIP/trunk-1.t,q")); got == "ok" {
		t.Error("a guess was taken")
	}
}
