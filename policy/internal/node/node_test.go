package node_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/policy/internal/node"
)

func TestAKeyThatComesTwiceIsFoundInSmallAndLargeMappings(t *testing.T) {
	for _, keys := range []int{2, 32, 33, 500} {
		var text strings.Builder
		for i := range keys {
			fmt.Fprintf(&text, "k%d: x\n", i)
		}
		root, wrong := node.Document([]byte(text.String()+"k1: y\n"), "a file")
		if wrong != nil {
			t.Fatal(wrong.Message)
		}
		var faults []string
		seen := map[string]string{}
		node.Mapping(root, func(f *node.Fault) { faults = append(faults, fmt.Sprint(f.Line, f.Message)) }, func(key, value *yaml.Node) { seen[key.Value] = value.Value })
		want := fmt.Sprintf(`%d: key "k1" is here twice, first in line 2`, keys+1)
		if len(faults) != 1 || faults[0] != want || len(seen) != keys || seen["k1"] != "x" {
			t.Errorf("%d keys: %q, %d seen", keys, faults, len(seen))
		}
	}
}
