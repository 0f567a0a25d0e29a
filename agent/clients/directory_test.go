package clients_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

const sample = `region: RU
clients:
  - number: "+7 916 123-45-67"
    name: Acme
    responsible: anna
  - {number: "8 (495) 765-43-21", name: Bolt, responsible: boris, access: [anna, vera, boris, anna]}
  - {number: "2205", name: Branch office}
  - {number: "+44 20 7946 0958", name: Crown, responsible: anna}
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
	for _, tc := range []struct{ number, name string }{
		{"+79161234567", "Acme"},
		{"79161234567", "Acme"},
		{"89161234567", "Acme"},
		{"9161234567", "Acme"},
		{"+7 (916) 123-45-67", "Acme"},
		{"+7.916.123/45.67", "Acme"},
		{"810 7 916 123-45-67", "Acme"},
		{"84957654321", "Bolt"},
		{"+74957654321", "Bolt"},
		{"2205", "Branch office"},
		{"22-05", "Branch office"},
		{"+442079460958", "Crown"},
		{"810442079460958", "Crown"},
		{"+44 (0)20 7946 0958", "Crown"},
	} {
		for range 2 { // the second time it is remembered
			if c, ok := d.Lookup(tc.number); !ok || c.Name != tc.name {
				t.Errorf("Lookup(%q): %q, %v; want %q", tc.number, c.Name, ok, tc.name)
			}
		}
	}
}

func TestWhatIsNotInTheDirectoryIsNobodysClient(t *testing.T) {
	d := mustParse(t, sample)
	for _, number := range []string{
		"", "+", " ", "anonymous", "Anonymous", "+7916123456", "+791612345678", "916123456", "1234567", "7654321", "205", "22055",
		"+2205", "2205#", "*2205", "+79161234567;ext=1", "sip:+79161234567@x", "tel:+79161234567", "++79161234567", "7+9161234567",
		"+7916123456७", "+٧٩١٦١٢٣٤٥٦٧", "+79161234567\n", "+79161234567\x00", "+7916ABCDEFG", "+79161234567+79161234567",
		strings.Repeat("1", 33), strings.Repeat("9", 100_000), strings.Repeat(" ", 65) + "2205", "\xff\xfe",
	} {
		for range 2 {
			if c, ok := d.Lookup(number); ok || !reflect.DeepEqual(c, clients.Client{}) {
				t.Errorf("Lookup(%.40q) finds %q", number, c.Name)
			}
			if _, answer := d.Find(number); answer != clients.Stranger {
				t.Errorf("Find(%.40q): %v", number, answer)
			}
		}
	}
}

func TestTheZeroDirectoryIsEmpty(t *testing.T) {
	var d clients.Directory
	if _, ok := d.Lookup("+79161234567"); ok || d.Len() != 0 || d.Region() != "" || d.Err() != nil || d.Reload() != nil || len(slices.Collect(d.All())) != 0 {
		t.Fatal("it is not")
	}
}

func TestTheDirectoryTellsWhatItHolds(t *testing.T) {
	d := mustParse(t, sample)
	var got []string
	for c := range d.All() {
		got = append(got, c.Number+" "+c.Name+" "+c.Responsible)
	}
	want := []string{"+79161234567 Acme anna", "+74957654321 Bolt boris", "2205 Branch office ", "+442079460958 Crown anna"}
	if !slices.Equal(got, want) || d.Len() != 4 || d.Region() != "RU" {
		t.Fatalf("%q, %d, %s", got, d.Len(), d.Region())
	}
	for range d.All() {
		break // may be left
	}
}

func TestTheRegionSaysHowNumbersWithoutACountryCodeAreRead(t *testing.T) {
	list := `[{number: "020 7946 0958", name: Crown}]`
	d, err := clients.Parse("c", []byte(list), clients.Options{Region: "GB"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Lookup("+442079460958"); !ok || d.Region() != "GB" {
		t.Error("the option's region is not used")
	}
	d, err = clients.Parse("c", []byte("region: GB\nclients: "+list), clients.Options{Region: "RU"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Lookup("+442079460958"); !ok {
		t.Error("the file's region does not go before the option's")
	}
	if _, err := clients.Parse("c", []byte(list), clients.Options{}); err == nil {
		t.Error("without a region such a number is taken")
	}
	if _, err := clients.Parse("c", nil, clients.Options{Region: "ZZ"}); err == nil {
		t.Error("an unknown region is taken")
	}
	plus, err := clients.Parse("c", []byte(`[{number: "+442079460958", name: Crown}]`), clients.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := plus.Lookup("02079460958"); ok {
		t.Error("without a region a number without a country code is found")
	}
}

func TestWhoElseHasAccessIsToldOnceEachAndWithoutTheResponsible(t *testing.T) {
	d := mustParse(t, sample)
	for number, want := range map[string][]string{"+74957654321": {"anna", "vera"}, "+79161234567": nil} {
		if c, answer := d.Find(number); answer != clients.Found || !slices.Equal(c.Access, want) {
			t.Errorf("%v, %q; want %q", answer, c.Access, want)
		}
	}
}

func TestReloadTakesWhatIsGoodAndKeepsTheLastGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clients.yaml")
	put := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(sample)
	d, err := clients.Open(path, clients.Options{})
	if err != nil {
		t.Fatal(err)
	}
	responsible := func(number string) string {
		c, _ := d.Lookup(number)
		return c.Responsible
	}
	if got := responsible("89161234567"); got != "anna" { // and is remembered
		t.Fatalf("responsible %q", got)
	}
	put(strings.Replace(sample, "name: Acme", "nam: Acme", 1))
	if err := d.Reload(); err == nil || d.Err() == nil || !strings.HasPrefix(err.Error(), path+":4:5: unknown key; did you mean \"name\"?") {
		t.Fatalf("a broken file: %v", err)
	}
	if got := responsible("89161234567"); got != "anna" || d.Len() != 4 {
		t.Fatalf("a broken file changed the directory: %q", got)
	}
	put(strings.Replace(sample, "responsible: anna", "responsible: boris", 1))
	if err := d.Reload(); err != nil || d.Err() != nil {
		t.Fatal(err)
	}
	if got := responsible("89161234567"); got != "boris" {
		t.Fatalf("what was remembered outlived the reload: %q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := d.Reload(); !errors.Is(err, os.ErrNotExist) || responsible("+79161234567") != "boris" {
		t.Fatalf("the file is gone: %v", err)
	}
	if _, err := clients.Open(path, clients.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("Open: %v", err)
	}
}

func TestReloadWhileManyAsk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := clients.Open(path, clients.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 500 {
				number := fmt.Sprintf("8916123%04d", (n*7+w)%10_000) // strangers drive each other out
				if c, ok := d.Lookup(number); ok != (number == "89161234567") {
					t.Errorf("a stranger is %q", c.Name)
				}
				if c, ok := d.Lookup("89161234567"); !ok || c.Responsible != "anna" {
					t.Error("the client is lost")
				}
			}
		})
	}
	for range 20 {
		if err := d.Reload(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestEachOfManyNumbersIsItself(t *testing.T) { // enough of them to share places and drive each other out
	d := mustParse(t, book(1000))
	for range 2 {
		for n := range 3000 {
			number := fmt.Sprintf("8916%07d", n)
			c, ok := d.Lookup(number)
			if ok != (n < 1000) || ok && c.Number != "+7"+number[1:] {
				t.Fatalf("Lookup(%s) = %q, %v", number, c.Number, ok)
			}
		}
	}
}

func TestAClientPrintsRedacted(t *testing.T) {
	c, _ := mustParse(t, sample).Lookup("+79161234567")
	js, err := json.Marshal([]clients.Client{c})
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %s %q %x %v %s", c, c, c, c, c, c, &c, js)
	if strings.Contains(out, "7916") || strings.Contains(out, "Acme") || strings.Contains(out, "anna") || !strings.Contains(out, "[client]") {
		t.Fatal(out)
	}
}

func TestALookupAllocatesNothing(t *testing.T) {
	d := mustParse(t, sample)
	for _, number := range []string{"+79161234567", "89161234567", "2205", "+7 (916) 123-45-67", "+79990000000", "anonymous"} {
		d.Lookup(number)
		if n := testing.AllocsPerRun(100, func() { d.Lookup(number) }); n != 0 {
			t.Errorf("Lookup(%q) allocates %v times", number, n)
		}
	}
}
