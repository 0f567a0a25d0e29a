package httpapi

import (
	"encoding/csv"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const csvType = "text/csv; charset=utf-8; header=present"

// asCSV are the routes that have the same as CSV beside them, at the same path with csvSuffix: whoever asks for text/csv rather than for JSON gets that.
var asCSV = []string{"/v1/journal", "/v1/statistics", "/v1/lines/{id}/statistics"}

const csvSuffix = ".csv"

// negotiate gives the answer the form that is asked for: of a route that has two it returns the request for the other one where Accept prefers that.
func (s *Server) negotiate(h http.Header, r *http.Request) *http.Request {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return r
	}
	_, pattern := s.mux.Handler(r)
	if _, route, _ := strings.Cut(pattern, " "); !slices.Contains(asCSV, route) {
		return r
	}
	h.Set("Vary", "Accept")
	if !prefersCSV(r.Header.Values("Accept")) {
		return r
	}
	other := *r
	other.URL = new(url.URL)
	*other.URL = *r.URL
	other.URL.Path += csvSuffix
	if other.URL.RawPath != "" {
		other.URL.RawPath += csvSuffix
	}
	return &other
}

// prefersCSV reports whether what is accepted puts CSV before JSON (RFC 9110, section 12.5.1): of what fits a type the most specific counts, and where both are
// as welcome it is JSON. What cannot be read is left out.
func prefersCSV(accept []string) bool {
	var csv, json struct {
		specific int
		quality  float64
	}
	for _, member := range strings.Split(strings.Join(accept, ","), ",") {
		of, params, err := mime.ParseMediaType(member)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
				continue
			}
		}
		for specific, names := range [][2]string{{"*/*", "*/*"}, {"text/*", "application/*"}, {"text/csv", "application/json"}} {
			if of == names[0] && specific+1 > csv.specific {
				csv.specific, csv.quality = specific+1, q
			}
			if of == names[1] && specific+1 > json.specific {
				json.specific, json.quality = specific+1, q
			}
		}
	}
	return csv.quality > json.quality
}

// describeCSV says of an operation that it answers in CSV, alone or beside JSON.
func describeCSV(o *huma.Operation, what string, beside ...string) {
	content := map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: huma.TypeString}}}
	for _, other := range beside {
		content[other] = &huma.MediaType{} // huma fills it in
	}
	o.Responses = map[string]*huma.Response{"200": {Description: what, Content: content}}
}

// table is the answer that write writes, in CSV (RFC 4180) under a name. When that fails it breaks off, so that nobody takes half of it for the whole.
func (s *Server) table(name string, write func(ctx huma.Context, w http.ResponseWriter, out *csv.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		w.Header().Set("Content-Type", csvType)
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+csvSuffix+`"`)
		out := csv.NewWriter(w)
		out.UseCRLF = true
		if err := write(ctx, w, out); err != nil {
			s.log.Warn().Err(err).Str("table", name).Msg("an export broke off")
			panic(http.ErrAbortHandler)
		}
	}}
}

// harmless keeps a spreadsheet from taking a cell for a formula: names and numbers are what callers choose.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(cell[0])) || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") || strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}
