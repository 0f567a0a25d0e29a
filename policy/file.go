package policy

// A File is one parsed policy file. It may hold mistakes, which [Compile] then reports together with its own; nothing can
// be decided by a File.
type File struct {
	name     string
	problems Problems
	warnings Problems

	timezone     word
	times        []timesEntry
	lines        []lineEntry
	departments  []departmentEntry
	groups       []groupEntry
	employees    []employeeEntry
	roles        []roleEntry
	assignments  []assignment
	protected    []selector
	protectedAt  position
	protectedNo  []word
	trunks       []word
	emergency    []word
	unknownPhone word // the text is "outside" when set
}

// Name returns the file's name as it was given to Parse.
func (f *File) Name() string { return f.name }

// position is a place in a file, from 1; the zero value is no place.
type position struct{ line, column uint32 }

// word is a scalar with its place.
type word struct {
	text string
	at   position
}

type departmentEntry struct {
	id           word
	name         string
	head, parent word
}

type groupEntry struct {
	id      word
	members []word
}

type employeeEntry struct {
	id         word
	name       string
	department word
	pbx        word   // on which his phones are; empty: not said
	phones     []word // canonical
	numbers    []word // canonical
	rights     []rightEntry
	dial       *dialEntry // nil: not a word about it
	panel      bool       // no employee, but a panel that asks for nobody in particular
}

type roleEntry struct {
	id     word
	rights []rightEntry
	dial   *dialEntry
}

type assignment struct {
	at   position
	role word
	to   []selector
	when when
}

// rightEntry is one right as written: what it grants, to whom, and who is excepted.
type rightEntry struct {
	key    right
	at     position // of the key
	allow  actionSet
	scope  scope
	list   []selector // for scopeList
	listAt position
	except []selector
	// exceptAt is set when there is an except, even an empty one.
	exceptAt position
	// Of a reason that must be given: for all, or for those of a list. reasonAt is set when there is one.
	reasonAll bool
	reason    []selector
	reasonAt  position
	// How an employee is told. notifyAt is set when there is a notify, even one that says none.
	how      ways
	notifyAt position
	when     when
}

// when says at which times a grant or an assignment holds; the zero value is always. It is never about an exception.
type when struct {
	during      word // id of a time, or empty
	from, until word // dates, or empty
}

// timesEntry is a stretch of the week, as written.
type timesEntry struct {
	id       word
	days     uint8 // a bit for each time.Weekday; zero: all
	hours    []hours
	timezone word
}

// hours are minutes of a day; those that do not end after they begin end on the next day.
type hours struct{ begin, end int16 }

type lineEntry struct {
	id      word
	name    string
	queue   word
	members []selector
}

// dialEntry is the right to dial as written. Each part is a right of its own; what is excepted is excepted from all of them.
type dialEntry struct {
	grants   []dialPart
	except   []dialPart // of numbers and of employees
	exceptAt position   // set when there is an except, even an empty one
}

// dialPart says which numbers: any, those of clients or employees in a scope, or those that have a pattern.
type dialPart struct {
	kind    dialKind
	key     right    // under which it stands
	at      position // of its key
	scope   scope    // of clients and employees
	list    []selector
	numbers []pattern
	when    when // of a grant
}

type dialKind uint8

const (
	dialAny dialKind = iota
	dialClients
	dialEmployees
	dialNumbers
)

// dialKeys are the keys of the parts, indexed by dialKind.
var dialKeys = [...]string{dialAny: "any", dialClients: "clients", dialEmployees: "employees", dialNumbers: "numbers"}

// A scope says on whom a grant is.
type scope uint8

const (
	scopeNone scope = iota
	scopeOwn
	scopeDepartment
	scopeSubtree
	scopeAny
	scopeList
)

var scopeNames = []string{"none", "own", "department", "subtree", "any", "a list"}

// A selector is one entry of a list of people, or of lines.
type selector struct {
	kind selectorKind
	name string // empty for everyone and heads
	at   position
}

type selectorKind uint8

const (
	selectEmployee selectorKind = iota
	selectDepartment
	selectSubtree // a department with those below
	selectGroup
	selectEveryone
	selectHeads
	selectLine
)

// selectorPrefixes are written before a name in a list, with a colon.
var selectorPrefixes = map[string]selectorKind{
	"department": selectDepartment, "subtree": selectSubtree, "group": selectGroup, "line": selectLine,
}
