// Package playback sends recordings over HTTP as doors do alike: whole or in parts, a chunk at a time, for as long as the gate lets them be played.
//
// Its invariant: it holds no more of a recording than a chunk, and gets each of the gate, which looks every time whether it may still be heard.
package playback

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// How is how one is sent.
type How struct {
	Download bool             // as a file
	Each     time.Duration    // how long the client has for a chunk; for the whole there is no bound, as it may last as long as a call
	OnStatus func(status int) // is told what is answered, before it is; may be nil
}

// Send answers a request with a recording or a part of it, and reports whether there is such a part. Where there is none nothing is answered yet, which is for
// the caller to do: Content-Range is set. Whether the recording broke off, it tells itself. Closing it is for the caller too.
func Send(w http.ResponseWriter, r *http.Request, playing *gate.Playing, how How) bool {
	disposition := "inline"
	if how.Download {
		disposition = "attachment"
	}
	h := w.Header()
	h.Set("Cache-Control", notKept)
	h.Set("Content-Type", playing.MediaType())
	h.Set("Content-Disposition", disposition+`; filename="`+playing.Name()+`"`)
	h.Set("Etag", `"`+playing.Tag()+`"`)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // at which net/http would take the client to be gone
	part := &parted{ResponseWriter: w, told: how.OnStatus}
	http.ServeContent(part, ofOnePart(r), "", playing.Modified(), &paced{playing, control, how.Each})
	if part.none {
		for _, name := range []string{"Content-Disposition", "Etag", "Last-Modified"} {
			h.Del(name)
		}
		h.Set("Cache-Control", notKept) // which net/http takes off errors
	}
	return !part.none
}

const notKept = "private, no-store"

// ofOnePart is the request as it is answered: a Range of another unit, or of a method that has none, is left out, as it has to be (RFC 9110, section 14.2); and
// so is one of several parts, as it may be, for net/http would read those in a goroutine that may outlive the request.
func ofOnePart(r *http.Request) *http.Request {
	asked := r.Header.Values("Range")
	if len(asked) == 0 || len(asked) == 1 && r.Method == http.MethodGet && strings.HasPrefix(asked[0], "bytes=") && !strings.Contains(asked[0], ",") {
		return r
	}
	whole := *r
	whole.Header = r.Header.Clone()
	whole.Header.Del("Range")
	return &whole
}

// parted notes what net/http answers, and keeps back what it says, in plain text, of a part that there is not.
type parted struct {
	http.ResponseWriter
	told func(status int)
	none bool
}

// WriteHeader implements [http.ResponseWriter].
func (p *parted) WriteHeader(status int) {
	if p.none = status == http.StatusRequestedRangeNotSatisfiable; p.none {
		return
	}
	if p.told != nil {
		p.told(status)
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (p *parted) Write(b []byte) (int, error) {
	if p.none {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// paced gives the client time for each chunk and not for the whole.
type paced struct {
	*gate.Playing
	control *http.ResponseController
	each    time.Duration
}

// Read implements [io.Reader].
func (p *paced) Read(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(p.each)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.Playing.Read(b)
}
