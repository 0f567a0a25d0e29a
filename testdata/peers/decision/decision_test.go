package decision_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
	"github.com/earshot-pbx/earshot/testdata/peers/decision"
)

func TestAllEnginesAnswerAsTheReference(t *testing.T) {
	for _, n := range []int{100, 1000} {
		allowed, err := decision.Check(company.New(n), 3000)
		if err != nil {
			t.Errorf("%d employees: %v", n, err)
		}
		if allowed < 1000 || allowed > 2000 {
			t.Errorf("%d employees: %d of 3000 are allowed", n, allowed)
		}
	}
}
