package clients_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
)

const export = "Телефон;Мобильный;Наименование;Ответственный;Доступ;ИНН\r\n" +
	"8 (495) 765-43-21;\"+7 916 123-45-67, +7 916 123-45-68\";\"ООО \"\"Ромашка\"\"; Москва\";Петрова Анна;Иванов Борис|Сидоров;7701\r\n" +
	";;Без телефона;Петрова Анна;;7702\r\n" +
	";89261112233;Лютик;Уволен;;\r\n"

var exported = clients.CSV{
	Region:    "RU",
	Columns:   clients.Columns{Number: []string{"телефон", "Мобильный"}, Name: "Наименование", Responsible: "Ответственный", Access: "Доступ"},
	Employees: clients.Employees{IDs: map[string]string{"Петрова Анна": "anna", "Иванов Борис": "boris"}},
}

func TestAnExportIsReadWithItsOwnColumnsAndNames(t *testing.T) {
	for name, text := range map[string]string{"plain": export, "with a BOM": "\ufeff" + export, "line feeds": strings.ReplaceAll(export, "\r\n", "\n")} {
		d, err := clients.ParseCSV("c.csv", []byte(text), exported)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, number := range []string{"84957654321", "+79161234567", "79161234568"} {
			c, answer := d.Find(number)
			if answer != clients.Found || c.Name != `ООО "Ромашка"; Москва` || c.Responsible != "anna" || !slices.Equal(c.Access, []string{"boris"}) {
				t.Errorf("%s: %s: %v, %q, %q, %q", name, number, answer, c.Name, c.Responsible, c.Access)
			}
		}
		if c, answer := d.Find("89261112233"); answer != clients.Found || c.Responsible != "" {
			t.Errorf("%s: of one whom nobody maps %v, %q", name, answer, c.Responsible)
		}
		if d.Len() != 4 {
			t.Errorf("%s: %d clients", name, d.Len())
		}
	}
}

func TestThePlainestCSVNeedsNoConfiguration(t *testing.T) {
	d, err := clients.ParseCSV("c.csv", []byte("Number,Name,Responsible\n+79161234567,Acme,anna\n"), clients.CSV{})
	if err != nil {
		t.Fatal(err)
	}
	if c, answer := d.Find("+79161234567"); answer != clients.Found || c.Responsible != "anna" || d.Reload() != nil {
		t.Errorf("%v, %q", answer, c.Responsible)
	}
	d, err = clients.ParseCSV("c.csv", []byte("number,name\n101,Branch\n101,Branch\n"), clients.CSV{})
	if err == nil || d != nil {
		t.Error("a number of two rows is taken")
	}
	if d, err := clients.ParseCSV("c.csv", []byte("number,name\n101 | 1-01,Branch\n"), clients.CSV{}); err != nil || d.Len() != 1 {
		t.Errorf("a number twice in one row: %v", err)
	}
	p := clients.CSV{Employees: clients.Employees{Pattern: `OFFICE\\(\w+)`}}
	d, err = clients.ParseCSV("c.csv", []byte("number,name,responsible\n101,A,OFFICE\\anna\n102,B,ELSE\\boris\n"), p)
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]string{"101": "anna", "102": ""} {
		if c, _ := d.Find(number); c.Responsible != want {
			t.Errorf("%s: %q, want %q", number, c.Responsible, want)
		}
	}
}

