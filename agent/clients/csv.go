package clients

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/earshot-pbx/earshot/agent/strict"
)

// Columns say which column of a CSV file holds what, by the names in its first row; capitals do not matter. Other columns are passed
// over. What is left out is the column of its own name: "number", "name", "responsible", "access".
type Columns struct {
	Number      []string `yaml:"number"` // every column with numbers
	Name        string   `yaml:"name"`
	Responsible string   `yaml:"responsible"` // optional in the file unless it is given here
	Access      string   `yaml:"access"`      // optional in the file unless it is given here
}

// CSV is how a CSV file is read. The zero value is ready for use.
type CSV struct {
	Region    string // how numbers without a country code are read ("RU", ISO 3166)
	Columns   Columns
	Employees Employees // who the ids in the columns responsible and access are; left out, they are employees' ids
}

// OpenCSV reads a directory from a CSV file (RFC 4180): UTF-8 with or without a byte order mark, the first row names the columns, which
// are separated by commas or semicolons, whichever that row has more of. A cell may hold several numbers or ids, separated by commas,
// semicolons, bars or line ends; a row without a number is passed over. Everything else that cannot be read is an error with its
// line, as in [Open].
func OpenCSV(path string, c CSV) (*Directory, error) {
	return open(path, func(name string, data []byte) (*book, error) { return parseCSV(name, data, c) })
}

// ParseCSV makes a directory of a CSV file's text, as [Parse] does with YAML.
func ParseCSV(name string, data []byte, c CSV) (*Directory, error) {
	b, err := parseCSV(name, data, c)
	if err != nil {
		return nil, err
	}
	d := new(Directory)
	d.book.Store(b)
	return d, nil
}

// table is a CSV file while it is read.
type table struct {
	*strict.Reader
	csv    *csv.Reader
	config CSV
	people mapping
	row    []string
	places // of the columns
	pages
}

type places struct {
	numbers                   []int
	name, responsible, access int // -1: there is none
}

func parseCSV(name string, data []byte, c CSV) (*book, error) {
	if c.Region != "" && !knownRegion(c.Region) {
		return nil, fmt.Errorf("clients: region %q is unknown; two capital letters as in ISO 3166 (RU, DE)", c.Region)
	}
	people, err := c.Employees.compile()
	if err != nil {
		return nil, fmt.Errorf("clients: employees: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	t := &table{Reader: strict.NewReader(name), csv: csv.NewReader(bytes.NewReader(data)), config: c, people: people, pages: newPages(0)}
	t.csv.Comma, t.csv.ReuseRecord = separator(data), true
	if at := notUTF8(data); at > 0 {
		t.fail(at, 1, "this is not UTF-8; save the file as CSV UTF-8")
	} else if t.header() {
		for t.next() {
			t.client()
		}
	}
	if err := t.Err(); err != nil {
		return nil, err
	}
	return newBook(c.Region, t.list, t.index), nil
}

// separator is what separates the columns of the first row.
func separator(data []byte) rune {
	header, _, _ := bytes.Cut(data, []byte("\n"))
	commas, semicolons, quoted := 0, 0, false
	for _, b := range header {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == ',':
			commas++
		case b == ';':
			semicolons++
		}
	}
	if semicolons > commas {
		return ';'
	}
	return ','
}

// notUTF8 is the first line that is not UTF-8 text; 0 when all are. A NUL is in none; UTF-16 is full of them.
func notUTF8(data []byte) int {
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
		return 0
	}
	line := 1
	for l := range bytes.Lines(data) {
		if !utf8.Valid(l) || bytes.IndexByte(l, 0) >= 0 {
			return line
		}
		line++
	}
	return line
}

func (t *table) fail(line, column int, format string, args ...any) {
	t.Fail(&yaml.Node{Line: line, Column: column}, format, args...)
}

// failAt notes a fault of a cell.
func (t *table) failAt(column int, format string, args ...any) {
	line, at := t.csv.FieldPos(column)
	t.fail(line, at, format, args...)
}

