package audit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// With a key, the only bytes that verify are the lines that its holder wrote: the oracle is equality with them.
func FuzzVerify(f *testing.F) {
	lines, _ := sealed(f, testKey, 4)
	whole := slices.Concat(lines...)
	good := [][]byte{nil}
	for i := range lines {
		good = append(good, slices.Concat(lines[:i+1]...))
		f.Add(slices.Concat(lines[i:]...))
	}
	plain, _ := sealed(f, nil, 2)
	f.Add(whole)
	f.Add(slices.Concat(plain...))
	f.Add([]byte("\n"))
	f.Add(bytes.Repeat([]byte("a"), 40<<10))
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := audit.Verify(bytes.NewReader(b), testKey)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.ContainsFunc(good, func(g []byte) bool { return bytes.Equal(g, b) })
		if rep.OK() != want {
			t.Fatalf("verifies: %v, written by the key's holder: %v (%v)", rep.OK(), want, rep.Fault)
		}
		if rep.OK() != (rep.Lines == bytes.Count(b, []byte("\n")) && (len(b) == 0 || b[len(b)-1] == '\n')) {
			t.Fatalf("%d good lines of %d, fault %v", rep.Lines, bytes.Count(b, []byte("\n")), rep.Fault)
		}
	})
}

// What may be written is one line of JSON that reads back as the same entry.
func FuzzEntry(f *testing.F) {
	f.Add("act1", "irina", "spy", "anna", "boris", "whisper", "protected", "policy.yaml", 12, uint64(3), "http", "x", int64(1))
	f.Add("a", "\u2028<&>\"\\", "line.join", "é", "\x00", "", "r2", "\xff", -1, uint64(1)<<63, "", "", int64(1e18))
	f.Fuzz(func(t *testing.T, id, subject, action, target, employee, mode, reason, file string, line int, generation uint64, door, detail string, ns int64) {
		e := audit.Entry{
			ID: id, Time: time.Unix(0, ns).UTC(), Phase: audit.Decided, Subject: subject, Action: action, Targets: []string{target}, Employees: []string{employee},
			Mode: mode, Outcome: audit.Deny, Reason: reason, Rule: audit.Rule{File: file, Line: line}, Generation: generation, Door: door, Detail: detail,
		}
		b, last, err := audit.ChainLine(testKey, audit.Link{}, e)
		if err != nil {
			return
		}
		if bytes.IndexByte(b, '\n') != len(b)-1 || !json.Valid(b) {
			t.Fatalf("not one line of JSON: %q", b)
		}
		got, ok := audit.ParseLine(testKey, b[:len(b)-1])
		e.Seq, e.Prev, e.Hash = 1, got.Prev, last.Hash
		if !ok || !reflect.DeepEqual(got, e) {
			t.Fatalf("read back (%v)\n%+v, written\n%+v", ok, got, e)
		}
	})
}
