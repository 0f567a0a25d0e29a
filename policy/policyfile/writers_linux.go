package policyfile

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// source is an inotify instance (inotify(7)): of fsnotify's events none says that a writer has closed a file.
type source struct {
	fd   int
	file *os.File // over it
	done chan struct{}

	mu      sync.Mutex // guards what follows
	watches map[string]int32
	folders map[int32]string
}

// newWriters begins to listen. Where the system has no inotify instance left it returns nil: nobody is known to have finished then.
func newWriters() *writers {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	s := &source{fd: fd, file: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{}), watches: map[string]int32{}, folders: map[int32]string{}}
	w := &writers{source: s, over: make(chan struct{}, 1)}
	go s.listen(w)
	return w
}

func (w *writers) close() {
	if w == nil {
		return
	}
	_ = w.source.file.Close()
	<-w.source.done
}

// heard is what is listened to.
const heard = syscall.IN_CREATE | syscall.IN_MODIFY | syscall.IN_CLOSE_WRITE | syscall.IN_MOVE | syscall.IN_DELETE | syscall.IN_ONLYDIR

// add listens to what is written in a folder. The kernel gives one watch to one folder, whatever the name.
func (w *writers) add(folder string) {
	if w == nil {
		return
	}
	s := w.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if wd, err := syscall.InotifyAddWatch(s.fd, folder, heard); err == nil {
		s.watches[folder], s.folders[int32(wd)] = int32(wd), folder
	}
}

// remove listens to it no more.
func (w *writers) remove(folder string) {
	if w == nil {
		return
	}
	s := w.source
	s.mu.Lock()
	defer s.mu.Unlock()
	wd, ok := s.watches[folder]
	delete(s.watches, folder)
	if ok && s.folders[wd] == folder { // and not another name of it by now
		delete(s.folders, wd)
		_, _ = syscall.InotifyRmWatch(s.fd, uint32(wd))
	}
}

// listen reads until close.
func (s *source) listen(w *writers) {
	defer close(s.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.file.Read(buf)
		if err != nil {
			w.forget()
			return
		}
		s.take(w, buf[:n])
	}
}

// take reads events, each of 16 bytes and a name that is padded with NULs.
func (s *source) take(w *writers, events []byte) {
	for len(events) >= syscall.SizeofInotifyEvent {
		wd, mask := int32(binary.NativeEndian.Uint32(events)), binary.NativeEndian.Uint32(events[4:])
		end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name := string(bytes.TrimRight(events[syscall.SizeofInotifyEvent:end], "\x00"))
		events = events[end:]
		s.mu.Lock()
		folder, ok := s.folders[wd]
		if mask&syscall.IN_IGNORED != 0 && ok {
			delete(s.folders, wd)
			if s.watches[folder] == wd { // and not that of one made anew
				delete(s.watches, folder)
			}
		}
		s.mu.Unlock()
		switch path := filepath.Join(folder, name); {
		case mask&syscall.IN_Q_OVERFLOW != 0:
			w.forget()
		case !ok || name == "":
		case mask&(syscall.IN_CLOSE_WRITE|syscall.IN_MOVED_TO) != 0: // what is put there in one step is whole too
			w.left(path)
		case mask&(syscall.IN_CREATE|syscall.IN_MODIFY) != 0:
			w.wrote(path)
		case mask&(syscall.IN_MOVED_FROM|syscall.IN_DELETE) != 0:
			w.gone(path)
		}
	}
}
