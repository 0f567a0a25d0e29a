package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The folders of recordings are looked at: whether they can be read, by Earshot and by nobody else, and deleted from.
func TestFoldersOfRecordingsAreLookedAt(t *testing.T) {
	folder := func(change func(dir string)) string {
		dir := t.TempDir()
		for _, open := range []string{filepath.Dir(dir), dir} { // t.TempDir makes folders that others may enter, or not, by the umask
			if err := os.Chmod(open, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "1795299332.1.wav"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		change(dir)
		return dir
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	shared := func(dir string) { must(os.Chmod(filepath.Join(dir, "1795299332.1.wav"), 0o644)) }
	for name, tc := range map[string]struct {
		change func(dir string)
		with   func(*Recordings)
		want   []string
	}{
		"as it should be":      {func(string) {}, func(*Recordings) {}, nil},
		"a file that all read": {shared, func(*Recordings) {}, []string{"spool-open"}},
		"behind a folder that only its owner enters": {func(dir string) {
			shared(dir)
			must(os.Chmod(dir, 0o700))
		}, func(*Recordings) {}, nil},
		"a link":               {func(dir string) { must(os.Symlink("/", filepath.Join(dir, "away"))) }, func(*Recordings) {}, []string{"spool-parts"}},
		"it is not there":      {func(dir string) { must(os.RemoveAll(dir)) }, func(*Recordings) {}, []string{"spool-unread"}},
		"records into nothing": {func(string) {}, func(r *Recordings) { r.Records = true }, []string{"spool-ari"}},
		"records":              {func(string) {}, func(r *Recordings) { r.Records, r.ARI = true, true }, nil},
		"deletes":              {func(string) {}, func(r *Recordings) { r.Deletes = true }, nil},
		"and may not": {func(string) {}, func(r *Recordings) {
			r.Deletes, r.access = true, denied(accessWrite)
		}, []string{"spool-undeleted"}},
		"may not, and nobody deletes":      {func(string) {}, func(r *Recordings) { r.access = denied(accessWrite) }, nil},
		"a file that Earshot may not read": {func(string) {}, func(r *Recordings) { r.access = denied(accessRead) }, []string{"spool-unread"}},
	} {
		t.Run(name, func(t *testing.T) {
			own := earshots
			own.Recordings.Spools = []Spool{{"monitor", folder(tc.change)}}
			tc.with(&own.Recordings)
			r, err := Examine(t.Context(), own)
			must(err)
			var codes []string
			for _, f := range r.Findings {
				codes = append(codes, f.Code)
				if f.Section != "spool monitor" && f.Code != "spool-ari" || !slices.Equal(f.Seen, []string{"spools"}) {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(codes, tc.want) {
				t.Errorf("%q, want %q", codes, tc.want)
			}
		})
	}
}

// denied is what access says to somebody who lacks one right everywhere; to root, as whom tests may run, it never would.
func denied(right uint32) func(string, uint32) error {
	return func(_ string, mode uint32) error {
		if mode&right != 0 {
			return fs.ErrPermission
		}
		return nil
	}
}
