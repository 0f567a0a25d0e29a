package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// What docker compose up starts, started by hand: phones register and talk, Earshot becomes healthy and lets a supervisor listen, Prometheus
// counts it; an Asterisk that crashes comes back into the same network, and each program ends when it is asked to.
func TestTheContainersWorkTogether(t *testing.T) {
	t.Parallel()
	c := compose(t)
	r := newRig(t, "/run/asterisk", "/var/lib/earshot", "/run/secrets", "/etc/earshot", "/etc/prometheus", program)
	file := dockerfile(t, "Dockerfile")

	// asterisk. The address that phones are told is another one than it would tell by itself.
	const shown = "127.0.0.2"
	pbx := c.Services["asterisk"]
	pbx.Environment["ADDRESS"] = shown
	env := r.asterisk(pbx)
	pbxImage := dockerfile(t, "deploy/compose/asterisk/Dockerfile")
	cmd := exec.CommandContext(r.ctx, r.dir+last(t, pbxImage, "ENTRYPOINT").list(t)[0])
	cmd.Env = env
	asterisk := r.start("asterisk", cmd)
	inAsterisk := func(args ...string) (string, error) {
		cmd := exec.CommandContext(r.ctx, r.dir+"/bin/"+args[0], args[1:]...)
		cmd.Env = env
		return r.run(cmd)
	}
	health := last(t, pbxImage, "HEALTHCHECK").list(t)
	r.until("Asterisk is healthy", func() error { _, err := inAsterisk(health...); return err })
	if out, err := inAsterisk("asterisk", "-rx", "moh show files"); err != nil || !strings.Contains(out, "/moh/") {
		t.Errorf("no music: %v\n%s", err, out)
	}

	r.redis(r.fetch("redis", "bookworm", "redis-server"), c.Services["redis"])

	// earshot
	r.earshot()
	earshot := r.start("earshot", r.inImage(append(last(t, file, "ENTRYPOINT").list(t), last(t, file, "CMD").list(t)...)...))
	healthy := func() error { _, err := r.run(r.inImage(last(t, file, "HEALTHCHECK").list(t)...)); return err }
	r.until("Earshot is healthy", healthy)

	prometheus := r.prometheus(c.Services["prometheus"])

	// docker compose exec earshot earshot token --config /etc/earshot/earshot.yaml irina
	token, err := r.run(r.inImage(program, "token", "--config", "/etc/earshot/earshot.yaml", "irina"))
	r.must(err)
	irina := &site.Client{Base: "http://" + r.address("http"), Token: strings.TrimSpace(token)}
	r.until("the token is taken up", func() error { return irina.Do(r.ctx, http.MethodGet, "/v1/me", nil, nil) })
	r.until("Prometheus counts Earshot, from before anything happens", func() error { return r.counts(`up{job="earshot"} == 1`) })
	r.supervise(irina, shown, func(spy string) {
		_, err := inAsterisk("asterisk", "-rx", "channel originate PJSIP/"+spy+" application ChanSpy PJSIP/101,q")
		r.must(err)
	})

	r.must(r.counts(fmt.Sprintf("earshot_build_info{version=%q} == 1", release)))
	r.must(r.counts(`earshot_cache_state{state="up"} == 1`))
	r.graphs(irina)
	r.linted()

	// Asterisk crashes. It is another process then, in the same container.
	pid := r.pid("/run/asterisk/asterisk.pid")
	r.must(syscall.Kill(pid, syscall.SIGKILL))
	r.until("Earshot says that the PBX is away", func() error {
		if healthy() == nil {
			return errors.New("it is healthy")
		}
		return nil
	})
	r.until("Earshot is healthy again", healthy)
	if again := r.pid("/run/asterisk/asterisk.pid"); again == pid {
		t.Errorf("the same process %d", pid)
	}

	// As docker compose stop does it: the first process alone is asked.
	for name, p := range map[string]process{"earshot": earshot, "prometheus": prometheus, "asterisk": asterisk} {
		r.must(syscall.Kill(p.PID(), syscall.SIGTERM))
		<-p.Done()
		if err := p.Err(); err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	if err := syscall.Kill(-asterisk.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("something of Asterisk's container is left: %v", err)
	}
	if err := healthy(); err == nil {
		t.Error("an Earshot that has ended is healthy")
	}
	for line := range strings.Lines(asterisk.output()) {
		// What Earshot asks in the moment in which Asterisk stops is refused in this way.
		if strings.Contains(line, "ERROR[") && !strings.Contains(line, "Asterisk is shutting down") {
			t.Errorf("Asterisk says: %s", line)
		}
	}
	r.writtenByNobody()
}

// supervise has anna call boris and irina listen, with softphones of their own, until the policy takes the right away. Somebody else's phone is
// made to spy without asking.
func (r *rig) supervise(irina *site.Client, shown string, pass func(spy string)) {
	r.Helper()
	plan := pbxtest.Demo()
	phones := map[string]*phone.Phone{}
	for i, id := range []string{"101", "102", "103", "202"} {
		secret, _ := plan.Secret(id)
		p, err := phone.Listen(phone.Config{User: id, Password: secret, Server: r.address("sip"), Tone: phone.Tone(i + 1), Reaction: phone.Reaction{Answer: true}})
		r.must(err)
		defer p.Close()
		r.must(p.Register(r.ctx))
		phones[id] = p
	}
	call, err := phones["101"].Dial(r.ctx, "102")
	r.must(err)
	r.must(call.WaitAnswered(r.ctx))
	if _, other := call.Audio(); other.Addr().String() != shown {
		r.Errorf("the phone sends its voice to %s, not to %s", other.Addr(), shown)
	}
	w, err := irina.Watch(r.ctx)
	r.must(err)
	defer w.Close()
	_, err = w.UntilState(r.ctx, "boris", "talking")
	r.must(err)
	s, err := irina.Supervise(r.ctx, "boris", "spy")
	r.must(err)
	listening, err := phones["103"].Incoming(r.ctx)
	r.must(err)
	_, err = w.UntilAct(r.ctx, s.ID, "active")
	r.must(err)
	_, err = listening.WaitHearsOnly(r.ctx, phones["101"].Tone(), phones["102"].Tone())
	r.must(err)
	if _, err := irina.Supervise(r.ctx, "irina", "spy"); err == nil {
		r.Error("irina supervises herself")
	}
	pass("202")
	spy, err := phones["202"].Incoming(r.ctx)
	r.must(err)
	r.must(spy.WaitEnded(r.ctx))
	policy := read(r.T, "deploy/compose/earshot/policy.yaml")
	r.write("/etc/earshot/policy.yaml", r.replaced(policy, "    listen: {to: any, allow: [spy, whisper, barge], except: [pavel]}\n", "", "listen: {to: department, allow: [spy, whisper]}, ", ""), 0o444)
	r.must(listening.WaitEnded(r.ctx))
	r.must(call.Hangup(r.ctx))
}

// graphs holds that every query of the dashboard has something to show.
func (r *rig) graphs(irina *site.Client) {
	r.Helper()
	filled := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	for _, p := range dashboards(r.T).Panels {
		for _, q := range p.Targets {
			r.until(p.Title+" shows something", func() error {
				r.must(irina.Do(r.ctx, http.MethodGet, "/v1/me", nil, nil)) // a demo in which something happens
				return r.counts("(" + filled.Replace(q.Expr) + ") >= 0")    // NaN is not
			})
		}
	}
}

// linted gives what Earshot tells Prometheus to Prometheus' own linter.
func (r *rig) linted() {
	r.Helper()
	resp, err := http.Get("http://" + r.address("admin") + "/metrics")
	r.must(err)
	defer resp.Body.Close()
	cmd := r.packaged(r.fetch("prometheus", "bookworm", "prometheus"), []string{"promtool", "check", "metrics"})
	cmd.Stdin = resp.Body
	if out, err := r.run(cmd); err != nil || out != "" {
		r.Errorf("promtool says of /metrics: %v %s", err, out)
	}
}

// prometheus starts the container's Prometheus with the service's command, and waits for its health.
func (r *rig) prometheus(s service) process {
	r.Helper()
	root := r.fetch("prometheus", "bookworm", "prometheus")
	r.write("/etc/prometheus/rules/earshot.rules.yaml", read(r.T, "deploy/prometheus/earshot.rules.yaml"), 0o444)
	r.write("/etc/prometheus/prometheus.yml", r.replaced(read(r.T, "deploy/compose/prometheus.yml"),
		"asterisk:9090", r.address("admin"), "localhost:9090", r.address("prometheus"),
		"scrape_interval: 5s\n  scrape_timeout: 4s", "scrape_interval: 250ms\n  scrape_timeout: 250ms\n  evaluation_interval: 500ms"), 0o444)
	out, err := r.run(r.packaged(root, []string{"promtool", "check", "config", r.dir + "/etc/prometheus/prometheus.yml"}))
	if r.must(err); !strings.Contains(out, "1 rule files found") {
		r.Errorf("the rules are not found: %s", out)
	}
	args := []string{"prometheus"}
	for _, a := range s.Command {
		if a == "--storage.tsdb.path=/prometheus" {
			a = "--storage.tsdb.path=" + r.dir + "/prometheus"
		}
		args = append(args, r.path.Replace(a))
	}
	p := r.start("prometheus", r.packaged(root, args, "--web.listen-address="+r.address("prometheus")))
	r.until("Prometheus is healthy", func() error {
		var args []string
		for _, a := range s.Healthcheck.command(r.T) {
			args = append(args, strings.ReplaceAll(a, "localhost:9090", r.address("prometheus")))
		}
		_, err := r.run(r.packaged(root, args))
		return err
	})
	return p
}

// command is what a health check runs.
func (h *healthcheck) command(t *testing.T) []string {
	t.Helper()
	if len(h.Test) < 2 || h.Test[0] != "CMD" {
		t.Fatalf("the health check %v", h.Test)
	}
	return h.Test[1:]
}

// counts asks Prometheus whether an expression is true of anything.
func (r *rig) counts(expression string) error {
	resp, err := http.Get("http://" + r.address("prometheus") + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Status string
		Data   struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" || len(answer.Data.Result) == 0 {
		return fmt.Errorf("%s: %s, %w", expression, body, err)
	}
	return nil
}

func (r *rig) pid(path string) int {
	r.Helper()
	b, err := os.ReadFile(r.dir + path)
	r.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	r.must(err)
	return pid
}

// writtenByNobody holds that Earshot has written where its volume is, and, as the user that it runs as, nowhere else.
func (r *rig) writtenByNobody() {
	r.Helper()
	var files []string
	r.must(filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if strings.HasPrefix(path, r.dir+"/var/lib/earshot/") {
			files = append(files, d.Name())
			if st.Mode().Perm()&0o077 != 0 {
				r.Errorf("others may read %s", path)
			}
		} else if os.Geteuid() == 0 && st.Sys().(*syscall.Stat_t).Uid == nobody && path != r.dir+"/var/lib/earshot" {
			r.Errorf("nobody wrote %s", path)
		}
		return nil
	}))
	for _, name := range []string{"audit.jsonl", "tokens.yaml"} {
		if !slices.Contains(files, name) {
			r.Errorf("the volume has %v, and no %s", files, name)
		}
	}
	if _, err := r.run(r.inImage(program, "audit", "verify", "/var/lib/earshot/audit.jsonl")); err != nil {
		r.Error(err)
	}
}

