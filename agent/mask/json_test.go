package mask_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/mask"
	"pgregory.net/rapid"
)

// plain is what encoding/json writes, which AppendJSON has to equal byte by byte.
func plain(t rapid.TB, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(data)
}

var (
	texts = rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("a<>&\"\\/\b\f\n\r\t\x00\x1f\x7f\u2028\u2029\ufffdй😀")), 0, 12, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }))
	moments = rapid.Custom(func(r *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799-14*3600).Draw(r, "second"), rapid.SampledFrom([]int64{0, 1, 120, 500_000_000, 999_999_999}).Draw(r, "nano"))
		return at.In(rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 3*3600), time.FixedZone("", -5*3600-1800)}).Draw(r, "zone"))
	})
	parties = rapid.Custom(func(r *rapid.T) *mask.Party {
		return rapid.SampledFrom([]*mask.Party{nil, {}, {Number: texts.Draw(r, "number"), Name: texts.Draw(r, "name"), Employee: texts.Draw(r, "employee")}, {Name: texts.Draw(r, "name")}}).Draw(r, "peer")
	})
	views = rapid.Custom(func(r *rapid.T) mask.View {
		return mask.View{
			ID: texts.Draw(r, "id"), Direction: texts.Draw(r, "direction"), State: texts.Draw(r, "state"), Since: moments.Draw(r, "since"),
			Hidden: rapid.Bool().Draw(r, "hidden"), Peer: parties.Draw(r, "peer"), Supervision: texts.Draw(r, "supervision"), Kind: texts.Draw(r, "kind"),
			Supervised: rapid.Bool().Draw(r, "supervised"), Locked: rapid.Bool().Draw(r, "locked"),
		}
	})
	rows = rapid.Custom(func(r *rapid.T) mask.Row {
		row := mask.Row{
			ID: texts.Draw(r, "id"), Name: texts.Draw(r, "name"), Department: texts.Draw(r, "department"), DepartmentName: texts.Draw(r, "department name"), State: texts.Draw(r, "state"),
			Calls: rapid.SliceOfN(views, 0, 4).Draw(r, "calls"), Can: rapid.SliceOfN(texts, 0, 4).Draw(r, "can"),
			ReasonRequired: rapid.Bool().Draw(r, "reason"), Unknown: rapid.Bool().Draw(r, "unknown"),
		}
		if rapid.Bool().Draw(r, "timed") {
			at := moments.Draw(r, "since")
			row.Since = &at
		}
		if rapid.IntRange(0, 9).Draw(r, "nil") == 0 {
			row.Calls, row.Can = nil, nil
		}
		return row
	})
)

func TestWhatIsAppendedIsWhatEncodingJSONWrites(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		row := rows.Draw(r, "row")
		if got, want := string(row.AppendJSON([]byte("x"), nil)), "x"+plain(r, row); got != want {
			r.Fatalf("%s\nwant %s", got, want)
		}
		var s mask.Supervision
		var i mask.Intercept
		fill(r, &s)
		fill(r, &i)
		until := moments.Draw(r, "until")
		for _, n := range []mask.Supervised{
			{ID: texts.Draw(r, "id"), By: texts.Draw(r, "by"), Mode: texts.Draw(r, "mode"), State: texts.Draw(r, "state"), Since: moments.Draw(r, "since")}, {Until: &until},
		} {
			if got, want := string(n.AppendJSON(nil)), plain(r, n); got != want {
				r.Fatalf("%s\nwant %s", got, want)
			}
		}
		var o mask.Incoming
		fill(r, &o)
		if got, want := string(o.AppendJSON(nil)), plain(r, o); got != want {
			r.Fatalf("%s\nwant %s", got, want)
		}
		if got, want := string(s.AppendJSON(nil)), plain(r, s); got != want {
			r.Fatalf("%s\nwant %s", got, want)
		}
		if got, want := string(i.AppendJSON(nil)), plain(r, i); got != want {
			r.Fatalf("%s\nwant %s", got, want)
		}
	})
}

// fill draws every field of a struct, so that one which is added and not appended is noticed.
func fill(r *rapid.T, v any) {
	for i, s := 0, reflect.ValueOf(v).Elem(); i < s.NumField(); i++ {
		f, name := s.Field(i), s.Type().Field(i).Name
		switch p := f.Addr().Interface().(type) {
		case *string:
			*p = texts.Draw(r, name)
		case *bool:
			*p = rapid.Bool().Draw(r, name)
		case *mask.Party:
			fill(r, p)
		case *time.Time:
			*p = moments.Draw(r, name)
		default:
			r.Fatalf("a field of a type that this test does not draw: %s", name)
		}
	}
}

// A row that is written without handles becomes, once they are put in, the row that is written with them.
func TestHandlesArePutIntoTheHolesOfARow(t *testing.T) {
	handles := rapid.StringMatching(`c[a-z2-9]{20}`)
	filled := 0
	rapid.Check(t, func(r *rapid.T) {
		row := rows.Draw(r, "row")
		for i := range row.Calls {
			row.Calls[i].ID = handles.Draw(r, "handle")
		}
		var holes []int
		got := row.AppendJSON([]byte("before"), &holes)[len("before"):]
		if len(holes) != len(row.Calls) {
			r.Fatalf("%d holes for %d calls", len(holes), len(row.Calls))
		}
		for i, at := range holes {
			if string(got[at-1:at+mask.HandleLen+1]) != `"`+strings.Repeat(" ", mask.HandleLen)+`"` {
				r.Fatalf("no hole at %d of %s", at, got)
			}
			copy(got[at:], row.Calls[i].ID)
			filled++
		}
		if want := plain(r, row); string(got) != want {
			r.Fatalf("%s\nwant %s", got, want)
		}
	})
	if filled == 0 {
		t.Fatal("no hole was filled")
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "Иванов", "<a href=\"x\">&", "\xff\xed\xa0\x80", "\u2028\u2029\ufffd", "\x00\b\t\n\f\r\x1f\x7f\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(mask.AppendString(nil, s)), plain(t, s); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

func TestARowIsWrittenWithoutAllocating(t *testing.T) {
	at := began
	row := mask.Row{
		ID: "anna", Name: "Анна <Petrova>", Department: "sales", DepartmentName: "Отдел <продаж>", State: mask.Talking, Since: &at, Can: []string{"spy", "whisper"},
		Calls: []mask.View{{ID: "h", Direction: "in", State: mask.Talking, Since: at, Peer: &mask.Party{Number: "+79161234567", Name: "Ivanov"}}, {ID: "i", Since: at, Hidden: true}},
	}
	dst, holes := make([]byte, 0, 4096), make([]int, 0, 8)
	if n := testing.AllocsPerRun(100, func() { dst, holes = row.AppendJSON(dst[:0], &holes), holes[:0] }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
