package clients_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

const sample = `region: RU
clients:
  - number: "+7 916 123-45-67"
    name: Acme
    responsible: anna
  - {number: "8 (495) 765-43-21", name: Bolt, responsible: boris}
  - {number: "2205", name: Branch office}
`

func mustParse(t testing.TB, text string) *clients.Directory {
	t.Helper()
	d, err := clients.Parse("clients.yaml", []byte(text), clients.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestANumberIsFoundInEachFormInWhichAPBXTellsIt(t *testing.T) {
	d := mustParse(t, sample)
	for _, tc := range []struct{ number, responsible string }{
		{"+79161234567", "anna"},
		{"79161234567", "anna"},
		{"89161234567", "anna"},
		{"9161234567", "anna"},
		{"+7 (916) 123-45-67", "anna"},
		{"810 7 916 123-45-67", "anna"},
		{"84957654321", "boris"},
		{"+74957654321", "boris"},
	} {
		for range 2 { // the second time it is remembered
			if c, ok := d.Lookup(tc.number); !ok || c.Responsible != tc.responsible {
				t.Errorf("Lookup(%q): responsible %q, %v; want %q", tc.number, c.Responsible, ok, tc.responsible)
			}
		}
	}
	if c, ok := d.Lookup("2205"); !ok || c.Name != "Branch office" || c.Responsible != "" {
		t.Errorf("the short number: %q %q %v", c.Name, c.Responsible, ok)
	}
}
