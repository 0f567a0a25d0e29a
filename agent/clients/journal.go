package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// journal is the file of pushed clients: a line for each batch, so that a batch is there as a whole or not at all, and so that to
// change one client of many writes one line. When most of it is out of date it is written anew.
type journal struct {
	path  string
	f     *os.File
	check bool  // it is only looked at
	size  int64 // up to the end of the last line that counts
	live  int64 // what was needed for the clients when it was last written anew
	bad   error // why nothing can be written any more
}

// batch is what one line changes.
type batch struct {
	put    []Client
	remove []string
}

// line is a batch as it is written. A Client of his own writes himself redacted.
type line struct {
	Put    []entry  `json:"put,omitempty"`
	Delete []string `json:"delete,omitempty"`
}

type entry struct {
	Number      string   `json:"number"`
	Name        string   `json:"name"`
	Responsible string   `json:"responsible,omitempty"`
	Access      []string `json:"access,omitempty"`
}

const (
	journalHead = `{"earshot":"clients","version":1}` + "\n"
	compactFrom = 1 << 20 // bytes; a smaller file is left as it is
	maxJournal  = 1 << 30
)

// openJournal opens or makes the file and has every batch in it replayed. Nobody else may have it open.
func openJournal(path string, replay func(batch) error) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{path: path, f: f}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: another Earshot has this file open", path)
	}
	if err := j.read(replay); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return j, nil
}

// read replays the file and takes away an end that was not written whole. The errors begin with the line's number.
func (j *journal) read(replay func(batch) error) error {
	r := bufio.NewReaderSize(io.LimitReader(j.f, maxJournal), 64<<10)
	for number := 1; ; number++ {
		text, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && number == 1 && bytes.HasPrefix([]byte(journalHead), text):
			return j.begin()
		case errors.Is(err, io.EOF) && number > 1:
			return j.cut()
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%d: %w", number, err)
		case number == 1 && string(text) != journalHead:
			return errors.New("1: this is no file of pushed clients; name another, or move this one away")
		case number > 1:
			b, err := parseLine(text)
			if err == nil {
				err = replay(b)
			}
			if err != nil {
				return fmt.Errorf("%d: %w", number, err)
			}
		}
		j.size += int64(len(text))
	}
}

func (j *journal) begin() error {
	if j.check {
		return nil
	}
	if _, err := j.f.WriteAt([]byte(journalHead), 0); err != nil {
		return fmt.Errorf("1: %w", err)
	}
	j.size = int64(len(journalHead))
	return j.cut()
}

// cut takes away what follows the last line that counts.
func (j *journal) cut() error {
	if j.check {
		return nil
	}
	if err := errors.Join(j.f.Truncate(j.size), j.f.Sync(), syncFolder(j.path)); err != nil {
		return fmt.Errorf("1: %w", err)
	}
	return nil
}

func parseLine(text []byte) (batch, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&l) != nil || !ends(d) {
		return batch{}, errors.New("this line is damaged; put the file back from a backup, or delete the line and have the CRM send its clients again")
	}
	b := batch{put: make([]Client, len(l.Put)), remove: l.Delete}
	for i, e := range l.Put {
		b.put[i] = Client(e)
	}
	return b, nil
}

func (b batch) encode() []byte {
	l := line{Put: make([]entry, len(b.put)), Delete: b.remove}
	for i, c := range b.put {
		l.Put[i] = entry(c)
	}
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // texts
	}
	return append(text, '\n')
}

// append writes a batch and returns when it is on the disk. After an error the file is as it was before, or nothing more is written.
func (j *journal) append(b batch) error {
	if j.bad != nil {
		return j.bad
	}
	text := b.encode()
	_, err := j.f.WriteAt(text, j.size)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		// What of the line is there must not be read one day, although nobody was told that it is.
		if undo := errors.Join(j.f.Truncate(j.size), j.f.Sync()); undo != nil {
			j.bad = fmt.Errorf("a failed write could not be undone; restart when the disk is well: %w", undo)
		}
		return err
	}
	j.size += int64(len(text))
	return nil
}

// compact writes the file anew when more than half of it is out of date.
func (j *journal) compact(clients map[string]Client) {
	if j.bad != nil || j.size < compactFrom || j.size < 2*j.live {
		return
	}
	if err := j.rewrite(clients); err != nil {
		j.live = j.size // so that it is not tried again at once
	}
}

// rewrite puts a file with the clients alone in the place of this one.
func (j *journal) rewrite(clients map[string]Client) (err error) {
	f, err := os.CreateTemp(filepath.Dir(j.path), "."+filepath.Base(j.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			_ = f.Close()
		}
	}()
	w := &counter{w: f}
	buffered := bufio.NewWriterSize(w, 64<<10)
	_, err = buffered.WriteString(journalHead)
	for part := range slices.Chunk(slices.Sorted(maps.Keys(clients)), 1000) {
		b := batch{put: make([]Client, len(part))}
		for i, number := range part {
			b.put[i] = clients[number]
		}
		if _, werr := buffered.Write(b.encode()); werr != nil {
			err = werr
		}
	}
	if err = errors.Join(err, buffered.Flush(), f.Sync(), syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), j.path); err != nil {
		return err
	}
	// From here on the new file is the one that is read after a restart, so it has to be the one that is written.
	_ = j.f.Close()
	j.f, j.size, j.live = f, w.n, w.n
	if err := syncFolder(j.path); err != nil {
		j.bad = err
	}
	return nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (j *journal) close() error {
	if j.bad == nil {
		j.bad = os.ErrClosed
	}
	return j.f.Close()
}
