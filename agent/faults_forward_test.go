//go:build faults

package agent_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// Earshot is killed when the PBX has ended a forwarding and its answer has not come. The next one has that on record, once, as found after a restart; and that the one before was
// killed, each time.
func TestFaultAnEarshotThatEndsAForwardingAndIsKilled(t *testing.T) {
	o := apart(t)
	c := o.clerk()
	o.must(o.Write("clients.yaml", directory))
	o.must(o.Write("policy.yaml", houseRules))
	o.must(o.Edit("policy.yaml", `roles:
  seller: {intercept: true}
assign:
  - {role: seller, to: [department:sales, sergei]}
`, clerkRules))
	shows := func(family string) string {
		text, err := o.PBX.Command(o.ctx, "database show "+family)
		o.must(err)
		return text
	}
	o.fault("killed between the end and its record", func(o *office) {
		p := o.start()
		if a := o.puts("nina", "/v1/employees/anna/settings", fmt.Sprintf(`{"forward":%q}`, vera.number), ""); a.status != 200 {
			o.Fatalf("%d %s", a.status, a.body)
		}
		all := o.entries()
		id := all[len(all)-1].ID
		if text := shows("CF-earshot"); !strings.Contains(text, vera.number+":"+id+":") || strings.Contains(text, ":x") {
			o.Errorf("the mark is %s", text)
		}
		h := c.hold(hold{method: "POST", path: "/channels", body: `"EARSHOT_FAMILY":"CF"`, answer: true})
		o.must(o.Edit("policy.yaml", "dial: {clients: own, employees: true}", "dial: {employees: true}"))
		select {
		case <-h.reached:
		case <-o.ctx.Done():
			o.Fatal("the forwarding is not ended")
		}
		o.until("the PBX has ended it", func() error {
			if text := shows("CF"); strings.Contains(text, vera.number) {
				return fmt.Errorf("it has %s", text)
			}
			return nil
		})
		p.Kill()
		c.release()
		if text := shows("CF-earshot"); !strings.Contains(text, vera.number+":"+id+":x") {
			o.Errorf("the mark is %s", text)
		}
		if got := o.recorded(id); len(got) != 2 || got[1] != "done " {
			o.Errorf("on record is %q", got)
		}
		for range 2 {
			p = o.start()
			o.until("it is on record, and its mark has gone", func() error {
				if text, got := shows("CF-earshot"), o.lastOf(id); strings.Contains(text, vera.number) || got != "revoked earshot_restarted" {
					return fmt.Errorf("%s; the mark is %s", got, text)
				}
				return nil
			})
			p.Kill()
		}
		if got := o.recorded(id); len(got) != 3 {
			o.Errorf("on record is %q", got)
		}
		p = o.start()
		p.Stop()
		var said []string
		for _, e := range o.audited() {
			if e.Phase == audit.Recovered {
				said = append(said, e.Detail)
			}
		}
		if got := strings.Join(said, " "); got != "started started:not_closed started:not_closed started:not_closed stopped" {
			o.Errorf("the log says of itself %q", got)
		}
		o.verified()
	})
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}
