package doctor

import (
	"cmp"
	"os"
	"path"
	"regexp"
	"strings"
)

// maxPatterns bounds what braces may come to.
const maxPatterns = 10_000

// glob lists what a pattern without braces means as Asterisk has it, by glob(3) (main/config.c), in the order of the names: one that begins with a
// dot is meant by a dot alone.
func glob(pattern string) []string {
	found := []string{""}
	if path.IsAbs(pattern) {
		found[0] = "/"
	}
	for _, part := range strings.Split(path.Clean(pattern), "/") {
		if part != "" {
			found = meant(found, part)
		}
	}
	return found
}

// meant lists what one part of a path means in each of some folders.
func meant(folders []string, part string) (found []string) {
	name, plain := component(part)
	for _, dir := range folders {
		if plain {
			if _, err := os.Lstat(path.Join(dir, part)); err == nil {
				found = append(found, path.Join(dir, part))
			}
			continue
		}
		entries, err := os.ReadDir(cmp.Or(dir, "."))
		if err != nil {
			continue // nor does glob(3) say of a folder that it cannot be read
		}
		for _, e := range entries {
			if hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(part, "."); !hidden && name.MatchString(e.Name()) {
				found = append(found, path.Join(dir, e.Name()))
			}
		}
	}
	return found
}

// braces takes apart the first braces of each pattern until there are none (GLOB_BRACE), in the order of what stands in them. An empty pair stays
// as it is.
func braces(patterns []string) (plain []string) {
	for len(patterns) > 0 && len(plain)+len(patterns) < maxPatterns {
		p := patterns[0]
		patterns = patterns[1:]
		begin, parts, end := alternatives(p)
		if parts == nil {
			plain = append(plain, p)
			continue
		}
		var each []string
		for _, part := range parts {
			each = append(each, p[:begin]+part+p[end:])
		}
		patterns = append(each, patterns...)
	}
	return plain
}

// alternatives finds the first braces that are closed, and what stands in them between commas.
func alternatives(p string) (begin int, parts []string, end int) {
	depth, from := 0, 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case c == '{' && depth == 0 && strings.HasPrefix(p[i:], "{}"):
			i++
		case c == '{':
			if depth++; depth == 1 {
				begin, from = i, i+1
			}
		case c == ',' && depth == 1:
			parts = append(parts, p[from:i])
			from = i + 1
		case c == '}' && depth > 0:
			if depth--; depth == 0 {
				return begin, append(parts, p[from:i]), i + 1
			}
		}
	}
	return 0, nil, 0
}

// component makes a regular expression of one part of a path; plain says that it is a name and no pattern.
func component(part string) (name *regexp.Regexp, plain bool) {
	var b strings.Builder
	b.WriteString(`\A`)
	plain = true
	for i := 0; i < len(part); i++ {
		switch c := part[i]; {
		case c == '*':
			b.WriteString(`(?s:.*)`)
			plain = false
		case c == '?':
			b.WriteString(`(?s:.)`)
			plain = false
		case c == '[':
			class, n := bracket(part[i:])
			if n == 0 {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(class)
			i += n - 1
			plain = false
		case c == '\\' && i+1 < len(part):
			i++
			b.WriteString(regexp.QuoteMeta(part[i : i+1]))
			plain = false // it names a file without its backslash
		default:
			b.WriteString(regexp.QuoteMeta(part[i : i+1]))
		}
	}
	name, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return regexp.MustCompile(`\z\A.`), false // [z-a] means nothing
	}
	return name, plain
}

// bracket makes a class of regular expressions of one of patterns, [abc], [!a-z], []] or [[:digit:]], and says how long that is; 0: it is none.
func bracket(s string) (class string, length int) {
	begin := 1
	class = "["
	if len(s) > 1 && (s[1] == '!' || s[1] == '^') {
		class, begin = "[^", 2
	}
	for i := begin; i < len(s); i++ {
		switch c := s[i]; {
		case c == ']' && i > begin:
			return class + "]", i + 1
		case c == '[' && strings.HasPrefix(s[i:], "[:") && strings.Contains(s[i:], ":]"):
			n := strings.Index(s[i:], ":]") + 2
			class += s[i : i+n]
			i += n - 1
		case c == '\\' && i+1 < len(s):
			i++
			class += regexp.QuoteMeta(s[i : i+1])
		case c == '-':
			class += "-"
		default:
			class += regexp.QuoteMeta(s[i : i+1])
		}
	}
	return "", 0
}
