package doctor

import "strings"

// call is an application with its arguments.
type call struct{ app, data string }

// calls are the applications that a step runs: its own, and those that it names for Exec, TryExec, ExecIf, ExecIfTime and Originate to run. An application
// whose name is only known when a call is there has the name "$".
func (s *Step) calls() []call { return within(call{s.App, s.Data}, 0) }

// within looks into the applications that run others; depth bounds what is written in one another.
func within(c call, depth int) []call {
	c.app = strip(c.app)
	if strings.Contains(c.app, "$") {
		c.app = "$"
	}
	found := []call{c}
	if depth > 8 {
		return found
	}
	inner := func(text string) {
		if text = strip(text); text == "" {
			return
		}
		app, data := text, ""
		if i := strings.IndexByte(text, '('); i >= 0 {
			app, data = text[:i], strings.TrimSuffix(text[i+1:], ")")
			if strings.Contains(app, "${") || strings.Contains(app, "$[") {
				app = "$"
			}
		}
		found = append(found, within(call{app, data}, depth+1)...)
	}
	switch strings.ToLower(c.app) {
	case "exec", "tryexec":
		inner(c.data)
	case "execif":
		if parts := split(c.data, '?'); len(parts) > 1 {
			for _, branch := range split(strings.Join(parts[1:], "?"), ':') {
				inner(branch)
			}
		}
	case "execiftime":
		if _, what, ok := strings.Cut(c.data, "?"); ok {
			inner(what)
		}
	case "originate":
		// Originate(tech/data,app,application,arguments,timeout,options)
		if args := split(c.data, ','); len(args) > 2 && strings.EqualFold(strip(args[1]), "app") {
			data := ""
			if len(args) > 3 {
				data = unquote(args[3])
			}
			found = append(found, within(call{unquote(args[2]), data}, depth+1)...)
		}
	}
	return found
}

// split cuts arguments as Asterisk does (main/app.c, __ast_app_separate_args): not within quotes, parentheses, brackets or braces, nor after a
// backslash. Quotes and backslashes stay.
func split(s string, at byte) []string {
	var parts []string
	begin, round, square, curly, quoted := 0, 0, 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			round++
		case c == ')':
			round = max(0, round-1)
		case c == '[':
			square++
		case c == ']':
			square = max(0, square-1)
		case c == '{':
			curly++
		case c == '}':
			curly = max(0, curly-1)
		case c == at && round == 0 && square == 0 && curly == 0:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}

// unquote takes off quotes and backslashes, as Asterisk does to each argument.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return strip(b.String())
}

// letters are the options of an application, each a letter with what stands in parentheses after it, in any order.
type letters map[byte]string

// optionsOf reads an option string (main/app.c, ast_app_parse_options).
func optionsOf(s string) letters {
	found := letters{}
	s = unquote(s)
	for i := 0; i < len(s); i++ {
		letter, arg := s[i], ""
		if i+1 < len(s) && s[i+1] == '(' {
			end := strings.IndexByte(s[i+1:], ')')
			if end < 0 {
				break // Asterisk takes an unclosed one for a mistake, and what was before it
			}
			arg = s[i+2 : i+1+end]
			i += end + 1
		}
		found[letter] = arg
	}
	return found
}

func (l letters) has(letter byte) bool {
	_, ok := l[letter]
	return ok
}
