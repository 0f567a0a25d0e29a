package agent

import (
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/lobby"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminServer serves what administrators and their machines need, on an address of its own: it knows no subjects and asks for no credential,
// so it belongs on loopback or behind something that does.
func (a *Agent) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.reg, promhttp.HandlerOpts{Registry: a.reg}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, told := http.StatusOK, []string{"ready"}
		if missing := a.notReady(); len(missing) > 0 {
			status, told = http.StatusServiceUnavailable, append([]string{"not ready:"}, missing...)
		}
		if without := a.degraded(); len(without) > 0 { // it works all the same
			told = append(append(told, "degraded:"), without...)
		}
		answer(w, status, strings.Join(told, "\n"))
	})
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := a.Reload(); err != nil {
			answer(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		answer(w, http.StatusOK, "reloaded")
	})
	mux.HandleFunc("POST /-/rotate", func(w http.ResponseWriter, _ *http.Request) {
		name, err := a.audit.Rotate()
		switch {
		case err != nil:
			a.log.Error().Err(err).Msg("the audit log could not be put away")
			answer(w, http.StatusInternalServerError, err.Error())
		case name == "":
			answer(w, http.StatusOK, "there is nothing to put away")
		default:
			a.log.Info().Str("file", filepath.Base(name)).Msg("audit log put away")
			answer(w, http.StatusOK, name)
		}
	})
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	lobby.New(maxAdmins, adminTime, nil).Serve(h)
	return h
}

// Nobody proves himself there, so there are so many connections at most, and none stays for longer than it takes to look at something a few times.
const (
	maxAdmins = 128
	adminTime = time.Minute
)

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// notReady says, a sentence each, what keeps Earshot from working.
func (a *Agent) notReady() []string {
	var missing []string
	for _, down := range a.link.Down() {
		switch down {
		case "ami":
			missing = append(missing, "ami: no connection to "+a.cfg.PBX.AMI.Address+"; the log says why")
		case "ari":
			missing = append(missing, "ari: no connection to the PBX's ARI; the log says why")
		case "state":
			missing = append(missing, "state: connected, and taking the state of the PBX")
		}
	}
	if err := a.audit.Err(); err != nil {
		missing = append(missing, "audit: the audit log cannot be written, so everything is refused; the log says why")
	}
	return missing
}

// metrics are the agent's own.
type metrics struct {
	generation prometheus.Gauge
	reload     prometheus.Gauge
	reloadTime prometheus.Gauge
	reloads    *prometheus.CounterVec
	files      *prometheus.GaugeVec
	accepts    *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, version string) *metrics {
	m := &metrics{
		generation: prometheus.NewGauge(prometheus.GaugeOpts{Name: "earshot_policy_generation", Help: "Number of the policy version in force."}),
		reload:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "earshot_policy_last_reload_successful", Help: "Whether the policy file was good when it was last read; 0 means that an older one is in force."}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{Name: "earshot_policy_last_reload_success_timestamp_seconds", Help: "When the policy file was last found good."}),
		reloads:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "earshot_policy_reloads_total", Help: "Times the policy file was read, by result."}, []string{"result"}),
		files:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_file_good", Help: "Whether a file was good when it was last read; 0 means that an older content is in use."}, []string{"file"}),
	}
	m.accepts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "earshot_accept_errors_total", Help: "Times a connection could not be taken, for want of file descriptors mostly, by door.",
	}, []string{"door"})
	for _, door := range []string{"http", "admin"} {
		m.accepts.WithLabelValues(door)
	}
	for _, result := range []string{"good", "broken"} {
		m.reloads.WithLabelValues(result)
	}
	for _, file := range []string{"tokens", "clients"} {
		m.files.WithLabelValues(file).Set(1)
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_build_info", Help: "Always 1; the label tells the version."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	r.MustRegister(m.generation, m.reload, m.reloadTime, m.reloads, m.files, m.accepts, build)
	return m
}

// certificate adds the metrics of one.
func (m *metrics) certificate(r prometheus.Registerer, c *certificate) {
	m.files.WithLabelValues("certificate").Set(1)
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "earshot_certificate_expiry_timestamp_seconds", Help: "When the certificate of the HTTP door ends.",
	}, func() float64 { return float64(c.ends().Unix()) }))
}

func (m *metrics) reloaded(err error) {
	m.reload.Set(good(err))
	if err != nil {
		m.reloads.WithLabelValues("broken").Inc()
		return
	}
	m.reloads.WithLabelValues("good").Inc()
	m.reloadTime.SetToCurrentTime()
}

func good(err error) float64 {
	if err != nil {
		return 0
	}
	return 1
}
