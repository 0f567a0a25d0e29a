package amiproxy

import (
	"strconv"

	"github.com/earshot-pbx/earshot/ami"
)

// greet sends what Asterisk sends to who has logged in while it is up.
func (s *Server) greet(session *ami.Session) {
	if p, err := ami.Prepare(s.booted()); err == nil { // nothing in it could be wrong
		session.Send(p)
	}
}

// booted is FullyBooted.
func (s *Server) booted() *ami.Message {
	up := strconv.Itoa(int(s.cfg.Clock().Sub(s.begun).Seconds()))
	return ami.NewEvent("FullyBooted", ami.ClassSystem).Append("Uptime", up).Append("LastReload", up).Append("Status", "Fully Booted")
}

// listCommands answers with the actions of the table that do something.
func (x *exchange) listCommands() error {
	answer := ami.NewResponse("Success")
	for i := range x.actions {
		if a := &x.actions[i]; a.kind != refused {
			answer.Append(a.name, a.synopsis+"  (Priv: "+a.privilege+")")
		}
	}
	return x.session.Respond(x.m, answer)
}

// coreStatus is about Earshot: what its PBX counts tells how many calls there are that one does not see.
func (x *exchange) coreStatus() error {
	date, clock := x.begun.Format("2006-01-02"), x.begun.Format("15:04:05")
	calls := 0
	if x.who.Known() {
		all, err := x.channels()
		if err != nil {
			return err
		}
		calls = len(all)
	}
	return x.session.Respond(x.m, ami.NewResponse("Success").
		Append("CoreStartupDate", date).Append("CoreStartupTime", clock).Append("CoreReloadDate", date).Append("CoreReloadTime", clock).
		Append("CoreCurrentCalls", strconv.Itoa(calls)).Append("CoreProcessedCalls", "0"))
}

// coreSettings says Asterisk 22, whose forms the door has.
func (x *exchange) coreSettings() error {
	return x.session.Respond(x.m, ami.NewResponse("Success").
		Append("AMIversion", "11.0.0").Append("AsteriskVersion", "22.0.0 (Earshot "+x.cfg.Version+")").Append("SystemName", "").
		Append("CoreMaxCalls", "0").Append("CoreMaxLoadAvg", "0.000000").Append("CoreRunUser", "").Append("CoreRunGroup", "").
		Append("CoreMaxFilehandles", "0").Append("CoreRealTimeEnabled", "No").Append("CoreCDRenabled", "No").Append("CoreHTTPenabled", "No").
		Append("SoundsSearchCustomDir", "No"))
}

// waitEvent is for AMI over HTTP; here events come by themselves, so there is nothing to wait for.
func (x *exchange) waitEvent() error {
	if err := x.session.Success(x.m, "Waiting for Event completed."); err != nil {
		return err
	}
	event := ami.NewEvent("WaitEventComplete", 0)
	if id := x.m.Get("ActionID"); id != "" {
		event.Append("ActionID", id)
	}
	p, err := ami.Prepare(event)
	if err == nil {
		x.session.Send(p)
	}
	return nil
}
