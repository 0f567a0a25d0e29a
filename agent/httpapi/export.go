package httpapi

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
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
	o.Description = "GET /v1/journal with Accept: text/csv gets the same. " +
		"A cell that a spreadsheet would take for a formula, as numbers with a plus are, begins with an apostrophe. Who may ask how often is limited apart from all else. " +
		"An answer that breaks off is not whole."
	describeCSV(&o, "The rows, newest first; the first line names the columns")
	add(s, api, o, func(ctx context.Context, who auth.Subject, in *exportQuery) (*huma.StreamResponse, error) {
		if p := s.take(s.exports, limitExports, who); p != nil {
			return nil, p
		}
		x, err := s.cfg.Gate.Export(ctx, who, in.ask(), door)
		if err != nil {
			return nil, err
		}
		return s.table("journal", func(ctx huma.Context, w http.ResponseWriter, out *csv.Writer) error {
			return export(ctx.Context(), w, out, x)
		}), nil
	})
}

// export writes all rows. Each page has as much time as an answer has otherwise.
func export(ctx context.Context, w http.ResponseWriter, out *csv.Writer, x *gate.Export) error {
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

// figureColumns are those of statistics. Which of the first four are filled depends on what the figures are by.
var figureColumns = []string{"employee", "department", "line", "began", "calls", "answered", "missed", "abandoned", "talk", "wait"}

// figures answers with figures as CSV. There are as many as employees, lines, hours or days, and a bound to each.
func (s *Server) figures(list []mask.Figures, err error) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	return s.table("statistics", func(_ huma.Context, _ http.ResponseWriter, out *csv.Writer) error {
		if err := out.Write(figureColumns); err != nil {
			return err
		}
		for i := range list {
			f := &list[i]
			row := []string{harmless(f.Employee), harmless(f.Department), harmless(f.Line), moment(f.Began)}
			for _, n := range []int64{int64(f.Calls), int64(f.Answered), int64(f.Missed), int64(f.Abandoned), f.Talk, f.Wait} {
				row = append(row, strconv.FormatInt(n, 10))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	}), nil
}

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}
