package pbx

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Call is the order to ring an employee's own phone which, once answered, calls a number by the dialplan as if it had been dialled there.
type Call struct {
	Leg      call.LegID // the unique id that the calling leg is to have; begins with Prefix
	Endpoint string
	Number   call.Number   // digits, "+", "*" and "#" only; anything else is refused
	Context  string        // of the dialplan, in which the phone's calls begin
	Caller   call.Identity // the employee, as the phone called is shown him
	Timeout  time.Duration // how long the own phone rings
}

// Call carries out a Call order. The number is an extension of the context and nothing else: it is neither a pattern nor has it room for
// options, variables or another technology.
func (l *Link) Call(ctx context.Context, o Call) error {
	number := o.Number.Digits()
	if number == "" || strings.Trim(number, "0123456789+*#") != "" {
		return fmt.Errorf("pbx: what is to be called is no number")
	}
	_, err := l.rest.Originate(ctx, ari.OriginateRequest{
		Endpoint: o.Endpoint, Context: o.Context, Extension: number, Priority: 1, ChannelID: string(o.Leg),
		CallerID: `"` + spoken(o.Caller.Name) + `" <` + dialable(o.Caller.Number) + `>`, Timeout: o.Timeout,
	})
	return unreachable(err)
}
