// Package policy is the language in which an administrator says who may be within earshot of whose calls, and the engine
// that answers by it.
//
// A policy is YAML. It names the employees with their phones, numbers and departments, and gives each of them, directly or
// through roles, the rights to observe (see with whom a colleague talks), to spy, whisper and barge (together: listen) and
// to intercept a ringing call:
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
package policy
