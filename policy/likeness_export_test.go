package policy

// Everything is what People yields when no work is spared: everybody is compared at every moment, in every action.
func (d *Difference) Everything() (all []Person) {
	w := d.walk()
	for i := range d.is {
		place := uint32(i)
		x := w.comparison(place)
		for m := range d.Moments {
			x.at(w, m)
			x.compare(^actionSet(0))
		}
		if p := w.named(place, x.changes); len(p.Changes) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// Work counts what People compares: each action of an employee at a moment once.
func (d *Difference) Work() (n int) {
	w := d.walk()
	for i := range d.is {
		x := w.comparison(uint32(i))
		w.alike.next()
		for m := range d.Moments {
			if x.at(w, m); w.alike.seen(x.old, x.now) {
				continue
			}
			in := w.alike.differing(x.old, x.now)
			for _, a := range Actions() {
				if in.has(a) {
					n++
				}
			}
		}
	}
	return n
}
