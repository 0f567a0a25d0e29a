package fanout_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/testdata/peers/fanout"
)

func TestPanelsOfBothDoorsAreToldWhatTheyMayKnow(t *testing.T) {
	if n, err := fanout.CheckAMI(3); err != nil || n < 3*fanout.Panels {
		t.Errorf("AMI: %d events, %v", n, err)
	}
	if n, err := fanout.CheckWeb(60); err != nil || n != 60*fanout.Panels {
		t.Errorf("HTTP: %d messages, %v", n, err)
	}
}
