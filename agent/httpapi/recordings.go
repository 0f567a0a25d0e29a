package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/lobby"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/playback"
)

// reasonHeader is in which a request without a body says why one asks. An address would end up in logs.
const reasonHeader = "X-Earshot-Reason"

// LinkRequest is the body of POST /v1/recordings/{id}/links.
type LinkRequest struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why one asks, in one's own words, for the record; where the policy requires one, without it the request is refused with the code reason_required"`
}

// Record is the body of POST /v1/recordings.
type Record struct {
	Target string `json:"target" doc:"Employee id: oneself, or a colleague whose calls one may record"`
	Call   string `json:"call,omitempty" doc:"Id of the call, from the target's row; without it, the only one that is up"`
}

// RecordingState is the body of PATCH /v1/recordings/{id}.
type RecordingState struct {
	State string `json:"state" enum:"recording,paused,stopped" doc:"paused: what is said is left out of the file until it is recording again; stopped: it has ended for good. A recording that has ended is not touched: DELETE is for that"`
}

// Recordings is the answer of GET /v1/recordings.
type Recordings struct {
	Recordings []mask.Taping `json:"recordings" nullable:"false" doc:"Those that one has begun and that run"`
}

type (
	recordingChange struct {
		ID   string `path:"id" doc:"Id of the recording, from the answer that began it or from a row of the board"`
		Body body[RecordingState]
	}
	recordingBegun struct {
		Location string `header:"Location" doc:"Where its state is changed"`
		Body     mask.Taping
	}
	recordingByID struct {
		ID     string `path:"id" doc:"Id of the recording, from the journal"`
		Reason string `header:"X-Earshot-Reason" doc:"Why one asks, for the record; where the policy requires one"`
	}
	linkAsked struct {
		ID   string `path:"id" doc:"Id of the recording, from the journal"`
		Body body[LinkRequest]
	}
	linkMade struct {
		Location string `header:"Location" doc:"The same as url"`
		Body     mask.RecordingLink
	}
)

func (s *Server) recordingRoutes(api huma.API) {
	g := s.cfg.Gate
	add(s, api, op(http.MethodGet, "/v1/recordings", "list-recordings", "The recordings that one has begun and that run; the journal has those that are over"),
		func(_ context.Context, who auth.Subject, _ *nothing) (*answer[Recordings], error) {
			list, err := g.Recordings(who)
			return reply(Recordings{Recordings: list}, err)
		})
	begin := op(http.MethodPost, "/v1/recordings", "record", "Record a running call; answered when it is being recorded. Everybody whose call it is sees that")
	begin.DefaultStatus = http.StatusCreated
	add(s, api, begin, func(ctx context.Context, who auth.Subject, in *object[Record]) (*recordingBegun, error) {
		b := in.Body.value
		if p := in.Body.complete(b.Target); p != nil {
			return nil, p
		}
		v, err := g.StartRecording(context.WithoutCancel(ctx), who, gate.RecordAsk{Target: b.Target, Call: b.Call, Door: door})
		if err != nil {
			return nil, err
		}
		return &recordingBegun{Location: "/v1/recordings/" + v.ID, Body: v}, nil
	})
	add(s, api, op(http.MethodPatch, "/v1/recordings/{id}", "change-recording", "Pause a recording that Earshot makes, have it go on, or stop it; answered when that has come to pass"),
		func(ctx context.Context, who auth.Subject, in *recordingChange) (*answer[mask.Taping], error) {
			if in.Body.problem != nil {
				return nil, in.Body.problem
			}
			change := map[string]func(context.Context, auth.Subject, gate.RecordAsk) (mask.Taping, error){
				mask.TapeRecording: g.ResumeRecording, mask.TapePaused: g.PauseRecording, mask.TapeStopped: g.StopRecording,
			}[in.Body.value.State]
			if change == nil {
				return nil, newProblem(http.StatusUnprocessableEntity, "unknown_state", "state is recording, paused or stopped.")
			}
			v, err := change(context.WithoutCancel(ctx), who, gate.RecordAsk{ID: in.ID, Door: door})
			return reply(v, err)
		})
	s.mux.HandleFunc("GET /v1/recordings/{id}", s.recording)
	s.mux.HandleFunc("GET "+gate.LinkPath+"{word}", s.linkedRecording)
	add(s, api, op(http.MethodDelete, "/v1/recordings/{id}", "delete-recording", "Delete a recording for good: its file, and what lies under its name beside it"),
		func(ctx context.Context, who auth.Subject, in *recordingByID) (*nothing, error) {
			return nil, g.DeleteRecording(context.WithoutCancel(ctx), who, gate.RecordingAsk{ID: in.ID, Reason: in.Reason, Door: door})
		})
	post := op(http.MethodPost, "/v1/recordings/{id}/links", "link-recording", "An address at which the recording can be heard for a while without a credential, as a page's audio element needs it")
	post.DefaultStatus = http.StatusCreated
	add(s, api, post, func(ctx context.Context, who auth.Subject, in *linkAsked) (*linkMade, error) {
		if in.Body.problem != nil {
			return nil, in.Body.problem
		}
		v, err := g.LinkRecording(ctx, who, gate.RecordingAsk{ID: in.ID, Reason: in.Body.value.Reason, Door: door})
		if err != nil {
			return nil, err
		}
		return &linkMade{Location: v.URL, Body: v}, nil
	})
}

