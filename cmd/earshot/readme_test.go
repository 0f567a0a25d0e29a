package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What README.md shows of matrix and diff is what they print of its own policy, where a line of it says "…" with something between.
func TestTheReadmeShowsWhatIsPrinted(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "## The policy in five minutes\n")
	_, after, _ = strings.Cut(after, "```yaml\n")
	policy, after, ok := strings.Cut(after, "```\n")
	if !ok {
		t.Fatal("there is no policy")
	}
	dir := t.TempDir()
	changed := strings.Replace(policy, "except: [group:board]}", "except: [group:board], reason: true}", 1)
	for name, text := range map[string]string{"policy.yaml": policy, "etc/earshot/policy.yaml": policy, "root/new.yaml": changed} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	shown := map[string]string{} // what stands below a command
	for _, block := range strings.Split(after, "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if command, output, ok := strings.Cut(block, "\n"); ok {
			shown[command] = output
		}
	}
	for command, args := range map[string][]string{
		"$ earshot matrix --policy policy.yaml --subject irina --action observe --action spy --action barge": {"matrix", "--policy", "policy.yaml", "--subject", "irina", "--action", "observe", "--action", "spy", "--action", "barge"},
		"$ earshot diff /etc/earshot/policy.yaml new.yaml":                                                   {"diff", dir + "/etc/earshot/policy.yaml", dir + "/root/new.yaml"},
	} {
		var out, errs strings.Builder
		run(args, streams{&out, &errs})
		printed := strings.ReplaceAll(out.String(), dir+"/", "/")
		if shown[command] == "" {
			t.Errorf("README.md shows nothing of %s", command)
		}
		for i, part := range strings.Split(shown[command], "…\n") {
			at := strings.Index(printed, part)
			if at < 0 || i == 0 && at != 0 {
				t.Errorf("%s does not print\n%s\nbut\n%s%s", command, part, out.String(), errs.String())
				break
			}
			printed = printed[at+len(part):]
		}
	}
}
