package gate

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// Two rows cannot be joined by what their handles differ by, which would be the same for every leg, if a handle were only the sum of its tags.
func TestHandlesOfTwoRowsDifferByAnotherAmountForEachLeg(t *testing.T) {
	g := &Gate{secret: newSecret()}
	number := func(handle string) [2]uint64 {
		var b [16]byte
		n, err := handleText.Decode(b[:], []byte(handle[1:]))
		if err != nil || n != 12 || handle[0] != 'c' {
			t.Fatal(handle, n, err)
		}
		return [2]uint64{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	}
	handles, amounts := map[string]bool{}, map[[2]uint64]bool{}
	const legs = 100
	for i := range legs {
		leg := call.LegID(fmt.Sprint("leg-", i))
		for _, s := range []mask.Sight{mask.Hidden, mask.Seen, mask.Own} {
			a, b := g.handle("carl", "anna", leg, s), g.handle("carl", "boris", leg, s)
			handles[a], handles[b] = true, true
			handles[g.handle("anna", "carl", leg, s)] = true
			x, y := number(a), number(b)
			amounts[[2]uint64{x[0] ^ y[0], x[1] ^ y[1]}] = true
		}
	}
	if len(handles) != 9*legs {
		t.Errorf("%d handles, not %d", len(handles), 9*legs)
	}
	if len(amounts) != 3*legs {
		t.Errorf("%d amounts, not %d", len(amounts), 3*legs)
	}
	if other := (&Gate{secret: newSecret()}); other.handle("carl", "anna", "leg-0", mask.Seen) == g.handle("carl", "anna", "leg-0", mask.Seen) {
		t.Error("another start has the same handles")
	}
}
