//go:build !unix

package policyfile

import (
	"io/fs"
	"os"
)

// own leaves the owner to a system that has none to give.
func own(*os.File, fs.FileInfo) error { return nil }
