// Package agent is Earshot as one value: it knows all parts, puts them together and runs them. Nothing else does.
//
// Its invariant: parts are started from the inside out and stopped from the outside in, so that no door is open before the state is held
// somewhere, and no supervision is left running when Run returns, as far as the PBX can be reached.
package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auditstream"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/cluster"
	"github.com/earshot-pbx/earshot/agent/dialplan"
	"github.com/earshot-pbx/earshot/agent/feed"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
)

// stopTime is how long Run waits for what is under way when it ends.
const stopTime = 8 * time.Second

// ErrReplaced is why Run ends when another Earshot has come to the same PBX under the same name. Who starts it again has the two of them end each
// other for ever.
var ErrReplaced = pbx.ErrReplaced

// Agent is one Earshot beside one PBX.
type Agent struct {
	cfg *Config
	log zerolog.Logger
	reg *prometheus.Registry
	met *metrics

	policy   *policyfile.File
	follower *publication.Follower // nil: the policy is this Earshot's own
	giver    *publication.Giver    // nil: it is not published
	tokens   *auth.Tokens
	jwt      *auth.JWT // nil without an issuer
	cache    cache.Cache
	cluster  *cluster.Cluster // nil: this Earshot acts alone
	sessions *auth.Sessions
	auth     auth.Chain   // those, by which panels prove who asks
	phones   auth.Phones  // by which desk phones do
	cert     *certificate // nil without TLS
	clients  *clients.Sources
	audit    *audit.Log
	opening  string              // what the log is to say of its beginning; empty: it does
	stream   *auditstream.Stream // of the audit log; nil: there is none
	feed     *feed.Feed
	gate     *gate.Gate
	shadow   *shadow // nil: no policy is tried
	link     *pbx.Link
	door     *httpapi.Server
	desk     *dialplan.Door
	panelDoors

	journal   *journal.Store     // nil: past calls are not kept
	scribe    *journal.Scribe    // of the journal
	unremoved prometheus.Counter // recordings that are too old and stay
	archive   archive            // recordings

	listening chan struct{} // closed when the listeners are open
	entered   chan struct{} // closed when no other Earshot is in the way of this one
	httpAddr  string
	adminAddr string
}

