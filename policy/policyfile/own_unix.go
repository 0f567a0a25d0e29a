//go:build unix

package policyfile

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner and the group of another, if it has others.
func own(file *os.File, like fs.FileInfo) error {
	made, err := file.Stat()
	if err != nil {
		return err
	}
	is, ok1 := made.Sys().(*syscall.Stat_t)
	want, ok2 := like.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || is.Uid == want.Uid && is.Gid == want.Gid {
		return nil
	}
	return file.Chown(int(want.Uid), int(want.Gid))
}
