package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Open opens the log at path, or makes it, and takes it for itself. The end of an existing log is verified and the chain goes on
// from there (the whole is [VerifyFiles]'s work). An unfinished end, as a crash leaves it, is moved to a file beside the log and
// the log says so in its next line. What a crash cannot explain is refused, and stays refused until somebody has looked: a head
// that does not fit, a log that ends before its head. To begin anew, move the log and its head away.
func Open(path string, o Options) (*Log, error) {
	return open(path, o, func(f *os.File) file { return f })
}

func open(path string, o Options, wrap func(*os.File) file) (_ *Log, err error) {
	if err := o.Key.Check(); err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // or the same log would have a head and a lock under each of its names
	}
	l := &Log{path: path, key: o.Key, clock: o.Clock, grown: make(chan struct{}, 1), chain: newChain(o.Key), wrap: wrap}
	defer func() {
		if err != nil {
			err = fmt.Errorf("audit: open %s: %w", path, err)
			if l.file != nil {
				_ = l.file.Close()
			}
			if l.heads != nil {
				_ = l.heads.Close()
			}
		}
	}()
	f, err := os.OpenFile(path+headSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l.heads = wrap(f)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, err
	}
	if err := l.resume(); err != nil {
		path1, link := (*fs.PathError)(nil), (*os.LinkError)(nil)
		switch machine := errors.As(err, &path1) || errors.As(err, &link); {
		case errors.Is(err, errHeadBad):
			err = fmt.Errorf("%w; see that audit.key_file is the key that it was written with; if it is, move the log and %s away and keep both, and a new log is begun", err, filepath.Base(path)+headSuffix)
		case !machine || errors.Is(err, fs.ErrNotExist): // it is the files that are wrong
			err = fmt.Errorf("%w; move the log and %s away and keep both, and a new log is begun", err, filepath.Base(path)+headSuffix)
		}
		return nil, err
	}
	l.show()
	return l, nil
}

// resume reads the head and the end of the log, and leaves both agreeing and synced.
func (l *Log) resume() error {
	var err error
	l.head, err = readHead(l.heads, l.chain)
	fresh := errors.Is(err, errHeadNone)
	if err != nil && !fresh {
		return err
	}
	if fresh {
		if st, err := os.Stat(l.path); err == nil && st.Size() > 0 {
			return errHeadNone
		}
	} else if err := l.finishRotation(); err != nil {
		return err
	}
	flag := os.O_CREATE
	if l.head.size > 0 {
		flag = 0 // a log that should be there is not made anew
	}
	if err := l.openFile(flag); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the log is gone and its head is there: %w", err)
	} else if err != nil {
		return err
	}
	if err := l.saveHead(); err != nil {
		return err
	}
	st, err := l.file.Stat()
	if err != nil {
		return err
	}
	if st.Size() < l.head.size {
		return fmt.Errorf("line %d and what follows it up to %d is missing: the end was cut off", l.head.base.Seq+1, l.head.last.Seq)
	}
	if err := l.checkLast(); err != nil {
		return err
	}
	torn, err := l.readOn(st.Size())
	if err != nil {
		return err
	}
	if err := l.cut(torn); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil { // lines that a killed process had written but not yet synced
		return err
	}
	if err := l.saveHead(); err != nil || torn == nil {
		return err
	}
	l.buf = l.buf[:0]
	next := l.head
	if err := l.note(&next, DetailTornTail); err != nil {
		return err
	}
	return l.store(next)
}

func (l *Log) openFile(flag int) error {
	f, err := os.OpenFile(l.path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return err
	}
	l.file = l.wrap(f)
	l.info, err = f.Stat()
	return err
}

func (l *Log) saveHead() error {
	if _, err := l.heads.WriteAt(l.head.encode(l.chain), 0); err != nil {
		return err
	}
	if err := l.heads.Sync(); err != nil {
		return err
	}
	return syncDir(l.path)
}

// checkLast sees whether the line that the head names stands where it says.
func (l *Log) checkLast() error {
	if l.head.size == 0 {
		return nil
	}
	from := max(0, l.head.size-maxLine)
	b := make([]byte, l.head.size-from)
	if _, err := l.file.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	line, whole := bytes.CutSuffix(b, []byte("\n"))
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	if at, _, ok := l.chain.place(line); !whole || !ok || at != l.head.last {
		return fmt.Errorf("line %d is not as it was written", l.head.last.Seq)
	}
	return nil
}

// readOn follows the chain behind the head, where a crash may have left whole lines that the head does not know, and returns what
// comes after the last good one.
func (l *Log) readOn(size int64) (torn []byte, err error) {
	const limit = (maxBatch + 1) * maxLine // all that one commit can write
	rest := io.NewSectionReader(l.file, l.head.size, size-l.head.size)
	r := bufio.NewReaderSize(rest, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err == nil {
			if at, prev, ok := l.chain.place(line[:len(line)-1]); ok && at.follows(l.head.last, prev) {
				l.head.last = at
				l.head.size += int64(len(line))
				continue
			}
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		break
	}
	if size-l.head.size > limit {
		return nil, fmt.Errorf("after line %d stand %d bytes that are no part of the chain", l.head.last.Seq, size-l.head.size)
	}
	if size == l.head.size {
		return nil, nil
	}
	torn = make([]byte, size-l.head.size)
	_, err = l.file.ReadAt(torn, l.head.size)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return torn, err
}

// cut moves the unfinished end to a file of its own; nothing of a log is thrown away.
func (l *Log) cut(torn []byte) error {
	if torn == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(l.path), fmt.Sprintf("%s.torn-%012d-*", filepath.Base(l.path), l.head.last.Seq+1))
	if err != nil {
		return err
	}
	_, err = f.Write(torn)
	if err = errors.Join(err, f.Sync(), f.Close(), syncDir(l.path)); err != nil {
		return err
	}
	return l.file.Truncate(l.head.size)
}

// syncDir makes the directory entries beside path last.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
