package gate_test

import (
	"slices"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestThePhonebookHasEveryEmployeeAndEveryLine(t *testing.T) {
	o := newLineOffice(t)
	book := o.gate.Phonebook()
	if len(book.Colleagues) != o.gate.Policy().Len() {
		t.Errorf("it has %d employees", len(book.Colleagues))
	}
	i := slices.IndexFunc(book.Colleagues, func(c gate.Colleague) bool { return c.ID == "anna" })
	if i < 0 {
		t.Fatalf("it does not have anna: %+v", book.Colleagues)
	}
	if anna := book.Colleagues[i]; anna.Name != "Anna" || !slices.Contains(anna.Phones, "PJSIP/101") || !slices.Contains(anna.Numbers, "101") {
		t.Errorf("anna is %+v", anna)
	}
	if !slices.Contains(book.Queues, gate.LineQueue{Line: "sales", Queue: "q-sales"}) {
		t.Errorf("the lines are %+v", book.Queues)
	}
}
