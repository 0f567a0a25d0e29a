package cache_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/cache"
)

func TestSettingsHaveTheirPlaces(t *testing.T) {
	o, err := cache.ParseOverlay(7, map[string]string{"generation": "7", "flag:anna:spy": "0", "flag:anna:barge": "1", "except:anna:group:board": "1", "except:boris:anna": "1"})
	want := []cache.Setting{
		{Place: 1, Employee: "anna", Target: "group:board"}, {Place: 2, Employee: "boris", Target: "anna"},
		{Place: 3, Employee: "anna", Flag: "barge", On: true}, {Place: 4, Employee: "anna", Flag: "spy"},
	}
	if got := o.Settings(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %+v", err, got)
	}
	if next := o.In(8); next.Generation() != 8 || o.Generation() != 7 || !slices.Equal(next.Settings(), want) {
		t.Errorf("%+v", next.Settings())
	}
	var none *cache.Overlay
	if got := none.Settings(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAnOverlayOfAnythingNotUnderstoodIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]string
		want   error
	}{
		"no fields":                {nil, cache.ErrNoOverlay},
		"no generation":            {map[string]string{"flag:anna:spy": "0"}, cache.ErrNoOverlay},
		"another generation":       {map[string]string{"generation": "8"}, cache.ErrNoOverlay},
		"a generation with a zero": {map[string]string{"generation": "07"}, cache.ErrNoOverlay},
		"an unknown kind":          {map[string]string{"generation": "7", "flags:anna:spy": "0"}, cache.ErrBadOverlay},
		"no employee":              {map[string]string{"generation": "7", "flag::spy": "0"}, cache.ErrBadOverlay},
		"no flag":                  {map[string]string{"generation": "7", "flag:anna": "0"}, cache.ErrBadOverlay},
		"a flag with a colon":      {map[string]string{"generation": "7", "flag:anna:spy:x": "0"}, cache.ErrBadOverlay},
		"a flag of another value":  {map[string]string{"generation": "7", "flag:anna:spy": "true"}, cache.ErrBadOverlay},
		"no target":                {map[string]string{"generation": "7", "except:anna:": "1"}, cache.ErrBadOverlay},
		"a target not excluded":    {map[string]string{"generation": "7", "except:anna:boris": "0"}, cache.ErrBadOverlay},
		"a control character":      {map[string]string{"generation": "7", "except:anna:bo\nris": "1"}, cache.ErrBadOverlay},
		"a long name":              {map[string]string{"generation": "7", "except:anna:" + strings.Repeat("x", 300): "1"}, cache.ErrBadOverlay},
		"too much":                 {map[string]string{"generation": "7", "x": strings.Repeat("x", cache.MaxOverlay)}, cache.ErrTooLarge},
	} {
		o, err := cache.ParseOverlay(7, c.fields)
		if o != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "anna") {
			t.Errorf("%s: the error repeats what was written: %v", name, err)
		}
	}
	for name, people := range map[string]map[string]cache.Person{
		"an employee with a colon": {"a:b": {}},
		"a flag with a colon":      {"anna": {Flags: map[string]bool{"a:b": true}}},
		"no employee":              {"": {Except: []string{"boris"}}},
	} {
		if _, err := cache.NewOverlay(7, people); !errors.Is(err, cache.ErrBadOverlay) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoOverlayDenies(t *testing.T) {
	var o *cache.Overlay
	if on, set := o.Flag("anna", "spy"); on || !set || !o.Excluded("anna", "boris") {
		t.Error("it permits")
	}
	if o.Generation() != 0 || o.Employees() != nil || o.Fields() != nil || len(slices.Collect(o.Except("anna"))) != 0 {
		t.Error("it holds something")
	}
}

func FuzzParseOverlay(f *testing.F) {
	for _, s := range []string{"generation=7", "generation=7;flag:anna:spy=1;except:anna:group:board=1", "flag:a:b=0", "generation=7;except:a:b=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields := make(map[string]string)
		for _, line := range strings.Split(text, ";") {
			k, v, _ := strings.Cut(line, "=")
			fields[k] = v
		}
		o, err := cache.ParseOverlay(7, fields)
		if err != nil {
			if o != nil {
				t.Error("an overlay beside an error")
			}
			return
		}
		if !maps.Equal(o.Fields(), fields) {
			t.Errorf("%v became %v", fields, o.Fields())
		}
		again, err := cache.ParseOverlay(7, o.Fields())
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Error("it does not read its own fields")
		}
		for _, e := range o.Employees() {
			for target := range o.Except(e) {
				if !o.Excluded(e, target) {
					t.Error("on the list and not excluded")
				}
			}
		}
	})
}
