package amiproxy

import (
	"strconv"

	"github.com/earshot-pbx/earshot/ami"
)

// parkedCalls is ParkedCalls, of one lot or of all. A lot in which nobody is shown, and one that is not there, get the same answer. Who parked a call is
// not in the model, and so not told.
func (x *exchange) parkedCalls() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	only, now, shown := x.m.Get("ParkingLot"), x.cfg.Clock(), 0
	answer := x.session.List(x.m, "Parked calls will follow")
	for _, p := range o.view.Parked {
		if only != "" && only != p.Lot {
			continue
		}
		shown++
		waited := seconds(now, p.Since)
		left := 0
		if p.Timeout > 0 {
			left = max(0, p.Timeout-waited)
		}
		answer.RowTail(channel{&o.view.All[p.Channel]}.snapshot(ami.NewEvent("ParkedCall", 0), "Parkee", x.cfg.Context).
			Append("ParkerDialString", "").Append("Parkinglot", printable(p.Lot)).Append("ParkingSpace", printable(p.Space)).
			Append("ParkingTimeout", strconv.Itoa(left)).Append("ParkingDuration", strconv.Itoa(waited)))
	}
	return answer.Complete(ami.NewEvent("ParkedCallsComplete", 0).Append("Total", strconv.Itoa(shown)))
}
