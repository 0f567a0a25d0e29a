package clients_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

func TestPrefixesComeOffWhatIsDialled(t *testing.T) {
	n := clients.Numbering{Region: "RU", Prefixes: []string{"9", "*67", "0"}}
	for dialled, want := range map[string]string{ // empty: no number
		"89161234567":                "+79161234567",
		"9 8 916 123-45-67":          "+79161234567",
		"*67 9 8 (916) 123-45-67":    "+79161234567",
		"9*6789161234567":            "+79161234567",
		"*6789161234567":             "+79161234567",
		"9+44 20 7946 0958":          "+442079460958",
		"9810442079460958":           "+442079460958",
		"9161234567":                 "+79161234567", // not 161234567, which is nobody's
		"901":                        "901",
		"9112":                       "9112",
		"*67101":                     "101",
		"*67*67101":                  "", // once
		"99 89161234567":             "",
		"*68101":                     "",
		"*77101":                     "",
		"*67":                        "",
		"9":                          "9",
		"":                           "",
		"\xff*6789161234567":         "",
		strings.Repeat("9", 100_000): "",
	} {
		if got, ok := n.Dialled(dialled); got != want || ok != (want != "") {
			t.Errorf("Dialled(%.40q) = %q, %v; want %q", dialled, got, ok, want)
		}
	}
	if !slices.Equal(n.Prefixes, []string{"9", "*67", "0"}) {
		t.Errorf("the prefixes are changed: %q", n.Prefixes)
	}
	longest := clients.Numbering{Region: "RU", Prefixes: []string{"*6", "*67"}}
	if got, _ := longest.Dialled("*67101"); got != "101" {
		t.Errorf("of two prefixes the shorter comes off: %q", got)
	}
	if got, ok := (clients.Numbering{}).Dialled("*67101"); ok {
		t.Errorf("without prefixes *67101 is %q", got)
	}
}

// The oracle: without prefixes Dialled is Normalise; with them it is what Normalise makes of some end of what was dialled, and
// dialling that again changes nothing.
func FuzzDialled(f *testing.F) {
	for _, s := range []string{"9 8 916 123-45-67", "*6789161234567", "901", "+79161234567", "9161234567", "\xff9"} {
		f.Add(s, "9", "*67")
	}
	f.Fuzz(func(t *testing.T, number, p1, p2 string) {
		want, wanted := clients.Normalise(number, "RU")
		if got, ok := (clients.Numbering{Region: "RU"}).Dialled(number); got != want || ok != wanted {
			t.Fatalf("without prefixes %q, %v; Normalise says %q, %v", got, ok, want, wanted)
		}
		n := clients.Numbering{Region: "RU", Prefixes: []string{p1, p2}}
		got, ok := n.Dialled(number)
		if !ok {
			if got != "" {
				t.Fatalf("%q of what is no number", got)
			}
			return
		}
		for i := range len(number) {
			if end, ok := clients.Normalise(number[i:], "RU"); ok && end == got {
				return
			}
		}
		t.Fatalf("%q is no reading of any end of what was dialled", got)
	})
}
