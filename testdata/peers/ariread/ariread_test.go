package ariread_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/testdata/peers/ariread"
)

func TestAllDecodersReadWhatTheReferenceReads(t *testing.T) {
	captured, err := ariread.Captured("../../streams")
	if err != nil {
		t.Fatal(err)
	}
	if checked, err := ariread.Check(captured, 2000); err != nil || checked < 3000 {
		t.Fatal(checked, err)
	}
}
