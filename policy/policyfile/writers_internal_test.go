package policyfile

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestAFileIsFinishedWhenItIsAsItsWriterLeftIt(t *testing.T) {
	dir := t.TempDir()
	info := func(path string) os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	w := &writers{over: make(chan struct{}, 1)}
	path := put("a", "1")
	if w.finished(info(path)) {
		t.Error("nothing was told of it")
	}
	w.left(path)
	if !w.finished(info(path)) {
		t.Error("its writer has left it")
	}
	put("a", "12")
	if w.finished(info(path)) {
		t.Error("somebody has written since")
	}
	w.left(path)
	w.wrote(path) // and the clock has not moved
	if w.finished(info(path)) {
		t.Error("somebody writes")
	}
	w.left(path)
	w.left(filepath.Join(dir, "gone"))
	if w.forget(); w.finished(info(path)) {
		t.Error("something was not heard")
	}
	w.left(path)
	for i := range remembered {
		w.left(put("b"+strconv.Itoa(i), "1"))
	}
	if n := len(w.closed); n != remembered || w.finished(info(path)) {
		t.Errorf("%d are kept", n)
	}
	if (*writers)(nil).finished(info(path)) {
		t.Error("of nobody it is known")
	}
}
