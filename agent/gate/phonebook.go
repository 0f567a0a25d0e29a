package gate

import (
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/policy"
)

// Phonebook is how the PBX names employees and lines, for a door that speaks the PBX's own protocol. It says who there is, not what they do, and
// everybody may know it, as the board shows every employee.
type Phonebook struct {
	Colleagues []Colleague // in the order of the policy
	Queues     []LineQueue // the same
}

// Colleague is one employee.
type Colleague struct {
	ID, Name string
	Phones   []string // endpoints, as the policy writes them, the first being the one that is rung when none is named
	Numbers  []string // as the policy writes them
}

// LineQueue is the Asterisk queue of a line.
type LineQueue struct{ Line, Queue string }

// Phonebook returns the names by the policy in force. The caller must not change the lists.
func (g *Gate) Phonebook() Phonebook {
	set := g.policy.Load()
	var book Phonebook
	for ref := range set.Employees() {
		book.Colleagues = append(book.Colleagues, colleague(set, ref))
	}
	for line := range set.Lines() {
		book.Queues = append(book.Queues, LineQueue{Line: set.LineID(line), Queue: set.Queue(line)})
	}
	return book
}

// Colleague returns one employee by the policy in force, and reports whether there is one of this id. The caller must not change the lists.
func (g *Gate) Colleague(id string) (Colleague, bool) {
	set := g.policy.Load()
	ref, ok := set.Employee(id)
	if !ok {
		return Colleague{}, false
	}
	return colleague(set, ref), true
}

func colleague(set *policy.Set, ref policy.Ref) Colleague {
	return Colleague{ID: set.ID(ref), Name: set.Name(ref), Phones: set.Phones(ref), Numbers: set.Numbers(ref)}
}

// Phone is which of somebody's phones is meant by what a client calls a channel to be rung: the technology in any case, the endpoint to the letter, as
// Asterisk has it; Local/NUMBER@context with a number of his own is his first.
func (c *Colleague) Phone(channel string) (phone string, ok bool) {
	if technology, exten, _ := strings.Cut(channel, "/"); strings.EqualFold(technology, "Local") {
		number, _, _ := strings.Cut(exten, "@")
		if slices.Contains(c.Numbers, number) && len(c.Phones) > 0 {
			return c.Phones[0], true
		}
	}
	for _, p := range c.Phones {
		_, mine, _ := strings.Cut(p, "/")
		if _, named, _ := strings.Cut(channel, "/"); named == mine && strings.EqualFold(p, channel) {
			return p, true
		}
	}
	return "", false
}

// Panel reports whether the policy in force has a panel of this name.
func (g *Gate) Panel(name string) bool {
	set := g.policy.Load()
	ref, _ := set.Employee(name)
	return set.Panel(ref)
}
