package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// JournalFilter is what GET /v1/journal and its export take. It is exported since huma looks into no embedded type that is not.
type JournalFilter struct {
	Employee   string    `query:"employee" doc:"Id of the employee whose rows are wanted; all on whom one has the right journal"`
	Department string    `query:"department" doc:"Id of the department whose own employees' rows are wanted"`
	Line       string    `query:"line" doc:"Id of the line; of rows whose other side is hidden none is found by it"`
	From       time.Time `query:"from" doc:"Rows that began then or later, as 2026-10-01T09:00:00+03:00; parts of a second are left out"`
	To         time.Time `query:"to" doc:"Rows that began before"`
	Direction  string    `query:"direction" enum:"in,out"`
	Outcome    string    `query:"outcome" enum:"running,answered,missed,elsewhere,busy,failed,abandoned,cancelled,unanswered" doc:"As the rows have it"`
	Number     string    `query:"number" maxLength:"64" doc:"A number of the other side, in any form; of rows whose other side is hidden none is found by it"`
}

func (f *JournalFilter) ask() gate.JournalAsk {
	return gate.JournalAsk{
		Employee: f.Employee, Department: f.Department, Line: f.Line, From: f.From, To: f.To, Direction: f.Direction, Outcome: f.Outcome, Number: f.Number,
	}
}

type (
	journalQuery struct {
		JournalFilter
		Cursor string `query:"cursor" maxLength:"64" doc:"next of the page before; with the same filter"`
		Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	}
	historyQuery struct {
		ID        string    `path:"id" doc:"Id of the line"`
		From      time.Time `query:"from" doc:"Rows that began then or later; parts of a second are left out"`
		To        time.Time `query:"to" doc:"Rows that began before"`
		Direction string    `query:"direction" enum:"in,out"`
		Outcome   string    `query:"outcome" enum:"running,answered,missed,elsewhere,busy,failed,abandoned,cancelled,unanswered" doc:"As the rows have it"`
		Number    string    `query:"number" maxLength:"64" doc:"A number of the other side; of rows whose other side is hidden none is found by it"`
		Cursor    string    `query:"cursor" maxLength:"64" doc:"next of the page before; with the same filter"`
		Limit     int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	}
	rowByID struct {
		ID string `path:"id" doc:"Handle of the row"`
	}
	gradeByID struct {
		ID   string `path:"id" doc:"Handle of the row"`
		Body body[PutGrade]
	}
)

// PutGrade is the body of PUT /v1/journal/{id}/grade.
type PutGrade struct {
	Value   int    `json:"value" minimum:"1" maximum:"5" doc:"1 is worst, 5 is best"`
	Comment string `json:"comment,omitempty" maxLength:"500" doc:"One line"`
}

// Statistics is the answer of GET /v1/statistics.
type Statistics struct {
	By      string         `json:"by" enum:"employee,department,line,hour,day"`
	Figures []mask.Figures `json:"figures" nullable:"false" doc:"In order of id or time; groups without a call are left out"`
}

func (s *Server) journalRoutes(api huma.API) {
	g := s.cfg.Gate
	list := op(http.MethodGet, "/v1/journal", "list-journal", "The journal: running and past calls, as one may see them; newest first")
	describeCSV(&list, "A page; with Accept: text/csv all of it, as GET /v1/journal.csv", "application/json")
	add(s, api, list,
		func(ctx context.Context, who auth.Subject, in *journalQuery) (*answer[mask.JournalPage], error) {
			ask := in.ask()
			ask.Cursor, ask.Limit = in.Cursor, in.Limit
			page, err := g.Journal(ctx, who, ask)
			return reply(page, err)
		})
	add(s, api, op(http.MethodGet, "/v1/journal/{id}", "get-journal-row", "One row of the journal"),
		func(ctx context.Context, who auth.Subject, in *rowByID) (*answer[mask.JournalRow], error) {
			row, err := g.JournalRow(ctx, who, in.ID)
			return reply(row, err)
		})
	add(s, api, op(http.MethodPut, "/v1/journal/{id}/grade", "grade", "Grade an employee's part in a call, past or running; one's own grade before is replaced"),
		func(ctx context.Context, who auth.Subject, in *gradeByID) (*answer[mask.Grade], error) {
			if in.Body.problem != nil {
				return nil, in.Body.problem
			}
			b := in.Body.value
			v, err := g.Grade(context.WithoutCancel(ctx), who, gate.GradeAsk{Row: in.ID, Value: b.Value, Comment: b.Comment, Door: door})
			return reply(v, err)
		})
	add(s, api, op(http.MethodGet, "/v1/lines/{id}/history", "get-line-history", "The conversations that a line has brought, as one may see them; newest first"),
		func(ctx context.Context, who auth.Subject, in *historyQuery) (*answer[mask.JournalPage], error) {
			page, err := g.LineHistory(ctx, who, in.ID, gate.JournalAsk{
				From: in.From, To: in.To, Direction: in.Direction, Outcome: in.Outcome, Number: in.Number, Cursor: in.Cursor, Limit: in.Limit,
			})
			return reply(page, err)
		})
	s.statisticsRoutes(api)
	s.exportRoute(api)
}

