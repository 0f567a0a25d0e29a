package dialplan

import "github.com/earshot-pbx/earshot/agent/gate"

// consulting writes an attended transfer: one waits while the other asks at a number, and all that may come of it. The legs run it by themselves: from
// the beginning on it makes no difference whether Earshot is there. The Local channel stays, since one that optimised itself away would take with it
// where it goes when who has dialled it hangs up.
func consulting(line func(format string, args ...any)) {
	// Whoever has taken him out of there meanwhile keeps him.
	join := func() {
		line(" same => n,ExecIf($[${EPOCH} - 0${SHARED(%s,${%s})} > %d]?Hangup())", gate.HereVariable, gate.WaitsVariable, hereSeconds)
		line(" same => n,Bridge(${%s},x)", gate.WaitsVariable)
		line(" same => n,Hangup()")
	}
	line("; Who has another wait calls a number, and has him back when that has come to nothing or is over.")
	line("exten => %s,1,Dial(Local/${%s}@${%s}/n,,gF(%s^%s^1))", gate.ExtenAsks, gate.NumberVariable, gate.ContextVariable, gate.BackContext, gate.ExtenMeets)
	join()
	line("; He has hung up while he talked there: the two others talk.")
	line("exten => %s,1,NoOp()", gate.ExtenMeets)
	join()
	line("; Who waits. When the other is gone and nobody has come for him, he calls that number himself.")
	line("exten => %s,1,StartMusicOnHold()", gate.ExtenWaits)
	line(" same => n(more),Set(SHARED(%s)=${EPOCH})", gate.HereVariable)
	line(" same => n,Wait(1)")
	line(" same => n,GotoIf(${CHANNEL_EXISTS(${%s})}?more)", gate.AsksVariable)
	line(" same => n,Wait(1)")
	line(" same => n,StopMusicOnHold()")
	line(" same => n,Goto(${%s},${%s},1)", gate.ContextVariable, gate.NumberVariable)
}

// hereSeconds is how long ago who waits may last have said that he does. He says so every second.
const hereSeconds = 3