// New opens the files that the configuration names and puts the parts together. It opens no listener, and no connection but a follower's that has never had a policy. What is wrong
// is told in one sentence each, all at once where that is possible.
func New(cfg *Config, log zerolog.Logger, version string) (*Agent, error) {
	a := &Agent{cfg: cfg, log: log, reg: prometheus.NewRegistry(), listening: make(chan struct{}), entered: make(chan struct{})}
	a.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.met = newMetrics(a.reg, version)

	secret, err1 := ReadSecret(cfg.PBX.AMI.SecretFile)
	password, err2 := ReadSecret(cfg.PBX.ARI.PasswordFile)
	err1, err2 = keyed("pbx.ami.secret_file", err1), keyed("pbx.ari.password_file", err2)
	var err3, err4, err5, err6, err7, err8, err9 error
	a.tokens, err4 = auth.OpenTokens(cfg.Tokens, auth.Options{Known: a.hasEmployee, Panel: a.hasPanel})
	err4 = keyed("tokens", err4)
	if cfg.Auth.JWT.used() {
		j := cfg.Auth.JWT.config()
		j.Known, j.OnKeys = a.hasEmployee, a.keysLoaded
		a.met.files.WithLabelValues("jwks").Set(1)
		a.jwt, err7 = auth.OpenJWT(j)
		err7 = keyed("auth.jwt", err7)
	}
	if a.cache, err9 = cfg.Cache.open(); err9 == nil {
		err3 = a.openPolicy()
	}
	if cfg.HTTP.TLS.CertFile != "" {
		if a.cert, err8 = openCertificate(cfg.HTTP.TLS); err8 == nil {
			a.met.certificate(a.reg, a.cert)
		}
		err8 = keyed("http.tls", err8)
	}
	var key Secret
	if cfg.Audit.KeyFile != "" {
		key, err6 = ReadSecret(cfg.Audit.KeyFile)
		err6 = keyed("audit.key_file", err6)
	}
	if err9 == nil {
		a.clients, err5 = clients.New(cfg.sources(), clients.Environment{
			Cache: a.cache, Known: a.hasEmployee, Metrics: clients.NewMetrics(a.reg), Report: a.sourceFails,
			OnChange: func(number string) { a.gate.Learned(number) },
		})
	}
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9); err != nil {
		if a.clients != nil {
			err = errors.Join(err, a.clients.Close())
		}
		return nil, err
	}
	if errs := cfg.emergencies(a.policy.Current(), func(_, format string, args ...any) error { return fmt.Errorf(format, args...) }); len(errs) > 0 {
		return nil, errors.Join(append(errs, a.clients.Close())...)
	}
	a.authenticators()
	a.reg.MustRegister(cache.NewCollector(a.cache))
	switch {
	case a.follower != nil:
		a.reg.MustRegister(a.follower)
	case a.giver != nil:
		a.reg.MustRegister(a.giver)
	}
	var err error
	if a.audit, err = audit.Open(cfg.Audit.File, audit.Options{Key: audit.Key(key)}); err != nil {
		return nil, errors.Join(fmt.Errorf("audit.file: %w", err), a.clients.Close())
	}
	a.reg.MustRegister(a.auditGood())
	a.openStream()
	if err := a.openJournal(); err != nil {
		return nil, errors.Join(err, a.audit.Close(), a.clients.Close())
	}
	said := a.told(audit.Key(key))
	if a.opening = audit.DetailStarted; !said.closed {
		a.opening = audit.DetailUnclosed
	}
	if err := a.assemble(string(secret), string(password), version, a.openActs(audit.Key(key)), said); err != nil {
		return nil, errors.Join(err, a.closeRecordings(), a.closeJournal(), a.audit.Close(), a.clients.Close())
	}
	return a, nil
}

// keyed says of an error that tells no place in a file which key of the configuration names the file.
func keyed(key string, err error) error {
	if err == nil || hasPlace(err) {
		return err
	}
	return fmt.Errorf("%s: %w", key, err)
}

// authenticators puts together by what somebody proves who he is.
func (a *Agent) authenticators() {
	a.sessions = auth.NewSessions(auth.SessionOptions{
		Store: a.cache, Tokens: a.tokens, JWT: a.jwt, Known: a.hasEmployee,
		TTL: a.cfg.Auth.Sessions.TTL, MaxTTL: a.cfg.Auth.Sessions.MaxTTL, MaxStale: a.cfg.Auth.Sessions.MaxStale,
	})
	chain := auth.Chain{a.tokens, a.sessions}
	if a.jwt != nil {
		chain = append(chain, a.jwt)
	}
	a.auth = chain
	a.phones = auth.Phones{Owner: a.ownerOf}
}

// ownerOf says whose phone an endpoint is by the policy in force.
func (a *Agent) ownerOf(endpoint string) (employee, phone string, ok bool) {
	set := a.policy.Current()
	ref, ok := set.Phone(endpoint)
	if !ok {
		return "", "", false
	}
	_, resource, _ := strings.Cut(endpoint, "/")
	for _, phone := range set.Phones(ref) {
		if _, r, _ := strings.Cut(phone, "/"); r == resource && strings.EqualFold(phone, endpoint) {
			return set.ID(ref), phone, true
		}
	}
	return "", "", false
}

// proofs are everything by which somebody may have proven who he is.
func (a *Agent) proofs() auth.Chain { return auth.Chain{a.auth, a.phones} }

