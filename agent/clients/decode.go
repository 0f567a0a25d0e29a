package clients

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-pbx/earshot/agent/strict"
	"go.yaml.in/yaml/v3"
)

// FileError is one thing wrong with a directory's file. All of them come joined (errors.Join). It repeats no number and no name.
type FileError = strict.Error

type decoder struct {
	*strict.Reader
	region string
	pages
}

// pages are what a book is made of while its file is read.
type pages struct {
	list  []Client
	index map[string]int32
	lines []int // of each client's number
}

func newPages(n int) pages {
	return pages{list: make([]Client, 0, n), lines: make([]int, 0, n), index: make(map[string]int32, n)}
}

// add adds a client, unless his number stands there already: then it returns the line.
func (p *pages) add(c Client, line int) (first int, twice bool) {
	if place, twice := p.index[c.Number]; twice {
		return p.lines[place], true
	}
	p.index[c.Number] = int32(len(p.list)) //nolint:gosec // maxFile is far below that many clients
	p.list = append(p.list, c)
	p.lines = append(p.lines, line)
	return 0, false
}

func parse(name string, data []byte, o Options) (*book, error) {
	d := decoder{Reader: strict.NewReader(name), region: o.Region, pages: newPages(0)}
	if o.Region != "" && !knownRegion(o.Region) {
		return nil, fmt.Errorf("clients: region %q is unknown; two capital letters as in ISO 3166 (RU, DE)", o.Region)
	}
	d.root(d.Document(data))
	if err := d.Err(); err != nil {
		return nil, err
	}
	return newBook(d.region, slices.Clip(d.list), d.index), nil
}

// regionOf is the region that a YAML file says. It is empty when the file says none or cannot be used; why is told when it is opened.
func regionOf(path string) string {
	file, err := open(path, func(name string, data []byte) (*book, error) {
		d := decoder{Reader: strict.NewReader(name)}
		var region, list *yaml.Node
		if n := d.Document(data); n != nil && n.Kind == yaml.MappingNode && d.Fields(n, rootKeys, &region, &list) && region != nil {
			d.region, _ = d.Text(region)
		}
		return &book{region: d.region}, d.Err()
	})
	if err != nil || !knownRegion(file.Region()) {
		return ""
	}
	return file.Region()
}

var rootKeys = []string{"region", "clients"}

func (d *decoder) root(n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind == yaml.SequenceNode {
		d.clients(n)
		return
	}
	var region, list *yaml.Node
	if !d.Fields(n, rootKeys, &region, &list) {
		return
	}
	if region != nil {
		var ok bool
		if d.region, ok = d.Text(region); ok && !knownRegion(d.region) {
			d.Fail(region, "unknown region; two capital letters as in ISO 3166 (RU, DE)")
			ok = false
		}
		if !ok {
			return // what is said of the numbers without a region would mislead
		}
	}
	switch {
	case list == nil || list.Tag == "!!null":
	case list.Kind != yaml.SequenceNode:
		d.Fail(list, "a list of clients belongs here")
	default:
		d.clients(list)
	}
}

func (d *decoder) clients(list *yaml.Node) {
	d.pages = newPages(len(list.Content))
	for _, n := range list.Content {
		d.client(n)
	}
}

var clientKeys = []string{"number", "name", "responsible", "access"}

func (d *decoder) client(n *yaml.Node) {
	before := d.Failed()
	var number, name, responsible, access *yaml.Node
	if !d.Fields(n, clientKeys, &number, &name, &responsible, &access) {
		return
	}
	if number == nil {
		d.Fail(n, "number is missing")
	}
	if name == nil {
		d.Fail(n, "name is missing")
	}
	var c Client
	if number != nil {
		c.Number = d.number(number)
	}
	if name != nil {
		var ok bool
		if c.Name, ok = d.Text(name); ok && (c.Name == "" || !printable(c.Name)) {
			d.Fail(name, "a name has 1 to %d bytes, all printable", maxText)
		}
	}
	if responsible != nil {
		var ok bool
		if c.Responsible, ok = d.Text(responsible); ok && (c.Responsible == "" || !printable(c.Responsible)) {
			d.Fail(responsible, "responsible is not an employee's id; leave the key out when nobody is responsible")
		}
	}
	if access != nil {
		c.Access = d.access(access, c.Responsible)
	}
	if d.Failed() > before {
		return
	}
	if first, twice := d.add(c, number.Line); twice {
		d.Fail(number, "this number stands in line %d already", first)
	}
}

func (d *decoder) access(list *yaml.Node, responsible string) []string {
	if list.Kind != yaml.SequenceNode {
		d.Fail(list, "access is a list of employees' ids")
		return nil
	}
	if len(list.Content) > maxAccess {
		d.Fail(list, "access has more than %d ids", maxAccess)
		return nil
	}
	var ids []string
	for _, n := range list.Content {
		if id, ok := d.Text(n); ok && (id == "" || !printable(id)) {
			d.Fail(n, "this is not an employee's id")
		} else if ok {
			ids = addAccess(ids, id, responsible)
		}
	}
	return ids
}

// addAccess adds the id of somebody who has access, unless he is there or is responsible anyway.
func addAccess(ids []string, id, responsible string) []string {
	if id == responsible || slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

func (d *decoder) number(n *yaml.Node) string {
	told, ok := d.Number(n)
	if !ok {
		return ""
	}
	normal, ok := Normalise(told, d.region)
	switch {
	case ok:
	case d.region == "" && !strings.HasPrefix(told, "+"):
		d.Fail(n, "this number has no country code and no region is given; write it with +, or set region")
	default:
		d.Fail(n, "this is no possible telephone number")
	}
	return normal
}

const (
	maxText   = 256 // bytes of a name or an id
	maxAccess = 100 // who have access to one client
)

func printable(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
