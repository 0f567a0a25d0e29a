package policy

import "fmt"

// A RuleID names one rule of one Set. The zero value is no rule: the ground lies in the language itself, as that denial is
// what remains when nothing grants.
type RuleID uint32

// A Rule is one statement of a policy file that can be the ground of a decision.
type Rule struct {
	File         string // OverlayFile of what an overlay says; the line is then the place in it
	Line, Column int    // from 1; zero when there is no rule
	Text         string // its path in the file, such as employees.anna.listen.except
}

// String returns file:line:column: text, or "" for no rule.
func (r Rule) String() string {
	if r.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d: %s", r.File, r.Line, r.Column, r.Text)
}

// ruleRow is a rule as the Set keeps it: its text is put together when somebody asks.
type ruleRow struct {
	at    position
	owner uint32 // place of the employee, the role, or the assignment's number from 1
	file  uint16
	kind  ruleKind
	key   right
}

type ruleKind uint8

const (
	ruleEmployee ruleKind = iota
	ruleEmployeeExcept
	ruleEmployeeReason
	ruleEmployeeNotify
	ruleRole
	ruleRoleExcept
	ruleRoleReason
	ruleRoleNotify
	ruleAssignment
	ruleProtectedEmployees
	ruleProtectedNumber
	ruleEmergency
	ruleOverlay
)

// Rule returns the rule of that id; the zero Rule for zero and for an id of another Set.
func (s *Set) Rule(id RuleID) Rule {
	if s == nil || id == 0 || int(id) > len(s.rules) {
		return Rule{}
	}
	row := s.rules[id-1]
	rule := Rule{File: s.files[row.file], Line: int(row.at.line), Column: int(row.at.column)}
	switch row.kind {
	case ruleEmployee, ruleEmployeeExcept, ruleEmployeeReason, ruleEmployeeNotify:
		rule.Text = "employees." + s.id(row.owner) + "." + row.key.String() + ruleEnds[row.kind-ruleEmployee]
	case ruleRole, ruleRoleExcept, ruleRoleReason, ruleRoleNotify:
		rule.Text = "roles." + s.roleNames[row.owner] + "." + row.key.String() + ruleEnds[row.kind-ruleRole]
	case ruleAssignment:
		rule.Text = fmt.Sprintf("assign[%d]", row.owner)
	case ruleProtectedEmployees:
		rule.Text = "protected.employees"
	case ruleProtectedNumber:
		rule.Text = "protected.numbers"
	case ruleEmergency:
		rule.Text = "emergency"
	case ruleOverlay:
		rule.Text = s.overlayTexts[row.owner]
	}
	return rule
}

// ruleEnds are what stands behind the right, for a grant, an exception, a reason and a notice.
var ruleEnds = [...]string{"", ".except", ".reason", ".notify"}