func TestEachFaultOfACSVFileIsNamedWithItsPlaceAndWithoutTheNumber(t *testing.T) {
	ru := clients.CSV{Region: "RU"}
	for name, tc := range map[string]struct {
		text string
		c    clients.CSV
		want string
	}{
		"empty":                {"", ru, "1:1: the file is empty; its first row names the columns"},
		"no such column":       {"phone,name\n", ru, `1:1: there is no column "number"; name it in the first row, or say in the configuration which column is the number`},
		"configured, not here": {"number,name\n", clients.CSV{Columns: clients.Columns{Responsible: "Owner"}}, `1:1: there is no column "Owner"; name it in the first row, or say in the configuration which column is the responsible`},
		"a column twice":       {"number,name,Name\n", ru, `1:13: a second column "name"`},
		"no number":            {"number,name\n+7916FLOWERS,A\n", ru, "2:1: this is no possible telephone number; correct it, or leave the cell empty"},
		"no region":            {"number,name\n89161234567,A\n", clients.CSV{}, "2:1: this number has no country code and no region is given; write it with +, or set region in the configuration"},
		"no name":              {"name;number\n;89161234567\n", ru, "2:1: a name has 1 to 256 bytes, all printable"},
		"a number twice":       {"number,name\n89161234567,A\n\n+7 916 123-45-67,B\n", ru, "4:1: this number stands in line 2 already; whose client it is must be clear"},
		"a cell too many":      {"number,name\n89161234567,A,B\n", ru, "2:1: this row has 3 columns and the first has 2; a text with the separator in it stands in double quotes"},
		"a quote":              {"number,name\n101,A \"B\" C\n", ru, "2:1: the quotes of this row do not fit; a text stands in double quotes as a whole, and one in it is doubled"},
		"an open quote":        {"number,name\n101,A\n102,\"B\n", ru, "3:1: the quotes of this row do not fit; a text stands in double quotes as a whole, and one in it is doubled"},
		"another encoding":     {"number,name\n101,A\n102,\xcf\xe5\xf2\xf0\n", ru, "3:1: this is not UTF-8; save the file as CSV UTF-8"},
		"UTF-16":               {"\xff\xfen\x00u\x00", ru, "1:1: this is not UTF-8; save the file as CSV UTF-8"},
		"all at once":          {"number,name\n7654321,A\n102,\n", ru, "2:1: this is no possible telephone number; correct it, or leave the cell empty\nc.csv:3:5: a name has 1 to 256 bytes, all printable"},
	} {
		d, err := clients.ParseCSV("c.csv", []byte(tc.text), tc.c)
		if err == nil || err.Error() != "c.csv:"+tc.want || d != nil {
			t.Errorf("%s:\n%v, want\nc.csv:%s", name, err, tc.want)
			continue
		}
		if strings.Contains(err.Error(), "916") || strings.Contains(err.Error(), "765") {
			t.Errorf("%s: the error repeats the number: %v", name, err)
		}
		if first := (*clients.FileError)(nil); !errors.As(err, &first) {
			t.Errorf("%s: no FileError", name)
		}
	}
	for _, c := range []clients.CSV{{Region: "ZZ"}, {Employees: clients.Employees{Pattern: "("}}, {Employees: clients.Employees{Pattern: "anna"}}} {
		if _, err := clients.ParseCSV("c.csv", []byte("number,name\n"), c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestACSVFileIsReloadedAndTheLastGoodOneKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clients.csv")
	put := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("number,name\n101,Acme\n")
	d, err := clients.OpenCSV(path, clients.CSV{})
	if err != nil {
		t.Fatal(err)
	}
	put("number,name\n101\n")
	if err := d.Reload(); err == nil || d.Err() == nil || !strings.HasPrefix(err.Error(), path+":2:1: ") {
		t.Fatalf("a broken file: %v", err)
	}
	if c, _ := d.Find("101"); c.Name != "Acme" {
		t.Fatal("a broken file changed the directory")
	}
	put("number,name\n101,Bolt\n")
	if err := d.Reload(); err != nil || d.Err() != nil {
		t.Fatal(err)
	}
	if c, _ := d.Find("101"); c.Name != "Bolt" {
		t.Fatalf("%q after the reload", c.Name)
	}
	if _, err := clients.OpenCSV(path+".gone", clients.CSV{}); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// The oracle is a plain reading by encoding/csv: what is taken holds exactly the numbers, names and employees that stand in the rows, and an
// error tells nothing of the file.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("number,name,responsible\n+79161234567,Acme,anna\n"))
	f.Add([]byte("\ufeffnumber;name;access\n\"101\";\"A;B\";a|b\n"))
	f.Add([]byte("name,number\nA,\"89161234567,102\"\n"))
	f.Add([]byte("number,name\n\xff,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d *clients.Directory
		var err error
		limit := 4<<20 + uint64(len(data))*1000
		if n := allocation.Least(limit, func() { d, err = clients.ParseCSV("f", data, clients.CSV{Region: "RU"}) }); n > limit {
			t.Errorf("%d bytes have taken %d", len(data), n)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") {
					t.Fatalf("an error without its place: %q", line)
				}
			}
			return
		}
		text := strings.TrimPrefix(string(data), "\ufeff")
		header, _, _ := strings.Cut(text, "\n")
		r := csv.NewReader(strings.NewReader(text))
		if strings.Count(header, ";") > strings.Count(header, ",") {
			r.Comma = ';'
		}
		if strings.Contains(header, `"`) {
			return // which sign separates is another question there
		}
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatalf("encoding/csv refuses what was taken: %v", err)
		}
		column := func(name string) int {
			return slices.IndexFunc(rows[0], func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) })
		}
		seen := map[string]bool{}
		for _, row := range rows[1:] {
			for told := range strings.FieldsFuncSeq(row[column("number")], func(r rune) bool { return strings.ContainsRune(",;|\r\n", r) }) {
				if told = strings.TrimSpace(told); told == "" {
					continue
				}
				normal, ok := clients.Normalise(told, "RU")
				c, answer := d.Find(normal)
				if !ok || answer != clients.Found || c.Number != normal || c.Name != strings.TrimSpace(row[column("name")]) {
					t.Fatalf("%q is %v, %q", told, answer, c.Name)
				}
				if i := column("responsible"); i < 0 && c.Responsible != "" || i >= 0 && c.Responsible != "" && c.Responsible != strings.TrimSpace(row[i]) {
					t.Fatalf("responsible %q", c.Responsible)
				}
				seen[normal] = true
			}
		}
		if d.Len() != len(seen) {
			t.Fatalf("%d clients, and %d numbers in the file", d.Len(), len(seen))
		}
	})
}

func BenchmarkParseCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString("number,name,responsible\n")
	for i := range many {
		fmt.Fprintf(&text, "+7916%07d,Client %d,e%d\n", i, i, i%1000)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if d, err := clients.ParseCSV("c", []byte(text.String()), clients.CSV{Region: "RU"}); err != nil || d.Len() != many {
			b.Fatal(err)
		}
	}
}
