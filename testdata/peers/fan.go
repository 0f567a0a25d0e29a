package main

import (
	"fmt"

	"github.com/earshot-pbx/earshot/testdata/peers/contest"
	"github.com/earshot-pbx/earshot/testdata/peers/fanout"
	"github.com/earshot-pbx/earshot/testdata/peers/report"
)

func checkFanOut() (string, error) {
	n, err := fanout.CheckAMI(25)
	if err != nil {
		return "", fmt.Errorf("AMI: %w", err)
	}
	m, err := fanout.CheckWeb(150)
	if err != nil {
		return "", fmt.Errorf("HTTP: %w", err)
	}
	return fmt.Sprintf("%d events of AMI and %d messages of HTTP at %d panels are what each may know", n, m, fanout.Panels), nil
}

func measureFanOut(p contest.Plan) ([]report.Row, error) {
	p.Each *= 4 // many goroutines need longer to even out
	var rows []report.Row
	for _, door := range []struct {
		name string
		make func() ([]contest.Contender, func(), error)
	}{{"AMI event to 1 of 100", fanout.AMI}, {"HTTP change to 1 of 100", fanout.Web}} {
		contenders, end, err := door.make()
		if err != nil {
			return nil, err
		}
		took := contest.Run(p, contenders...)
		end()
		mine, batched, single := took[fanout.Earshot], took[fanout.Batched], took[fanout.Single]
		rows = append(rows,
			report.Times(door.name, mine, batched, report.Faster, 0.75), report.Times(door.name, mine, single, report.Faster, 3),
			report.Times(door.name+", CPU", mine.Processor(), batched.Processor(), report.Faster, 0),
			report.Times(door.name+", CPU", mine.Processor(), single.Processor(), report.Faster, 0),
		)
	}
	return rows, nil
}
