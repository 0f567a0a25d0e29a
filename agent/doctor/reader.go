package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Bounds of what is read. Asterisk's own are depth and line (main/config.c, MAX_INCLUDE_LEVEL and the buffer of config_text_file_load).
const (
	maxDepth    = 11       // the file itself, and ten that are included in one another
	maxLine     = 8190     // bytes without its line feed; a longer one is skipped
	maxFile     = 16 << 20 // bytes
	maxBytes    = 64 << 20 // of one Config, with what is included, as often as it is
	maxFiles    = 10_000   // included in one Config
	maxSettings = 1 << 20  // of one Config with its sections, inherited ones too
)

// errTooMuch means that a configuration is larger than any that a PBX runs with.
var errTooMuch = errors.New("the configuration is too large to be read")

// source gives the text of files by the name that stands in an #include, glob patterns too.
type source interface {
	// find lists the files that a name or pattern means, in Asterisk's order, as names for read.
	find(name string) []string
	// read is the file's text; fs.ErrNotExist when there is none.
	read(name string) ([]byte, error)
	// foreign reports whether a name lies outside of what the source has, so that not finding it here says nothing.
	foreign(name string) bool
}

// read reads a configuration file as Asterisk does. The error is one of reading; what is wrong with the text is in the Config.
func read(from source, name string) (*Config, error) {
	r := &reader{from: from, cfg: &Config{Name: name}, named: map[string][]*category{}, templates: map[*category]bool{}}
	if _, err := from.read(name); errors.Is(err, fs.ErrNotExist) {
		r.cfg.Absent = true
		return r.cfg, nil
	}
	broken, err := r.file(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if broken != "" {
		r.cfg.Broken = broken
		return r.cfg, nil
	}
	for _, c := range r.all {
		if !r.templates[c] {
			r.cfg.Sections = append(r.cfg.Sections, c.Section)
		}
	}
	return r.cfg, nil
}

type category struct{ Section }

type reader struct {
	from      source
	cfg       *Config
	all       []*category
	named     map[string][]*category // all, by names in small letters
	templates map[*category]bool

	depth, settings, bytes, files int
}

// file reads one file with those that it includes. broken says what made Asterisk stop in it.
func (r *reader) file(name string) (broken string, err error) {
	if r.depth == maxDepth {
		return "", fs.ErrNotExist // so does Asterisk answer
	}
	data, err := r.from.read(name)
	if err != nil {
		return "", err
	}
	r.files++
	r.bytes += len(data)
	if len(data) > maxFile || r.bytes > maxBytes || r.files > maxFiles {
		return "", errTooMuch
	}
	r.depth++
	defer func() { r.depth-- }()
	// The included file goes on in the section that was opened last anywhere; the including one in its own (seen on 22.10).
	var current *category
	if len(r.all) > 0 {
		current = r.all[len(r.all)-1]
	}
	data = []byte(strings.TrimPrefix(string(data), "\xef\xbb\xbf"))
	var c comments
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if len(strings.TrimSuffix(line, "\n")) > maxLine {
			continue
		}
		raw := []byte(line)
		text, ok := c.strip(raw[:length(raw)])
		if !ok {
			continue
		}
		at := Place{name, number}
		switch s := strip(string(text)); {
		case s == "":
		case s[0] == '[':
			if current, broken = r.header(s, at); broken != "" {
				r.cfg.Stopped = at
				return broken, nil
			}
		case s[0] == '#':
			if broken, err = r.directive(s[1:], at); err != nil || broken != "" {
				return broken, err
			}
		case current == nil:
			r.cfg.Stopped = at
			return "a setting stands before the first section", nil
		default:
			if r.settings++; r.settings > maxSettings {
				return "", errTooMuch
			}
			current.add(s, at)
		}
	}
	return "", nil
}

// strip takes off what Asterisk calls blank: every byte below 0x21 (ast_strip).
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r < 33 })
}

// header opens a section: [name], [name](!), [name](+), [name](template,template).
func (r *reader) header(s string, at Place) (current *category, broken string) {
	name, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return nil, "no closing ]"
	}
	made := &category{Section{Name: name, Place: at}}
	current = made
	r.settings++
	if options, ok := strings.CutPrefix(rest, "("); ok {
		if options, _, ok = strings.Cut(options, ")"); !ok {
			return nil, "no closing )"
		}
		for _, option := range strings.Split(options, ",") {
			switch {
			case option == "!":
				r.templates[current] = true
			case strings.HasPrefix(option, "+"):
				found := r.find(name, option[1:])
				if found == nil {
					return nil, "it adds to a section that does not exist"
				}
				current, made = found, nil
			default:
				base := r.find(option, "TEMPLATES=include")
				if base == nil {
					return nil, "its template does not exist"
				}
				r.settings += len(base.Settings)
				if r.settings > maxSettings {
					return nil, errTooMuch.Error()
				}
				current.Settings = append(current.Settings, base.Settings...)
			}
		}
	}
	if made != nil {
		r.all = append(r.all, made)
		r.named[strings.ToLower(name)] = append(r.named[strings.ToLower(name)], made)
	}
	return current, ""
}

