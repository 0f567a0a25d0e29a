package policyfile

import (
	"os"
	"time"
)

// Putting has files written by another function, for a disk that is full and for what happens meanwhile.
func (f *File) Putting(put func(file *os.File, data []byte) error) { f.put = put }

// Put is what writes them otherwise.
func Put(file *os.File, data []byte) error { return put(file, data) }

// Impatient has an edit wait no longer than so for its being in force.
func (f *File) Impatient(d time.Duration) { f.patience = d }