// next reads a row; false when there is none or none that can be found.
func (t *table) next() bool {
	row, err := t.csv.Read()
	wrong := (*csv.ParseError)(nil)
	switch {
	case err == nil:
		t.row = row
		return true
	case errors.Is(err, io.EOF):
		return false
	case errors.Is(err, csv.ErrFieldCount):
		line, _ := t.csv.FieldPos(0)
		t.fail(line, 1, "this row has %d columns and the first has %d; a text with the separator in it stands in double quotes", len(row), t.csv.FieldsPerRecord)
		t.row = nil // where its cells belong is not known
		return true
	case errors.As(err, &wrong):
		t.fail(wrong.StartLine, 1, "the quotes of this row do not fit; a text stands in double quotes as a whole, and one in it is doubled")
	default:
		t.fail(1, 1, "%v", err)
	}
	return false
}

// header finds the columns.
func (t *table) header() bool {
	if !t.next() {
		if t.Failed() == 0 {
			t.fail(1, 1, "the file is empty; its first row names the columns")
		}
		return false
	}
	c := t.config.Columns
	find := func(name, standard string) int {
		required := name != "" || standard == "number" || standard == "name"
		if name == "" {
			name = standard
		}
		found := -1
		for i, title := range t.row {
			if !strings.EqualFold(strings.TrimSpace(title), name) {
				continue
			}
			if found >= 0 {
				t.failAt(i, "a second column %q", name)
			}
			found = i
		}
		if found < 0 && required {
			t.fail(1, 1, "there is no column %q; name it in the first row, or say in the configuration which column is the %s", name, standard)
		}
		return found
	}
	t.name, t.responsible, t.access = find(c.Name, "name"), find(c.Responsible, "responsible"), find(c.Access, "access")
	if len(c.Number) == 0 {
		t.numbers = []int{find("", "number")}
	}
	for _, name := range c.Number {
		t.numbers = append(t.numbers, find(name, "number"))
	}
	return t.Failed() == 0
}

// client reads the clients of a row: one for each number.
func (t *table) client() {
	if t.row == nil {
		return
	}
	var c Client
	named := false
	for _, column := range t.numbers {
		for _, told := range several(t.row[column]) {
			if !named {
				if c, named = t.person(), true; c.Name == "" {
					return
				}
			}
			t.number(c, column, told)
		}
	}
}

// person is the row's client without his number; the zero one after an error.
func (t *table) person() Client {
	c := Client{Name: strings.TrimSpace(t.row[t.name])}
	if c.Name == "" || !printable(c.Name) {
		t.failAt(t.name, "a name has 1 to %d bytes, all printable", maxText)
		return Client{}
	}
	if t.responsible >= 0 {
		c.Responsible = t.people.employee(t.row[t.responsible])
	}
	if t.access >= 0 {
		for _, id := range several(t.row[t.access]) {
			if id = t.people.employee(id); id != "" && len(c.Access) < maxAccess {
				c.Access = addAccess(c.Access, id, c.Responsible)
			}
		}
	}
	c.Name, c.Responsible = strings.Clone(c.Name), strings.Clone(c.Responsible) // the row is one text
	return c
}

func (t *table) number(c Client, column int, told string) {
	var ok bool
	if c.Number, ok = Normalise(told, t.config.Region); !ok {
		if t.config.Region == "" && !strings.HasPrefix(told, "+") {
			t.failAt(column, "this number has no country code and no region is given; write it with +, or set region in the configuration")
			return
		}
		t.failAt(column, "this is no possible telephone number; correct it, or leave the cell empty")
		return
	}
	line, _ := t.csv.FieldPos(column)
	if first, twice := t.add(c, line); twice && first != line {
		t.failAt(column, "this number stands in line %d already; whose client it is must be clear", first)
	}
}

// several are the texts in a cell.
func several(cell string) []string {
	var texts []string
	for s := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune(",;|\n\r", r) }) {
		if s = strings.TrimSpace(s); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}
