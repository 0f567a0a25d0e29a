package debian

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// target is one package index that the machine's apt is configured to use.
type target struct {
	kind, component, release, label, uri string
}

// targetFormat makes apt-get indextargets print one target a line; label is empty when apt has not
// downloaded the archive's lists yet, as on a fresh container image.
const targetFormat = "$(IDENTIFIER)|$(COMPONENT)|$(RELEASE)|$(LABEL)|$(REPO_URI)"

// mirror tells where the Debian archive is for this machine, and the suite that the machine runs.
func mirror(ctx context.Context) (uri, suite string, err error) {
	out, err := output(ctx, "apt-get", "indextargets", "--format", targetFormat)
	if err != nil {
		return "", "", err
	}
	t, ok := pickMirror(out)
	if env := os.Getenv(EnvMirror); env != "" {
		return env, t.release, nil
	}
	if !ok {
		return "", "", fmt.Errorf("%w: apt's configuration names no Debian archive (a line with the component main); set %s to the URI of one", ErrUnavailable, EnvMirror)
	}
	return t.uri, t.release, nil
}

// pickMirror chooses the main Debian archive among the targets: not the security archive, not
// updates or backports, not another vendor's.
func pickMirror(out string) (target, bool) {
	var guess target
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 5 {
			continue
		}
		t := target{kind: f[0], component: f[1], release: f[2], label: f[3], uri: f[4]}
		if t.kind != "Packages" || t.component != "main" || strings.HasPrefix(t.uri, "cdrom:") ||
			strings.Contains(t.release, "-") || strings.Contains(t.release, "/") {
			continue
		}
		if t.label == "Debian" {
			return t, true
		}
		if t.label == "" && guess.uri == "" && strings.HasSuffix(strings.TrimRight(t.uri, "/"), "/debian") {
			guess = t
		}
	}
	return guess, guess.uri != ""
}
