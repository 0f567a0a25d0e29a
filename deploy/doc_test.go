// Package deploy_test holds what administrators get (containers, unit, rotation, alerts, dashboard) against what it is for. No container engine and no
// systemd has to run: the files are read strictly,
// and every command in them is run as it stands, with the same files, as the same user where root runs the test. What differs is where the
// folders are and, since fixed ones may be taken, the ports.
package deploy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if image.root != "" {
			_ = os.RemoveAll(image.root)
		}
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}))
}

// top is the folder of docker-compose.yml.
const top = ".."

// nobody is the user and group that the image runs as.
const nobody = 65534

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
