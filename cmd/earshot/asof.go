package main

import (
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// asOf is the moment as of which a policy is asked.
type asOf struct {
	At string `help:"As of then, and not of now: 2027-01-31T10:00:00+03:00, or \"2027-01-31 10:00\" in the time zone of the policy." placeholder:"TIME"`
}

// moment returns the moment in the zone of the policy, now if none is given.
func (a asOf) moment(zone *time.Location) (time.Time, error) {
	if a.At == "" {
		return time.Now().In(zone), nil
	}
	if at, err := time.Parse(time.RFC3339, a.At); err == nil {
		return at.In(zone), nil
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", a.At, zone)
	if err != nil {
		return at, fmt.Errorf("--at %q is no time, as in 2027-01-31T10:00:00+03:00 or \"2027-01-31 10:00\"", a.At)
	}
	return at, nil
}

// set reads the policy in the paths, or the one that a configuration names, as it is at the moment asked about.
func (a asOf) set(config string, paths []string) (*policy.Set, error) {
	set, err := load(config, paths)
	if err != nil {
		return nil, err
	}
	at, err := a.moment(set.Location())
	if err != nil {
		return nil, err
	}
	return set.At(at), nil
}
