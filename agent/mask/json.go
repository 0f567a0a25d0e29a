package mask

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// The AppendJSON methods write the same bytes as encoding/json, without reflection and without memory of their own: a row is written once for
// each sight of it, and thousands may wait for it. The one difference is that a time beyond the year 9999, on which encoding/json fails, is
// written all the same.

// HandleLen is how many bytes the handle of a call has in a row whose handles are put in later; see AppendJSON of Row.
const HandleLen = 21

// blankHandle stands where a handle is put in later.
const blankHandle = "                     "

// AppendJSON appends the row to dst. With holes given, every call is written with a handle of HandleLen blanks, and the place of each in what
// was appended is appended to holes: so one row serves all who have the same sight of it, and whoever sends it on puts their handles in.
func (r *Row) AppendJSON(dst []byte, holes *[]int) []byte {
	begin := len(dst)
	dst = AppendString(append(dst, `{"id":`...), r.ID)
	dst = AppendString(append(dst, `,"name":`...), r.Name)
	if r.Department != "" {
		dst = AppendString(append(dst, `,"department":`...), r.Department)
	}
	if r.DepartmentName != "" {
		dst = AppendString(append(dst, `,"department_name":`...), r.DepartmentName)
	}
	dst = AppendString(append(dst, `,"state":`...), r.State)
	from, to := 0, 0 // where the time is: it is most often that of a call too
	if r.Since != nil {
		dst = append(dst, `,"since":`...)
		from = len(dst)
		dst = AppendTime(dst, *r.Since)
		to = len(dst)
	}
	dst = append(dst, `,"calls":`...)
	if r.Calls == nil {
		dst = append(dst, `null`...)
	} else {
		dst = append(dst, '[')
		for i := range r.Calls {
			if i > 0 {
				dst = append(dst, ',')
			}
			v, handle := &r.Calls[i], r.Calls[i].ID
			if holes != nil {
				*holes = append(*holes, len(dst)-begin+len(`{"id":"`))
				handle = blankHandle
			}
			var since []byte
			if r.Since != nil && v.Since == *r.Since {
				since = dst[from:to]
			}
			dst = v.appendJSON(dst, handle, since)
		}
		dst = append(dst, ']')
	}
	dst = AppendStrings(append(dst, `,"can":`...), r.Can)
	if r.Unknown {
		dst = append(dst, `,"unknown":true`...)
	}
	if r.ReasonRequired {
		dst = append(dst, `,"reason_required":true`...)
	}
	return append(dst, '}')
}

// appendJSON appends the view to dst; since is its time as JSON, if that has been written before.
func (v *View) appendJSON(dst []byte, handle string, since []byte) []byte {
	dst = AppendString(append(dst, `{"id":`...), handle)
	dst = AppendString(append(dst, `,"direction":`...), v.Direction)
	dst = AppendString(append(dst, `,"state":`...), v.State)
	if dst = append(dst, `,"since":`...); since != nil {
		dst = append(dst, since...)
	} else {
		dst = AppendTime(dst, v.Since)
	}
	if v.Hidden {
		dst = append(dst, `,"hidden":true`...)
	}
	if v.Peer != nil {
		dst = v.Peer.appendJSON(append(dst, `,"peer":`...))
	}
	if v.Supervision != "" {
		dst = AppendString(append(dst, `,"supervision":`...), v.Supervision)
	}
	if v.Supervised {
		dst = append(dst, `,"supervised":true`...)
	}
	if v.Locked {
		dst = append(dst, `,"locked":true`...)
	}
	if v.Taped != nil {
		dst = AppendString(append(dst, `,"recording":{"id":`...), v.Taped.ID)
		dst = append(AppendString(append(dst, `,"state":`...), v.Taped.State), '}')
	}
	if v.Kind != "" {
		dst = AppendString(append(dst, `,"kind":`...), v.Kind)
	}
	return append(dst, '}')
}

