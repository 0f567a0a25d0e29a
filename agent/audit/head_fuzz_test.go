package audit_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// Beside a log with a key the only head files that are read are those that its holder wrote, in this very spelling, and each says what he wrote; every other is
// an error. Beside any other the log does not
// open, and whatever opens loses no line.
func FuzzHead(f *testing.F) {
	lines, real := sealed(f, testKey, 3)
	none, last, length, err := audit.ReadHead(bytes.NewReader(real), testKey)
	_, first := audit.ForgeLine(testKey, none, clock(), "")
	log := bytes.Join(lines, nil)
	if err != nil || none != (audit.Link{}) || last.Seq != 3 || length != int64(len(log)) {
		f.Fatalf("%q: %v", real, err)
	}
	type said struct {
		base, last audit.Link
		size       int64
	}
	good := map[string]said{}
	for _, h := range []said{{none, last, length}, {none, none, 0}, {first, last, 1<<63 - 1}, {first, first, 0}} {
		text := string(audit.EncodeHead(testKey, h.base, h.last, h.size))
		good[text] = h
		f.Add([]byte(text))
		f.Add([]byte(text + "\n"))
		f.Add([]byte(strings.Replace(text, "size=0", "size=+", 1)))
		f.Add([]byte(strings.Replace(text, "base=0", "base=\t", 1)))
	}
	f.Add(audit.EncodeHead(nil, none, last, length))
	f.Add(real)
	f.Add([]byte{})
	f.Add([]byte("earshot audit head1 base=: last=: size= sum=\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		base, end, size, err := audit.ReadHead(bytes.NewReader(text), testKey)
		want, is := good[string(text)]
		if is != (err == nil) || (said{base, end, size}) != want {
			t.Fatalf("%q is %v, %v, %d: %v", text, base, end, size, err)
		}
		if len(text) > 1<<10 {
			return
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "audit.log")
		mustPut(t, path, log)
		mustPut(t, path+".head", text)
		l, err := audit.Open(path, audit.Options{Key: testKey})
		if err == nil {
			err = l.Close()
			if !is || err != nil {
				t.Fatalf("a log beside %q is opened: %v", text, err)
			}
		}
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, name := range files {
			all = append(all, mustRead(t, name)...)
		}
		for _, line := range lines {
			if !bytes.Contains(all, line) {
				t.Fatalf("beside %q a line is lost", text)
			}
		}
	})
}