// recording is GET and HEAD /v1/recordings/{id}.
func (s *Server) recording(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeHTTP put it there
	who, p := s.authenticate(x, r, false)
	if p == nil {
		p = query(r.URL, "download")
	}
	download := r.URL.Query().Get("download")
	if p == nil && download != "" && download != "1" {
		p = newProblem(http.StatusBadRequest, "bad_parameter", "download is 1, to have the recording as a file, or it is left out.")
	}
	if p == nil && len(r.Header.Values(reasonHeader)) > 1 {
		p = newProblem(http.StatusBadRequest, "duplicate_header", "Send "+reasonHeader+" once.")
	}
	if p != nil {
		x.fail(p)
		return
	}
	playing, err := s.cfg.Gate.OpenRecording(r.Context(), who, gate.RecordingAsk{
		ID: r.PathValue("id"), Download: download != "", Reason: r.Header.Get(reasonHeader), Door: door,
	})
	s.send(x, r, playing, err, download != "")
}

// linkedRecording is GET and HEAD of a link. Nobody has to prove who he is: the link says whose it is; but who does has to be that one. Links that are
// none count like credentials that are none, against whoever tries them out.
func (s *Server) linkedRecording(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange) // ServeHTTP put it there
	// It is for the page of a panel, which has an address of its own: whoever has the link may embed what he could fetch.
	x.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	if p := query(r.URL); p != nil {
		x.fail(p)
		return
	}
	from, guesses := guesser(x.remote), !s.proven.has(r.PathValue("word"))
	if wait := s.failures.owes(from); wait > 0 && guesses {
		s.met.limited.WithLabelValues(limitFailures).Inc()
		x.fail(tooManyFailures(wait))
		return
	}
	var by auth.Subject
	if r.Header.Values("Authorization") != nil {
		var p *Problem
		if by, p = s.authenticate(x, r, false); p != nil {
			x.fail(p)
			return
		}
	}
	known := false
	playing, err := s.cfg.Gate.OpenRecordingLink(r.Context(), r.PathValue("word"), door, by, func(who auth.Subject) error {
		known = true
		s.proven.add(r.PathValue("word"))
		x.subject, x.panel = who.Employee(), who.Panel()
		if !lobby.Prove(r.Context()) {
			return crowdedOut()
		}
		if by.Known() {
			return nil // it has been counted
		}
		if p := s.limit(who, r.Method); p != nil {
			return p
		}
		return nil
	})
	if !known && err != nil && guesses { // a page that plays on by a link which has ended is none who tries out
		s.failures.charge(from)
	}
	s.send(x, r, playing, err, false)
}

// send serves a recording, or says why not. It holds no more of it than a chunk.
func (s *Server) send(x *exchange, r *http.Request, playing *gate.Playing, err error, download bool) {
	h := x.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err != nil {
		x.fail(asProblem(err))
		return
	}
	defer func() { _ = playing.Close() }()
	h.Set("Referrer-Policy", "no-referrer")
	if !playback.Send(x, r, playing, playback.How{Download: download, Each: s.cfg.WriteTimeout}) {
		x.fail(newProblem(http.StatusRequestedRangeNotSatisfiable, "no_such_range", "The recording has no such part; Content-Range says how long it is."))
	}
	if lost := playing.Lost(); lost != nil {
		x.ended = asProblem(lost).Code
	}
}

// describeRecordings describes what huma does not answer.
func describeRecordings(doc *huma.OpenAPI, problem *huma.Schema) {
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "Id of the recording, from the journal"}
	why := &huma.Param{Name: reasonHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Description: "Why one asks, for the record; where the policy requires one"}
	part := &huma.Param{Name: "Range", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Description: "Which bytes, in one part (RFC 9110, section 14); several are answered with the whole. If-Range with the Etag is understood"}
	audio := map[string]*huma.MediaType{"audio/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	responses := func() map[string]*huma.Response {
		return map[string]*huma.Response{
			"200":     {Description: "The recording", Content: audio},
			"206":     {Description: "A part of it", Content: audio},
			"416":     {Description: "There is no such part"},
			"default": {Description: "The recording is not served; code says why.", Content: map[string]*huma.MediaType{problemType: {Schema: problem}}},
		}
	}
	doc.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/v1/recordings/{id}", OperationID: "get-recording", Summary: "Play a recording, or with download=1 have it as a file",
		Description: "Decided over everybody who was on the call, at each request and while it is sent: it breaks off when the right goes. What is asked of one recording within a quarter of an hour is one disclosure in the record. HEAD is answered too.",
		Parameters: []*huma.Param{employeeHeader, id, why, part, {
			Name: "download", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"1"}}, Description: "As a file, for which one needs the right to download",
		}},
		Responses: responses(),
	})
	doc.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: gate.LinkPath + "{word}", OperationID: "get-linked-recording", Summary: "Play a recording by a link",
		Description: "The link is the credential, of the person who asked for it; see link-recording.",
		Security:    []map[string][]string{},
		Parameters:  []*huma.Param{{Name: "word", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "The link's word"}, part},
		Responses:   responses(),
	})
}
