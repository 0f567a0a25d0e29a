package main

import (
	"fmt"

	"github.com/earshot-pbx/earshot/testdata/peers/company"
	"github.com/earshot-pbx/earshot/testdata/peers/contest"
	"github.com/earshot-pbx/earshot/testdata/peers/decision"
	"github.com/earshot-pbx/earshot/testdata/peers/report"
)

var sizes = []int{100, 1000, 10000}

func checkDecisions() (string, error) {
	const questions = 10_000
	allowed := 0
	for _, n := range sizes {
		more, err := decision.Check(company.New(n), questions)
		if err != nil {
			return "", fmt.Errorf("%d employees: %w", n, err)
		}
		allowed += more
	}
	return fmt.Sprintf("%d engines and the reference agree on %d questions, %d of them allowed", len(decision.Makers), questions*len(sizes), allowed), nil
}

func measureDecisions(p contest.Plan) ([]report.Row, error) {
	var rows []report.Row
	for _, n := range sizes {
		contenders, err := decision.Contenders(company.New(n))
		if err != nil {
			return nil, err
		}
		took := contest.Run(p, contenders...)
		work := fmt.Sprintf("decide, %d employees", n)
		floor := report.Times(work, took[decision.Earshot], took[decision.Rules], report.Slower, 1.5)
		floor.NoAllocs = true
		rows = append(rows,
			report.Times(work, took[decision.Earshot], took[decision.Cedar], report.Faster, 12),
			report.Times(work, took[decision.Earshot], took[decision.Casbin], report.Faster, 4),
			report.Times(work, took[decision.Earshot], took[decision.OPA], report.Faster, 0),
			floor,
			report.Times(work, took[decision.Earshot], took[decision.Pairs], report.Slower, 1.5),
		)
	}
	for _, n := range sizes {
		sizes, err := decision.Memory(n)
		if err != nil {
			return nil, err
		}
		for _, other := range []string{decision.OPA, decision.OPALean, decision.Cedar, decision.Casbin, decision.Rules, decision.Pairs} {
			target := 0.0
			if other == decision.OPA || other == decision.OPALean {
				target = 0.25
			}
			ours, theirs := float64(sizes[decision.Earshot]), float64(sizes[other])
			rows = append(rows, report.Row{
				Work: fmt.Sprintf("policy in memory, %d", n), Against: other, Ours: ours, Theirs: theirs, Ratios: []float64{ours / theirs}, Kind: report.Smaller, Target: target,
			})
		}
	}
	return rows, nil
}
