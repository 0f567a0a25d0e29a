package httpapi

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
)

// What is written into a cell is read from it again, beside its neighbours, and no spreadsheet takes it for a formula.
func FuzzCell(f *testing.F) {
	for _, s := range []string{"", "Ivanov", "=1+1", "+79161234567", "-x", "@SUM", "a,b", "\"", "a\r\nb", "\t=1", "＝1", " =1", "|cmd", "'=1"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		var b bytes.Buffer
		out := csv.NewWriter(&b)
		out.UseCRLF = true
		if err := out.Write([]string{harmless(first), harmless(second), "end"}); err != nil {
			t.Fatal(err)
		}
		out.Flush()
		in := csv.NewReader(&b)
		in.FieldsPerRecord = 3
		row, err := in.Read()
		if err != nil || row[2] != "end" {
			t.Fatalf("%q, %v", row, err)
		}
		for i, want := range []string{first, second} {
			cell := row[i]
			if strings.IndexAny(cell, "=+-@\t\r\n|%") == 0 {
				t.Fatalf("%q is a formula", cell)
			}
			plain := func(s string) string { return strings.ReplaceAll(s, "\r", "") } // which encoding/csv leaves out, or reads as a line's end
			if got := plain(cell); got != plain(want) && got != "'"+plain(want) {
				t.Fatalf("%q is read as %q", want, cell)
			}
		}
	})
}
