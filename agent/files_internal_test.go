package agent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// lines is a log as a channel of its lines.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// wait returns when a line has the words.
func (l lines) wait(t *testing.T, words string) {
	t.Helper()
	for limit := time.After(10 * time.Second); ; {
		select {
		case line := <-l:
			if strings.Contains(line, words) {
				return
			}
		case <-limit:
			t.Fatalf("no line has %q", words)
		}
	}
}

// house is an agent whose files are in a folder, beside a PBX that is not there.
func house(t *testing.T) (*Agent, string, lines) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"policy.yaml": "version: 1\nemployees:\n  anna: {name: Anna}\n", "tokens.yaml": "[]\n", "clients.yaml": "[]\n", "secret": "s3cret\n",
		"earshot.yaml": `policy: policy.yaml
tokens: tokens.yaml
clients: clients.yaml
audit: {file: audit.jsonl}
http: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
pbx:
  ami: {address: "127.0.0.1:1", username: earshot, secret_file: secret}
  ari: {url: "http://127.0.0.1:1/ari", username: earshot, password_file: secret}
`,
	} {
		write(t, filepath.Join(dir, name), text)
	}
	cfg, err := LoadConfig(filepath.Join(dir, "earshot.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	log := make(lines, 1000)
	a, err := New(cfg, zerolog.New(log), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.closeFiles)
	return a, dir, log
}

// write puts a text in the place of a file as editors do: a new file takes the old one's name.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// follow runs the watch until the test ends.
func follow(t *testing.T, a *Agent, log lines) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.watchFiles(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	log.wait(t, "tokens.yaml") // the first reading, after which the folders are watched
	log.wait(t, "clients.yaml")
}

// known reports whether a token lets somebody in.
func known(t *testing.T, a *Agent, token string) bool {
	t.Helper()
	_, err := a.tokens.Authenticate(t.Context(), auth.Credential{Token: token})
	return err == nil
}

func TestAChangedFileIsTakenUpAndABrokenOneIsNot(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("watch", func(t *testing.T) {
		a, dir, log := house(t)
		follow(t, a, log)
		token, hash := auth.NewToken()
		write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: anna, hash: \""+hash+"\"}\n")
		log.wait(t, "tokens.yaml")
		if !known(t, a, token) {
			t.Error("a new token does not let in")
		}
		write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: anna}\n")
		log.wait(t, "1:3: hash is missing")
		if !known(t, a, token) || testutil.ToFloat64(a.met.files.WithLabelValues("tokens")) != 0 {
			t.Error("a broken file was taken, or no gauge says that it is broken")
		}
		if err := os.Remove(filepath.Join(dir, "tokens.yaml")); err != nil {
			t.Fatal(err)
		}
		log.wait(t, "no such file")
		if !known(t, a, token) {
			t.Error("a file that is gone took the tokens with it")
		}
		write(t, filepath.Join(dir, "tokens.yaml"), "[]\n")
		log.wait(t, "read a file")
		if known(t, a, token) || testutil.ToFloat64(a.met.files.WithLabelValues("tokens")) != 1 {
			t.Error("a token that was taken out still lets in, or the gauge is stuck")
		}
		write(t, filepath.Join(dir, "clients.yaml"), "- {number: \"+79161234567\", name: Vera, responsible: anna}\n")
		log.wait(t, "clients.yaml")
		if c, ok := a.clients.Lookup("+79161234567"); !ok || c.Responsible != "anna" {
			t.Error("a new client is nobody's")
		}
		write(t, filepath.Join(dir, "clients.yaml"), "oops\n")
		log.wait(t, "clients.yaml:1:1:")
		if _, ok := a.clients.Lookup("+79161234567"); !ok || testutil.ToFloat64(a.met.files.WithLabelValues("clients")) != 0 {
			t.Error("a broken directory was taken, or no gauge says that it is broken")
		}
	})
}

// Kubernetes gives files through a link to a folder, and turns the link.
func TestAFileBehindALinkThatTurnsIsTakenUp(t *testing.T) {
	a, dir, log := house(t)
	token, hash := auth.NewToken()
	for version, text := range map[string]string{"v1": "[]\n", "v2": "- {employee: anna, hash: \"" + hash + "\"}\n"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "tokens.yaml"), text)
	}
	link := func(to, name string) {
		t.Helper()
		if err := errors.Join(os.Symlink(to, filepath.Join(dir, "new")), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "data")
	link("data/tokens.yaml", "tokens.yaml")
	follow(t, a, log)
	link("v2", "data")
	log.wait(t, "tokens.yaml")
	if !known(t, a, token) {
		t.Error("the token behind the turned link does not let in")
	}
}

func TestAWatchOfAFolderThatIsGoneIsAnError(t *testing.T) {
	a, _, _ := house(t)
	a.cfg.Tokens = filepath.Join(t.TempDir(), "gone", "tokens.yaml")
	if err := a.watchFiles(t.Context()); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Fatalf("%v", err)
	}
}

