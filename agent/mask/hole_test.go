package mask_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/mask"
	"pgregory.net/rapid"
)

func TestHolesAreFoundInOrderAndNothingElseIs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var b strings.Builder
		var want []int
		for range rapid.IntRange(0, 6).Draw(r, "holes") {
			b.WriteString(texts.Draw(r, "between"))
			i := rapid.OneOf(rapid.IntRange(0, 70), rapid.IntRange(0, 999_999)).Draw(r, "which")
			if len(mask.Hole(i)) != mask.HandleLen {
				r.Fatalf("hole %d is %q", i, mask.Hole(i))
			}
			b.WriteString(mask.Hole(i))
			want = append(want, i)
		}
		b.WriteString(texts.Draw(r, "after"))
		rest := []byte(b.String())
		for _, i := range want {
			at, got, ok := mask.NextHole(rest)
			if !ok || got != i || string(rest[at:at+mask.HandleLen]) != mask.Hole(i) {
				r.Fatalf("%d at %d %v, not %d", got, at, ok, i)
			}
			rest = rest[at+mask.HandleLen:]
		}
		if _, _, ok := mask.NextHole(rest); ok {
			r.Fatal("a hole where there is none")
		}
	})
}

func TestAHoleCutShortIsNone(t *testing.T) {
	for i := range mask.HandleLen {
		if _, _, ok := mask.NextHole([]byte("Uniqueid: " + mask.Hole(3)[:i])); ok {
			t.Errorf("%d bytes of one are taken for it", i)
		}
	}
}

func TestFindingAHoleTakesNoMemory(t *testing.T) {
	b := []byte("Channel: PJSIP/101-" + mask.Hole(2) + "\r\n")
	if n := testing.AllocsPerRun(100, func() { _, _, _ = mask.NextHole(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
