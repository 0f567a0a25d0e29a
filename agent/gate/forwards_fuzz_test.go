package gate_test

import (
	"context"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// astdb is the AstDB in memory: values by family and key, and what was written to it.
type astdb struct {
	kept   map[string]string
	said   []string
	listed chan struct{} // poked when a family has been read
}

func (b *astdb) Lookup(_ context.Context, family, key string) (string, error) {
	return b.kept[family+"/"+key], nil
}

func (b *astdb) Family(_ context.Context, family string) (map[string]string, error) {
	of := map[string]string{}
	for name, value := range b.kept {
		if key, ok := strings.CutPrefix(name, family+"/"); ok {
			of[key] = value
		}
	}
	select {
	case b.listed <- struct{}{}:
	default:
	}
	return of, nil
}

func (b *astdb) Keep(_ context.Context, _ call.LegID, family, key, value string) error {
	b.said = append(b.said, family+"/"+key+"="+value)
	b.kept[family+"/"+key] = value
	return nil
}

func (b *astdb) Memberships(context.Context, []string) ([]pbx.Member, error) { return nil, nil }

func (b *astdb) Pause(context.Context, pbx.Member) error { return nil }

// marked are what Earshot has written of an extension, the plain way: number, act, setter and whether it is to end each.
func marked(text string) (all [][]string) {
	if !regexp.MustCompile(`^[^:]+:[^:]+:x?([0-9a-fA-F]{2})*(:[^:]+:[^:]+:x?([0-9a-fA-F]{2})*)*$`).MatchString(text) {
		return nil
	}
	for parts := strings.Split(text, ":"); len(parts) > 0; parts = parts[3:] {
		setter, ending := strings.CutPrefix(parts[2], "x")
		all = append(all, []string{parts[0], parts[1], setter, strconv.FormatBool(ending)})
	}
	return all
}

// Whatever the AstDB says, the look at forwardings ends only what Earshot's own mark is of and the policy does not let; it ends that, records by whom it was
// set, sets none, and touches nothing else; of what is marked as one that was to be ended, and is gone, the end is on record. And nobody is shown a forwarding or that he is not to be disturbed who may not see it.
func FuzzForwards(f *testing.F) {
	const policy = `
version: 1
employees:
  desk: {name: Desk, phones: [PJSIP/100], numbers: ["100"], settings.user: any}
  ann:  {name: Ann, phones: [PJSIP/101], numbers: ["101"], dial: ["+7812*"], settings.user: own}
  bea:  {name: Bea, phones: [PJSIP/102], numbers: ["102"]}
protected: {numbers: ["+78120000000"]}
trunks: [PJSIP/trunk]
`
	setter := hex.EncodeToString([]byte("ann"))
	for _, number := range []string{"+78121234567", "+78120000000", "+79161234567", "102", "101", "112", "*8", "+78121234567", ""} {
		f.Add(number, number+":act1:"+setter, "YES")
		f.Add(number, "78129999999:act2:"+setter+":"+number+":act1:"+setter, "")
		f.Add(number, number+":act1", "no")
		f.Add(number, number+":act1:"+setter+":x", "0")
		f.Add(number, number+"::"+setter, " ")
		f.Add(number, number+":act1:x"+setter, "")
		f.Add(number, "78129999999:act2:"+setter+":78128888888:act1:x"+setter+":"+number+":act0:x"+setter, "")
	}
	b := &astdb{listed: make(chan struct{}, 1)}
	o := newOffice(f, policy, func(c *gate.Config) {
		c.Settings = gate.Settings{Switchboard: b, Forward: "CF", DoNotDisturb: "DND"}
	})
	<-b.listed // the look that the gate takes by itself after the snapshot is over: it would change what an input has here
	may := regexp.MustCompile(`^\+7812[1-9][0-9]{6}$`)
	f.Fuzz(func(t *testing.T, number, mark, quiet string) {
		for ext, owner := range map[string]string{"101": "ann", "102": "bea", "109": ""} {
			before := map[string]string{"CF/" + ext: number, "CF-earshot/" + ext: mark, "DND/" + ext: quiet, "CF/100": "78121234567", "CFB/" + ext: number}
			b.kept, b.said = map[string]string{}, nil
			for k, v := range before {
				b.kept[k] = v
			}
			records := len(o.log.all())
			if err := o.gate.EndForwards(t.Context()); err != nil {
				t.Fatal(err)
			}
			var own []string
			gone := map[string]bool{} // the acts whose forwardings an Earshot before has ended
			for _, m := range marked(mark) {
				if own == nil && m[0] == number {
					own = m
				}
			}
			for _, m := range marked(mark) {
				if m[3] == "true" && !slices.Equal(m, own) {
					gone[m[1]] = true
				}
			}
			ended := b.kept["CF/"+ext] == "" && number != ""
			for name, v := range before {
				if name != "CF/"+ext && name != "CF-earshot/"+ext && b.kept[name] != v {
					t.Fatalf("%q: %s was changed: %q", mark, name, b.said)
				}
			}
			recorded := strings.Join(o.log.all()[records:], ", ")
			switch is := b.kept["CF-earshot/"+ext]; {
			case !ended && b.kept["CF/"+ext] != number:
				t.Fatalf("%q is forwarded to %q", number, b.kept["CF/"+ext])
			case !ended && strings.Count(recorded, "record") != len(gone) || strings.Count(recorded, "earshot_restarted") != len(gone):
				t.Fatalf("of %q nothing but %v was ended before, and on record is %q", mark, gone, recorded)
			case own == nil && (ended || is != ""):
				t.Fatalf("%q of %q, which is not Earshot's: %q", mark, number, b.said)
			case own != nil && !ended && is == "":
				t.Fatalf("%q goes on, and its mark is gone", number)
			case own != nil && number != "" && !ended && (owner != "ann" || !strings.Contains(number, "812")):
				t.Fatalf("%q of %q goes on: %q", number, owner, b.said)
			case ended && owner == "ann" && may.MatchString(number):
				t.Fatalf("%q of ann is ended: %q", number, b.said)
			case ended:
				e := o.audit.last(t, audit.Revoked)
				by, err := hex.DecodeString(own[2])
				if err != nil || e.ID != own[1] || e.Subject != string(by) || e.Outcome != audit.Deny || e.Detail == "" || strings.Count(recorded, "record") != len(gone)+1 {
					t.Fatalf("of %q on record is %+v, %q", mark, e, recorded)
				}
			}
			if again := b.kept["CF-earshot/"+ext]; own != nil && !ended {
				owns := false
				for _, m := range marked(again) {
					owns = owns || m[0] == number
					if !slices.ContainsFunc(marked(mark), func(was []string) bool { return was[0] == m[0] && was[1] == m[1] && strings.EqualFold(was[2], m[2]) }) {
						t.Fatalf("the mark %q became %q", mark, again)
					}
				}
				if !owns {
					t.Fatalf("the mark %q became %q", mark, again)
				}
			}
			b.kept = before
			if v, err := o.gate.Settings(t.Context(), who("bea"), "ann"); err == nil || v.Forward != nil {
				t.Fatalf("bea is told %+v", v)
			}
			if owner != "ann" {
				continue
			}
			if v, err := o.gate.Settings(t.Context(), who("ann"), "ann"); err != nil || (v.Forward != nil) != (number != "") || v.Forward != nil && *v.Forward != number || v.DoNotDisturb != (quiet != "") {
				t.Fatalf("ann is told %+v, %v", v, err)
			}
			if v, err := o.gate.Settings(t.Context(), who("desk"), "ann"); err != nil || (v.Forward == nil) != (number == "" || v.Hidden) || v.Hidden != o.gate.Policy().ProtectedNumber(number) || number == "+78120000000" && !v.Hidden {
				t.Fatalf("desk is told %+v, %v", v, err)
			}
		}
	})
}