// assemble makes the parts that hold the state of calls.
func (a *Agent) assemble(secret, password, version string, open []audit.Act, said told) error {
	secured, err := a.cfg.PBX.AMI.TLS.config()
	if err != nil {
		return err
	}
	a.feed = feed.New(feed.Config{
		Resync:  func() { a.link.Resync() },
		OnApply: a.applied,
	})
	a.link, err = pbx.New(pbx.Config{
		ARI:         ari.Config{BaseURL: a.cfg.PBX.ARI.URL, Username: a.cfg.PBX.ARI.Username, Password: password},
		Application: a.cfg.PBX.ARI.Application,
		AMI:         ami.Config{Addr: a.cfg.PBX.AMI.Address, Username: a.cfg.PBX.AMI.Username, Secret: ami.Secret(secret), TLS: secured, Events: "call,agent"},
		Sink:        a.feed, Entered: func(leg call.LegID) { a.gate.Entered(leg) },
		Asked: func(r pbx.Request) { a.desk.Asked(string(r.Leg), r.Endpoint, r.Args) },
		Pressed: func(leg call.LegID, key string) {
			a.gate.Pressed(leg, key)
			a.desk.Pressed(string(leg), key)
		},
		Played:     func(p pbx.Played) { a.gate.Played(p) },
		Silenced:   func(leg call.LegID) { a.gate.Silenced(leg) },
		Recorded:   a.recorded,
		Tells:      gate.Tells,
		Queues:     func(ev queue.Event) { a.gate.Queues(ev) },
		Registerer: a.reg, Log: a.log.With().Str("part", "pbx").Logger(),
	})
	if err != nil {
		return err
	}
	met := gate.NewMetrics(a.reg)
	var beside *gate.Shadow
	if len(a.cfg.Shadow.Policy) > 0 {
		a.shadow = newShadow(a, met)
		beside = a.shadow.Shadow
	}
	dog := a.cfg.Watchdog.forGate()
	dog.Look = a.link.Look
	parts := gate.Config{
		Feed: a.feed, PBX: a.link, Audit: a.audit, Clients: a.clients, Intake: a.clients, Policy: a.policy.Current(), Files: a.policy, Settings: a.cfg.Settings.forGate(a.link), Shadow: beside, Metrics: met,
		Holds:    a.proofs().Holds,
		Watchdog: dog,
		Dialling: gate.Dialling{Context: a.cfg.Dialling.Context, Numbering: a.clients.Numbering()},
		Estate:   gate.Estate{Acts: open, Forwards: said.forwards, Witnessed: said.witnessed, Resume: a.proofs().Resume}, Notices: said.notices,
		Log: a.log.With().Str("part", "gate").Logger(), Lease: a.cfg.Supervision.Lease, RingTimeout: a.cfg.Supervision.RingTimeout,
		ToneEvery: a.cfg.Supervision.ToneEvery, VouchStale: a.cfg.Auth.Sessions.MaxStale,
		Sounds: a.cfg.ARI.Sounds, Tones: a.cfg.ARI.Tones,
	}
	if a.journal != nil { // a nil pointer would be no nil interface
		parts.Journal, parts.Minutes = a.journal, a.scribe
	}
	if parts.Recordings, err = a.openRecordings(); err != nil {
		return err
	}
	if parts.Cluster, err = a.openCluster(); err != nil {
		return err
	}
	a.gate = gate.New(parts)
	if err := a.reloadReplies(); err != nil {
		return err
	}
	if a.shadow != nil {
		_ = a.shadow.open() // it has said what is wrong, and Earshot does without
	}
	a.door = httpapi.New(httpapi.Config{
		Gate: a.gate, Auth: a.auth, Sessions: a.sessions, Log: a.log.With().Str("part", "http").Logger(), Registerer: a.reg, Version: version,
		Proxies: a.cfg.HTTP.proxies(), Limits: a.cfg.HTTP.Limits.forDoor(), PerEmployee: a.cfg.HTTP.MaxPerEmployee, Panel: a.cfg.HTTP.Panel,
	})
	a.desk = dialplan.New(dialplan.Config{
		Gate: a.gate, Auth: a.phones, Keys: a.cfg.Supervision.Keys, Command: a.door.Command, Registerer: a.reg, Log: a.log.With().Str("part", "phone").Logger(),
	})
	return a.assemblePanels(version)
}

