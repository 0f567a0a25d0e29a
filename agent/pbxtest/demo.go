package pbxtest

// Demo is the PBX of a small company: three departments with nine phones, two lines that customers call, a ring
// group, a conference room, a forwarded number, and a trunk on which outside callers come in.
func Demo() Plan {
	return Plan{
		Phones: []Phone{
			{ID: "101", Name: "Anna Petrova", Group: "sales"},
			{ID: "102", Name: "Boris Orlov", Group: "sales"},
			{ID: "103", Name: "Irina Belova", Group: "sales"},
			{ID: "201", Name: "Sergei Volkov", Group: "support"},
			{ID: "202", Name: "Olga Kim", Group: "support"},
			{ID: "203", Name: "Pavel Sokolov", Group: "support"},
			{ID: "301", Name: "Maria Director", Group: "office"},
			{ID: "302", Name: "Nina Accountant", Group: "office", DirectMedia: true},
			{ID: "303", Name: "Gleb Secretary", Group: "office", DirectMedia: true},
		},
		Trunks: []Trunk{{ID: "trunk"}},
		Queues: []Queue{
			{Name: "sales", Number: "610", Members: []Member{{Phone: "101"}, {Phone: "102"}}},
			{Name: "support", Number: "620", Members: []Member{{Phone: "201", Local: true}, {Phone: "202", Local: true}, {Phone: "203", Local: true}}},
		},
		Groups: []Group{{Number: "630", Phones: []string{"301", "303"}}},
		Rooms:  []string{"800"},
		Incoming: []Incoming{
			{Number: "74950000100", To: "610"}, {Number: "74950000200", To: "620"}, {Number: "74950000300", To: "630"},
			{Number: "74950000101", To: "101"}, {Number: "74950000102", To: "102"}, {Number: "74950000103", To: "103"},
			{Number: "74950000201", To: "201"}, {Number: "74950000202", To: "202"}, {Number: "74950000203", To: "203"},
			{Number: "74950000301", To: "301"}, {Number: "74950000302", To: "302"}, {Number: "74950000303", To: "303"},
		},
	}
}
