package fanout

import (
	"bytes"
	"fmt"
	"regexp"
)

// handles are what a panel has in the place of ids, another for each panel.
var handles = regexp.MustCompile(`\bc[a-z0-9]{20}\b`)

// CheckAMI tells all panels of some calls by different people, and holds what each is told against what the first of its kind is told, but for handles;
// no two panels may have the same of these. Who may observe must be told each caller's number and name, and nobody else any of them.
func CheckAMI(calls int) (events int, err error) {
	o, addr, err := newAMI()
	if err != nil {
		return 0, err
	}
	defer o.close()
	conns, err := logIn(o, addr, Panels)
	if err != nil {
		return 0, err
	}
	for k := range calls {
		who := outside{fmt.Sprintf("Caller %d", k), fmt.Sprintf("+4915559%04d", k)}
		o.ingest(life(k, who)...)
		var first [2]string
		owner := map[string]int{}
		for i, conn := range conns {
			told, err := until(conn, over)
			if err != nil {
				return 0, fmt.Errorf("panel %d: %w", i, err)
			}
			for _, needle := range []string{who.name, who.number, who.number[1:]} {
				if observes := i%2 == 0; bytes.Contains(told, []byte(needle)) != observes {
					return 0, fmt.Errorf("panel %d, which may observe: %v, is told\n%s", i, observes, told)
				}
			}
			names := map[string]string{}
			plain := handles.ReplaceAllStringFunc(string(told), func(h string) string {
				if other, ok := owner[h]; ok && other != i {
					err = fmt.Errorf("panels %d and %d have the same handle", other, i)
				}
				owner[h] = i
				if names[h] == "" {
					names[h] = fmt.Sprint("handle ", len(names))
				}
				return names[h]
			})
			if err != nil {
				return 0, err
			}
			if i < 2 {
				first[i] = plain
			}
			if plain != first[i%2] || len(names) == 0 {
				return 0, fmt.Errorf("panel %d is told\n%s", i, told)
			}
			events += bytes.Count(told, []byte("\r\n\r\n"))
		}
	}
	return events, nil
}
