package clients

import "reflect"

// ReadAnswer reads an answer as a source does whose system tells employees' ids.
func ReadAnswer(f Fields, data []byte) (Client, bool, error) { return f.read(data, mapping{}) }

// ParseHook reads a webhook's body.
func ParseHook(contentType string, body []byte) (token string, numbers []string, all bool, err error) {
	h, err := parseHook(contentType, body)
	return h.Token, h.Numbers, h.All, err
}

// ConfigKeys are the last parts of all keys of a Config.
func ConfigKeys() []string {
	var keys []string
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			keys = append(keys, f.Tag.Get("yaml"))
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	return keys
}
