package amiproxy

import (
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

const (
	faultNoOwnChannel fault = "Channel not specified"
	faultApplication  fault = "This application is not started through Earshot."
	faultExten        fault = "Give either Exten with Priority 1, or Application and Data."
	faultOneTarget    fault = "Name one target."
	faultVariable     fault = "A variable of this action is not taken here."
)

// originate is Originate: the subject's own phone rings, and is then given what the application or the extension asks for. Who is shown as the
// caller, how long it rings and what is billed are Earshot's to say, so the headers for that are taken and do nothing; so are variables, see variables.
func (x *exchange) originate() error {
	ring := x.m.Get("Channel")
	if ring == "" {
		return faultNoOwnChannel
	}
	if err := variables(x.m.Values("Variable")); err != nil {
		return err
	}
	o, err := x.look()
	if err != nil {
		return err
	}
	phone := o.ownPhone(x.who.Employee(), ring)
	app := x.m.Get("Application")
	if app == "" {
		return x.dial(phone)
	}
	if x.m.Get("Exten") != "" || x.m.Get("Context") != "" || x.m.Get("Priority") != "" {
		return faultExten // Asterisk would take the application, and who reads the action might take the other
	}
	args := strings.Split(x.m.Get("Data"), ",")
	switch fold(app) {
	case "chanspy":
		return x.spy("ChanSpy", args, phone, x.onChannel(o, args[0]))
	case "extenspy":
		return x.spy("ExtenSpy", args, phone, onExtension(args[0]))
	case "pickupchan":
		if len(args) > 1 {
			return faultOneTarget
		}
		return x.intercept("PickupChan", phone, x.onChannel(o, args[0]))
	case "pickup":
		if len(args) > 1 {
			return faultOneTarget
		}
		return x.intercept("Pickup", phone, onExtension(args[0]))
	}
	return faultApplication
}

// variables looks at what is to be set on the channel: pairs, several of them in one header. None is set. One that is plain is taken, since a panel is
// seldom without; one that is a function, or whose value Asterisk would expand, asks for something that would not happen, and is refused.
func variables(lines []string) error {
	for _, line := range lines {
		for _, pair := range strings.Split(line, ",") {
			name, value, ok := strings.Cut(pair, "=")
			plain := name != "" && len(name) <= 80 && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
			if !ok || !plain || name[0] == '_' || strings.ContainsAny(value, "$()[]{}") {
				return faultVariable
			}
		}
	}
	return nil
}

// ownPhone is the phone that a Channel header names, as the policy spells it. Of one that is not the employee's, the name is given back, which the gate
// refuses as it does every phone that is not the subject's.
func (o *office) ownPhone(employee, channel string) string {
	me, _ := o.colleague(employee)
	if phone, ok := me.Phone(channel); ok {
		return phone
	}
	return channel
}

// onChannel reads what ChanSpy and PickupChan take as their target: a channel by its whole name or id, as this subject knows it, or PJSIP/101 and
// PJSIP/101- for the only call of that phone that fits. In Asterisk the last two are prefixes, and so is the empty one; here a name is the whole of it.
// What names nobody whom the subject can mean is a request about nobody, which the gate records, and answers as one about who is not there.
func (x *exchange) onChannel(o *office, spec string) gate.Ask {
	if c, ok := x.find(o.channels(), spec); ok {
		return channel{mask.EmployeesLeg(o.view.All, c.Channel)}.ask()
	}
	for _, who := range o.book.Colleagues {
		for _, p := range who.Phones {
			if strings.EqualFold(p, strings.TrimSuffix(spec, "-")) {
				return gate.Ask{Target: who.ID}
			}
		}
	}
	return gate.Ask{}
}

// onExtension reads what ExtenSpy and Pickup take: NUMBER@context. The number is an employee's own, by which he is meant, wherever the context.
func onExtension(spec string) gate.Ask {
	number, _, _ := strings.Cut(spec, "@")
	return gate.Ask{Number: number}
}

// spy is ChanSpy and ExtenSpy.
func (x *exchange) spy(app string, args []string, phone string, ask gate.Ask) error {
	if len(args) > 2 {
		return faultOptions
	}
	mode, err := spyMode(strings.Join(args[1:], ""))
	if err != nil {
		return err
	}
	ask.Mode, ask.Phone, ask.Door = mode, phone, doorName
	v, err := x.cfg.Gate.Supervise(x.ctx, x.who, ask)
	return x.rings(originated{id: v.ID, phone: v.Phone, app: app}, err)
}

// intercept is Pickup and PickupChan. Pickup of nothing in particular takes, of what rings, the oldest that the subject may: there are no groups here, but
// rights.
func (x *exchange) intercept(app, phone string, ask gate.Ask) error {
	take := x.cfg.Gate.Intercept
	if app == "Pickup" && ask.Number == "" && x.m.Get("Data") == "" {
		take = x.cfg.Gate.InterceptOldest
	}
	ask.Phone, ask.Door = phone, doorName
	v, err := take(x.ctx, x.who, ask)
	return x.rings(originated{id: v.ID, phone: v.Phone, app: app}, err)
}

// dial is an Originate to an extension: a call from the subject's own phone, decided as each call of his is. The context that calls begin in is
// Earshot's to say. An extension that is one of the feature codes is what that asks for.
func (x *exchange) dial(phone string) error {
	number := x.m.Get("Exten")
	if p := x.m.Get("Priority"); p != "1" && p != "" || number == "" || x.m.Get("Data") != "" {
		return faultExten
	}
	if is, err := x.coded(phone, number); is {
		return err
	}
	v, err := x.cfg.Gate.Dial(x.ctx, x.who, gate.DialAsk{Number: number, Phone: phone, Door: doorName})
	return x.rings(originated{id: v.ID, phone: v.Phone, exten: number}, err)
}
