// Package policy is the language in which an administrator says who may be within earshot of whose calls, and the engine
// that answers by it.
//
// A policy is YAML. It names the employees with their phones, numbers and departments, and gives each of them, directly or
// through roles, the rights to observe (see with whom a colleague talks), to spy, whisper and barge (together: listen), to
// intercept a ringing call and to dial:
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
// A phone proves who somebody is and may grant. A number is only claimed: it may exclude and hide, never grant.
//
// # Observe
//
// Who may observe sees the peer of a colleague's call. With observe: kind, or {to: SCOPE, show: kind}, he sees only of which kind
// it is, external, internal or a queue: that is an action of its own, [ObserveKind], and whoever is refused [Observe] must be
// asked about it before anything is shown. The widest right counts, so one to the peer beside one to the kind shows the peer.
// An exception hides both. A protected number hides the peer and leaves the kind.
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
// [Set.DecideDial] answers for a [Destination], which holds what is known of the number: it must be in its normal form, so that
// no way to write it changes the answer.
package policy
