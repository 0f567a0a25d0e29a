package site

import (
	"strings"
	"testing"
)

func TestASpreadPolicyHasThePBXOfEachEmployee(t *testing.T) {
	text, err := Sample("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spread := Spread(text)
	for _, want := range []string{
		"{name: Anna Petrova, pbx: north, phones: [PJSIP/101]", "    pbx: north\n    phones: [PJSIP/103]\n", "pbx: south, phones: [PJSIP/202]", "pbx: west, phones: [PJSIP/303]",
		"trunks: [PJSIP/trunk, PJSIP/north, PJSIP/south, PJSIP/west]\n",
	} {
		if !strings.Contains(spread, want) {
			t.Errorf("%q does not stand in\n%s", want, spread)
		}
	}
	if n := strings.Count(spread, "pbx: "); n != len(Employees) {
		t.Errorf("%d employees of %d have a PBX", n, len(Employees))
	}
}