func (p *Party) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	empty := len(dst)
	for _, f := range [...]struct{ name, value string }{{`"number":`, p.Number}, {`"name":`, p.Name}, {`"employee":`, p.Employee}} {
		if f.value == "" {
			continue
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = AppendString(append(dst, f.name...), f.value)
	}
	return append(dst, '}')
}

// AppendJSON appends the supervision to dst.
func (s *Supervision) AppendJSON(dst []byte) []byte {
	dst = AppendString(append(dst, `{"id":`...), s.ID)
	dst = AppendString(append(dst, `,"target":`...), s.Target)
	dst = AppendString(append(dst, `,"mode":`...), s.Mode)
	dst = appendAct(dst, s.Call, s.Phone, s.State, s.Since, s.Reason, s.Text)
	if s.PeerSilent {
		dst = append(dst, `,"peer_silent":true`...)
	}
	return append(dst, '}')
}

// AppendJSON appends the intercept to dst.
func (i *Intercept) AppendJSON(dst []byte) []byte {
	dst = AppendString(append(dst, `{"id":`...), i.ID)
	dst = AppendString(append(dst, `,"target":`...), i.Target)
	return append(appendAct(dst, i.Call, i.Phone, i.State, i.Since, i.Reason, i.Text), '}')
}

// AppendJSON appends the notice to dst.
func (s *Supervised) AppendJSON(dst []byte) []byte {
	dst = AppendString(append(dst, `{"id":`...), s.ID)
	dst = AppendString(append(dst, `,"by":`...), s.By)
	dst = AppendString(append(dst, `,"mode":`...), s.Mode)
	dst = AppendString(append(dst, `,"state":`...), s.State)
	dst = AppendTime(append(dst, `,"since":`...), s.Since)
	if s.Until != nil {
		dst = AppendTime(append(dst, `,"until":`...), *s.Until)
	}
	return append(dst, '}')
}

// AppendJSON appends the offer to dst.
func (i *Incoming) AppendJSON(dst []byte) []byte {
	dst = AppendString(append(dst, `{"id":`...), i.ID)
	dst = AppendString(append(dst, `,"state":`...), i.State)
	dst = AppendTime(append(dst, `,"since":`...), i.Since)
	dst = i.Client.appendJSON(append(dst, `,"client":`...))
	dst = strconv.AppendBool(append(dst, `,"can_accept":`...), i.CanAccept)
	if i.Target != "" {
		dst = AppendString(append(dst, `,"target":`...), i.Target)
	}
	if i.Call != "" {
		dst = AppendString(append(dst, `,"call":`...), i.Call)
	}
	return append(dst, '}')
}

// appendAct appends what supervisions and intercepts have alike.
func appendAct(dst []byte, call, phone, state string, since time.Time, reason, text string) []byte {
	if call != "" {
		dst = AppendString(append(dst, `,"call":`...), call)
	}
	dst = AppendString(append(dst, `,"phone":`...), phone)
	dst = AppendString(append(dst, `,"state":`...), state)
	dst = AppendTime(append(dst, `,"since":`...), since)
	if reason != "" {
		dst = AppendString(append(dst, `,"reason":`...), reason)
	}
	if text != "" {
		dst = AppendString(append(dst, `,"text":`...), text)
	}
	return dst
}

// AppendTime appends a moment as encoding/json writes it.
func AppendTime(dst []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
}

// AppendUint appends a number.
func AppendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// AppendStrings appends a list of strings, null for one that is nil.
func AppendStrings(dst []byte, list []string) []byte {
	if list == nil {
		return append(dst, `null`...)
	}
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
	}
	return append(dst, ']')
}

const hex = "0123456789abcdef"

// AppendString appends a string as encoding/json writes it: what could end a script element is escaped, and so are the two separators that
// JavaScript takes for ends of line; what is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			dst = append(dst, s[from:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, `\b`...)
			case '\f':
				dst = append(dst, `\f`...)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, `\u00`...)
				dst = append(dst, hex[c>>4], hex[c&0xf])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[from:i]...), `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[from:i]...), `\u202`...)
			dst = append(dst, hex[r&0xf])
		default:
			i += size
			continue
		}
		i += size
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
