package httpapi

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// columns are the export's. Times are RFC 3339, in UTC; lengths are seconds.
var columns = []string{
	"employee", "direction", "outcome", "began", "answered", "ended", "wait", "talk", "number", "name", "peer_employee", "kind", "line", "dialled", "recordings",
}

type exportQuery struct{ JournalFilter }

// exportRoute registers the journal as CSV. It is written as it is read, a page at a time, whatever there is.
func (s *Server) exportRoute(api huma.API) {
	o := op(http.MethodGet, "/v1/journal.csv", "export-journal", "The same rows as /v1/journal as CSV (RFC 4180, UTF-8), all of them; recorded as disclosed")
	o.Description = "A cell that a spreadsheet would take for a formula, as numbers with a plus are, begins with an apostrophe. Who may ask how often is limited apart from all else. " +
		"An answer that breaks off is not whole."
	o.Responses = map[string]*huma.Response{"200": {Description: "The rows, newest first; the first line names the columns", Content: map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	add(s, api, o, func(ctx context.Context, who auth.Subject, in *exportQuery) (*huma.StreamResponse, error) {
		if p := s.take(s.exports, limitExports, who); p != nil {
			return nil, p
		}
		x, err := s.cfg.Gate.Export(ctx, who, in.ask(), door)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			_, w := humago.Unwrap(ctx)
			w.Header().Set("Content-Type", csvType)
			w.Header().Set("Content-Disposition", `attachment; filename="journal.csv"`)
			if err := s.write(ctx.Context(), w, x); err != nil {
				s.log.Warn().Err(err).Msg("an export broke off")
				panic(http.ErrAbortHandler) // so that nobody takes half of it for the whole
			}
		}}, nil
	})
}

const csvType = "text/csv; charset=utf-8; header=present"

// write writes the export. Each page has as much time as an answer has otherwise.
func (s *Server) write(ctx context.Context, w http.ResponseWriter, x *gate.Export) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(columns); err != nil {
		return err
	}
	deadline := http.NewResponseController(w)
	for {
		rows, err := x.Next(ctx)
		if err != nil {
			return err
		}
		_ = deadline.SetWriteDeadline(time.Now().Add(exportPatience)) // what cannot be set stays as it is
		for i := range rows {
			if err := out.Write(cells(&rows[i])); err != nil {
				return err
			}
		}
		if out.Flush(); out.Error() != nil || len(rows) == 0 {
			return out.Error()
		}
	}
}

// exportPatience is how long one page of an export is waited for.
const exportPatience = 30 * time.Second

func cells(r *mask.JournalRow) []string {
	moment := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	peer := mask.Party{}
	if r.Peer != nil {
		peer = *r.Peer
	}
	kind := r.Kind
	if kind == "" && r.Hidden {
		kind = "hidden"
	}
	states := make([]string, len(r.Recordings))
	for i, k := range r.Recordings {
		states[i] = k.State
	}
	row := []string{
		r.Employee, r.Direction, r.Outcome, r.Began.Format(time.RFC3339), moment(r.Answered), moment(r.Ended), strconv.Itoa(r.Wait), strconv.Itoa(r.Talk),
		peer.Number, peer.Name, peer.Employee, kind, r.Line, r.Dialled, strings.Join(states, " "),
	}
	for i := range row {
		row[i] = harmless(row[i])
	}
	return row
}

// harmless keeps a spreadsheet from taking a cell for a formula: names and numbers are what callers choose.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(cell[0])) || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") || strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}
