package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestATransferIsAWayRoundWhereItIsTakenAndBySomebodyWhoMay(t *testing.T) {
	const phone = "[101]\ntype = endpoint\nallow_subscribe = no\n"
	for name, c := range map[string]struct {
		modules, pjsip string
		want           []string
	}{
		"taken":               {"load = res_pjsip_refer.so", phone, []string{"sip-replaces", "sip-transfer 1"}},
		"who may not":         {"load = res_pjsip_refer.so", phone + "allow_transfer = no", []string{"sip-replaces"}},
		"some may not":        {"load = res_pjsip_refer.so", phone + "allow_transfer = no\n[102]\ntype = endpoint\n[103]\ntype = endpoint\nallow_transfer = yes", []string{"sip-replaces", "sip-transfer 2"}},
		"not taken":           {"noload = res_pjsip_refer.so", phone, nil},
		"nobody to take from": {"load = res_pjsip_refer.so", "[101]\ntype = auth", nil},
	} {
		etc := t.TempDir()
		for file, text := range map[string]string{"modules.conf": "[modules]\nautoload = no\n" + c.modules, "pjsip.conf": c.pjsip} {
			if err := os.WriteFile(filepath.Join(etc, file), []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files, err := OpenFiles(etc)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range examine(t, earshots, files).Findings {
			if code, ok := strings.CutPrefix(f.Code, "sip-"); ok {
				_, count, _ := strings.Cut(f.Meaning, "(")
				count, _, more := strings.Cut(count, ")")
				if !more {
					count = ""
				}
				got = append(got, strings.TrimSpace("sip-"+code+" "+count))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
