package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// errNoDatabase says that a file is something else.
var errNoDatabase = errors.New("the journal's file is no SQLite database")

// Check reports why [Open] would not take a file, as far as its head tells: another file than a database, or [ErrNewer]. It makes and changes nothing;
// SQLite itself would make files beside it. One that is not there, or empty, is good. A version that stands in the log beside the file alone is not seen:
// so it is for as long as an Earshot has just migrated it and not been stopped since.
func Check(path string) (err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const magic, versionAt = "SQLite format 3\x00", 60 // https://www.sqlite.org/fileformat.html, section 1.3
	head := make([]byte, 100)
	n, err := io.ReadFull(f, head)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read the journal: %w", err)
	case n < len(head) || string(head[:len(magic)]) != magic:
		return errNoDatabase
	}
	return known(int(binary.BigEndian.Uint32(head[versionAt:])))
}

// known says whether this Earshot reads that version.
func known(version int) error {
	if version > len(migrations) {
		return fmt.Errorf("the journal's file %w (it has version %d, this Earshot knows %d)", ErrNewer, version, len(migrations))
	}
	return nil
}