// policyChanged is told of each attempt to load the policy.
func (a *Agent) policyChanged(set *policy.Set, err error) {
	a.met.reloaded(err)
	if err != nil {
		a.log.Error().Err(err).Msg("the policy is broken; the last good one stays in force")
		if set == a.gate.Policy() {
			return
		} // otherwise something that holds at times only has begun or ended in it, or another overlay is over it
	}
	a.met.generation.Set(float64(set.Generation()))
	a.gate.SetPolicy(set)
	if a.giver != nil {
		a.giver.Changed()
	}
	a.log.Info().Uint64("generation", set.Generation()).Msg("policy in force")
}

// Reload reads policy, shadow policy, tokens, clients, keys, certificate and quick replies anew. What is broken keeps the last good one in force and is part of the error.
func (a *Agent) Reload() error {
	var errs []error
	if err := a.policy.Reload(); err != nil {
		errs = append(errs, fmt.Errorf("policy: %w", err))
	}
	return errors.Join(append(errs, a.reloadShadow(), a.reloadTokens(), a.reloadClients(), a.reloadKeys(), a.reloadCertificate(), a.reloadReplies())...)
}

func (a *Agent) reloadTokens() error {
	err := a.tokens.Reload()
	a.met.files.WithLabelValues("tokens").Set(good(err))
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	a.recheck()
	return nil
}

// recheck ends what runs on the strength of a credential that no longer holds.
func (a *Agent) recheck() {
	a.door.Recheck()
	a.recheckPanels()
	a.gate.Recheck(a.proofs().Holds)
}

// hasEmployee reports whether the policy in force has him.
func (a *Agent) hasEmployee(id string) bool {
	set := a.policy.Current()
	ref, ok := set.Employee(id)
	return ok && !set.Panel(ref)
}

// hasPanel reports whether the policy in force has such a panel.
func (a *Agent) hasPanel(name string) bool {
	set := a.policy.Current()
	ref, _ := set.Employee(name)
	return set.Panel(ref)
}

// reloadKeys loads the keys of JSON web tokens now.
func (a *Agent) reloadKeys() error {
	if a.jwt == nil {
		return nil
	}
	if err := a.jwt.Reload(context.Background()); err != nil {
		return fmt.Errorf("auth.jwt: %w", err)
	}
	return nil
}

// keysLoaded is told of each attempt to load them.
func (a *Agent) keysLoaded(err error) {
	a.met.files.WithLabelValues("jwks").Set(good(err))
	if err != nil {
		a.log.Warn().Err(err).Msg("the keys for JSON web tokens could not be loaded; those that were loaded last, if any, stay in force")
		return
	}
	a.recheck()
}

func (a *Agent) reloadCertificate() error {
	if a.cert == nil {
		return nil
	}
	err := a.cert.reload()
	a.met.files.WithLabelValues("certificate").Set(good(err))
	if err != nil {
		return fmt.Errorf("http.tls: %w", err)
	}
	return nil
}

func (a *Agent) reloadClients() error {
	err := a.clients.Reload()
	a.met.files.WithLabelValues("clients").Set(good(err))
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	return nil
}

// reloadClientFile reads one file of the directory anew.
func (a *Agent) reloadClientFile(f clients.File) error {
	err := f.Reload()
	a.met.files.WithLabelValues("clients").Set(good(err))
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	return nil
}

// sourceFails is told when a foreign system that knows the clients begins to fail, and when it answers again.
func (a *Agent) sourceFails(source string, err error) {
	if err != nil {
		a.log.Warn().Err(err).Str("source", source).Msg("a source of clients does not answer; those whom it would know are nobody's clients meanwhile")
		return
	}
	a.log.Info().Str("source", source).Msg("a source of clients answers again")
}

