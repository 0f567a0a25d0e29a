package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// archive is the name that a log gets when it is put away: its last line's number behind it, so that names sort as the chain runs.
func archive(path string, last uint64) string { return fmt.Sprintf("%s.%012d", path, last) }

var archiveSuffix = regexp.MustCompile(`\.[0-9]{12,}$`)

// archived reads the number from such a name.
func archived(path, name string) (last uint64, ok bool) {
	suffix, ok := strings.CutPrefix(name, path)
	if !ok || archiveSuffix.FindString(suffix) != suffix || suffix == "" {
		return 0, false
	}
	last, err := strconv.ParseUint(suffix[1:], 10, 64)
	return last, err == nil
}

// Files returns the logs put away by [Log.Rotate] and then the current one, in the order of the chain.
func Files(path string) ([]string, error) {
	all, err := filepath.Glob(globQuote(path) + ".*")
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	files := slices.DeleteFunc(all, func(name string) bool { return archiveSuffix.FindString(name) != name[len(path):] })
	slices.SortFunc(files, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	if _, err := os.Stat(path); err == nil {
		files = append(files, path)
	}
	return files, nil
}

var globSpecial = regexp.MustCompile(`[*?\[\\]`)

func globQuote(path string) string { return globSpecial.ReplaceAllString(path, `\$0`) }

// Rotate puts the current file away under its name with the number of its last line, and goes on in a new file whose first line
// carries the hash of that last line. The file put away keeps a head of its own, so each verifies alone and all of them together.
// It returns the name. A log without lines is left as it is, and the name is empty. Other tools must not move the log: Append
// refuses when they do.
func (l *Log) Rotate() (string, error) {
	l.disk.Lock()
	defer l.disk.Unlock()
	name, err := l.rotate()
	if err != nil {
		return "", fmt.Errorf("audit: rotate: %w", err)
	}
	return name, nil
}

func (l *Log) rotate() (string, error) {
	if err := l.ready(); err != nil {
		return "", err
	}
	if l.head.size == 0 {
		return "", nil
	}
	name := archive(l.path, l.head.last.Seq)
	if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) { // of an older chain that was begun anew
		return "", errors.Join(fmt.Errorf("%s: %w", name, os.ErrExist), err)
	}
	if err := writeFile(name+headSuffix, l.head.encode(l.chain)); err != nil {
		return "", err
	}
	// From here a crash is finished by the next Open: a head of size 0 whose last line ends the file means that the file is to go.
	old := l.head
	l.head = head{base: old.last, last: old.last}
	if err := l.saveHead(); err != nil {
		l.head, l.broken = old, true
		return "", err
	}
	if err := os.Rename(l.path, name); err != nil {
		l.head, l.broken = old, true
		return "", err
	}
	was := l.file
	if err := l.openFile(os.O_CREATE | os.O_EXCL); err != nil {
		return "", err // Append finds no file and refuses until the next Open
	}
	l.show()
	if err := was.Close(); err != nil {
		return "", err
	}
	return name, syncDir(l.path)
}

// finishRotation renames a log that a crash kept from being put away.
func (l *Log) finishRotation() error {
	if l.head.size != 0 || l.head.last.Seq == 0 {
		return nil
	}
	name := archive(l.path, l.head.last.Seq)
	f, err := os.Open(name + headSuffix)
	if err != nil {
		return nil //nolint:nilerr // without the archive's head there is no rotation to finish
	}
	defer func() { _ = f.Close() }()
	h, err := readHead(f, l.chain)
	if err != nil || h.last != l.head.last {
		return nil //nolint:nilerr // a stranger's file; what is wrong with the log itself shows when it is read
	}
	st, err := os.Stat(l.path)
	if err != nil || st.Size() != h.size {
		return nil //nolint:nilerr // already put away
	}
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	return os.Rename(l.path, name)
}

func writeFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
