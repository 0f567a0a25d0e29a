// Package policy is the language in which an administrator says who may be within earshot of whose calls, and the engine
// that answers by it.
//
// A policy is YAML. It names the employees with their phones, numbers and departments, and gives each of them, directly or
// through roles, rights: to observe (see with whom a colleague talks), to spy, whisper and barge (together: listen), to
// intercept a ringing call, to dial, and to what is kept of calls:
//
//	version: 1
//	departments:
//	  sales: {name: Sales, head: irina}
//	groups:
//	  board: [director]
//	employees:
//	  anna:
//	    name: Anna Petrova
//	    phones: [PJSIP/101]
//	    numbers: ["101"]
//	    department: sales
//	    observe: true
//	    listen: {to: any, allow: [spy, whisper], except: [group:board]}
//	    intercept: true
//	  irina:    {name: Irina, phones: [PJSIP/110], numbers: ["110"], department: sales}
//	  director: {name: Director, phones: [PJSIP/200], numbers: ["200"]}
//	roles:
//	  head: {observe: department, listen: department}
//	assign:
//	  - {role: head, to: [heads]}
//	protected: {employees: [group:board]}
//	trunks: [PJSIP/trunk]
//
// [Load] parses and compiles such a file, reporting every mistake at once with its position and, where a word looks
// misspelt, the word that was probably meant. The result is a [Set]: immutable, safe for concurrent use, and answering
// [Set.Decide] without a lock and without allocating. [Set.Explain] gives the same answer with every rule that had a say.
//
// The one invariant: denial is the zero value and what remains when nothing speaks. A nil Set, a zero Set, a zero Request,
// a reference into another Set and a file with a mistake in it all grant nothing.
//
// # How the rules combine
//
// What a person may do is the union of his own entry and of every role that reaches him. Exclusions (except, and
// protected) beat every grant. A grant is about the target alone, whoever he talks to; an exclusion is about everybody
// within earshot, so [Request].With must name every other employee who would be heard.
//
// An entry with panel: true is a panel's that asks for nobody in particular: granted rights as an employee is, and in all else nobody.
//
// A phone proves who somebody is and may grant. A number is only claimed: it may exclude and hide, never grant.
//
// # Rights and scopes
//
// A right is true or false, a scope, a list, or a map:
//
//	listen: true                       # any colleague, in every mode
//	listen: department                 # none, own, department, subtree, any
//	listen: [boris, department:sales, subtree:sales, group:board]
//	listen: {to: SCOPE, only: LIST, allow: MODES, except: LIST, reason: true or LIST, during: TIME, from: DATE, until: DATE}
//
// All keys of the map may be left out, and only is another word for to with a list. To left out is any.
//
// Department means one's own department and each that one heads, subtree those with all below them. A list holds employees,
// departments (department:ID, or subtree:ID with those below) and groups (group:ID).
//
// Own is what is one's own: of observe one's own calls, of intercept one's own clients wherever they ring, of what was said and of
// statistics and settings what one took part in, of line rights the lines that one works on. Of spy, whisper and barge it is nothing.
// Department, subtree and any have one's own in them, where own means anything; a list has only what it names, and where it is about clients
// one's own.
//
// The rights are observe; listen, which is short for spy, whisper and barge; intercept; dial; recordings, which is short for play,
// download and delete; record, journal, grade, statistics; settings.user, settings.telephony, settings.numbers and
// settings.permissions; lock; unnoticed; line.view, line.connect, line.change, line.statistics, line.history, line.join, line.grade and
// line.replies; and all, which is every one of them on anybody. Recordings gives to play and to download; to delete, which is for
// good, only where allow names it, though an exception beside it bars all three. Lock, settings.telephony, settings.numbers,
// settings.permissions and all are had or not: true or any, false or none. In the map of all, to is any or none, and all: {to: none, except:
// LIST} grants nothing and bars everything; the others' map has neither to nor except.
//
// Except bars the action that it stands under, in a role against everybody who has the role, and against all his other grants. Allow
// and show narrow the grant only: the exception beside them bars all modes.
//
// Nobody is excepted from what is his own: an exception is about others.
//
// # When
//
// A grant may hold at certain times only, and so may a role that is assigned:
//
//	timezone: Europe/Moscow
//	times:
//	  office: {days: [mon-fri], hours: ["09:00-13:00", "14:00-18:00"]}
//	  night:  {hours: "22:00-06:00", timezone: Asia/Vladivostok}
//	roles:
//	  head: {listen: {to: department, except: [group:board], during: office}}
//	assign:
//	  - {role: head, to: [heads], from: 2027-01-11, until: 2027-01-31, during: office}
//
// Hours are read off the clock on the wall, also when it is put forward or back. Those that end before they begin last into the next day and
// belong to the day on which they begin. From is the beginning of that day, until the end. Under a right they are about the grant: the
// exception beside it holds always, and a grant that would reach at another time is refused as not_now. Under an assignment they are about
// the whole role: at other times he does not have it, with all its exceptions, and is refused as if he never had.
//
// # A reason
//
// Reason under listen, recordings and the rights that they are short for, and under all, says about whom a reason must be given, true for
// everybody. It binds like an exception, at any time, in a role all who have it, and counts everybody within earshot, but is lifted by
// [Request].ReasonGiven. Under all it is about those same rights, since for nothing else a reason can be given.
//
// # Observe
//
// Who may observe sees the peer of a colleague's call. With observe: kind, or {to: SCOPE, show: kind}, he sees only of which kind
// it is, external, internal or a queue: that is an action of its own, [ObserveKind], and whoever is refused [Observe] must be
// asked about it before anything is shown. The widest right counts, so one to the peer beside one to the kind shows the peer.
// An exception hides both. A protected number hides the peer and leaves the kind.
//
// # What was said
//
// Play, download, delete, record, journal and grade are about a call with all employees who were on it. It is in scope if any of them is,
// and excluded if any of them but the subject is. Nobody plays, downloads or records a call with a protected employee or number on it, he
// himself neither, and in the journal only those who were on it see one with a protected number. Who may not see a call in the journal may not grade it.
//
// Statistics and settings.user are about one employee. Lock is about the call that one is on oneself: like the other settings it has no
// target, and is refused for somebody else.
//
// # Lines
//
// A line is a queue that customers call. Its members are those who work on it:
//
//	lines:
//	  support: {name: Support, queue: support-ru, members: [department:support, anna]}
//	roles:
//	  director: {line.view: department, line.connect: department, line.history: [line:support], line.grade: any}
//
// In the lists of these rights, and of all, lines may stand beside people: line:ID. A right on the line as a whole, when [Request] names no
// Target, reaches a line that is in its list, or a member of which is in its scope; own is a line of which one is a member, and any is every
// line. A right on one conversation, whose employees are Target and With, reaches one of a line in its list, or with an employee in its
// scope; own is one in which one takes part. Line.statistics, line.history, line.join and line.grade may be about a conversation; the others are
// about the line as a whole only, and a request with a Target or With is refused. An exception bars the line that it names, for those who work
// on it too, and conversations with the employees that it names. Nobody joins a conversation with a protected employee or number on it; its
// history with a protected number is for those who took part.
//
// View and connect are each a condition of the other and both of change; history is a condition of grade. Whoever is responsible for the
// client, or has access to him, has line.history and line.join of his conversations, though not of the line as a whole, without any right on
// the line, unless he is excluded.
//
// # Protected and locked
//
// Protected employees are not supervised, intercepted, recorded or played by anybody, protected numbers not supervised or played, and
// hidden from all but those who are on the call. A call that is locked, [Request].Locked, is not supervised.
//
// # Telling the supervised
//
// Under listen, spy, whisper and barge, notify says how the employee is told that he is supervised: panel, while it lasts; tone, by a tone in
// his ear as long as it lasts; after, when it is over; several in a list; or none, which is as if it were not there. With a map the other side is
// told too: the employees there by panel and after, and by a tone everybody who is on the call:
//
//	roles:
//	  head:    {listen: {to: department, notify: after}}
//	  trainee: {listen: {only: [anna], notify: {how: [panel, after], to: both}}}
//	  quality: {listen: {to: any, notify: [tone, panel]}}
//	  auditor: {listen: any, unnoticed: department}
//
// It binds like a reason: it holds for all that the subject does so, whichever of his rights lets him, and where several rules want different
// ways, all of them are taken; the other side hears a tone only where one rule wants it to. Whoever has the right unnoticed on an employee supervises him without his being told, whatever notify says. It
// lets nobody supervise who may not. [Set.Notice] answers.
//
// # An overlay
//
// [Set.Over] lays over a policy what another system says of single employees: rights about calls that are given or taken, and targets that they are
// excepted from, see [OverlaySetting]. Exclusions of both beat the grants of both. An overlay that is not known gives nobody those rights.
//
// # Dial
//
// Whom one may call is said in a word, as a list of numbers, or as a map:
//
//	dial: any                            # or true; clients, employees, clients+employees; none or false
//	dial: ["+7 495*", "2*", "*98"]       # what begins with +7 495, internal numbers that begin with 2, one feature code
//	dial:
//	  clients: own                       # or department, subtree, any, a list; true is any, and false is none
//	  employees: [department:sales]      # or true, false, a scope: on whose numbers
//	  numbers: ["+7 495*"]
//	  except:
//	    employees: [group:board]         # on every number that may be theirs
//	    numbers: ["+7 900*"]
//	dial: {to: clients, except: {…}}     # one word or one list for all; left out it is any
//
// One's own clients are those whom one is responsible for or has access to; the other scopes add those for whom somebody in the
// scope is responsible, and any is every client. A pattern is a number with its country code, a number of up to six digits, or the
// beginning of either with a star at its end. Feature codes, which have a star or a hash in them, are dialled only where a list
// names them whole. Numbers under emergency may always be dialled, whatever is excepted and whoever asks.
//
// In the map of dial, during, from and until are about all that it grants. The right to all is to call any number, and those whom it excepts
// are excepted here.
//
// [Set.DecideDial] answers for a [Destination], which holds what is known of the number: it must be in its normal form, so that
// no way to write it changes the answer.
package policy
