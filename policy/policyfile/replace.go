package policyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// put writes a file's bytes, down to the disk.
func put(file *os.File, data []byte) error {
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

// replace puts a file with other bytes in the place of one, in one step: who reads it reads the old one or the new one, after a loss of power too.
// Behind a link it is the file that is replaced and not the link. The last thing before is to ask whether it is still to be done.
func (f *File) replace(name string, data []byte, still func() error) (err error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return unwritten(err)
	}
	info, err := os.Lstat(real)
	if err != nil {
		return unwritten(err)
	}
	if !info.Mode().IsRegular() {
		return unsafe("it is no regular file; change it where it comes from")
	}
	if err := writable(real, info); err != nil {
		return err
	}
	folder := filepath.Dir(real)
	// A name that begins with a dot is no part of the policy.
	temp, err := os.CreateTemp(folder, "."+filepath.Base(real)+".*")
	if err != nil {
		return unwritten(err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if err := errors.Join(own(temp, info), temp.Chmod(info.Mode().Perm())); err != nil {
		return unwritten(err)
	}
	if err := f.put(temp, data); err != nil {
		return unwritten(err)
	}
	if err := temp.Close(); err != nil {
		return unwritten(err)
	}
	if err := still(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), real); err != nil {
		return unwritten(err)
	}
	// From here on it is changed, whatever the folder says of it.
	if d, err := os.Open(folder); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// writable says why a file is not to be written. Whoever may write the folder, and root above all, could replace a file that its owner has made
// read-only, and would go against him.
func writable(name string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o222 == 0 {
		return ErrReadOnly
	}
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case err != nil:
		return unwritten(err)
	}
	return file.Close()
}

func unwritten(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return fmt.Errorf("%w: %w", ErrUnwritten, err)
}
