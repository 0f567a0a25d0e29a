package amiproxy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/earshot-pbx/earshot/ami"
)

const (
	faultNoMap     fault = "CoreShowChannelMap requires a channel."
	faultNoMapping fault = "Could not get channel snapshot"
)

// coreShowChannels is CoreShowChannels.
func (x *exchange) coreShowChannels() error {
	all, err := x.channels()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "Channels will follow")
	now := x.cfg.Clock()
	for _, c := range all {
		app, data := c.application()
		answer.Row(c.snapshot(ami.NewEvent("CoreShowChannel", 0), "", x.cfg.Context).
			Append("Application", app).Append("ApplicationData", data).Append("Duration", clock(seconds(now, c.Began))).Append("BridgeId", c.Bridge))
	}
	return answer.Complete(ami.NewEvent("CoreShowChannelsComplete", 0))
}

// seconds is how long ago something began; 0 where that is not known.
func seconds(now, since time.Time) int {
	if since.IsZero() {
		return 0
	}
	return max(0, int(now.Sub(since).Seconds()))
}

// clock is a time as CoreShowChannels has it.
func clock(s int) string {
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// status is Status, of all channels or of one.
func (x *exchange) status() error {
	all, err := x.channels()
	if err != nil {
		return err
	}
	if name := x.m.Get("Channel"); name != "" {
		c, ok := find(all, name)
		if !ok {
			return faultNoChannel
		}
		all = []channel{c}
	}
	answer := x.session.List(x.m, "Channel status will follow")
	now := x.cfg.Clock()
	for _, c := range all {
		app, data := c.application()
		number, name := c.other()
		dialled := ""
		if c.Out {
			dialled = c.exten()
		}
		answer.RowTail(c.snapshot(ami.NewEvent("Status", 0).Append("Privilege", "Call"), "", x.cfg.Context).
			Append("Type", c.technology()).Append("DNID", dialled).Append("EffectiveConnectedLineNum", number).Append("EffectiveConnectedLineName", name).
			Append("TimeToHangup", "0").Append("BridgeID", c.Bridge).Append("Application", app).Append("Data", data).
			Append("Nativeformats", "").Append("Readformat", "").Append("Readtrans", "").Append("Writeformat", "").Append("Writetrans", "").
			Append("Callgroup", "0").Append("Pickupgroup", "0").Append("Seconds", strconv.Itoa(seconds(now, c.Began))))
	}
	return answer.Complete(ami.NewEvent("StatusComplete", 0).Append("Items", strconv.Itoa(len(all))))
}

// coreShowChannelMap is CoreShowChannelMap: who is shown in one bridge with a channel.
func (x *exchange) coreShowChannelMap() error {
	name := x.m.Get("Channel")
	if name == "" {
		return faultNoMap
	}
	all, err := x.channels()
	if err != nil {
		return err
	}
	c, ok := find(all, name)
	if !ok {
		return faultNoMapping
	}
	answer := x.session.List(x.m, "Channel map will follow")
	for _, o := range all {
		if c.Bridge != "" && o.Bridge == c.Bridge && o.ID != c.ID {
			answer.Row(ami.NewEvent("CoreShowChannelMap", 0).Append("Channel", c.name()).Append("ConnectedChannel", o.name()))
		}
	}
	return answer.Complete(ami.NewEvent("CoreShowChannelMapComplete", 0))
}
