package amiproxy

import (
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

const (
	faultCommand   fault = "No command is run after a recording."
	faultMuteState fault = "State is 1 or 0."
	faultDirection fault = "A recording pauses in both directions: Direction is both."
)

// mixOptions are MixMonitor's options (apps/app_mixmonitor.c) that are taken. b records while the channel is in a bridge, which Earshot does anyway. All
// others would write other files, play a tone, change the volume or tell a variable.
const mixOptions = "b"

// taping reads which recording is meant: the one that MixMonitorID names, or that of the channel's call. Who may record a call may stop and pause every
// recording of it that Earshot makes.
func (x *exchange) taping() (gate.RecordAsk, error) {
	o, err := x.look()
	if err != nil {
		return gate.RecordAsk{}, err
	}
	c, ok := x.find(o.channels(), x.m.Get("Channel"))
	if !ok {
		return gate.RecordAsk{}, faultNoChannel
	}
	leg := mask.EmployeesLeg(o.view.All, c.Channel)
	if leg == nil {
		return gate.RecordAsk{}, faultNoLeg
	}
	return gate.RecordAsk{Target: leg.Employee, Call: leg.ID, Door: doorName}, nil
}

// mixMonitor is MixMonitor. What the file is called, and what is in it, is Earshot's to say, so File is taken and does nothing.
func (x *exchange) mixMonitor() error {
	switch {
	case x.m.Get("Command") != "":
		return faultCommand
	case strings.Trim(x.m.Get("Options"), mixOptions) != "":
		return faultOptions
	}
	ask, err := x.taping()
	if err != nil {
		return err
	}
	v, err := x.cfg.Gate.StartRecording(x.ctx, x.who, ask)
	if err != nil {
		return err
	}
	return x.session.Respond(x.m, ami.NewResponse("Success").Append("MixMonitorID", v.ID))
}

// stopMixMonitor is StopMixMonitor.
func (x *exchange) stopMixMonitor() error {
	ask, err := x.taping()
	if err != nil {
		return err
	}
	ask.ID = x.m.Get("MixMonitorID")
	_, err = x.cfg.Gate.StopRecording(x.ctx, x.who, ask)
	return x.done("", err)
}

// mixMonitorMute is MixMonitorMute: the recording pauses, or goes on.
func (x *exchange) mixMonitorMute() error {
	if d := x.m.Get("Direction"); !strings.EqualFold(d, "both") {
		return faultDirection
	}
	turn := map[string]func(ask gate.RecordAsk) (mask.Taping, error){
		"1": func(ask gate.RecordAsk) (mask.Taping, error) { return x.cfg.Gate.PauseRecording(x.ctx, x.who, ask) },
		"0": func(ask gate.RecordAsk) (mask.Taping, error) { return x.cfg.Gate.ResumeRecording(x.ctx, x.who, ask) },
	}[x.m.Get("State")]
	if turn == nil {
		return faultMuteState
	}
	ask, err := x.taping()
	if err != nil {
		return err
	}
	ask.ID = x.m.Get("MixMonitorID")
	_, err = turn(ask)
	return x.done("", err)
}
