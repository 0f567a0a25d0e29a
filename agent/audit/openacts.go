package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Act is one that was allowed and of whose end the log says nothing: it runs, or Earshot was killed before it could say.
type Act struct {
	Entry              // as it was decided; Action, Mode, Given and Detail are those in force, Employees everybody who was on the call at any time
	Carried  time.Time // when the log says that it was carried out; zero when it does not
	Changing bool      // another mode, or a change of a recording, had been allowed, and the log does not say whether that came into force
}

// OpenActs tells which acts have no end in the log files, oldest first, in the order in which they were decided. An act that neither hears
// nor records anybody is at its end when it has been carried out, since there is nothing of it that runs; so is what was disclosed. Each line is checked as [Read] does.
//
// The error is the first that was met. What is said of a damaged log is not complete, so nothing may be kept running on its strength.
func OpenActs(k Key, paths ...string) ([]Act, error) {
	w := &openWalk{lines: make(map[string][]Entry)}
	var last Link
	for i, path := range paths {
		if i == 0 {
			if h, err := headOf(path, k); err == nil {
				last = h.base
			}
		}
		if err := w.file(k, path, &last); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	var acts []Act
	for _, id := range w.order {
		if entries := w.lines[id]; entries != nil {
			acts = append(acts, actOf(entries))
			delete(w.lines, id)
		}
	}
	return acts, nil
}

// openWalk reads a log that may be long, before Earshot can start: an entry is decoded only when its act may turn out to be open.
type openWalk struct {
	order []string
	lines map[string][]Entry // by act
}

func (w *openWalk) file(k Key, path string, last *Link) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := newReader(f, k, path, *last)
	for {
		line, at, prev, err := r.next()
		if errors.Is(err, io.EOF) {
			*last = r.last
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.line(r, line, at, prev); err != nil {
			return err
		}
	}
}

var (
	idMark      = []byte(`","id":"`) // after the time
	endedMark   = []byte(`","phase":"ended"`)
	revokedMark = []byte(`","phase":"revoked"`)
	denyMark    = []byte(`,"outcome":"deny",`)
)

func (w *openWalk) line(r *Reader, line []byte, at Link, prev []byte) error {
	_, rest, ok := bytes.Cut(line, idMark)
	n := bytes.IndexByte(rest, '"') // an id is a code, so nothing in it is escaped
	if !ok || n < 0 {
		return r.faultAt(Altered, at.Seq, 0)
	}
	id, rest := rest[:n], rest[n:]
	switch open := w.lines[string(id)]; {
	case bytes.HasPrefix(rest, endedMark), bytes.HasPrefix(rest, revokedMark):
		delete(w.lines, string(id))
		return nil
	case open == nil && bytes.Contains(rest, denyMark):
		return nil
	}
	e, ok := decode(line, at, prev)
	if !ok {
		return r.faultAt(Altered, at.Seq, 0)
	}
	w.add(e)
	return nil
}

// add takes an entry that is not the end of a running act.
func (w *openWalk) add(e Entry) {
	open := w.lines[e.ID]
	carried := slices.ContainsFunc(open, func(o Entry) bool { return o.Phase == Done })
	switch {
	case open == nil && (e.Phase != Decided || e.Outcome != Allow):
	case e.Phase == Done && !e.hears() && e.Action != "record", e.Phase == Failed && !carried, e.Phase == Disclosed:
		delete(w.lines, e.ID)
	default:
		if open == nil {
			w.order = append(w.order, e.ID)
		}
		w.lines[e.ID] = append(open, e)
	}
}

// actOf puts the entries of an act without an end together.
func actOf(entries []Entry) Act {
	a := Act{Entry: entries[0]}
	for _, e := range entries[1:] {
		switch {
		case e.Phase == Decided && e.Outcome == Allow:
			a.Changing = a.Changing || e.Action != a.Action || e.Mode != a.Mode
		case e.Phase == Done:
			a.Action, a.Mode, a.Carried, a.Changing = e.Action, e.Mode, e.At(), false
			a.Given = cmp.Or(e.Given, a.Given)
		case e.Phase == Failed:
			a.Changing = false
		}
		if e.Detail != "" {
			a.Detail = e.Detail
		}
		for _, id := range e.Employees {
			if !slices.Contains(a.Employees, id) {
				a.Employees = append(slices.Clip(a.Employees), id)
			}
		}
	}
	return a
}