// Run opens the listeners, connects to the PBX and works until ctx ends, when it ends what is under way and returns nil; or until something
// fails that it cannot go on without, which it returns.
func (a *Agent) Run(ctx context.Context) error {
	defer a.closeFiles()
	httpListener, adminListener, err := a.listen(ctx)
	if err != nil {
		return err
	}
	panels, err := a.listenPanels(ctx)
	if err != nil {
		return errors.Join(err, httpListener.Close(), adminListener.Close())
	}
	a.httpAddr, a.adminAddr = httpListener.Addr().String(), adminListener.Addr().String()
	a.openRecord()
	close(a.listening)
	a.log.Info().Str("http", a.httpAddr).Bool("tls", a.cert != nil).Str("admin", a.adminAddr).Str("ami", a.amiAddr).Str("ari", a.ariAddr).Uint64("generation", a.policy.Current().Generation()).Msg("earshot listens")
	for _, w := range append(a.cfg.warnings(), a.cfg.emergencyWarnings(a.policy.Current())...) {
		a.log.Warn().Msg(w)
	}
	for _, w := range a.policy.Status().Warnings {
		a.log.Warn().Msg(w.String())
	}
	a.met.generation.Set(float64(a.policy.Current().Generation()))
	a.met.reloaded(nil)

	run, fail := context.WithCancelCause(context.WithoutCancel(ctx))
	defer fail(nil)
	stop := context.AfterFunc(ctx, func() { fail(nil) })
	defer stop()
	// The inner parts go on while the outer ones stop, since ending a supervision needs the link.
	inner, endInner := context.WithCancel(context.WithoutCancel(ctx))
	var wg, innerWG sync.WaitGroup
	start := func(wg *sync.WaitGroup, ctx context.Context, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
				fail(err)
			}
		})
	}
	endJournal := a.runJournal(context.WithoutCancel(ctx))
	endRecordings := a.runRecordings(context.WithoutCancel(ctx))
	endStream := a.runStream(context.WithoutCancel(ctx))
	start(&innerWG, inner, a.feed.Run)
	start(&innerWG, inner, func(ctx context.Context) error { return a.runLink(ctx, run) })
	start(&innerWG, inner, a.clients.Run)
	changed := a.cache.Watch() // before it runs, so that nothing it tells is missed
	endCache := a.runCache(context.WithoutCancel(ctx), fail)
	start(&wg, run, func(ctx context.Context) error { return a.watchCache(ctx, changed) })
	start(&wg, run, a.policy.Watch)
	if a.cluster != nil {
		start(&wg, run, a.cluster.Run)
	}
	switch {
	case a.follower != nil:
		start(&wg, run, a.follower.Run)
	case a.giver != nil:
		start(&wg, run, a.give)
	}
	if a.shadow != nil {
		start(&innerWG, inner, a.shadow.Run)
		start(&wg, run, a.shadow.follow)
	}
	start(&wg, run, a.watchFiles)
	endAudit := a.runAudit(context.WithoutCancel(ctx))
	if a.jwt != nil {
		start(&wg, run, a.jwt.Run)
	}
	doors := []*http.Server{a.door.HTTP(), a.adminServer()}
	if a.cert != nil {
		a.cert.secure(doors[0])
	}
	for i, l := range []net.Listener{httpListener, adminListener} {
		start(&wg, run, func(context.Context) error {
			if err := serve(doors[i], l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	for _, serve := range panels {
		start(&wg, run, serve)
	}
	<-run.Done()
	a.log.Info().Msg("earshot stops")
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	_ = a.desk.Close(end)
	_ = a.gate.Close(end) // what did not end in time ends with its lease
	_ = a.door.Close(end)
	for _, d := range doors {
		_ = d.Shutdown(end)
	}
	wg.Wait()
	endAudit()  // when all has happened
	endStream() // when all is recorded, and while the cache runs
	endInner()
	innerWG.Wait()
	endCache()
	endRecordings()
	endJournal() // last of those that run, since the others tell it what is over
	a.closeRecord()
	if err := context.Cause(run); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (a *Agent) closeFiles() {
	if err := errors.Join(a.closeRecordings(), a.closeJournal(), a.audit.Close(), a.clients.Close()); err != nil {
		a.log.Error().Err(err).Msg("what is written on disk was not closed well")
	}
}
