package amiread_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/testdata/peers/amiread"
)

func TestAllReadersFindWhatTheReferenceFinds(t *testing.T) {
	for name, stream := range map[string][]byte{"calls": amiread.Corpus(20), "random": amiread.Random(2000)} {
		if events, fields, err := amiread.Check(stream); err != nil || events < 46*20 || fields < 4*events {
			t.Errorf("%s: %d events, %d fields, %v", name, events, fields, err)
		}
	}
}