// find is the first section of a name that a filter lets pass: "key=value" with regular expressions, joined by "&"; TEMPLATES=include lets
// templates pass too, TEMPLATES=restrict nothing else (main/config.c, does_category_match).
func (r *reader) find(name, filter string) *category {
	passes, ok := r.filter(filter)
	if !ok {
		return nil
	}
	among := r.named[strings.ToLower(name)]
	if name == "" {
		among = r.all
	}
	for _, c := range among {
		if passes(c) {
			return c
		}
	}
	return nil
}

// filter makes the test that a filter is, and reports whether it is one.
func (r *reader) filter(s string) (passes func(*category) bool, ok bool) {
	type pattern struct{ key, value *regexp.Regexp }
	var patterns []pattern
	templates, restrict := false, false
	for _, part := range strings.Split(s, "&") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		if strings.EqualFold(key, "TEMPLATES") {
			templates, restrict = true, strings.EqualFold(value, "restrict")
			continue
		}
		keys, err1 := regexp.CompilePOSIX(key)
		values, err2 := regexp.CompilePOSIX(value)
		if err1 != nil || err2 != nil {
			return nil, false
		}
		patterns = append(patterns, pattern{keys, values})
	}
	return func(c *category) bool {
		if r.templates[c] && !templates || restrict && !r.templates[c] {
			return false
		}
		for _, p := range patterns {
			if !c.has(p.key, p.value) {
				return false
			}
		}
		return true
	}, true
}

func (s *Section) has(keys, values *regexp.Regexp) bool {
	for _, v := range s.Settings {
		if keys.MatchString(v.Key) && values.MatchString(v.Value) {
			return true
		}
	}
	return false
}

// unread takes note of a directive that brings in what is not seen here.
func (r *reader) unread(word string, at Place) {
	r.cfg.Unread = append(r.cfg.Unread, Unread{"#" + strings.ToLower(word), at})
}

// directive carries out #include and #tryinclude, and takes note of an #exec, which the doctor never runs.
func (r *reader) directive(s string, at Place) (broken string, err error) {
	word, rest := s, ""
	if i := strings.IndexFunc(s, func(c rune) bool { return c < 33 }); i >= 0 {
		word, rest = s[:i], strip(s[i:])
	}
	include, try := strings.EqualFold(word, "include"), strings.EqualFold(word, "tryinclude")
	if rest == "" || !include && !try {
		if rest != "" && strings.EqualFold(word, "exec") {
			r.unread(word, at)
		}
		return "", nil
	}
	if n := len(rest) - 1; n > 0 && (rest[0] == '"' && rest[n] == '"' || rest[0] == '<' && rest[n] == '>') {
		rest = rest[1:n]
	}
	files := r.from.find(rest)
	some := false
	for _, f := range files {
		// What stops Asterisk in an included file does not stop it in the one above.
		switch _, err := r.file(f); {
		case err == nil:
			some = true
		case errors.Is(err, errTooMuch):
			return "", err
		case !errors.Is(err, fs.ErrNotExist):
			r.unread(word, at)
			some = true
		}
	}
	switch {
	case some || try:
	case r.from.foreign(rest):
		r.unread(word, at)
	default:
		r.cfg.Stopped = at
		return "it includes a file that does not exist", nil
	}
	return "", nil
}

// add takes a line "key = value", "key => value" or "key += more".
func (s *Section) add(line string, at Place) {
	// A backslash at the beginning is for keys that look like something else.
	skip := 0
	if line[0] == '\\' {
		line, skip = line[1:], min(1, len(line)-1)
	}
	i := strings.IndexByte(line[skip:], '=')
	if i < 0 {
		return
	}
	key, value := line[:skip+i], line[skip+i+1:]
	if i > 0 && strings.HasSuffix(key, "+") {
		key = strip(key[:len(key)-1])
		value = strip(value)
		for j := len(s.Settings) - 1; j >= 0; j-- {
			if old := s.Settings[j]; strings.EqualFold(old.Key, key) {
				s.Settings[j] = setting(old.Key, old.Value+value, at)
				return
			}
		}
	} else {
		value = strip(strings.TrimPrefix(value, ">"))
		key = strip(key)
	}
	if key != "" {
		s.Settings = append(s.Settings, setting(key, value, at))
	}
}
