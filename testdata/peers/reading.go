package main

import (
	"errors"
	"fmt"

	"github.com/earshot-pbx/earshot/testdata/peers/amiread"
	"github.com/earshot-pbx/earshot/testdata/peers/ariread"
	"github.com/earshot-pbx/earshot/testdata/peers/contest"
	"github.com/earshot-pbx/earshot/testdata/peers/report"
)

// streams is where the captured events are, from this folder.
const streams = "../streams"

func checkARI() (string, error) {
	captured, err := ariread.Captured(streams)
	if err != nil {
		return "", err
	}
	n, err := ariread.Check(captured, 5000)
	return fmt.Sprintf("4 decoders and the reference agree on %d events, %d of them as Asterisk has sent them", n, len(captured)), err
}

func measureARI(p contest.Plan) ([]report.Row, error) {
	captured, err := ariread.Captured(streams)
	if err != nil {
		return nil, err
	}
	took := contest.Run(p, ariread.Contenders(captured)...)
	const work = "decode an event of ARI"
	mine := took[ariread.Earshot]
	floor := report.Times(work, mine, took[ariread.ByHand], report.Slower, 2)
	floor.NoAllocs = true
	return []report.Row{
		report.Times(work, mine, took[ariread.JSON], report.Faster, 4), report.Times(work, mine, took[ariread.Sonic], report.Faster, 1), floor,
	}, nil
}

func checkAMI() (string, error) {
	events, fields := 0, 0
	for _, stream := range [][]byte{amiread.Corpus(255), amiread.Random(5000)} {
		e, f, err := amiread.Check(stream)
		if err != nil {
			return "", err
		}
		events, fields = events+e, fields+f
	}
	if events == 0 {
		return "", errors.New("no event")
	}
	return fmt.Sprintf("3 readers and the reference agree on the %d fields of %d events", fields, events), nil
}

func measureAMI(p contest.Plan) ([]report.Row, error) {
	took := contest.Run(p, amiread.Contenders(amiread.Corpus(255))...)
	const work = "read an event of AMI"
	mine := took[amiread.Earshot]
	floor := report.Times(work, mine, took[amiread.Searches], report.Slower, 1.5)
	floor.NoAllocs = true
	return []report.Row{report.Times(work, mine, took[amiread.Textproto], report.Faster, 10), floor}, nil
}
