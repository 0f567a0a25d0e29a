package ariproxy

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// filter says of which types of events an application is told (res/stasis/app.c, stasis_app_event_allowed): of those that are allowed, or of all where
// none is, and never of those that are disallowed. The zero value lets everything through.
type filter struct{ allowed, disallowed []string }

// maxTypes is how many types one of the lists has.
const maxTypes = 64

func (f *filter) none() bool { return len(f.allowed) == 0 && len(f.disallowed) == 0 }

// lets reports whether events of a type are told.
func (f *filter) lets(kind string) bool {
	return !slices.Contains(f.disallowed, kind) && (len(f.allowed) == 0 || slices.Contains(f.allowed, kind))
}

// append appends the members of an Application.
func (f *filter) append(b []byte) []byte {
	for _, l := range []struct {
		name  string
		types []string
	}{{"events_allowed", f.allowed}, {"events_disallowed", f.disallowed}} {
		b = append(append(append(b, `,"`...), l.name...), `":[`...)
		for i, kind := range l.types {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(mask.AppendString(append(b, `{"type":`...), kind), '}')
		}
		b = append(b, ']')
	}
	return b
}

// readFilter is what becomes of a filter by a request: without parameters there is none any more; a list that is not named stays as it is.
func readFilter(was filter, params map[string]string) (filter, *fault) {
	if len(params) == 0 {
		return filter{}, nil
	}
	for name, list := range map[string]*[]string{"allowed": &was.allowed, "disallowed": &was.disallowed} {
		text, ok := params[name]
		if !ok {
			continue
		}
		types, f := readTypes(text)
		if f != nil {
			return was, f
		}
		*list = types
	}
	return was, nil
}

// readTypes reads a list of objects that have a type each; nothing is an empty list.
func readTypes(text string) (types []string, f *fault) {
	if text == "" {
		return nil, nil
	}
	var list []struct{ Type string }
	if json.Unmarshal([]byte(text), &list) != nil || len(list) > maxTypes {
		return nil, faultFilter
	}
	for _, o := range list {
		if o.Type == "" || len(o.Type) > maxAlias {
			return nil, faultFilter
		}
		types = append(types, o.Type)
	}
	return types, nil
}

// filterEvents is PUT /applications/{applicationName}/eventFilter.
func (x *exchange) filterEvents() error {
	app := x.theApplication()
	if app == nil {
		return faultForeign
	}
	app.estate.lock.Lock()
	now, f := readFilter(app.filter, x.q.params)
	if f == nil {
		app.filter = now
		app.plain.Store(app.all && now.none())
	}
	app.estate.lock.Unlock()
	if f != nil {
		return f
	}
	return x.answer(http.StatusOK, appendApplication(nil, app))
}

// faultFilter is a filter that is none, in Asterisk's words.
var faultFilter = &fault{http.StatusBadRequest, "Invalid format definition", "event_filter"}
