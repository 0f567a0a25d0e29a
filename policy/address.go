package policy

import "slices"

// Phone returns the employee whose phone the endpoint is, such as "PJSIP/101"; the technology's case does not matter. This
// is proof of who somebody is. On a Set for one PBX (see [Set.Beside]) it is about the endpoint there. It does not allocate.
func (s *Set) Phone(endpoint string) (Ref, bool) {
	if s == nil || s.tables == nil {
		return Ref{}, false
	}
	if i, ok := findEndpoint(&s.byPhone, endpoint); ok {
		return s.ref(s.phoneOf[i]), true
	}
	return Ref{}, false
}

// Trunk reports whether the endpoint leads outside.
func (s *Set) Trunk(endpoint string) bool {
	if s == nil || s.tables == nil {
		return false
	}
	_, ok := findEndpoint(&s.byTrunk, endpoint)
	return ok
}

// UnknownPhonesOutside reports whether the policy takes an endpoint that is neither a phone nor a trunk for an outside party.
func (s *Set) UnknownPhonesOutside() bool { return s != nil && s.tables != nil && s.unknownOutside }

// Outside reports whether whoever is at the endpoint is an outside party: it is a trunk, or it is nobody's phone either and the policy takes such ones for outside.
func (s *Set) Outside(endpoint string) bool {
	if s.Trunk(endpoint) {
		return true
	}
	if endpoint == "" || !s.UnknownPhonesOutside() {
		return false
	}
	_, phone := s.Phone(endpoint)
	return !phone
}

func findEndpoint(ix *index, endpoint string) (uint32, bool) {
	if i, ok := ix.find(endpoint); ok {
		return i, true
	}
	var buf [maxAddress]byte
	if canonical, ok := appendCanonicalEndpoint(buf[:0], endpoint); ok {
		return ix.findBytes(canonical)
	}
	return 0, false
}

// ByNumber returns the employee whose number it most likely is, in whatever form the PBX tells it: the one who has this very
// number, formatting aside; else the one whose number shares the most last digits with it, and of several the first in the
// policy. Others may be meant as well, so what must not miss anybody takes [Set.AppendByNumber]. It does not allocate.
func (s *Set) ByNumber(number string) (Ref, bool) {
	if s == nil || s.tables == nil {
		return Ref{}, false
	}
	if i, ok := findNumber(&s.byNo, number); ok {
		return s.ref(s.numOf[i]), true
	}
	var told, kept [maxAddress]byte
	digits := numberDigits(told[:0], number)
	best, most := Ref{}, 0
	for _, t := range s.tailed(digits) {
		own := numberDigits(kept[:0], s.byNo.at(t.number))
		if common := commonEnd(own, digits); common > most && sameNumber(own, digits) {
			best, most = s.ref(s.numOf[t.number]), common
		}
	}
	return best, most > 0
}

// AppendByNumber appends to dst every employee whose number it may be, in the order of the policy, and none who is in dst
// already. It is as generous as [Set.ProtectedNumber]: with a number +7 916 123-45-67 an employee is found as 8 (916) 123-45-67,
// as 007 916 123-45-67 and behind any prefix of a route. A number is only claimed, so what follows from it may exclude and
// hide, never grant. It allocates nothing when dst has room.
func (s *Set) AppendByNumber(dst []Ref, number string) []Ref {
	if s == nil || s.tables == nil {
		return dst
	}
	var told, kept [maxAddress]byte
	digits := numberDigits(told[:0], number)
	if len(digits) == 0 { // such as **, which is itself or nobody
		if i, ok := findNumber(&s.byNo, number); ok {
			dst = appendNew(dst, s.ref(s.numOf[i]))
		}
		return dst
	}
	for _, t := range s.tailed(digits) {
		if sameNumber(numberDigits(kept[:0], s.byNo.at(t.number)), digits) {
			dst = appendNew(dst, s.ref(s.numOf[t.number]))
		}
	}
	return dst
}

func appendNew(dst []Ref, r Ref) []Ref {
	if slices.Contains(dst, r) {
		return dst
	}
	return append(dst, r)
}

// Emergency reports whether the number is always to be dialled. It compares exactly, formatting aside.
func (s *Set) Emergency(number string) bool {
	if s == nil || s.tables == nil {
		return false
	}
	return s.emergencyRule(number) != 0
}

// EmergencyNumbers returns the numbers that are always to be dialled, without formatting. The slice is the caller's own.
func (s *Set) EmergencyNumbers() []string {
	if s == nil || s.tables == nil {
		return nil
	}
	return slices.Clone(s.emergency)
}

func (t *tables) emergencyRule(number string) RuleID {
	if i, ok := findNumber(&t.byEmergency, number); ok {
		return t.emergencyRules[i]
	}
	return 0
}

func findNumber(ix *index, number string) (uint32, bool) {
	if plainNumber(number) {
		return ix.find(number)
	}
	var buf [maxAddress]byte
	if canonical, ok := appendCanonicalNumber(buf[:0], number); ok {
		return ix.findBytes(canonical)
	}
	return 0, false
}

// ProtectedNumber reports whether the number may be one of protected.numbers. It is generous, because it only ever
// excludes: of numbers with seven digits or more it compares the national part, so that +7 495 765-43-21, 8 (495) 765-43-21 and
// 9-765-43-21 are one; shorter ones must be equal, formatting aside. It does not allocate.
func (s *Set) ProtectedNumber(number string) bool {
	if s == nil || s.tables == nil || len(s.guarded)+len(s.guardedShort) == 0 {
		return false
	}
	var buf [maxAddress]byte
	digits := numberDigits(buf[:0], number)
	if len(digits) < suffixDigits {
		return s.guardedShort[string(digits)]
	}
	for _, guarded := range s.guarded[suffixKey(digits)] {
		if sameSubscriber(guarded, digits) {
			return true
		}
	}
	return false
}
