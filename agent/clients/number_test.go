package clients_test

import (
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/earshot-pbx/earshot/agent/clients"
)

func TestNormaliseGivesOneFormToOneNumber(t *testing.T) {
	for _, tc := range []struct {
		number, region, want string // want empty: no number
	}{
		{"8 (916) 123-45-67", "RU", "+79161234567"},
		{"79161234567", "RU", "+79161234567"},
		{"0176 12345678", "DE", "+4917612345678"},
		{"00 49 176 12345678", "DE", "+4917612345678"},
		{"(212) 555-0123", "US", "+12125550123"},
		{"011 44 20 7946 0958", "US", "+442079460958"},
		{"+442079460958", "", "+442079460958"},
		{"112", "RU", "112"},
		{"1-01", "RU", "101"},
		{"123456", "DE", "123456"},
		{"02079460958", "", ""},
		{"5550123", "US", ""}, // without its area code it could be anybody's
		{"+112", "RU", ""},
		{"", "RU", ""},
		{"+", "RU", ""},
		{"()", "RU", ""},
		{"1-800-FLOWERS", "US", ""},
	} {
		got, ok := clients.Normalise(tc.number, tc.region)
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("Normalise(%q, %q) = %q, %v; want %q", tc.number, tc.region, got, ok, tc.want)
		}
	}
}

// The oracle is phonenumbers itself on the number as it was told: what Normalise takes as a full number it reads alike. And the form
// is a fixed point, and Lookup finds exactly the number's own entry in whatever form it comes.
func FuzzNormalise(f *testing.F) {
	for _, number := range []string{"+79161234567", "8 (916) 123-45-67", "101", "00 49 176 12345678", "+44 (0)20 7946 0958", "810442079460958", "1-800-FLOWERS", "+800 1234 5678", "+883510000000000"} {
		for _, region := range []string{"RU", "DE", "US", ""} {
			f.Add(number, region)
		}
	}
	f.Fuzz(func(t *testing.T, number, region string) {
		got, ok := clients.Normalise(number, region)
		if !ok {
			if got != "" {
				t.Fatalf("%q of what is no number", got)
			}
			return
		}
		if strings.Trim(strings.TrimPrefix(got, "+"), "0123456789") != "" || strings.HasPrefix(got, "+") == (len(got) <= 6 && got[0] != '+') {
			t.Fatalf("form %q", got)
		}
		if again, ok := clients.Normalise(got, region); !ok || again != got {
			t.Fatalf("%q is normalised again to %q, %v", got, again, ok)
		}
		if got[0] == '+' {
			n, err := phonenumbers.Parse(number, region)
			if err != nil || phonenumbers.Format(n, phonenumbers.E164) != got {
				t.Fatalf("%q: phonenumbers reads it as %v, %v", got, n, err)
			}
		}
		o := clients.Options{Region: region}
		if region != "" && !phonenumbers.GetSupportedRegions()[region] {
			o.Region = ""
			if again, ok := clients.Normalise(number, ""); !ok || again != got {
				return
			}
		}
		d, err := clients.Parse("f", []byte(`[{number: "`+got+`", name: A, responsible: anna}, {number: "+79990000000", name: B}]`), o)
		if err != nil {
			if got == "+79990000000" {
				return
			}
			t.Fatal(err)
		}
		for range 2 {
			if c, ok := d.Lookup(number); !ok || c.Number != got || c.Responsible != "anna" {
				t.Fatalf("Lookup finds %q, %v, want %q", c.Number, ok, got)
			}
		}
	})
}
