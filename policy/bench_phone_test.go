package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// BenchmarkPhone finds whose phone an endpoint is, where there is one PBX and beside one of four, on each of which there are endpoints of the same
// names. Its floor finds the owner in a map.
func BenchmarkPhone(b *testing.B) {
	const n = 10000
	for pbxs, name := range map[int]string{1: "one", 4: "several"} {
		var text strings.Builder
		text.WriteString("version: 1\nemployees:\n")
		owners, asked := map[string]string{}, []string{}
		for i := range n {
			id, phone, pbx := fmt.Sprint("e", i), fmt.Sprint("PJSIP/", 10000+i/pbxs), ""
			if pbxs > 1 {
				pbx = fmt.Sprintf(", pbx: pbx-%d", i%pbxs)
			}
			fmt.Fprintf(&text, "  %s: {phones: [%s]%s}\n", id, phone, pbx)
			if i%pbxs == 0 {
				owners[phone], asked = id, append(asked, phone)
			}
		}
		rand.New(rand.NewPCG(3, 3)).Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
		find := func(kind string, found func(phone string) bool, metric bool) {
			b.Run(fmt.Sprintf("employees=%d/%s/%s", n, name, kind), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if !found(asked[i]) {
						b.Fatal(i)
					}
					if i++; i == len(asked) {
						i = 0
					}
				}
				if metric {
					b.ReportMetric(0, "max-allocs")
				}
			})
		}
		set := besidePBX(load(b, text.String()))
		find("floor", func(phone string) bool { return owners[phone] != "" }, false)
		find("earshot", func(phone string) bool { _, ok := set.Phone(phone); return ok }, true)
	}
}

func besidePBX(set *policy.Set) *policy.Set { return set.Beside("pbx-0") }
