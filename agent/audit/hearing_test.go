package audit_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

func at(minute int) time.Time { return time.Date(2026, 10, 1, 9, minute, 0, 0, time.UTC) }

func from(entries ...audit.Entry) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for i, e := range entries {
			if e.Time.IsZero() {
				e.Time = at(i)
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func act(id string, phase audit.Phase, action string, employees ...string) audit.Entry {
	e := audit.Entry{ID: id, Phase: phase, Subject: "irina", Action: action, Employees: employees, Reason: "because"}
	if phase == audit.Decided {
		e.Outcome = audit.Allow
	}
	return e
}

func failed(id, action, reason, detail string) audit.Entry {
	e := act(id, audit.Failed, action)
	e.Reason, e.Detail = reason, detail
	return e
}

func TestHearingsTellWhoCouldHearWhomAndWhen(t *testing.T) {
	denied := act("a", audit.Decided, "spy", "anna")
	denied.Outcome = audit.Deny
	for name, tc := range map[string]struct {
		entries []audit.Entry
		want    string
	}{
		"a supervision from beginning to end": {
			[]audit.Entry{act("a", audit.Decided, "spy", "anna"), act("a", audit.Done, "spy", "anna"), act("a", audit.Ended, "spy")},
			"irina spy [anna] 1-2 ended because",
		},
		"revoked": {
			[]audit.Entry{act("a", audit.Decided, "barge", "anna"), act("a", audit.Done, "barge"), act("a", audit.Revoked, "barge")},
			"irina barge [anna] 1-2 revoked because",
		},
		"what was seen and had not been asked for": {
			[]audit.Entry{act("a", audit.Witnessed, "media"), act("a", audit.Ended, "media", "anna")},
			"irina media [anna] 0-1 ended because",
		},
		"what was seen and heard nobody":   {[]audit.Entry{act("a", audit.Witnessed, "pickup", "anna"), act("a", audit.Ended, "pickup")}, ""},
		"still running":                    {[]audit.Entry{act("a", audit.Decided, "spy", "anna"), act("a", audit.Done, "spy")}, "irina spy [anna] 1- "},
		"a refusal":                        {[]audit.Entry{denied}, ""},
		"a failure":                        {[]audit.Entry{act("a", audit.Decided, "spy", "anna"), act("a", audit.Failed, "spy")}, ""},
		"killed between decision and act":  {[]audit.Entry{act("a", audit.Decided, "spy", "anna")}, "irina spy [anna] 0- unconfirmed"},
		"what nobody hears":                {[]audit.Entry{act("a", audit.Decided, "intercept", "anna"), act("a", audit.Done, "intercept")}, ""},
		"the supervisor is not among them": {[]audit.Entry{act("a", audit.Done, "spy", "anna", "irina")}, "irina spy [anna] 0- "},
		"a party that joins": {
			[]audit.Entry{act("a", audit.Decided, "spy", "anna"), act("a", audit.Done, "spy"), act("a", audit.Decided, "spy", "anna", "boris"), act("a", audit.Ended, "spy")},
			"irina spy [anna boris] 1-3 ended because",
		},
		"a change of action": {
			[]audit.Entry{
				act("a", audit.Decided, "spy", "anna"), act("a", audit.Done, "spy"), act("a", audit.Decided, "whisper", "anna"),
				act("a", audit.Done, "whisper", "anna"), act("a", audit.Ended, "whisper"),
			},
			"irina spy [anna] 1-3 ; irina whisper [anna] 3-4 ended because",
		},
		"a change of action that failed": {
			[]audit.Entry{
				act("a", audit.Decided, "spy", "anna"), act("a", audit.Done, "spy"), act("a", audit.Decided, "whisper", "anna"),
				act("a", audit.Failed, "whisper"), act("a", audit.Ended, "spy"),
			},
			"irina spy [anna] 1-4 ended because",
		},
		"a recording": {[]audit.Entry{act("a", audit.Decided, "play", "anna"), act("a", audit.Disclosed, "play", "anna")}, "irina play [anna] 1- "},
		"killed, and nobody knows": {
			[]audit.Entry{act("a", audit.Decided, "spy", "anna"), failed("a", "spy", audit.ReasonUnknown, "")},
			"irina spy [anna] 0-1 failed outcome_unknown, unconfirmed",
		},
		"killed while the phone rang": {[]audit.Entry{act("a", audit.Decided, "spy", "anna"), failed("a", "spy", audit.ReasonRestarted, audit.DetailRang)}, ""},
		"killed, as an Earshot of old said it": {
			[]audit.Entry{act("a", audit.Decided, "spy", "anna"), failed("a", "spy", audit.ReasonRestarted, "")},
			"irina spy [anna] 0-1 failed earshot_restarted, unconfirmed",
		},
		"killed before a recording was disclosed": {[]audit.Entry{act("a", audit.Decided, "play", "anna"), failed("a", "play", audit.ReasonRestarted, "")}, ""},
		"a recording of which an Earshot of old said nobody knew": {
			[]audit.Entry{act("a", audit.Decided, "play", "anna"), act("a", audit.Disclosed, "play"), failed("a", "play", audit.ReasonUnknown, "")},
			"irina play [anna] 1- ",
		},
		"it was carried out, and that is not on record": {
			[]audit.Entry{act("a", audit.Decided, "spy", "anna"), act("a", audit.Ended, "spy")}, "irina spy [anna] 0-1 ended because",
		},
		"revoked, perhaps before it was carried out": {
			[]audit.Entry{act("a", audit.Decided, "spy", "anna"), act("a", audit.Revoked, "spy")}, "irina spy [anna] 0-1 revoked because, unconfirmed",
		},
		"two at once": {
			[]audit.Entry{act("a", audit.Done, "spy", "anna"), act("b", audit.Done, "spy", "boris"), act("a", audit.Ended, "spy"), act("b", audit.Ended, "spy")},
			"irina spy [anna] 0-2 ended because; irina spy [boris] 1-3 ended because",
		},
	} {
		got, err := audit.Hearings(from(tc.entries...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s := tell(got); s != tc.want {
			t.Errorf("%s:\n%q, want\n%q", name, s, tc.want)
		}
	}
}

func tell(all []audit.Hearing) string {
	var told []string
	for _, h := range all {
		s := fmt.Sprintf("%s %s %v %d-", h.Subject, h.Action, h.Employees, h.From.Minute())
		switch {
		case !h.To.IsZero():
			s += fmt.Sprint(h.To.Minute(), " ", strings.TrimSpace(string(h.End)+" "+h.Reason))
			if !h.Confirmed {
				s += ", unconfirmed"
			}
		case !h.Confirmed:
			s += " unconfirmed"
		default:
			s += " "
		}
		told = append(told, s)
	}
	return strings.Join(told, "; ")
}

func TestHearingsOfADamagedLogComeWithTheFault(t *testing.T) {
	lines, _ := sealed(t, nil, 4)
	lines[1] = slices.Concat([]byte("x"), lines[1][1:])
	path := t.TempDir() + "/audit.log"
	mustPut(t, path, slices.Concat(lines...))
	got, err := audit.Hearings(audit.Read(nil, path))
	var fault *audit.Fault
	if !errors.As(err, &fault) || fault.Line != 2 || len(got) != 3 || !got[0].Heard("boris") || got[0].Heard("irina") {
		t.Fatalf("%v, %d hearings", err, len(got))
	}
	if _, err := audit.Hearings(audit.Read(nil, path+".none")); err == nil || errors.As(err, &fault) && fault.Line == 0 {
		t.Fatalf("a file that is not there: %v", err)
	}
}