type (
	statisticsQuery struct {
		By         string    `query:"by" enum:"employee,department,line,hour,day" required:"true"`
		Employee   string    `query:"employee" doc:"Id of the employee whose calls alone are counted"`
		Department string    `query:"department" doc:"Id of the department whose own employees' calls alone are counted"`
		Line       string    `query:"line" doc:"Id of the line whose callers are counted, by line, hour or day"`
		From       time.Time `query:"from" doc:"Calls that began then or later; needed with hour and day"`
		To         time.Time `query:"to" doc:"Calls that began before"`
	}
	lineStatisticsQuery struct {
		ID   string    `path:"id" doc:"Id of the line"`
		By   string    `query:"by" enum:"line,hour,day" default:"line" doc:"line: one sum"`
		From time.Time `query:"from" doc:"Callers who came then or later; needed with hour and day"`
		To   time.Time `query:"to" doc:"Callers who came before"`
	}
)

func (in *statisticsQuery) ask() gate.StatisticsAsk {
	return gate.StatisticsAsk{By: in.By, Employee: in.Employee, Department: in.Department, Line: in.Line, From: in.From, To: in.To}
}

func (in *lineStatisticsQuery) ask() gate.StatisticsAsk {
	return gate.StatisticsAsk{By: in.By, From: in.From, To: in.To}
}

func (s *Server) statisticsRoutes(api huma.API) {
	g := s.cfg.Gate
	const form = "The figures; with Accept: text/csv as CSV, as beside it with .csv"
	all := op(http.MethodGet, "/v1/statistics", "get-statistics", "Figures of the calls of those on whom one has the right statistics, or of the lines")
	describeCSV(&all, form, "application/json")
	add(s, api, all, func(ctx context.Context, who auth.Subject, in *statisticsQuery) (*answer[Statistics], error) {
		f, err := g.Statistics(ctx, who, in.ask())
		return reply(Statistics{By: in.By, Figures: f}, err)
	})
	all = op(http.MethodGet, "/v1/statistics.csv", "export-statistics", "The same figures as CSV (RFC 4180, UTF-8)")
	describeCSV(&all, "The figures; the first line names the columns")
	add(s, api, all, func(ctx context.Context, who auth.Subject, in *statisticsQuery) (*huma.StreamResponse, error) {
		return s.figures(g.Statistics(ctx, who, in.ask()))
	})
	line := op(http.MethodGet, "/v1/lines/{id}/statistics", "get-line-statistics", "Figures of the callers of a line")
	describeCSV(&line, form, "application/json")
	add(s, api, line, func(ctx context.Context, who auth.Subject, in *lineStatisticsQuery) (*answer[Statistics], error) {
		f, err := g.LineStatistics(ctx, who, in.ID, in.ask())
		return reply(Statistics{By: in.By, Figures: f}, err)
	})
	line = op(http.MethodGet, "/v1/lines/{id}/statistics.csv", "export-line-statistics", "The same figures as CSV (RFC 4180, UTF-8)")
	describeCSV(&line, "The figures; the first line names the columns")
	add(s, api, line, func(ctx context.Context, who auth.Subject, in *lineStatisticsQuery) (*huma.StreamResponse, error) {
		return s.figures(g.LineStatistics(ctx, who, in.ID, in.ask()))
	})
}