// The configuration that is mounted has no fault. It warns of plain HTTP off loopback, and of nothing else: inside the container's network the
// door has to listen on every address, and what is published of it is on the host's loopback.
func TestTheConfigurationIsWithoutFault(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/var/lib/earshot", "/run/secrets", "/etc/earshot", program)
	r.earshot()
	out, err := r.run(r.inImage(program, "check", "--config", "/etc/earshot/earshot.yaml"))
	if err != nil || !strings.HasSuffix(out, "ok\n") || strings.Count(out, "warning:") != 1 || !strings.Contains(out, "http.listen: 0.0.0.0:") {
		t.Errorf("%v: %s", err, out)
	}
}

// redis starts the container's Redis with the service's command, and waits for its health.
func (r *rig) redis(root *debian.Root, s service) process {
	r.Helper()
	r.must(os.MkdirAll(r.dir+"/data", 0o755))
	cmd := r.packaged(root, s.Command, "--port", strconv.Itoa(r.port["redis"]))
	cmd.Dir = r.dir + "/data" // the image's working folder, and the volume
	p := r.start("redis", cmd)
	check := s.Healthcheck.command(r.T)
	r.until("Redis is healthy", func() error { _, err := r.askRedis(root, check...); return err })
	return p
}

// askRedis runs redis-cli, with its name or without it.
func (r *rig) askRedis(root *debian.Root, args ...string) (string, error) {
	r.Helper()
	if args[0] == "redis-cli" {
		args = args[1:]
	}
	return r.run(r.packaged(root, slices.Concat([]string{"redis-cli", "-p", strconv.Itoa(r.port["redis"])}, args)))
}

// Redis runs with the service's command, is healthy, and keeps what it holds.
func TestRedisRunsAsItIsTold(t *testing.T) {
	t.Parallel()
	s := compose(t).Services["redis"]
	r := newRig(t)
	root := r.fetch("redis", "bookworm", "redis-server")
	if _, err := r.askRedis(root, s.Healthcheck.command(t)...); err == nil {
		t.Fatal("a Redis that does not run is healthy")
	}
	p := r.redis(root, s)
	_, err := r.askRedis(root, "-e", "set", "{earshot}:meta", "1")
	r.must(err)
	r.must(syscall.Kill(p.PID(), syscall.SIGTERM))
	<-p.Done()
	r.redis(root, s)
	if out, err := r.askRedis(root, "get", "{earshot}:meta"); err != nil || out != "1\n" {
		t.Errorf("after a restart: %v, %q", err, out)
	}
	if out, err := r.askRedis(root, "config", "get", "maxmemory-policy"); err != nil || !strings.Contains(out, "noeviction") {
		t.Errorf("what is full is driven out: %v, %s", err, out)
	}
}