// ask asks the admin listener.
func ask(t *testing.T, a *Agent, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	a.adminServer().Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestTheAdminListenerSaysHowThingsAre(t *testing.T) {
	a, _, _ := house(t)
	if code, body := ask(t, a, "GET", "/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz: %d %s", code, body)
	}
	code, body := ask(t, a, "GET", "/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "ami: no connection to 127.0.0.1:1") || !strings.Contains(body, "ari: no connection") {
		t.Errorf("readyz without a PBX: %d %s", code, body)
	}
	code, body = ask(t, a, "GET", "/metrics")
	for _, name := range []string{
		"earshot_build_info{version=\"test\"} 1", "earshot_policy_generation ", "earshot_policy_last_reload_successful ", "earshot_file_good{file=\"tokens\"} 1",
		"earshot_policy_reloads_total{result=\"broken\"} 0", "go_goroutines ",
	} {
		if code != http.StatusOK || !strings.Contains(body, "\n"+name) {
			t.Errorf("metrics: %d, without %s", code, name)
		}
	}
	for _, wrong := range [][2]string{{"POST", "/healthz"}, {"GET", "/-/reload"}, {"DELETE", "/metrics"}} {
		if code, _ := ask(t, a, wrong[0], wrong[1]); code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", wrong[0], wrong[1], code)
		}
	}
	if code, _ := ask(t, a, "GET", "/v1/me"); code != http.StatusNotFound {
		t.Errorf("the panels' door opens here too: %d", code)
	}
}

func isClient(a *Agent, number string) bool {
	_, ok := a.clients.Lookup(number)
	return ok
}

func TestReloadReadsEveryFileAndSaysWhichIsBroken(t *testing.T) {
	a, dir, _ := house(t)
	if code, body := ask(t, a, "POST", "/-/reload"); code != http.StatusOK || body != "reloaded\n" {
		t.Fatalf("%d %s", code, body)
	}
	token, hash := auth.NewToken()
	write(t, filepath.Join(dir, "policy.yaml"), "version: 1\nemployees:\n  anna: {name: Anna}\n  boris: {name: Boris}\n")
	write(t, filepath.Join(dir, "tokens.yaml"), "- {employee: boris, hash: \""+hash+"\"}\n")
	write(t, filepath.Join(dir, "clients.yaml"), "- {number: \"+79161234567\", name: Vera}\n")
	if code, body := ask(t, a, "POST", "/-/reload"); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if _, ok := a.policy.Current().Employee("boris"); !ok || !known(t, a, token) || !isClient(a, "+79161234567") || testutil.ToFloat64(a.met.generation) != 2 {
		t.Error("a good file was not taken, or the generation does not say so")
	}
	for _, name := range []string{"policy.yaml", "tokens.yaml", "clients.yaml"} {
		write(t, filepath.Join(dir, name), "oops\n")
	}
	code, body := ask(t, a, "POST", "/-/reload")
	for _, want := range []string{"policy.yaml:1:1:", "tokens.yaml:1:1:", "clients.yaml:1:1:"} {
		if code != http.StatusUnprocessableEntity || !strings.Contains(body, want) {
			t.Errorf("%d %s, without %s", code, body, want)
		}
	}
	if _, ok := a.policy.Current().Employee("boris"); !ok || !known(t, a, token) || !isClient(a, "+79161234567") {
		t.Error("a broken file was taken")
	}
	if testutil.ToFloat64(a.met.reload) != 0 || testutil.ToFloat64(a.met.reloads.WithLabelValues("broken")) != 1 {
		t.Error("no metric says that the policy file is broken")
	}
	if first := (*clients.FileError)(nil); !errors.As(a.Reload(), &first) {
		t.Error("the error has no place")
	}
}

func TestNewSaysEverythingThatIsMissingAtOnce(t *testing.T) {
	dir := t.TempDir()
	cfg := defaults()
	cfg.Policy = []string{dir + "/policy"}
	cfg.Tokens, cfg.Clients, cfg.Audit.File = dir+"/tokens", dir+"/clients", dir+"/audit"
	cfg.PBX.AMI.SecretFile, cfg.PBX.ARI.PasswordFile, cfg.Audit.KeyFile = dir+"/secret", dir+"/password", dir+"/key"
	_, err := New(&cfg, zerolog.Nop(), "test")
	for _, name := range []string{"policy", "tokens", "clients", "secret", "password", "key"} {
		if err == nil || !strings.Contains(err.Error(), dir+"/"+name+": no such file") {
			t.Errorf("%v says nothing of %s", err, name)
		}
	}
	if _, err := os.Stat(cfg.Audit.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the audit log was begun: %v", err)
	}
}

// What could not be read for a reason that is not the file's is read again although nobody changes it, and said once.
func TestAFileThatCouldNotBeReadIsReadAgain(t *testing.T) {
	a, dir, log := house(t)
	fails := error(&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE})
	read := 0
	files := []*watched{{path: filepath.Join(dir, "tokens.yaml"), reload: func() error { read++; return fails }}}
	for range 3 {
		a.readChanged(files)
	}
	if read != 3 || len(log) != 1 {
		t.Errorf("it was read %d times, and that was said %d times", read, len(log))
	}
	log.wait(t, "could not be read")
	fails = nil
	for range 3 {
		a.readChanged(files)
	}
	if read != 4 {
		t.Errorf("it was read %d times", read)
	}
	log.wait(t, "read a file")
	write(t, files[0].path, "- no\n")
	fails = errors.New("no token")
	for range 3 {
		a.readChanged(files)
	}
	if read != 5 {
		t.Errorf("a broken one was read %d times", read)
	}
	log.wait(t, "broken file")
}
