package policy

// notices compares how those are told whom one supervises, where one may do so before and after and is not free of telling by the right
// unnoticed.
func (x *comparison) notices(a Action) {
	old, now := x.old.ways(a), x.now.ways(a)
	if old == now || !x.tellsSomebody(a) {
		return
	}
	for _, c := range [...]struct {
		ways     ways
		from, to Mark
	}{{old &^ now, MarkNo, MarkYes}, {now &^ old, MarkYes, MarkNo}} {
		news := ways(0)
		for way := ways(1); way != 0 && way <= c.ways; way <<= 1 {
			if c.ways&way != 0 && x.first(toldKey{ChangeNotice, a, c.from, c.to, int(way)}) {
				news |= way
			}
		}
		if news == 0 {
			continue
		}
		change := Change{Kind: ChangeNotice, Action: a, From: c.from, To: c.to, Since: x.since, text: news.text()}
		if c.to == MarkYes {
			change.Was = x.old.teller(a, news)
		} else {
			change.Is = x.now.teller(a, news)
		}
		x.changes = append(x.changes, change)
	}
}

// ways are those in which the supervised are told, whom the right unnoticed leaves aside.
func (s side) ways(a Action) (all ways) {
	if s.who < 0 {
		return 0
	}
	for t := range s.tellings(s.Set.ref(uint32(s.who))) {
		if t.allow.has(a) {
			all |= t.how
		}
	}
	return all
}

// teller is the first rule that wants somebody told in one of the ways.
func (s side) teller(a Action, of ways) Ground {
	for t, via := range s.tellings(s.Set.ref(uint32(s.who))) {
		if t.allow.has(a) && t.how&of != 0 {
			return Ground{s.Rule(t.rule), s.Rule(via)}
		}
	}
	return Ground{}
}

// tellsSomebody reports whether there is anybody of whom the way of telling is all that may have changed: whom one may supervise on both sides, and
// never unnoticed.
func (x *comparison) tellsSomebody(a Action) bool {
	if x.old.who < 0 || x.now.who < 0 {
		return false
	}
	was, is := x.old.targets(uint32(x.old.who), a, 0), x.now.targets(uint32(x.now.who), a, 0)
	both := was.given.with(is.given)
	for _, s := range [...]side{x.old, x.now} {
		unnoticed := s.targets(uint32(s.who), Unnoticed, 0)
		both.andNot(unnoticed.plain)
	}
	return !both.empty()
}

// text names the ways, where it is the other side too that is told alone as well.
func (w ways) text() string {
	if w == wayBoth {
		return "both sides"
	}
	return w.String()
}
